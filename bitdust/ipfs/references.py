"""What blocks link to, and what those link to: the references below some roots."""

from collections.abc import AsyncIterator, Sequence

from attrs import frozen

from bitdust.ipfs.blocks import Blocks, get, work
from bitdust.ipld import dagpb
from bitdust.ipld.cid import DAG_PB, Cid
from bitdust.ipld.codecs import links
from bitdust.wire.errors import BitDustError

MOST_OPEN = 250_000
"""Links that are known and were not followed."""
MOST_SEEN = 4_000_000


@frozen
class Reference:
    """A link from one block to another, with its name where it has one."""

    parent: Cid
    cid: Cid
    name: str = ""


async def references(blocks: Blocks, parent: Cid) -> list[Reference]:
    """All links of a block."""
    data = await get(blocks, parent)
    found: list[Reference] = await work(blocks.in_thread, len(data), _references, parent, data)
    return found


def _references(parent: Cid, data: bytes) -> list[Reference]:
    if parent.codec == DAG_PB:
        return [Reference(parent, link.cid, link.name) for link in dagpb.decode(data).links]
    return [Reference(parent, cid) for cid in links(parent, data)]


async def below(
    blocks: Blocks, roots: Sequence[Cid], deepest: int | None = None, unique: bool = False
) -> AsyncIterator[Reference]:
    """References below roots, a block before what it links to, at most so many links deep.

    ``unique`` names each block once; otherwise one is named as often as it is met, but followed only where it was not
    followed before from as high up.
    """
    named: set[bytes] = set()
    followed: dict[bytes, int] = {}
    waiting: list[tuple[Reference, int]] = []
    for root in roots:
        first = await references(blocks, root) if deepest != 0 else []
        waiting += [(one, 1) for one in reversed(first)]
        while waiting:
            one, depth = waiting.pop()
            name = one.cid.multihash
            if not unique or name not in named:
                named.add(name)
                yield one
            if depth == deepest or followed.get(name, depth + 1) <= depth:
                continue
            followed[name] = depth
            found = await references(blocks, one.cid)
            waiting += [(each, depth + 1) for each in reversed(found)]
            if len(waiting) > MOST_OPEN or len(followed) > MOST_SEEN:
                raise BitDustError("too-large", "there are more links below this than one command follows")
