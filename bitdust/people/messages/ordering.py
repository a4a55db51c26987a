"""Messages of one device in one conversation have their turn in the order in which they were written.

What comes before its turn waits for a moment; then it goes on all the same, and the gap is reported.
"""

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from bitdust.wire.messages import Message

HOLD = 2.0
"""Seconds that a message waits for those before it."""
MOST_HELD = 500
Key = tuple[str, bytes]


@define
class _Line:
    """One device in one conversation: what waits."""

    held: dict[int, "Deferred[None]"] = field(factory=dict)
    call: IDelayedCall | None = None


class Ordering:
    """``gap`` is told of a conversation, a device, and the first and last number that are missing."""

    def __init__(self, clock: IReactorTime, gap: Callable[[str, bytes, int, int], None]) -> None:
        self._clock = clock
        self._gap = gap
        self._last: dict[Key, int] = {}
        self._lines: dict[Key, _Line] = {}

    def load(self, sequences: dict[Key, int]) -> None:
        """What had its turn in earlier lives."""
        self._last = dict(sequences)

    def last(self, key: Key) -> int:
        """The last number that had its turn; 0 before one."""
        return self._last.get(key, 0)

    def turn(self, message: Message) -> "Deferred[None]":
        """Fires when it is its turn; what listens does its work in that moment, before the next one."""
        key = (message.conversation, message.sender_device)
        done: Deferred[None] = Deferred()
        last = self._last.get(key)
        line = self._lines.get(key)
        is_next = last is None or message.sequence <= last + 1
        # Who joins a conversation late is not to wait for what was written before.
        if is_next or (line is not None and (message.sequence in line.held or len(line.held) >= MOST_HELD)):
            self._now(key, message.sequence, done)
            self._go_on(key)
            return done
        line = self._lines.setdefault(key, _Line())
        line.held[message.sequence] = done
        if line.call is None:
            line.call = self._clock.callLater(HOLD, self._release, key)
        return done

    def stop(self) -> None:
        """Have all that wait go on now."""
        for key in list(self._lines):
            self._release(key)

    def _now(self, key: Key, sequence: int, done: "Deferred[None]") -> None:
        self._last[key] = max(self._last.get(key, 0), sequence)
        done.callback(None)

    def _go_on(self, key: Key) -> None:
        """Those that waited for the one that has come are next."""
        line = self._lines.get(key)
        while line is not None and self._last[key] + 1 in line.held:
            following = self._last[key] + 1
            self._now(key, following, line.held.pop(following))
        if line is not None and not line.held:
            self._forget(key, line)

    def _release(self, key: Key) -> None:
        line = self._lines[key]
        for sequence in sorted(line.held):
            missing = self._last[key] + 1
            if sequence > missing:
                self._gap(*key, missing, sequence - 1)
            self._now(key, sequence, line.held.pop(sequence))
        self._forget(key, line)

    def _forget(self, key: Key, line: _Line) -> None:
        call, line.call = line.call, None
        if call is not None and call.active():
            call.cancel()
        self._lines.pop(key, None)
