"""A keeper's segments are put together: nothing that a record names is lost, and the rest goes."""

import errno
import os
import random
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from bitdust.folders import blind, tidying
from bitdust.folders.blind import FORMER, former_place, spot_of
from bitdust.folders.database import FORMAT
from bitdust.folders.segments import HEAD, LONGEST, MAGIC, name_of
from tests.unit.folder_kit import Replica, damage, encrypted_secret, kept_at
from tests.unit.keeper_kit import FULL, Chunk, KeeperCase, chunks, read, to_format_2, unreadable


def full_disk(path: Path) -> SimpleNamespace:
    return SimpleNamespace(total=10**9, free=0)


class CollectTests(KeeperCase):
    def test_nothing_is_needed(self) -> None:
        """Segments without a chunk that is needed are removed, so many at a time, the open one too."""
        self.patch(tidying, "REMOVED", 3)
        self.keep(chunks(100))
        self.assertEqual(len(self.files()), 6)
        self.name()
        self.assertEqual(self.steps(self.collect), 1 + 2)
        self.assertEqual(self.files(), {})
        some = chunks(3)
        self.keep(some)
        self.again()
        self.all_here(some)

    def test_looked_at_in_portions(self) -> None:
        """What is needed no more is looked for name by name, so many in one job, whether anything is found or not."""
        self.patch(blind, "ROWS", 10)
        some = sorted(chunks(100))
        self.keep(some)
        self.assertEqual(self.steps(self.collect), 11)
        self.name(some[:95])
        asked: list[int] = []
        for _ in self.collect():
            asked.append(self.here(some).count(True))
        self.assertEqual(asked[:10], [100] * 9 + [95])
        plan = " ".join(str(row) for row in self.database.execute(
            "EXPLAIN QUERY PLAN " + tidying.NEEDED_NO_MORE, (b"", b"x")))  # fmt: skip
        self.assertIn("SEARCH kept USING PRIMARY KEY (name>? AND name<?)", plan)

    def test_nothing_has_changed(self) -> None:
        """As long as the journal is as it was when nothing was found, nothing is looked for; when a record names
        another chunk, one was kept, or one could not be read then, it is."""
        some = chunks(34)
        self.keep(some)
        self.steps()
        self.assertEqual(self.steps(self.collect), 0)
        self.name(some[6:])
        self.assertGreater(self.steps(self.collect), 0)
        self.steps(self.collect)
        self.assertEqual(self.steps(self.collect), 0)
        self.keeper.store.blind.keep(more := chunks(1))
        self.assertGreater(self.steps(self.collect), 0)
        self.assertEqual(self.here(more), [False])

    def test_a_quarter(self) -> None:
        """A segment is written anew when more than a quarter of it is not needed, and not before."""
        some = chunks(34)
        self.keep(some)
        first, last = some[:17], some[17:]
        before = self.files()
        self.assertEqual([len(first), len({self.path(one) for one in first})], [17, 1])
        self.name(first[4:], last)
        self.steps()
        self.assertEqual(self.files(), before)
        self.name(first[5:], last)
        self.steps()
        self.assertNotIn(name_of(1), self.files())
        self.all_here(some[5:])

    def test_not_the_open_one(self) -> None:
        """The open one is written anew when it is full: else each change of a small folder would copy all of it."""
        some = chunks(10)
        self.keep(some)
        before = self.files()
        self.name(some[:1])
        self.steps()
        self.assertEqual(self.files(), before)
        self.keep(more := chunks(20))
        self.steps()
        self.assertNotIn(name_of(1), self.files())
        self.all_here(some[:1] + more)

    def test_in_portions(self) -> None:
        """What one job copies is bounded, and other work may come in between: what is kept, or needed no more."""
        self.patch(tidying, "COPIED", 300)
        some, more = chunks(170), chunks(30)
        self.keep(some)
        self.name(needed := [one for number, one in enumerate(some) if number % 17 < 9])
        added, count = [], self.database.total_changes
        for number, _ in enumerate(self.collect()):
            if number % 5 == 2:
                self.keep([more[len(added)]])
                added.append(more[len(added)])
            self.assertLessEqual(self.database.total_changes - count, 2 * 170)
            count = self.database.total_changes
        self.assertGreater(len(added), 5)
        self.steps()
        self.all_here(needed + added)
        self.again()
        self.all_here(needed + added)

    def test_added_to_in_between(self) -> None:
        """A segment that had nothing when it was looked at, and has got a chunk since, is not removed."""
        self.patch(tidying, "REMOVED", 1)
        self.keep(chunks(20))
        self.name()
        steps, some = self.collect(), chunks(2)
        next(steps)
        next(steps)
        self.assertEqual(list(self.files()), [name_of(2)])
        self.keep(some)
        self.assertEqual(self.path(some[0]).name, name_of(2))
        list(steps)
        self.all_here(some)

    def test_damaged(self) -> None:
        """A damaged chunk does not move: it leaves the journal, and its segment goes."""
        some = chunks(34)
        self.keep(some)
        damage(self.keeper, some[10][0])
        self.name(some[6:])
        self.steps()
        self.assertEqual((self.wanted(), name_of(1) in self.files()), ([some[10][0]], False))

    def test_unreadable(self) -> None:
        """What the disk does not give stays where it is, with its segment; all else is copied, and others go on."""
        some = chunks(60)
        self.keep(some)
        self.name(needed := some[6:17] + some[23:34] + some[40:])
        path, bad = kept_at(self.keeper, some[10][0])
        with unreadable(path, bad.offset):
            self.steps()
            self.steps()
            self.steps()
        self.assertTrue(path.exists())
        self.assertNotIn(name_of(2), self.files())
        in_it = [name for (name,) in self.database.execute("SELECT name FROM kept WHERE segment=?", (bad.segment,))]
        self.assertEqual(in_it, [some[10][0]])
        self.steps()
        self.assertFalse(path.exists())
        self.all_here(needed)

    def test_a_full_disk(self) -> None:
        """On a full disk what needs room waits; what gives some is done, nothing is lost, and no run fails."""
        some = chunks(60)
        self.keep(some)
        self.name(needed := some[17:34:3] + some[34:])
        self.keeper.store.reserve.usage, usage = full_disk, self.keeper.store.reserve.usage
        self.keeper.keep()
        self.assertNotIn(name_of(1), self.files())
        self.assertIn(name_of(2), self.files())
        self.all_here(needed)
        self.keeper.store.reserve.usage = usage
        with mock.patch.object(os, "write", side_effect=OSError(errno.ENOSPC, "full")):
            self.keeper.keep()
        self.assertIn(name_of(2), self.files())
        self.all_here(needed)
        self.keeper.keep()
        self.assertNotIn(name_of(2), self.files())
        self.all_here(needed)

    def test_read_meanwhile(self) -> None:
        """Whoever reads in another thread meanwhile gets each chunk from where it is by then."""
        self.patch(tidying, "COPIED", 300)
        some = chunks(120)
        self.keep(some)
        self.name(needed := some[::2])
        reader = self.keeper.store.serving.reader
        with self.keeper.store.blind.kept(reader) as kept:
            for _ in self.collect():
                self.assertEqual([kept.read(name) for name, _ in needed], [data for _, data in needed])
        self.assertEqual(len(self.keeper.store.blind.doubted), 0)

    def test_moved_between_look_and_read(self) -> None:
        """Where the segment has gone between the look into the journal and the read, it is looked up once more."""
        some = chunks(34)
        self.keep(some)
        self.name(some[6:])
        stale = spot_of(self.database, some[8][0])
        self.steps()
        real = spot_of
        found = [stale]
        with mock.patch("bitdust.folders.blind.spot_of", lambda *asked: found.pop() if found else real(*asked)):
            self.assertEqual(read(self.keeper, some[8][0]), some[8][1])
        self.assertEqual((found, len(self.keeper.store.blind.doubted)), ([], 0))

    def test_how_much_there_is(self) -> None:
        """After a run the segments are at most a third larger than the chunks that are needed, and one segment more;
        whatever was kept, removed and damaged, all that is needed is there."""
        for seed in range(15):
            source = random.Random(seed)
            here: list[Chunk] = []
            self.name()
            for _ in range(15):
                here += (new := [one for size in (20, 90, 300) for one in chunks(source.randrange(10), size)])
                self.keep(new)
                source.shuffle(here)
                del here[source.randrange(max(1, len(here))) :]
                self.name(here)
                if source.random() < 0.2:
                    self.again()
                if here and source.random() < 0.3:
                    damage(self.keeper, here[0][0])
                    self.here(here[:1])
                self.steps()
                self.keep([one for one in here if one[0] in self.wanted()])
                self.all_here(here)
                self.steps()
                live = sum(len(data) + HEAD.size for _, data in here)
                self.assertLessEqual(sum(self.files().values()), live * 4 / 3 + FULL + 400 + 50 * len(self.files()))


