"""Families of my customers: I keep their newest record, and keep it in the DHT while they are away."""

from typing import Any, Protocol

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from bitdust.automats.family_member import FamilyMember
from bitdust.crypt.device import check_record
from bitdust.customers.records import Counts
from bitdust.customers.store import SupplierStore
from bitdust.peers.presence import Presence
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed

DHT_COPY = "family-dht"
"""The kind under which the store remembers the DHT's own bytes of a record."""
OVERDUE = 24 * 3600.0
"""Seconds in which a record must have reached the DHT again; it lives there for 30 days."""


@frozen
class FamilyInDHT:
    """What the DHT has: its record byte by byte, for storing it again, and the signed family inside."""

    raw: bytes
    signed: bytes
    revision: int


class FamilyDHT(Protocol):
    """The port to the DHT."""

    def read(self, customer: bytes, /) -> "Deferred[FamilyInDHT | None]":
        """The customer's newest record, validated by the DHT."""

    def write(self, raw: bytes, /) -> "Deferred[Any]":
        """Store a record again, verbatim."""


@define
class _Member:
    """The port of one `family_member`."""

    families: "CustomerFamilies"
    customer: bytes
    remembered: int = 0
    failing_since: float | None = None
    machine: FamilyMember | None = field(default=None, repr=False)

    def owner_is_away(self) -> bool:
        return not self.families.presence.is_online(self.customer)

    def read(self) -> "Deferred[Any]":
        return self.families.dht.read(self.customer)

    def is_lost(self, record: FamilyInDHT | None) -> bool:
        return self.remembered > (record.revision if record is not None else 0)

    def remember(self, record: FamilyInDHT) -> None:
        self.failing_since = None
        if record.revision > self.remembered:
            self.remembered = record.revision
            self.families.remember(self.customer, record)

    def write(self) -> "Deferred[Any]":
        raw = self.families.store.record(self.customer, DHT_COPY)
        return self.families.dht.write(raw) if raw is not None else succeed(None)

    def note_written(self) -> None:
        self.failing_since = None

    def note_failed(self) -> None:
        if self.failing_since is None:
            self.failing_since = self.families.uptime()


class CustomerFamilies:
    """I have one `family_member` a customer while I am started."""

    log = Logger()

    def __init__(self, around: Surroundings, store: SupplierStore, dht: FamilyDHT, presence: Presence) -> None:
        self._registry = around.registry
        self._identities = around.identities
        self._members: dict[bytes, _Member] | None = None
        self.uptime = around.world.clock.seconds
        self.store = store
        self.dht = dht
        self.presence = presence

    def start(self) -> None:
        """Look after everybody who is a customer already."""
        self._members = {}
        for account in self.store.customers():
            self.refresh(account.contract.customer)

    def stop(self) -> None:
        """Look after nobody."""
        members, self._members = self._members or {}, None
        for member in members.values():
            self._end(member)

    def refresh(self, customer: bytes) -> None:
        """This customer has a contract, or has just brought its family."""
        if self._members is None:
            return
        member = self._members.get(customer)
        if member is None:
            member = self._members[customer] = _Member(self, customer)
            member.machine = FamilyMember(self._registry, customer.hex()[:8], member)
        if member.machine is not None:
            member.machine.send("refresh")

    def forget(self, customer: bytes) -> None:
        """This customer is one no more."""
        member = (self._members or {}).pop(customer, None)
        if member is not None:
            self._end(member)

    def _end(self, member: _Member) -> None:
        if member.machine is not None:
            member.machine.send("shutdown")

    def overdue(self) -> list[bytes]:
        """Customers who are away and whose record could not be kept alive for a day."""
        late = self.uptime() - OVERDUE
        members = (self._members or {}).values()
        return [
            member.customer
            for member in members
            if member.failing_since is not None
            and member.failing_since <= late
            and member.owner_is_away()
            and self.store.record(member.customer, Family.KIND) is not None
        ]

    def family_of(self, customer: bytes) -> Family | None:
        """The newest family of a customer that is known here."""
        data = self.store.record(customer, Family.KIND)
        return Family.from_body(Signed.from_bytes(data, Family.KIND).body) if data is not None else None

    def remember(self, customer: bytes, found: FamilyInDHT) -> None:
        """Keep the DHT's bytes and, where it is newer and truly the customer's, the family inside."""
        storing = Deferred.fromCoroutine(self._remember(customer, found))
        storing.addErrback(
            lambda failure: self.log.warn("a customer's family was not stored: {why}", why=failure.value)
        )

    async def _remember(self, customer: bytes, found: FamilyInDHT) -> None:
        try:
            await self.store.store_record(customer, DHT_COPY, found.revision, found.raw)
            known = self.family_of(customer)
            if known is None or known.revision < found.revision:
                signed = self._verify(customer, found)
                counts = self._counting(customer)
                await self.store.store_signed(customer, found.revision, signed, counts)
        except BitDustError as error:
            self.log.info("a customer's family from the DHT is not stored: {error}", error=error)

    def _counting(self, customer: bytes) -> Counts:
        document = self._identities.get(customer)

        def counts(ident: bytes) -> bool:
            device = document.device(ident) if document is not None else None
            return device is not None and device.revoked is None

        return counts

    def _verify(self, customer: bytes, found: FamilyInDHT) -> Signed:
        signed = Signed.from_bytes(found.signed, Family.KIND)
        family = Family.from_body(signed.body)
        document = self._identities.get(customer)
        device = document.device(signed.device) if document is not None else None
        if device is None or device.revoked is not None or family.customer != customer:
            raise BitDustError("bad-signature", "no device of the customer signed it")
        if family.revision != found.revision:
            raise BitDustError("bad-field", "the record and the family inside differ in their revision")
        check_record(signed, device.key)
        return signed
