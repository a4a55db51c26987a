"""Deletions that somebody asked for: answered when suppliers know them, followed until suppliers have obeyed."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bitdust.automats.file_deletion import FileDeletion
from bitdust.automats.kernel import Registry
from bitdust.storage.catalog.paths import Item, Target
from bitdust.storage.keeping.cleaning import Cleaner
from bitdust.storage.keeping.monitor import Monitor
from bitdust.storage.log.replicas import LogReplicas
from bitdust.storage.upload.mirror import Mirror
from bitdust.wire.errors import BitDustError


class DeletionAnswer:
    """What whoever asked for a deletion hears of its `FileDeletion`.

    ``answered`` fires when the item, or the version, is out of the catalog: with True when so many suppliers know it
    that no recovery brings it back, with False when that is still to come.
    """

    def __init__(self) -> None:
        self.answered: Deferred[bool] = Deferred()

    def report_deleted(self) -> None:
        """Answer."""
        self.answered.callback(True)

    def report_pending(self) -> None:
        """Answer before enough suppliers know."""
        self.answered.callback(False)

    def report_failed(self, reason: Any) -> None:
        """Answer with the reason."""
        error = reason if isinstance(reason, Failure) else BitDustError("failed", "the disk did not answer in time")
        self.answered.errback(error)

    def report_stopping(self) -> None:
        """Answer before anybody knows."""
        text = "the files stop before the disk has answered; see whether it is there when they are back"
        self.answered.errback(BitDustError("stopping", text))


class Deletion(DeletionAnswer):
    """I am the port of one `FileDeletion` of what is mine."""

    def __init__(self, deletions: "Deletions", item: Item, target: Target) -> None:
        super().__init__()
        self._deletions = deletions
        self._item = item
        self._target = target
        self._mark = 0

    def write(self) -> "Deferred[Any]":
        """The tombstone, and what this node knows of the place on its own disk."""
        return Deferred.fromCoroutine(self._write())

    async def _write(self) -> None:
        self._mark = await self._deletions.cleaner.delete(self._target)
        if self._target.version is None:
            await self._deletions.mirror.forget(self._item)

    def is_safe(self) -> bool:
        """Whether enough suppliers hold the tombstone."""
        return self._deletions.replicas.is_logged(self._mark)

    def clean(self) -> "Deferred[Any]":
        """The next cleaning tells suppliers which packs to delete; a later one goes on where some do not answer."""
        machine = self._deletions.monitor.machine
        self._deletions.monitor.deleted()
        return machine.when("READY")


class Deletions:
    """I have a machine for each deletion that is not over."""

    def __init__(
        self, registry: Registry, cleaner: Cleaner, mirror: Mirror, replicas: LogReplicas, monitor: Monitor
    ) -> None:
        self._registry = registry
        self.cleaner = cleaner
        self.mirror = mirror
        self.replicas = replicas
        self.monitor = monitor
        self._machines: list[FileDeletion] = []
        replicas.acknowledged.connect(self._check)

    def delete(self, item: Item, target: Target) -> tuple[FileDeletion, "Deferred[bool]"]:
        """Begin one: its machine, and the Deferred ``answered`` of a `Deletion`."""
        deletion = Deletion(self, item, target)
        machine = FileDeletion(self._registry, deletion, item.path if target.version is None else target.version)
        self._machines.append(machine)
        machine.send("start")
        return machine, deletion.answered

    def _check(self) -> None:
        self._machines = [machine for machine in self._machines if machine.state not in machine.final]
        for machine in list(self._machines):
            machine.send("log-safe")

    def stop(self) -> None:
        """Follow none any more; what is in the log is seen to by the rounds to come."""
        machines, self._machines = self._machines, []
        for machine in machines:
            machine.send("shutdown")
