"""Looking after my customers' contracts and pieces: what `customers_rejector` and `local_tester` act on.

``uptime`` counts the seconds of this run and does not jump.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred, succeed

from bitdust.peers.ports import Events, Identities, Names, Settings
from bitdust.wire.records import Contract

IDLE_DAYS = "services/customer-patrol/customer-idle-days"
DAY = 86_400
SURE_AFTER = 24 * 3600.0
"""Seconds of this node's running in which a grace must be over all the time: a clock may jump, and be set right."""
BETWEEN_PIECES = 20.0
BETWEEN_WALKS = 2 * 3600.0
BEFORE_FIRST_WALK = 60.0


class Promise(Protocol):
    """A contract and what is known beside it; `bitdust.customers.contracts.Kept`."""

    @property
    def contract(self) -> Contract: ...

    @property
    def state(self) -> str: ...

    @property
    def announced(self) -> int: ...

    @property
    def used(self) -> int: ...

    @property
    def log_bytes(self) -> int: ...

    @property
    def idurl(self) -> str: ...

    @property
    def global_id(self) -> str: ...

    @property
    def held(self) -> int: ...

    @property
    def term_ends(self) -> int: ...

    @property
    def until(self) -> int: ...

    @property
    def purge_at(self) -> int | None: ...

    @property
    def is_ending(self) -> bool: ...

    @property
    def is_here(self) -> bool: ...


class PatrolStore(Protocol):
    """The supplier's store, as far as its keeping goes."""

    @property
    def is_open(self) -> bool: ...

    def customers(self) -> Sequence[Promise]: ...

    def donated(self) -> int: ...

    def set_idle(self, customer: bytes, /) -> "Deferred[None]": ...

    def announce(self, customer: bytes, /) -> "Deferred[None]": ...

    def purge(self, customer: bytes, /) -> "Deferred[int]": ...

    def reject(self, customer: bytes, /) -> "Deferred[Any]": ...

    def erase(self, customer: bytes, /) -> "Deferred[int]": ...

    def test_after(self, last: Any, /) -> "Deferred[Any]": ...


@frozen
class Rejection:
    """What became of a customer: bytes freed now, bytes kept, and until when at least (seconds since the epoch)."""

    idurl: str
    freed: int
    kept: int
    until: int


@frozen
class Tested:
    """A piece that was read again; ``whole`` False when it is damaged or gone."""

    customer: bytes
    pack: bytes
    number: int
    state: str
    whole: bool


