"""What a key ring says of shares: to whom my keys were given, and which keys of other people were given to me.

Both travel with the key ring (``docs/formats.md``, section 7), so that all devices of a person know of them, and a
recovered one too. Like all of a ring they are united: of two states of one grant, or of one share, the newer one wins,
and secrets are never dropped.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve, field, frozen

from bitdust.crypt.writers import CUT, KEYS, MAX_KEYS_OF_ONE, WRITER, Cut, Writer, cut_list, cut_map
from bitdust.wire.capability import Capability, Right, ShownCapability
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.keepers import Keepers, family_of, keepers_of
from bitdust.wire.names import FOLDER_KEYS, KEY_ALIAS
from bitdust.wire.packet import MAX_CAPABILITY
from bitdust.wire.records import Family
from bitdust.wire.revisions import MOST_AHEAD
from bitdust.wire.schema import U63, Bytes, Choice, Flag, Int, ListOf, Optional, Struct, Text, present

MAX_SHARES, MAX_SHARES_SIZE = 200, 128 * 1024
"""Of others, and their bytes: half of a ring is its owner's."""
MAX_GRANTS = 200
"""Of one key, those that were taken back included, until they end."""
MAX_SHUT = 20
"""Grants of a folder's key that were taken back, the last of them. Those before give nothing to whoever would still be
let in by one: as long as the folder is kept at suppliers its secret lets him in, and else there is nothing to read."""
MAX_SHARE_SECRETS, MAX_SHARE_SCOPES = 1000, 64
MAX_FAMILY = 8 * 1024
MAX_SHARE_LABEL = 800
AHEAD = 86_400
"""Seconds by which the clock of an owner may be ahead."""
_NAME = Int(1, 2**48 - 1)
SECRETS = ListOf(Struct({"epoch": _NAME, "secret": Bytes(32)}), MAX_SHARE_SECRETS)
CAPABILITIES = ListOf(Bytes(1, MAX_CAPABILITY), MAX_SHARE_SCOPES, 1)
GRANT = Struct(
    {
        "id": Bytes(16),
        "holder": Bytes(32),
        "rights": ListOf(Choice(tuple(Right)), len(Right), 1),
        "quota": Int(0, 2**60),
        "since": Int(),
        "ends": Int(),
        "revoked": Optional(Flag()),
        "devices": Optional(KEYS),
        "cut": Optional(CUT),
    }
)
SHARE = Struct(
    {
        "owner": Bytes(32),
        "alias": Text(64, lambda alias: KEY_ALIAS.fullmatch(alias) is not None),
        "name": Text(300),
        "label": Text(MAX_SHARE_LABEL),
        "given": Int(),
        "edits": Int(0),
        "active": Flag(),
        "erased": Optional(Flag()),
        "secrets": SECRETS,
        "capabilities": CAPABILITIES,
        "family": Bytes(1, MAX_FAMILY),
        "current": Optional(_NAME),
        "members": Optional(ListOf(Bytes(32), MAX_GRANTS + 1)),
        "writers": Optional(ListOf(WRITER, MAX_GRANTS)),
        "names": Optional(ListOf(Text(300), MAX_GRANTS + 1)),
    }
)


@frozen
class Grant:
    """My word that ``holder`` (a fingerprint) may use one of my keys; ``id`` names its capabilities.

    ``since`` and ``ends`` are seconds since the epoch; ``quota`` are bytes that the holder may bring. ``devices`` are
    the keys of the holder's devices that were seen, and ``cut`` says up to where the log of each counts after the grant
    was taken back; without it all counts that suppliers have.
    """

    id: bytes
    holder: bytes
    rights: tuple[Right, ...]
    quota: int
    since: int
    ends: int
    revoked: bool = False
    devices: frozenset[bytes] = frozenset()
    cut: Cut | None = field(default=None, hash=False)

    @property
    def writes(self) -> bool:
        """Whether its holder may bring something, or might."""
        return Right.LOG in self.rights

    @property
    def writer(self) -> Writer:
        """What others who read there are to know of its holder."""
        return Writer.of(self.id, self.holder, self.devices, self.cut)

    def as_map(self) -> dict[str, Any]:
        """The stored form."""
        kept = {name: getattr(self, name) for name in ("id", "holder", "quota", "since", "ends")}
        kept["rights"] = [right.value for right in self.rights]
        optional: dict[str, Any] = {"revoked": self.revoked or None, "devices": sorted(self.devices) or None}
        optional["cut"] = cut_list(self.cut) if self.cut is not None else None
        return kept | {name: found for name, found in optional.items() if found is not None}

    @classmethod
    def of_map(cls, value: Mapping[str, Any]) -> "Grant":
        """Of the stored form, which was checked."""
        value = present(value)
        listed = {"rights": tuple(map(Right, value["rights"])), "devices": frozenset(value.get("devices", ()))}
        return cls(**{**value, **listed, "cut": cut_map(value["cut"]) if "cut" in value else None})

    def counts(self, now: float) -> bool:
        """Whether its holder may use the key."""
        return not self.revoked and now < self.ends

    def goes_on_as(self, wanted: "Grant") -> bool:
        """Whether it can become the other one, which gives nothing less: of rights, of room, or of time. One that
        begins in times to come would win against any other."""
        is_less = not set(self.rights) <= set(wanted.rights) or wanted.quota < self.quota or wanted.ends < self.ends
        return not is_less and self.since < wanted.since + AHEAD


