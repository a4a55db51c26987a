"""Who brings files to a share besides its owner, and what each of them may say there.

The owner draws the id of a grant, so nobody chooses the *mark* that follows from it: the first bytes of every pack that
the holder seals, and part of the number that ends the names of its items and versions. Whoever reads the share sees by
the name alone who made something, and that nobody gave it the name of another one's.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

from bitdust.crypt.device import device_id
from bitdust.wire.names import maker_of
from bitdust.wire.schema import Bytes, Int, ListOf, Optional, Struct

MARK = 6
"""Bytes of a mark."""
NUMBER = 4
"""Of them, those that are part of numbers."""
DEVICES = 100_000
"""Numbers of one mark, one for each device; below are the devices of the owner."""
MAX_KEYS_OF_ONE = 32
"""Devices of one person that are remembered."""
KEYS = ListOf(Bytes(32), MAX_KEYS_OF_ONE)
CUT = ListOf(Struct({"device": Bytes(8), "sequence": Int()}), MAX_KEYS_OF_ONE)
WRITER = Struct({"mark": Bytes(MARK), "holder": Bytes(32), "devices": KEYS, "cut": Optional(CUT)})
Cut = Mapping[bytes, int]
"""By device, up to which entry its log counts; nothing of one that is not named."""


@frozen
class Writer:
    """Somebody with a ``mark``: the keys of his ``devices``, and where his logs were ``cut`` when he was shut out."""

    mark: bytes
    holder: bytes
    devices: frozenset[bytes]
    cut: Cut | None = field(default=None, hash=False)

    @classmethod
    def of(cls, grant: bytes, holder: bytes, devices: Iterable[bytes], cut: Cut | None) -> "Writer":
        """The holder of a grant with this id."""
        return cls(grant[:MARK], holder, frozenset(devices), cut)

    def as_map(self) -> dict[str, Any]:
        """The stored form."""
        kept = {"mark": self.mark, "holder": self.holder, "devices": sorted(self.devices)}
        return kept if self.cut is None else kept | {"cut": cut_list(self.cut)}

    @classmethod
    def of_map(cls, value: Mapping[str, Any]) -> "Writer":
        """Of the stored form, which was checked by `WRITER`."""
        cut = cut_map(value["cut"]) if value.get("cut") is not None else None
        return cls(value["mark"], value["holder"], frozenset(value["devices"]), cut)


@frozen
class Marks:
    """The marks of one person in one share."""

    marks: frozenset[bytes]

    def made(self, name: str) -> bool:
        """Whether the name of a version, or the path id of an item, is one that this person gives."""
        return maker_of(name) // DEVICES - 1 in {_of(mark) for mark in self.marks}

    def sealed(self, pack: bytes) -> bool:
        """Whether this person has sealed a pack."""
        return pack[:MARK] in self.marks


@frozen
class GuestDevice:
    """A device of somebody who was let in: its ``key``, the ``marks`` of its owner, up to which entry its log counts,
    None for all, and its ``holders``: more than one where somebody claims another one's."""

    key: bytes
    marks: Marks
    end: int | None
    holders: frozenset[bytes]


def guest_device(writers: Iterable[Writer], ident: bytes) -> GuestDevice | None:
    """What is known of a device; where its person was let in again after it was shut out, all counts."""
    found = [one for one in writers if any(device_id(key) == ident for key in one.devices)]
    if not found:
        return None
    key = next(key for one in found for key in one.devices if device_id(key) == ident)
    ends = [one.cut.get(ident, 0) if one.cut is not None else None for one in found]
    end = None if None in ends else max(ends)  # type: ignore[type-var]
    return GuestDevice(key, Marks(frozenset(one.mark for one in found)), end, frozenset(one.holder for one in found))


def holder_of(writers: Iterable[Writer], name: str) -> bytes | None:
    """Who has made a version, or an item by its path id; None for the owner."""
    number = maker_of(name) // DEVICES - 1
    return next((one.holder for one in writers if _of(one.mark) == number), None)


def number_of(mark: bytes, device_number: int) -> int:
    """The number that a device gives to what it makes under a mark."""
    return (_of(mark) + 1) * DEVICES + device_number


def _of(mark: bytes) -> int:
    return int.from_bytes(mark[:NUMBER], "big")


def cut_list(cut: Cut) -> list[dict[str, Any]]:
    """As it is stored."""
    return [{"device": device, "sequence": cut[device]} for device in sorted(cut)]


def cut_map(listed: Iterable[Mapping[str, Any]]) -> dict[bytes, int]:
    """And back."""
    return {one["device"]: one["sequence"] for one in listed}
