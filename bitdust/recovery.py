"""Where a node that has lost everything but its key file asks."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore
from twisted.internet.defer import TimeoutError as TookTooLong
from twisted.logger import Logger

from bitdust.crypt.device import DeviceKey
from bitdust.crypt.keyfile import SupplierHint
from bitdust.dht.ids import SUPPLIERS_LAYER
from bitdust.dht.room import DHTRoom
from bitdust.dht.seeds import parse_seeds
from bitdust.identity.document import IdentityDocument
from bitdust.identity.registration import Registration
from bitdust.outcome import outcome
from bitdust.ports import ServiceStarter
from bitdust.suppliers.finding import Answer
from bitdust.surroundings import Connected
from bitdust.transport.gateway import Gateway
from bitdust.transport.session import Session
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wiring import Wire

HINT_SECONDS = 5.0
DHT_SECONDS = 10.0
"""In which the DHT must be joined, or it counts as silent in this round."""
AT_ONCE = 16
"""Suppliers that are asked side by side."""
AT_LARGE, LANES = 24, 6
"""Nodes of the suppliers' layer that are asked in one round, and how many of them side by side."""
MOST_BENEATH = 12
"""Records of one supplier that are looked at, beneath its newest."""
STRANGERS = ("not-allowed", "no-contract")
"""Codes of a node that has never had anything of mine. One whose services do not answer yet has not said so."""
Take = Callable[[Answer], None]


@frozen
class Shown:
    """A claim of a node that has no identity yet: it proves who asks."""

    claim: IdentityDocument
    device: DeviceKey