class FormerTests(KeeperCase):
    """Chunks that are in a file each, as former versions kept them."""

    def setUp(self) -> None:
        super().setUp()
        self.chunks = sorted(chunks(30))
        for name, data in self.chunks:
            path = self.keeper.root / former_place(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self.name(self.chunks)
        self.to_former(self.chunks)

    def to_former(self, some: list[Chunk]) -> None:
        """The journal is as a former version has left it."""
        to_format_2(self.keeper, [(name, len(data)) for name, data in some])
        self.again()

    def test_the_journal(self) -> None:
        """A journal of format 2 is changed in its place: records, chunks and epoch are there, and nothing is aside."""
        epoch = self.keeper.store.journal.epoch
        self.to_former(self.chunks)
        self.assertEqual(self.database.execute("PRAGMA user_version").fetchone(), (FORMAT,))
        self.assertEqual(self.keeper.store.journal.epoch, epoch)
        self.assertEqual(list(self.keeper.store.journal._path.parent.glob("*-journal.db*")), [])
        self.all_here(self.chunks)
        fresh = Replica(self.keeper.base, "fresh", encrypted_secret().weaker()[1])
        self.addCleanup(fresh.close)
        tables = [
            [list(one.execute(f"PRAGMA {what}_info({name})"))
             for what, name in (("table", "kept"), ("table", "segments"), ("index", "kept_by_segment"))]
            for one in (self.database, fresh.store.journal.database)
        ]  # fmt: skip
        self.assertEqual(*tables)

    def test_moved(self) -> None:
        """They are read as they were, moved into segments a portion at a time, and their files and folders go."""
        self.patch(tidying, "COPIED", 300)
        self.all_here(self.chunks)
        folders = len(list(self.place.iterdir()))
        for _ in self.collect():
            self.assertEqual(self.here(self.chunks), [True] * 30)
        self.assertEqual({path.suffix for path in self.place.iterdir()}, {".seg"})
        self.assertGreater(folders, 10)
        self.again()
        self.all_here(self.chunks)
        self.assertEqual(self.steps(self.collect), 1)
        self.assertEqual(self.steps(self.collect), 0)

    def test_not_named(self) -> None:
        """What no record names any more is not moved, and goes."""
        self.name(self.chunks[:10])
        self.steps()
        self.all_here(self.chunks[:10])
        self.assertEqual(self.here(self.chunks[10:]), [False] * 20)
        self.assertEqual(self.files(), {name_of(1): len(MAGIC) + 10 * (HEAD.size + 100)})

    def test_damaged(self) -> None:
        """One that is damaged, gone, or a link, leaves the journal and is fetched again; others are not harmed."""
        paths = [self.keeper.root / former_place(name) for name, _ in self.chunks[:3]]
        paths[0].write_bytes(b"damaged")
        paths[1].unlink()
        paths[2].rename(self.keeper.base / "elsewhere")
        paths[2].symlink_to((self.keeper.base / "elsewhere").absolute())
        self.assertEqual(self.here(self.chunks[:4]), [False, False, False, True])
        self.steps()
        self.assertEqual(self.wanted(), [name for name, _ in self.chunks[:3]])
        self.keeper.store.blind.keep(self.chunks[:3])
        self.steps()
        self.again()
        self.all_here(self.chunks)
        self.assertEqual((self.keeper.base / "elsewhere").read_bytes(), self.chunks[2][1])

    def test_the_journal_forgot(self) -> None:
        """A file that the journal forgot is known again."""
        with self.keeper.store.journal.change():
            self.database.execute("DELETE FROM kept WHERE name=?", (self.chunks[4][0],))
        self.assertEqual(len(self.wanted()), 1)
        self.steps()
        self.all_here(self.chunks)

    def test_longer_than_a_chunk(self) -> None:
        """What is longer than any chunk is none: it is not read, stays, and the rest is moved."""
        path = self.keeper.root / former_place(self.chunks[3][0])
        os.truncate(path, 100 * 1024**3)
        stray = self.place / "ff" / ("f" * 30)
        stray.parent.mkdir(exist_ok=True)
        stray.touch()
        os.truncate(stray, LONGEST + 1)
        read: list[int] = []
        real = os.pread
        with mock.patch.object(os, "pread", lambda *asked: (read.append(asked[1]), real(*asked))[1]):
            self.steps()
        self.assertLessEqual(max(read), 100)
        self.assertEqual(sorted(name for name in self.files() if not name.endswith(".seg")),
                         sorted(str(one.relative_to(self.place)) for one in (path, stray)))  # fmt: skip
        self.assertEqual(self.here(self.chunks).count(True), 30)

    def test_in_both(self) -> None:
        """Where a crash has left a chunk in both, the file goes."""
        self.keeper.store.blind.keep(self.chunks)
        self.steps()
        self.assertEqual([name for name in self.files() if not name.endswith(".seg")], [])
        self.all_here(self.chunks)

    def test_unreadable(self) -> None:
        """A file that the disk does not give now stays, and is moved another time."""
        path = self.keeper.root / former_place(self.chunks[5][0])
        with unreadable(path):
            self.steps()
            self.steps()
            self.steps()
        self.assertTrue(path.exists())
        self.assertEqual(self.database.execute("SELECT name FROM kept WHERE segment=?", (FORMER,)).fetchall(),
                         [(self.chunks[5][0],)])  # fmt: skip
        self.steps()
        self.assertFalse(path.exists())
        self.all_here(self.chunks)

    def test_a_full_disk(self) -> None:
        """Where there is no room they stay as they are; that of the reserve is enough."""
        files = self.files()
        self.keeper.store.reserve.usage, usage = full_disk, self.keeper.store.reserve.usage
        self.keeper.keep()
        self.assertEqual(self.files(), files)
        self.all_here(self.chunks)
        self.keeper.store.reserve.usage = usage
        self.patch(self.keeper.store.reserve, "left", lambda path: 0)
        self.patch(tidying, "LENT", 1000)
        self.patch(tidying, "COPIED", 900)
        self.keeper.keep()
        self.assertEqual({path.suffix for path in self.place.iterdir()}, {".seg"})
        self.all_here(self.chunks)

    def test_other_files(self) -> None:
        """What somebody else has put there stays, links are not followed, and the rest is moved."""
        folder = self.place / self.chunks[0][0].hex()[:2]
        (folder / "mine").write_text("mine")
        (self.place / "ff").mkdir(exist_ok=True)
        (self.place / "zz").mkdir()
        elsewhere = self.keeper.base / "elsewhere" / self.chunks[0][0].hex()[2:]
        elsewhere.parent.mkdir()
        elsewhere.write_bytes(b"a file of somebody's")
        for number in range(256):
            if not (link := self.place / f"{number:02x}").exists():
                link.symlink_to(elsewhere.parent.absolute())
        self.steps()
        self.assertEqual(elsewhere.read_bytes(), b"a file of somebody's")
        self.assertEqual((folder / "mine").read_text(), "mine")
        self.all_here(self.chunks)
