"""A reply that is written piece by piece, as fast as its client reads."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from twisted.web.http import RESPONSES
from zope.interface import implementer

from bitdust.web.answers import SHORT, Answers
from bitdust.web.channel import ApiChannel
from bitdust.web.dialect import Head, Reply

PIECE = 1 << 18
"""Bytes of an answer that are copied to the connection at a time."""


class WrongLength(Exception):
    """A stream had more or less bytes than its reply promised."""


async def _closed(stream: AsyncIterator[bytes]) -> None:
    close: Any = getattr(stream, "aclose", None)
    if close is not None:
        await close()


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), PIECE):
        yield body[start : start + PIECE]


def streamed(reply: Reply, answers: Answers, cut_off: Callable[[], object]) -> Reply:
    """A reply whose long bytes go out piece by piece, and count until then."""
    body, place = reply.body, reply.place
    if not isinstance(body, bytes) or (place is None and len(body) <= SHORT):
        return reply
    place = place or answers.place()
    place.written(len(body), cut_off)
    if len(body) <= SHORT:
        return reply
    return reply._replace(body=_pieces(body), length=len(body), place=place)


def let_go(reply: Reply) -> None:
    """Nobody takes what a reply would have sent."""
    if reply.place is not None:
        reply.place.release()
    if not isinstance(reply.body, bytes):
        Deferred.fromCoroutine(_closed(reply.body)).addErrback(lambda failure: None)


@implementer(IPushProducer)
class Sending:
    """I ask a stream for a piece, write it, and wait until there is room for the next one."""

    def __init__(self, channel: ApiChannel, head: Head, reply: Reply, ended: Callable[[Failure | None], None]) -> None:
        self._channel = channel
        self._head = head
        self._reply = reply
        self._ended = ended
        self._room: Deferred[None] | None = None
        self._full = channel.is_full
        self._running: Deferred[None] | None = None
        self._cancelled = False

    @property
    def _chunked(self) -> bool:
        return self._reply.length is None and self._head.version == b"HTTP/1.1"

    def start(self) -> None:
        """Send the head, then the stream."""
        reply, channel = self._reply, self._channel
        lines = [b"%s %d %s\r\n" % (self._head.version, reply.status, RESPONSES.get(reply.status, b"")), reply.headers]
        if not channel.persistent:
            lines.append(b"Connection: close\r\n")
        if self._chunked:
            lines.append(b"Transfer-Encoding: chunked\r\n\r\n")
        else:
            lines.append(b"\r\n" if reply.length is None else b"Content-Length: %d\r\n\r\n" % reply.length)
        channel.registerProducer(self, True)
        channel.write(b"".join(lines))
        self._running = Deferred.fromCoroutine(self._send_all())
        self._running.addCallbacks(lambda _: self._end(None), self._end)

    def cancel(self) -> None:
        """The client has gone; the stream is closed."""
        self._cancelled = True
        if self._running is not None:
            self._running.cancel()

    def _end(self, failure: Failure | None) -> None:
        self._channel.unregisterProducer()
        if self._reply.place is not None:
            self._reply.place.release()
        if not self._cancelled:
            self._ended(failure)

    async def _send_all(self) -> None:
        reply = self._reply
        stream: Any = reply.body
        sent = 0
        try:
            if self._head.method != b"HEAD":
                async for piece in stream:
                    sent += len(piece)
                    if reply.length is not None and sent > reply.length:
                        raise WrongLength(f"{sent} bytes where {reply.length} were promised")
                    await self._write(piece)
        except Exception as error:
            if self._cancelled or not self._chunked or reply.trailers is None:
                raise
            self._channel.write(b"0\r\n" + reply.trailers(error) + b"\r\n")
            return
        finally:
            await _closed(stream)
        if reply.length is not None and sent < reply.length and self._head.method != b"HEAD":
            raise WrongLength(f"{sent} bytes where {reply.length} were promised")
        if self._chunked and self._head.method != b"HEAD":
            trailers = reply.trailers(None) if reply.trailers is not None else b""
            self._channel.write(b"0\r\n" + trailers + b"\r\n")

    async def _write(self, piece: bytes) -> None:
        if self._cancelled:
            raise CancelledError
        if piece:
            self._channel.write(b"%x\r\n%s\r\n" % (len(piece), piece) if self._chunked else piece)
        if self._full:
            self._room = Deferred()
            await self._room

    # as fast as the client reads

    def pauseProducing(self) -> None:
        """The transport is full."""
        self._full = True

    def resumeProducing(self) -> None:
        """The transport has room again."""
        self._full = False
        if self._reply.place is not None:
            self._reply.place.progress()
        room, self._room = self._room, None
        if room is not None:
            room.callback(None)

    def stopProducing(self) -> None:
        """The transport is gone; `cancel` follows."""
