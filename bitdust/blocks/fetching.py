"""Blocks that are not here, or cannot be read, come from others who have them: suppliers, or other nodes."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.automats.block_fetch import BlockFetch
from bitdust.automats.kernel import Registry
from bitdust.blocks.leases import Lease
from bitdust.blocks.values import BlockSource, not_here
from bitdust.ipld.cid import Block, Cid
from bitdust.outcome import answer
from bitdust.wire.errors import BitDustError

MOST = 64
"""Blocks that are asked for at a time."""


class Fetches:
    """I ask for each block once, whoever waits for it. ``sources`` are asked in their order."""

    log = Logger()

    def __init__(self, registry: Registry, lease: Callable[[], Lease]) -> None:
        self._registry = registry
        self.lease = lease
        self.sources: list[BlockSource] = []
        self._running: dict[bytes, Fetch] = {}

    def fetch(self, cid: Cid) -> "Deferred[bytes]":
        """Fires with the block, which was stored if it could be. Fails with ``not-found``, or ``busy``."""
        fetch = self._running.get(cid.multihash)
        if fetch is not None:
            return fetch.wait()
        if len(self._running) >= MOST:
            return fail(BitDustError("busy", f"{MOST} blocks are being asked for already"))
        fetch = self._running[cid.multihash] = Fetch(self, self._registry, cid)
        waiting = fetch.wait()
        fetch.machine.send("start")
        return waiting

    def over(self, fetch: "Fetch", why: Any) -> None:
        """One has ended."""
        self._running.pop(fetch.cid.multihash, None)
        if why is not None:
            self.log.warn("block {cid} came and was not stored: {why}", cid=str(fetch.cid), why=why)

    def stop(self) -> None:
        """Nobody waits any more."""
        for fetch in list(self._running.values()):
            fetch.machine.send("stop")


class Fetch:
    """One block; the port of its machine."""

    def __init__(self, fetches: Fetches, registry: Registry, cid: Cid) -> None:
        self._fetches = fetches
        self.cid = cid
        self.data: bytes | None = None
        self._asked = 0
        self._waiting: list[Deferred[bytes]] = []
        self.machine = BlockFetch(registry, str(cid), self)

    def wait(self) -> "Deferred[bytes]":
        """Fires with the block."""
        waiting: Deferred[bytes] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def has_source(self) -> bool:
        return self._asked < len(self._fetches.sources)

    def ask(self) -> "Deferred[bytes | None]":
        source = self._fetches.sources[self._asked]
        self._asked += 1
        return source.fetch(self.cid)

    def is_genuine(self, data: Any) -> bool:
        return isinstance(data, bytes) and self.cid.matches(data)

    def store(self, data: bytes) -> "Deferred[None]":
        self.data = data
        return Deferred.fromCoroutine(self._store(data))

    async def _store(self, data: bytes) -> None:
        lease = self._fetches.lease()
        try:
            lease.put(Block(self.cid, data))
            await lease.commit()
        finally:
            lease.end()

    def ended(self, why: Any) -> None:
        self._fetches.over(self, why)
        waiting, self._waiting = self._waiting, []
        answer(waiting, self.data if self.data is not None else Failure(not_here(self.cid)))
