"""Where commands get blocks: from the store of this node."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred

from bitdust.ipld.cid import Cid
from bitdust.ipld.steps import Steps
from bitdust.wire.errors import BitDustError

T = TypeVar("T")
AHEAD = 32
"""Blocks of a file that are asked for together; the store gives fewer of them where they are large."""


class Blocks(Protocol):
    """Who has blocks. `bitdust.blocks.store.BlockStore` is one."""

    def get(self, cid: Cid, /) -> "Deferred[bytes]":
        """A block. Fails with ``not-found`` where nobody has it."""

    def get_some(self, cids: Sequence[Cid], /) -> "Deferred[list[bytes]]":
        """The first of some blocks, one at least. Fails with ``not-found``."""


class Reader(Protocol):
    """A reader of `bitdust.ipld` that names the blocks which it wants next."""

    def wanted(self, most: int = 1, /) -> list[Cid]:
        """The next ones."""

    def give(self, data: bytes, /) -> bytes:
        """Take the first of them; what it adds."""


async def follow(blocks: Blocks, steps: Steps[T]) -> T:
    """The result of work that needs blocks."""
    try:
        wanted = next(steps)
        while True:
            try:
                data = await get(blocks, wanted)
            except BitDustError as error:
                wanted = steps.throw(error)
            else:
                wanted = steps.send(data)
    except StopIteration as stop:
        result: T = stop.value
        return result


async def get(blocks: Blocks, cid: Cid) -> bytes:
    """A block; one that stands in its CID is there anyway."""
    if cid.is_inline:
        return cid.inline()
    data: bytes = await blocks.get(cid)
    return data


async def pieces(blocks: Blocks, reader: Reader) -> AsyncIterator[bytes]:
    """What a reader makes of its blocks, in order; several are asked for together."""
    while wanted := reader.wanted(AHEAD):
        for cid, data in zip(wanted, await blocks.get_some(wanted), strict=False):
            if reader.wanted() != [cid]:
                break  # the block before had links, and what they lead to comes first
            if piece := reader.give(data):
                yield piece
