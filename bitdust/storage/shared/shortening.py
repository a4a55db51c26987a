"""Keeps this device's part of a log short: every few megabytes it writes a mark, and begins with the mark before.

So a part has between one and two stretches. What is before its beginning is forgotten by who keeps it, and everybody
who has not read it by then learns how much that was. Nothing is forgotten that no keeper holds yet: until one of them
can be reached no more is written than fits.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

from attrs import frozen

from bitdust.formats.log_entry import Begin
from bitdust.formats.operations import snapshot_op
from bitdust.storage.catalog.catalog import Catalog, keep_entry, log_end, next_entry, set_begin
from bitdust.storage.catalog.database import meta, set_meta
from bitdust.storage.log.access import WritableLogs
from bitdust.wire.encoding import decode, encode
from bitdust.wire.errors import BitDustError

STRETCH = 4 * 1024 * 1024
"""Bytes between two marks, about."""
MOST_WAITING = 2 * STRETCH
"""Bytes that may wait for the first keeper."""
MARK, READ = "mark:", "read:"
"""The last mark of this device's part, as device, its number and what a keeper held by then; up to which entry a
device's part was handed on."""


@frozen
class Counted:
    """How many bytes there are from one entry to another."""

    first: int = 1
    last: int = 0
    size: int = 0


class Shortening:
    """I look at one part; ``held`` gives the last entry that a keeper holds, of those that begin somewhere else."""

    def __init__(
        self, catalog: Catalog, access: WritableLogs, key: str, device: Callable[[], bytes], held: Callable[[], int]
    ) -> None:
        self._catalog = catalog
        self._access = access
        self._key = key
        self._device = device
        self._held = held
        self._counted = Counted()

    def need_room(self) -> None:
        """Raises ``busy`` where more waits for a keeper than may."""
        held = max(self._held(), self._mark(self._catalog.read)[1])
        waiting = self._catalog.bytes_of(self._key, self._device(), held + 1) if self._since() else 0
        if waiting > MOST_WAITING:
            text = f"{waiting} bytes of yours wait for somebody who keeps this group; say more when one is there"
            raise BitDustError("busy", text)

    def is_due(self) -> bool:
        """Whether there is a stretch since the last mark."""
        return self._since() >= STRETCH

    def _since(self) -> int:
        """Bytes since the last mark; counted on from where that was done last."""
        first, device = self._mark(self._catalog.read)[0] or 1, self._device()
        known = self._counted if self._counted.first == first else Counted(first, first - 1)
        last = self._catalog.end(self._key, device).sequence
        size = (
            known.size + self._catalog.bytes_of(self._key, device, known.last + 1) if last > known.last else known.size
        )
        self._counted = Counted(first, max(last, known.last), size)
        return size

    def _mark(self, database: sqlite3.Connection) -> tuple[int, int]:
        data = meta(database, MARK + self._key)
        value: Any = [b"", 0, 0] if data is None else decode(data, 1024)
        whose, sequence, held = value
        return (sequence, held) if whose == self._device() else (0, 0)

    def shorten(self, wall: float) -> Callable[[sqlite3.Connection], bool]:
        """Write a mark, and begin with the one before where a keeper holds it; for `Catalog.change`."""
        held = self._held()

        def change(database: sqlite3.Connection) -> bool:
            device, (before, _) = self._device(), self._mark(database)
            if before > held:
                return False
            keys = self._access.writing(database, self._key)
            entry, content = next_entry(database, keys, [snapshot_op([])], wall)
            keep_entry(database, self._key, entry, content.lamport)
            set_meta(database, MARK + self._key, encode([device, entry.sequence, held]))
            if before:
                set_begin(database, self._key, device, Begin(before))
                forget(database, self._key, device, before)
            return True

        return change


def forget(database: sqlite3.Connection, key: str, device: bytes, begin: int) -> None:
    """Inside a transaction: remove what is before the beginning of a part, as far as it was handed on."""
    read = min(handed_on(database, device), log_end(database, key, device).sequence - 1)
    database.execute(
        "DELETE FROM entries WHERE key=? AND device=? AND sequence<? AND sequence<=?", (key, device, begin, read)
    )


def handed_on(database: sqlite3.Connection, device: bytes) -> int:
    """Up to which entry a device's part was handed on."""
    return int(meta(database, READ + device.hex()) or b"0")
