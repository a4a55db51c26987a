"""Bodies in chunks: those that come whole and plain in one step, all else as Twisted reads it.

Clients send many small chunks, as every header of a multipart form in one of its own, and Twisted takes several steps
for each of them.
"""

import re
from collections.abc import Callable
from typing import Any

from twisted.web.http import _ChunkedTransferDecoder

_LENGTH = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_LAST = b"0\r\n\r\n"
_BASE: Any = _ChunkedTransferDecoder


class Chunks(_BASE):  # type: ignore[misc]
    """``take`` gets the data of chunks, ``finish`` what comes behind the last one. Raises as Twisted does."""

    state: str

    def __init__(self, take: Callable[[bytes], None], finish: Callable[[bytes], None]) -> None:
        _BASE.__init__(self, take, finish)
        self._take = take

    def dataReceived(self, data: bytes) -> None:
        """The next bytes of the body."""
        if self.state == "CHUNK_LENGTH" and not self._buffer:
            data = data[self._plain(data) :]
            if data == _LAST:
                self.state = "FINISHED"
                self.finishCallback(b"")
                return
        if data:
            _BASE.dataReceived(self, data)

    def _plain(self, data: bytes) -> int:
        """Take the chunks that are whole and have nothing but a length; how many bytes they were."""
        at, pieces = 0, []
        while (found := _LENGTH.match(data, at)) is not None:
            begin, size = found.end(), int(found[1], 16)
            end = begin + size
            if not size or data[end : end + 2] != b"\r\n":
                break
            pieces.append(data[begin:end])
            at = end + 2
        if pieces:
            self._take(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        return at
