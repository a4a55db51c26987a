"""The key ring of another life was found: somebody had started over without it, and its files are back.

A person starts over where no ring can be found, and the ring that is made then knows nothing of the former one. When
that one turns up all the same, at a supplier that was away or on another device, both are united, and what it opens is
read. The person is told so, and how many files came back.
"""

import sqlite3
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import meta, set_meta
from bitdust.storage.catalog.figures import files_of_others
from bitdust.surroundings import Connected
from bitdust.wire.encoding import decode, encode

FOUND = "other-life"
MAX_NOTE = 64 * 1024
WAIT = 86_400
"""Seconds in which the logs of that life must come for their files to be counted."""


@frozen
class Reunion:
    """When the ring came (seconds since 1970), which devices were known before, and how many files came back; None
    while their logs are still to be read."""

    time: int
    devices: tuple[bytes, ...] = ()
    files: int | None = None


class OtherLife:
    """I count what came back, and tell it once; `reunion` says it to whoever asks later."""

    log = Logger()

    def __init__(self, around: Connected, catalog: Catalog) -> None:
        self._world = around.world
        self._events = around.events
        self._catalog = catalog

    @property
    def reunion(self) -> Reunion | None:
        """The last one, if there was any."""
        return reunion_of(self._catalog.read) if self._catalog.is_open else None

    def found(self) -> "Deferred[None]":
        """A ring of another life was united with mine."""
        now = int(self._world.wall())

        def note(database: sqlite3.Connection) -> None:
            rows = database.execute("SELECT DISTINCT device FROM entries ORDER BY device").fetchall()
            _keep(database, Reunion(now, tuple(bytes(device) for (device,) in rows)))

        return self._catalog.change(note).addErrback(self._failed)

    def look(self) -> None:
        """A comparison is over: what another life has stored is known now, if its logs came."""
        known = self.reunion
        if known is not None and known.files is None:
            self._catalog.change(self._count).addCallbacks(self._tell, self._failed)

    def _count(self, database: sqlite3.Connection) -> int:
        known = reunion_of(database)
        if known is None or known.files is not None:
            return 0
        files = files_of_others(database, known.devices)
        if files or self._world.wall() > known.time + WAIT:
            _keep(database, Reunion(known.time, (), files))
        return files

    def _tell(self, files: int) -> None:
        if files:
            self.log.info("the former key ring was found: {files} files of before are back", files=files)
            self._events.send("former-key-ring-found", {"files": files})

    def _failed(self, failure: Any) -> None:
        self.log.warn("that a former key ring was found is not noted: {e}", e=failure.getErrorMessage())


def reunion_of(database: sqlite3.Connection) -> Reunion | None:
    """As the catalog keeps it."""
    kept = meta(database, FOUND)
    if kept is None:
        return None
    value: Any = decode(kept, MAX_NOTE)
    time, devices, files = value
    return Reunion(time, tuple(devices), files)


def _keep(database: sqlite3.Connection, reunion: Reunion) -> None:
    set_meta(database, FOUND, encode([reunion.time, list(reunion.devices), reunion.files]))
