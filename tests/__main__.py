"""Trial over the whole suite, or what is named, in several processes; what went wrong is told in the order of names.

    python -m tests --jobs 2 [--slowest 30] [tests.unit.test_x]

Temporary files go where ``--temp-directory`` says, or into a folder that is gone after a run in which all is well.
With ``--slowest N`` the end names the N tests and modules that took longest: seconds by the clock, and seconds of
processors for the worker and the children it waited for (not for daemons, which leave their parent).
"""

import os
import shutil
import sys
import time
import unittest
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.scripts import trial
from twisted.trial._asyncrunner import _iterateTests
from twisted.trial._dist.disttrial import DistTrialRunner
from twisted.trial.reporter import TreeReporter

from tests import scratch

WAITS = "tests.processes."
"""What waits for real processes most of its time."""
FIRST = (WAITS, "tests.grid.test_chaos", "tests.grid.test_crash", "tests.unit.automats.test_every_row")
"""What takes longest begins first, so that no worker waits for another one at the end."""
TICK = 1 / os.sysconf("SC_CLK_TCK")
Took = tuple[float, float]
"""Seconds by the clock, and of processors."""


class InOrder(TreeReporter):
    """Side by side tests end in any order; a summary is read, and compared with another one, by names."""

    def done(self) -> None:
        for found in (self.skips, self.expectedFailures, self.failures, self.errors, self.unexpectedSuccesses):
            found.sort(key=lambda one: str(one[0].id()))
        super().done()


class Options(trial.Options):
    """Those of trial, and one more."""

    optParameters = [["slowest", None, 0, "Name that many tests and modules that took longest", int]]  # noqa: RUF012


class Lanes:
    """Tests that wait for real processes, and all others. The last of several workers begins with the others, which
    keep the processor busy for which nobody else has work so long.

    A module of unit tests is run by one worker: what it reads or makes once for all its tests, such as the syntax of
    every file, is not made by each.
    """

    def __init__(self, cases: Iterable[Any], workers: int) -> None:
        self.cases = cases
        self._workers = workers
        self._begun = 0
        self._waiting: deque[list[Any]] = deque()
        self._busy: deque[list[Any]] = deque()
        for name, some in groupby(cases, key=lambda case: part_of(case.id())):
            (self._waiting if name.startswith(WAITS) else self._busy).append(list(some))

    def begin(self) -> Iterator[Any]:
        """The tests of one more worker, until none is left."""
        self._begun += 1
        lanes = (self._busy, self._waiting) if 1 < self._workers == self._begun else (self._waiting, self._busy)
        while lane := next(filter(None, lanes), None):
            yield from lane.popleft()


def part_of(name: str) -> str:
    """What one worker does of the suite: a test, or a module of unit tests."""
    return name.rsplit(".", 2)[0] if name.startswith("tests.unit.") else name


class SideBySide(DistTrialRunner):
    """Writes down what each test takes."""

    took: dict[str, Took] = {}  # noqa: RUF012 - one run is one process
    lanes: Lanes | None = None

    async def _driveWorker(self, result: Any, testCases: Iterable[Any], worker: Any) -> None:  # noqa: N802, N803
        if self.lanes is None or self.lanes.cases is not testCases:
            self.lanes = Lanes(testCases, self._maxWorkers)
        for case in self.lanes.begin():
            if self._exitFirst and not result.original.wasSuccessful():
                return
            pid, clock = worker.transport._transport.pid, time.monotonic()
            before = processor_seconds(pid)
            await super()._driveWorker(result, [case], worker)
            self.took[case.id()] = time.monotonic() - clock, processor_seconds(pid) - before


def long_ones_first(suite: Any) -> unittest.TestSuite:
    """All tests of a suite; those of a module stay together, in their order."""

    def rank(test: Any) -> int:
        name = test.id()
        return next((place for place, beginning in enumerate(FIRST) if name.startswith(beginning)), len(FIRST))

    return unittest.TestSuite(sorted(_iterateTests(suite), key=rank))


def processor_seconds(pid: int) -> float:
    """What a process and the children it waited for have used; nothing where there is no ``/proc``."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) * TICK


def slowest(took: dict[str, Took], count: int) -> list[str]:
    """Lines of a report: modules, then tests, what took longest first, then the whole."""
    modules: dict[str, Took] = {}
    for name, (clock, processor) in took.items():
        module = name.rsplit(".", 2)[0]
        so_far = modules.get(module, (0.0, 0.0))
        modules[module] = so_far[0] + clock, so_far[1] + processor
    whole = sum(clock for clock, _ in took.values()), sum(processor for _, processor in took.values())
    lines = []
    for title, figures in (("modules", modules), ("tests", took)):
        ordered = sorted(figures.items(), key=lambda one: one[1], reverse=True)[:count]
        lines += [f"slowest {title}: seconds by the clock, of processors"]
        lines += [f"{clock:9.2f} {processor:9.2f}  {name}" for name, (clock, processor) in ordered]
    return [*lines, f"{whole[0]:9.2f} {whole[1]:9.2f}  all of {len(took)} tests"]


def main(arguments: list[str]) -> bool:
    """Whether all is well."""
    options = Options()
    options.parseOptions(arguments)
    if not options["tests"]:
        options["tests"] = ["tests"]
    options["reporter"] = InOrder
    folder = scratch.begin() if options["temp-directory"] == "_trial_temp" else None
    if folder is not None:
        options["temp-directory"] = str(folder / "trial")
    with mock.patch.object(trial, "DistTrialRunner", SideBySide):
        runner = trial._makeRunner(options)
    suite = trial._getSuite(options)
    well = bool(runner.run(long_ones_first(suite) if options["jobs"] else suite).wasSuccessful())
    if options["slowest"]:
        sys.stdout.write("\n".join(["", *slowest(SideBySide.took, options["slowest"]), ""]))
    if well and folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    return well


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
