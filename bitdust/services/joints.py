"""The ports that join domains which do not know each other: contacts with the DHT, the store with the identity …

Each joint gets the node's parts after everything is built; until then nobody calls it.
"""

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from bitdust.crypt.device import DeviceKey
from bitdust.crypt.keyfile import HeadHint, Hints, SupplierHint
from bitdust.customers.contracts import Kept
from bitdust.customers.families import FamilyInDHT
from bitdust.identity.document import IdentityDocument
from bitdust.services.parts import Parts
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import DeviceAddresses, Family, Head
from bitdust.wire.signed import Signed

DAY = 86_400
HINT_SECONDS = 5.0


class Joint:
    """Holds the parts; ``parts`` is set by the node once they exist."""

    parts: Parts


class DHTJoint(Joint):
    """What is looked up in the DHT and told to it."""

    def publish_addresses(self, signed: Signed) -> "Deferred[Any]":
        """My addresses record."""
        record = DeviceAddresses.from_body(signed.body)
        subject = record.owner + record.device
        return self.parts.dht.put(DeviceAddresses.KIND, subject, record.time, signed.to_bytes(), 2 * DAY)

    def family_to_dht(self, family: Family, signed: Signed) -> "Deferred[Any]":
        """My family record."""
        return self.parts.dht.put(Family.KIND, family.customer, family.revision, signed.to_bytes(), 30 * DAY)

    def read(self, customer: bytes) -> "Deferred[FamilyInDHT | None]":
        """A customer's family record, for who keeps it alive."""

        def found(record: Any) -> FamilyInDHT | None:
            return FamilyInDHT(record.to_bytes(), record.value, record.revision) if record is not None else None

        return self.parts.dht.get(Family.KIND, customer).addCallback(found)

    def write(self, raw: bytes) -> "Deferred[Any]":
        """Store a customer's family record again, byte for byte."""
        return self.parts.dht.put_raw(raw)


class RecoveryJoint(Joint):
    """Where a node that has lost everything but its key file asks, and what its next key file will tell."""

    log = Logger()

    def __init__(self, parse_seeds: Callable[[str], list[tuple[str, int]]]) -> None:
        self._parse_seeds = parse_seeds
        self.restart_dht: Callable[[], Any] = lambda: None

    def find_family(self) -> "Deferred[list[Signed]]":
        """My family records, not checked yet: from the DHT and from every supplier that the key file names."""
        return Deferred.fromCoroutine(self._find_family())

    async def _find_family(self) -> list[Signed]:
        found: list[Signed] = []
        record = await self.parts.dht.get(Family.KIND, self.parts.me.fingerprint)
        if record is not None:
            found.append(Signed.from_bytes(record.value, Family.KIND))
        for hint in self.parts.registration.hints.suppliers:
            try:
                found.append(Signed.from_bytes(await self._ask(hint, {"kind": "family"}), Family.KIND))
            except Exception as error:  # noqa: BLE001 - whatever a hinted supplier does, others may have the record
                self.log.debug("no family record from a hinted supplier: {error}", error=error)
        return found

    async def _ask(self, hint: SupplierHint, fields: dict[str, Any]) -> bytes:
        gateway = self.parts.gateway
        for address in hint.addresses:
            if gateway.connected(hint.fingerprint):
                break
            try:
                await gateway.dial(address, hint.fingerprint)
            except Exception as error:  # noqa: BLE001 - the next address may answer
                self.log.debug("{address} does not answer: {error}", address=address, error=error)
        reply = await gateway.outbox.send(hint.fingerprint, Command.RETRIEVE, fields, deadline=HINT_SECONDS)
        return bytes(reply.payload)

    def identity_from_dht(self, fingerprint: bytes) -> "Deferred[bytes | None]":
        """The newest document of a fingerprint."""
        if not self.parts.dht.running:
            return succeed(None)
        found = self.parts.dht.get("identity", fingerprint)
        return found.addCallback(lambda record: record.value if record is not None else None)

    def identity_from_supplier(
        self, hint: SupplierHint, claim: IdentityDocument, device: DeviceKey
    ) -> "Deferred[bytes | None]":
        """My own newest document, of a supplier that the key file names; shown is a claim signed by my RSA key."""
        return Deferred.fromCoroutine(self._claim(hint, claim, device))

    async def _claim(self, hint: SupplierHint, claim: IdentityDocument, device: DeviceKey) -> bytes | None:
        gateway = self.parts.gateway
        for address in hint.addresses:
            try:
                session = await gateway.dial(address, hint.fingerprint, claim, device)
            except Exception as error:  # noqa: BLE001 - the next address may answer
                self.log.debug("{address} does not answer: {error}", address=address, error=error)
                continue
            try:
                reply = await gateway.outbox.send(
                    hint.fingerprint,
                    Command.RETRIEVE,
                    {"kind": "identity"},
                    deadline=HINT_SECONDS,
                    session=session,
                    owner=claim.fingerprint,
                    creator=claim.fingerprint,
                )
                return bytes(reply.payload)
            finally:
                session.close("stopping", "that was all")
        return None

    def use_seeds(self, seeds: Iterable[str]) -> None:
        """DHT nodes that the key file names."""
        try:
            self.parts.extra_seeds = self._parse_seeds(",".join(seeds))
        except BitDustError as error:
            self.log.warn("the seeds of the key file are of no use: {error}", error=error)
        if self.parts.dht.running and self.parts.extra_seeds:
            self.restart_dht()

    def make_hints(self) -> Hints:
        """DHT nodes and suppliers that are known now, and how far the catalog has come."""
        parts, family = self.parts, self.parts.family.current
        known = str(parts.settings.get("services/entangled-dht/known-nodes")).split(",")
        contacts = [str(contact) for layer in parts.dht.status()["layers"][:1] for contact in layer["contacts"]]
        nodes = [contact.rpartition("@")[2] for contact in contacts]
        suppliers = [
            SupplierHint(who, tuple(parts.gateway.known_addresses(who)[:4]))
            for who in (family.holders if family else ())
        ]
        heads = [HeadHint(head.device, head.sequence, head.hash) for head in parts.storage.heads()]
        seeds = [text.strip() for text in known if ":" in text]
        return Hints(seeds=tuple(dict.fromkeys([*seeds, *nodes]))[:16], suppliers=tuple(suppliers), heads=tuple(heads))


