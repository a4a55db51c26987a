"""Device keys: Ed25519 (RFC 8032) for records, certificates for TLS, and the owner's word that a device is his."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from attrs import field, frozen
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import NameOID

from bitdust.crypt.master import MasterKey, MasterPublic
from bitdust.wire.encoding import WireError
from bitdust.wire.records import DeviceCertificate
from bitdust.wire.signed import Signed, message

_RAW = serialization.Encoding.Raw
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@lru_cache(maxsize=1024)
def device_id(public: bytes) -> bytes:
    """Eight bytes that name a device key."""
    return hashlib.sha256(public).digest()[:8]


def verify(public: bytes, signature: bytes, data: bytes) -> bool:
    """Whether ``signature`` (64 bytes) is the device's over ``data``."""
    try:
        _public_key(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=1024)
def _public_key(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)


@frozen
class DeviceKey:
    """The private key of one device; ``seed`` is its 32 secret bytes."""

    seed: bytes = field(repr=False)
    public: bytes = field(init=False)
    id: bytes = field(init=False)
    _key: Ed25519PrivateKey = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        key = Ed25519PrivateKey.from_private_bytes(self.seed)
        public = key.public_key().public_bytes(_RAW, serialization.PublicFormat.Raw)
        object.__setattr__(self, "_key", key)
        object.__setattr__(self, "public", public)
        object.__setattr__(self, "id", device_id(public))

    @classmethod
    def generate(cls, entropy: Callable[[int], bytes]) -> "DeviceKey":
        """A new key out of ``entropy(32)``."""
        return cls(entropy(32))

    @classmethod
    def from_seed(cls, seed: bytes) -> "DeviceKey":
        """Raises `WireError` ``bad-key`` for anything but 32 bytes."""
        if len(seed) != 32:
            raise WireError("bad-key", f"a device key has 32 bytes, not {len(seed)}")
        return cls(seed)

    def sign(self, data: bytes) -> bytes:
        """64 bytes over exactly ``data``."""
        return self._key.sign(data)

    def sign_record(self, kind: str, body: bytes) -> Signed:
        """The body with its kind, this device's id and the signature."""
        return Signed(kind, body, self.id, self.sign(message(kind, body)))

    def private_pem(self) -> bytes:
        """PKCS#8, for TLS; never written to a disk."""
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def check_record(signed: Signed, public: bytes) -> None:
    """Raises `WireError` ``bad-signature`` unless the record is signed by the device with this public key."""
    if signed.device != device_id(public) or not verify(public, signed.signature, signed.message()):
        raise WireError("bad-signature", f"the signature of this {signed.kind} record is not its device's")


def certify(master: MasterKey, public: bytes, number: int) -> DeviceCertificate:
    """The RSA key's word that this device key is its owner's."""
    unsigned = DeviceCertificate(master.fingerprint, public, number, b"")
    return DeviceCertificate(master.fingerprint, public, number, master.sign(unsigned.message()))


def check_certificate(certificate: DeviceCertificate, spki: bytes) -> None:
    """Raises `WireError` ``bad-signature`` unless the owner of the RSA key ``spki`` (DER) made the certificate."""
    public = MasterPublic.from_spki(spki)
    if certificate.owner != public.fingerprint or not public.verify(certificate.signature, certificate.message()):
        raise WireError("bad-signature", "the device certificate is not signed by its owner")


def tls_certificate(device: DeviceKey) -> tuple[bytes, bytes]:
    """A self-signed certificate and the private key, both PEM: the certificate only carries the key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device.id.hex())])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(Ed25519PublicKey.from_public_bytes(device.public))
        .serial_number(1)
        .not_valid_before(_LONG_AGO)
        .not_valid_after(_NEVER)
        .sign(Ed25519PrivateKey.from_private_bytes(device.seed), None)
    )
    return certificate.public_bytes(serialization.Encoding.PEM), device.private_pem()


def certificate_device_key(der: bytes) -> bytes:
    """The Ed25519 key in a peer's certificate (DER); raises `WireError` ``bad-certificate``."""
    try:
        key = x509.load_der_x509_certificate(der).public_key()
    except ValueError as error:
        raise WireError("bad-certificate", f"the peer's certificate cannot be read: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise WireError("bad-certificate", "the peer's certificate holds no Ed25519 key")
    return key.public_bytes(_RAW, serialization.PublicFormat.Raw)
