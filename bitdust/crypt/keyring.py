"""The key ring: every key of a user with its label, and the storage secrets of each by name.

It is sealed to the master RSA key and held by every supplier (``docs/formats.md``, section 7). Rings of several devices
merge by union: nothing in a ring is ever overwritten or dropped. A secret's name is the number of the device that made
it and a counter of that device (`secret_name`), so that two devices give no name twice. Where two secrets have one name
all the same, both are kept and tried. In the same way a key keeps each tag of its logs (`bitdust.crypt.scope`).
"""

from collections.abc import Callable
from typing import Any

from attrs import define, evolve, field, frozen

from bitdust.crypt.ring_room import (
    KEY,
    MAX_KEYS,
    MAX_LABEL,
    MAX_RING,
    MAX_SCOPES,
    RING,
    VERSION,
    Room,
    most_bytes,
    most_keys,
    most_secrets,
    pair_map,
)
from bitdust.crypt.scope import scope_of
from bitdust.crypt.shares import (
    MAX_GRANTS,
    MAX_SHARES,
    MAX_SHARES_SIZE,
    GivenShare,
    Grant,
    kept_grants,
    near,
    secrets_map,
    united,
    united_shares,
    within,
)
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import KEY_ALIAS, is_hidden
from bitdust.wire.revisions import MOST_AHEAD
from bitdust.wire.schema import U63, parse, present

MASTER = "master"
_COUNTER_BITS = 32
_COUNTER = 2**_COUNTER_BITS - 1
WITH_SCOPES = 3
"""The first version that has them."""


@frozen
class RingKey:
    """One key; ``key_id`` is the alias alone for my own keys, ``alias$user@host`` for somebody else's.

    An erased key stays as a mark without its PEM, so that a merge does not bring it back; its storage secrets stay,
    because versions that were stored under it may still be wanted. ``secrets`` has for each name all that have it, in
    order; those that are ``retired`` open what was sealed under them, and nothing new is sealed. ``scopes`` are the
    tags under which others know the key's logs: one, or several after rings were united that had nothing in common;
    then ``pairs`` keeps the RSA pairs (private, public) that gave way. ``edits`` counts changes of label and state.
    ``grants`` says who else may use it, and who may not any more.
    """

    key_id: str
    label: str = ""
    active: bool = True
    erased: bool = False
    private: str | None = field(default=None, repr=False)
    public: str | None = None
    secrets: dict[int, tuple[bytes, ...]] = field(factory=dict, repr=False)
    retired: frozenset[bytes] = field(default=frozenset(), repr=False)
    scopes: frozenset[bytes] = frozenset()
    edits: int = 0
    pairs: frozenset[tuple[str, str]] = field(default=frozenset(), repr=False)
    grants: tuple[Grant, ...] = ()

    @property
    def named(self) -> list[tuple[int, bytes]]:
        """Every secret with its name, in order of the names."""
        return [(name, secret) for name in sorted(self.secrets) for secret in sorted(self.secrets[name])]

    @property
    def usable(self) -> list[tuple[int, bytes]]:
        """Those under which something new may be sealed."""
        return [one for one in self.named if one[1] not in self.retired]

    @property
    def first(self) -> bytes:
        """The first secret of those that there are now; one that is not retired goes before."""
        return min(self.named, key=lambda one: (one[0], one[1] in self.retired, one[1]))[1]

    def as_map(self) -> dict[str, Any]:
        """The stored form."""
        shown: dict[str, Any] = {
            "key_id": self.key_id,
            "label": self.label,
            "active": self.active,
            "secrets": [self._secret_map(name, secret) for name, secret in self.named],
        }
        optional = {
            "erased": self.erased or None,
            "private": self.private,
            "public": self.public,
            "scopes": sorted(self.scopes) or None,
            "edits": self.edits or None,
            "pairs": [pair_map(*pair) for pair in sorted(self.pairs)] or None,
            "grants": [grant.as_map() for grant in self.grants] or None,
        }
        return shown | {name: value for name, value in optional.items() if value is not None}

    def _secret_map(self, name: int, secret: bytes) -> dict[str, Any]:
        kept: dict[str, Any] = {"epoch": name, "secret": secret}
        return kept | {"retired": True} if secret in self.retired else kept

    def merged(self, other: "RingKey") -> "RingKey":
        """What both keys have, the same on either side; label and state of who changed them last; erased and retired
        win."""
        erased = self.erased or other.erased
        theirs = min(other.edits, self.edits + MOST_AHEAD)
        edits, label, active = max((self.edits, self.label, self.active), (theirs, other.label, other.active))
        pairs = sorted(
            {*self.pairs, *other.pairs, self._pair, other._pair} - {("", "")}, key=lambda pair: (not pair[0], pair)
        )
        private, public = pairs[0] if pairs and not erased else ("", "")
        return RingKey(
            self.key_id,
            label,
            active and not erased,
            erased,
            private or None,
            public or None,
            united(self.secrets, other.secrets),
            self.retired | other.retired,
            self.scopes | other.scopes,
            edits,
            frozenset(() if erased else pairs[1:]),
            kept_grants(self.key_id, self.grants, other.grants),
        )

    @property
    def _pair(self) -> tuple[str, str]:
        return (self.private or "", self.public or "")

    def with_old(self, other: "RingKey") -> "RingKey":
        """The same key, which opens what the other one opens, and is otherwise as it was."""
        secrets = united(self.secrets, other.secrets)
        news = {secret for _, secret in other.named} - {secret for _, secret in self.named}
        return evolve(self, secrets=secrets, retired=self.retired | news, scopes=self.scopes | other.scopes)

    def all_retired(self) -> "RingKey":
        """The same key, under which nothing new is sealed."""
        return evolve(self, retired=frozenset(secret for _, secret in self.named))


