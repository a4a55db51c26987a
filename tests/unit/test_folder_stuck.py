"""Files of a keeper that are needed no more and cannot be removed: they are named, tried again, and nothing else."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

from bitdust.folders.blind import former_place
from bitdust.folders.listing import Totals
from bitdust.folders.rows import folder_row
from bitdust.folders.segments import HEAD, name_of
from bitdust.folders.tree import BLIND
from tests.unit.keeper_kit import Chunk, KeeperCase, chunks, to_format_2


@contextmanager
def lasting(*names: str) -> Iterator[None]:
    """Files that are called so cannot be removed."""
    real = os.unlink

    def unlink(path: Any, **place: Any) -> None:
        if path in names:
            raise OSError(errno.EPERM, "not permitted", path)
        real(path, **place)

    with mock.patch.object(os, "unlink", unlink):
        yield


class StuckCase(KeeperCase):
    def setUp(self) -> None:
        super().setUp()
        self.some = chunks(40)
        self.keep(self.some)

    def stuck(self) -> dict[str, str]:
        return self.keeper.store.tidying.stuck

    def problem(self) -> tuple[str, str]:
        """What lists and the doctor say of it."""
        folder: Any = SimpleNamespace(
            config=SimpleNamespace(dir=self.keeper.root, text="", paused=False), totals=Totals(), problem="",
            machine=SimpleNamespace(state="IN_SYNC"), peers={}, warnings={}, watched="", store=self.keeper.store,
        )  # fmt: skip
        row = folder_row(folder)
        return row.problem, row.problem_text

    def kept(self) -> int:
        (count,) = self.database.execute("SELECT count(*) FROM kept").fetchone()
        return int(count)

    def in_journal(self) -> set[str]:
        return {name_of(number) for (number,) in self.database.execute("SELECT number FROM segments")}


class SegmentTests(StuckCase):
    def test_a_segment(self) -> None:
        """It stays in the journal as what it is, so that nothing is taken for forgotten and waited for, in this process
        or the next one; as soon as it can be removed it goes."""
        self.name(needed := self.some[-5:])
        with lasting(name_of(1)):
            for _ in range(3):
                self.steps()
                self.assertEqual((self.kept(), self.in_journal()), (5, set(self.files())))
                self.assertFalse(self.keeper.store.tidying.is_waiting)
            self.assertEqual(self.stuck(), {f"{BLIND}/{name_of(1)}": "not permitted"})
            self.assertEqual(self.problem()[0], "not-removed")
            self.assertIn(f"{name_of(1)}: needed no more and cannot be removed (not permitted)", self.problem()[1])
            self.again()
            self.steps()
            self.assertEqual((self.kept(), self.in_journal()), (5, set(self.files())))
        self.assertIn(name_of(1), self.files())
        self.steps()
        self.assertNotIn(name_of(1), self.files())
        self.assertEqual((self.stuck(), self.problem(), self.in_journal()), ({}, ("", ""), set(self.files())))
        self.all_here(needed)

    def test_it_is_removed_by_hand(self) -> None:
        """When somebody else has removed it nothing is said of it any more."""
        self.name(self.some[-5:])
        with lasting(name_of(1)):
            self.steps()
        (self.place / name_of(1)).unlink()
        self.steps()
        self.assertEqual((self.stuck(), self.in_journal()), ({}, set(self.files())))

    def test_room_that_did_not_come(self) -> None:
        """What a copy has taken of the reserve is not given back for a segment that stays."""
        self.name([one for number, one in enumerate(self.some) if number % 17 < 8])
        tidying = self.keeper.store.tidying
        self.patch(self.keeper.store.blind, "need_room", lambda size, lent=0: size)
        with lasting(name_of(1), name_of(2)):
            self.steps()
            self.assertGreater(tidying._borrowed, 16 * (100 + HEAD.size) // 2)
        self.steps()
        self.assertEqual(tidying._borrowed, 0)

    def test_what_did_not_come_to_the_disk(self) -> None:
        """A new segment that could not be taken back is removed later, and one with something that counts is not."""
        segments = self.keeper.store.blind.segments
        before = set(self.files())
        with lasting(name_of(4)), mock.patch.object(os, "fsync", side_effect=OSError(errno.EIO, "the disk failed")):
            segments._end = 10**9
            self.assertRaises(OSError, segments.add, chunks(5))
        self.assertEqual((segments.spoilt, set(self.files()) - before), ({4}, {name_of(4)}))
        segments.spoilt.add(1)
        self.steps()
        self.assertEqual((segments.spoilt, set(self.files())), ({1}, before))
        self.all_here(self.some)


    def test_its_disk_goes_meanwhile(self) -> None:
        """What was to be removed from a disk that is not there any more costs nothing when it is back: nothing that is
        needed is lost or asked for again, and the rest goes a day later."""
        self.name(needed := self.some[-5:])
        place, aside = self.place.parent, self.keeper.root / "aside"
        working = self.collect()
        next(working)
        place.rename(aside)
        for _ in working:
            pass
        self.assertNotIn(name_of(1), self.in_journal())
        aside.rename(place)
        self.steps()
        self.assertEqual((self.wanted(), self.keeper.store.tidying.is_waiting), ([], True))
        self.all_here(needed)
        for _ in range(25):
            self.keeper.ahead += 3600.0
            self.steps()
        self.assertEqual((self.kept(), set(self.files())), (5, self.in_journal()))
        self.all_here(needed)


class FormerTests(StuckCase):
    """The same of chunks in files of their own."""

    def setUp(self) -> None:
        super().setUp()
        self.former = chunks(3)
        for name, data in self.former:
            path = self.keeper.root / former_place(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def names(self, some: list[Chunk]) -> list[str]:
        return [former_place(name).rpartition("/")[2] for name, _ in some]

    def test_a_chunk_that_was_moved(self) -> None:
        """A chunk that is in a segment now is given from there, and its former file goes when it can."""
        self.name(self.some, self.former)
        with lasting(*self.names(self.former)):
            self.steps()
            self.steps()
            self.assertEqual(len(self.stuck()), 3)
            self.assertIn(" and 2 more: needed no more", self.problem()[1])
            self.all_here(self.some + self.former)
            self.name(self.some)
            self.steps()
            self.steps()
            self.assertEqual((self.kept(), self.keeper.store.tidying.is_waiting), (40, False))
        self.steps()
        self.assertEqual((self.stuck(), set(self.files())), ({}, self.in_journal()))

    def test_one_that_nobody_needs(self) -> None:
        """One that no record names stays known as what it is, and moves nowhere."""
        to_format_2(self.keeper, [(name, len(data)) for name, data in self.former])
        self.again()
        self.name()
        with lasting(*self.names(self.former)):
            for _ in range(3):
                self.steps(self.collect)
                self.assertEqual((self.kept(), self.keeper.store.tidying.is_waiting), (3, False))
        self.steps(self.collect)
        self.assertEqual((self.kept(), self.stuck()), (0, {}))

    def test_one_that_is_needed_again(self) -> None:
        """One that a record names again is moved before its former file goes: nobody else may have it."""
        to_format_2(self.keeper, [(name, len(data)) for name, data in self.former])
        self.again()
        self.name()
        with lasting(*self.names(self.former)):
            self.steps(self.collect)
            self.assertEqual((self.kept(), len(self.stuck())), (3, 3))
            self.name(self.former)
        self.steps(self.collect)
        self.steps(self.collect)
        self.assertEqual((self.kept(), self.stuck()), (3, {}))
        self.all_here(self.former)
