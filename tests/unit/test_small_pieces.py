"""Small pieces at a supplier: in rows and not in files, alone or in one packet and one commit with log entries."""

import sqlite3
from pathlib import Path
from unittest import mock

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.customers import small
from bitdust.customers.database import PieceCondition
from bitdust.customers.names import PieceName
from bitdust.customers.quota import BESIDE
from bitdust.formats.log_packet import SMALL, LogPacket, SmallPiece
from bitdust.wire.capability import Right
from bitdust.wire.packet import Command
from tests.unit.supplier_kit import MIB, BrokenDisk, Killed, Pack, Person, Shop, files, now

ALICE, BOB = Person("alice"), Person("bob")
PACKS = [Pack(ALICE, number) for number in range(4)]
LARGE = Pack(ALICE, 9, 2 * SMALL + 2)
SIZE = PACKS[0].record.piece_size


def rider(pack: Pack, index: int = 0, **changes) -> SmallPiece:
    """A small piece as it goes with log entries."""
    return evolve(SmallPiece(index, pack.signed.to_bytes(), pack.pieces[index]), **changes)


class SmallTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve() / "customers"
        self.folder.parent.mkdir(parents=True)
        self.disk = BrokenDisk()
        self.shop = self.shop_again()
        self.shop.documents[ALICE.fingerprint] = ALICE.document
        self.shop.hire(ALICE)
        self.disk.calls.clear()
        self.addCleanup(lambda: self.shop.close() if self.shop.store.is_open else None)

    def shop_again(self) -> Shop:
        shop = Shop(self.folder, self.disk, small=SMALL)
        self.report = shop.open()
        return shop

    def restart(self) -> None:
        documents = self.shop.documents
        self.shop.crash()
        self.shop = self.shop_again()
        self.shop.documents = documents

    def count(self, table: str) -> int:
        return self.shop.store._read.execute(f"SELECT count(*) FROM {table}").fetchone()[0]

    def used(self) -> int:
        return self.shop.store.usage(ALICE.fingerprint).used

    def change(self, statement: str) -> None:
        """As a disk that rots, or a person with a database tool."""
        now(self.shop.store._commits.change(lambda database: database.execute(statement)))

    def kept(self) -> tuple[int, int, int]:
        """Pieces, their bytes, and log entries."""
        return self.count("pieces"), self.used(), self.count("log")