@define
class KeyRing:
    """All keys of one user by key id, and those of others that were given to it by owner and alias.

    There is more room in it with each device of that user that was ``revoked``."""

    keys: dict[str, RingKey] = field(factory=dict)
    shares: dict[tuple[bytes, str], GivenShare] = field(factory=dict)
    revoked: int = field(default=0, eq=False)

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
        if len({*self.keys, key.key_id}) > max(len(self.keys), most_keys(self.revoked)):
            raise BitDustError("too-many-keys", f"a key ring holds {most_keys(self.revoked)} keys, erased or not")
        KEY.check(key.as_map(), "key")
        marked = self.keys.get(key.key_id)
        added = key
        if marked is not None:
            added = evolve(
                key,
                secrets=united(marked.secrets, key.secrets),
                retired=marked.retired | key.retired,
                scopes=marked.scopes | key.scopes,
            )
        self._put(self._tagged(added))

    def _put(self, key: RingKey) -> None:
        readable(KeyRing(self.keys | {key.key_id: key}, self.shares), self.revoked)
        self.keys[key.key_id] = key

    def complete(self, key_id: str, private: str) -> None:
        """Add the private part of a key whose public part is here. Raises ``too-many-keys``."""
        self._put(evolve(self.get(key_id), private=private))

    def grant(self, key_id: str, grant: Grant) -> None:
        """Note that somebody may use a key, until when, or that it may not any more. Raises ``too-many-keys``."""
        key = self.get(key_id)
        grants = kept_grants(key_id, key.grants, (grant,))
        if len(grants) > MAX_GRANTS:
            raise BitDustError("too-many-keys", f"a key is given to at most {MAX_GRANTS} people")
        self._put(evolve(key, grants=grants))

    def give(self, share: GivenShare) -> None:
        """Keep a key of somebody else, or what is newer of it. Raises ``too-many-keys``."""
        shares = united_shares(self.shares.values(), (share,))
        if shares != within(shares):  # What was forgotten gives way; its owner may bring it again.
            shares = {place: one for place, one in shares.items() if not one.erased or place == share.place}
        if shares != within(shares):
            text = f"a key ring has at most {MAX_SHARES} shares of others, of {MAX_SHARES_SIZE} bytes together"
            raise BitDustError("too-many-keys", text)
        readable(KeyRing(self.keys, shares), self.revoked)
        self.shares = shares

    def label(self, key_id: str, label: str) -> None:
        """Give a key another label, at most 200 characters."""
        if len(label) > MAX_LABEL:
            raise BitDustError("bad-argument", f"a label has at most {MAX_LABEL} characters")
        key = self.get(key_id)
        self._put(evolve(key, label=label, edits=min(key.edits + 1, U63)))

    def mark(self, key_id: str, active: bool) -> None:
        """Note whether a key is in use. Raises ``not-allowed`` for the master key."""
        if key_id == MASTER:
            raise BitDustError("not-allowed", "the master key is always active")
        key = self.get(key_id)
        self.keys[key_id] = evolve(key, active=active, edits=min(key.edits + 1, U63))

    def erase(self, key_id: str) -> None:
        """Forget the key itself; its storage secrets stay."""
        if key_id == MASTER:
            raise BitDustError("not-allowed", "the master key cannot be erased; erase the identity instead")
        self.keys[key_id] = evolve(
            self.get(key_id), erased=True, active=False, private=None, public=None, pairs=frozenset()
        )

    def ensure_secret(self, key_id: str, entropy: Callable[[int], bytes], device: int) -> bool:
        """Give a key, erased or not, a storage secret of this device's if none of it seals; True when one was made."""
        key = self.keys.get(key_id) or self.get(key_id)
        if key.usable:
            return False
        if not Room(len(self.to_bytes())).takes_secret(key):
            raise BitDustError("too-many-keys", f"there is no room for another storage secret of {key_id!r}")
        counters = [name & _COUNTER for name in key.secrets if name >> _COUNTER_BITS == device]
        made = {secret_name(device, max(counters, default=0) + 1): (entropy(32),)}
        self.keys[key_id] = self._tagged(evolve(key, secrets=united(key.secrets, made)))
        return True

    def _tagged(self, key: RingKey) -> RingKey:
        """The key with its scope, if it needs one and has none yet."""
        if key.scopes or not key.secrets or key.key_id == MASTER:
            return key
        master = self.keys.get(MASTER)
        secret = master.first if master is not None and master.secrets else key.first
        return evolve(key, scopes=frozenset((scope_of(secret, key.key_id),)))

    def renew_secrets(self, entropy: Callable[[int], bytes], device: int, more: int = 0) -> None:
        """From now on everything is sealed under secrets that nobody knows yet; the former ones open what there is.

        So many ``more`` devices are revoked next. Where a thief has filled the ring a key gets its new secret when it
        is needed. Raises ``too-many-keys`` where there is no room for that of the master.
        """
        if MASTER in self:
            self.renew_secret(MASTER, entropy, device)
        room = Room(len(self.to_bytes()), most_bytes(self.revoked + more))
        for key in self.living():
            if key.key_id != MASTER and key.usable and room.retires(key):
                self.keys[key.key_id] = key.all_retired()
        for key in self.living():
            if key.secrets and not key.usable and room.takes_secret(key):
                self.ensure_secret(key.key_id, entropy, device)

    def renew_secret(self, key_id: str, entropy: Callable[[int], bytes], device: int) -> None:
        """The same for one key, where it has a secret. Raises ``too-many-keys``, and then nothing has changed."""
        key = self.get(key_id)
        if key.usable:
            self.keys[key_id] = key.all_retired()
            try:
                self.ensure_secret(key_id, entropy, device)
            except BitDustError:
                self.keys[key_id] = key
                raise

    def current(self, key_id: str) -> tuple[int, bytes]:
        """The storage secret (32 bytes) for what is new, with its name: the same on all devices that have one ring."""
        usable = self.get(key_id).usable
        if not usable:
            raise BitDustError("key-without-secret", f"key {key_id!r} has no storage secret yet")
        return max(usable)

    def secrets(self, key_id: str, name: int) -> tuple[bytes, ...]:
        """All storage secrets of a name, of erased keys too; raises `BitDustError` ``key-not-found``."""
        key = self.keys.get(key_id)
        if key is None or name not in key.secrets:
            raise BitDustError("key-not-found", f"the storage secret {name} of key {key_id!r} is not in the key ring")
        return key.secrets[name]

    def merge(self, other: "KeyRing", counts: bool = True, is_alone: bool = False) -> bool:
        """Take over what the other ring has; True when this one changed.

        Of a ring that does not count, as a revoked device may have written it, only what opens something is taken, and
        nothing new is sealed under it. Where no ring counts (``is_alone``) all that they say is: to whom keys were
        given, and what was last done with a share. Shares of others that were never opened give way where both have
        too many. Raises ``too-many-keys``, and changes nothing, where both together could not be read back.
        """
        merged = dict(self.keys)
        for key_id, key in other.keys.items():
            mine = merged.get(key_id)
            if counts:
                merged[key_id] = mine.merged(key) if mine else evolve(key, edits=min(key.edits, MOST_AHEAD))
            else:
                both = mine and (mine.merged(key).all_retired() if is_alone else mine.with_old(key))
                merged[key_id] = both or key.all_retired()
        theirs = [near(one, self.shares.get(one.place), counts or is_alone) for one in other.shares.values()]
        shares = within(united_shares(self.shares.values(), theirs))
        most = most_keys(self.revoked) if self.keys else MAX_KEYS  # a recovered home takes what it once had
        if len(merged) > max(len(self.keys), most):
            raise BitDustError("too-many-keys", f"both rings together have {len(merged)} keys")
        changed = readable(KeyRing(merged, shares), self.revoked) != self.to_bytes()
        self.keys, self.shares = merged, shares
        return changed

    def to_bytes(self) -> bytes:
        """The plain form; it is only ever written sealed."""
        ring: dict[str, Any] = {"version": VERSION, "keys": [self.keys[name].as_map() for name in sorted(self.keys)]}
        shares = [self.shares[place].as_map() for place in sorted(self.shares)]
        return encode(ring | {"shares": shares} if shares else ring)

    @classmethod
    def from_bytes(cls, data: bytes) -> "KeyRing":
        """Raises `WireError`. Rings of version 1 and 2 are read too."""
        ring = cls()
        value = parse(data, RING, MAX_RING, "key ring")
        for stored in map(present, value["keys"]):
            if stored["key_id"] == MASTER or is_hidden(stored["key_id"]):
                stored |= {"erased": False, "active": True}  # Nobody erases them but who stole a device.
            kept = stored.pop("secrets")
            named = {(item["epoch"], item["secret"]) for item in kept}
            if len(named) != len(kept) or (value["version"] == 1 and len({name for name, _ in named}) != len(kept)):
                raise WireError("bad-field", f"key ring: {stored['key_id'][:60]!r} has a secret twice")
            if stored["key_id"] in ring.keys:
                raise WireError("bad-field", f"key ring: {stored['key_id'][:60]!r} stands there twice")
            secrets = secrets_map(kept)
            retired = frozenset(item["secret"] for item in kept if item.get("retired"))
            scopes = frozenset(stored.pop("scopes", ()))
            pairs = frozenset((one.get("private") or "", one.get("public") or "") for one in stored.pop("pairs", ()))
            grants = kept_grants(stored["key_id"], map(Grant.of_map, stored.pop("grants", ())))
            ring.keys[stored["key_id"]] = RingKey(
                **stored, secrets=secrets, retired=retired, scopes=scopes, pairs=pairs, grants=grants
            )
        if value["version"] < WITH_SCOPES:
            ring.keys = {name: _with_former_scopes(key, ring.keys.get(MASTER)) for name, key in ring.keys.items()}
        ring.keys = {name: ring._tagged(key) for name, key in ring.keys.items()}
        ring.shares = united_shares(map(GivenShare.of_map, value.get("shares") or ()))
        return ring


