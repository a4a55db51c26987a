"""One scenario, once: with nothing broken, to see which changes there are, or with one of them broken."""

import errno
import gc
import os
import random
import shutil
import tempfile
import traceback
from pathlib import Path

from bitdust.testing.faulty_disk import SYNC, WRITE, Change, Crash, Fault, FaultyDisks
from tests.grid.chaos.field import Field, Finding
from tests.grid.chaos.nodes import ChaosNode
from tests.grid.crash.power import Unsynced
from tests.grid.crash.scenarios import SCENARIOS, Stage

ERRORS = {"full": errno.ENOSPC, "error": errno.EIO}
KILLS = {"before": 0.0, "half": 0.5, "after": 1.0, "power": 0.0, "torn": 0.0}
HOWS = (*KILLS, *ERRORS)
"""The process dies before the change, when half of it is written, or right after it; the power is cut before it, and
what was not synced is gone, or some of it; or the change fails, because the disk is full or broken, and the process
goes on."""
DATABASE = (".db", ".db-wal", ".db-journal")
"""Files of SQLite. What it writes to one without a sync is one change, of many writes."""
SAMPLE = {
    "upload": 40,
    "upload:supplier-1": 12,
    "spooling": 55,
    "delete": 26,
    "delete:supplier-1": 14,
    "compaction": 36,
    "compaction:supplier-1": 7,
    "replacement": 60,
    "replacement:supplier-4": 10,
    "reencoding": 80,
    "reencoding:supplier-3": 36,
    "recovery": 200,
    "healing:spare": 40,
    "healing:member": 80,
}
"""What `sample` draws from, and how many changes each makes at least."""
SAMPLED = 8
DOWN = 3.0
SETTLE = 1800.0


class Breaker:
    """I count the changes of one node's disk, and break the one with a number."""

    def __init__(self, field: Field, node: ChaosNode, at: int, how: str) -> None:
        self._field = field
        self._writes = 0
        self._node = node
        self._at = at
        self._how = how
        self._unsynced = Unsynced()
        self.seen: list[Change] = []
        self.is_on = False

    @property
    def hit(self) -> Change | None:
        """What was broken."""
        return self.seen[self._at - 1] if 0 < self._at <= len(self.seen) else None

    def judge(self, change: Change) -> Fault | None:
        """See a change."""
        if not self.is_on:
            return None
        if self._goes_on(change):
            self._writes += 1
        else:
            self._writes = 1
            self.seen.append(change)
        if len(self.seen) != self._at or self._writes != self._breaks_at(change):
            self._unsynced.see(change)
            return None
        self._field.note(f"{self._node.name}: {self._how}, a {change.kind} of {change.path.name}")
        if self._how in ERRORS:
            number = ERRORS[self._how]
            return Fault(OSError(number, os.strerror(number)), 0.5)
        fault = self._node.crash_at(change, KILLS[self._how])
        return Fault(fault.error, fault.done, self._die)

    def _goes_on(self, change: Change) -> bool:
        last = self.seen[-1] if self.seen else None
        is_same = last is not None and (last.kind, last.path) == (change.kind, change.path)
        return is_same and change.kind == WRITE and change.path.name.endswith(DATABASE)

    def _breaks_at(self, change: Change) -> int:
        """Which write of a row: half of what SQLite commits is there when it has written a page of it."""
        return 2 if self._how == "half" and change.path.name.endswith("-wal") else 1

    def _die(self) -> None:
        self._node.kill()
        if self._how in ("power", "torn"):
            with self._field.disks.outside():
                self._unsynced.cut(random.Random(self._at) if self._how == "torn" else None)


