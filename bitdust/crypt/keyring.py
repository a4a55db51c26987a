"""The key ring: every key of a user with its label, and the storage secrets of each by epoch.

It is sealed to the master RSA key and held by every supplier (``docs/formats.md``, section 7). Rings of several devices
merge by union, so no device can lose another's key.
"""

from collections.abc import Callable
from typing import Any

from attrs import define, evolve, field, frozen

from bitdust.wire.encoding import WireError, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import KEY_ALIAS
from bitdust.wire.schema import Bytes, Flag, Int, ListOf, Optional, Struct, Text, parse

MASTER = "master"
MAX_RING = 256 * 1024
SEAL_ROOM = 8 * 1024
"""Left free for the seal, the signature, and storage secrets that are still to come."""
MAX_KEYS = 500
MAX_LABEL = 200
_PEM = Text(10 * 1024)
_SECRET = Struct({"epoch": Int(1, 2**31), "secret": Bytes(32)})
_KEY = Struct(
    {
        "key_id": Text(300),
        "label": Text(4 * MAX_LABEL),
        "active": Flag(),
        "erased": Optional(Flag()),
        "private": Optional(_PEM),
        "public": Optional(_PEM),
        "secrets": ListOf(_SECRET, 1000),
    }
)
_RING = Struct({"version": Int(1, 1), "keys": ListOf(_KEY, MAX_KEYS)})


@frozen
class RingKey:
    """One key; ``key_id`` is the alias alone for my own keys, ``alias$user@host`` for somebody else's.

    An erased key stays as a mark without its PEM, so that a merge does not bring it back; its storage secrets stay,
    because versions that were stored under it may still be wanted.
    """

    key_id: str
    label: str = ""
    active: bool = True
    erased: bool = False
    private: str | None = field(default=None, repr=False)
    public: str | None = None
    secrets: dict[int, bytes] = field(factory=dict, repr=False)

    def as_map(self) -> dict[str, Any]:
        """The stored form."""
        shown: dict[str, Any] = {
            "key_id": self.key_id,
            "label": self.label,
            "active": self.active,
            "secrets": [{"epoch": epoch, "secret": secret} for epoch, secret in sorted(self.secrets.items())],
        }
        optional = {"erased": self.erased or None, "private": self.private, "public": self.public}
        return shown | {name: value for name, value in optional.items() if value is not None}

    def merged(self, other: "RingKey") -> "RingKey":
        """Both keys' secrets; what one of them lacks comes from the other; erased wins."""
        erased = self.erased or other.erased
        return RingKey(
            self.key_id,
            self.label or other.label,
            self.active and not erased,
            erased,
            None if erased else self.private or other.private,
            None if erased else self.public or other.public,
            other.secrets | self.secrets,
        )


