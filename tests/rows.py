"""Takes away or changes each row of each machine in turn, and names the rows that the machine's own tests do not need.

    python -m tests.rows [machine …]

These changes are made, one at a time: the row is taken away; it leads elsewhere; its actions are dropped, all of them
and each; one of its guards is dropped; its timer fires in three times the time. For each the module of the machine's
tests, tests/unit/automats/test_<machine>.py, is run in this process, as far as it follows or tries that row. When it
passes all the same, the row, or that part of it, is not needed: either a test is missing, or the row is. The end is 1
when there is one.
"""

import importlib
import sys
import time
import unittest
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from attrs import evolve, frozen
from twisted.logger import globalLogBeginner

from bitdust.automats.kernel import Definition, Machine, Row
from bitdust.automats.kernel.check import Kind, all_machines, package_root
from bitdust.automats.kernel.table import STAY, is_timer

MODULES = "tests.unit.automats.test_"
MOST_MOVES = 1_000
"""Events of one test; what goes on for longer goes round in a circle that the change has made."""
Cell = tuple[str, str]
Test = unittest.TestCase


class Circle(BaseException):
    """A changed machine sends itself events for ever; no handler of the machine may take this for an error."""


@frozen
class Change:
    """One row, what was done to it, and the table that comes out."""

    row: Row
    what: str
    definition: Definition
    slow: bool = False

    def __str__(self) -> str:
        return f"{line(self.row)}: {self.what}"


@frozen
class Result:
    """What came of one machine."""

    kind: Kind
    changes: int
    unnoticed: list[str]


def line(row: Row) -> str:
    """The row as it stands in the table."""
    guards = "&".join(map(str, row.guards)) or "-"
    return f"{row.state} {row.event} {guards} {row.next} {' '.join(row.actions) or '-'}"


# changes


def changes(definition: Definition) -> Iterator[Change]:
    """Every change of every row, in the order of the table."""
    for number, row in enumerate(definition.rows):
        yield Change(row, "taken away", _with(definition, number))
        for other in _elsewhere(definition, row):
            yield Change(row, f"leads to {other}", _with(definition, number, evolve(row, next=other)))
        if row.actions:
            yield Change(row, "actions dropped", _with(definition, number, evolve(row, actions=())))
        if len(row.actions) > 1:
            for action in row.actions:
                left = tuple(other for other in row.actions if other != action)
                yield Change(row, f"action {action} dropped", _with(definition, number, evolve(row, actions=left)))
        for guard in row.guards:
            left = tuple(other for other in row.guards if other != guard)
            yield Change(row, f"guard {guard} dropped", _with(definition, number, evolve(row, guards=left)))
        if is_timer(row.event) and definition.cells[row.state, row.event][0] is row:
            yield Change(row, "three times later", definition, slow=True)


def _elsewhere(definition: Definition, row: Row) -> Iterator[str]:
    """Every other state, and staying for a row that leaves its state to enter it again."""
    here = row.state if row.next == STAY else row.next
    yield from (state for state in definition.states if state != here)
    if row.next == row.state:
        yield STAY


def _with(definition: Definition, number: int, *instead: Row) -> Definition:
    """The table with another row, or none, in one place; states and events stay known."""
    rows = (*definition.rows[:number], *instead, *definition.rows[number + 1 :])
    cells: dict[Cell, tuple[Row, ...]] = {}
    for row in rows:
        cells[row.state, row.event] = (*cells.get((row.state, row.event), ()), row)
    return evolve(definition, rows=rows, cells=cells)


@contextmanager
def changed(kind: Kind, change: Change) -> Iterator[None]:
    """The machine works by another table for a while."""
    before = {name: vars(kind).get(name) for name in ("_definition", "_state_timers", "timer_seconds")}
    kind._definition = change.definition
    kind._state_timers = {state: change.definition.timers(state) for state in change.definition.states}
    if change.slow:
        kind.timer_seconds = _slow(kind.timer_seconds, change.row)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for name, value in before.items():
            if value is not None:
                setattr(kind, name, value)
            elif name in vars(kind):
                delattr(kind, name)


def _slow(seconds: Callable[[Machine, str], float], row: Row) -> Callable[[Machine, str], float]:
    def later(machine: Machine, event: str) -> float:
        return seconds(machine, event) * (3 if (machine.state, event) == (row.state, row.event) else 1)

    return later


# tests


def has_tests(kind: Kind) -> bool:
    """Whether there is a module of tests for this machine."""
    return find_spec(MODULES + kind.name) is not None


