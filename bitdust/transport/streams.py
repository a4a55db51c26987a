"""Streams: payloads on their way out and in, with credit so that memory stays bounded."""

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.transport.unread import Unread
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Packet
from bitdust.wire.table import Source

WINDOW = 1024 * 1024
LEAST_VIEW = 4096
"""Bytes of the smallest part that is held as a view and not as a copy."""


class StreamReset(BitDustError):
    """Either side gave the stream up, or the session ended."""


class BytesSource:
    """A payload that is in memory already; parts are views, not copies."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data)
        self.size = len(data)

    def read(self, offset: int, length: int) -> bytes:
        """A view of the part."""
        return self._data[offset : offset + length]  # type: ignore[return-value]


class OutStream:
    """One payload on its way out. ``done`` fires when its last byte is handed to the transport."""

    def __init__(
        self, stream: int, packet: Packet, source: Source | None, progress: Callable[[int, int], None] | None
    ) -> None:
        self.id = stream
        self.packet = packet
        self.source = source
        self.size = source.size if source is not None else 0
        self.sent = 0
        self.credit = WINDOW
        self.opened = False
        self.reading = False
        self.progress = progress
        self.done: Deferred[None] = Deferred()

    @property
    def ready(self) -> bool:
        """Whether a part could be written now."""
        return not self.opened or (not self.reading and self.sent < self.size and self.credit > 0)

    @property
    def finished(self) -> bool:
        """Whether all of it is written."""
        return self.opened and self.sent >= self.size


class Payload:
    """The bytes beside a packet's header as they come in.

    One reader asks with `read_all` or `stream_to`; until then at most a window of bytes waits here, because credit is
    only given for what was consumed. ``unread`` counts them.
    """

    def __init__(self, size: int, consumed: Callable[[int], None], unread: Unread) -> None:
        self.size = size
        self.received = 0
        self._consumed = consumed
        self._unread = unread
        self._parts: deque[bytes] = deque()
        self._write: Callable[[memoryview], Any] | None = None
        self._waiting = False
        self._ended = False
        self._failure: BitDustError | None = None
        self._done: Deferred[int] | None = None
        self._progress: Callable[[int, int], None] | None = None

    def feed(self, part: memoryview, last: bool) -> None:
        """The session's side: more bytes, in order. Raises `WireError` when their number is not the announced one."""
        self.received += len(part)
        if self.received > self.size or (last and self.received != self.size):
            raise WireError("malformed", f"a payload of {self.received} bytes where {self.size} were announced")
        self._ended = self._ended or last
        if self._progress is not None:
            self._progress(self.received, self.size)
        if self._write is not None and not self._waiting and not self._parts:
            if len(part):
                self._hand_over(part)
        elif len(part):
            self._parts.append(bytes(part))
            self._unread.add(len(part))
        self._finish()

    def fail(self, error: BitDustError) -> None:
        """The session's side: no more bytes will come."""
        if not self._ended and self._failure is None:
            self._failure = error
            self._forget_parts()
            self._finish()

    def drop(self) -> None:
        """Nobody reads it: what waits is forgotten, and so is what still comes."""
        if self._done is None:
            self._write = lambda part: None
            self._forget_parts()

    def _forget_parts(self) -> None:
        self._unread.take(sum(map(len, self._parts)))
        self._parts.clear()

    def stream_to(self, write: Callable[[memoryview], Any]) -> "Deferred[int]":
        """Hand every part to ``write``; where it gives a Deferred, the next part waits for it. Fires with the size."""
        if self._done is not None:
            raise RuntimeError("a payload has one reader")
        self._write = write
        self._done = Deferred(self._cancelled)
        done = self._done
        self._drain()
        return done

    def pass_all(
        self, write: Callable[[memoryview], Any], limit: int, progress: Callable[[int, int], None] | None = None
    ) -> "Deferred[int]":
        """`stream_to`; raises `WireError` ``too-large`` before reading when there are more than ``limit`` bytes.

        ``progress`` is called with the bytes that have come, and their number in all.
        """
        if self.size > limit:
            raise WireError("too-large", f"a payload of {self.size} bytes; at most {limit} are accepted here")
        self._progress = progress
        return self.stream_to(write)

    def read_all(self, limit: int, progress: Callable[[int, int], None] | None = None) -> "Deferred[bytes]":
        """All bytes at once; as `pass_all` otherwise."""
        parts: list[bytes | memoryview] = []

        def whole(_: int) -> bytes:
            data = b"".join(parts)
            parts.clear()
            return data

        return self.pass_all(lambda part: parts.append(_held(part)), limit, progress).addCallback(whole)

    def _cancelled(self, _: object) -> None:
        self._write = lambda part: None
        self._done = None

    def _drain(self) -> None:
        while self._parts and not self._waiting and self._failure is None:
            part = self._parts.popleft()
            self._unread.take(len(part))
            self._hand_over(memoryview(part))
        self._finish()

    def _hand_over(self, part: memoryview) -> None:
        assert self._write is not None
        size = len(part)
        try:
            result = self._write(part)
        except Exception as error:  # noqa: BLE001 - whatever the reader raises is the reader's end
            self._broken(error)
            return
        if isinstance(result, Deferred):
            self._waiting = True
            result.addCallbacks(lambda _: self._go_on(size), lambda failure: self._broken(failure.value))
        else:
            self._consumed(size)

    def _go_on(self, size: int) -> None:
        self._waiting = False
        self._consumed(size)
        self._drain()

    def _broken(self, error: BaseException) -> None:
        self._waiting = False
        self._forget_parts()
        self._write = lambda part: None
        done, self._done = self._done, None
        if done is not None:
            done.errback(error)

    def _finish(self) -> None:
        done = self._done
        if done is None or self._waiting or self._parts:
            return
        if self._failure is not None:
            self._done = None
            done.errback(self._failure)
        elif self._ended or self.size == 0:
            self._done = None
            done.callback(self.size)


def _held(part: memoryview) -> bytes | memoryview:
    """A part that waits for the others: what it was cut from stays with a view of it, and may be much more; and the
    view itself takes more than a small part."""
    is_most = 2 * len(part) >= len(part.obj)  # type: ignore[arg-type]
    return part if is_most and len(part) >= LEAST_VIEW else bytes(part)
