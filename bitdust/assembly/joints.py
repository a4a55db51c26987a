"""Joints: small objects that answer one room's port with what other rooms know."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.logger import Logger

from bitdust.customers.families import FamilyInDHT, InDHT
from bitdust.dht.directory import Directory
from bitdust.groups.room import GroupsRoom
from bitdust.identity.awaited import FAMILY
from bitdust.identity.document import DATE
from bitdust.identity.room import IdentityRoom
from bitdust.ports import ServiceStarter
from bitdust.storage.log.access import OwnLogs
from bitdust.storage.packs.erasure import Coders
from bitdust.storage.storage import Storage
from bitdust.suppliers.room import SuppliersRoom
from bitdust.surroundings import Connected
from bitdust.wire.records import Family, Head, PackRecord
from bitdust.wire.signed import Signed
from bitdust.wiring import Wire

LONGEST_WAIT = 2 * 86_400.0
"""Seconds for which groups that cannot be read leave it open how much a revoked device has said in them."""


def _is_late(around: Connected) -> bool:
    """Whether my document, which says who is revoked, was made so long ago."""
    made = datetime.strptime(around.me.document.date, DATE).replace(tzinfo=UTC).timestamp()
    return around.world.wall() - made > LONGEST_WAIT


def in_layer(wanted: int, then: Callable[[], None]) -> Callable[[int], None]:
    """What is to be done about those who are seated in one layer of the hash table."""

    def seated(layer: int) -> None:
        if layer == wanted:
            then()

    return seated


class FamiliesInDHT:
    """Families and identities of customers, for who keeps them alive."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def read(self, customer: bytes, device: bytes, identity: bool) -> "Deferred[InDHT]":
        """A customer's records."""

        def found(records: list[Any]) -> InDHT:
            family, document = records
            raw = None
            if family is not None:
                raw = FamilyInDHT(device, family.to_bytes(), family.revision, family.expires)
            return InDHT(raw, document.revision, document.expires) if document is not None else InDHT(raw)

        family = self._directory.family_record(customer, device) if device else succeed(None)
        asked = [family, self._directory.identity_record(customer) if identity else succeed(None)]
        return gatherResults(asked, consumeErrors=True).addCallback(found)

    def write_family(self, raw: bytes) -> "Deferred[Any]":
        """Store a record again, byte for byte."""
        return self._directory.put_again(raw)

    def write_identity(self, customer: bytes, revision: int, document: bytes) -> "Deferred[Any]":
        """Store a document for another month."""
        return self._directory.put_identity_of(customer, revision, document)


class WrittenLogs:
    """How much a device of mine has written: one number for all its logs, of my files and of what it said in groups."""

    def __init__(self, around: Connected, storage: Storage, groups: GroupsRoom) -> None:
        self._around = around
        self._storage = storage
        self._groups = groups

    def length(self, device: bytes, is_patient: bool = True) -> int | None:
        """Entries of the longest one; None while there may be more. A group that nobody keeps any more is not waited
        for longer than two days after my document was made; the file of one that was left is, as long as it cannot be
        read, since an end that is too low is never corrected."""
        known = self._storage.length(device, is_patient)
        if known is None or not (self._groups.were_read(device) or _is_late(self._around) or not is_patient):
            return None
        said = self._groups.said_by(device, is_patient)
        return max(known, said) if said is not None else None


