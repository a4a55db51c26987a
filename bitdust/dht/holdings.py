"""What is known of the records that are kept, without their bytes: found by key, by distance and by end of life.

Nothing here is looked for one by one: a node may keep tens of thousands, and strangers decide how often one has to go.
"""

from bisect import bisect_left, insort
from collections import Counter

from attrs import define, field, frozen

from bitdust.dht.ids import number


@frozen
class Entry:
    """A record as it is counted."""

    type: str
    owner: bytes | None
    revision: int
    expires: int
    size: int
    mine: bool
    layer: int


@define
class Sorted:
    """Keys in an order."""

    _rows: list[tuple[int, bytes]] = field(factory=list)

    def add(self, place: int, key: bytes) -> None:
        """Put a key where it belongs."""
        insort(self._rows, (place, key))

    def remove(self, place: int, key: bytes) -> None:
        """Take out a key that is there."""
        del self._rows[bisect_left(self._rows, (place, key))]

    def up_to(self, place: int) -> list[bytes]:
        """The first, up to a place and with it."""
        return [key for _, key in self._rows[: bisect_left(self._rows, (place, b"\xff" * 64))]]

    def last(self, but: bytes) -> bytes | None:
        """The last one that is not this one."""
        return next((key for _, key in reversed(self._rows[-2:]) if key != but), None)


class Holdings:
    """I count by owner, layer and type. Own records make no room, and are in no order of distance."""

    def __init__(self, own: int) -> None:
        self._own = own
        self._ends: Sorted = Sorted()
        self._far: dict[str, Sorted] = {}
        self.entries: dict[bytes, Entry] = {}
        self.owners: Counter[bytes] = Counter()
        self.layers: Counter[int] = Counter()
        self.records: Counter[str] = Counter()
        self.sizes: Counter[str] = Counter()
        self.size = 0

    def distance(self, key: bytes) -> int:
        """From this node."""
        return number(key) ^ self._own

    def put(self, key: bytes, entry: Entry) -> None:
        """Count a record, in the place of another one under its key."""
        self.drop(key)
        self.entries[key] = entry
        self._ends.add(entry.expires, key)
        if not entry.mine:
            self._far.setdefault(entry.type, Sorted()).add(self.distance(key), key)
        self._count(entry, 1)

    def drop(self, key: bytes) -> None:
        """Count a record no more."""
        entry = self.entries.pop(key, None)
        if entry is None:
            return
        self._ends.remove(entry.expires, key)
        if not entry.mine:
            self._far[entry.type].remove(self.distance(key), key)
        self._count(entry, -1)

    def _count(self, entry: Entry, by: int) -> None:
        self.layers[entry.layer] += by
        self.records[entry.type] += by
        self.sizes[entry.type] += by * entry.size
        self.size += by * entry.size
        if entry.owner is not None:
            self.owners[entry.owner] += by
            if not self.owners[entry.owner]:
                del self.owners[entry.owner]

    def expired(self, wall: float) -> list[bytes]:
        """Keys of what has had its time."""
        return self._ends.up_to(int(wall))

    def farthest(self, kind: str, but: bytes) -> bytes | None:
        """The farthest record of a type that may go; never the one under the key ``but``."""
        return self._far[kind].last(but) if kind in self._far else None
