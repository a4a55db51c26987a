"""Families and identities of my customers: I keep the newest of each, and keep it in the DHT while they are away."""

from typing import Any, Protocol

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from bitdust.automats.family_member import FamilyMember
from bitdust.customers.keepsakes import DEVICE, FAMILY_IN_DHT, IDENTITY, Keepsake
from bitdust.customers.store import SupplierStore
from bitdust.peers.presence import Presence
from bitdust.peers.waking import Waking
from bitdust.surroundings import Surroundings
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed

OVERDUE = 24 * 3600.0
"""Seconds in which a record must have reached the DHT again."""
RENEW_BEFORE = 10 * 86_400
"""Seconds before its end at which an identity document is brought to the DHT again."""
LONGER = 86_400
"""Seconds that a copy must live longer to be worth a place on the disk."""


@frozen
class FamilyInDHT:
    """The DHT's record byte by byte, for storing it again: only its customer could read the family inside.

    Each device of the customer has a record of its own.
    """

    device: bytes
    raw: bytes
    revision: int
    expires: int


@frozen
class InDHT:
    """What the DHT has of a customer: its family, and which revision of its identity until when."""

    family: FamilyInDHT | None
    identity: int = 0
    identity_expires: int = 0


class CustomersInDHT(Protocol):
    """The port to the DHT."""

    def read(self, customer: bytes, device: bytes, identity: bool, /) -> "Deferred[InDHT]":
        """What is there, validated by the DHT; the family that one device wrote, none for an empty one.

        ``identity`` asks for the identity as well.
        """

    def write_family(self, raw: bytes, /) -> "Deferred[Any]":
        """Store a family record again, verbatim; fails when no other node keeps it."""

    def write_identity(self, customer: bytes, revision: int, document: bytes, /) -> "Deferred[Any]":
        """Store an identity document, which proves itself, for another month; fails as `write_family`."""


@define
class _Member:
    """The port of one `family_member`."""

    families: "CustomerFamilies"
    customer: bytes
    family_lost: Keepsake | None = None
    identity_lost: Keepsake | None = None
    failing_since: float | None = None
    machine: FamilyMember | None = field(default=None, repr=False)
    identity_asked: bool = False

    def owner_is_away(self) -> bool:
        return not self.families.presence.is_online(self.customer)

    def read(self) -> "Deferred[Any]":
        # An owner who is here publishes its identity itself; its family is read for the bytes, which nobody else makes.
        self.identity_asked = self.owner_is_away()
        writer = self.families.writer_of(self.customer)
        reading = self.families.dht.read(self.customer, writer, self.identity_asked)
        return reading.addCallback(lambda found: found if found.family is not None or found.identity else None)

    def is_lost(self, found: InDHT | None) -> bool:
        """What there was is said by the disk, so that it is known after a restart too."""
        there, now = found or InDHT(None), self.families.wall()
        family = self.families.kept_family(self.customer)
        identity = self.families.store.keepsake(IDENTITY, self.customer) if self.identity_asked else None
        self.family_lost = self.identity_lost = None
        if family is not None and family.expires > now and family.revision > _revision(there.family):
            self.family_lost = family
        lives = there.identity_expires > now + RENEW_BEFORE
        if identity is not None and (identity.revision > there.identity or not lives):
            self.identity_lost = identity
        return self.family_lost is not None or self.identity_lost is not None

    def remember(self, found: InDHT | None) -> None:
        if found is not None and found.family is not None:
            self.families.remember(self.customer, found.family)
        if self.family_lost is None and self.identity_lost is None:
            self.failing_since = None

    def write(self) -> "Deferred[Any]":
        writing: list[Deferred[Any]] = []
        if self.family_lost is not None:
            writing.append(self.families.dht.write_family(self.family_lost.data[DEVICE:]))
        if self.identity_lost is not None:
            lost = self.identity_lost
            writing.append(self.families.dht.write_identity(self.customer, lost.revision, lost.data))
        return gatherResults(writing, consumeErrors=True)

    def note_written(self) -> None:
        self.failing_since = None

    def note_failed(self) -> None:
        if self.failing_since is None:
            self.failing_since = self.families.uptime()


def _revision(found: FamilyInDHT | None) -> int:
    return found.revision if found is not None else 0


class CustomerFamilies:
    """I have one `family_member` a customer while I am started."""

    log = Logger()

    def __init__(self, around: Surroundings, store: SupplierStore, dht: CustomersInDHT, presence: Presence) -> None:
        self._registry = around.registry
        self._members: dict[bytes, _Member] | None = None
        self._waking = Waking(around.world)
        self.uptime = around.world.clock.seconds
        self.wall = around.world.wall
        self.store = store
        self.dht = dht
        self.presence = presence

    def start(self) -> None:
        """Look after everybody who is a customer already."""
        self._members = {}
        for account in self.store.customers():
            self._member(account.contract.customer)
        self._waking.wake(list(self._members), self._look)

    def stop(self) -> None:
        """Look after nobody."""
        self._waking.stop()
        members, self._members = self._members or {}, None
        for member in members.values():
            self._end(member)

    def refresh(self, customer: bytes) -> None:
        """This customer has a contract, or has just brought its family."""
        member = self._member(customer)
        if member is not None and member.machine is not None:
            member.machine.send("refresh")

    def _member(self, customer: bytes) -> _Member | None:
        if self._members is None:
            return None
        member = self._members.get(customer)
        if member is None:
            member = self._members[customer] = _Member(self, customer)
            member.machine = FamilyMember(self._registry, customer.hex()[:8], member)
        return member

    def _look(self, customer: bytes) -> None:
        if customer in (self._members or {}):
            self.refresh(customer)

    def network_is_back(self) -> None:
        """Others are in the DHT again: what could not be kept alive there is looked after now."""
        members = (self._members or {}).values()
        self._waking.wake([one.customer for one in members if one.failing_since is not None], self._look)

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

    def writer_of(self, customer: bytes) -> bytes:
        """The device that wrote the newest family that is known here; empty while none is known."""
        data = self.store.record(customer, Family.KIND)
        return Signed.from_bytes(data, Family.KIND).device if data is not None else b""

    def kept_family(self, customer: bytes) -> Keepsake | None:
        """The DHT's bytes of what that device wrote; those of another one count no more."""
        kept = self.store.keepsake(FAMILY_IN_DHT, customer)
        return kept if kept is not None and kept.data[:DEVICE] == self.writer_of(customer) else None

    def remember(self, customer: bytes, found: FamilyInDHT) -> None:
        """Keep the DHT's bytes where they are newer, or live longer."""
        before = self.kept_family(customer)
        if before is not None and before.revision >= found.revision and before.expires + LONGER > found.expires:
            return
        storing = self.store.keep(
            FAMILY_IN_DHT, Keepsake(customer, found.revision, found.expires, found.device + found.raw)
        )
        storing.addErrback(
            lambda failure: self.log.warn("a customer's family was not stored: {why}", why=failure.value)
        )
