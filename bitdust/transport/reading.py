"""Reading: the bytes of a peer become frames, no more of them than it may ask, and wait here where it asked too much.

A few kilobytes of the line hold hundreds of small packets. Were they all worked on because they have come already, a
peer's pace would only count afterwards, and some tens of peers together would hold this node up for seconds.
"""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from bitdust.scopes.scopes import Party
from bitdust.transport.frames import FrameHandler, FrameReader, Kind
from bitdust.transport.limits import PATIENCE, Reader, ReadingPause
from bitdust.transport.unread import AGAIN, Unread
from bitdust.wire.encoding import WireError

PART_COST = 1 / 16
"""What a frame counts that is no request: small parts of payloads, credit."""
FRAME_COST = {Kind.OPEN: 1.0, Kind.PING: 1 / 2, Kind.PONG: 1 / 2}
SLICE = 50.0
"""What is read of one peer before it is another one's turn."""
LARGE = 4096
"""Bytes of a part of a payload that is no trouble: as much as the line gives, and credit allows."""


class Reading(ReadingPause):
    """The reading of one session. ``broken`` is told of bytes that are no frames; nothing more is read then."""

    def __init__(
        self, clock: IReactorTime, handler: FrameHandler, party: Party, broken: Callable[[WireError], object]
    ) -> None:
        super().__init__(clock, self._go_on)
        self.unread = Unread(party)
        self._party = party
        self._broken = broken
        self._frames: FrameReader | None = FrameReader(handler)
        self._left = b""
        self._cost = 0.0
        self._due = 0.0
        """Until when the peer owes, 0 where it owes nothing."""
        self._may: float | None = None
        """What the peer may ask now; looked up when it asks for something."""

    def take(self, data: bytes) -> None:
        """Read what has come as far as the peer may ask that much; the rest waits for the end of the pause."""
        if self._left:
            self.unread.add(len(data))
            self._left += data
        else:
            self._read(data)

    def spend(self, kind: Kind) -> None:
        """One more frame has been read that is no part of a payload."""
        self.charge(FRAME_COST.get(kind, PART_COST))

    def spend_part(self, size: int) -> None:
        """A part of a payload of so many bytes has been read."""
        if size < LARGE:
            self.charge(PART_COST)

    def charge(self, cost: float) -> None:
        """What was read costs so much, or so much more."""
        self._cost += cost
        if self._may is None:
            self._may = min(SLICE, self._party.may_ask())
        if self._cost >= self._may and self._frames is not None:
            self._frames.enough = True

    def rest(self, reader: Reader, seconds: float) -> None:
        """Read no more for so long, or until what has come is read and taken."""
        if seconds or self._due or self._left or self.unread.is_too_much():
            self.hold(reader, max(seconds, self._wait()))

    def release(self) -> None:
        """The session is over."""
        self.cancel()
        self._left = b""
        self.unread.release()

    def _read(self, data: bytes) -> None:
        wait = read = 0.0
        while data and wait <= 0.0 and read < SLICE and self._frames is not None:
            self._frames.enough, self._cost, self._may = False, 0.0, None
            try:
                data = data[self._frames.feed(data) :]
            except WireError as error:
                self._frames = None
                self._broken(error)
            if self._cost:
                wait = self._party.pace(self._cost)
                self._due = self._clock.seconds() + wait if wait else 0.0
                read += self._cost
        self._left = data if self._frames is not None else b""
        if self._left:
            self.unread.add(len(self._left))

    def _wait(self) -> float:
        wait = max(0.0, self._due - self._clock.seconds(), AGAIN if self.unread.is_too_much() else 0.0)
        return max(wait, 2 * PATIENCE) if self._left else wait

    def _go_on(self) -> float:
        left, self._left = self._left, b""
        if left:
            self.unread.take(len(left))
            self._read(left)
        return self._wait()
