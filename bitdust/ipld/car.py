"""CAR, version 1: a header that names the roots, then blocks one after the other, each behind its length and its CID.

Both ways stream: a writer is `header` and then `section` for each block, a reader is fed as bytes come.
"""

from collections.abc import Sequence
from typing import Final

from bitdust.ipld import dagcbor, varint
from bitdust.ipld.cid import LONGEST_BLOCK, LONGEST_CID, Block, Cid
from bitdust.ipld.errors import FormatError, malformed, too_large, unsupported

LONGEST_HEADER: Final = 1024 * 1024
_LONGEST_SECTION: Final = LONGEST_CID + LONGEST_BLOCK


def header(roots: Sequence[Cid]) -> bytes:
    """What a file begins with."""
    data = dagcbor.encode({"roots": list(roots), "version": 1})
    return varint.encode(len(data)) + data


def section(block: Block) -> bytes:
    """One block."""
    cid = bytes(block.cid)
    return b"".join((varint.encode(len(cid) + len(block.data)), cid, block.data))


class CarReader:
    """Takes a file in any pieces and gives its blocks, each checked against its CID (code ``mismatch``).

    `roots` is there after the first piece that ends the header; ask `finish` at the end whether the file is whole. It
    holds one block and the last piece.
    """

    def __init__(self) -> None:
        self.roots: tuple[Cid, ...] | None = None
        self._parts: list[bytes] = []
        self._held = 0
        self._due = 1

    def feed(self, data: bytes) -> list[Block]:
        """The blocks that are complete with this."""
        self._parts.append(data)
        self._held += len(data)
        return self._read() if self._held >= self._due else []

    def finish(self) -> None:
        """The end of the file: refused in the middle of a block, or before the header was whole."""
        if self._held or self.roots is None:
            raise malformed("a CAR file that ends too early")

    def _read(self) -> list[Block]:
        data, at, blocks = b"".join(self._parts), 0, list[Block]()
        while at < len(data):
            start, end = self._frame(data, at)
            if end > len(data):
                break
            if self.roots is None:
                self.roots = _roots(data[start:end])
            else:
                blocks.append(_block(data, start, end))
            at = end
        rest = data[at:]
        self._parts, self._held = [rest], len(rest)
        self._due = max(1, end - at) if rest else 1
        return blocks

    def _frame(self, data: bytes, at: int) -> tuple[int, int]:
        """Where the bytes behind a length begin and end; one byte too far where the length is not there yet."""
        longest = LONGEST_HEADER if self.roots is None else _LONGEST_SECTION
        try:
            length, start = varint.decode(data, at)
        except FormatError:
            if len(data) - at >= varint.LONGEST or not all(byte & 0x80 for byte in data[at:]):
                raise
            return at, len(data) + 1
        if not length:
            raise malformed("a section of a CAR file without a block")
        if length > longest:
            raise too_large(f"a section of {length} bytes in a CAR file")
        return start, start + length


def _roots(data: bytes) -> tuple[Cid, ...]:
    found = dagcbor.decode(data)
    version = found.get("version") if isinstance(found, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise malformed("a CAR file without a version")
    if version != 1:
        raise unsupported(f"a CAR file of version {version}")
    roots = found.get("roots")
    if set(found) != {"roots", "version"} or not isinstance(roots, list):
        raise malformed("a CAR file whose header is not of version 1")
    if not all(isinstance(root, Cid) for root in roots):
        raise malformed("a root of a CAR file that is no CID")
    return tuple(roots)


def _block(data: bytes, start: int, end: int) -> Block:
    cid, begin = Cid.read(memoryview(data)[:end], start)
    content = data[begin:end]
    if not cid.matches(content):
        raise FormatError("mismatch", f"a block that is not what {cid} names")
    return Block(cid, content)
