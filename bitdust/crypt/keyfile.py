"""The key file: the one thing a person keeps. Where the identity is, the RSA key, and hints that hold no secret.

The format is fixed in ``docs/formats.md``, section 3. The reader needs only a key; IDURLs and hints speed recovery up.
"""

import base64
import binascii
import os
from typing import Any

from attrs import evolve, field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from bitdust.crypt.master import MasterKey
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.names import IDURL
from bitdust.wire.records import ADDRESS
from bitdust.wire.schema import Bytes, Int, ListOf, Optional, Struct, Text, parse

MAX_KEY_FILE = 16 * 1024
MAX_HINTS = 13 * 512
HINTS_VERSION = 3
"""Before 3 there was no ``family``, before 2 a device had one log for all keys, of which nothing is left."""
MAX_SEEDS, MAX_HINTED, MAX_HEADS = 16, 64, 8
_BYTE_ORDER_MARK = "\ufeff"
_BOX_VERSION = 2
_SCRYPT = {1: {"n": 2**15, "r": 8, "p": 1}, _BOX_VERSION: {"n": 2**17, "r": 8, "p": 1}}
"""What each version of an encrypted key costs to open: 128 MiB and a third of a second for the current one."""
_ENCRYPTED = "BITDUST ENCRYPTED PRIVATE KEY"
_HINTS = "BITDUST HINTS"
_BOX = Struct({"version": Int(1, _BOX_VERSION), "salt": Bytes(16), "nonce": Bytes(12), "box": Bytes(64, 12 * 1024)})
_HINTS_FIELDS = Struct(
    {
        "version": Int(1, HINTS_VERSION),
        "revision": Int(0, 2**31),
        "family": Optional(Int(0, 2**31)),
        "seeds": ListOf(Text(300), MAX_SEEDS),
        "suppliers": ListOf(Struct({"fingerprint": Bytes(32), "addresses": ListOf(ADDRESS, 4)}), MAX_HINTED),
        "heads": ListOf(
            Struct({"device": Bytes(8), "sequence": Int(0), "hash": Bytes(32), "scope": Optional(Bytes(16))}), MAX_HEADS
        ),
    }
)


@frozen
class SupplierHint:
    """A supplier and where it was last reached."""

    fingerprint: bytes
    addresses: tuple[str, ...] = ()


@frozen
class HeadHint:
    """How far a device's log of one key had come; ``scope`` is the tag of the key, None for the master key."""

    device: bytes
    sequence: int
    hash: bytes
    scope: bytes | None = None

    def as_map(self) -> dict[str, Any]:
        """As it is written."""
        value: dict[str, Any] = {"device": self.device, "sequence": self.sequence, "hash": self.hash}
        return value if self.scope is None else value | {"scope": self.scope}


@frozen
class Hints:
    """What makes a recovery possible when no ID server answers; ``seeds`` are ``host:port`` of DHT nodes.

    ``revision`` is that of the identity document, ``family`` that of the family, 0 where there was none.
    """

    revision: int = 0
    seeds: tuple[str, ...] = ()
    suppliers: tuple[SupplierHint, ...] = ()
    heads: tuple[HeadHint, ...] = ()
    family: int = 0

    def to_bytes(self) -> bytes:
        """At most 5 kB: suppliers' addresses go first when there are too many, the seeds last."""
        for addresses in (4, 1, 0):
            data = encode(self._as_map(addresses))
            if len(data) <= MAX_HINTS * 3 // 4:
                return data
        return encode(evolve(self, suppliers=())._as_map(0))

    def _as_map(self, addresses: int) -> dict[str, Any]:
        return {
            "version": HINTS_VERSION,
            "revision": self.revision,
            "family": self.family,
            "seeds": list(self.seeds[:MAX_SEEDS]),
            "suppliers": [
                {"fingerprint": hint.fingerprint, "addresses": list(hint.addresses[:addresses])}
                for hint in self.suppliers[:MAX_HINTED]
            ],
            "heads": [head.as_map() for head in self.heads[:MAX_HEADS]],
        }

    @classmethod
    def from_bytes(cls, data: bytes) -> "Hints":
        """Of any version, since a person keeps a key file for years. Raises `WireError`."""
        value = parse(data, _HINTS_FIELDS, MAX_HINTS, "hints")
        if ("family" in value) != (value["version"] >= 3):
            raise WireError("malformed", "hints.family: belongs to version 3")
        suppliers = (SupplierHint(item["fingerprint"], tuple(item["addresses"])) for item in value["suppliers"])
        heads = (HeadHint(**item) for item in (value["heads"] if value["version"] > 1 else ()))
        family = value.get("family", 0)
        return cls(value["revision"], tuple(value["seeds"]), tuple(suppliers), tuple(heads), family)


