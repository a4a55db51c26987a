"""Many files at a time: what is told and how small it is, one wait for the disk for all, and nothing less safe."""

import os
import shutil
import sqlite3
import struct
import zlib
from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.folders import packing, scanning
from bitdust.folders.database import FORMAT
from bitdust.folders.keys import NAME
from bitdust.folders.packing import pack, unpack
from bitdust.folders.placing import place_all
from bitdust.folders.records import FILE, Entry, origin_of, read, write
from bitdust.folders.scanning import Scan
from bitdust.folders.transfer import Transfer
from bitdust.folders.tree import Missing
from bitdust.folders.writing import Changed
from bitdust.wire.encoding import WireError, encode
from tests.unit.folder_kit import Replica, encrypted_secret, settle
from tests.unit.keeper_kit import to_format_2


class ManyTests(SynchronousTestCase):
    """Two writers."""

    def setUp(self) -> None:
        self.base = Path(self.mktemp())
        self.alice, self.bob = (Replica(self.base, name, encrypted_secret()) for name in ("alice", "bob"))
        self.addCleanup(lambda: (self.alice.close(), self.bob.close()))

    def write(self, count: int, folder: str = "folder") -> None:
        for number in range(count):
            self.alice.write(f"{folder}/{number:04}", f"the content of {number}")
        self.alice.scan()

    def placed(self, *changes: str) -> list[object]:
        """Bob brings all that is due to his disk in one job; his person has written some of the files meanwhile."""
        self.bob.pull(self.alice)
        transfers = [Transfer(self.bob, task) for task in self.bob.store.tasks(1000, [])]
        for name in changes:
            self.bob.write(name, "of the person")
        for transfer in transfers:
            transfer.gather()
        self.bob.sources = [self.alice]
        for transfer in transfers:
            if not transfer.is_whole():
                self.successResultOf(transfer.fetch())
        return place_all(self.bob.store, transfers)

    # what is told

    def test_not_told_back(self) -> None:
        """What a peer has told is not told back to it, and what is new is."""
        self.write(10)
        self.bob.sync(self.alice)
        self.alice.sync(self.bob)
        self.assertEqual(self.alice.told, 0)
        self.bob.write("another", "one")
        self.bob.scan()
        self.alice.sync(self.bob)
        self.assertEqual((self.alice.told, self.alice.tree()), (1, self.bob.tree()))

    def test_no_news(self) -> None:
        """What a peer has told is no news for it, and news for all others; what is made here is for everybody."""
        self.write(10)
        self.bob.sync(self.alice)
        mine, whose = self.bob.store.journal, origin_of(self.alice.device, self.alice.store.journal.run)
        self.assertEqual((mine.newest_for(whose), mine.newest_for(b"another")), (0, mine.last))
        self.bob.write("another", "one")
        self.bob.scan()
        self.assertEqual(mine.newest_for(whose), mine.last)

    def test_told_by_whoever_names_the_run_of_another(self) -> None:
        """Whoever tells a record under the run of somebody else's journal keeps it from nobody."""
        self.write(3)
        carol = Replica(self.base, "carol", encrypted_secret())
        self.addCleanup(carol.close)
        raws = self.alice.store.journal.since(0).records
        self.bob.store.take(pack(raws), origin_of(b"a keeper", carol.store.journal.run))
        carol.pull(self.bob)
        self.assertEqual((carol.told, carol.store.journal.digest()), (4, self.alice.store.journal.digest()))

    def test_told_back_to_an_old_copy(self) -> None:
        """Whoever has its journal from an old copy is told what it knew itself, and loses and repeats nothing."""
        self.write(3)
        self.bob.sync(self.alice)
        self.alice.sync(self.bob)
        self.alice.close()
        shutil.copytree(self.base / "alice", self.base / "copy")
        self.alice.open()
        self.alice.write("later", "is in the copy of nobody")
        self.alice.sync(self.bob)
        self.bob.sync(self.alice)
        self.alice.close()
        shutil.rmtree(self.base / "alice")
        shutil.move(self.base / "copy", self.base / "alice")
        self.alice.open()
        self.alice.remove("later")
        settle(self.alice, self.bob)
        self.assertEqual(self.alice.tree(), self.bob.tree())
        self.assertEqual((self.bob.root / "later").read_bytes(), b"is in the copy of nobody")

    def test_a_move_is_no_loss_in_between(self) -> None:
        """Of a folder that was moved, all new places are told before the first old one goes."""
        self.write(20)
        last = self.alice.store.journal.last
        self.alice.rename("folder", "moved")
        self.alice.scan()
        records = [read(raw) for raw in self.alice.store.journal.since(last).records]
        deleted = [record.deleted for record in records]
        self.assertEqual((len(deleted), deleted), (42, sorted(deleted)))

    def test_deletions_in_portions(self) -> None:
        """Of many that are gone a portion is told at a time, and none while the folder itself is gone."""
        self.patch(scanning, "PORTION", 20)
        self.write(50, "folder/in")
        shutil.rmtree(self.alice.root / "folder")
        store = self.alice.store
        last, told = store.journal.last, [0]
        scan = Scan(store.tree, store.journal, self.alice.ignored, self.alice.world.wall)
        while scan.step(store.ident):
            told.append(len(store.journal.since(last).records))
            if len(told) == 3:
                self.alice.root.rename(self.base / "away")
                self.assertRaises(Missing, scan.step, store.ident)
                (self.base / "away").rename(self.alice.root)
        records = store.journal.since(last).records
        self.assertEqual((len(told), told[-1], len(records), len(self.alice.tree())), (3, 40, 52, 0))
        outer = [store.keys.path_id(path) for path in (b"folder/in", b"folder")]
        self.assertEqual([read(raw).id for raw in records[-2:]], outer)

    def test_a_move_is_small(self) -> None:
        """A file of a folder that was moved costs less than 150 bytes for each of its two records."""
        self.write(100)
        last = self.alice.store.journal.last
        self.alice.rename("folder", "moved")
        self.alice.scan()
        self.assertLess(len(pack(self.alice.store.journal.since(last).records)), 202 * 150)

    # how it travels

    def test_packed(self) -> None:
        """What was packed is the same when it is unpacked, the signatures too."""
        self.write(5)
        raws = list(self.alice.store.journal.since(0).records)
        self.assertEqual(unpack(pack(raws)), raws)
        self.assertEqual((pack([]), unpack(b"")), (b"", []))

    def test_packed_wrongly(self) -> None:
        """Bytes that are no packed records, that end early, go on, or would fill the memory are refused."""
        self.write(2)
        good = pack(self.alice.store.journal.since(0).records)
        columns = [b""] * 8
        bad = [
            b"no zlib", good[:-1], good + b"more", zlib.compress(bytes(64 * 1024 * 1024)),
            zlib.compress(encode(columns[:7])), zlib.compress(encode([*columns[:7], bytes(11)])),
            zlib.compress(encode([*columns[:7], bytes(12)])), zlib.compress(encode([1, *columns[1:]])),
        ]  # fmt: skip
        for one in bad:
            self.assertRaises(WireError, unpack, one)

    def test_counts_are_summed_first(self) -> None:
        """A few bytes that unpack to very many records are refused before anything is made of them."""
        made: list[object] = []
        self.patch(packing, "body_of", lambda *parts: made.append(parts) or b"")
        short = [bytes(size) for size in (128, 32, 16, 2, 0, 0, 16)]
        for count, columns in ((200_000, [b""] * 7), (4000, [b""] * 7), (2, short)):
            payload = zlib.compress(encode([*columns, bytes(12 * count)]))
            self.assertLess(len(payload), 4096)
            self.assertRaises(WireError, unpack, payload)
        one = struct.pack(">III", 16, 0, 16)
        long = [bytes(size * 5000) for size in (64, 16, 16, 1, 0, 0, 16)]
        self.assertRaises(WireError, unpack, zlib.compress(encode([*long, one * 5000])))
        self.assertEqual(made, [])
        few = [bytes(size * 5) for size in (64, 16, 16, 1, 0, 0, 16)]
        self.assertEqual((len(unpack(zlib.compress(encode([*few, one * 5])))), len(made)), (5, 5))

    def test_records_with_impossible_parts(self) -> None:
        """A record that names a writer who is not in its vector, or a time before its writer began, is refused."""
        keys = self.alice.store.keys
        node = b"somebody"
        entry = Entry("a", FILE, writer=node, made=5)
        good = write(entry, {node: 5}, keys)
        self.assertEqual(good.opened(keys), evolve(entry, size=0))
        sealed = keys.seal_record(encode([b"a", 0, b"", 0, b"", 1]))
        self.assertRaises(WireError, evolve(good, sealed=sealed).opened, keys)
        for inner in ([b"a", 0, b"", 0, b"", 0, 5], [b"a", 3], [b"a", 0], [b"a", 1, b"", 0, bytes(NAME - 1)], []):
            self.assertRaises(WireError, evolve(good, sealed=keys.seal_record(encode(inner))).opened, keys)

    # the disk

    def test_one_wait_for_many(self) -> None:
        """Of files that come together each is synced before it has its name, their folder once, and then it is told."""
        self.write(30)
        synced: list[str] = []
        sync = os.fsync

        def note(descriptor: int) -> None:
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            synced.append(str(path.relative_to(self.bob.root)))
            if path == self.bob.root / "folder":
                self.assertEqual(len(list(path.iterdir())), 30)
                rows = self.bob.store.journal.database.execute("SELECT count(*) FROM local")
                self.assertEqual(rows.fetchone(), (0,))
            sync(descriptor)

        self.patch(os, "fsync", note)
        self.assertEqual(self.placed(), [None] * 31)
        temporary = [path for path in synced if path.startswith(".sync/tmp/")]
        self.assertEqual((len(temporary), synced[30:]), (30, [".", "folder"]))
        self.assertEqual(self.bob.due(), [])

    def test_one_that_cannot(self) -> None:
        """A file in whose place a person has written meanwhile waits, and the others come."""
        self.write(3)
        ended = self.placed("folder/0001")
        self.assertEqual([type(one) for one in ended], [type(None), type(None), Changed, type(None)])
        self.assertEqual((self.bob.root / "folder/0001").read_bytes(), b"of the person")
        self.assertEqual(self.bob.due(), ["folder/0001"])

    def test_a_disk_that_does_not_sync(self) -> None:
        """Where the disk does not say that it has them, none of the files counts as being there, and none is lost."""
        self.write(3)

        def fail(descriptor: int) -> None:
            raise OSError(5, "the disk is broken")

        with_sync = os.fsync
        self.patch(os, "fsync", fail)
        self.assertRaises(OSError, self.placed)
        self.patch(os, "fsync", with_sync)
        self.assertEqual(len(self.bob.due()), 4)
        self.bob.sync(self.alice)
        self.assertEqual(self.bob.tree(), self.alice.tree())

    def test_a_file_where_a_folder_was(self) -> None:
        """A look at everything finds that a file has the place of a folder, and tells that all in it is gone."""
        self.write(3)
        self.bob.sync(self.alice)
        shutil.rmtree(self.alice.root / "folder")
        self.alice.write("folder", "a file")
        self.alice.scan()
        self.bob.sync(self.alice)
        self.assertEqual(self.bob.tree(), {"folder": b"a file"})

    def test_a_journal_of_format_2(self) -> None:
        """A journal of format 2 is changed in its place, of a reader too: it knows all that it knew."""
        self.write(3)
        self.bob.sync(self.alice)
        journal = self.alice.store.journal
        before = [journal.last, journal.epoch, journal.digest(), self.alice.tree()]
        to_format_2(self.alice, [])
        self.alice.close()
        self.alice.open()
        journal = self.alice.store.journal
        self.assertEqual([journal.last, journal.epoch, journal.digest(), self.alice.tree()], before)
        self.assertEqual(journal.database.execute("PRAGMA user_version").fetchone(), (FORMAT,))
        self.assertEqual(list((self.base / "alice").glob("*-journal.db*")), [])
        self.alice.write("folder/new", b"new")
        settle(self.alice, self.bob)
        self.assertEqual(self.bob.tree(), self.alice.tree())

    def test_a_journal_of_format_3(self) -> None:
        """A journal of format 3, which did not say how late it is, is changed in its place too."""
        self.write(3)
        database = self.alice.store.journal.database
        database.execute("DROP TABLE observed")
        database.execute("PRAGMA user_version=3")
        self.alice.close()
        self.alice.open()
        database = self.alice.store.journal.database
        self.assertEqual(database.execute("PRAGMA user_version").fetchone(), (FORMAT,))
        self.assertEqual(database.execute("SELECT count(*) FROM observed").fetchone(), (1,))
        self.bob.sync(self.alice)
        self.assertEqual(self.bob.tree(), self.alice.tree())

    def test_a_journal_of_a_former_format(self) -> None:
        """A journal of a former format is put aside, and another look at the disk brings the same about."""
        self.write(3)
        self.bob.sync(self.alice)
        self.alice.close()
        path = self.base / "alice" / "journal.db"
        database = sqlite3.connect(path)
        database.execute("PRAGMA user_version=1")
        database.close()
        self.alice.open()
        self.assertEqual(self.alice.store.journal.last, 0)
        self.assertTrue(path.with_name("former-journal.db").exists())
        settle(self.alice, self.bob)
        self.assertEqual((len(self.alice.tree()), self.alice.tree()), (4, self.bob.tree()))
