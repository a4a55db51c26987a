"""What nodes keep in the hash table about themselves and each other: identities, addresses, families, nicknames,
heads of logs.

Each record lives longer than the time in which its owner writes it again; which record shows what to whom is a table in
``docs/formats.md``.
"""

from collections.abc import Callable, Coroutine, Iterable
from itertools import product
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.defer import Deferred, fail, gatherResults, succeed
from twisted.logger import Logger

from bitdust.dht.node import DHTNode
from bitdust.dht.publishing import Stored
from bitdust.dht.records import IPNS, DHTRecord
from bitdust.dht.sealed_family import opened, sealed_for
from bitdust.identity.cache import IdentityCache
from bitdust.identity.document import Device, IdentityDocument
from bitdust.identity.me import Me
from bitdust.outcome import Outcome, outcome, outcomes
from bitdust.signal import Signal
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.nicknames import Claim, Nickname, subject
from bitdust.wire.prekeys import Prekeys
from bitdust.wire.providers import POSITIONS, Provider
from bitdust.wire.providers import subject as provider_subject
from bitdust.wire.records import DeviceAddresses, DeviceCertificate, Family, Head
from bitdust.wire.revisions import followed
from bitdust.wire.signed import Signed

if TYPE_CHECKING:
    from bitdust.ipld.peerid import PeerId

DAY = 86_400
IDENTITY = "identity"
ADDRESSES_DAYS = 2
DAYS = 30
RELEASED_SECONDS = 3600
PROVIDED_SECONDS = 36 * 3600
"""Longer than the half day after which it is said again, and short enough that who is gone is not looked for long."""
STALE, TAKEN = "stale", "taken"
"""Why nodes refuse a record: they have a newer one, or somebody else's."""
CONTRACT_DAYS = 458
"""How long what a recovery needs is found, as long as suppliers keep their promises."""


@frozen
class Provided:
    """Somebody who has a block: the owner, and the key of the device."""

    fingerprint: bytes
    device_key: bytes


