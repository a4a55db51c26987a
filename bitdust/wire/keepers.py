"""Who keeps a group whose creator has no suppliers: the creator's signed word, in the place of a family record."""

from typing import ClassVar

from attrs import frozen

from bitdust.wire.encoding import decode
from bitdust.wire.names import KEY_ALIAS
from bitdust.wire.records import MIN_SUPPLIERS, Family, Record
from bitdust.wire.schema import Bytes, Int, ListOf, Schema, Text
from bitdust.wire.signed import MAX_SIGNED, Signed

VERSION = 1
MOST_KEEPERS = 5
MOST_SHUT_OUT = 200


@frozen
class Keepers(Record):
    """``keepers`` are members, the creator among them; ``revoked`` names capabilities that count no more.

    ``time`` is in milliseconds since the epoch; of two records the later one counts.
    """

    KIND: ClassVar[str] = "keepers"
    LIMIT: ClassVar[int] = 8 * 1024
    FIELDS: ClassVar[dict[str, Schema]] = {
        "version": Int(VERSION, VERSION),
        "owner": Bytes(32),
        "alias": Text(64, lambda alias: KEY_ALIAS.fullmatch(alias) is not None),
        "time": Int(),
        "keepers": ListOf(Bytes(32), MOST_KEEPERS, 1),
        "revoked": ListOf(Bytes(16), MOST_SHUT_OUT),
    }

    owner: bytes
    alias: str
    time: int
    keepers: list[bytes]
    revoked: list[bytes]
    version: int = VERSION

    @classmethod
    def from_body(cls, data: bytes) -> "Keepers":
        """Raises `WireError`."""
        return cls(**cls.parse_fields(data))

    def as_family(self) -> Family:
        """The same for those who only ask whom they can turn to: each of them has all of it."""
        places = max(MIN_SUPPLIERS, len(self.keepers))
        seats = [*self.keepers, *[None] * (places - len(self.keepers))]
        return Family(self.owner, max(1, self.time), 1, places, self.time // 1000, seats)


def signed_holders(data: bytes) -> Signed:
    """The signed record of who holds what is under a key, of either kind. Raises `WireError`."""
    value = decode(data, MAX_SIGNED, max_items=8)
    kind = Keepers.KIND if type(value) is list and value and value[0] == Keepers.KIND else Family.KIND
    return Signed.from_bytes(data, kind)


def keepers_of(data: bytes) -> Keepers | None:
    """The members who keep it; None where suppliers do. Raises `WireError`."""
    signed = signed_holders(data)
    return Keepers.from_body(signed.body) if signed.kind == Keepers.KIND else None


def family_of(data: bytes) -> Family:
    """Who holds it, members or suppliers. Raises `WireError`."""
    signed = signed_holders(data)
    return Keepers.from_body(signed.body).as_family() if signed.kind == Keepers.KIND else Family.from_body(signed.body)
