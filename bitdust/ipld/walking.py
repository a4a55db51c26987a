"""Everything below a root, depth first: the order of a CAR file, of pins, and of a list of references."""

from typing import NamedTuple, Protocol

from bitdust.ipld import codecs
from bitdust.ipld.cid import Cid
from bitdust.ipld.errors import too_large

DEEPEST = 100_000
MOST_PENDING = 250_000
"""Links that are known and were not followed."""


class Seen(Protocol):
    """Which blocks were visited, by multihash: a ``set``, or a table where there are too many for memory."""

    def __contains__(self, multihash: object, /) -> bool: ...

    def add(self, multihash: bytes, /) -> None: ...


class Visit(NamedTuple):
    """A block on the way: its CID, and how many links below the root it was found first."""

    cid: Cid
    depth: int


class Walk:
    """Each block below the roots once, a node before what it links to, links in their order.

    Ask for the `next` visit, fetch that block, and `give` it before the next one, or do not, and what is below it is
    passed over. ``deepest`` links below the roots it ends.
    """

    def __init__(self, roots: list[Cid], seen: Seen | None = None, deepest: int = DEEPEST) -> None:
        self._seen: Seen = set[bytes]() if seen is None else seen
        self._deepest = deepest
        self._pending = [Visit(root, 0) for root in reversed(roots)]
        self._here: Visit | None = None

    def next(self) -> Visit | None:
        """The next block that was not visited; ``None`` at the end."""
        while self._pending:
            visit = self._pending.pop()
            if visit.cid.multihash not in self._seen:
                self._seen.add(visit.cid.multihash)
                self._here = visit
                return visit
        return None

    def coming(self, most: int) -> list[Cid]:
        """What comes next where no block has links, as far as is known; some of it may have been visited."""
        return [visit.cid for visit in reversed(self._pending[-most:])] if most else []

    def give(self, data: bytes) -> tuple[Cid, ...]:
        """The links of the block that was named last."""
        here, self._here = self._here, None
        if here is None:
            return ()
        links = codecs.links(here.cid, data)
        if here.depth < self._deepest:
            new = [Visit(link, here.depth + 1) for link in links if link.multihash not in self._seen]
            self._pending += reversed(new)
            if len(self._pending) > MOST_PENDING:
                raise too_large("more open links than a walk can hold")
        return links
