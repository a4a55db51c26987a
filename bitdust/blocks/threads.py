"""The threads of a store: one writes, one reads blocks, one walks over many of them."""

import sqlite3
from collections.abc import Callable
from enum import IntEnum
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from bitdust.batching import ThreadQueue
from bitdust.blocks.database import DAMAGED, close, connect, trouble
from bitdust.blocks.opening import Opened, Opening
from bitdust.blocks.packs import PackReader
from bitdust.blocks.writing import Ledger
from bitdust.disk.commit import GroupCommit, Job
from bitdust.disk.disk import Disk
from bitdust.wire.errors import BitDustError
from bitdust.world import World

T = TypeVar("T")


class Reader(IntEnum):
    """A thread that changes nothing."""

    BLOCKS = 0
    WALKS = 1


class Threads:
    """I give each thread its work, its connection and its open packs. `open` first, `close` last."""

    def __init__(self, world: World, disk: Disk, ledger: Ledger, opening: Opening) -> None:
        self._world = world
        self._ledger = ledger
        self._opening = opening
        self.path = opening.path
        self.packs = {reader: PackReader(disk, ledger.packs.folder) for reader in Reader}
        self._queues = {reader: ThreadQueue(world.run_in_thread) for reader in Reader}
        self._connections: dict[Reader, sqlite3.Connection] = {}
        self._commits = GroupCommit(world.run_in_thread, disk, self._writer, self._trouble)
        self.damage = ""
        """What was found wrong with the index since it was opened."""

    def _trouble(self, error: OSError | sqlite3.Error) -> BitDustError:
        told = trouble(error, self.path)
        if told.code == DAMAGED:
            self.damage = str(told)
        return told

    def _writer(self) -> sqlite3.Connection:
        if self._ledger.database is None:
            raise BitDustError("busy", "the block store is not open")
        return self._ledger.database

    @property
    def is_open(self) -> bool:
        return self._ledger.database is not None

    def need_open(self) -> None:
        """Raises ``busy``."""
        self._writer()

    def open(self, is_suspect: bool) -> "Deferred[Opened]":
        """Fires when the index and the packs were looked at; fails as `Opening.open` says."""
        return self._world.run_in_thread(self._open, is_suspect)

    def _open(self, is_suspect: bool) -> Opened:
        opened = self._opening.open(self._ledger.packs, int(self._world.wall()), is_suspect)
        (self._ledger.packed,) = opened.database.execute("SELECT packed FROM totals").fetchone()
        self._connections = {reader: connect(self.path) for reader in Reader}
        self._ledger.database = opened.database
        return opened

    def close(self) -> "Deferred[None]":
        """Fires when all that was begun is done and the files are closed."""
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        await self._commits.when_idle()
        for queue in self._queues.values():
            await queue.when_idle()
        writer, self._ledger.database = self._ledger.database, None
        connections, self._connections = self._connections, {}
        close(*connections.values(), writer)
        self._ledger.packs.close()
        for packs in (*self.packs.values(), self._opening.packs):
            packs.close()

    def change(self, call: Callable[[sqlite3.Connection], T]) -> "Deferred[T]":
        """Run something in the thread that writes, inside a transaction."""
        return self._commits.change(call)

    def write(self, job: Job) -> "Deferred[Any]":
        """The same for a job."""
        return self._commits.run(job)

    def ask(self, reader: Reader, call: Callable[..., T], *arguments: Any) -> "Deferred[T]":
        """Run something in a thread that reads; its first argument is the database."""
        return self._queues[reader].submit(self._reading, reader, call, arguments)

    def _reading(self, reader: Reader, call: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        self.need_open()
        try:
            return call(self._connections[reader], *arguments)
        except sqlite3.Error as error:
            raise self._trouble(error) from error

    def gone(self, pack: int) -> None:
        """A pack was removed: nobody keeps it open."""
        for reader, queue in self._queues.items():
            queue.submit(self.packs[reader].forget, pack)
