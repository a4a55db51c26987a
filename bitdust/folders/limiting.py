"""Limits of what comes and goes for folders: those of the node and those of one folder, both at once.

A limit is waited for before bytes move: before chunks are asked for, and between the parts of an answer, so that a peer
that waits sees bytes move. Peers in private networks are not held back unless a person wants that.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from bitdust.config.settings import Settings
from bitdust.transport.limits import PATIENCE, SMALLEST_PART, TokenBucket
from bitdust.wire.addresses import split_host
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.networks import private_network
from bitdust.wire.table import Source

KB = 1000
DOWNLOAD, UPLOAD = "services/folder-sync/download-limit", "services/folder-sync/upload-limit"
LOCAL = "services/folder-sync/limit-local-peers-enabled"


class Gate:
    """Bytes go through at ``rate()`` a second; 0 is no limit. What is urgent goes first, all else in its order."""

    def __init__(self, clock: IReactorTime, rate: Callable[[], int]) -> None:
        self._clock = clock
        self._rate = rate
        self._bucket = TokenBucket(clock)
        self._urgent: dict[Deferred[None], int] = {}
        self._others: dict[Deferred[None], int] = {}
        self._timer: IDelayedCall | None = None

    def let(self, size: int, is_urgent: bool = False) -> "Deferred[None]":
        """Fires when so many bytes may move. Fails with ``session-lost`` when nothing does any more.

        They count when it fires: who is cancelled while it waits has taken nothing from the others.
        """
        may: Deferred[None] = Deferred(self._leave)
        (self._urgent if is_urgent else self._others)[may] = size
        self._pump()
        return may

    def give_back(self, size: int) -> None:
        """So many bytes that were let through do not move."""
        self._bucket.spend(-size)
        self._pump()

    def part(self, most: int, seconds: float) -> int:
        """How many of so many bytes move in a time."""
        rate = self._rate()
        return min(most, max(SMALLEST_PART, int(rate * seconds))) if rate > 0 else most

    def _pump(self) -> None:
        rate = self._rate()
        if rate != self._bucket.rate:
            self._bucket.change(rate)
        while (queue := self._urgent or self._others) and self._bucket.wait <= PATIENCE:
            may = next(iter(queue))
            self._bucket.spend(queue.pop(may))
            may.callback(None)
        self._forget_timer()
        if queue:
            self._timer = self._clock.callLater(self._bucket.wait, self._pump)

    def _forget_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _leave(self, may: "Deferred[None]") -> None:
        self._urgent.pop(may, None)
        self._others.pop(may, None)
        self._pump()

    def stop(self) -> None:
        """Nobody waits any more."""
        waiting = [*self._urgent, *self._others]
        self._urgent.clear()
        self._others.clear()
        self._forget_timer()
        for may in waiting:
            may.errback(BitDustError("session-lost", "the folder is closed"))


class Limits:
    """What a node lets come and go for all of its folders."""

    def __init__(self, clock: IReactorTime, settings: Settings) -> None:
        self._clock = clock
        self._settings = settings
        self.download = Gate(clock, lambda: KB * int(settings.get(DOWNLOAD)))
        self.upload = Gate(clock, lambda: KB * int(settings.get(UPLOAD)))

    def of_folder(self, download: Callable[[], int], upload: Callable[[], int]) -> "FolderLimits":
        """Those of one folder beside them, in thousands of bytes a second."""
        own = Gate(self._clock, lambda: KB * download()), Gate(self._clock, lambda: KB * upload())
        return FolderLimits(self, *own)

    def counts(self, address: str) -> bool:
        """Whether a peer there is held back."""
        return bool(self._settings.get(LOCAL)) or not _is_private(address)

    def stop(self) -> None:
        """Nobody waits any more."""
        self.download.stop()
        self.upload.stop()


@lru_cache(1024)
def _is_private(address: str) -> bool:
    """Asked for each part that moves."""
    try:
        host, _ = split_host(address)
    except WireError:
        return False
    return private_network(host) is not None


class FolderLimits:
    """What one folder lets come and go; ``address`` is that of a peer's session."""

    def __init__(self, node: Limits, download: Gate, upload: Gate) -> None:
        self._node = node
        self._download = download
        self._upload = upload

    def may_come(self, address: str, size: int) -> "Deferred[None]":
        """Fires when so many bytes may be asked for."""
        if not self._node.counts(address):
            return succeed(None)
        return Deferred.fromCoroutine(_both(self._node.download, self._download, size, False))

    def may_go(self, address: str, size: int, is_urgent: bool = False) -> "Deferred[None]":
        """Fires when so many bytes may be sent; what is urgent waits for nothing that is not."""
        if not self._node.counts(address):
            return succeed(None)
        return Deferred.fromCoroutine(_both(self._node.upload, self._upload, size, is_urgent))

    def part(self, address: str, most: int, seconds: float = 1.0) -> int:
        """How many of so many bytes to send at once, so that others wait no longer for them than a time."""
        if not self._node.counts(address):
            return most
        return min(self._node.upload.part(most, seconds), self._upload.part(most, seconds))

    def stop(self) -> None:
        """Nobody waits any more."""
        self._download.stop()
        self._upload.stop()


async def _both(first: Gate, second: Gate, size: int, is_urgent: bool) -> None:
    await first.let(size, is_urgent)
    try:
        await second.let(size, is_urgent)
    except CancelledError:
        first.give_back(size)
        raise


class PacedSource:
    """A payload of which each part, no larger than ``part`` says, waits until it may go."""

    def __init__(self, source: Source, may_go: "Callable[[int], Deferred[None]]", part: Callable[[int], int]) -> None:
        self._source = source
        self._may_go = may_go
        self._part = part

    @property
    def size(self) -> int:
        """See the protocol."""
        return self._source.size

    def read(self, offset: int, length: int) -> "Deferred[bytes]":
        """See the protocol."""
        length = self._part(length)
        return self._may_go(length).addCallback(lambda _: self._read(offset, length))

    def _read(self, offset: int, length: int) -> Any:
        return self._source.read(offset, length)