@frozen
class KeyFile:
    """A key file that was read; ``damaged_hints`` says why its hints could not be used, empty when they could."""

    idurls: tuple[IDURL, ...]
    master: MasterKey = field(repr=False)
    hints: Hints = field(factory=Hints)
    damaged_hints: str = ""

    @classmethod
    def read(cls, text: str, passphrase: bytes | None = None) -> "KeyFile":
        """Raises `WireError`: not-a-key-file, too-large, passphrase-needed, wrong-passphrase, bad-key."""
        if len(text) > MAX_KEY_FILE:
            raise WireError("too-large", f"a key file has at most {MAX_KEY_FILE} characters; this is something else")
        if "PRIVATE KEY-----" not in text:
            raise WireError("not-a-key-file", "no private key is in this text: give the file that the backup wrote")
        pem = _private_pem(text, passphrase)
        hints, damaged = _hints(text)
        return cls(_idurls(text), MasterKey.from_pem(pem, passphrase), hints, damaged)

    def write(self, passphrase: bytes | None = None, locked: str = "") -> str:
        """The text; a passphrase, unless it is empty, encrypts the key in it (scrypt, RFC 7914, and AES-256-GCM).
        ``locked`` is the key as `lock_key` gave it, where that is at hand."""
        pem = self.master.to_pem()
        key = locked or (lock_key(pem, passphrase) if passphrase else pem)
        urls = "".join(f"{url}\n" for url in self.idurls)
        return urls + key + _block(_HINTS, self.hints.to_bytes())


def with_hints(text: str, hints: Hints) -> str:
    """A key file with these hints in the place of those that it had; the key stays as it is, under its passphrase too.

    Raises `WireError` ``not-a-key-file`` where no whole key is in it.
    """
    key = text.partition(f"-----BEGIN {_HINTS}-----")[0]
    if len(text) > MAX_KEY_FILE or "PRIVATE KEY-----" not in key or "-----END " not in key:
        raise WireError("not-a-key-file", "there is no whole key in this file")
    return key.rstrip("\n") + "\n" + _block(_HINTS, hints.to_bytes())


def lock_key(pem: str, passphrase: bytes) -> str:
    """The encrypted block of a key, as the home keeps a locked one. Slow on purpose (scrypt): use a thread."""
    return _block(_ENCRYPTED, _encrypt(pem.encode(), passphrase))


def is_locked(text: str) -> bool:
    """Whether a passphrase is needed to read the key in this text."""
    return f"-----BEGIN {_ENCRYPTED}-----" in text


def unlock_key(text: str, passphrase: bytes) -> str:
    """The PEM that `lock_key` was given; raises `WireError` wrong-passphrase, malformed. As slow as `lock_key`."""
    box = _find_block(text, _ENCRYPTED)
    if box is None:
        raise WireError("malformed", "there is no locked key in this text")
    return _decrypt(box, passphrase)


def _block(name: str, data: bytes) -> str:
    text = base64.b64encode(data).decode()
    lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    return f"-----BEGIN {name}-----\n{lines}\n-----END {name}-----\n"


def _find_block(text: str, name: str) -> bytes | None:
    begin, end = f"-----BEGIN {name}-----", f"-----END {name}-----"
    if begin not in text:
        return None
    body, found, _ = text.partition(begin)[2].partition(end)
    if not found:
        raise WireError("malformed", f"the block {name} has no end")
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise WireError("malformed", f"the block {name} is not base64: {error}") from error


def _private_pem(text: str, passphrase: bytes | None) -> str:
    box = _find_block(text, _ENCRYPTED)
    if box is not None:
        if not passphrase:
            raise WireError("passphrase-needed", "this key file is encrypted: give its passphrase")
        return _decrypt(box, passphrase)
    start = text.find("-----BEGIN ")
    end = text.find("PRIVATE KEY-----", text.find("-----END ", start))
    if start < 0 or end < 0:
        raise WireError("bad-key", "the private key in this file has no end; the file is cut off")
    return text[start : end + len("PRIVATE KEY-----")] + "\n"


def _encrypt(pem: bytes, passphrase: bytes) -> bytes:
    salt, nonce = os.urandom(16), os.urandom(12)
    key = Scrypt(salt, 32, **_SCRYPT[_BOX_VERSION]).derive(passphrase)
    box = AESGCM(key).encrypt(nonce, pem, salt)
    return encode({"version": _BOX_VERSION, "salt": salt, "nonce": nonce, "box": box})


def _decrypt(box: bytes, passphrase: bytes) -> str:
    value = parse(box, _BOX, MAX_KEY_FILE, "encrypted key")
    key = Scrypt(value["salt"], 32, **_SCRYPT[value["version"]]).derive(passphrase)
    try:
        return AESGCM(key).decrypt(value["nonce"], value["box"], value["salt"]).decode()
    except (InvalidTag, ValueError) as error:
        raise WireError("wrong-passphrase", "the passphrase does not open this key file") from error


def _idurls(text: str) -> tuple[IDURL, ...]:
    head = text.removeprefix(_BYTE_ORDER_MARK).partition("-----BEGIN ")[0]
    lines = [line.strip() for line in head.splitlines() if line.strip()]
    if len(lines) > 6:
        raise WireError("not-a-key-file", "at most six identity URLs stand before the key")
    return tuple(IDURL.parse(line) for line in lines)


def _hints(text: str) -> tuple[Hints, str]:
    """Hints only help: damaged ones are told, and never keep anybody from recovering."""
    try:
        data = _find_block(text, _HINTS)
        return (Hints.from_bytes(data), "") if data is not None else (Hints(), "")
    except WireError as error:
        return Hints(), str(error)