def readable(ring: KeyRing, revoked: int = 0) -> bytes:
    """Its plain form; raises ``too-many-keys`` where that could not be read back, or leaves no room for revocations."""
    data, most, secrets = ring.to_bytes(), most_bytes(revoked), most_secrets(revoked)
    if len(data) > most:
        raise BitDustError("too-many-keys", f"all keys together have at most {most} bytes")
    if any(len(key.named) > secrets for key in ring.keys.values()):
        raise BitDustError("too-many-keys", f"a key has at most {secrets} storage secrets")
    try:
        KeyRing.from_bytes(data)
    except WireError as error:
        raise BitDustError("too-many-keys", f"a key has more than can be kept of it: {error}") from error
    return data


def _with_former_scopes(key: RingKey, master: RingKey | None) -> RingKey:
    """A key as it was kept without its scopes: any secret of the master key may have been the first one once."""
    if key.key_id == MASTER or not key.secrets or master is None:
        return key
    made = [scope_of(secret, key.key_id) for _, secret in master.named[:MAX_SCOPES]]
    return evolve(key, scopes=frozenset(made))


def secret_name(device: int, counter: int) -> int:
    """The name of a storage secret: whose it is among the owner's devices, and which one of that device's."""
    return device << _COUNTER_BITS | counter
