"""Handshakes of the Noise Protocol Framework, revision 34 (https://noiseprotocol.org/noise.html), two of its patterns.

=========  =========================================================================================================
pattern    who knows what before
=========  =========================================================================================================
``XX``     neither side knows the other's key; both have shown theirs when it is over
``IK``     the side that begins knows the other's key, and shows its own in the first message, sealed
=========  =========================================================================================================

Both with Curve25519, AES-256-GCM and SHA-256: ``Noise_XX_25519_AESGCM_SHA256`` and ``Noise_IK_25519_AESGCM_SHA256``,
which browsers can do with what they bring. Names of methods are those of the specification where it has one.
"""

import hashlib
import hmac

from attrs import frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bitdust.crypt.exchange import public_of, shared
from bitdust.wire.encoding import WireError

KEY = 32
TAG = 16
MOST = 65535
"""Bytes of a message of Noise at most (section 3)."""
REKEY_EVERY = 1 << 16
"""Messages that are sealed under one key; then both sides go on with the next one (section 11.3)."""
_LAST_NONCE = 2**64 - 1


@frozen
class Pattern:
    """Tokens of each message, and whether the side that begins knows the other's key before (section 7)."""

    name: str
    messages: tuple[tuple[str, ...], ...]
    knows_responder: bool

    @property
    def protocol(self) -> bytes:
        """The whole name."""
        return f"Noise_{self.name}_25519_AESGCM_SHA256".encode()


XX = Pattern("XX", (("e",), ("e", "ee", "s", "es"), ("s", "se")), False)
IK = Pattern("IK", (("e", "es", "s", "ss"), ("e", "ee", "se")), True)


class Cipher:
    """One direction: a key, and a number for each message (CipherState, section 5.1)."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._number = 0

    def encrypt(self, data: bytes, beside: bytes = b"") -> bytes:
        """Seal the next message."""
        sealed = self._aead.encrypt(self._nonce(), data, beside)
        self._count()
        return sealed

    def decrypt(self, data: bytes, beside: bytes = b"") -> bytes:
        """Open the next message; raises `WireError` ``bad-seal`` for any other, and for one that was changed."""
        try:
            opened = self._aead.decrypt(self._nonce(), data, beside)
        except (InvalidTag, ValueError) as error:
            raise WireError("bad-seal", "a message that does not come next, or was changed") from error
        self._count()
        return opened

    def _nonce(self) -> bytes:
        return bytes(4) + self._number.to_bytes(8, "big")

    def _count(self) -> None:
        self._number += 1
        if self._number % REKEY_EVERY == 0:
            nonce = bytes(4) + _LAST_NONCE.to_bytes(8, "big")
            self._aead = AESGCM(self._aead.encrypt(nonce, bytes(KEY), b"")[:KEY])


@frozen
class Agreed:
    """What both sides have after a handshake: a cipher for each direction, the other's key, and the hash of all that
    was said, which is another one on each side as soon as somebody stands between them (section 11.2)."""

    sends: Cipher
    receives: Cipher
    remote: bytes
    hash: bytes


class Handshake:
    """One side of a handshake (HandshakeState and SymmetricState, sections 5.2 and 5.3).

    ``static`` and ``ephemeral`` are secret keys, the second one of this handshake alone; ``remote`` is the other's
    public key where the pattern wants it known.
    """

    def __init__(
        self, pattern: Pattern, begins: bool, prologue: bytes, static: bytes, ephemeral: bytes, remote: bytes = b""
    ) -> None:
        self._pattern = pattern
        self._begins = begins
        self._static, self._ephemeral = static, ephemeral
        self._remote, self._remote_ephemeral = remote, b""
        self._left = list(pattern.messages)
        name = pattern.protocol
        self._hash = name.ljust(KEY, b"\0") if len(name) <= KEY else hashlib.sha256(name).digest()
        self._chain = self._hash
        self._cipher: Cipher | None = None
        self._mix_hash(prologue)
        if pattern.knows_responder:
            self._mix_hash(remote if begins else public_of(static))

    @property
    def remote(self) -> bytes:
        """The other's public key, as far as it is known; proven once the handshake is over."""
        return self._remote

    @property
    def is_over(self) -> bool:
        """Whether all messages are exchanged."""
        return not self._left

    @property
    def is_mine(self) -> bool:
        """Whether the next message is this side's."""
        return (len(self._pattern.messages) - len(self._left)) % 2 == (0 if self._begins else 1)

    def write(self, payload: bytes = b"") -> bytes:
        """The next message (WriteMessage)."""
        said = b""
        for token in self._left.pop(0):
            if token == "e":
                own = public_of(self._ephemeral)
                said += own
                self._mix_hash(own)
            elif token == "s":
                said += self._seal(public_of(self._static))
            else:
                self._mix_key(self._secret(token))
        return said + self._seal(payload)

    def read(self, message: bytes) -> bytes:
        """The payload of the other's next message (ReadMessage). Raises `WireError` ``bad-seal`` or ``bad-key``."""
        if len(message) > MOST:
            raise WireError("bad-seal", f"a message has at most {MOST} bytes")
        for token in self._left.pop(0):
            if token == "e":
                self._remote_ephemeral, message = _cut(message, KEY)
                self._mix_hash(self._remote_ephemeral)
            elif token == "s":
                sealed, message = _cut(message, KEY + (TAG if self._cipher is not None else 0))
                self._remote = self._open(sealed)
            else:
                self._mix_key(self._secret(token))
        return self._open(message)

    def agreed(self) -> Agreed:
        """What comes out of it (Split)."""
        first, second = _derive(self._chain, b"")
        sends, receives = (first, second) if self._begins else (second, first)
        return Agreed(Cipher(sends), Cipher(receives), self._remote, self._hash)

    def _secret(self, token: str) -> bytes:
        mine, other = (token[0], token[1]) if self._begins else (token[1], token[0])
        return shared(
            self._ephemeral if mine == "e" else self._static, self._remote_ephemeral if other == "e" else self._remote
        )

    def _mix_hash(self, data: bytes) -> None:
        self._hash = hashlib.sha256(self._hash + data).digest()

    def _mix_key(self, secret: bytes) -> None:
        self._chain, key = _derive(self._chain, secret)
        self._cipher = Cipher(key)

    def _seal(self, data: bytes) -> bytes:
        sealed = data if self._cipher is None else self._cipher.encrypt(data, self._hash)
        self._mix_hash(sealed)
        return sealed

    def _open(self, sealed: bytes) -> bytes:
        data = sealed if self._cipher is None else self._cipher.decrypt(sealed, self._hash)
        self._mix_hash(sealed)
        return data


def _cut(message: bytes, size: int) -> tuple[bytes, bytes]:
    if len(message) < size:
        raise WireError("bad-seal", "the message is too short")
    return message[:size], message[size:]


def _derive(chain: bytes, secret: bytes) -> tuple[bytes, bytes]:
    """HKDF with two outputs (section 4.3)."""
    base = hmac.digest(chain, secret, "sha256")
    first = hmac.digest(base, b"\x01", "sha256")
    return first, hmac.digest(base, first + b"\x02", "sha256")
