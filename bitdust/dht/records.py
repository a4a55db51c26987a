"""Records: values that prove themselves, checked by every node that stores or reads them, without fetching anything.

=================  ==============================  ====================================  =========================
type               subject                         value                                 revision
=================  ==============================  ====================================  =========================
identity           fingerprint                     the XML, signed by its RSA key        the document's
family             fingerprint and device id       signed record ``sealed-family``       the family's
head               fingerprint, scope, device id   signed record ``head``                its sequence
addresses          fingerprint and device id       signed record ``addresses``           its time, milliseconds
prekeys            fingerprint and device id       signed record ``prekeys``             its time, milliseconds
nickname           nickname and position           signed record ``nickname``            its time, milliseconds
ipns               hash of a name of IPNS          the name, and its IPNS record         its sequence
provider           blinded CID and position        signed record ``provider``            its time, milliseconds
offer              blinded holder and position     signed record ``offer``               its time, milliseconds
skip_validation    a text                          anything up to 1 kB, for debugging    the time of writing, ms
=================  ==============================  ====================================  =========================

Each device has records of its own, so that whoever stole one can write over nobody else's; readers know by the identity
document whose word counts. A signed value must come from the device that signs the DHT record, and its revision must be
the record's. A position of a nickname, blinded CID or blinded holder is its owner's until the record expires. Identity
records need no owner, certificate and signature around them, and neither do those of IPNS, which the name's key has
signed: whoever keeps one learns the name, who passes a question on does not (`bitdust.dht.ipns`). ``skip_validation``
has only the writer's device key.
"""

import hashlib
from collections import OrderedDict
from typing import Any, ClassVar

from attrs import evolve, frozen

from bitdust.crypt.device import DeviceKey, check_certificate, check_record, device_id, verify
from bitdust.crypt.scope import SCOPE_SIZE
from bitdust.dht.ids import record_key
from bitdust.dht.messages import MAX_RECORD
from bitdust.dht.sealed_family import SealedFamily
from bitdust.identity.document import IdentityDocument
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.nicknames import Nickname
from bitdust.wire.offers import PlacedOffer
from bitdust.wire.prekeys import Prekeys
from bitdust.wire.providers import Provider
from bitdust.wire.records import DeviceAddresses, DeviceCertificate, Head
from bitdust.wire.schema import Bytes, Choice, Int, Optional, Struct, Text, parse
from bitdust.wire.signed import Signed

DEBUG = "skip_validation"
NICKNAME, PROVIDER, OFFER, IPNS = Nickname.KIND, Provider.KIND, PlacedOffer.KIND, "ipns"
POSITIONED: dict[str, type[Nickname | Provider | PlacedOffer]] = {
    NICKNAME: Nickname,
    PROVIDER: Provider,
    OFFER: PlacedOffer,
}
"""Types whose subject is no owner's: it has positions, and each belongs to whoever has it until the record expires."""
TYPES = ("identity", "family", "head", "addresses", "prekeys", NICKNAME, PROVIDER, OFFER, IPNS, DEBUG)
PROVEN = ("identity", IPNS)
"""Types whose values are signed by themselves, with other keys than a device's."""
MAX_DEBUG_VALUE = 1024
MAX_SUBJECT = 256
DAY = 86_400
MAX_TTL = 31 * DAY
MAX_DEBUG_TTL = DAY
CONTRACT_TTL = 460 * DAY
"""As long as a supplier keeps what it has: a contract's term, its grace, and a few days."""
MAX_PROVIDER_TTL = 2 * DAY
TTLS = {
    "family": CONTRACT_TTL,
    "head": CONTRACT_TTL,
    OFFER: CONTRACT_TTL,
    PROVIDER: MAX_PROVIDER_TTL,
    DEBUG: MAX_DEBUG_TTL,
}
"""The longest life of a type that is not `MAX_TTL`."""
SIGNED = {"family": SealedFamily.KIND}
"""The kind of the signed value of a type, where the two names differ."""
SLACK = 600
_DOMAIN = b"BitDust DHT record 1\0"
_CERTIFICATES_KEPT = 1024