class RowTests(SmallTests):
    """Small pieces that come one by one."""

    def test_a_small_piece_has_no_file(self) -> None:
        """A piece of at most 16 KiB is stored without a file, a folder or a sync of one; a larger one has a file."""
        self.assertEqual(self.shop.put(ALICE, PACKS[0]).fields["used"], SIZE)
        self.assertEqual((files(self.folder), self.disk.calls), ([], []))
        self.assertEqual(self.shop.put(ALICE, LARGE).code, None)
        self.assertEqual((len(files(self.folder)), self.count("small")), (1, 1))

    def test_it_comes_back(self) -> None:
        """Whole and in part it is given back, with its record; behind its end nothing is."""
        self.shop.put(ALICE, PACKS[0], 2)
        data = PACKS[0].pieces[2]
        whole = self.shop.get(ALICE, PACKS[0], 2)
        self.assertEqual((whole.bytes, whole.fields["record"]), (data, PACKS[0].signed.to_bytes()))
        self.assertEqual(self.shop.get(ALICE, PACKS[0], 2, 100, 50).bytes, data[100:150])
        self.assertEqual(self.shop.get(ALICE, PACKS[0], 2, SIZE).bytes, b"")
        self.assertEqual(self.shop.get(ALICE, PACKS[0], 2, SIZE + 1).code, "bad-field")
        self.assertEqual(self.shop.get(ALICE, PACKS[0], 1).code, "not-found")

    def test_it_is_listed(self) -> None:
        """Lists show small pieces and others alike."""
        self.shop.put(ALICE, PACKS[0])
        self.shop.put(ALICE, LARGE)
        page = self.shop.store.listing(ALICE.fingerprint, b"", 10)
        expected = sorted([(PACKS[0].id, 0, SIZE), (LARGE.id, 0, LARGE.record.piece_size)])
        self.assertEqual([tuple(piece) for piece in page.pieces], expected)

    def test_wrong_bytes_are_refused(self) -> None:
        """Bytes that do not fit the root, too few and too many, are not stored."""
        data = PACKS[0].pieces[0]
        for wrong in (data[:-1] + bytes([data[-1] ^ 1]), data[:-1], data + b"x"):
            self.assertEqual(self.shop.put(ALICE, PACKS[0], data=wrong).code, "bad-piece")
        self.assertEqual(self.kept(), (0, 0, 0))
        self.assertEqual(self.shop.put(ALICE, PACKS[0]).code, None)

    def test_more_bytes_than_announced(self) -> None:
        """A sender whose stream is longer than its record is cut off, and may send the piece again."""
        name = PieceName(ALICE.fingerprint, PACKS[0].id, 0)
        intake = self.shop.store.receive(name, PACKS[0].record, PACKS[0].signed.to_bytes())
        with self.assertRaises(Exception) as caught:
            intake.write(memoryview(bytes(SIZE + 1)))
        self.assertEqual(caught.exception.code, "bad-piece")
        now(intake.abort())
        self.assertEqual(self.shop.put(ALICE, PACKS[0]).code, None)

    def test_the_quota(self) -> None:
        """Small pieces count as others do; what does not fit is refused, and the same piece again counts once."""
        self.shop.hire(ALICE, room=2 * (SIZE + BESIDE) + 10)
        for pack in PACKS[:2]:
            self.assertEqual(self.shop.put(ALICE, pack).code, None)
            self.assertEqual(self.shop.put(ALICE, pack).code, None)
        self.assertEqual(self.shop.put(ALICE, PACKS[2]).code, "no-space")
        self.assertEqual(self.used(), 2 * SIZE)

    def test_the_audit(self) -> None:
        """Reading again finds bytes that have changed and bytes that are gone; the owner may bring them again."""
        self.shop.put(ALICE, PACKS[0])
        name = PieceName(ALICE.fingerprint, PACKS[0].id, 0)
        self.assertTrue(now(self.shop.store.test(name)).is_whole)
        for statement, state in (
            ("UPDATE small SET data = zeroblob(length(data))", PieceCondition.DAMAGED),
            ("UPDATE small SET data = x''", PieceCondition.DAMAGED),
            ("DELETE FROM small", PieceCondition.MISSING),
        ):
            self.change(statement)
            self.assertEqual(now(self.shop.store.test(name)).condition, state, statement)
            self.assertEqual(self.shop.store.listing(ALICE.fingerprint, b"", 10).pieces, [])
            self.assertEqual(self.shop.put(ALICE, PACKS[0]).code, None)
            self.assertTrue(now(self.shop.store.test(name)).is_whole)
        self.assertEqual(self.used(), SIZE)

    def test_deleted(self) -> None:
        """The owner's order removes row and bytes, frees the room, and leaves no garbage behind."""
        self.shop.put(ALICE, PACKS[0])
        self.shop.put(ALICE, PACKS[1])
        order = ALICE.order(PACKS[0].id).to_bytes()
        self.assertEqual(self.shop.ask(ALICE, Command.DELETE_FILE, None, order).fields, {"freed": SIZE})
        self.assertEqual((self.count("small"), self.count("garbage"), self.used()), (1, 0, SIZE))
        self.assertEqual(self.shop.get(ALICE, PACKS[0]).code, "not-found")

    def test_everything_of_a_customer(self) -> None:
        """When a rejected customer is erased nothing of its small pieces is left."""
        self.shop.put(ALICE, PACKS[0])
        self.shop.put(ALICE, LARGE)
        now(self.shop.store.reject(ALICE.fingerprint))
        freed = now(self.shop.store.erase(ALICE.fingerprint))
        self.assertEqual(freed, SIZE + LARGE.record.piece_size)
        self.assertEqual((self.count("small"), self.count("pieces"), self.count("garbage")), (0, 0, 0))
        self.assertEqual(files(self.folder), [])

    def test_a_start_leaves_them_alone(self) -> None:
        """The scan at the start looks for no file of a small piece."""
        self.shop.put(ALICE, PACKS[0])
        self.restart()
        self.assertEqual((self.report.missing, self.report.damaged, self.report.repaired), ([], [], 0))
        self.assertEqual(self.shop.get(ALICE, PACKS[0]).bytes, PACKS[0].pieces[0])


