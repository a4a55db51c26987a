"""Where a node that has lost everything but its key file asks, and what its next key file will name."""

from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.crypt.device import DeviceKey
from bitdust.crypt.keyfile import HeadHint, Hints, SupplierHint
from bitdust.dht.room import DHTRoom
from bitdust.dht.seeds import SEEDS, parse_seeds
from bitdust.identity.document import IdentityDocument
from bitdust.identity.registration import Registration
from bitdust.ports import ServiceStarter
from bitdust.storage.storage import Storage
from bitdust.suppliers.family import MyFamily
from bitdust.surroundings import Connected
from bitdust.transport.gateway import Gateway
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed
from bitdust.wiring import Wire

HINT_SECONDS = 5.0
MOST_SEEDS = 16


class Recovery:
    """I ask the hash table and every supplier that the key file names, whatever of them answers."""

    log = Logger()
    services = Wire(ServiceStarter)

    def __init__(self, around: Connected, gateway: Gateway, dht: DHTRoom, registration: Registration) -> None:
        self._around = around
        self._gateway = gateway
        self._dht = dht
        self._registration = registration

    def find_family(self) -> "Deferred[list[Signed]]":
        """My family records, not checked yet."""
        return Deferred.fromCoroutine(self._find_family())

    async def _find_family(self) -> list[Signed]:
        found: list[Signed] = []
        record = await self._dht.directory.family_record(self._around.me.fingerprint)
        if record is not None:
            found.append(Signed.from_bytes(record.value, Family.KIND))
        for hint in self._registration.hints.suppliers:
            try:
                found.append(Signed.from_bytes(await self._ask(hint, {"kind": "family"}), Family.KIND))
            except Exception as error:  # noqa: BLE001 - whatever a hinted supplier does, others may have the record
                self.log.debug("no family record from a hinted supplier: {error}", error=error)
        return found

    async def _ask(self, hint: SupplierHint, fields: dict[str, Any]) -> bytes:
        for address in hint.addresses:
            if self._gateway.connected(hint.fingerprint):
                break
            try:
                await self._gateway.dial(address, hint.fingerprint)
            except Exception as error:  # noqa: BLE001 - the next address may answer
                self.log.debug("{address} does not answer: {error}", address=address, error=error)
        reply = await self._gateway.outbox.send(hint.fingerprint, Command.RETRIEVE, fields, deadline=HINT_SECONDS)
        return bytes(reply.payload)

    def identity_from_dht(self, fingerprint: bytes) -> "Deferred[bytes | None]":
        """The newest document of a fingerprint, as the hash table has it."""
        return self._dht.directory.identity_of(fingerprint)

    def identity_from_supplier(
        self, hint: SupplierHint, claim: IdentityDocument, device: DeviceKey
    ) -> "Deferred[bytes | None]":
        """My own newest document, of a supplier that the key file names; shown is a claim signed by my RSA key."""
        return Deferred.fromCoroutine(self._claim(hint, claim, device))

    async def _claim(self, hint: SupplierHint, claim: IdentityDocument, device: DeviceKey) -> bytes | None:
        for address in hint.addresses:
            try:
                session = await self._gateway.dial(address, hint.fingerprint, claim, device)
            except Exception as error:  # noqa: BLE001 - the next address may answer
                self.log.debug("{address} does not answer: {error}", address=address, error=error)
                continue
            try:
                reply = await self._gateway.outbox.send(
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
        """Join the hash table by the nodes that the key file names."""
        try:
            self._dht.use_more_seeds(parse_seeds(",".join(seeds)))
        except BitDustError as error:
            self.log.warn("the seeds of the key file are of no use: {error}", error=error)
        if self._dht.node.running and self._dht.more_seeds:
            self.services.restart("entangled_dht")


class KeyFileHints:
    """I know what a key file that is written now should name, beside the key."""

    def __init__(self, around: Connected, gateway: Gateway, dht: DHTRoom, family: MyFamily, storage: Storage) -> None:
        self._around = around
        self._gateway = gateway
        self._dht = dht
        self._family = family
        self._storage = storage

    def hints(self) -> Hints:
        """Nodes of the hash table and suppliers that are known now, and how far the catalog has come."""
        family = self._family.current
        known = str(self._around.settings.get(SEEDS)).split(",")
        contacts = [str(contact) for layer in self._dht.node.status()["layers"][:1] for contact in layer["contacts"]]
        nodes = [contact.rpartition("@")[2] for contact in contacts]
        suppliers = [
            SupplierHint(who, tuple(self._gateway.known_addresses(who)[:4]))
            for who in (family.holders if family else ())
        ]
        heads = [HeadHint(head.device, head.sequence, head.hash, head.scope) for head in self._storage.heads()]
        seeds = [text.strip() for text in known if ":" in text]
        named = tuple(dict.fromkeys([*seeds, *nodes]))[:MOST_SEEDS]
        return Hints(seeds=named, suppliers=tuple(suppliers), heads=tuple(heads))