class SupplierJoint(Joint):
    """What the supplier's rows need of the node."""

    def my_fingerprint(self) -> bytes:
        """Mine."""
        return self.parts.me.fingerprint

    def document_of(self, fingerprint: bytes) -> IdentityDocument | None:
        """The newest known document of a peer."""
        return self.parts.cache.get(fingerprint)

    def sign(self, kind: str, body: bytes) -> Signed:
        """Sign with this device's key."""
        return self.parts.me.sign(kind, body)

    def report(self, event: str, data: dict[str, Any]) -> None:
        """Send a local event."""
        self.parts.events.send(event, data)

    def family_kept(self, customer: bytes, family: Family, signed: bytes) -> None:
        """A customer brought its family record."""
        self.parts.families.family_kept(customer, family, signed)

    def customer_left(self, customer: bytes) -> None:
        """A customer has left for good."""
        self.parts.families.forget(customer)
        self.parts.retirement.look()

    def leaves(self, kept: Kept) -> int:
        """Until when a customer that was given notice is answered."""
        return self.parts.notices.until(kept)


class StorageJoint(Joint):
    """What the customer's storage needs of the node."""

    log = Logger()

    def __init__(self) -> None:
        self.device_taken: Callable[[], None] = lambda: None
        self.restart_storage: Callable[[], Any] = lambda: None

    @property
    def outbox(self) -> Any:
        """The only way out."""
        return self.parts.gateway.outbox

    def family(self) -> Family | None:
        """My newest family record."""
        return self.parts.family.current

    def is_online(self, fingerprint: bytes) -> bool:
        """Whether there is a session with a supplier."""
        return self.parts.gateway.connected(fingerprint)

    def room(self) -> int | None:
        """Bytes of my own data that fit the smallest contract of my family; None while nothing is known of them."""
        family = self.parts.family.current
        contracts = [self.parts.book.of(who) for who in (family.suppliers if family else ()) if who]
        rooms = [contract.room for contract in contracts if contract is not None]
        return min(rooms) * family.k if rooms and family else None

    def names(self, fingerprint: bytes) -> tuple[str, str]:
        """IDURL and global id of a supplier."""
        document = self.parts.cache.get(fingerprint)
        return (str(document.idurl), document.global_id) if document else ("", "")

    def my_names(self) -> list[str]:
        """My global ids, one of each source."""
        return [source.global_id for source in self.parts.me.document.sources]

    def publish_head(self, head: Head, signed: Signed) -> "Deferred[Any]":
        """Bring a head to the DHT."""
        subject = head.owner + head.device
        return self.parts.dht.put(Head.KIND, subject, head.sequence, signed.to_bytes(), 30 * DAY)

    def known_heads(self) -> "Deferred[list[Head]]":
        """Heads told by the DHT and by the key file from which this node was recovered."""
        return Deferred.fromCoroutine(self._known_heads())

    async def _known_heads(self) -> list[Head]:
        me = self.parts.me
        hinted = self.parts.registration.hints.heads
        heads = [Head(me.fingerprint, hint.device, hint.sequence, hint.hash, 0) for hint in hinted]
        for device in me.document.devices:
            try:
                record = await self.parts.dht.get(Head.KIND, me.fingerprint + device.id)
                if record is not None:
                    heads.append(Head.from_body(Signed.from_bytes(record.value, Head.KIND).body))
            except WireError as error:
                self.log.warn("a head in the DHT cannot be read: {error}", error=error)
        return heads

    def catalog_is_outdated(self) -> None:
        """Other devices have deleted what this one does not know of: everything that uses the catalog starts again."""
        self.restart_storage()

    def device_is_taken(self) -> None:
        """Suppliers hold log entries under this device's key that it does not know: take a new device key."""
        self.device_taken()
