"""A folder whose process dies at every change of its disk: files are whole under their names, and all that was written
is there when the next process has gone on."""

import random
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from bitdust.folders import tree
from bitdust.testing.faulty_disk import WRITE, Change, Crash, Fault, FaultyDisks
from tests.grid.crash.power import Unsynced
from tests.unit.folder_kit import Replica, settle
from tests.unit.test_folder_conflicts import ReplicaCase

HOWS = {"before": 0.0, "half": 0.5, "after": 1.0, "power": 0.0}
ONLY = {"half": WRITE}
"""Ways that are the same as another one, but for changes of this kind."""
BIG, NEW = b"big " * 30_000, b"new " * 20_000


class Life:
    """One process over home and folder; it ends at a change, or does not."""

    def __init__(self, bob: Replica, at: int, how: str) -> None:
        self.bob, self.at, self.how = bob, at, how
        self.kinds: list[str] = []
        self.disks = FaultyDisks(sees_all=True, sees_relative=True)
        self.unsynced = Unsynced()
        self.count = 0
        self.last: Change | None = None
        self.is_over = False

    def judge(self, change: Change) -> Fault | None:
        """What SQLite writes in a row is one change."""
        last = self.last
        is_same = last is not None and (last.kind, last.path) == (change.kind, change.path)
        if not (is_same and change.kind == WRITE and ".db" in change.path.name):
            self.count += 1
        self.last = change
        if len(self.kinds) < self.count:
            self.kinds.append(change.kind)
        if self.count != self.at or self.is_over:
            self.unsynced.see(change)
            return None
        return Fault(Crash(str(change)), HOWS.get(self.how, 0.0), self.die)

    def die(self) -> None:
        self.is_over = True
        for folder in (self.bob.base / self.bob.name, self.bob.root):
            self.disks.leave(folder)
        if self.how in ("power", "torn"):
            with self.disks.outside():
                self.unsynced.cut(random.Random(self.at) if self.how == "torn" else None)

    def run(self, live: Callable[[], None]) -> list[str]:
        """The kinds of changes that there were."""
        rename = tree._rename

        def renamed(here: int, old: str, there: int, new: str, flag: int) -> Any:
            return self.disks.meet_rename(here, old, there, new, lambda: rename(here, old, there, new, flag))

        for folder in (self.bob.base / self.bob.name, self.bob.root):
            self.disks.watch(folder, self.judge)
        with self.disks.installed(), mock.patch.object(tree, "_rename", renamed):
            try:
                self.bob.open()
                live()
            except (Crash, Exception):
                if not self.is_over:
                    raise
            finally:
                self.is_over = True
                for folder in (self.bob.base / self.bob.name, self.bob.root):
                    self.disks.leave(folder)
                self.bob.close()
        return self.kinds


class DyingCase(SynchronousTestCase):
    every = 11
    """Of many changes each so-many-th in each way, and another one in the next way."""

    def deaths(
        self, one: Replica, live: Callable[[], None], least: int, hows: Collection[str], only: Mapping[str, str]
    ) -> Iterator[tuple[str, int, str]]:
        """Ways to die, which change that is at, and of which kind: more than so many changes. Each time home and folder
        are as they were before."""
        one.close()
        places = one.base / one.name, one.root
        for place in places:
            shutil.copytree(place, f"{place}.before", symlinks=True)
        kinds = Life(one, 0, "before").run(live)
        self.assertGreater(len(kinds), least)
        for shift, how in enumerate(hows):
            for at, kind in enumerate(kinds, 1):
                if only.get(how, kind) == kind and (at + shift) % self.every == 0:
                    for place in places:
                        shutil.rmtree(place)
                        shutil.copytree(f"{place}.before", place, symlinks=True)
                    yield how, at, kind
        one.open()


class CrashTests(DyingCase, ReplicaCase):

    def setUp(self) -> None:
        super().setUp()
        self.base = self.base.absolute()
        self.alice, self.bob = self.pair(old="first", gone="second", same="third")
        self.alice.write("old", NEW)
        self.alice.write("big", BIG)
        self.alice.rename("same", "d/moved")
        self.alice.remove("gone")
        self.alice.scan()
        self.wanted = self.alice.tree()

    def bring(self) -> None:
        self.bob.scan()
        self.bob.pull(self.alice)
        self.bob.apply(self.alice)

    def write_too(self) -> None:
        self.bob.write("of-bob", b"mine " * 1000)
        self.bob.scan()
        self.bob.pull(self.alice)
        self.bob.apply(self.alice)

    def lives(self, live: Callable[[], None], wanted: dict[str, object]) -> None:
        for how, at, kind in self.deaths(self.bob, live, 20, HOWS, ONLY):
            Life(self.bob, at, how).run(live)
            self.judge(f"{how} change {at} ({kind})", wanted)

    def judge(self, when: str, wanted: dict[str, object]) -> None:
        """What is under a name is whole, and the next process comes to the end."""
        whole = {"old": (b"first", NEW), "gone": (b"second",), "same": (b"third",), "big": (BIG,),
                 "d/moved": (b"third",), "of-bob": (b"mine " * 1000,), "d": (None,)}  # fmt: skip
        for name, data in self.bob.tree().items():
            if name != "of-bob":
                self.assertIn(data, whole[name], f"{when}: {name}")
        self.bob.open()
        if "of-bob" in wanted and not (self.bob.root / "of-bob").exists():
            self.bob.write("of-bob", b"mine " * 1000)
        self.bob.scan()
        self.bob.pull(self.alice)
        self.bob.apply(self.alice)
        self.assertEqual((self.bob.tree(), self.bob.due()), (wanted, []), when)
        if when.startswith("power"):  # A disk exchanges two names at once, or not; what plays it here does not.
            self.bob.close()
            return
        versions = {row.size for name in ("old", "gone") for row in self.bob.store.archive.versions(name)}
        self.assertLessEqual({len(b"first"), len(b"second")}, versions, when)
        self.bob.close()

    def test_case_35_dies_while_it_writes(self) -> None:
        """A process that dies at any change of its disk leaves every file whole under its name; the next one goes on,
        and what was replaced or deleted is in the archive."""
        self.lives(self.bring, self.wanted)

    def test_case_36_while_it_tells(self) -> None:
        """The same where it has written something itself; its own file is told once, and is no conflict."""
        self.lives(self.write_too, self.wanted | {"of-bob": b"mine " * 1000})
        settle(self.alice, self.bob)
        self.assertEqual(self.alice.tree(), self.bob.tree())