def united_grants(*grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """All of them, each once: taken back wins, the later end, and all that is known of devices."""
    found: dict[bytes, Grant] = {}
    for some in grants:
        for one in some:
            known = found.get(one.id, one)
            newer = max(known, one, key=lambda grant: (grant.ends, grant.since, grant.quota, grant.rights))
            cuts = [cut for cut in (known.cut, one.cut) if cut is not None]
            cut = {device: max(cut.get(device, 0) for cut in cuts) for device in set().union(*cuts)} if cuts else None
            devices = frozenset(sorted(known.devices | one.devices)[:MAX_KEYS_OF_ONE])
            found[one.id] = evolve(newer, revoked=known.revoked or one.revoked, devices=devices, cut=cut)
    return tuple(found[ident] for ident in sorted(found))


def kept_grants(key_id: str, *grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """All of a key, each once; of a folder's key without those that began before the last ones that were taken back.

    None of these counts, though another ring may not know yet that it was taken back: else it would stand in the place
    of one that suppliers accept.
    """
    kept = united_grants(*grants)
    shut = sorted(_begun(one) for one in kept if one.revoked)[-MAX_SHUT:]
    if len(shut) < MAX_SHUT or not key_id.startswith(FOLDER_KEYS):
        return kept
    return tuple(one for one in kept if _begun(one) >= shut[0])


def _begun(grant: Grant) -> tuple[int, bytes]:
    return grant.since, grant.id


@frozen
class GivenShare:
    """A key of another person that was given to me.

    ``name`` is the global id under which its ``owner`` gave it, ``given`` when, in milliseconds since the epoch of the
    owner's clock. ``capabilities`` has one for each tag under which suppliers know the key, ``family`` the owner's
    signed record of who keeps it, ``current`` names the secret under which its holder seals; ``members`` are all who
    write in a group, ``names`` their global ids, as far as the owner knows them, and ``writers`` those besides the
    owner who bring files, or did. ``edits`` counts what I changed: whether it is open (``active``), or forgotten
    (``erased``).
    """

    owner: bytes
    alias: str
    name: str
    label: str
    given: int
    secrets: dict[int, tuple[bytes, ...]] = field(repr=False)
    capabilities: tuple[bytes, ...] = field(repr=False)
    family: bytes = field(repr=False)
    active: bool = False
    erased: bool = False
    edits: int = 0
    members: tuple[bytes, ...] = ()
    current: int | None = None
    writers: tuple[Writer, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def key_id(self) -> str:
        """How it was called when it was given."""
        return f"{self.alias}${self.name}"

    @property
    def place(self) -> tuple[bytes, str]:
        """What names it for good."""
        return self.owner, self.alias

    @property
    def grants(self) -> list[Capability]:
        """The capabilities without their signatures."""
        return [Capability.from_body(ShownCapability.from_bytes(shown).body) for shown in self.capabilities]

    @property
    def sealing(self) -> tuple[int, bytes]:
        """The secret under which something new is sealed, with its name."""
        name = self.current if self.current in self.secrets else max(self.secrets)
        return name, self.secrets[name][-1]

    @property
    def rights(self) -> frozenset[Right]:
        """What its holder may do."""
        return frozenset(right for grant in self.grants for right in grant.rights)

    @property
    def ends(self) -> int:
        """When suppliers refuse it, in seconds since the epoch."""
        return min(grant.ends for grant in self.grants)

    def owner_family(self) -> Family:
        """Who keeps what is under the key: the owner's suppliers, or members of a group."""
        return family_of(self.family)

    def keepers(self) -> Keepers | None:
        """The members who keep a group; None where its owner's suppliers do."""
        return keepers_of(self.family)

    def merged(self, other: "GivenShare") -> "GivenShare":
        """What both say: of the owner's the newer, of mine what was changed last, and all secrets."""
        newer = max(self, other, key=lambda one: (one.given, one.capabilities, one.family))
        mine = max(self, other, key=lambda one: (one.edits, one.erased, one.active))
        together = _newest_secrets(newer.secrets, (other if newer is self else self).secrets)
        return evolve(newer, secrets=together, active=mine.active, erased=mine.erased, edits=mine.edits)

    def marked(self, *, active: bool, erased: bool = False) -> "GivenShare":
        """The same, opened, closed or forgotten."""
        secrets = {} if erased else self.secrets  # its owner gives them all again
        return evolve(self, active=active, erased=erased, edits=min(self.edits + 1, U63), secrets=secrets)

    def as_map(self) -> dict[str, Any]:
        """The stored form."""
        kept: dict[str, Any] = {
            "owner": self.owner,
            "alias": self.alias,
            "name": self.name,
            "label": self.label,
            "given": self.given,
            "edits": self.edits,
            "active": self.active,
            "secrets": secrets_list(self.secrets),
            "capabilities": list(self.capabilities),
            "family": self.family,
        }
        optional: dict[str, Any] = {"erased": self.erased or None, "current": self.current}
        optional |= {"members": list(self.members) or None, "names": list(self.names) or None}
        optional["writers"] = [writer.as_map() for writer in self.writers] or None
        return kept | {name: found for name, found in optional.items() if found is not None}

    @classmethod
    def of_map(cls, value: Mapping[str, Any]) -> "GivenShare":
        """Of the stored form, which was checked by `SHARE`. Raises `WireError` for capabilities that are none."""
        value = present(value)
        secrets = secrets_map(value["secrets"])
        listed = {name: tuple(value.get(name, ())) for name in ("capabilities", "members", "names")}
        listed["writers"] = tuple(map(Writer.of_map, value.get("writers", ())))
        share = cls(**{**value, "secrets": secrets, **listed})
        if not all(grant.scope for grant in share.grants) or not share.rights:
            raise WireError("bad-field", "share: a capability is for no key")
        return share


def secrets_list(secrets: Mapping[int, Iterable[bytes]]) -> list[dict[str, Any]]:
    """Storage secrets as they are stored and given."""
    return [{"epoch": name, "secret": secret} for name in sorted(secrets) for secret in sorted(secrets[name])]


def secrets_map(listed: Iterable[Mapping[str, Any]]) -> dict[int, tuple[bytes, ...]]:
    """And back."""
    found: dict[int, set[bytes]] = {}
    for item in listed:
        found.setdefault(item["epoch"], set()).add(item["secret"])
    return {name: tuple(sorted(some)) for name, some in found.items()}


def _newest_secrets(
    newer: Mapping[int, tuple[bytes, ...]], older: Mapping[int, tuple[bytes, ...]]
) -> dict[int, tuple[bytes, ...]]:
    """Of both as many as can be kept: those that were given last go before others."""
    last, first = ([(name, secret) for name, some in one.items() for secret in some] for one in (newer, older))
    former = sorted(set(first) - set(last), reverse=True)[: max(0, MAX_SHARE_SECRETS - len(last))]
    return secrets_map({"epoch": name, "secret": secret} for name, secret in (*last, *former))


def near(share: GivenShare, known: GivenShare | None, counts: bool) -> GivenShare:
    """As another device of mine has it: not changed so often that this one could change it no more, and never changed
    where that one does not count."""
    most = (known.edits if known is not None else 0) + MOST_AHEAD
    return evolve(share, edits=min(share.edits, most) if counts else 0)


def not_ahead(shares: Mapping[tuple[bytes, str], GivenShare], wall: float) -> dict[tuple[bytes, str], GivenShare]:
    """What claims to be given in times to come counts as the oldest: nothing could take its place before then."""
    latest = int((wall + AHEAD) * 1000)
    return {place: evolve(one, given=0) if one.given > latest else one for place, one in shares.items()}


def within(shares: Mapping[tuple[bytes, str], GivenShare]) -> dict[tuple[bytes, str], GivenShare]:
    """As many as can be kept. Those that were never opened here, or were forgotten, give way, the largest first: their
    owners bring them again."""
    kept, sizes = dict(shares), {place: len(encode(one.as_map())) for place, one in shares.items()}
    idle = [place for place, one in shares.items() if not one.edits or one.erased]
    for place in sorted(idle, key=lambda place: (-sizes[place], place)):
        if len(kept) > MAX_SHARES or sum(sizes[one] for one in kept) > MAX_SHARES_SIZE:
            del kept[place]
    return kept


def united(*secrets: Mapping[int, tuple[bytes, ...]]) -> dict[int, tuple[bytes, ...]]:
    """All secrets by name: where two have one name, both."""
    found: dict[int, set[bytes]] = {}
    for some in secrets:
        for name, ones in some.items():
            found.setdefault(name, set()).update(ones)
    return {name: tuple(sorted(ones)) for name, ones in found.items()}


def united_shares(*shares: Iterable[GivenShare]) -> dict[tuple[bytes, str], GivenShare]:
    """All of them by owner and alias, each once."""
    found: dict[tuple[bytes, str], GivenShare] = {}
    for some in shares:
        for one in some:
            known = found.get(one.place)
            found[one.place] = known.merged(one) if known is not None else one
    return found
