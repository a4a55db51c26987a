"""From the tree of a file back to its bytes, from any offset, with only the blocks that hold them."""

from typing import NamedTuple

from bitdust.ipld import dagpb, unixfs
from bitdust.ipld.cid import DAG_PB, RAW, Cid
from bitdust.ipld.dagpb import Link
from bitdust.ipld.errors import malformed, too_large, unsupported
from bitdust.ipld.unixfs import Kind

DEEPEST = 128
MOST_PENDING = 250_000
"""Links that are known and were not followed."""
_EVERYTHING = 1 << 64


class _Wanted(NamedTuple):
    """A part of the file: how long its parent says it is (``None``: nobody says), and how deep it stands."""

    cid: Cid
    size: int | None
    depth: int


class FileReader:
    """Bytes of one file, from ``offset`` on, at most ``length`` of them.

    Fetch what is `wanted`, in any number ahead, and `give` the blocks in that order. What a node says of the length of
    its parts has to be true, so bytes are at their place or the reader fails with ``malformed``. `size` is known after
    the first block.
    """

    def __init__(self, root: Cid, offset: int = 0, length: int | None = None) -> None:
        self._skip = offset
        self._left = _EVERYTHING if length is None else length
        self._pending = [_Wanted(root, None, 0)]
        self.size: int | None = None

    def wanted(self, most: int = 1) -> list[Cid]:
        """The next blocks, as far as they are known; none when all was given."""
        return [one.cid for one in self._pending[: -most - 1 : -1]]

    def give(self, data: bytes) -> bytes:
        """The bytes of the file that the next block adds; none where it only has links."""
        here = self._pending.pop()
        if here.depth > DEEPEST:
            raise too_large(f"a file whose tree is deeper than {DEEPEST}")
        if here.cid.codec == RAW:
            return self._part(here, data, (), ())
        if here.cid.codec != DAG_PB:
            raise unsupported(f"{here.cid} is not a file")
        node = dagpb.decode(data)
        meaning = unixfs.decode(node.data)
        if meaning.kind == Kind.METADATA and here.size is None and node.links:
            self._pending.append(_Wanted(node.links[0].cid, None, here.depth + 1))
            return b""
        if not meaning.is_file:
            raise unsupported(f"this dag node is a {meaning.kind.name.lower()}")
        if len(meaning.blocksizes) != len(node.links):
            raise malformed("a file that does not say how long each of its parts is")
        return self._part(here, meaning.data or b"", node.links, meaning.blocksizes)

    def _part(self, here: _Wanted, data: bytes, links: tuple[Link, ...], sizes: tuple[int, ...]) -> bytes:
        total = len(data) + sum(sizes)
        if here.size is None:
            self.size = total
        elif total != here.size:
            raise malformed(f"{total} bytes in a part of a file that should have {here.size}")
        piece = data[self._skip : self._skip + self._left]
        self._skip -= min(self._skip, len(data))
        self._left -= len(piece)
        self._descend(links, sizes, here.depth + 1)
        return piece

    def _descend(self, links: tuple[Link, ...], sizes: tuple[int, ...], depth: int) -> None:
        """Want the parts that hold what is left; those without bytes are passed over, however many they are."""
        below: list[_Wanted] = []
        end = self._skip + self._left
        start = passed = 0
        for link, size in zip(links, sizes, strict=True):
            if start >= end:
                break
            if size and start + size > self._skip:
                below.append(_Wanted(link.cid, size, depth))
            start += size
            if not below:
                passed = start
        self._skip -= passed
        self._pending += reversed(below)
        if len(self._pending) > MOST_PENDING:
            raise too_large("a file with more open nodes than any has")