class Recovery:
    """I ask the hash table, every supplier that the key file names, and suppliers at large, all side by side."""

    log = Logger()
    services = Wire(ServiceStarter)

    def __init__(self, around: Connected, gateway: Gateway, dht: DHTRoom, registration: Registration) -> None:
        self._around = around
        self._gateway = gateway
        self._dht = dht
        self._registration = registration
        self._strangers: set[bytes] = set()

    # the family

    @property
    def hinted_revision(self) -> int:
        """The revision of my family when the key file was written."""
        return self._registration.hints.family

    @property
    def hinted_suppliers(self) -> list[bytes]:
        """Those that the key file names; none after a restart."""
        return [hint.fingerprint for hint in self._registration.hints.suppliers]

    def ask_for_family(
        self, suppliers: Iterable[bytes], at_large: bool, take: Take, beneath: bool = False
    ) -> "Deferred[None]":
        """See `bitdust.suppliers.finding.FamilySources`."""
        hints = {hint.fingerprint: hint for hint in self._registration.hints.suppliers}
        for who in suppliers:
            hints.setdefault(who, SupplierHint(who))
        most = MOST_BENEATH if beneath else 0
        return _all([self._family_in_dht(take), *self._each(hints.values(), at_large, take, most)])

    def _each(
        self, hints: Iterable[SupplierHint], at_large: bool, take: Take, beneath: int
    ) -> "Iterator[Awaitable[None]]":
        at_once = DeferredSemaphore(AT_ONCE)
        for hint in hints:
            yield at_once.run(self._family_at, hint, take, beneath)
        if at_large:
            yield self._family_at_large(take)

    async def _family_in_dht(self, take: Take) -> None:
        found = await outcome(self._family_record())
        take(Answer(None, found.value or b"", str(found.error or "")))

    def _family_record(self) -> "Deferred[bytes | None]":
        async def ask() -> bytes | None:
            await self._joined()
            return await self._dht.directory.my_family()

        return Deferred.fromCoroutine(ask())

    async def _joined(self) -> None:
        """The DHT is joined a moment after its port is open. Raises `BitDustError` ``dht-off``."""
        joined = self._dht.node.connector.when("CONNECTED")
        joined.addTimeout(DHT_SECONDS, self._around.world.clock)
        try:
            await joined
        except TookTooLong:
            raise BitDustError("dht-off", "no node of the DHT answers") from None

    def _family_at(self, hint: SupplierHint, take: Take, beneath: int) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._ask_one(hint, take, beneath))

    async def _ask_one(self, hint: SupplierHint, take: Take, beneath: int) -> None:
        found = await outcome(Deferred.fromCoroutine(self._ask(hint, {"kind": "family"})))
        if found.code in ("not-found", *STRANGERS):
            take(Answer(hint.fingerprint))
        else:
            take(Answer(hint.fingerprint, found.value or b"", str(found.error or "")))
        for back in range(1, beneath + 1 if found.value else 0):
            older = await outcome(Deferred.fromCoroutine(self._ask(hint, {"kind": "family", "back": back})))
            if not older.value:
                break
            take(Answer(hint.fingerprint, older.value))

    async def _ask(self, hint: SupplierHint, fields: dict[str, Any]) -> bytes:
        if not self._gateway.connected(hint.fingerprint):
            dials = [self._gateway.dial(address, hint.fingerprint) for address in hint.addresses]
            await _first([*dials, self._gateway.session_to(hint.fingerprint)])
        reply = await self._gateway.outbox.send(hint.fingerprint, Command.RETRIEVE, fields, deadline=HINT_SECONDS)
        return bytes(reply.payload)

    async def _family_at_large(self, take: Take) -> None:
        """Suppliers that nothing names: one that keeps something of mine has the family too."""

        async def ask(hint: SupplierHint) -> bool:
            found = await outcome(Deferred.fromCoroutine(self._ask(hint, {"kind": "family"})))
            if found.error is None:
                take(Answer(hint.fingerprint, found.value))
            return found.error is None

        await self._at_large(ask)

    async def _at_large(self, ask: Callable[[SupplierHint], Awaitable[bool]]) -> bool:
        """Ask nodes of the suppliers' layer, in an order of chance, until one has it; whether no more are known.

        The next round goes on with those that were not asked yet, and begins again when there are none.
        """
        await self._joined()
        await _all(self._lane(ask) for _ in range(LANES))
        everybody = await self._dht.node.random_node(SUPPLIERS_LAYER, frozenset(self._strangers)) is None
        if everybody:
            self._strangers.clear()
        return everybody

    async def _lane(self, ask: Callable[[SupplierHint], Awaitable[bool]]) -> None:
        for _ in range(AT_LARGE // LANES):
            node = await self._dht.node.random_node(SUPPLIERS_LAYER, frozenset(self._strangers))
            if node is None:
                return
            self._strangers.add(node.fingerprint)
            if await ask(SupplierHint(node.fingerprint, node.addresses)):
                return

    # the identity

    def identity_from_dht(self, fingerprint: bytes) -> "Deferred[bytes | None]":
        """The newest document of a fingerprint, as the hash table has it."""

        async def ask() -> bytes | None:
            await self._joined()
            return await self._dht.directory.identity_of(fingerprint)

        return Deferred.fromCoroutine(ask())

    def identity_from_supplier(
        self, hint: SupplierHint, claim: IdentityDocument, device: DeviceKey
    ) -> "Deferred[bytes | None]":
        """My own newest document, of a supplier that the key file names; shown is a claim signed by my RSA key."""
        return Deferred.fromCoroutine(self._claim(hint, Shown(claim, device)))

    def identity_at_large(self, claim: IdentityDocument, device: DeviceKey) -> "Deferred[bytes | None]":
        """The same of any node that offers to be a supplier; None where all of them have said that they have none."""
        return Deferred.fromCoroutine(self._identity_at_large(Shown(claim, device)))

    async def _identity_at_large(self, shown: Shown) -> bytes | None:
        found: list[bytes] = []
        silent: list[bytes] = []

        async def ask(hint: SupplierHint) -> bool:
            answer = await outcome(Deferred.fromCoroutine(self._claim(hint, shown)))
            (silent if answer.error is not None else found if answer.value else []).append(answer.value or b"")
            return bool(answer.value)

        everybody = await self._at_large(ask)
        if not found and (silent or not everybody):
            raise BitDustError("no-answer", "there are more suppliers to ask")
        return found[0] if found else None

    async def _claim(self, hint: SupplierHint, shown: Shown) -> bytes | None:
        dials = [self._gateway.dial(address, hint.fingerprint, shown.claim, shown.device) for address in hint.addresses]
        session = await _first(dials)
        try:
            reply = await self._gateway.outbox.send(
                hint.fingerprint,
                Command.RETRIEVE,
                {"kind": "identity"},
                deadline=HINT_SECONDS,
                session=session,
                owner=shown.claim.fingerprint,
                creator=shown.claim.fingerprint,
            )
            return bytes(reply.payload)
        except BitDustError as error:
            if error.code in ("not-found", *STRANGERS):
                return None
            raise
        finally:
            session.close("stopping", "that was all")

    def use_seeds(self, seeds: Iterable[str]) -> None:
        """Join the hash table by the nodes that the key file names."""
        try:
            self._dht.use_more_seeds(parse_seeds(",".join(seeds)))
        except BitDustError as error:
            self.log.warn("the seeds of the key file are of no use: {error}", error=error)
        if self._dht.node.running and self._dht.more_seeds:
            self.services.restart("entangled_dht")


def _all(asked: "Iterable[Awaitable[None]]") -> "Deferred[None]":
    """Fires when all have ended, whichever way. To cancel it cancels them."""
    waiting = [one if isinstance(one, Deferred) else Deferred.fromCoroutine(one) for one in asked]  # type: ignore[arg-type]
    return DeferredList(waiting, consumeErrors=True).addCallback(lambda _: None)


async def _first(dials: "list[Deferred[Session]]") -> Session:
    """The session of the address that answers first. Raises what the last one failed with."""
    if not dials:
        raise BitDustError("no-answer", "no address of it is known")
    errors: list[BaseException] = []
    found: Deferred[Session] = Deferred(lambda _: _give_up(dials))

    def up(session: Session) -> None:
        if not found.called:
            found.callback(session)
            _give_up(dials)

    def failed(failure: Any) -> None:
        errors.append(failure.value)
        if not found.called and len(errors) == len(dials):
            found.errback(failure)

    for dial in list(dials):
        dial.addCallbacks(up, failed)
    return await found


def _give_up(dials: "list[Deferred[Session]]") -> None:
    """Wait for them no more; one that shows a claim is closed, whenever it comes."""
    for dial in dials:
        dial.cancel()
