"""Frames inside a session: eight bytes of head, then a body (``docs/formats.md``, section 4). No I/O here."""

import struct
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


_HEAD = struct.Struct(">BIBH")
_KINDS = {int(kind): kind for kind in Kind}
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
        """``enough``, set by the handler, ends `feed` after the frame, or part of a body, that it was given."""
        self._handler = handler
        self.enough = False
        self._buffer = bytearray()
        self._needed = HEAD
        self._frame: tuple[Kind, int, int, bool] | None = None
        self._data_left = 0

    def feed(self, data: bytes) -> int:
        """Read the next bytes; calls the handler for what is complete. What has come in one piece is copied once.

        Gives how many were read: all, unless there is `enough`.
        """
        view, at, end = memoryview(data), 0, len(data)
        while at < end and not self.enough:
            if self._data_left:
                size = min(self._data_left, end - at)
                self._pass_data(view[at : at + size])
            elif not self._buffer and end - at >= self._needed:
                size = self._needed
                self._complete(data[at : at + size])
            else:
                size = min(self._needed - len(self._buffer), end - at)
                self._buffer += view[at : at + size]
                if len(self._buffer) == self._needed:
                    body = bytes(self._buffer)
                    self._buffer.clear()
                    self._complete(body)
            at += size
        return at

    def _pass_data(self, part: memoryview) -> None:
        assert self._frame is not None
        self._data_left -= len(part)
        _, stream, _, last = self._frame
        if not self._data_left:
            self._frame = None
        self._handler.data_received(stream, part, last and not self._data_left)

    def _complete(self, body: bytes) -> None:
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
    flags, stream, high, low = _HEAD.unpack(head_bytes)
    kind = _KINDS.get(flags & ~LAST)
    if kind is None:
        raise WireError("malformed", f"frame type {flags} does not exist")
    length = high << 16 | low
    if length > _LIMITS[kind]:
        raise WireError("too-large", f"a {kind.name} frame of {length} bytes; at most {_LIMITS[kind]} are allowed")
    return kind, stream, length, bool(flags & LAST)
