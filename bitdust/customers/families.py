"""Families of my customers: I keep their newest record, and keep it in the DHT while they are away."""

from collections.abc import Callable
from typing import Any, Protocol

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from bitdust.automats.family_member import FamilyMember
from bitdust.automats.kernel import Registry
from bitdust.crypt.device import check_record
from bitdust.peers.ports import Identities
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed

DHT_COPY = "family-dht"
"""The kind under which the store remembers the DHT's own bytes of a record."""


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


class FamilyStore(Protocol):
    """The supplier's store, as far as families go."""

    def record(self, customer: bytes, kind: str, /) -> bytes | None: ...

    def keep_record(self, customer: bytes, kind: str, revision: int, signed: bytes, /) -> "Deferred[int]": ...


@define
class _Member:
    """The port of one `family_member`."""

    families: "CustomerFamilies"
    customer: bytes
    remembered: int = 0
    machine: FamilyMember | None = field(default=None, repr=False)

    def owner_is_away(self) -> bool:
        return not self.families.is_online(self.customer)

    def read(self) -> "Deferred[Any]":
        return self.families.dht.read(self.customer)

    def is_lost(self, record: FamilyInDHT | None) -> bool:
        return self.remembered > (record.revision if record is not None else 0)

    def keep(self, record: FamilyInDHT) -> None:
        if record.revision > self.remembered:
            self.remembered = record.revision
            self.families.remember(self.customer, record)

    def write(self) -> "Deferred[Any]":
        raw = self.families.store.record(self.customer, DHT_COPY)
        return self.families.dht.write(raw) if raw is not None else succeed(None)


class CustomerFamilies:
    """I have one `family_member` a customer."""

    log = Logger()

    def __init__(
        self,
        registry: Registry,
        store: FamilyStore,
        dht: FamilyDHT,
        identities: Identities,
        is_online: Callable[[bytes], bool],
    ) -> None:
        self._registry = registry
        self._identities = identities
        self._members: dict[bytes, _Member] = {}
        self.store = store
        self.dht = dht
        self.is_online = is_online

    def start(self, customers: list[bytes]) -> None:
        """Look after everybody who is a customer already."""
        for customer in customers:
            self.look_after(customer)

    def stop(self) -> None:
        """Look after nobody."""
        members, self._members = self._members, {}
        for member in members.values():
            if member.machine is not None:
                member.machine.send("shutdown")

    def look_after(self, customer: bytes) -> None:
        """This customer has a contract, or has just brought its family."""
        member = self._members.get(customer)
        if member is None:
            member = self._members[customer] = _Member(self, customer)
            member.machine = FamilyMember(self._registry, customer.hex()[:8], member)
        if member.machine is not None:
            member.machine.send("refresh")

    def forget(self, customer: bytes) -> None:
        """This customer is one no more."""
        member = self._members.pop(customer, None)
        if member is not None and member.machine is not None:
            member.machine.send("shutdown")

    def family_kept(self, customer: bytes, family: Family, signed: bytes) -> None:
        """The supplier's rows kept a record that the customer brought."""
        self.look_after(customer)

    def family_of(self, customer: bytes) -> Family | None:
        """The newest family of a customer that is known here."""
        data = self.store.record(customer, Family.KIND)
        return Family.from_body(Signed.from_bytes(data, Family.KIND).body) if data is not None else None

    def remember(self, customer: bytes, found: FamilyInDHT) -> None:
        """Keep the DHT's bytes and, where it is newer and truly the customer's, the family inside."""
        keeping = Deferred.fromCoroutine(self._remember(customer, found))
        keeping.addErrback(lambda failure: self.log.warn("a customer's family was not kept: {why}", why=failure.value))

    async def _remember(self, customer: bytes, found: FamilyInDHT) -> None:
        try:
            await self.store.keep_record(customer, DHT_COPY, found.revision, found.raw)
            known = self.family_of(customer)
            if known is None or known.revision < found.revision:
                self._verify(customer, found)
                await self.store.keep_record(customer, Family.KIND, found.revision, found.signed)
        except BitDustError as error:
            self.log.info("a customer's family from the DHT is not kept: {error}", error=error)

    def _verify(self, customer: bytes, found: FamilyInDHT) -> None:
        signed = Signed.from_bytes(found.signed, Family.KIND)
        family = Family.from_body(signed.body)
        document = self._identities(customer)
        device = document.device(signed.device) if document is not None else None
        if device is None or device.revoked is not None or family.customer != customer:
            raise BitDustError("bad-signature", "no device of the customer signed it")
        if family.revision != found.revision:
            raise BitDustError("bad-field", "the record and the family inside differ in their revision")
        check_record(signed, device.key)