def tests_of(kind: Kind) -> list[Test]:
    """The machine's own tests. Raises `ModuleNotFoundError` when there is no module of them."""
    module = importlib.import_module(MODULES + kind.name)
    return list(_flat(unittest.defaultTestLoader.loadTestsFromModule(module)))


def _flat(suite: Any) -> Iterator[Test]:
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _flat(test)
        else:
            yield test


@contextmanager
def following(kind: Kind, follow: Callable[[str, str, Row | None], None]) -> Iterator[None]:
    """Report state and event that a machine of this kind handles, then the row that it follows."""
    handle, go = Machine._handle, Machine._follow

    def handled(machine: Machine, event: str, payload: Any) -> None:
        if type(machine) is kind:
            follow(machine.state, event, None)
        handle(machine, event, payload)

    def followed(machine: Machine, row: Row, *rest: Any) -> None:
        if type(machine) is kind:
            follow(machine.state, row.event, row)
        go(machine, row, *rest)

    Machine._handle, Machine._follow = handled, followed  # type: ignore[method-assign]
    try:
        yield
    finally:
        Machine._handle, Machine._follow = handle, go  # type: ignore[method-assign]


class Outcome(unittest.TestResult):
    """Whether a test passes is all that is asked; to write down why it does not takes as long as the test itself."""

    def startTest(self, test: Any) -> None:  # noqa: N802 - the interface's name
        super().startTest(test)
        test._type_equality_funcs.clear()  # they compare as == does, and describe each difference

    def _exc_info_to_string(self, err: Any, test: Any) -> str:
        return ""


def passes(test: Test, kind: Kind) -> bool:
    """Whether one test passes, without going round in a circle."""
    result = Outcome()
    count = 0

    def follow(*_: Any) -> None:
        nonlocal count
        count += 1
        if count > MOST_MOVES:
            raise Circle

    with following(kind, follow):
        test.run(result)
    return result.wasSuccessful()


def cells_of(test: Test, kind: Kind) -> tuple[set[Cell], set[Row]]:
    """States and events that a test brings about, and the rows that it follows. Raises `AssertionError` if it fails."""
    tried: set[Cell] = set()
    rows: set[Row] = set()

    def follow(state: str, event: str, row: Row | None) -> None:
        tried.add((state, event))
        if row is not None:
            rows.add(row)

    result = Outcome()
    with following(kind, follow):
        test.run(result)
    if not result.wasSuccessful():
        raise AssertionError(f"{test.id()} fails by itself")
    return tried, rows


def rows_taken(kind: Kind, tests: Iterable[Test]) -> set[Row]:
    """The rows that tests follow."""
    return {row for test in tests for row in cells_of(test, kind)[1]}


# all of it


def examine(kind: Kind, tests: Iterable[Test]) -> Result:
    """Make every change of one machine and see whether tests notice."""
    definition = kind.definition()
    tried = [(test, cells_of(test, kind)[0]) for test in tests]
    count, unnoticed = 0, []
    for change in changes(definition):
        count += 1
        cells = _cells(definition, change.row)
        with changed(kind, change):
            noticed = next((one for one in tried if cells & one[1] and not passes(one[0], kind)), None)
        if noticed is None:
            unnoticed.append(str(change))
        else:  # it is likely to notice the next change of the same row
            tried.remove(noticed)
            tried.insert(0, noticed)
    return Result(kind, count, unnoticed)


def _cells(definition: Definition, row: Row) -> set[Cell]:
    """States and events at which the row may be tried."""
    return {(state, row.event) for state in definition.states if row in definition.rows_for(state, row.event)}


def main(names: list[str]) -> int:
    """Write what is not needed; 1 when there is something."""
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False, discardBuffer=True)
    kinds = [kind for kind in all_machines(package_root()) if not names or kind.name in names]
    unknown = sorted(set(names) - {kind.name for kind in kinds})
    if unknown:
        sys.stderr.write(f"there is no machine {', '.join(unknown)}\n")
        return 2
    start, rows, count, wrong = time.monotonic(), 0, 0, 0
    for kind in kinds:
        try:
            result = examine(kind, tests_of(kind))
        except (ModuleNotFoundError, AssertionError) as error:
            sys.stdout.write(f"{kind.name}: {error}\n")
            wrong += 1
            continue
        rows += len(kind.definition().rows)
        count += result.changes
        wrong += len(result.unnoticed)
        sys.stdout.writelines(f"{kind.name}: not needed: {text}\n" for text in result.unnoticed)
    seconds = time.monotonic() - start
    sys.stdout.write(f"{rows} rows, {count} changes, {wrong} not noticed, {seconds:.1f} s\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
