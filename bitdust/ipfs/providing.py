"""I say in the hash table which blocks this node has, as far as the person wants that: none by default."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.automats.ipfs_provider import IpfsProvider
from bitdust.blocks.pinning import FIRST
from bitdust.blocks.store import BlockStore
from bitdust.blocks.values import Mode
from bitdust.ipfs.routing import Routing
from bitdust.ipld.cid import Cid
from bitdust.surroundings import Connected

PROVIDE = "services/ipfs/provide"
NONE, ROOTS, PINNED = "none", "roots", "pinned"
MOST = 2000
"""Blocks of which it is said."""
AGAIN_SECONDS = 11 * 3600.0
"""What was said so long ago is said again."""


class Providing:
    """The port of one `IpfsProvider`."""

    log = Logger()

    def __init__(self, around: Connected, store: Callable[[], BlockStore], routing: Routing) -> None:
        self._clock = around.world.clock
        self._settings = around.settings
        self._store = store
        self._routing = routing
        self._said: dict[bytes, float] = {}
        self._waiting: OrderedDict[bytes, Cid] = OrderedDict()
        self._forget: list[Callable[[], None]] = []
        self.problem = ""
        self.machine = IpfsProvider(around.registry, self)

    def open(self) -> None:
        """Begin, if anything is to be said."""
        self._forget = [
            self._settings.on_change(PROVIDE, lambda key, old, new: self.again()),
            self._store().changed.connect(lambda changes: self.machine.send("changed")),
        ]
        self.machine.send("changed")

    def close(self) -> None:
        """Say nothing any more; records expire by themselves."""
        forget, self._forget = self._forget, []
        for one in forget:
            one()
        self.machine.send("stop")

    def again(self) -> None:
        """Say all of it again, now."""
        self._said.clear()
        self.machine.send("changed")

    def network_is_back(self) -> None:
        """Others are in the hash table again: what nobody has heard is said now."""
        if self.problem:
            self.machine.send("changed")

    @property
    def waiting(self) -> int:
        """Blocks of which it has still to be said."""
        return len(self._waiting)

    # what the machine asks

    def is_wanted(self) -> bool:
        return bool(self._settings.get(PROVIDE) != NONE)

    def gather(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._gather())

    async def _gather(self) -> None:
        found: OrderedDict[bytes, Cid] = OrderedDict()
        async for cid in self._wanted():
            if len(found) >= MOST:
                self.log.warn("more than {most} blocks: of the others nothing is said in the DHT", most=MOST)
                break
            found.setdefault(cid.multihash, cid)
        now = self._clock.seconds()
        self._said = {one: at for one, at in self._said.items() if one in found and now - at < AGAIN_SECONDS}
        self._waiting = OrderedDict((one, cid) for one, cid in found.items() if one not in self._said)

    async def _wanted(self) -> AsyncIterator[Cid]:
        store, wanted = self._store(), self._settings.get(PROVIDE)
        for root in (await store.roots()).values():
            yield root
        after = FIRST
        while pins := await store.pins(None, after):
            for after, pin in pins:  # noqa: B007 - the last one counts
                if pin.mode is Mode.RECURSIVE or wanted == PINNED:
                    yield pin.cid
        if wanted == PINNED:
            below = await store.indirect()
            while rows := await store.indirect_page(below):
                for row in rows:
                    yield row.cid

    def has_next(self) -> bool:
        return bool(self._waiting)

    def provide(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._provide())

    async def _provide(self) -> None:
        multihash, cid = next(iter(self._waiting.items()))
        await self._routing.provide(cid)
        self._said[multihash] = self._clock.seconds()
        self._waiting.pop(multihash, None)

    def report(self, why: str) -> None:
        self.problem = why
        if why:
            self.log.info("not said in the DHT what this node has: {why}", why=why)
