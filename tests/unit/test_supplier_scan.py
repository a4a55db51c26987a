"""What a supplier finds at its start, row by row of the table in `bitdust.customers.scan`, and disks that fail."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from twisted.internet.defer import Deferred

from bitdust.customers.database import PieceCondition
from bitdust.customers.names import PieceName
from bitdust.customers.quota import BESIDE
from bitdust.testing.faulty_disk import COMMIT, Change, FaultyDisks
from bitdust.wire.packet import Command
from tests.unit.supplier_kit import MIB, BrokenDisk, Killed, Pack, Shop, files, now
from tests.unit.test_supplier_store import ALICE, BOB, ShopCase

PACK, OTHER = Pack(ALICE, 1), Pack(ALICE, 2)
NAME = PieceName(ALICE.fingerprint, PACK.id, 0)


class FailingDisk(BrokenDisk):
    """A disk of which one call fails with an error of the hardware."""

    failing = ""

    def _step(self, name: str) -> None:
        super()._step(name)
        if name == self.failing:
            raise OSError(errno.EIO, "Input/output error")


class ScanTests(ShopCase):
    def setUp(self) -> None:
        super().setUp()
        self.shop.hire(ALICE)
        self.shop.put(ALICE, PACK)
        self.path = NAME.path(self.folder)
        self.partial = NAME.partial(self.folder)

    def state(self, state: PieceCondition) -> None:
        """The database says so of the piece."""
        now(self.shop.store.pieces.mark(NAME, state))

    def condition(self) -> PieceCondition:
        row = self.shop.store._read.execute("SELECT state FROM pieces WHERE pack=?", (PACK.id,)).fetchone()
        return PieceCondition(row[0])

    def test_a_row_whose_file_has_its_temporary_name(self) -> None:
        """A whole temporary file is given its name and counts as repaired; the piece can be read."""
        self.path.rename(self.partial)
        shop, report = self.reopen()
        self.assertEqual((report.repaired, report.removed, report.missing), (1, 0, []))
        self.assertEqual(shop.get(ALICE, PACK).bytes, PACK.pieces[0])
        self.assertFalse(self.partial.exists())

    def test_a_better_file_beside_a_bad_one(self) -> None:
        """Killed before the new file had its name: the whole one takes the place of the one that is bad."""
        self.path.write_bytes(b"x" * 500)
        self.partial.write_bytes(PACK.pieces[0])
        for state in (PieceCondition.KEPT, PieceCondition.DAMAGED):
            self.state(state)
            shop, report = self.reopen()
            self.assertEqual((report.repaired, report.damaged), (1, []))
            self.assertEqual(shop.get(ALICE, PACK).bytes, PACK.pieces[0])
            self.path.write_bytes(b"x" * 500)
            self.partial.write_bytes(PACK.pieces[0])

    def test_a_temporary_file_that_is_not_whole(self) -> None:
        """It is removed: with a good piece beside it, with none, and without a row."""
        self.partial.write_bytes(PACK.pieces[0][:-1])
        stranger = PieceName(ALICE.fingerprint, OTHER.id, 3).partial(self.folder)
        stranger.parent.mkdir(parents=True, exist_ok=True)
        stranger.write_bytes(OTHER.pieces[3])
        _, report = self.reopen()
        self.assertEqual((report.removed, report.missing, report.unknown), (2, [], []))
        self.path.unlink()
        self.partial.write_bytes(b"y" * 500)
        _, report = self.reopen()
        self.assertEqual((report.removed, report.missing), (1, [NAME]))
        self.assertEqual(files(self.folder), [])

    def test_missing_and_damaged(self) -> None:
        """No file is missing, one of another size damaged; both stay counted, and come back with the file."""
        good = self.path.read_bytes()
        for change, state in ((self.path.unlink, PieceCondition.MISSING), (self.shorten, PieceCondition.DAMAGED)):
            change()
            self.reopen()
            self.assertEqual(self.condition(), state)
            self.assertEqual(self.shop.store.usage(ALICE.fingerprint).used, 500)
            self.path.write_bytes(good)
            _, report = self.reopen()
            self.assertEqual((report.repaired, self.condition()), (1, PieceCondition.KEPT))

    def shorten(self) -> None:
        self.path.write_bytes(b"short")

    def test_damage_that_was_found_is_not_forgotten(self) -> None:
        """A file of the right size that is known to be damaged is read again, and stays damaged."""
        self.path.write_bytes(b"x" * 500)
        self.state(PieceCondition.DAMAGED)
        _, report = self.reopen()
        self.assertEqual((report.damaged, self.condition()), ([NAME], PieceCondition.DAMAGED))

    def test_files_that_are_nobodys(self) -> None:
        """Files without a row, with other names, in other places and links are reported and left alone."""
        shelf = self.path.parent
        strangers = [
            shelf / f"{PACK.id.hex()}.9",
            shelf / "notes.txt",
            shelf.parent / "lost",
            shelf.parent / "zz" / f"{PACK.id.hex()}.0",
        ]
        for path in strangers:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"whose?")
        link = shelf / f"{PACK.id.hex()}.8"
        link.symlink_to(self.path)
        (self.folder / "not a customer").mkdir()
        _, report = self.reopen()
        self.assertEqual(set(report.unknown), {str(path.relative_to(self.folder)) for path in (*strangers, link)})
        self.assertTrue(all(path.read_bytes() == b"whose?" for path in strangers) and link.is_symlink())

    def test_a_file_that_was_to_go(self) -> None:
        """An order that was written down before a kill is finished; a piece that came again since stays."""
        for pack in (PACK, OTHER):
            row = (ALICE.fingerprint, pack.id, 0)
            self.shop.store._write_connection().execute("INSERT INTO garbage VALUES(?, ?, ?)", row)
        left = PieceName(ALICE.fingerprint, OTHER.id, 0).path(self.folder)
        left.parent.mkdir(parents=True, exist_ok=True)
        left.write_bytes(OTHER.pieces[0])
        shop, report = self.reopen()
        self.assertEqual((report.removed, files(self.folder)), (1, [str(self.path.relative_to(self.folder))]))
        self.assertEqual(shop.store._read.execute("SELECT count(*) FROM garbage").fetchone(), (0,))

    def test_killed_at_every_step_of_a_scan(self) -> None:
        """A kill while the start repairs, removes and syncs loses nothing; the next start finishes."""
        for step in range(1, 20):
            self.path.rename(self.partial)
            stranger = PieceName(ALICE.fingerprint, OTHER.id, 3).partial(self.folder)
            stranger.parent.mkdir(parents=True, exist_ok=True)
            stranger.write_bytes(b"z")
            disk = BrokenDisk()
            disk.fail_at = step
            try:
                self.reopen(disk)
            except Killed:
                self.reopen()
            else:
                self.assertGreater(step, 3)
            self.assertEqual(self.shop.get(ALICE, PACK).bytes, PACK.pieces[0])
            self.assertEqual(files(self.folder), [str(self.path.relative_to(self.folder))])


class DiskErrorTests(ShopCase):
    """Errors of the hardware: nothing is acknowledged that a power cut could take."""

    def setUp(self) -> None:
        super().setUp()
        self.shop.hire(ALICE)
        self.disk = FailingDisk()
        self.shop, _ = self.reopen(self.disk)

    def test_every_step_of_a_write(self) -> None:
        """Whatever fails, sync included, the answer is internal, nothing is counted, and the same piece comes later."""
        for size in (1000, 5 * MIB):
            pack = Pack(ALICE, size, size)
            for step in ("make_folder", "create", "write", "write-half", "sync", "rename", "sync_folder"):
                self.disk.failing = step
                self.assertEqual(self.shop.put(ALICE, pack).code, "internal", step)
                self.assertEqual(self.shop.store.usage(ALICE.fingerprint).used, 0, step)
                self.assertEqual(self.shop.get(ALICE, pack).code, "not-found", step)
                self.assertEqual(self.shop.store.pieces.reserved(ALICE.fingerprint), 0)
            self.disk.failing = ""
            self.assertEqual(self.shop.put(ALICE, pack).command, Command.ACK)
            self.assertEqual(self.shop.get(ALICE, pack).bytes, pack.pieces[0])
            order = ALICE.order(pack.id, time=size).to_bytes()
            self.shop.ask(ALICE, Command.DELETE_FILE, None, order)

    def test_a_repair_that_fails(self) -> None:
        """A damaged piece that comes again and cannot be stored stays damaged, is not listed, and costs nothing."""
        self.shop.put(ALICE, PACK)
        now(self.shop.store.pieces.mark(NAME, PieceCondition.DAMAGED))
        for step in ("sync", "rename", "sync_folder"):
            self.disk.failing = step
            self.assertEqual(self.shop.put(ALICE, PACK).code, "internal", step)
            self.assertEqual(self.shop.store.listing(ALICE.fingerprint, b"", 9).pieces, [])
            self.assertEqual(self.shop.store.usage(ALICE.fingerprint).used, 500)
        self.disk.failing = ""
        self.assertEqual(self.shop.put(ALICE, PACK).fields["used"], 500)
        self.assertEqual(len(self.shop.store.listing(ALICE.fingerprint, b"", 9).pieces), 1)

    def test_a_temporary_file_that_cannot_be_removed(self) -> None:
        """A refused piece whose file stays behind is answered as refused, and the next start removes the file."""
        self.disk.failing = "remove"
        self.assertEqual(self.shop.put(ALICE, PACK, 0, b"x" * 500).code, "bad-piece")
        self.assertEqual(len(files(self.folder)), 1)
        _, report = self.reopen()
        self.assertEqual((report.removed, files(self.folder)), (1, []))

    def test_a_delete_that_cannot_remove(self) -> None:
        """The bytes are free at once; the file is garbage that the next start removes."""
        self.shop.put(ALICE, PACK)
        self.disk.failing = "remove"
        order = ALICE.order(PACK.id).to_bytes()
        self.assertEqual(self.shop.ask(ALICE, Command.DELETE_FILE, None, order).fields, {"freed": 500})
        self.assertEqual(self.shop.store.usage(ALICE.fingerprint).used, 0)
        self.assertEqual(len(files(self.folder)), 1)
        _, report = self.reopen()
        self.assertEqual((report.removed, report.unknown, files(self.folder)), (1, [], []))

    def broken(self, path: Path) -> int:
        raise OSError(errno.EIO, "Input/output error")

    def test_a_start_that_can_remove_nothing(self) -> None:
        """A supplier starts all the same, and gives what it has; what stays is reported, and goes at a later start."""
        self.shop.put(ALICE, PACK)
        self.shop.put(ALICE, OTHER)
        self.disk.failing = "remove"
        self.shop.ask(ALICE, Command.DELETE_FILE, None, ALICE.order(OTHER.id).to_bytes())
        partial = PieceName(ALICE.fingerprint, PACK.id, 1).partial(self.folder)
        partial.write_bytes(b"half")
        other = PieceName(ALICE.fingerprint, OTHER.id, 0).path(self.folder)
        stuck = {str(path.relative_to(self.folder)) for path in (partial, other)}
        for _ in range(2):
            shop, report = self.reopen(self.disk)
            self.assertEqual((report.removed, set(report.unknown)), (0, stuck))
            self.assertEqual(shop.get(ALICE, PACK).bytes, PACK.pieces[0])
        _, report = self.reopen()
        self.assertEqual((report.removed, report.unknown, len(files(self.folder))), (2, [], 1))

    def test_a_start_that_cannot_read(self) -> None:
        """A piece that is known to be damaged, and cannot be read now either, stays so, and others are given."""
        self.shop.put(ALICE, PACK)
        self.shop.put(ALICE, OTHER)
        now(self.shop.store.pieces.mark(NAME, PieceCondition.DAMAGED))
        opened = self.disk.open
        self.disk.open = self.broken
        shop, report = self.reopen(self.disk)
        self.disk.open = opened
        self.assertEqual((report.damaged, report.removed), ([NAME], 0))
        self.assertEqual(shop.get(ALICE, OTHER).bytes, OTHER.pieces[0])
        _, report = self.reopen()
        self.assertEqual((report.damaged, report.repaired), ([], 1))

    def test_a_temporary_file_that_cannot_be_read(self) -> None:
        """It stays until a start that can, and what is there beside it is not taken for whole before."""
        self.shop.put(ALICE, PACK)
        opened, path = self.disk.open, NAME.path(self.folder)
        for there, found in ((None, ([NAME], [])), (b"x" * 500, ([], [NAME]))):
            path.rename(NAME.partial(self.folder))
            if there is not None:
                path.write_bytes(there)
            self.disk.open = self.broken
            _, report = self.reopen(self.disk)
            self.disk.open = opened
            self.assertEqual(((report.missing, report.damaged), report.removed), (found, 0))
            shop, report = self.reopen()
            self.assertEqual((report.repaired, report.removed), (1, 0))
            self.assertEqual(shop.get(ALICE, PACK).bytes, PACK.pieces[0])

    def test_a_folder_that_cannot_be_listed(self) -> None:
        """Its pieces, or those of a whole customer, do not count as kept before they are read again, nothing in it is
        removed, and others are looked at."""
        self.shop.put(ALICE, PACK)
        self.shop.put(ALICE, OTHER)
        path = NAME.path(self.folder)
        path.rename(NAME.partial(self.folder))
        scanned = os.scandir
        for broken in (path.parent, path.parent.parent):

            def scandir(folder: object, broken: Path = broken) -> object:
                if Path(str(folder)) == broken:
                    raise OSError(errno.EIO, "Input/output error")
                return scanned(folder)  # type: ignore[call-overload]

            with mock.patch("bitdust.customers.scan.os.scandir", scandir):
                shop, report = self.reopen()
            self.assertEqual((report.missing, report.removed), ([], 0))
            self.assertEqual(report.unknown, [str(broken.relative_to(self.folder))])
            self.assertEqual(report.unread, report.unknown)
            self.assertEqual(shop.get(ALICE, OTHER).bytes, OTHER.pieces[0])
            self.assertNotIn(PACK.id, self.listed(shop))
            if broken == path.parent:
                self.assertEqual(self.listed(shop), [OTHER.id])
        shop, report = self.reopen()
        self.assertEqual((report.repaired, report.missing, report.unread), (2, [], []))
        self.assertCountEqual(self.listed(shop), [PACK.id, OTHER.id])

    def listed(self, shop: Shop) -> list[bytes]:
        """Packs of which the customer is told that a piece is kept."""
        return [pack for pack, _, _ in shop.store.listing(ALICE.fingerprint, b"", 9).pieces]

    def test_a_customer_of_whom_nothing_can_be_told(self) -> None:
        """So it is where this program has no rights in its folder; others are served."""
        self.shop.hire(BOB)
        self.shop.put(ALICE, PACK)
        self.shop.put(BOB, Pack(BOB, 5))
        scanned, home = os.scandir, self.folder / ALICE.fingerprint.hex()

        def scandir(folder: object) -> object:
            if Path(str(folder)) == home:
                raise PermissionError(errno.EACCES, "Permission denied")
            return scanned(folder)  # type: ignore[call-overload]

        with mock.patch("bitdust.customers.scan.os.scandir", scandir):
            shop, report = self.reopen()
        self.assertEqual((report.unread, report.removed), ([ALICE.fingerprint.hex()], 0))
        self.assertEqual((self.listed(shop), len(shop.store.listing(BOB.fingerprint, b"", 9).pieces)), ([], 1))
        self.assertTrue(now(shop.store.test(NAME)).is_whole)
        self.assertEqual(self.listed(shop), [PACK.id], "read again by scrubbing")

    def test_a_folder_of_which_nothing_can_be_told(self) -> None:
        """A file system that does not even say what a customer's folder is keeps nobody from the others."""
        self.shop.put(ALICE, PACK)
        home = NAME.path(self.folder).parents[1]
        asked, scanned = os.stat, os.scandir

        def broken(call):
            def answer(path, *more, **named):
                if Path(str(path)) == home:
                    raise OSError(errno.EIO, "Input/output error")
                return call(path, *more, **named)

            return answer

        with mock.patch("os.stat", broken(asked)), mock.patch("os.scandir", broken(scanned)):
            _, report = self.reopen()
        self.assertEqual((report.missing, report.unknown), ([], [home.name]))

    def test_a_file_of_which_nothing_can_be_told(self) -> None:
        """So it is where the system does not say how large a file is."""
        self.shop.put(ALICE, PACK)

        class Silent:
            def __init__(self, entry: "os.DirEntry[str]") -> None:
                self.name, self.path, self.is_file, self.is_dir = entry.name, entry.path, entry.is_file, entry.is_dir

            def stat(self, **_: bool) -> None:
                raise OSError(errno.EIO, "Input/output error")

        def scandir(folder: Path, scanned: Callable = os.scandir) -> list[Silent]:
            return [Silent(entry) for entry in scanned(folder)]

        with mock.patch("bitdust.customers.scan.os.scandir", scandir):
            shop, report = self.reopen()
        self.assertEqual((report.missing, report.damaged, report.removed), ([], [NAME], 0))
        self.assertEqual(report.unread, [str(NAME.path(self.folder).relative_to(self.folder))])
        self.assertEqual(shop.get(ALICE, PACK).bytes, PACK.pieces[0])
        _, report = self.reopen()
        self.assertEqual((report.repaired, report.unread), (1, []))

    def test_files_beside_one_of_which_nothing_can_be_told(self) -> None:
        """They are looked at: one that is gone does not count for that, nor one whose newer bytes nobody can look at,
        and those are not removed."""
        names = [PieceName(ALICE.fingerprint, PACK.id, number) for number in range(3)]
        for number in range(3):
            self.shop.put(ALICE, PACK, number)
        names[1].path(self.folder).unlink()
        names[2].path(self.folder).rename(names[2].partial(self.folder))
        scanned, silent = os.scandir, {names[0].path(self.folder).name, names[2].partial(self.folder).name}

        class Told:
            def __init__(self, entry: "os.DirEntry[str]") -> None:
                self.name, self.path, self.is_dir, self.stat = entry.name, entry.path, entry.is_dir, entry.stat
                self._is_file = entry.is_file

            def is_file(self, **how: bool) -> bool:
                if self.name in silent:
                    raise OSError(errno.EIO, "Input/output error")
                return self._is_file(**how)

        def scandir(folder: Path) -> list[Told]:
            return [Told(entry) for entry in scanned(folder)]

        with mock.patch("bitdust.customers.scan.os.scandir", scandir):
            _, report = self.reopen()
        self.assertEqual((report.missing, report.damaged, report.removed), ([names[1]], [names[0], names[2]], 0))
        _, report = self.reopen()
        self.assertEqual((report.repaired, report.missing, report.unread), (2, [names[1]], []))

    def test_a_folder_that_cannot_be_synced(self) -> None:
        """What was to go from it may come back: it is removed once more at the next start."""
        self.shop.put(ALICE, OTHER)
        self.disk.failing = "remove"
        self.shop.ask(ALICE, Command.DELETE_FILE, None, ALICE.order(OTHER.id).to_bytes())
        self.disk.failing = "sync_folder"
        shop, _ = self.reopen(self.disk)
        (count,) = shop.store._read.execute("SELECT count(*) FROM garbage").fetchone()
        self.assertEqual(count, 1)
        shop, _ = self.reopen()
        (count,) = shop.store._read.execute("SELECT count(*) FROM garbage").fetchone()
        self.assertEqual(count, 0)

    def test_a_disk_that_is_empty(self) -> None:
        """However many pieces it has lost, what was found of those of a customer is written at once."""
        packs = [Pack(ALICE, number) for number in range(3, 23)]
        for pack in packs:
            self.shop.put(ALICE, pack)
        shutil.rmtree(self.folder / ALICE.fingerprint.hex())
        disks, commits = FaultyDisks(), list[Change]()

        def count(change: Change) -> None:
            commits.extend([change] if change.kind == COMMIT else [])

        with disks.installed():
            disks.watch(self.folder.parent, count)
            _, report = self.reopen()
        self.assertEqual(len(report.missing), len(packs))
        self.assertLess(len(commits), 10)

    def test_reading_from_a_disk_that_fails(self) -> None:
        """A file that cannot be opened is an internal error and not a missing piece; reading again finds damage."""
        self.shop.put(ALICE, PACK)
        opened = self.disk.open
        self.disk.open = self.broken
        self.assertEqual(self.shop.get(ALICE, PACK).code, "internal")
        self.assertEqual(now(self.shop.store.test(NAME)).condition, PieceCondition.DAMAGED)
        self.disk.open = opened
        self.assertEqual(now(self.shop.store.test(NAME)).condition, PieceCondition.KEPT)

    def test_a_disk_whose_room_is_not_known(self) -> None:
        """Where the disk cannot say how much is free nothing is taken."""

        def broken(path: Path) -> int:
            raise OSError(errno.EIO, "Input/output error")

        self.disk.free = broken
        self.assertEqual(self.shop.put(ALICE, PACK).code, "internal")
        self.assertEqual(self.shop.hire(ALICE, 20 * MIB).code, "internal")

    def test_a_store_that_is_closed(self) -> None:
        """Requests that come after the end are told to come again, and nothing is read or written."""
        self.shop.close()
        for said in (
            self.shop.put(ALICE, PACK),
            self.shop.get(ALICE, PACK),
            self.shop.hire(ALICE),
            self.shop.ask(ALICE, Command.LIST_FILES, None, after=b"", most=9),
        ):
            self.assertEqual(said.code, "busy")

    def test_closing_waits_for_what_is_written(self) -> None:
        """The store closes after the batch that is being written, and its acknowledgement still comes."""
        begun: list[tuple] = []

        def later(call, *arguments):
            done: Deferred = Deferred()
            begun.append((done, call, arguments))
            return done

        self.shop.run_in_thread = later
        intake = self.shop.store.receive(NAME, PACK.record, PACK.signed.to_bytes())
        intake.write(memoryview(PACK.pieces[0]))
        stored, closed = intake.store(), self.shop.store.stop()
        self.assertNoResult(closed)
        done, call, arguments = begun.pop()
        done.callback(call(*arguments))
        self.assertEqual(self.successResultOf(stored).used, 500)
        self.successResultOf(closed)
        self.assertFalse(self.shop.store.is_open)


