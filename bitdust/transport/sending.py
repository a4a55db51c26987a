"""Streams on their way out: packets and their payloads, a part of each in turn, as far as credit and limits allow."""

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bitdust.transport.frames import MAX_BODY, MAX_OPEN, Kind
from bitdust.transport.limits import Turns
from bitdust.transport.streams import OutStream, StreamReset
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Packet
from bitdust.wire.table import Source


class SenderPort(Protocol):
    """The session, as far as sending goes."""

    @property
    def ended(self) -> BitDustError | None:
        """Why it is over, None while it is not."""

    @property
    def peer(self) -> object | None:
        """Who is at the other end, None before that is proven."""

    def write(self, kind: Kind, stream: int, body: bytes, last: bool = False) -> None:
        """Send one frame."""


class Sending:
    """I hold the streams of one session that go out; ``first`` is the number of the first one."""

    def __init__(self, session: SenderPort, turns: Turns, first: int) -> None:
        self._session = session
        self._turns = turns
        self._next_stream = first
        self._queue: deque[OutStream] = deque()
        self._by_id: dict[int, OutStream] = {}
        self.writable = True

    def __iter__(self) -> Iterator[OutStream]:
        return iter(self._queue)

    def begin(self, packet: Packet, source: Source | None, progress: Callable[[int, int], None] | None) -> OutStream:
        """A stream for a packet; its ``done`` fires when the last byte is handed to the link, or is cancelled."""
        out = OutStream(self._next_stream, packet, source, progress)
        self._next_stream += 2
        out.done = Deferred(lambda _: self._give_up(out))
        if self._session.ended is not None:
            out.done.errback(self._session.ended)
            return out
        self._queue.append(out)
        self._by_id[out.id] = out
        self.pump()
        return out

    def end(self, error: BitDustError) -> None:
        """The session is over: whatever is not sent fails."""
        outgoing, self._by_id = self._by_id, {}
        self._queue.clear()
        for out in outgoing.values():
            out.source = None
            out.done.errback(error)
        self._turns.leave(self)

    @property
    def held(self) -> bool:
        """Whether our own bandwidth limit keeps it waiting now."""
        return self._turns.waits(self)

    # what the peer says of a stream

    def credit_frame(self, stream: int, body: bytes, last: bool) -> None:
        """The peer takes more of a stream."""
        out = self._by_id.get(stream)
        if len(body) != 4:
            raise WireError("malformed", "CREDIT has four bytes")
        if out is not None:
            out.credit += int.from_bytes(body, "big")
            self.pump()

    def reset(self, stream: int, error: StreamReset) -> None:
        """The peer wants no more of a stream."""
        out = self._by_id.pop(stream, None)
        if out is not None:
            self._forget(out)
            out.done.errback(error)

    # one part after the other

    def _give_up(self, out: OutStream) -> None:
        if self._by_id.pop(out.id, None) is not None:
            self._forget(out)
            if out.opened and self._session.ended is None:
                self._session.write(Kind.RESET, out.id, encode(["cancelled", "the sender gave it up"]))

    def pump(self) -> None:
        """Send what may be sent now."""
        idle = 0
        session = self._session
        while self.writable and session.ended is None and session.peer and idle < len(self._queue):
            out = self._queue[0]
            self._queue.rotate(-1)
            if out.ready and (not out.opened or self._turns.allow(self, out.size)):
                idle = 0
                self._send_part(out)
            else:
                idle += 1

    def _send_part(self, out: OutStream) -> None:
        try:
            part: Any = self._next_part(out) if out.opened else _header(out.packet)
        except Exception:  # noqa: BLE001 - whatever packet or source raise is the end of their stream alone
            self._part_failed(out, Failure())
            return
        if not out.opened:
            out.opened = True
            self._session.write(Kind.OPEN, out.id, part, last=out.size == 0)
            if out.size == 0:
                self._complete(out)
        elif isinstance(part, Deferred):
            out.reading = True
            part.addCallbacks(partial(self._part_read, out), partial(self._part_failed, out))
        else:
            self._send_data(out, part)

    def _next_part(self, out: OutStream) -> Any:
        assert out.source is not None
        return out.source.read(out.sent, min(out.credit, self._turns.bucket.part(MAX_BODY), out.size - out.sent))

    def _part_read(self, out: OutStream, part: bytes) -> None:
        out.reading = False
        if out.id in self._by_id:
            self._send_data(out, part)
            self.pump()

    def _part_failed(self, out: OutStream, failure: Failure) -> None:
        if self._by_id.pop(out.id, None) is not None:
            self._forget(out)
            if out.opened:
                self._session.write(Kind.RESET, out.id, encode(["internal", "the payload could not be read"]))
            out.done.errback(failure)

    def _send_data(self, out: OutStream, part: bytes) -> None:
        if not part:
            self._part_failed(out, Failure(StreamReset("internal", "the payload is shorter than it said")))
            return
        out.sent += len(part)
        out.credit -= len(part)
        self._session.write(Kind.DATA, out.id, part, last=out.sent >= out.size)
        if out.progress is not None:
            out.progress(out.sent, out.size)
        if out.finished:
            self._complete(out)

    def _complete(self, out: OutStream) -> None:
        del self._by_id[out.id]
        self._forget(out)
        out.done.callback(None)

    def _forget(self, out: OutStream) -> None:
        """What it was read from may have a file open."""
        self._queue.remove(out)
        out.source = None


def _header(packet: Packet) -> bytes:
    """The peer would end the whole session over a larger one."""
    header = packet.to_bytes()
    if len(header) > MAX_OPEN:
        raise WireError("too-large", f"a packet header of {len(header)} bytes; at most {MAX_OPEN} are allowed")
    return header
