"""Calls of clients: those that are answered now, and those that were answered a little while ago."""

from collections import OrderedDict
from itertools import count
from typing import Any

from attrs import define, field

from bitdust.ipfs.durations import write_moment

MOST_ENDED = 100
USUAL_SECONDS = 3600.0


@define
class Recorded:
    """One call; times are seconds of a clock, and ``ended`` is None while it goes on."""

    number: int
    command: str
    arguments: dict[str, Any]
    options: dict[str, Any]
    began: float
    ended: float | None = None

    def row(self, epoch: float) -> dict[str, Any]:
        """As `diag/cmds` shows it; ``epoch`` is the time since 1970 at which the clock began."""
        given = [value for value in self.arguments.values() if value is not None]
        return {
            "ID": self.number,
            "Active": self.ended is None,
            "Command": self.command,
            "Args": [text for value in given for text in (value if isinstance(value, list) else [value])],
            "Options": {name: value for name, value in self.options.items() if value is not None},
            "StartTime": write_moment(epoch + self.began),
            "EndTime": "" if self.ended is None else write_moment(epoch + self.ended),
        }


@define(eq=False)
class Calls:
    """I keep those that ended for ``seconds``, and no more than the last hundred."""

    seconds: float = USUAL_SECONDS
    _active: dict[int, Recorded] = field(factory=dict)
    _ended: OrderedDict[int, Recorded] = field(factory=OrderedDict)
    _numbers: Any = field(factory=lambda: count(1))

    def begin(self, command: str, arguments: dict[str, Any], options: dict[str, Any], now: float) -> int:
        """A call begins; its number."""
        number: int = next(self._numbers)
        self._active[number] = Recorded(number, command, arguments, options, now)
        return number

    def end(self, number: int, now: float) -> None:
        """It is over; may be called again."""
        call = self._active.pop(number, None)
        if call is None:
            return
        call.ended = now
        self._ended[number] = call
        while len(self._ended) > MOST_ENDED:
            self._ended.popitem(last=False)

    def clear(self) -> None:
        """Forget those that ended."""
        self._ended.clear()

    def shown(self, now: float, wall: float) -> list[dict[str, Any]]:
        """In the order in which they began; ``now`` by the clock, ``wall`` since 1970."""
        kept = [call for call in self._ended.values() if now - (call.ended or 0.0) <= self.seconds]
        shown = sorted([*kept, *self._active.values()], key=lambda call: call.number)
        return [call.row(wall - now) for call in shown]
