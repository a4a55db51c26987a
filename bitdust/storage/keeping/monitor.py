"""The storage's round, as its parts do it: list, rebuild, clean."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from bitdust.automats.backup_monitor import BackupMonitor
from bitdust.automats.kernel import Registry
from bitdust.storage.keeping.cleaning import Cleaner
from bitdust.storage.keeping.disposal import DeleteOrders, Disposal
from bitdust.storage.keeping.inventory import Inventory
from bitdust.storage.keeping.rebuild import Rebuilder

MOST_FAILURES = 3
"""Of one part, in a row."""
LIST_EVERY = 600.0
"""Seconds after which suppliers are asked again, whatever else is done meanwhile."""


class Monitor:
    """I am the port of `BackupMonitor`."""

    def __init__(
        self,
        registry: Registry,
        inventory: Inventory,
        rebuilder: Rebuilder,
        cleaner: Cleaner,
        disposal: Disposal,
        orders: DeleteOrders,
    ) -> None:
        self._listing = inventory
        self._rebuilder = rebuilder
        self._cleaner = cleaner
        self._disposal = disposal
        self._orders = orders
        self._registry = registry
        self._failures: dict[str, list[str]] = {}
        self.machine = BackupMonitor(registry, self)

    def start(self) -> None:
        """Make the first round soon. May follow a `stop`."""
        if self.machine.state == "CLOSED":
            self.machine = BackupMonitor(self._registry, self)
        self._failures.clear()
        self.machine.send("init")
        self.machine.send("suppliers-changed")

    def stop(self) -> None:
        """Make no rounds any more."""
        self.machine.send("shutdown")

    def sync(self) -> None:
        """Make a round now."""
        self.machine.send("sync")

    def suppliers_changed(self) -> None:
        """Suppliers came or went."""
        self.machine.send("suppliers-changed")

    def deleted(self) -> None:
        """Something may have lost its last use."""
        self.machine.send("deleted")

    def damaged(self) -> None:
        """A piece was found to be bad."""
        self.machine.send("damaged")

    def problem(self) -> str:
        """Which part of the round has failed several times in a row, in words; empty when all is well."""
        for part, reasons in self._failures.items():
            if len(reasons) >= MOST_FAILURES:
                return f"{part} failed {len(reasons)} times in a row: {reasons[-1]}"
        return ""

    # the machine's port

    def list_files(self) -> "Deferred[Any]":
        return self._noted("inventory", self._listing.refresh())

    def pause(self) -> float:
        return self._listing.pause(LIST_EVERY)

    def is_list_due(self) -> bool:
        return self._listing.idle_for() >= LIST_EVERY

    def rebuild(self) -> "Deferred[Any]":
        return self._noted("rebuilding", Deferred.fromCoroutine(self._rebuilder.rebuild()))

    def cut_short(self) -> None:
        self._rebuilder.cut_short()

    def clean(self) -> "Deferred[Any]":
        return self._noted("cleaning", Deferred.fromCoroutine(self._clean()))

    async def _clean(self) -> None:
        # New tombstones may wait for suppliers: what is due already does not wait for them.
        await self._orders.send()
        await self._cleaner.clean()
        await self._disposal.drop()
        await self._orders.send()

    def _noted(self, part: str, running: "Deferred[Any]") -> "Deferred[Any]":
        """The same, with its end noted: a part that works again is no problem any more."""

        def ended(result: Any) -> Any:
            self._failures.pop(part, None)
            return result

        def failed(failure: Failure) -> Failure:
            if not failure.check(CancelledError):
                self._failures.setdefault(part, []).append(failure.getErrorMessage())
            return failure

        return running.addCallbacks(ended, failed)