class Directory:
    """I write and read typed records. While the node is off, reading finds nothing and writing fails ``dht-off``."""

    log = Logger()

    def __init__(self, node: DHTNode, me: Me, identities: IdentityCache) -> None:
        self._node = node
        self._me = me
        self._identities = identities

    # identities

    def identity_of(self, fingerprint: bytes) -> "Deferred[bytes | None]":
        """The newest document of a fingerprint, not checked beyond its record."""
        if not self._node.running:
            return succeed(None)
        found = self._node.get(IDENTITY, fingerprint, thorough=True)
        return found.addCallback(lambda record: record.value if record is not None else None)

    def put_identity(self, document: IdentityDocument) -> "Deferred[Any]":
        """My document; fails with ``not-stored`` where nobody else keeps it."""
        putting = self._node.put(IDENTITY, document.fingerprint, document.revision, document.xml, DAYS * DAY)
        return putting.addCallback(_kept_by_others)

    def identity_record(self, fingerprint: bytes) -> "Deferred[Any]":
        """The whole record of somebody's document, or None: for who keeps it alive."""
        return self._node.get(IDENTITY, fingerprint)

    def put_identity_of(self, fingerprint: bytes, revision: int, document: bytes) -> "Deferred[Any]":
        """The document of somebody who is away, which proves itself, for another month; fails as `put_identity`."""
        return self._node.put_for(IDENTITY, fingerprint, revision, document, DAYS * DAY).addCallback(_kept_by_others)

    # addresses

    def put_addresses(self, signed: Signed) -> "Deferred[Any]":
        """My addresses record; fails with ``not-stored`` where nobody else keeps it. One of mine that a clock which was
        ahead has dated later is followed by a later one."""
        return Deferred.fromCoroutine(self._put_newest(signed))

    async def _put_newest(self, signed: Signed) -> Any:
        record = DeviceAddresses.from_body(signed.body)
        put = await outcome(self._put_addresses(record, signed))
        if put.code == STALE or put.error is None and put.value.refused.get(STALE):
            known = await self._node.get(DeviceAddresses.KIND, record.owner + record.device, thorough=True)
            if known is not None and known.revision > record.time:
                signed = self._me.addresses_record(known.revision + 1)
                put = await outcome(self._put_addresses(DeviceAddresses.from_body(signed.body), signed))
        if put.error is not None:
            raise put.error
        return _kept_by_others(put.value)

    def _put_addresses(self, record: DeviceAddresses, signed: Signed) -> "Deferred[Any]":
        subject, days = record.owner + record.device, ADDRESSES_DAYS
        return self._node.put(DeviceAddresses.KIND, subject, record.time, signed.to_bytes(), days * DAY)

    async def addresses_of(self, document: IdentityDocument) -> list[str]:
        """Where the devices of an identity that are not revoked may be reached."""
        found: list[str] = []
        for device in document.devices:
            if device.revoked is None:
                record = await self._node.get(DeviceAddresses.KIND, document.fingerprint + device.id)
                if record is not None:
                    signed = Signed.from_bytes(record.value, DeviceAddresses.KIND)
                    found += DeviceAddresses.from_body(signed.body).addresses
        return list(dict.fromkeys(found))

    async def resolve(self, fingerprint: bytes) -> list[str]:
        """Where a peer may be reached, by its newest document, which the cache takes over."""
        if not self._node.running:
            return []
        record = await self._node.get(IDENTITY, fingerprint)
        newer = _document(record.value) if record is not None else None
        if newer is not None and newer.fingerprint == fingerprint:
            self._identities.accept(newer)
        document = self._identities.get(fingerprint)
        return await self.addresses_of(document) if document is not None else []

    async def addresses_of_device(self, fingerprint: bytes, device: bytes) -> list[str]:
        """Where one device of somebody may be reached, by its own record; nowhere while there is none."""
        record = await self._node.get(DeviceAddresses.KIND, fingerprint + device) if self._node.running else None
        if record is None:
            return []
        return list(DeviceAddresses.from_body(Signed.from_bytes(record.value, DeviceAddresses.KIND).body).addresses)

    # prekeys

    def put_prekeys(self, signed: Signed) -> "Deferred[Any]":
        """My prekeys record; fails with ``not-stored`` where nobody else was there to keep it."""
        record = Prekeys.from_body(signed.body)
        subject = record.owner + record.device
        put = self._node.put(Prekeys.KIND, subject, record.time, signed.to_bytes(), DAYS * DAY)
        return put.addCallback(_kept_by_others)

    async def prekeys_of(self, fingerprint: bytes, device: bytes) -> bytes | None:
        """The newest signed record of somebody's device, or None."""
        if not self._node.running:
            return None
        record = await self._node.get(Prekeys.KIND, fingerprint + device, thorough=True)
        return record.value if record is not None else None

    # families

    def put_family(self, family: Family, signed: Signed) -> "Deferred[Any]":
        """My family record, sealed for me: nobody else need know who keeps my pieces.

        Fails with ``not-stored`` where nobody else keeps it.
        """
        mine = sealed_for(self._me, family, signed)
        subject = family.customer + self._me.device.id
        putting = self._node.put(Family.KIND, subject, family.revision, mine.to_bytes(), CONTRACT_DAYS * DAY)
        return putting.addCallback(_kept_by_others)

    async def my_family(self) -> bytes | None:
        """My newest signed family record, opened; None where the DHT has none."""
        record = await newest_family(self._node, self._me.document)
        return opened(self._me, record.value) if record is not None else None

    def family_record(self, customer: bytes, device: bytes) -> "Deferred[Any]":
        """The whole record with the family inside that a customer's device wrote, or None: for who keeps it alive."""
        return self._node.get(Family.KIND, customer + device)

    def put_again(self, raw: bytes) -> "Deferred[Any]":
        """Store a record of somebody who is away again, byte for byte; fails as `put_family`."""
        return self._node.put_raw(raw).addCallback(_kept_by_others)

    # nicknames

    def claims(self, nickname: str, position: int) -> "Deferred[list[Claim]]":
        """Everybody's newest word about a position, proven, those who have released it too."""
        searching = self._node.search(Nickname.KIND, subject(nickname, position), thorough=True)
        return searching.addCallback(lambda found: _newest_claims(found.records))

    def put_claim(self, nickname: Nickname, signed: Signed) -> "Deferred[bool]":
        """Store mine; whether more nodes keep it than have somebody else's. Fails where no other node is there."""
        if not self._node.knows_others():
            return fail(BitDustError("no-answer", "no other node of the DHT is there yet"))
        ttl = RELEASED_SECONDS if nickname.released else DAYS * DAY
        putting = self._node.put(Nickname.KIND, nickname.subject, nickname.time, signed.to_bytes(), ttl)
        return outcome(putting).addCallback(is_held)

    # names of IPNS

    def knows_others(self) -> bool:
        """Whether any other node is there."""
        return self._node.knows_others()

    @property
    def connected(self) -> Signal[[]]:
        """Others are there, after nobody was."""
        return self._node.connected

    def put_name(self, name: "PeerId", record: bytes, sequence: int, seconds: int) -> "Deferred[Stored]":
        """A signed record of IPNS that is valid for so many seconds; how many keep it, and who refused it why."""
        from bitdust.dht.ipns import blinded, packed  # noqa: PLC0415 - most nodes never have one

        ttl = min(seconds, DAYS * DAY)
        return self._node.put(IPNS, blinded(name), sequence, packed(name, record), ttl)

    async def name_record(self, name: "PeerId", thorough: bool = True) -> bytes | None:
        """The record of a name with the highest sequence that can be found; None where the DHT has none."""
        from bitdust.dht.ipns import blinded, unpacked  # noqa: PLC0415

        if not self._node.running:
            return None
        record = await self._node.get(IPNS, blinded(name), thorough=thorough)
        return unpacked(record.value)[1] if record is not None else None

    # providers

    async def provide(self, place: bytes, time: int) -> bool:
        """Say that I have what a place stands for, at its first position that nobody else has; whether there is one.

        Raises ``not-stored`` where no other node keeps it.
        """
        for position in range(POSITIONS):
            found = await self._provider_at(place, position)
            if found is None or found.device_key == self._me.device.public:
                record = Provider(self._me.fingerprint, place, position, time)
                signed = self._me.sign(Provider.KIND, record.to_body())
                put = self._node.put(Provider.KIND, record.subject, record.time, signed.to_bytes(), PROVIDED_SECONDS)
                if is_held(await outcome(put)):
                    return True
        return False

    async def providers(self, place: bytes) -> list[Provided]:
        """Who says, and proves, that it has what a place stands for: each once. Fails where nobody answers at all."""
        asked = await at_all_positions(lambda position: self._provider_at(place, position))
        answered = [one.value for one in asked if one.error is None]
        if not answered:
            raise asked[0].error or BitDustError("no-answer", "the DHT does not answer")
        return list({one.device_key: one for one in answered if one is not None}.values())

    async def _provider_at(self, place: bytes, position: int) -> Provided | None:
        record = await self._node.get(Provider.KIND, provider_subject(place, position))
        if record is None or record.certificate is None:
            return None
        certificate = DeviceCertificate.from_body(record.certificate)
        return Provided(certificate.owner, certificate.key)

    # heads of logs

    def put_head(self, head: Head, signed: Signed) -> "Deferred[Any]":
        """How far a log of mine has come; fails with ``not-stored`` where nobody else keeps it."""
        putting = self._node.put(Head.KIND, head.subject, head.sequence, signed.to_bytes(), CONTRACT_DAYS * DAY)
        return putting.addCallback(_kept_by_others)

    async def heads_of(self, scopes: Iterable[bytes]) -> list[Head]:
        """Heads of the logs that my devices write in these scopes, those that can be read."""
        pairs = product(scopes, self._me.document.devices)
        asked = [Deferred.fromCoroutine(self._head(scope, device)) for scope, device in pairs]
        heads = await gatherResults(asked, consumeErrors=True)
        return [head for head in heads if head is not None]

    async def _head(self, scope: bytes, device: Device) -> Head | None:
        record = await self._node.get(Head.KIND, self._me.fingerprint + scope + device.id, thorough=True)
        try:
            head = Head.from_body(Signed.from_bytes(record.value, Head.KIND).body) if record is not None else None
        except WireError as error:
            self.log.warn("a head in the DHT cannot be read: {error}", error=error)
            return None
        return head if head is not None and _counts(device, head) else None


