"""A keeper at work: the sealed chunks that records name are fetched, checked by their names, and kept."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.folders.fetching import MOST_NAMES, Fetcher
from bitdust.folders.store import Store

AT_ONCE = 4 * MOST_NAMES


class Keeping:
    """I fetch what is missing until nothing more can be had now."""

    log = Logger()

    def __init__(self, store: Store, fetcher: Fetcher) -> None:
        self._store = store
        self._fetcher = fetcher
        self._missing: set[bytes] = set()
        self._running: Deferred[Any] | None = None
        self.is_behind = False
        """Whether chunks are missing that nobody had when they were asked for."""

    @property
    def is_running(self) -> bool:
        return self._running is not None

    def run(self) -> "Deferred[bool]":
        """Fires when nothing more can be had: whether anything has come. May not be called while it runs."""
        self._missing.clear()
        running = Deferred.fromCoroutine(self._run())
        self._running = running
        return running.addBoth(self._over)

    def _over(self, result: Any) -> Any:
        self._running = None
        return result

    def stop(self) -> None:
        """Fetch nothing any more."""
        self._fetcher.drop(self)
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> bool:
        blind, has_come = self._store.blind, False
        while wanted := await self._store.run(blind.wanted, AT_ONCE, frozenset(self._missing)):
            found = await self._fetcher.fetch(self, wanted)
            await self._store.run(blind.keep, list(found.items()))
            self._missing.update(one.name for one in wanted if one.name not in found)
            has_come = has_come or bool(found)
        self.is_behind = bool(self._missing)
        await self._store.run(blind.collect)
        return has_come
