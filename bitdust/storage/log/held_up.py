"""Entries that suppliers give and that cannot be taken over: each holds up the log that it is in, and nothing else.

A mistake of the program that wrote it or of this one may be why, or that a newer one wrote it. Nothing is lost by that:
the entry and all behind it stay where they are, at the suppliers. It is tried again, with pauses that grow, and at each
start, which may be that of a program that knows better.
"""

import sqlite3
from collections.abc import Collection, Iterable

from attrs import astuple, frozen

from bitdust.automats.kernel import doubled
from bitdust.crypt.writers import guest_device
from bitdust.identity.document import OPEN_END
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import meta_rows, set_meta
from bitdust.surroundings import Connected
from bitdust.wire.encoding import encode

NOTE = "logs-held-up"
FIRST, LONGEST = 60.0, 6 * 3600.0
"""Seconds until an entry is tried again, the first time and in the end."""
MOST_WORDS = 200
MAX_NOTE = 1024 * 1024
MOST_ROWS = 500
"""Entries that are remembered, those of the owner's devices first: one row has some 1100 bytes at most."""


@frozen
class HeldUp:
    """Which log ends before which of its entries, and why, in words."""

    key: str
    device: bytes
    sequence: int
    reason: str

    @classmethod
    def by(cls, key: str, device: bytes, sequence: int, error: BaseException) -> "HeldUp":
        """As an error says why."""
        return cls(key, device, sequence, f"{str(error) or type(error).__name__:.{MOST_WORDS}}")

    @property
    def place(self) -> tuple[str, bytes, int]:
        return (self.key, self.device, self.sequence)


class HeldLogs:
    """I remember what is held up, say so once, and know when it is to be tried again."""

    def __init__(self, around: Connected, catalog: Catalog) -> None:
        self._clock = around.world.clock
        self._events = around.events
        self._me = around.me
        self._catalog = catalog
        self._failures: dict[tuple[str, bytes, int], int] = {}
        self._rests: dict[tuple[str, bytes, int], float] = {}

    def rows(self) -> list[HeldUp]:
        """All that is held up, as this disk remembers it; nothing where that cannot be read."""
        return [HeldUp(*row) for row in meta_rows(self._catalog.read, NOTE, MAX_NOTE) or []]

    def is_any_of_mine(self) -> bool:
        """Whether the log of a device of mine is held up: what it has stored is not all known here."""
        return any(map(self.is_mine, self.rows()))

    def is_mine(self, one: HeldUp) -> bool:
        """Whether it is in the log of a device of mine, and not of a guest's."""
        return self._me.document.device(one.device) is not None

    def resting(self, key: str) -> dict[bytes, HeldUp]:
        """By device what is not to be tried yet of the logs of a key."""
        now = self._clock.seconds()
        return {one.device: one for one in self.rows() if one.key == key and self._rests.get(one.place, 0.0) > now}

    async def note(self, found: Collection[HeldUp], tried: Iterable[HeldUp]) -> None:
        """A comparison has met these, and of them tried some. What it has not seen stays while it may be asked for."""
        for one in tried:
            failures = self._failures.get(one.place, 0)
            self._failures[one.place] = failures + 1
            self._rests[one.place] = self._clock.seconds() + doubled(FIRST, failures, LONGEST)
        known, seen = self.rows(), {(one.key, one.device) for one in found}
        left = [one for one in known if (one.key, one.device) not in seen and self._is_wanted(one)]
        first = sorted([*found, *left], key=lambda one: (not self.is_mine(one), one.place))[:MOST_ROWS]
        rows = sorted(first, key=lambda one: one.place)
        self._keep_times({one.place for one in rows})
        if rows == known:
            return
        data = encode([list(astuple(one)) for one in rows])

        def write(database: sqlite3.Connection) -> None:
            set_meta(database, NOTE, data)

        await self._catalog.change_quietly(write)
        before = {one.place for one in known}
        for one in rows:
            if one.place not in before:
                told = {"device_id": one.device.hex(), "key": one.key, "sequence": one.sequence, "reason": one.reason}
                self._events.send("log-entry-held-up", told)

    def _keep_times(self, places: set[tuple[str, bytes, int]]) -> None:
        self._failures = {place: count for place, count in self._failures.items() if place in places}
        self._rests = {place: until for place, until in self._rests.items() if place in places}

    def _is_wanted(self, one: HeldUp) -> bool:
        """Whether it is still the next of its log, and anybody's word lets it count: its key and device are known, and
        that log was not ended before it."""
        is_next = self._catalog.end(one.key, one.device).sequence < one.sequence
        return is_next and one.sequence <= self._counted(one)

    def _counted(self, one: HeldUp) -> int:
        """Up to which entry the log counts."""
        device, key = self._me.document.device(one.device), self._me.key_ring.keys.get(one.key)
        if key is None:
            return 0
        if device is not None:
            return OPEN_END if device.revoked is None else device.sequence or 0
        guest = guest_device((grant.writer for grant in key.grants if grant.writes), one.device)
        end = guest.end if guest is not None else 0
        return OPEN_END if end is None else end
