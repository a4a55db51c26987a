"""I answer partners that ask for blocks: those who may, each in its turn, and no more than is fair.

A few requests are read from the disk at a time. Of all peers that wait, the one comes next that has had the least of
this node beside what it has given. Whoever is neither friend nor device of mine has a share of bytes a day. Keys cost
nothing: in all of this strangers of one network count as one.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from attrs import define
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from bitdust.blocks.store import BlockStore
from bitdust.blocks.values import Row
from bitdust.config.settings import Settings
from bitdust.ipfs.exchange.partners import ASKED, Counts, Key, Ledger, Partners
from bitdust.ipfs.exchange.stream import BlockStream
from bitdust.ipfs.exchange.wire import ABSENT, LATER, MOST_BYTES, cids_of
from bitdust.ipld.cid import Cid
from bitdust.scopes.reservations import Allowance
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.table import Answer, Request, Who, ack

SHARED_WITH = "services/ipfs/share-with"
NOBODY, FRIENDS, EVERYBODY = "nobody", "friends", "everybody"
AT_ONCE = 4
"""Requests that are read from the disk together."""
MOST_WAITING = 16
"""Requests of one peer that wait."""
STRANGERS_DAY = float(1 << 30)
"""Bytes a day for who is neither friend nor device of mine, or for all of those of one network."""
REMEMBERED = 1024
T = TypeVar("T")


@define(eq=False)
class Waiting:
    """A request that has to wait for its turn."""

    key: Key
    turn: "Deferred[None]"


class Serving:
    """The handlers of both packets."""

    def __init__(
        self,
        clock: IReactorTime,
        settings: Settings,
        store: Callable[[], BlockStore],
        partners: Partners,
        counts: Counts,
        has_role: Callable[[Who, bytes], bool],
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._store = store
        self._partners = partners
        self._counts = counts
        self._has_role = has_role
        self._busy = 0
        self._waiting: dict[Key, deque[Waiting]] = {}
        self._shares: dict[Key, Allowance] = {}
        self._networks: dict[Key, Ledger] = {}
        self.refused = 0

    async def haves(self, request: Request) -> Answer:
        """Which of these blocks are here."""
        key, cids = self._admit(request)
        account = self._account(key)
        return ack(sizes=[_size_of(row) for row in await self._in_turn(account, lambda: self._store().rows(cids))])

    async def blocks(self, request: Request) -> Answer:
        """Those of these blocks that are here, as many as one answer holds."""
        key, cids = self._admit(request)
        account = self._account(key)
        share = self._share(key, account)
        if share is not None and share.left() <= 0:
            raise BitDustError("busy", "you have had your share of this node's blocks; come again later")
        sizes = self._cut(await self._in_turn(account, lambda: self._store().rows(cids)))
        there = [(cid, size) for cid, size in zip(cids, sizes, strict=True) if size >= 0]
        source = BlockStream(there, lambda cid: self._block(key, account, cid))
        if share is not None:
            share.spend(float(source.size))
        return Answer(Command.DATA, {"sizes": sizes}, source)

    def _cut(self, rows: list[Row | None]) -> list[int]:
        sizes: list[int] = []
        whole = 0
        for size in map(_size_of, rows):
            fits = not whole or whole + size <= MOST_BYTES
            whole += size if size > 0 and fits else 0
            sizes.append(size if size < 0 or fits else LATER)
        return sizes

    async def _block(self, key: Key, account: Key, cid: Cid) -> bytes:
        data = await self._in_turn(account, lambda: self._store().get(cid))
        for one in {key, account}:
            ledger = self._ledger(one)
            ledger.sent_bytes, ledger.sent = ledger.sent_bytes + len(data), ledger.sent + 1
        self._counts.blocks_sent += 1
        self._counts.data_sent += len(data)
        return data

    async def _in_turn(self, account: Key, read: "Callable[[], Deferred[T]]") -> T:
        await self._turn(account)
        try:
            return await read()
        finally:
            self._next()

    # who may

    def may_have(self, fingerprint: bytes) -> bool:
        """Whether this node gives blocks to a peer."""
        shared = self._settings.get(SHARED_WITH)
        return shared == EVERYBODY or (shared == FRIENDS and self._has_role(ASKED, fingerprint))

    def _admit(self, request: Request) -> tuple[Key, list[Cid]]:
        key = (request.peer.fingerprint, request.peer.device)
        if not self.may_have(key[0]):
            self.refused += 1
            raise BitDustError("not-allowed", "this node gives its blocks to its friends alone")
        self._partners.ledger(key).messages += 1
        return key, cids_of(request.fields)

    def _account(self, key: Key) -> Key:
        """Whose turns and bytes those of a peer are: a stranger's are those of its network."""
        network = self._partners.network(key)
        return (b"", network.encode()) if network else key

    def _ledger(self, account: Key) -> Ledger:
        return _remembered(self._networks, account, Ledger) if not account[0] else self._partners.ledger(account)

    def _share(self, key: Key, account: Key) -> Allowance | None:
        if self._has_role(ASKED, key[0]):
            return None
        day = partial(Allowance, self._clock, STRANGERS_DAY / 86_400, STRANGERS_DAY)
        return _remembered(self._shares, account, day)

    # whose turn it is

    def _turn(self, key: Key) -> "Deferred[None]":
        """Fires when it is; `_next` ends it. Raises ``busy``."""
        turn: Deferred[None] = Deferred(lambda _: self._withdraw(waiting))
        waiting = Waiting(key, turn)
        queue = self._waiting.get(key)
        if self._busy < AT_ONCE and not self._waiting:
            self._busy += 1
            turn.callback(None)
        elif queue is not None and len(queue) >= MOST_WAITING:
            raise BitDustError("busy", f"{MOST_WAITING} requests of yours wait for blocks already")
        else:
            self._waiting.setdefault(key, deque()).append(waiting)
        return turn

    def _withdraw(self, waiting: Waiting) -> None:
        queue = self._waiting.get(waiting.key, deque())
        if waiting in queue:
            queue.remove(waiting)
            self._forget(waiting.key)

    def _forget(self, key: Key) -> None:
        if not self._waiting.get(key):
            self._waiting.pop(key, None)

    def _next(self) -> None:
        self._busy -= 1
        if not self._waiting:
            return
        key = min(self._waiting, key=lambda one: self._ledger(one).debt)
        waiting = self._waiting[key].popleft()
        self._forget(key)
        self._busy += 1
        waiting.turn.callback(None)

    def stop(self) -> None:
        """Nobody is answered any more."""
        for queue in list(self._waiting.values()):
            for waiting in list(queue):
                waiting.turn.errback(CancelledError())
        self._waiting.clear()


def _remembered(kept: dict[Key, T], key: Key, make: Callable[[], T]) -> T:
    """One of the last that were needed, or a new one."""
    found = kept.pop(key, None)
    kept[key] = found = make() if found is None else found
    if len(kept) > REMEMBERED:
        del kept[next(iter(kept))]
    return found


def _size_of(row: Row | None) -> int:
    return row.size if row is not None and row.pack is not None else ABSENT