def _counts(device: Device, head: Head) -> bool:
    """Whether a device wrote this head before it was revoked, or may have, while nobody knows when that was."""
    return device.revoked is None or head.sequence <= (device.sequence or 0)


async def newest_family(node: DHTNode, document: IdentityDocument) -> DHTRecord | None:
    """The newest family of somebody that a device which counts has written, but for leaps; one of another where there
    is none."""
    found = {
        device.id: node.get(Family.KIND, document.fingerprint + device.id, thorough=True) for device in document.devices
    }
    records = dict(zip(found, await gatherResults(found.values(), consumeErrors=True), strict=True))
    living = [records[device.id] for device in document.devices if device.revoked is None]
    for some in (living, list(records.values())):
        there = [record for record in some if record is not None]
        if there:
            newest = followed(record.revision for record in there)
            return next(record for record in there if record.revision == newest)
    return None


def _newest_claims(records: Iterable[DHTRecord]) -> list[Claim]:
    newest: dict[bytes, Claim] = {}
    for record in records:
        if record.certificate is not None:
            nickname = Nickname.from_body(Signed.from_bytes(record.value, Nickname.KIND).body)
            known = newest.get(nickname.owner)
            if known is None or known.nickname.time < nickname.time:
                newest[nickname.owner] = Claim(nickname, DeviceCertificate.from_body(record.certificate).key)
    return list(newest.values())


async def at_all_positions(ask: Callable[[int], Coroutine[Any, Any, Any]]) -> list[Outcome]:
    """What lies at each position of a place: whoever was at one before may be gone, and one that cannot be asked about
    hides no other."""
    return await outcomes(Deferred.fromCoroutine(ask(position)) for position in range(POSITIONS))


def is_held(put: Outcome) -> bool:
    """Whether more nodes keep a record of mine at a position than have somebody else's there; raises why none does."""
    if put.error is not None and put.code != TAKEN:
        raise put.error
    if put.error is not None:
        return False
    taken = put.value.refused.get(TAKEN, 0)
    if not taken:
        _kept_by_others(put.value)
    return bool(put.value.count > taken)


def _kept_by_others(stored: Stored) -> Stored:
    """A node that has just come, or hears nobody, keeps what it writes alone: nobody would find it."""
    if stored.others:
        return stored
    refused = ", ".join(sorted(stored.refused))
    none = "no other node of the DHT is known yet" if not stored.asked else "no other node of the DHT has answered"
    raise WireError("not-stored", f"other nodes of the DHT refuse it: {refused}" if refused else none)


def _document(raw: bytes) -> IdentityDocument | None:
    """A document of the hash table; None for one that cannot be read."""
    try:
        return IdentityDocument.parse(raw)
    except WireError:
        return None