class Patrol:
    """The port of `customers_rejector`: promises, terms and graces."""

    def __init__(
        self,
        store: PatrolStore,
        settings: Settings,
        events: Events,
        wall: Callable[[], float],
        uptime: Callable[[], float],
        rejected: Callable[[bytes], None] = lambda customer: None,
        tell: Callable[[bytes], None] = lambda customer: None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._events = events
        self._wall = wall
        self._uptime = uptime
        self._over_since: dict[bytes, float] = {}
        self._rejected = rejected
        self._tell = tell

    def capacity(self) -> "Deferred[int]":
        """Bytes promised beyond what is donated."""
        promised = sum(kept.held for kept in self._store.customers())
        return succeed(max(0, promised - self._store.donated()))

    def warn(self, over: int) -> None:
        """Promises stand; the owner of the disk is told."""
        text = "more is promised to customers than is donated; nobody is rejected, and nobody new is accepted"
        self._events.send("donated-space-exceeded", {"bytes": over, "reason": text})

    def idle(self) -> "Deferred[int]":
        """Customers not heard for more than the setting's days keep their pieces, and no room beside them."""
        return Deferred.fromCoroutine(self._idle())

    async def _idle(self) -> int:
        days = int(self._settings.get(IDLE_DAYS))
        silent = [kept for kept in self._store.customers() if days and self._silent(kept, days)]
        for kept in silent:
            await self._store.set_idle(kept.contract.customer)
            self._events.send("customer-idle", {"idurl": kept.idurl, "until": kept.until})
        return len(silent)

    def _silent(self, kept: Promise, days: int) -> bool:
        return kept.state == "active" and self._wall() - kept.contract.since > days * DAY

    def contracts(self) -> "Deferred[list[bytes]]":
        """Announce graces; fires with those whose grace is over for sure."""
        return Deferred.fromCoroutine(self._contracts())

    async def _contracts(self) -> list[bytes]:
        now = self._wall()
        over: dict[bytes, float] = {}
        for kept in self._store.customers():
            if kept.purge_at is not None and now >= kept.purge_at:
                customer = kept.contract.customer
                over[customer] = self._over_since.get(customer, self._uptime())
            elif now >= kept.term_ends and not kept.announced:
                await self._store.announce(kept.contract.customer)
                data = {"idurl": kept.idurl, "grace_days": kept.contract.grace, "used": kept.used}
                self._events.send("customer-grace-started", data)
        self._over_since = over
        return [customer for customer, since in over.items() if self._uptime() - since >= SURE_AFTER]

    def reject(self, customers: list[bytes]) -> "Deferred[int]":
        """Forget them; fires with freed bytes."""
        return Deferred.fromCoroutine(self._reject(customers))

    async def _reject(self, customers: list[bytes]) -> int:
        freed = 0
        by_name = {kept.contract.customer: kept for kept in self._store.customers()}
        for customer in customers:
            kept = by_name.get(customer)
            if kept is None:
                continue
            freed += await self._store.purge(customer)
            ecc_map = f"ecc/{kept.contract.n}x{kept.contract.n}"
            self._events.send("existing-customer-terminated", {"idurl": kept.idurl, "ecc_map": ecc_map})
            self._rejected(customer)
        return freed

    def give_notice(self, customer: bytes, at_once: bool) -> "Deferred[Rejection]":
        """Take nothing more from one customer, and tell it; fires with what is freed now. Fails ``no-contract``.

        Its pieces stay for the announced grace; ``at_once`` erases them now.
        """
        return Deferred.fromCoroutine(self._give_notice(customer, at_once))

    async def _give_notice(self, customer: bytes, at_once: bool) -> Rejection:
        kept = await self._store.reject(customer)
        self._tell(customer)
        freed = await self._store.erase(customer) if at_once else 0
        until = kept.purge_at or int(self._wall()) + kept.contract.grace * DAY
        rejection = Rejection(kept.idurl, freed, 0 if at_once else kept.used, until)
        data = {"idurl": kept.idurl, "freed": freed, "kept": rejection.kept, "until": until}
        self._events.send("customer-rejected", data)
        if at_once:
            self._rejected(customer)
        return rejection


class PieceTests:
    """The port of `local_tester`: a slow walk over all pieces."""

    def __init__(self, store: PatrolStore, events: Events, identities: Identities) -> None:
        self._store = store
        self._events = events
        self._identities = identities
        self._last: Any = None
        self._pause = BEFORE_FIRST_WALK
        self.tested = 0
        self.found = 0

    def test_next(self) -> "Deferred[Tested | None]":
        """Read one more piece; None at the end of a walk."""
        if not self._store.is_open:
            return succeed(None)
        return self._store.test_after(self._last).addCallback(self._seen)

    def _seen(self, tested: Any) -> Tested | None:
        if tested is None:
            self._last, self._pause = None, BETWEEN_WALKS
            return None
        self._last, self._pause = tested.name, BETWEEN_PIECES
        self.tested += 1
        name, state = tested.name, tested.state.name.lower()
        return Tested(name.customer, name.pack, name.number, state, state == "kept")

    def report(self, tested: Tested) -> None:
        """Tell the owner of the disk; the customer finds out when it lists or reads."""
        self.found += 1
        idurl = Names.of(self._identities(tested.customer)).idurl
        piece = f"{tested.pack.hex()}.{tested.number}"
        self._events.send("customer-piece-damaged", {"idurl": idurl, "piece": piece, "state": tested.state})

    def pause(self) -> float:
        return self._pause
