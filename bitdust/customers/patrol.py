"""Contracts, terms and graces of my customers: what `customers_rejector` acts on.

Uptime counts the seconds of this run and does not jump.
"""

from collections.abc import Sequence

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.customers.contracts import Account, ContractState
from bitdust.customers.promises import DAY
from bitdust.customers.store import SupplierStore
from bitdust.signal import Signal
from bitdust.surroundings import Surroundings

IDLE_DAYS = "services/customer-patrol/customer-idle-days"
SURE_AFTER = 24 * 3600.0
"""Seconds of uptime in which a grace must be over all the time: a clock may jump, and be set right."""
OVERDUE = 3 * 3600.0
"""Seconds in which each step of an hourly walk comes to its end, where everything works."""


@frozen
class Rejection:
    """What became of a customer: bytes freed now, bytes kept, and until when at least (seconds since the epoch)."""

    idurl: str
    freed: int
    kept: int
    until: int


class Patrol:
    """The port of `customers_rejector`. ``noticed`` is emitted for who gets notice, ``removed`` for who is erased."""

    def __init__(self, around: Surroundings, store: SupplierStore) -> None:
        self._store = store
        self._settings = around.settings
        self._events = around.events
        self._wall = around.world.wall
        self._uptime = around.world.clock.seconds
        self._identities = around.identities
        self._over_since: dict[bytes, float] = {}
        self._worked: dict[str, float] = {}
        self.noticed: Signal[[bytes]] = Signal()
        self.removed: Signal[[bytes]] = Signal()
        self.start()

    def start(self) -> None:
        """Count what is overdue from now on."""
        self._worked = dict.fromkeys(("idle", "graces"), self._uptime())

    def is_overdue(self) -> bool:
        """Whether a step of the walk has not come to its end for hours."""
        return self._uptime() - min(self._worked.values()) > OVERDUE

    def _excess(self) -> int:
        """Bytes promised beyond what is donated."""
        return max(0, sum(account.allotted for account in self._store.customers()) - self._store.donated())

    # the machine's port

    def is_overcommitted(self) -> bool:
        return self._excess() > 0

    def warn(self) -> None:
        """Contracts stand; the owner of the disk is warned."""
        text = "more is promised to customers than is donated; nobody is rejected, and nobody new is accepted"
        self._events.send("donated-space-exceeded", {"bytes": self._excess(), "reason": text})

    def suspend_idle(self) -> "Deferred[int]":
        """Customers not in touch for more than the setting's days keep their pieces, and no room beside them.

        Room that nobody has filled in the days of another setting is promised no more.
        """
        return Deferred.fromCoroutine(self._suspend_idle())

    async def _suspend_idle(self) -> int:
        await self._store.lapse()
        await self._store.shrink()
        await self._carry_out()
        days = int(self._settings.get(IDLE_DAYS))
        silent = [account for account in self._store.customers() if days and self._is_silent(account, days)]
        for account in silent:
            await self._store.set_idle(account.contract.customer)
            self._events.send("customer-idle", {"idurl": account.idurl, "until": account.until})
        self._worked["idle"] = self._uptime()
        return len(silent)

    async def _carry_out(self) -> None:
        """Orders that have waited for as long as they had to."""
        for customer, freed in await self._store.delays.due(self._counts):
            self._events.send("customer-deletion-done", {"customer": customer.hex(), "freed": freed})
            if self._store.contract_of(customer) is None:
                self.removed.emit(customer)

    def _counts(self, customer: bytes, ident: bytes) -> bool:
        document = self._identities.get(customer)
        device = document.device(ident) if document is not None else None
        return device is not None and device.revoked is None

    def _is_silent(self, account: Account, days: int) -> bool:
        return account.state == ContractState.ACTIVE and self._wall() - account.contract.since > days * DAY

    def announce_graces(self) -> "Deferred[Sequence[bytes]]":
        """Announce graces; fires with those whose grace is over for sure."""
        return Deferred.fromCoroutine(self._announce_graces())

    async def _announce_graces(self) -> Sequence[bytes]:
        now = self._wall()
        over: dict[bytes, float] = {}
        for account in self._store.customers():
            if account.purge_at is not None and now >= account.purge_at:
                customer = account.contract.customer
                over[customer] = self._over_since.get(customer, self._uptime())
            elif now >= account.term_ends and not account.announced:
                await self._store.announce(account.contract.customer)
                data = {"idurl": account.idurl, "grace_days": account.contract.grace, "used": account.used}
                self._events.send("customer-grace-started", data)
        self._over_since = over
        self._worked["graces"] = self._uptime()
        return [customer for customer, since in over.items() if self._uptime() - since >= SURE_AFTER]

    def reject(self, customers: Sequence[bytes]) -> "Deferred[int]":
        """Forget them; fires with freed bytes."""
        return Deferred.fromCoroutine(self._reject(customers))

    async def _reject(self, customers: Sequence[bytes]) -> int:
        freed = 0
        accounts = {account.contract.customer: account for account in self._store.customers()}
        for customer in customers:
            account = accounts.get(customer)
            if account is None:
                continue
            freed += await self._store.purge(customer)
            self._events.send("existing-customer-terminated", {"idurl": account.idurl, "ecc_map": account.ecc_map})
            self.removed.emit(customer)
        return freed

    # what the owner of the disk decides

    def give_notice(self, customer: bytes, at_once: bool) -> "Deferred[Rejection]":
        """Take nothing more from one customer, and notify it; fires with what is freed now. Fails ``no-contract``.

        Its pieces stay for the announced grace; ``at_once`` erases them now.
        """
        return Deferred.fromCoroutine(self._give_notice(customer, at_once))

    async def _give_notice(self, customer: bytes, at_once: bool) -> Rejection:
        account = await self._store.reject(customer)
        self.noticed.emit(customer)
        freed = await self._store.erase(customer) if at_once else 0
        until = account.purge_at or int(self._wall()) + account.contract.grace * DAY
        rejection = Rejection(account.idurl, freed, 0 if at_once else account.used, until)
        data = {"idurl": account.idurl, "freed": freed, "kept": rejection.kept, "until": until}
        self._events.send("customer-rejected", data)
        if at_once:
            self.removed.emit(customer)
        return rejection
