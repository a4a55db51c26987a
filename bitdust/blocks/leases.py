"""Leases: what somebody stores, or needs, stays until the lease ends, whatever is collected meanwhile."""

from collections.abc import Sequence
from typing import Protocol

from twisted.internet.defer import Deferred

from bitdust.blocks.reach import IdSet
from bitdust.blocks.values import Change, Row
from bitdust.ipld.cid import LONGEST_BLOCK, Block, Cid
from bitdust.wire.errors import BitDustError

FLUSH = 4 * 1024 * 1024
"""Bytes that a lease gathers before they are written."""
BESIDE = 512
"""Bytes of memory, and of the index, that a block costs beside its data."""
AT_ONCE = 2
"""Portions of one lease that are on their way to the disk."""


class LeasePort(Protocol):
    """What a lease asks of its store."""

    async def store(self, lease: "Lease", blocks: Sequence[Block], changes: Sequence[Change]) -> None:
        """Return when all of it is on the disk."""

    def hold(self, lease: "Lease", cid: Cid) -> "Deferred[Row]":
        """Fires when a block stays, with all below it that is here."""

    def get(self, cid: Cid, elsewhere: bool, is_local: bool, /) -> "Deferred[bytes]":
        """A block that is stored."""

    def forget(self, lease: "Lease") -> None:
        """It has ended."""


class Lease:
    """I gather blocks and have them written a few megabytes at a time; `commit` says that it was all, `end` ends me.

    What was put and not committed is nobody's after the end, and goes with the next collection.
    """

    def __init__(self, port: LeasePort, is_local: bool = False) -> None:
        self._port = port
        self._is_local = is_local
        self.held = IdSet()
        """Ids that stay; for the writing thread."""
        self._gathered: list[Block] = []
        self._size = 0
        self._pending: dict[bytes, bytes] = {}
        self._running = 0
        self._error: Exception | None = None
        self._waiters: list[Deferred[None]] = []
        self.is_open = True

    def put(self, block: Block) -> "Deferred[None] | None":
        """Take a block. Who gets a Deferred is asked to wait for it before the next one; it does not fail.

        Raises ``too-large``, and what went wrong with blocks that were put before.
        """
        self._need_open()
        if block.cid.is_inline:
            return None
        if len(block.data) > LONGEST_BLOCK:
            text = f"block {block.cid} has {len(block.data)} bytes; a block has at most {LONGEST_BLOCK}"
            raise BitDustError("too-large", text)
        self._gathered.append(block)
        self._pending[block.cid.multihash] = block.data
        self._size += len(block.data) + BESIDE
        if self._size < FLUSH:
            return None
        self._flush()
        return self._until(AT_ONCE - 1)

    def _need_open(self) -> None:
        if not self.is_open:
            raise BitDustError("closed", "this lease has ended")
        if self._error is not None:
            raise self._error

    def _until(self, running: int) -> "Deferred[None] | None":
        if self._running <= running:
            return None
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        return waiter

    def _flush(self) -> None:
        blocks, self._gathered, self._size = self._gathered, [], 0
        self._running += 1
        storing = Deferred.fromCoroutine(self._port.store(self, blocks, ()))
        storing.addErrback(self._failed).addCallback(self._flushed, blocks)

    def _failed(self, failure: object) -> None:
        self._error = self._error or getattr(failure, "value", None)

    def _flushed(self, _: None, blocks: Sequence[Block]) -> None:
        self._running -= 1
        self._forget(blocks)
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)

    def _forget(self, blocks: Sequence[Block]) -> None:
        gathered = {block.cid.multihash for block in self._gathered}
        for block in blocks:
            if block.cid.multihash not in gathered:
                self._pending.pop(block.cid.multihash, None)

    def commit(self, *changes: Change) -> "Deferred[None]":
        """Fires when every block that was put is on the disk, and the changes with the last of them.

        Fails with what went wrong; then no change was made. The lease goes on, and may be committed again.
        """
        return Deferred.fromCoroutine(self._commit(changes))

    async def _commit(self, changes: Sequence[Change]) -> None:
        while (waiter := self._until(0)) is not None:
            await waiter
        self._need_open()
        blocks, self._gathered, self._size = self._gathered, [], 0
        self._running += 1
        try:
            await self._port.store(self, blocks, changes)
        except Exception:
            self._gathered[:0] = blocks
            self._size += sum(len(block.data) + BESIDE for block in blocks)
            raise
        finally:
            self._flushed(None, blocks)

    def hold(self, cid: Cid) -> "Deferred[Row]":
        """Let a block stay, with all below it that is here or comes; fires with what is known of it."""
        self._need_open()
        return self._port.hold(self, cid)

    def get(self, cid: Cid) -> "Deferred[bytes]":
        """A block that was put here, or is stored."""
        data = self._pending.get(cid.multihash)
        if data is None:
            return self._port.get(cid, False, self._is_local)
        found: Deferred[bytes] = Deferred()
        found.callback(data)
        return found

    def end(self) -> None:
        """Hold nothing any more; may be called again."""
        if self.is_open:
            self.is_open = False
            self._gathered = []
            self._pending.clear()
            self._port.forget(self)
