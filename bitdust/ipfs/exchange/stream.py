"""Blocks that are read from the store while they are sent, one after the other: never more than one is in memory."""

from collections.abc import Awaitable, Callable, Sequence

from twisted.internet.defer import Deferred

from bitdust.ipld.cid import Cid
from bitdust.wire.errors import BitDustError


class BlockStream:
    """The `bitdust.wire.table.Source` of an answer: blocks with their sizes, and who reads one."""

    def __init__(self, blocks: Sequence[tuple[Cid, int]], read: Callable[[Cid], Awaitable[bytes]]) -> None:
        self._blocks = blocks
        self._read = read
        self._number = self._begins = 0
        self._data: bytes | None = None
        self.size = sum(size for _, size in blocks)

    def read(self, offset: int, length: int) -> "Deferred[bytes]":
        """Bytes, which are asked for in their order. Fails with ``damaged-block`` for a block that is not as it was."""
        return Deferred.fromCoroutine(self._read_on(offset, length))

    async def _read_on(self, offset: int, length: int) -> bytes:
        pieces: list[bytes] = []
        while length and self._number < len(self._blocks):
            cid, size = self._blocks[self._number]
            if offset >= self._begins + size:
                self._number, self._begins, self._data = self._number + 1, self._begins + size, None
                continue
            if self._data is None:
                self._data = await self._read(cid)
                if len(self._data) != size:
                    raise BitDustError("damaged-block", f"block {cid} has changed while it was sent")
            piece = self._data[offset - self._begins : offset - self._begins + length]
            pieces.append(piece)
            offset, length = offset + len(piece), length - len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
