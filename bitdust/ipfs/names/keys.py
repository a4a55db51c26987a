"""Keys that names of IPNS are made of, and what a node has published under each."""

from typing import Any

from attrs import evolve, field, frozen

from bitdust.ipld.ipns import HIGHEST_SEQUENCE, Record
from bitdust.ipld.keys import LONGEST_KEY, PrivateKey
from bitdust.ipld.peerid import PeerId
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.schema import Bytes, Flag, Int, ListOf, Optional, Struct, Text, parse

SELF = "self"
"""The name of the key that is the node itself."""
FORMER_SELF = "former-self"
LONGEST_NAME = 256
LONGEST_VALUE = 1024
MOST_KEYS = 500
MOST_BYTES = 250 * 1024
"""Of all keys together: they are sealed as one, and written with each change."""
SECOND = 1_000_000_000
_SCHEMA = Struct(
    {
        "version": Int(1, 1),
        "keys": ListOf(
            Struct(
                {
                    "name": Text(LONGEST_NAME),
                    "id": Bytes(2, 64),
                    "key": Bytes(0, LONGEST_KEY),
                    "published": Optional(
                        Struct(
                            {
                                "value": Bytes(1, LONGEST_VALUE),
                                "sequence": Int(0, HIGHEST_SEQUENCE),
                                "signed": Int(),
                                "lifetime": Int(1),
                                "ttl": Int(),
                                "brought": Flag(),
                            }
                        )
                    ),
                }
            ),
            MOST_KEYS,
        ),
    }
)


@frozen
class Published:
    """What a name leads to: the how-manieth value it is, when it was ``signed`` last (since 1970), and for how long
    that counts; whether others were ``brought`` this value. All times are nanoseconds."""

    value: bytes
    sequence: int
    signed: int
    lifetime: int
    ttl: int
    brought: bool = False

    @property
    def record(self) -> Record:
        """As others read it."""
        return Record(self.value, self.sequence, self.signed + self.lifetime, self.ttl)


@frozen
class NamedKey:
    """A key under a name. The key of a device is not in the book, and is given to its entry when that is used."""

    name: str
    id: PeerId
    key: PrivateKey | None = field(repr=False)
    published: Published | None = None

    @classmethod
    def of(cls, name: str, key: PrivateKey) -> "NamedKey":
        """A key that has published nothing."""
        return cls(name, PeerId.of(key.public), key)


Keys = dict[str, NamedKey]
"""By name."""


def written(keys: Keys, device: PeerId | None) -> bytes:
    """All keys as bytes; that of the device stays out of them. Raises `BitDustError` ``too-many``."""
    rows = [_row(one, one.id == device) for one in keys.values()]
    data = encode({"version": 1, "keys": rows})
    if len(data) > MOST_BYTES or len(rows) > MOST_KEYS:
        raise BitDustError("too-many", f"there is room for {MOST_BYTES} bytes of keys, and for {MOST_KEYS} of them")
    return data


def _row(one: NamedKey, is_device: bool) -> dict[str, Any]:
    key = b"" if is_device or one.key is None else one.key.encode()
    row: dict[str, Any] = {"name": one.name, "id": bytes(one.id), "key": key}
    if one.published is not None:
        names = ("value", "sequence", "signed", "lifetime", "ttl", "brought")
        row["published"] = {name: getattr(one.published, name) for name in names}
    return row


def read(data: bytes) -> Keys:
    """Raises `WireError`."""
    value = parse(data, _SCHEMA, MOST_BYTES, "keys")
    keys = [_read(row) for row in value["keys"]]
    return {one.name: one for one in keys}


def _read(row: dict[str, Any]) -> NamedKey:
    try:
        ident = PeerId.from_bytes(row["id"])
        key = PrivateKey.decode(row["key"]) if row["key"] else None
    except ValueError as error:
        raise WireError("bad-field", f"a key that cannot be read: {error}") from error
    if key is not None and PeerId.of(key.public) != ident:
        raise WireError("bad-field", "a key that is not that of its id")
    published = row.get("published")
    return NamedKey(row["name"], ident, key, None if published is None else Published(**published))


def settled(keys: Keys, device: PrivateKey | None) -> Keys:
    """With the key of the node itself: that of its device, where there is one.

    A node without an identity makes itself a key. What was published under that one goes on under another name.
    """
    mine = keys.get(SELF)
    rest = {name: one for name, one in keys.items() if name != SELF}
    if device is None:
        own = mine if mine is not None and mine.key is not None else NamedKey.of(SELF, PrivateKey.generate())
        return {SELF: own, **rest}
    own = NamedKey.of(SELF, device)
    if mine is not None and mine.id == own.id:
        own = evolve(own, published=mine.published)
    elif mine is not None and mine.key is not None and mine.published is not None:
        name = next(name for name in _free_names() if name not in rest)
        rest[name] = evolve(mine, name=name)
    return {SELF: own, **rest}


def _free_names() -> Any:
    yield FORMER_SELF
    for number in range(2, MOST_KEYS + 2):
        yield f"{FORMER_SELF}-{number}"


def check_name(name: str) -> None:
    """Raises `BitDustError` ``bad-name``."""
    if not name:
        raise BitDustError("bad-name", "key names must be at least one character")
    if "/" in name:
        raise BitDustError("bad-name", "key names may not contain slashes")
    if name.startswith("."):
        raise BitDustError("bad-name", "key names may not begin with a period")
    if not name.isprintable() or len(name.encode("utf-8", "surrogateescape")) > LONGEST_NAME:
        raise BitDustError("bad-name", f"key names are printable, and have at most {LONGEST_NAME} bytes")
