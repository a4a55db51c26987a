"""Worlds of nodes that live in one process: one clock, hosts in memory, entropy from a seed, no threads."""

import random
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock, deferLater

from bitdust.testing.network import MemoryNetwork
from bitdust.watching import Changed, Gathering
from bitdust.world import World

START = 1_800_000_000.0


class MemoryWatch:
    """One folder that a test watches."""

    how = "as the test reports them"

    def __init__(self, watcher: "MemoryWatcher", folder: Path, gathering: Gathering) -> None:
        self._watcher = watcher
        self.folder = folder
        self.gathering = gathering

    def close(self) -> None:
        """Nothing is reported any more."""
        self.gathering.close()
        if self in self._watcher.watches:
            self._watcher.watches.remove(self)


class MemoryWatcher:
    """Reports what a test says was changed, on the test's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.watches: list[MemoryWatch] = []

    def watch(self, folder: Path, changed: Changed, without: Collection[str] = ()) -> MemoryWatch:
        """See `bitdust.watching.Watcher`."""
        watch = MemoryWatch(self, folder, Gathering(self._clock, folder, changed))
        self.watches.append(watch)
        return watch

    def touch(self, *paths: Path) -> None:
        """These paths were changed, says the test."""
        for watch in self.watches:
            watch.gathering.add(path for path in paths if path == watch.folder or watch.folder in path.parents)


def fake_world(
    network: MemoryNetwork, clock: Clock, address: str, home: Path, seed: str = "", thread_seconds: float = 0.0
) -> World:
    """The world of a node on one host; wall time begins in January 2027.

    What a thread would do is done at once, or on the clock ``thread_seconds`` later.
    """

    def run_later(call: Callable[..., Any], *args: Any) -> "Deferred[Any]":
        return deferLater(clock, thread_seconds, call, *args)

    source = random.Random(f"{address} {seed}")
    return World(
        clock,
        network.host(address),
        home,
        lambda: START + clock.seconds(),
        source.randbytes,
        run_in_thread=run_later if thread_seconds else maybeDeferred,
        watcher=MemoryWatcher(clock),
    )
