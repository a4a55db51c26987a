"""What comes in, files to be added or written or CAR files, as a job that a person can follow."""

from collections.abc import Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from bitdust.automats.ipfs_add import IpfsAdd
from bitdust.automats.kernel import Registry
from bitdust.ipfs.adding import Added, Adder, Lease, Source
from bitdust.wire.errors import BitDustError


class Intake(Protocol):
    """Who makes blocks of what comes in. Both raise `BitDustError`."""

    async def take(self, source: Source, /) -> None:
        """Take everything."""

    async def finish(self) -> Sequence[object]:
        """Have it on the disk; what it is."""


class Ends(Protocol):
    """What is needed until then."""

    def end(self) -> None:
        """No more."""


class IntakeJob:
    """I am the port of an `ipfs_add` machine."""

    def __init__(self, registry: Registry, ident: str, intake: Intake, needs: Ends | None) -> None:
        self._needs = needs
        self._intake = intake
        self._source: Source | None = None
        self._working: Deferred[Any] | None = None
        self._done: Deferred[None] = Deferred(lambda _: self.machine.send("stop"))
        self.machine = IpfsAdd(registry, ident, self)

    def run(self, source: Source) -> "Deferred[None]":
        """Take everything that a source has; fires when it is on the disk. Cancelling gives the add up."""
        self._source = source
        self.machine.send("start")
        return self._done

    # the port

    def take(self) -> "Deferred[Any]":
        assert self._source is not None
        self._working = Deferred.fromCoroutine(self._intake.take(self._source))
        return self._working

    def finish(self) -> "Deferred[Any]":
        self._working = Deferred.fromCoroutine(self._intake.finish())
        return self._working

    def done(self) -> None:
        self._end()
        self._done.callback(None)

    def failed(self, reason: Any) -> None:
        working, self._working = self._working, None
        self._end()
        if working is not None and not working.called:
            working.cancel()
        if not self._done.called:
            self._done.errback(reason or BitDustError("timeout", "the add took too long, and was given up"))

    def _end(self) -> None:
        if self._needs is not None:
            self._needs.end()


class AddJob(IntakeJob):
    """Of an add."""

    def __init__(self, registry: Registry, ident: str, adder: Adder, lease: Lease | None) -> None:
        super().__init__(registry, ident, adder, lease)
        self._adder = adder

    def rows(self) -> list[Added]:
        """What was added: files as they came, then directories, each behind what is in it."""
        return self._adder.added
