"""A keeper reads its chunks again by itself: how fast, where it goes on, what it finds, and that this comes again."""

import errno
import os
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any
from unittest import mock

from twisted.internet.defer import CancelledError, Deferred

from bitdust.automats.local_tester import RATE, STEP
from bitdust.folders import walk
from bitdust.folders.rereading import Rereading
from bitdust.folders.segments import name_of
from bitdust.folders.tree import Missing
from bitdust.folders.walk import NEXT, SAVE_AFTER
from tests.unit.folder_kit import Replica, damage, encrypted_secret, kept_at
from tests.unit.keeper_kit import KeeperCase, chunks, read, unreadable


class WalkTests(KeeperCase):
    def setUp(self) -> None:
        super().setUp()
        self.some = chunks(40)
        self.keep(self.some)

    def portion(self, most: int = 10**9) -> tuple[int, int, bool]:
        found = self.keeper.store.reread(most)
        return found.size, found.damaged, found.others_follow

    def test_in_portions(self) -> None:
        """It is read in the order of the disk, so many bytes in one, and begins anew after the last one."""
        offsets: list[int] = []
        real = os.pread
        with mock.patch.object(os, "pread", lambda *asked: (offsets.append(asked[2]), real(*asked))[1]):
            self.assertEqual([self.portion(950) for _ in range(3)], [(1000, 0, True)] * 3)
            self.assertEqual(self.portion(950), (1000, 0, False))
        where = [kept_at(self.keeper, name)[1] for name, _ in self.some]
        self.assertEqual(offsets, [spot.offset for spot in where])
        self.patch(walk, "ROWS", 15)
        self.assertEqual([self.portion()[0] for _ in range(3)], [1500, 1500, 1000])
        plan = " ".join(str(row) for row in self.database.execute(f"EXPLAIN QUERY PLAN {NEXT}", (0, 0, 1)))
        self.assertIn("kept_by_segment", plan)
        self.assertNotIn("TEMP B-TREE", plan)

    def test_damaged(self) -> None:
        """What is damaged, or in a segment that has gone, is found though nobody has asked for it, and counted once;
        with the next run it leaves the journal, and all else stays."""
        for number in (3, 30):
            damage(self.keeper, self.some[number][0])
        self.assertEqual((self.portion(), self.portion()), ((4000, 2, False), (4000, 0, False)))
        self.assertEqual(self.wanted(), [])
        self.steps(self.mend)
        self.assertEqual(self.wanted(), sorted(self.some[number][0] for number in (3, 30)))
        (self.place / name_of(1)).unlink()
        self.assertEqual(self.portion()[1], 16)

    def test_not_readable_now(self) -> None:
        """What the disk does not give now counts as nothing; the walk goes on behind it."""
        with mock.patch.object(os, "pread", side_effect=OSError(errno.EIO, "the disk failed")):
            self.assertEqual(self.portion(), (4000, 0, False))
        self.steps()
        self.all_here(self.some)

    def test_a_place_that_the_disk_never_gives(self) -> None:
        """What it has not given in three walks, in which it gave others, is fetched again; nothing is let go of before
        it has come, and what it gives after all is not fetched."""
        names = [self.some[number][0] for number in (3, 30)]
        spots = [kept_at(self.keeper, name)[1] for name in names]
        with ExitStack() as broken:
            for spot in spots:
                broken.enter_context(unreadable(self.place / name_of(spot.segment), spot.offset))
            self.assertEqual([self.portion()[1] for _ in range(4)], [0, 0, 2, 0])
            self.assertEqual(self.wanted(), sorted(names))
            self.steps(self.mend)
            self.assertEqual([kept_at(self.keeper, name)[1] for name in names], spots)
            self.keeper.store.blind.keep([self.some[3]])
            self.assertEqual((self.wanted(), read(self.keeper, names[0])), ([names[1]], self.some[3][1]))
        self.portion()
        self.assertEqual(self.wanted(), [])

    def test_over_restarts(self) -> None:
        """So it is where the node is restarted between these walks, which take months of a large folder; chunks that
        the folder has no more are forgotten."""
        (name, _), (other, _) = self.some[3], self.some[30]
        with ExitStack() as broken:
            for one in (name, other):
                spot = kept_at(self.keeper, one)[1]
                broken.enter_context(unreadable(self.place / name_of(spot.segment), spot.offset))
            for found in (0, 0, 2, 2):
                self.assertEqual(self.portion()[1], found)
                self.again()
            self.portion()
            self.assertEqual(self.wanted(), sorted([name, other]))
            self.name([one for one in self.some if one[0] != other])
            with self.keeper.store.journal.change():
                self.database.execute("DELETE FROM kept WHERE name=?", (other,))
            self.portion()
            self.assertEqual([*self.keeper.store._walk._tries], [name])

    def test_in_portions_of_one(self) -> None:
        """So it is where each portion is one chunk, and not where records name it no more."""
        spot = kept_at(self.keeper, self.some[7][0])[1]
        with unreadable(self.place / name_of(spot.segment), spot.offset):
            for _ in range(3 * 40):
                self.portion(1)
        self.assertEqual(self.wanted(), [self.some[7][0]])
        self.name(self.some[:7])
        self.assertEqual(self.wanted(), [])

    def test_more_than_are_asked_for_at_once(self) -> None:
        """Those that nobody has keep no others from being fetched."""
        blind, names = self.keeper.store.blind, {name for name, _ in self.some[:3]}
        blind.unreadable |= names
        asked = [[one.name for one in blind.wanted(2, b"")[0]] for _ in range(4)]
        self.assertEqual(asked, [[name] for name in (*sorted(names), min(names))])

    def test_how_much_is_remembered_of_a_disk_that_gives_nothing(self) -> None:
        """No more than so many names, however many chunks there are."""
        self.patch(walk, "MOST_DOUBTED", 5)
        with mock.patch.object(os, "pread", side_effect=OSError(errno.EIO, "the disk failed")):
            for _ in range(20):
                self.portion(1)
        self.assertEqual(len(self.keeper.store._walk._refused), 5)

    def test_a_disk_that_gives_nothing(self) -> None:
        """Where nothing can be read nothing is fetched, however long that takes."""
        with mock.patch.object(os, "pread", side_effect=OSError(errno.EIO, "the disk failed")):
            self.assertEqual([self.portion()[1] for _ in range(9)], [0] * 9)
        self.assertEqual(self.wanted(), [])

    def test_not_mounted(self) -> None:
        """Where the folder's disk is not there, or goes meanwhile, nothing is damaged."""
        aside = self.keeper.base / "aside"
        self.keeper.root.rename(aside)
        self.assertRaises(Missing, self.portion)
        aside.rename(self.keeper.root)
        with mock.patch.object(self.keeper.store.tree, "check", side_effect=[None, Missing("it has gone")]):
            self.assertRaises(Missing, self.portion)
        self.steps()
        self.all_here(self.some)

    def test_the_next_start_goes_on(self) -> None:
        """It goes on where it was ten minutes ago at most; a note that makes no sense costs another walk."""
        self.portion(950)
        self.keeper.clock.advance(SAVE_AFTER)
        self.portion(950)
        self.portion(950)
        self.again()
        self.assertEqual(self.portion()[0], 2000)
        self.again()
        self.assertEqual(self.portion()[0], 4000)
        for text in ("", "x", "1", "1 2000\nx 1", "1 2000\n00", "-1 5", "1 99999999999999999999999",
                     "9999999999999999999 1", "\x00\xff"):  # fmt: skip
            (self.keeper.base / "keeper" / "reread").write_text(text)
            self.again()
            self.assertEqual(self.portion()[0], 4000)