class BoundaryTests(ShopCase):
    def test_the_room_to_the_byte(self) -> None:
        """What fills the room exactly is taken; with one byte less of room it is not."""
        room = 1000 + 2 * BESIDE
        self.shop.hire(ALICE)
        self.shop.hire(ALICE, room)
        self.assertEqual(self.shop.put(ALICE, PACK).command, Command.ACK)
        self.assertEqual(self.shop.put(ALICE, OTHER).fields, {"used": 1000, "room": room, "taken": room})
        self.assertEqual(self.shop.put(ALICE, Pack(ALICE, 3, 1)).code, "no-space")
        order = ALICE.order(OTHER.id).to_bytes()
        self.shop.ask(ALICE, Command.DELETE_FILE, None, order)
        self.shop.hire(ALICE, room - 1)
        self.assertEqual(self.shop.put(ALICE, OTHER).code, "no-space")

    def test_the_number_of_pieces_is_limited(self) -> None:
        """Each piece takes 4 KiB of room beside its bytes; deleting, replacing and refusals count rightly."""
        room = 4098 * BESIDE + 2
        self.shop.hire(ALICE, room)
        self.set_pieces(4096)
        tiny = [Pack(ALICE, 10 + number, 1) for number in range(4)]
        for pack in (tiny[0], tiny[0], tiny[1]):
            self.assertEqual(self.shop.put(ALICE, pack).command, Command.ACK)
        said = self.shop.put(ALICE, tiny[2])
        self.assertEqual(said.code, "no-space")
        self.assertIn("4098 pieces", said.fields["text"])
        self.shop.ask(ALICE, Command.DELETE_FILE, None, ALICE.order(tiny[0].id).to_bytes())
        self.shop.disk.rename, rename = self.broken, self.shop.disk.rename
        self.assertEqual(self.shop.put(ALICE, tiny[2]).code, "internal")
        self.shop.disk.rename = rename
        name = PieceName(ALICE.fingerprint, tiny[3].id, 0)
        intake = self.shop.store.receive(name, tiny[3].record, tiny[3].signed.to_bytes())
        self.assertEqual(self.shop.put(ALICE, tiny[2]).code, "no-space")
        now(intake.abort())
        self.assertEqual(self.shop.put(ALICE, tiny[2]).command, Command.ACK)
        self.shop.end(ALICE)
        self.shop.hire(ALICE, room)
        self.assertEqual(self.shop.put(ALICE, tiny[2]).fields["used"], 1)

    def set_pieces(self, number: int) -> None:
        self.shop.store._write_connection().execute("UPDATE customers SET pieces=?", (number,))

    def broken(self, old: Path, new: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    def test_the_room_is_checked_again_at_the_write(self) -> None:
        """Two pieces that were both let in when there was room: the second does not fit when it is written."""
        self.shop.hire(ALICE)
        self.shop.hire(ALICE, 1000 + 2 * BESIDE)
        intakes = []
        for pack in (PACK, OTHER):
            name = PieceName(ALICE.fingerprint, pack.id, 0)
            intakes.append(self.shop.store.receive(name, pack.record, pack.signed.to_bytes()))
            intakes[-1].write(memoryview(pack.pieces[0]))
        self.shop.hire(ALICE, 500 + BESIDE)
        self.assertEqual(now(intakes[0].store()).used, 500)
        self.assertEqual(self.failureResultOf(intakes[1].store()).value.code, "no-space")
        self.assertEqual(len(files(self.folder)), 1)

    def test_a_contract_that_ends_while_a_piece_comes(self) -> None:
        """A piece of a customer who has left meanwhile is not stored, and nothing of it stays."""
        self.shop.hire(ALICE)
        intake = self.shop.store.receive(NAME, PACK.record, PACK.signed.to_bytes())
        intake.write(memoryview(PACK.pieces[0]))
        contract = self.shop.store.contract_of(ALICE.fingerprint).contract.contract
        now(self.shop.store.end(ALICE.fingerprint, contract))
        self.assertEqual(self.failureResultOf(intake.store()).value.code, "no-contract")
        self.assertEqual(files(self.folder), [])
