"""From the bytes of a file to its blocks."""

from attrs import frozen

from bitdust.ipld import chunking
from bitdust.ipld.cid import Block
from bitdust.ipld.errors import malformed
from bitdust.ipld.layout import WIDTH, Balanced, Layout, Leaves, Part, Trickle
from bitdust.ipld.naming import Naming
from bitdust.ipld.unixfs import Kind


@frozen
class Recipe:
    """All that decides which blocks a file becomes. Two nodes with one recipe give one file the same CID."""

    naming: Naming = Naming()
    raw_leaves: bool = False
    trickle: bool = False
    chunker: str = ""
    width: int = WIDTH

    def leaves(self) -> Leaves:
        """Leaves of a trickle tree are RAW, as go-ipfs makes them."""
        return Leaves(self.naming, self.raw_leaves, Kind.RAW if self.trickle else Kind.FILE)

    def layout(self) -> Layout:
        """A tree to fill."""
        return (Trickle if self.trickle else Balanced)(self.naming, self.width)


class FileBuilder:
    """One file: give it bytes as they come and store the blocks that it gives back, the root last.

    Blocks that stand in their CID are not given back. `root` is there after `finish`.
    """

    def __init__(self, recipe: Recipe = Recipe(), layout: Layout | None = None) -> None:  # noqa: B008 - a value
        self._chunker = chunking.parse(recipe.chunker)
        self._leaves, self._layout = recipe.leaves(), layout or recipe.layout()
        self._begun = False
        self._root: Part | None = None

    @property
    def root(self) -> Part:
        """The finished file."""
        if self._root is None:
            raise malformed("a file that is not finished has no root")
        return self._root

    def feed(self, data: bytes) -> list[Block]:
        """The blocks that are complete with this."""
        chunks = self._chunker.feed(data)
        return self._add(chunks) if chunks else []

    def finish(self) -> list[Block]:
        """The last blocks."""
        blocks = self._add(self._chunker.finish())
        if not self._begun and self._layout.empty_leaf:
            blocks += self._add([b""])
        rest, self._root = self._layout.finish()
        return blocks + [block for block in rest if not block.cid.is_inline]

    def _add(self, chunks: list[bytes]) -> list[Block]:
        blocks = []
        for chunk in chunks:
            leaf, part = self._leaves.make(chunk)
            self._begun = True
            blocks += [block for block in (leaf, *self._layout.add(part)) if not block.cid.is_inline]
        return blocks