class Run:
    """A scenario that breaks at one change, in one way; 0: nowhere."""

    def __init__(self, scenario: str, at: int, how: str, base: Path, verbose: bool = False) -> None:
        name, _, self.whose = scenario.partition(":")
        self.scenario = SCENARIOS[name]
        self.at, self.how = at, how
        self.field = Field(1, base, verbose)
        self.field.disks = FaultyDisks(sees_all=True)
        self.seen: list[Change] = []

    def go(self) -> None:
        """Raises `Finding`."""
        with self.field.surroundings():
            scenario = self.scenario(self.field)
            stage = next(scenario)
            breaker = self._watch(stage)
            self.seen = breaker.seen
            breaker.is_on = True
            self._come_back(stage, breaker)
            try:
                next(scenario, None)
            except Crash:
                self.field.is_crashing = False
            breaker.is_on = False
            if self.at and breaker.hit is None:
                raise Finding(f"there are only {len(breaker.seen)} changes")
            self._end(stage)
        errors = [text for text in self.field.errors if not (self.how in ERRORS and says_disk_error(text))]
        if errors:
            raise Finding(f"errors were logged: {errors[0]}")

    def _watch(self, stage: Stage) -> Breaker:
        whose = self.whose or stage.whose
        name = stage.names.get(whose, whose)
        node = next(one for one in self.field.grid.nodes if one.name == name)
        breaker = Breaker(self.field, node, self.at, self.how)
        self.field.disks.watch(node.home, breaker.judge)
        return breaker

    def _come_back(self, stage: Stage, breaker: Breaker) -> None:
        """Whoever died starts again a little later."""
        node = breaker._node

        def look() -> None:
            if not node.is_up:
                self._bury()
                self.field.later(DOWN, lambda: stage.revive(node.name))
            elif breaker.is_on:
                self.field.later(1, look)

        look()

    def _bury(self) -> None:
        """What nobody waits for any more is gone with its process, and so are the errors that nobody has seen."""
        self.field.is_crashing = True
        gc.collect()
        self.field.is_crashing = False

    def _end(self, stage: Stage) -> None:
        """All is well in the end, and everything that was promised is there."""
        self.field.pass_time(DOWN + 1)
        stage.revive()
        stage.settle(SETTLE)
        owner = stage.owner
        if not self.at and not stage.has_come():
            raise Finding("what the scenario is about has not happened")
        stage.truth.check_acknowledged(owner.home, set())
        stage.truth.check_named(owner.home)
        lacking = {name: stage.truth.lacking(owner.home, node) for name, node in self.field.suppliers.items()}
        if any(lacking.values()):
            raise Finding(f"suppliers lack something: {lacking}")
        stage.judge.check_all(owner, owner.home)
        self.field.stop()


def says_disk_error(text: str) -> bool:
    """Whether an error that was logged is the one that the run made: what it leads to is seen in the end."""
    made = [os.strerror(number) for number in ERRORS.values()] + ["disk is full", "disk I/O error"]
    return any(one in text.strip().splitlines()[-1] for one in made)


def run(scenario: str, at: int = 0, how: str = "before", verbose: bool = False) -> tuple[str, list[Change], list[str]]:
    """Why it fails, empty when it does not; the changes that it made; its journal."""
    shared = Path("/dev/shm")
    base = Path(tempfile.mkdtemp(prefix="crash-", dir=shared if shared.is_dir() else None))
    one = Run(scenario, at, how, base, verbose)
    try:
        one.go()
        return "", one.seen, one.field.journal
    except Finding as finding:
        return str(finding), one.seen, one.field.journal
    except Exception:  # noqa: BLE001 - whatever it is, the run has failed, and the next one is to run
        return traceback.format_exc(), one.seen, one.field.journal
    finally:
        shutil.rmtree(base, ignore_errors=True)


def points(changes: list[Change], first: int = 1, last: int = 0) -> list[tuple[int, str]]:
    """Where and how a scenario with these changes can break: only what is written can be half done, and most is not
    synced before a sync."""
    numbers = range(first, min(last or len(changes), len(changes)) + 1)
    needs = {"half": WRITE, "torn": SYNC}
    return [(at, how) for at in numbers for how in HOWS if needs.get(how) in (None, changes[at - 1].kind)]


def sample(seed: int) -> list[tuple[str, int, str]]:
    """A point of each of some scenarios, drawn from a seed."""
    source = random.Random(seed)
    chosen = source.sample(sorted(SAMPLE), SAMPLED)
    return [(scenario, source.randint(1, SAMPLE[scenario]), source.choice(HOWS)) for scenario in chosen]


def replay(scenario: str, at: int, how: str) -> str:
    """The command that runs it again."""
    return f"python -m tests.grid.crash {scenario} {at} {at} --how {how} -v"
