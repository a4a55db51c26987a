"""Blocks for one call of a client: from the store, and what is missing there from other nodes, which then is stored."""

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, DeferredSemaphore

from bitdust.blocks.leases import Lease
from bitdust.blocks.store import BlockStore
from bitdust.ipfs.blocks import Blocks, InThread, work
from bitdust.ipfs.exchange.exchange import Exchange
from bitdust.ipfs.exchange.session import Session
from bitdust.ipld.cid import RAW, Cid
from bitdust.ipld.codecs import links
from bitdust.outcome import Outcome, outcome

MOST_TOGETHER = 16
"""Blocks of one call that are asked for at the same time."""
ABSENT = "not-found"


class FetchedBlocks:
    """I have one session of the exchange, which begins at the first block that is not here. `end` ends it."""

    def __init__(
        self, store: Callable[[], BlockStore], in_thread: InThread, exchange: Exchange, is_patient: bool = False
    ) -> None:
        self._store = store
        self.in_thread = in_thread
        self._exchange = exchange
        self._is_patient = is_patient
        self._session: Session | None = None
        self._lease: Lease | None = None
        self._slots: DeferredSemaphore = exchange.slots
        self._together = 1

    def get(self, cid: Cid) -> "Deferred[bytes]":
        """A block. Fails with ``not-found`` where nobody who was asked has it."""
        return Deferred.fromCoroutine(self._get(cid))

    async def _get(self, cid: Cid) -> bytes:
        found = await outcome(self._store().get(cid))
        if found.error is None:
            data: bytes = found.value
            return data
        if found.code != ABSENT:
            raise found.error
        self._begin(cid)
        fetched: bytes = await self._slots.run(self._fetch, cid)
        return fetched

    def _begin(self, root: Cid) -> None:
        if self._session is None:
            self._session = self._exchange.session(root, self._is_patient)
            self._lease = self._store().lease()
            self._lease.hold(root).addErrback(lambda _: None)  # what was fetched may be collected then

    def _fetch(self, cid: Cid) -> "Deferred[bytes]":
        if self._session is not None:
            self._exchange.expect(self._session, [cid])
        return self._store().get(cid, elsewhere=True)

    def get_some(self, cids: Sequence[Cid]) -> "Deferred[list[bytes]]":
        """The first of some blocks, one at least."""
        return Deferred.fromCoroutine(self._get_some(cids))

    async def _get_some(self, cids: Sequence[Cid]) -> list[bytes]:
        found = await outcome(self._store().get_some(cids))
        if found.error is None:
            here: list[bytes] = found.value
            return here
        if found.code != ABSENT:
            raise found.error
        asked = [outcome(self.get(cid)) for cid in cids[: self._together]]
        whole: list[bytes] = []
        try:
            for one in asked:
                ended: Outcome = await one
                if ended.error is not None:
                    if not whole:
                        raise ended.error
                    break
                whole.append(ended.value)
        finally:
            for one in asked:
                one.addErrback(lambda _: None)
                one.cancel()
        self._together = min(MOST_TOGETHER, self._together * 2)
        return whole

    def end(self) -> None:
        """Fetch nothing any more."""
        if self._session is not None:
            self._session.stop()
        if self._lease is not None:
            self._lease.end()


async def bring(blocks: Blocks, root: Cid) -> None:
    """See that a block is here, and all below it. Raises ``not-found`` for one that nobody has."""
    waiting, seen = [root], {root.multihash}
    while waiting:
        cids = waiting[-MOST_TOGETHER:]
        several = [cid for cid in cids if not cid.is_inline]
        found = await blocks.get_some(several) if several else []
        done = several[: len(found)]
        waiting = [*waiting[: -len(cids)], *several[len(found) :]]
        for cid, data in zip(done, found, strict=True):
            below = () if cid.codec == RAW else await work(blocks.in_thread, len(data), _links, cid, data)
            for one in below:
                if one.multihash not in seen:
                    seen.add(one.multihash)
                    waiting.append(one)


def _links(cid: Cid, data: bytes) -> list[Cid]:
    return list(links(cid, data))