class _Subject:
    """32 bytes and more of a fingerprint, or a text."""

    items: ClassVar[int] = 1

    def check(self, value: Any, path: str) -> None:
        schema = Text(MAX_SUBJECT) if type(value) is str else Bytes(1, MAX_SUBJECT)
        schema.check(value, path)


_SCHEMA = Struct(
    {
        "type": Choice(TYPES),
        "subject": _Subject(),
        "owner": Optional(Bytes(1, 1100)),
        "certificate": Optional(Bytes(1, 1200)),
        "device": Optional(Bytes(32)),
        "revision": Int(),
        "expires": Int(),
        "value": Bytes(0, MAX_RECORD),
        "signature": Optional(Bytes(64)),
    }
)


@frozen
class DHTRecord:
    """One record. ``expires`` is seconds since the epoch, ``owner`` an RSA key, ``certificate`` canonical CBOR."""

    type: str
    subject: bytes | str
    revision: int
    expires: int
    value: bytes
    owner: bytes | None = None
    certificate: bytes | None = None
    device: bytes | None = None
    signature: bytes | None = None

    @classmethod
    def from_bytes(cls, data: bytes) -> "DHTRecord":
        """Only the form is checked; see `Checker`. Raises `WireError`."""
        return cls(**parse(data, _SCHEMA, MAX_RECORD, "record"))

    def _fields(self) -> dict[str, Any]:
        names = ("type", "subject", "revision", "expires", "value", "owner", "certificate", "device")
        fields = {name: getattr(self, name) for name in names}
        return {name: value for name, value in fields.items() if value is not None}

    def message(self) -> bytes:
        """What the device signs."""
        return _DOMAIN + encode(self._fields())

    def to_bytes(self) -> bytes:
        """Canonical bytes; raises `WireError` ``too-large`` over 4,096."""
        signature = {} if self.signature is None else {"signature": self.signature}
        data = encode({**self._fields(), **signature})
        if len(data) > MAX_RECORD:
            raise WireError("too-large", f"a DHT record of {len(data)} bytes; at most {MAX_RECORD} are stored")
        return data

    def key(self, layer: int) -> bytes:
        """Where it is."""
        return record_key(self.type, self.subject, layer)

    @property
    def fingerprint(self) -> bytes | None:
        """The owner's name; None for a debugging record."""
        if isinstance(self.subject, bytes):
            return self.subject[:32]
        return hashlib.sha256(self.owner).digest() if self.owner is not None else None


@frozen
class Owner:
    """Whose records this device may sign."""

    spki: bytes
    certificate: DeviceCertificate


def make_record(
    kind: str,
    subject: bytes | str,
    revision: int,
    expires: int,
    value: bytes,
    device: DeviceKey,
    owner: Owner | None,
) -> DHTRecord:
    """A signed record of this device; identity documents prove themselves."""
    bare = DHTRecord(kind, subject, revision, expires, value)
    if kind in PROVEN:
        return bare
    if kind == DEBUG:
        unsigned = evolve(bare, device=device.public)
    elif owner is None:
        raise WireError("no-owner", f"a {kind} record needs an identity; create one first")
    else:
        unsigned = evolve(bare, owner=owner.spki, certificate=owner.certificate.to_body())
    return evolve(unsigned, signature=device.sign(unsigned.message()))


