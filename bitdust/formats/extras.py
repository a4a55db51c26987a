"""What a version has besides bytes, mode and time: other names, holes, extended attributes, and an owner.

Each part is there only where the file has it. A reader takes nothing but the names of `is_kept`, whoever wrote them.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from attrs import frozen

from bitdust.wire.encoding import Value, WireError
from bitdust.wire.schema import Bytes, Int, ListOf, Optional, Schema, Struct, Text

MOST_HOLES, MOST_ATTRIBUTES, MOST_ATTRIBUTE_BYTES = 10_000, 128, 64 * 1024
LISTS = ("system.posix_acl_access", "system.posix_acl_default")
"""Access control lists, as the system gives them."""
Hole = list[int]


class _Hole:
    """``[offset, length]`` in bytes."""

    items: ClassVar[int] = 3

    def check(self, value: Value, path: str) -> None:
        if type(value) is not list or [type(part) for part in value] != [int, int]:
            raise WireError("bad-field", f"{path}: a hole is an offset and a length")
        if not 0 <= value[0] < 2**62 or not 0 < value[1] < 2**62:
            raise WireError("bad-field", f"{path}: a hole out of range")


EXTRAS: Mapping[str, Schema] = {
    "links": Optional(Bytes(8)),
    "holes": Optional(ListOf(_Hole(), MOST_HOLES)),
    "attributes": Optional(
        ListOf(Struct({"name": Text(255), "value": Bytes(0, MOST_ATTRIBUTE_BYTES)}), MOST_ATTRIBUTES)
    ),
    "owner": Optional(Struct({"uid": Int(), "gid": Int(), "user": Text(64), "group": Text(64)})),
}


@frozen
class Extras:
    """``links``: files of equal ones are one file with several names. ``holes``: parts that take no room, in order.
    ``attributes``: extended attributes and access control lists. ``owner``: uid, gid and their names, where these are
    not those of who stored it."""

    links: bytes | None = None
    holes: tuple[tuple[int, int], ...] = ()
    attributes: tuple[tuple[str, bytes], ...] = ()
    owner: tuple[int, int, str, str] | None = None

    def to_value(self) -> dict[str, Any]:
        """As in an operation; empty for nothing."""
        value: dict[str, Any] = {}
        if self.links is not None:
            value["links"] = self.links
        if self.holes:
            value["holes"] = [list(hole) for hole in self.holes]
        if self.attributes:
            value["attributes"] = [{"name": name, "value": data} for name, data in self.attributes]
        if self.owner is not None:
            value["owner"] = dict(zip(("uid", "gid", "user", "group"), self.owner, strict=True))
        return value

    @classmethod
    def of_value(cls, value: Mapping[str, Any]) -> "Extras":
        """The other way."""
        owner = value.get("owner")
        return cls(
            value.get("links"),
            tuple((offset, length) for offset, length in value.get("holes") or ()),
            tuple((one["name"], one["value"]) for one in value.get("attributes") or ()),
            (owner["uid"], owner["gid"], owner["user"], owner["group"]) if owner else None,
        )


NO_EXTRAS = Extras()


def is_kept(name: str) -> bool:
    """Whether an extended attribute is stored and brought back: those of users, and access control lists."""
    return name.startswith("user.") or name in LISTS
