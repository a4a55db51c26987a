"""The transition table: parsed and checked when the class is made, compiled to a dict for running.

A row is ``state event guard next actions…``; ``-`` means none, ``=`` stay, ``*`` any state without a row of its own,
``a&!b`` both guards, the second negated. Everything after ``#`` is a comment.
"""

import re
from collections.abc import Iterable
from functools import cache

from attrs import field, frozen

STAY = "="
ANY = "*"
_TIMER = re.compile(r"timer-(\d+(?:\.\d+)?)(sec|min|hour|day)")
_SECONDS = {"sec": 1.0, "min": 60.0, "hour": 3600.0, "day": 86400.0}
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.?!-]*")


class TableError(Exception):
    """A table that does not say what it should; raised when the module is imported."""


@frozen
class Guard:
    """One condition of a row; ``wanted`` False for ``!name``."""

    name: str
    wanted: bool = True

    def __str__(self) -> str:
        return self.name if self.wanted else "!" + self.name


@frozen
class Row:
    """One line of the table."""

    state: str
    event: str
    guards: tuple[Guard, ...]
    next: str
    actions: tuple[str, ...]


@frozen
class Definition:
    """A whole machine as data: what the check and the diagrams read."""

    initial: str
    final: tuple[str, ...]
    rows: tuple[Row, ...]
    ignored: frozenset[tuple[str, str]]
    states: tuple[str, ...]
    events: tuple[str, ...]
    cells: dict[tuple[str, str], tuple[Row, ...]] = field(eq=False)

    def timers(self, state: str) -> tuple[str, ...]:
        """Timer events that run while the machine is in ``state``."""
        return tuple(event for event in self.events if is_timer(event) and (state, event) in self.cells)

    def silent(self) -> list[tuple[str, str]]:
        """Cells that neither a row nor ``ignore`` names; final states and timers need none."""
        return [
            (state, event)
            for state in self.states
            if state not in self.final
            for event in self.events
            if not is_timer(event)
            and not self.rows_for(state, event)
            and (state, event) not in self.ignored
            and (ANY, event) not in self.ignored
        ]

    def rows_for(self, state: str, event: str) -> tuple[Row, ...]:
        """The rows that are tried, ``*`` only where the state has none."""
        return self.cells.get((state, event)) or self.cells.get((ANY, event), ())


def is_timer(event: str) -> bool:
    """True for ``timer-30sec`` and the like."""
    return event.startswith("timer-")


@cache
def timer_seconds(event: str) -> float:
    """The interval in a timer's name, in seconds."""
    match = _TIMER.fullmatch(event)
    if match is None:
        raise TableError(f"{event!r} is not a timer such as timer-30sec, timer-5min, timer-1hour, timer-0.1sec")
    return float(match[1]) * _SECONDS[match[2]]


def parse(table: str, ignore: str, initial: str, final: tuple[str, ...]) -> Definition:
    """Raises `TableError` with the line that is wrong."""
    rows = tuple(_row(line) for line in _lines(table))
    states = _unique([initial, *(row.state for row in rows), *(row.next for row in rows), *final], (STAY, ANY))
    events = _unique(row.event for row in rows)
    ignored = _ignored(ignore, states)
    events = _unique([*events, *(event for _, event in sorted(ignored) if event not in events)])
    cells: dict[tuple[str, str], tuple[Row, ...]] = {}
    for row in rows:
        cells[row.state, row.event] = (*cells.get((row.state, row.event), ()), row)
    definition = Definition(initial, final, rows, ignored, states, events, cells)
    _check_cells(definition)
    return definition


def _lines(text: str) -> list[str]:
    stripped = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in stripped if line]


def _row(line: str) -> Row:
    words = line.split()
    if len(words) < 5:
        raise TableError(f"a row is `state event guard next actions…`: {line!r}")
    state, event, guard, following, *actions = words
    names = [name for name in (state, event, following) if name not in (STAY, ANY)]
    if state == STAY or event in (STAY, ANY) or following == ANY or not all(map(_WORD.fullmatch, names)):
        raise TableError(f"a state, event or next state is not a name: {line!r}")
    if is_timer(event):
        timer_seconds(event)
        if state == ANY:
            raise TableError(f"a timer needs a state of its own, not '*': {line!r}")
    return Row(state, event, _guards(guard, line), following, () if actions == ["-"] else tuple(actions))


def _guards(text: str, line: str) -> tuple[Guard, ...]:
    if text == "-":
        return ()
    guards = tuple(Guard(part.removeprefix("!"), not part.startswith("!")) for part in text.split("&"))
    if not all(guard.name.isidentifier() for guard in guards):
        raise TableError(f"a guard is not a name: {line!r}")
    return guards


def _ignored(text: str, states: tuple[str, ...]) -> frozenset[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for line in _lines(text):
        state, *events = line.split()
        if not events or (state != ANY and state not in states):
            raise TableError(f"`ignore` names a state and its events; this does not: {line!r}")
        found.update((state, event) for event in events)
    return frozenset(found)


def _check_cells(definition: Definition) -> None:
    for (state, event), rows in definition.cells.items():
        seen = set()
        for number, row in enumerate(rows):
            guards = frozenset(row.guards)
            if guards in seen:
                raise TableError(f"{state} {event}: two rows have the same guards")
            seen.add(guards)
            if not guards and number < len(rows) - 1:
                raise TableError(f"{state} {event}: rows after the unguarded one are never reached")
        covered = (state, event) in definition.ignored or (ANY, event) in definition.ignored
        if rows[-1].guards and not covered:
            raise TableError(f"{state} {event}: the last row has a guard; add an unguarded one or name it in `ignore`")
        if state in definition.final:
            raise TableError(f"{state} {event}: a final state has no rows")
        if (state, event) in definition.ignored and not rows[-1].guards:
            raise TableError(f"{state} {event}: it is named in `ignore` and has rows")


def _unique(names: Iterable[str], but: tuple[str, ...] = ()) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name not in but))