class Checker:
    """Judges records. Remembers which certificates held, because RSA is the dear part."""

    def __init__(self) -> None:
        self._held: OrderedDict[bytes, DeviceCertificate] = OrderedDict()

    def check(self, data: bytes, wall: float, keeps: bool = True) -> DHTRecord:
        """The record, proven; raises `WireError` (``bad-signature``, ``bad-subject``, ``bad-expiry``, ``expired``…).

        Who ``keeps`` it minds its time. Who reads does not: those who keep it did, and this clock may be wrong.
        """
        record = DHTRecord.from_bytes(data)
        if keeps:
            _check_expiry(record, wall)
        if record.type in PROVEN:
            _check_proven(record, wall if keeps else 0.0)
        elif record.type == DEBUG:
            _check_debug(record, wall)
        else:
            self._check_owned(record)
        return record

    def certificate(self, owner: bytes, body: bytes) -> DeviceCertificate:
        """The certificate, once its RSA signature holds; raises `WireError`."""
        name = hashlib.sha256(len(owner).to_bytes(4, "big") + owner + body).digest()
        held = self._held.get(name)
        if held is None:
            held = DeviceCertificate.from_body(body)
            check_certificate(held, owner)
            self._held[name] = held
            if len(self._held) > _CERTIFICATES_KEPT:
                self._held.popitem(last=False)
        return held

    def _check_owned(self, record: DHTRecord) -> None:
        if record.owner is None or record.certificate is None or record.signature is None or record.device is not None:
            raise WireError("bad-field", f"a {record.type} record has owner, certificate and signature")
        certificate = self.certificate(record.owner, record.certificate)
        positioned = POSITIONED.get(record.type)
        if positioned is None and not _is_about(record, certificate):
            raise WireError("bad-subject", f"this {record.type} record is about somebody else than its owner")
        if not verify(certificate.key, record.signature, record.message()):
            raise WireError("bad-signature", "the record is not signed by its owner's device")
        signed = Signed.from_bytes(record.value, SIGNED.get(record.type, record.type), MAX_RECORD)
        check_record(signed, certificate.key)
        if positioned is not None and positioned.from_body(signed.body).owner != certificate.owner:
            raise WireError("bad-subject", f"this {record.type} is said to be somebody else's than its owner's")
        if _meaning(record.type, signed) != (record.subject, record.revision):
            raise WireError("bad-subject", "the record's subject or revision is not that of its value")


def _is_about(record: DHTRecord, certificate: DeviceCertificate) -> bool:
    """Whether the subject is a certified device: its head may be that of a key with a scope."""
    subject, ident = record.subject, device_id(certificate.key)
    if record.type == "head" and len(subject) == len(certificate.owner) + SCOPE_SIZE + len(ident):
        subject = subject[: len(certificate.owner)] + subject[-len(ident) :]  # type: ignore[operator]
    return subject == certificate.owner + ident


def _meaning(kind: str, signed: Signed) -> tuple[bytes | str, int]:
    """Subject and revision that a signed value has by itself."""
    if kind == "family":
        family = SealedFamily.from_body(signed.body)
        return family.customer + signed.device, family.revision
    if kind == "head":
        head = Head.from_body(signed.body)
        return head.subject, head.sequence
    if kind == "prekeys":
        prekeys = Prekeys.from_body(signed.body)
        return prekeys.owner + prekeys.device, prekeys.time
    if kind in POSITIONED:
        placed = POSITIONED[kind].from_body(signed.body)
        return placed.subject, placed.time
    addresses = DeviceAddresses.from_body(signed.body)
    return addresses.owner + addresses.device, addresses.time


def _check_expiry(record: DHTRecord, wall: float) -> None:
    most = TTLS.get(record.type, MAX_TTL)
    if record.expires <= wall:
        raise WireError("expired", "the record has expired")
    if record.expires > wall + most + SLACK:
        raise WireError("bad-expiry", f"a {record.type} record lives {most // DAY} days at most")


def _check_proven(record: DHTRecord, wall: float) -> None:
    if (record.owner, record.certificate, record.device, record.signature) != (None, None, None, None):
        raise WireError("bad-field", f"an {record.type} record has no owner, certificate, device and signature")
    if record.type == IPNS:
        from bitdust.dht import ipns  # noqa: PLC0415 - most nodes never see one

        ipns.check(record, wall)
        return
    document = IdentityDocument.parse(record.value)
    if document.is_claim or record.subject != document.fingerprint or record.revision != document.revision:
        raise WireError("bad-subject", "the record's subject or revision is not that of its document")


def _check_debug(record: DHTRecord, wall: float) -> None:
    if record.owner is not None or record.certificate is not None or not isinstance(record.subject, str):
        raise WireError("bad-field", "a debugging record has a text for subject, and only the writer's device")
    if len(record.value) > MAX_DEBUG_VALUE:
        raise WireError("too-large", f"a debugging value has {MAX_DEBUG_VALUE} bytes at most")
    if record.revision > (wall + SLACK) * 1000:
        raise WireError("bad-revision", "the revision of a debugging record is its time, and that lies ahead")
    if (
        record.device is None
        or record.signature is None
        or not verify(record.device, record.signature, record.message())
    ):
        raise WireError("bad-signature", "the record is not signed by its writer's device")
