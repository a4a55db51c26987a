"""The master key: RSA, the root of an identity. Its fingerprint is the internal name of a user.

Signatures are RSASSA-PSS and sealing is RSAES-OAEP, both with SHA-256 (RFC 8017, sections 8.1 and 7.1).
"""

import hashlib
import os
from functools import cached_property

from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bitdust.wire.encoding import WireError

MIN_BITS = 2048
MAX_BITS = 8192
MAX_EXPONENT = 2**33
"""Of a public key. One as long as the modulus, which any key may have, makes each check a hundred times dearer."""
MAX_PEM = 10 * 1024
_SEAL_VERSION = 1
_PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


class MasterPublic:
    """The public half."""

    def __init__(self, key: rsa.RSAPublicKey) -> None:
        if not MIN_BITS <= key.key_size <= MAX_BITS:
            raise WireError("bad-key", f"an RSA key of {key.key_size} bits; {MIN_BITS} to {MAX_BITS} are accepted")
        exponent = key.public_numbers().e
        if not (3 <= exponent <= MAX_EXPONENT and exponent % 2):
            raise WireError("bad-key", "an RSA key whose public exponent is even or not within 3 to 2^33")
        self._key = key

    @classmethod
    def from_spki(cls, der: bytes) -> "MasterPublic":
        """Raises `WireError` ``bad-key``."""
        try:
            key = serialization.load_der_public_key(der)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise WireError("bad-key", f"the public key cannot be read: {error}") from error
        if not isinstance(key, rsa.RSAPublicKey):
            raise WireError("bad-key", "the public key is no RSA key")
        return cls(key)

    @cached_property
    def spki(self) -> bytes:
        """SubjectPublicKeyInfo, DER."""
        return self._key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    @cached_property
    def fingerprint(self) -> bytes:
        """SHA-256 of `spki`."""
        return hashlib.sha256(self.spki).digest()

    @property
    def bits(self) -> int:
        """Size of the modulus."""
        return self._key.key_size

    def to_pem(self) -> str:
        """The usual text form."""
        return self._key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Whether the owner signed ``data``."""
        try:
            self._key.verify(signature, data, _PSS, hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    def wrap(self, secret: bytes) -> bytes:
        """RSAES-OAEP of a short secret."""
        return self._key.encrypt(secret, _OAEP)

    def seal(self, data: bytes) -> bytes:
        """A box that only the private key opens (formats, section 1)."""
        key, nonce = os.urandom(32), os.urandom(12)
        wrapped = self.wrap(key)
        head = bytes((_SEAL_VERSION,)) + len(wrapped).to_bytes(2, "big") + wrapped
        return head + nonce + AESGCM(key).encrypt(nonce, data, head)


class MasterKey:
    """The private half; nothing of it is ever shown by repr."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key
        self.public = MasterPublic(key.public_key())

    @classmethod
    def generate(cls, bits: int = MIN_BITS) -> "MasterKey":
        """A new key; nothing under 2048 bits is made."""
        if not MIN_BITS <= bits <= MAX_BITS:
            raise WireError("bad-key", f"a new key has {MIN_BITS} to {MAX_BITS} bits, not {bits}")
        return cls(rsa.generate_private_key(65537, bits))

    @classmethod
    def from_pem(cls, pem: str, passphrase: bytes | None = None, own: bool = False) -> "MasterKey":
        """Raises `WireError` ``bad-key``, ``passphrase-needed`` or ``wrong-passphrase``.

        A key is examined, its primes as well, which takes 36 to 260 ms. One of its ``own`` a node has made or examined
        before it wrote it down: primes whose product is the modulus of its identity are those of then.
        """
        if len(pem) > MAX_PEM:
            raise WireError("too-large", f"a private key of {len(pem)} characters; at most {MAX_PEM} are read")
        encrypted = "ENCRYPTED" in pem
        if encrypted and not passphrase:
            raise WireError("passphrase-needed", "the private key is encrypted: give its passphrase")
        try:
            key = serialization.load_pem_private_key(
                pem.encode(), passphrase if encrypted else None, unsafe_skip_rsa_key_validation=own
            )
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            if encrypted:
                raise WireError("wrong-passphrase", "the passphrase does not open this private key") from error
            raise WireError("bad-key", "this is no private key that can be read") from error
        if not isinstance(key, rsa.RSAPrivateKey):
            raise WireError("bad-key", "this is no RSA private key")
        made = cls(key)
        if own and not made._is_whole():
            raise WireError("bad-key", "the numbers of this private key do not belong together")
        return made

    def _is_whole(self) -> bool:
        """Whether all numbers of the key belong to its modulus."""
        numbers = self._key.private_numbers()
        p, q, d, public = numbers.p, numbers.q, numbers.d, numbers.public_numbers
        return (
            min(p, q) > 1
            and p * q == public.n
            and all(d * public.e % (prime - 1) == 1 for prime in (p, q))
            and (numbers.dmp1, numbers.dmq1) == (d % (p - 1), d % (q - 1))
            and numbers.iqmp * q % p == 1
        )

    def to_pem(self, passphrase: bytes | None = None) -> str:
        """PKCS#1 text; with a passphrase PKCS#8 whose key is derived by scrypt where the library offers it."""
        if passphrase is None:
            form = serialization.PrivateFormat.TraditionalOpenSSL
            return self._key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase),
        ).decode()

    @property
    def fingerprint(self) -> bytes:
        """The name of the user."""
        return self.public.fingerprint

    def sign(self, data: bytes) -> bytes:
        """RSASSA-PSS over ``data``."""
        return self._key.sign(data, _PSS, hashes.SHA256())

    def unseal(self, box: bytes) -> bytes:
        """Open what was sealed to this key; raises `WireError` ``bad-seal``."""
        size = int.from_bytes(box[1:3], "big")
        head, nonce, body = box[: 3 + size], box[3 + size : 15 + size], box[15 + size :]
        if len(box) < 31 + size or box[0] != _SEAL_VERSION:
            raise WireError("bad-seal", "this is no box of a known version")
        try:
            key = self._key.decrypt(head[3:], _OAEP)
            return AESGCM(key).decrypt(nonce, body, head)
        except (ValueError, InvalidTag) as error:
            raise WireError("bad-seal", "the box was not sealed to this key, or was changed") from error