class RereadingTests(KeeperCase):
    """Two keepers of one node, and a folder that it can read."""

    def setUp(self) -> None:
        super().setUp()
        self.others = [Replica(self.keeper.base, "second", encrypted_secret().weaker()[1]),
                       Replica(self.keeper.base, "reader", encrypted_secret())]  # fmt: skip
        for one in self.others:
            self.addCleanup(one.close)
        self.some = [chunks(40), chunks(40), chunks(40)]
        for replica, some in zip((self.keeper, *self.others), self.some, strict=True):
            replica.store.blind.keep(some)
        self.rate, self.told = 10**6, list[Any]()
        self.folders = [self.folder(one) for one in (self.keeper, *self.others)]
        around: Any = SimpleNamespace(
            settings=SimpleNamespace(get=lambda name: {RATE: self.rate}[name]), registry=self.keeper.registry,
            events=SimpleNamespace(send=lambda name, data: self.told.append((name, data))),
        )  # fmt: skip
        self.rereading = Rereading(around, lambda: self.folders)
        self.addCleanup(self.rereading.stop)

    def folder(self, replica: Replica) -> Any:
        config = SimpleNamespace(dir=replica.root, label=replica.name)
        return mock.Mock(
            store=replica.store, config=config, is_meeting=True, look_for_chunks=lambda: self.told.append(replica.name)
        )

    def portion(self) -> int:
        found = self.successResultOf(self.rereading.test_next())
        if not found.is_whole:
            self.rereading.report(found)
        return found.size

    def test_all_together(self) -> None:
        """The rate is that of all folders together; one that can be read is not walked over, nor one that is broken."""
        self.rate = 1000 // int(STEP)
        self.assertEqual([self.portion() for _ in range(8)], [1000] * 8)
        self.assertFalse(self.rereading.has_next() and self.portion())
        self.rereading.rewind()
        self.assertTrue(self.rereading.has_next())
        self.folders[0].is_meeting = self.folders[1].is_meeting = False
        self.assertFalse(self.rereading.has_next())

    def test_slowly(self) -> None:
        """What was read too much is paid for by the next portions."""
        self.rate = 2
        self.assertEqual([self.portion() for _ in range(10)], [100, 0, 100, 0, 0, 100, 0, 100, 0, 0])

    def test_what_is_found(self) -> None:
        """Damage is an event, and is fetched again at once; folders that are whole hear nothing."""
        damage(self.others[0], self.some[1][7][0])
        self.portion()
        self.assertEqual(self.told, [
            ("folder-chunks-damaged", {"dir": str(self.others[0].root), "chunks": 1}), "second"])  # fmt: skip
        self.assertFalse(self.rereading.has_next())

    def test_what_takes_too_long(self) -> None:
        """What was found before a portion is given up, since a thread is busy, is reported with the next one."""
        damage(self.keeper, self.some[0][7][0])
        with mock.patch.object(self.others[0].store, "run", lambda *work: Deferred()):
            reading = self.rereading.test_next()
            reading.addErrback(lambda failure: failure.trap(CancelledError)).cancel()
        self.portion()
        self.assertEqual(self.told[1:], ["keeper"])
        self.portion()
        self.assertEqual(self.told[1:], ["keeper"])

    def test_one_is_broken(self) -> None:
        """One that cannot be walked over now keeps no other one from it, and is walked over next time."""
        with mock.patch.object(self.keeper.store, "reread", side_effect=Missing("it has gone")):
            self.assertEqual(self.portion(), 4000)
        self.rereading.rewind()
        self.assertEqual(self.portion(), 8000)

    def test_by_itself(self) -> None:
        """The machine reads from the start on, and no more after the end."""
        damage(self.keeper, self.some[0][7][0])
        self.rereading.start()
        self.keeper.clock.pump([60, 20, 20])
        self.assertEqual(self.told[1:], ["keeper"])
        damage(self.keeper, self.some[0][8][0])
        self.rereading.stop()
        self.keeper.clock.pump([3600, 3600, 3600, 60, 20])
        self.assertEqual(self.told[1:], ["keeper"])