@define
class KeyRing:
    """All keys of one user, by key id."""

    keys: dict[str, RingKey] = field(factory=dict)

    def __contains__(self, key_id: object) -> bool:
        return key_id in self.keys and not self.keys[str(key_id)].erased

    def get(self, key_id: str) -> RingKey:
        """Raises `BitDustError` ``key-not-found``."""
        if key_id not in self:
            raise BitDustError("key-not-found", f"key {key_id!r} is not registered; see keys_list")
        return self.keys[key_id]

    def living(self) -> list[RingKey]:
        """Keys that were not erased, the master first."""
        return sorted(
            (key for key in self.keys.values() if not key.erased), key=lambda k: (k.key_id != MASTER, k.key_id)
        )

    def add(self, key: RingKey) -> None:
        """Register a key; an existing one is never replaced (code ``key-exists``).

        What could not be read back is refused here, ``bad-field`` or ``too-many-keys``: a ring must stay readable.
        """
        if key.key_id in self:
            raise BitDustError("key-exists", f"key {key.key_id!r} exists already")
        if not KEY_ALIAS.fullmatch(key.key_id.partition("$")[0]):
            raise BitDustError("bad-key-id", f"{key.key_id!r} is no key id: letters, digits, '.', '_' and '-'")
        if len(self.keys) >= MAX_KEYS:
            raise BitDustError("too-many-keys", f"a key ring holds at most {MAX_KEYS} keys")
        _KEY.check(key.as_map(), "key")
        marked = self.keys.get(key.key_id)
        added = evolve(key, secrets=marked.secrets | key.secrets) if marked else key
        if len(KeyRing(self.keys | {key.key_id: added}).to_bytes()) > MAX_RING - SEAL_ROOM:
            raise BitDustError("too-many-keys", f"all keys together have at most {MAX_RING - SEAL_ROOM} bytes")
        self.keys[key.key_id] = added

    def label(self, key_id: str, label: str) -> None:
        """Give a key another label, at most 200 characters."""
        if len(label) > MAX_LABEL:
            raise BitDustError("bad-argument", f"a label has at most {MAX_LABEL} characters")
        self.keys[key_id] = evolve(self.get(key_id), label=label)

    def mark(self, key_id: str, active: bool) -> None:
        """Note whether a key is in use. Raises ``not-allowed`` for the master key."""
        if key_id == MASTER:
            raise BitDustError("not-allowed", "the master key is always active")
        self.keys[key_id] = evolve(self.get(key_id), active=active)

    def erase(self, key_id: str) -> None:
        """Forget the key itself; its storage secrets stay."""
        if key_id == MASTER:
            raise BitDustError("not-allowed", "the master key cannot be erased; erase the identity instead")
        self.keys[key_id] = evolve(self.get(key_id), erased=True, active=False, private=None, public=None)

    def ensure_secret(self, key_id: str, entropy: Callable[[int], bytes]) -> bool:
        """Give a key its first storage secret; True when one was made."""
        key = self.get(key_id)
        if key.secrets:
            return False
        self.keys[key_id] = evolve(key, secrets={1: entropy(32)})
        return True

    def current(self, key_id: str) -> tuple[int, bytes]:
        """The newest epoch and its storage secret (32 bytes)."""
        secrets = self.get(key_id).secrets
        if not secrets:
            raise BitDustError("key-without-secret", f"key {key_id!r} has no storage secret yet")
        epoch = max(secrets)
        return epoch, secrets[epoch]

    def secret(self, key_id: str, epoch: int) -> bytes:
        """The storage secret of an epoch, of erased keys too; raises `BitDustError` ``key-not-found``."""
        key = self.keys.get(key_id)
        if key is None or epoch not in key.secrets:
            raise BitDustError("key-not-found", f"the storage secret {epoch} of key {key_id!r} is not in the key ring")
        return key.secrets[epoch]

    def merge(self, other: "KeyRing") -> bool:
        """Take over what the other ring has; True when this one changed."""
        before = self.to_bytes()
        for key_id, key in other.keys.items():
            mine = self.keys.get(key_id)
            self.keys[key_id] = mine.merged(key) if mine else key
        return self.to_bytes() != before

    def to_bytes(self) -> bytes:
        """The plain form; it is only ever written sealed."""
        return encode({"version": 1, "keys": [self.keys[name].as_map() for name in sorted(self.keys)]})

    @classmethod
    def from_bytes(cls, data: bytes) -> "KeyRing":
        """Raises `WireError`."""
        ring = cls()
        for stored in parse(data, _RING, MAX_RING, "key ring")["keys"]:
            stored_secrets = stored.pop("secrets")
            secrets = {item["epoch"]: item["secret"] for item in stored_secrets}
            if len(secrets) != len(stored_secrets):
                raise WireError("bad-field", f"key ring: {stored['key_id'][:60]!r} has an epoch twice")
            if stored["key_id"] in ring.keys:
                raise WireError("bad-field", f"key ring: {stored['key_id'][:60]!r} stands there twice")
            ring.keys[stored["key_id"]] = RingKey(**stored, secrets=secrets)
        return ring
