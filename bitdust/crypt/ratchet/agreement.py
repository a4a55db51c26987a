"""X3DH: a secret with a device that is away, from its identity key and prekeys.

``SK = HKDF(32 × 0xFF ‖ DH1 ‖ DH2 ‖ DH3 ‖ DH4)`` with a salt of zeros, where DH1 is my identity key with their signed
prekey, DH2 my one-time key with their identity key, DH3 my one-time key with their signed prekey, and DH4 my one-time
key with their one-time prekey, where there is one. Identity keys are the devices' Ed25519 keys, converted.
"""

import hashlib
from collections.abc import Sequence

from attrs import field, frozen
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bitdust.crypt.device import DeviceKey
from bitdust.crypt.exchange import converted, private_of, public_of, shared
from bitdust.wire.encoding import WireError

_INFO = b"BitDust X3DH 1"
_FIRST = b"\xff" * 32


@frozen
class Party:
    """Who takes part: fingerprint and the device's Ed25519 key."""

    fingerprint: bytes
    key: bytes


@frozen
class Prekey:
    """A prekey of mine, with its secret."""

    id: int
    private: bytes = field(repr=False)

    @property
    def public(self) -> bytes:
        return public_of(self.private)


@frozen
class Bundle:
    """What a device has left for who writes to it first. Its signatures were checked by who made this."""

    owner: Party
    signed_id: int
    signed: bytes
    once_id: int | None = None
    once: bytes | None = None


@frozen
class Start:
    """What stands before the first messages of a session: the key made for it, and which prekeys were used."""

    base: bytes
    signed_id: int
    once_id: int | None = None


@frozen
class Agreed:
    """The secret, and what is authenticated with each message: who both are, the one who began first."""

    secret: bytes = field(repr=False)
    context: bytes


def begin(mine: DeviceKey, me: Party, bundle: Bundle, private: bytes) -> tuple[Agreed, Start]:
    """With a device that left ``bundle``; ``private`` is 32 random bytes, made for this. Raises `WireError`."""
    identity = _identity(bundle.owner.key)
    parts = [shared(private_of(mine), bundle.signed), shared(private, identity), shared(private, bundle.signed)]
    if bundle.once is not None:
        parts.append(shared(private, bundle.once))
    start = Start(public_of(private), bundle.signed_id, bundle.once_id)
    return Agreed(derive(parts, _INFO, 32), _context(me, bundle.owner)), start


def answer(mine: DeviceKey, me: Party, them: Party, start: Start, signed: Prekey, once: Prekey | None) -> Agreed:
    """The same secret, from the other device's first message. Raises `WireError`."""
    parts = [
        shared(signed.private, _identity(them.key)),
        shared(private_of(mine), start.base),
        shared(signed.private, start.base),
    ]
    if once is not None:
        parts.append(shared(once.private, start.base))
    return Agreed(derive(parts, _INFO, 32), _context(them, me))


def derive(parts: Sequence[bytes], info: bytes, length: int) -> bytes:
    """The key derivation function of X3DH, section 2.2."""
    return HKDF(hashes.SHA256(), length, bytes(32), info).derive(_FIRST + b"".join(parts))


def _identity(key: bytes) -> bytes:
    try:
        return converted(key)
    except ValueError as error:
        raise WireError("bad-key", "a device key that is no point of the curve") from error


def _context(first: Party, second: Party) -> bytes:
    return hashlib.sha256(_INFO + first.fingerprint + first.key + second.fingerprint + second.key).digest()
