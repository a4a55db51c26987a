"""Where commands get blocks: from the store of this node."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred, succeed

from bitdust.blocks.store import BlockStore
from bitdust.ipld.cid import Cid
from bitdust.ipld.dagpb import Link
from bitdust.ipld.steps import Steps
from bitdust.wire.errors import BitDustError

T = TypeVar("T")
InThread = Callable[..., "Deferred[Any]"]
LARGE = 64 * 1024
"""Bytes of a block from which on it is decoded in a thread."""
AHEAD = 32
"""Blocks of a file that are asked for together; the store gives fewer of them where they are large."""
MOST_AHEAD = 4 * 1024 * 1024
LARGE_BLOCK = 256 * 1024
"""Bytes of a usual block: what belongs to a larger file begins with one."""


class Blocks(Protocol):
    """Who has blocks, and where large ones are looked at."""

    @property
    def in_thread(self) -> InThread:
        """Calls something in a thread; fires with what it returns."""

    def get(self, cid: Cid, /) -> "Deferred[bytes]":
        """A block. Fails with ``not-found`` where nobody has it."""

    def get_some(self, cids: Sequence[Cid], /) -> "Deferred[list[bytes]]":
        """The first of some blocks, one at least. Fails with ``not-found``."""


@frozen
class StoredBlocks:
    """Blocks of the block store; of its disk alone where they are to be ``is_local``."""

    _store: BlockStore
    in_thread: InThread
    is_local: bool = False

    def get(self, cid: Cid) -> "Deferred[bytes]":
        """A block."""
        return self._store.get(cid, is_local=self.is_local)

    def get_some(self, cids: Sequence[Cid]) -> "Deferred[list[bytes]]":
        """The first of some blocks."""
        return self._store.get_some(cids, is_local=self.is_local)


class Recent:
    """Blocks, of which the last one is still here: what looks at a node and then reads it asks for it several times.
    A block is what its CID names, so it cannot be another one by now."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._cid: Cid | None = None
        self._data = b""

    @property
    def in_thread(self) -> InThread:
        """Calls something in a thread."""
        return self._blocks.in_thread

    def get(self, cid: Cid) -> "Deferred[bytes]":
        """A block."""
        if cid == self._cid:
            return succeed(self._data)
        return self._blocks.get(cid).addCallback(self._keep, cid)

    def get_some(self, cids: Sequence[Cid]) -> "Deferred[list[bytes]]":
        """The first of some blocks."""
        if cids[0] == self._cid:
            return succeed([self._data])
        return self._blocks.get_some(cids)

    def _keep(self, data: bytes, cid: Cid) -> bytes:
        self._cid, self._data = cid, data
        return data


class Ahead:
    """Blocks, of which some are read before they are asked for: who goes through a directory knows what comes next, and
    to ask for blocks one by one is most of what small files cost. `MOST_AHEAD` bytes are kept, the last ones."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._here: OrderedDict[Cid, bytes] = OrderedDict()
        self._size = 0

    @property
    def in_thread(self) -> InThread:
        """Calls something in a thread."""
        return self._blocks.in_thread

    def get(self, cid: Cid) -> "Deferred[bytes]":
        """A block."""
        data = self._here.get(cid)
        return self._blocks.get(cid) if data is None else succeed(data)

    def get_some(self, cids: Sequence[Cid]) -> "Deferred[list[bytes]]":
        """The first of some blocks."""
        data = self._here.get(cids[0])
        return self._blocks.get_some(cids) if data is None else succeed([data])

    async def each(self, links: Sequence[Link]) -> AsyncIterator[Link]:
        """Links, each when its block is here. One that cannot be had is told where it is asked for."""
        at = 0
        for number, link in enumerate(links):
            if number == at:
                at = self._end(links, number)
                await self.look([one.cid for one in links[number:at]])
            yield link

    def _end(self, links: Sequence[Link], at: int) -> int:
        """Behind the last one of those that are read together, by the sizes that their directory names."""
        size, end = 0, at
        while end < len(links) and end - at < AHEAD and size < MOST_AHEAD // 2:
            size += min(links[end].size or 0, LARGE_BLOCK)
            end += 1
        return end

    def has(self, cid: Cid) -> bool:
        """Whether a block was read already."""
        return cid in self._here

    async def look(self, cids: Sequence[Cid]) -> None:
        """Read some blocks, or the first of them."""
        wanted = [cid for cid in dict.fromkeys(cids) if not cid.is_inline and cid not in self._here]
        if len(wanted) < 2:  # noqa: PLR2004 - one alone is as soon here when it is asked for
            return
        try:
            found = await self._blocks.get_some(wanted)
        except BitDustError:
            return
        for cid, data in zip(wanted, found, strict=False):
            self._here[cid] = data
            self._size += len(data)
        while self._size > MOST_AHEAD:
            self._size -= len(self._here.popitem(last=False)[1])


class Reader(Protocol):
    """A reader of `bitdust.ipld` that names the blocks which it wants next."""

    def wanted(self, most: int = 1, /) -> list[Cid]:
        """The next ones."""

    def give(self, data: bytes, /) -> bytes:
        """Take the first of them; what it adds."""


async def follow(blocks: Blocks, steps: Steps[T]) -> T:
    """The result of work that needs blocks; what it does with large ones it does in a thread."""
    now: Cid | _Result[T] = _advance(steps.send, None)
    while isinstance(now, Cid):
        try:
            data = await get(blocks, now)
        except BitDustError as error:
            now = _advance(steps.throw, error)
        else:
            now = await work(blocks.in_thread, len(data), _advance, steps.send, data)
    return now.value


async def work(in_thread: InThread, size: int, call: Callable[..., Any], *arguments: Any) -> Any:
    """What a call returns that takes time because so many bytes are looked at."""
    if size < LARGE:
        return call(*arguments)
    return await in_thread(call, *arguments)


@frozen
class _Result(Generic[T]):
    """Of work that is done."""

    value: T


def _advance(go_on: Callable[[Any], Cid], given: Any) -> "Cid | _Result[Any]":
    try:
        return go_on(given)
    except StopIteration as stop:
        return _Result(stop.value)


async def get(blocks: Blocks, cid: Cid) -> bytes:
    """A block; one that stands in its CID is there anyway."""
    if cid.is_inline:
        return cid.inline()
    data: bytes = await blocks.get(cid)
    return data


async def pieces(blocks: Blocks, reader: Reader) -> AsyncIterator[bytes]:
    """What a reader makes of its blocks, in order; few are asked for together at first, so that the first bytes come
    soon, and then more."""
    ahead = 1
    while wanted := reader.wanted(ahead):
        ahead = min(2 * ahead, AHEAD)
        for cid, data in zip(wanted, await blocks.get_some(wanted), strict=False):
            if reader.wanted() != [cid]:
                break  # the block before had links, and what they lead to comes first
            if piece := reader.give(data):
                yield piece
