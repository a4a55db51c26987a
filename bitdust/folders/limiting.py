"""Limits of what comes and goes for folders: those of the node and those of one folder, both at once.

A limit is waited for before bytes move: before chunks are asked for, and between the parts of an answer, so that a peer
that waits sees bytes move. Peers in private networks are not held back unless a person wants that.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from bitdust.config.settings import Settings
from bitdust.transport.limits import PATIENCE, TokenBucket
from bitdust.wire.addresses import split_host
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.networks import private_network
from bitdust.wire.table import Source

KB = 1000
DOWNLOAD, UPLOAD = "services/folder-sync/download-limit", "services/folder-sync/upload-limit"
LOCAL = "services/folder-sync/limit-local-peers-enabled"


class Gate:
    """Bytes go through at ``rate()`` a second, in the order in which they ask; 0 is no limit."""

    def __init__(self, clock: IReactorTime, rate: Callable[[], int]) -> None:
        self._clock = clock
        self._rate = rate
        self._bucket = TokenBucket(clock)
        self._waiting: dict[Deferred[None], IDelayedCall] = {}

    def let(self, size: int) -> "Deferred[None]":
        """Fires when so many bytes may move. Fails with ``session-lost`` when nothing does any more."""
        rate = self._rate()
        if rate != self._bucket.rate:
            self._bucket.change(rate)
        seconds = self._bucket.wait
        self._bucket.spend(size)
        if seconds <= PATIENCE:
            return succeed(None)
        may: Deferred[None] = Deferred()
        self._waiting[may] = self._clock.callLater(seconds, self._may, may)
        return may

    def _may(self, may: "Deferred[None]") -> None:
        del self._waiting[may]
        may.callback(None)

    def stop(self) -> None:
        """Nobody waits any more."""
        waiting, self._waiting = self._waiting, {}
        for may, call in waiting.items():
            call.cancel()
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
        if self._settings.get(LOCAL):
            return True
        try:
            host, _ = split_host(address)
        except WireError:
            return True
        return private_network(host) is None

    def stop(self) -> None:
        """Nobody waits any more."""
        self.download.stop()
        self.upload.stop()


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
        return self._node.download.let(size).addCallback(lambda _: self._download.let(size))

    def may_go(self, address: str, size: int) -> "Deferred[None]":
        """Fires when so many bytes may be sent."""
        if not self._node.counts(address):
            return succeed(None)
        return self._node.upload.let(size).addCallback(lambda _: self._upload.let(size))

    def stop(self) -> None:
        """Nobody waits any more."""
        self._download.stop()
        self._upload.stop()


class PacedSource:
    """A payload of which each part waits until it may go."""

    def __init__(self, source: Source, may_go: "Callable[[int], Deferred[None]]") -> None:
        self._source = source
        self._may_go = may_go

    @property
    def size(self) -> int:
        """See the protocol."""
        return self._source.size

    def read(self, offset: int, length: int) -> "Deferred[bytes]":
        """See the protocol."""
        return self._may_go(length).addCallback(lambda _: self._read(offset, length))

    def _read(self, offset: int, length: int) -> Any:
        return self._source.read(offset, length)
