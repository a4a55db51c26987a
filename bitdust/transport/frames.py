"""Frames inside a session: eight bytes of head, then a body (``docs/formats.md``, section 4). No I/O here."""

from enum import IntEnum
from typing import Protocol

from bitdust.wire.encoding import WireError

HEAD = 8
LAST = 0x80
MAX_BODY = 256 * 1024
MAX_HELLO = 64 * 1024
MAX_OPEN = 16 * 1024


class Kind(IntEnum):
    """What a frame is for."""

    HELLO = 1
    OPEN = 2
    DATA = 3
    CREDIT = 4
    RESET = 5
    PING = 6
    PONG = 7
    GOODBYE = 8


_LIMITS = {
    Kind.HELLO: MAX_HELLO,
    Kind.OPEN: MAX_OPEN,
    Kind.DATA: MAX_BODY,
    Kind.CREDIT: 4,
    Kind.RESET: 2048,
    Kind.PING: 8,
    Kind.PONG: 8,
    Kind.GOODBYE: 2048,
}


def head(kind: Kind, stream: int, length: int, last: bool = False) -> bytes:
    """The eight bytes before a body."""
    return bytes((kind | LAST if last else kind,)) + stream.to_bytes(4, "big") + length.to_bytes(3, "big")


class FrameHandler(Protocol):
    """Who takes what a reader finds."""

    def frame_received(self, kind: Kind, stream: int, body: bytes, last: bool) -> None:
        """A whole frame of any kind but DATA."""

    def data_received(self, stream: int, part: memoryview, last: bool) -> None:
        """A part of a DATA body as it comes in; ``last`` with the final part of the stream."""


class FrameReader:
    """Cuts bytes into frames; bodies of DATA are passed on as they come, everything else is small and kept until whole.

    Raises `WireError` ``malformed`` or ``too-large``; after that the session is over.
    """

    def __init__(self, handler: FrameHandler) -> None:
        self._handler = handler
        self._buffer = bytearray()
        self._needed = HEAD
        self._frame: tuple[Kind, int, int, bool] | None = None
        self._data_left = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes; calls the handler for what is complete."""
        view = memoryview(data)
        while view:
            if self._data_left:
                view = self._pass_data(view)
                continue
            missing = self._needed - len(self._buffer)
            self._buffer += view[:missing]
            view = view[missing:]
            if len(self._buffer) == self._needed:
                self._complete()

    def _pass_data(self, view: memoryview) -> memoryview:
        assert self._frame is not None
        part = view[: self._data_left]
        self._data_left -= len(part)
        _, stream, _, last = self._frame
        if not self._data_left:
            self._frame = None
        self._handler.data_received(stream, part, last and not self._data_left)
        return view[len(part) :]

    def _complete(self) -> None:
        body = bytes(self._buffer)
        self._buffer.clear()
        if self._frame is not None:
            kind, stream, _, last = self._frame
            self._frame, self._needed = None, HEAD
            self._handler.frame_received(kind, stream, body, last)
            return
        self._frame = kind, stream, length, last = _parse_head(body)
        if kind is Kind.DATA and length:
            self._data_left = length
        elif length:
            self._needed = length
        else:
            self._frame = None
            self._empty(kind, stream, last)

    def _empty(self, kind: Kind, stream: int, last: bool) -> None:
        if kind is Kind.DATA:
            self._handler.data_received(stream, memoryview(b""), last)
        else:
            self._handler.frame_received(kind, stream, b"", last)


def _parse_head(head_bytes: bytes) -> tuple[Kind, int, int, bool]:
    try:
        kind = Kind(head_bytes[0] & ~LAST)
    except ValueError as error:
        raise WireError("malformed", f"frame type {head_bytes[0]} does not exist") from error
    length = int.from_bytes(head_bytes[5:8], "big")
    if length > _LIMITS[kind]:
        raise WireError("too-large", f"a {kind.name} frame of {length} bytes; at most {_LIMITS[kind]} are allowed")
    return kind, int.from_bytes(head_bytes[1:5], "big"), length, bool(head_bytes[0] & LAST)