class MessageDirectory:
    """Where devices of people are found, and what they left for who writes to them."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def put_prekeys(self, signed: Signed) -> "Deferred[Any]":
        """Store my record."""
        return self._directory.put_prekeys(signed)

    def prekeys_of(self, fingerprint: bytes, device: bytes) -> "Deferred[bytes | None]":
        """The newest record of a device."""
        return Deferred.fromCoroutine(self._directory.prekeys_of(fingerprint, device))

    def look_up(self, fingerprint: bytes) -> "Deferred[Any]":
        """Have the newest document known."""
        return Deferred.fromCoroutine(self._directory.resolve(fingerprint))

    def resolve_device(self, fingerprint: bytes, device: bytes) -> "Deferred[list[str]]":
        """Where one device may be reached."""
        return Deferred.fromCoroutine(self._directory.addresses_of_device(fingerprint, device))


class PieceMaking:
    """How a spare of this node makes a piece out of others."""

    def __init__(self) -> None:
        self._coders = Coders()

    def make(self, record: PackRecord, pieces: Mapping[int, bytes], index: int) -> bytes:
        """One piece out of k others; for a thread."""
        coder = self._coders.of(record.scheme)
        return coder.encode(coder.decode(pieces, record.size, record.scheme.segment), record.scheme.segment)[index]


class DeviceRenewal:
    """A copy of this home goes on under this device's key: this node takes one of its own, as soon as its RSA key is
    here, whose word that needs."""

    services = Wire(ServiceStarter)

    def __init__(self, around: Connected) -> None:
        self._me = around.me
        around.me.copies.found.connect(self._look)
        around.me.changed.connect(self._look)

    def _look(self) -> None:
        if self._me.present and self._me.held_master is not None and self._me.copies.why(self._me.device.id):
            self.renew()

    def renew(self) -> None:
        """Take a new device key, and start again what speaks under it."""
        self._me.renew_device(revoke=False)
        for name in ("entangled_dht", "tcp_connections"):
            self.services.restart(name)


class StorageJoint:
    """What the customer's storage needs of the rest of the node."""

    log = Logger()
    services = Wire(ServiceStarter)

    def __init__(
        self,
        around: Connected,
        identity: IdentityRoom,
        suppliers: SuppliersRoom,
        directory: Directory,
        renew_device: Callable[[], None],
    ) -> None:
        self._around = around
        self._identity = identity
        self._suppliers = suppliers
        self._directory = directory
        self._renew_device = renew_device

    def family(self) -> Family | None:
        """My newest family record, with spares in the places of those who are gone."""
        return self._suppliers.spares.stand_in(self._suppliers.family.current)

    def is_coming(self, supplier: bytes) -> bool:
        """Whether a supplier that is not connected may be in a moment."""
        return self._suppliers.connectors.is_coming(supplier)

    def is_family_mine(self) -> bool:
        """Whether this device wrote the family record."""
        signed = self._suppliers.family.signed
        return signed is not None and signed.device == self._around.me.device.id

    def of_other_lives(self) -> list[bytes]:
        """Suppliers that hold what another life of mine has stored, of which not all is known here."""
        return self._suppliers.family.of_other_lives()

    def awaits_others(self) -> bool:
        """Whether a family is searched for, a newer one or one of before, or one that was found may hold what is not
        known here.

        However long that takes: an end that was fixed before would cut off all that a revoked device had stored there.
        """
        is_searching = self._around.me.awaits(FAMILY) or self._suppliers.former.is_searching
        is_unread = bool(self._suppliers.replacements.unread())
        return is_searching or is_unread or self.are_some_aside()

    def are_some_aside(self) -> bool:
        """Whether suppliers of a family that was found wait for room beside mine, and are not asked meanwhile."""
        return self._suppliers.family.has_guests_aside

    def room(self) -> int | None:
        """Bytes of my own data for which there is room, or will be; None while nothing is known of it."""
        return self._suppliers.connectors.room()

    def note_taken(self, supplier: bytes, taken: int | None) -> None:
        """A supplier says how many bytes of its room are taken; None: it has refused a piece for want of it."""
        self._suppliers.connectors.note_taken(supplier, taken)

    def publish_head(self, head: Head, signed: Signed) -> "Deferred[Any]":
        """Bring a head to the DHT."""
        return self._directory.put_head(head, signed)

    def known_heads(self) -> "Deferred[list[Head]]":
        """Heads known to the DHT and to the key file from which this node was recovered."""
        return Deferred.fromCoroutine(self._known_heads())

    async def _known_heads(self) -> list[Head]:
        me = self._around.me
        logs = OwnLogs(me)
        hinted = self._identity.registration.hints.heads
        heads = [Head(me.fingerprint, hint.device, hint.sequence, hint.hash, 0, scope=hint.scope) for hint in hinted]
        scopes = [scope or b"" for key in logs.readable_keys() for scope in logs.scopes(key)]
        return heads + await self._directory.heads_of(scopes)

    def catalog_is_outdated(self) -> None:
        """Other devices have deleted what this one does not know of: everything that uses the catalog starts again."""
        self.services.restart("data_motion")

    def device_is_taken(self) -> None:
        """Suppliers hold log entries under this device's key that it does not know: take a new device key."""
        self._renew_device()