class PacketTests(SmallTests):
    """Log entries with small pieces."""

    def test_one_commit(self) -> None:
        """Three entries and two pieces are one transaction, and no file is touched."""
        commits: list[str] = []
        self.shop.store._writer.set_trace_callback(commits.append)
        said = self.shop.log_packet(ALICE, ALICE.log(3), rider(PACKS[0]), rider(PACKS[1], 3))
        taken = 2 * (SIZE + BESIDE) + sum(len(entry) for entry, _ in ALICE.log(3))
        expected = {"sequence": 3, "used": 2 * SIZE, "room": 10 * MIB, "taken": taken, "refused": []}
        self.assertEqual(said.fields, expected)
        self.assertEqual((commits.count("COMMIT"), self.disk.calls), (1, []))
        self.assertEqual(self.kept(), (2, 2 * SIZE, 3))
        self.assertEqual(self.shop.get(ALICE, PACKS[1], 3).bytes, PACKS[1].pieces[3])
        self.assertEqual(len(self.shop.store.heads(ALICE.fingerprint)), 1)

    def test_the_same_packet_again(self) -> None:
        """A packet whose answer was lost may come again, whole or with more in it."""
        log = ALICE.log(3)
        self.shop.log_packet(ALICE, log[:2], rider(PACKS[0]))
        said = self.shop.log_packet(ALICE, log, rider(PACKS[0]), rider(PACKS[1]))
        self.assertEqual((said.fields["sequence"], said.fields["refused"]), (3, []))
        self.assertEqual(self.kept(), (2, 2 * SIZE, 3))

    def test_killed_at_the_commit(self) -> None:
        """Killed before the commit nothing is there; killed after it everything is."""
        log, pieces = ALICE.log(2), (rider(PACKS[0]), rider(PACKS[1]))
        step = mock.patch.object(small, "store_piece", side_effect=[mock.DEFAULT, Killed])
        with step, self.assertRaises(Killed):
            self.shop.log_packet(ALICE, log, *pieces)
        self.restart()
        self.assertEqual(self.kept(), (0, 0, 0))
        self.shop.log_packet(ALICE, log, *pieces)
        self.restart()
        self.assertEqual(self.kept(), (2, 2 * SIZE, 2))
        self.assertEqual(self.shop.get(ALICE, PACKS[0]).bytes, PACKS[0].pieces[0])

    def test_a_conflict_keeps_nothing(self) -> None:
        """When the entries do not follow what is held, their pieces are not kept either."""
        self.shop.log_packet(ALICE, ALICE.log(1))
        other = ALICE.log(2, start=2, previous=b"x" * 32)
        said = self.shop.log_packet(ALICE, other, rider(PACKS[0]))
        self.assertEqual((said.code, said.fields["sequence"]), ("conflict", 1))
        self.assertEqual(self.kept(), (0, 0, 1))

    def test_entries_in_the_wrong_order(self) -> None:
        """A gap inside a packet refuses all of it."""
        one, two, three = ALICE.log(3)
        self.assertEqual(self.shop.log_packet(ALICE, [one, three]).code, "conflict")
        self.assertEqual(self.shop.log_packet(ALICE, [two, one]).code, "stale")
        self.assertEqual(self.kept(), (0, 0, 0))

    def test_a_piece_that_cannot_be_kept(self) -> None:
        """What is wrong with a piece is said of it alone; the entries and the other pieces are kept."""
        other = evolve(PACKS[1].record, roots=list(reversed(PACKS[1].record.roots)))
        self.shop.put(ALICE, PACKS[1])
        flipped = bytes([PACKS[2].pieces[0][0] ^ 1]) + PACKS[2].pieces[0][1:]
        conflict = SmallPiece(1, ALICE.sign(other).to_bytes(), PACKS[1].pieces[1])
        said = self.shop.log_packet(ALICE, ALICE.log(1), conflict, rider(PACKS[2], data=flipped), rider(PACKS[3]))
        refused = [(one["pack"], one["index"], one["code"]) for one in said.fields["refused"]]
        self.assertEqual(refused, [(PACKS[1].id, 1, "conflict"), (PACKS[2].id, 0, "bad-piece")])
        self.assertEqual(self.kept(), (2, 2 * SIZE, 1))

    def test_no_room(self) -> None:
        """Pieces that do not fit the contract are named, in their order; entries may take half of the room."""
        self.shop.hire(ALICE, room=SIZE + BESIDE + 1000)
        said = self.shop.log_packet(ALICE, ALICE.log(1), rider(PACKS[0]), rider(PACKS[1]))
        self.assertEqual([one["code"] for one in said.fields["refused"]], ["no-space"])
        self.assertEqual(self.kept(), (1, SIZE, 1))

    def test_a_full_disk_takes_the_log(self) -> None:
        """The reserve of the disk stops pieces and not the log."""
        self.disk.space = SIZE - 1
        said = self.shop.log_packet(ALICE, ALICE.log(1), rider(PACKS[0]))
        self.assertEqual([one["code"] for one in said.fields["refused"]], ["no-space"])
        self.assertEqual(self.kept(), (0, 0, 1))

    def test_a_supplier_that_retires(self) -> None:
        """It goes on taking the log, and takes no more pieces."""
        now(self.shop.store.retire())
        said = self.shop.log_packet(ALICE, ALICE.log(1), rider(PACKS[0]))
        self.assertEqual([one["code"] for one in said.fields["refused"]], ["no-service"])
        self.assertEqual(self.kept(), (0, 0, 1))

    def test_what_refuses_the_whole_packet(self) -> None:
        """Pieces of others, records that nobody signed, wrong sizes and garbage refuse the packet."""
        log, mallory = ALICE.log(1), Pack(BOB, 1)
        forged = evolve(PACKS[0].signed, signature=bytes(64)).to_bytes()
        for piece, code in (
            (rider(mallory), "not-allowed"),
            (rider(PACKS[0], record=forged), "bad-signature"),
            (rider(PACKS[0], record=BOB.sign(PACKS[0].record).to_bytes()), "bad-signature"),
            (rider(PACKS[0], record=b"garbage"), "bad-field"),
            (rider(PACKS[0], data=PACKS[0].pieces[0] + b"x"), "bad-piece"),
            (evolve(rider(PACKS[0]), index=7), "bad-field"),
        ):
            self.assertEqual(self.shop.log_packet(ALICE, log, piece).code, code, piece)
        for payload in (b"", log[0][0], LogPacket((b"x",)).to_bytes()):
            said = self.shop.ask(ALICE, Command.DATA, "log", payload, head=log[0][1].to_bytes())
            self.assertEqual(said.code, "bad-field", payload)
        self.assertEqual(self.kept(), (0, 0, 0))

    def test_under_a_capability(self) -> None:
        """Who may write only the log brings no pieces; who may also write pieces does, and its quota counts both."""
        self.shop.documents[BOB.fingerprint] = BOB.document
        log = BOB.log(1, owner=ALICE.fingerprint)
        pack = Pack(ALICE, 20, signer=BOB)
        for rights, code in (((Right.LOG,), "not-allowed"), ((Right.LOG, Right.WRITE), None)):
            shown = ALICE.capability(BOB.fingerprint, *rights)
            under = {"owner": ALICE.fingerprint, "capability": shown}
            said = self.shop.log_packet(BOB, log, rider(pack), **under)
            self.assertEqual(said.code, code, said)
        self.assertEqual(said.fields["refused"], [])
        (used,) = self.shop.store._read.execute("SELECT used FROM grants").fetchone()
        self.assertEqual(used, SIZE + len(log[0][0]))
        self.assertEqual(self.kept(), (1, SIZE, 1))

    def test_a_database_that_fails(self) -> None:
        """An error of the database refuses the packet, and keeps nothing of it."""
        failing = mock.patch.object(small, "append", side_effect=sqlite3.OperationalError("disk I/O error"))
        with failing:
            self.assertEqual(self.shop.log_packet(ALICE, ALICE.log(1), rider(PACKS[0])).code, "internal")
        self.assertEqual(self.kept(), (0, 0, 0))
