"""Which items and versions of the catalog have changed, for whoever shows them live.

While somebody watches, temporary triggers on the writing connection note what every statement touched, wherever it came
from: a log entry of another device, an acknowledged piece, a rebuilt pack. Without watchers there are none of them.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.signal import Disconnect, Signal
from bitdust.storage.catalog.catalog import Catalog

GATHERING = 0.1
"""Seconds in which what is touched again and again is told once."""
AT_ONCE = 50

_TOUCHED = "INSERT OR IGNORE INTO touched VALUES"
_TRIGGERS = {
    "items_made": f"AFTER INSERT ON items BEGIN {_TOUCHED}(new.path, ''); END",
    "items_changed": f"AFTER UPDATE ON items BEGIN {_TOUCHED}(new.path, ''); END",
    "gone_made": f"AFTER INSERT ON gone BEGIN {_TOUCHED}(new.path, ''); END",
    "gone_over": f"AFTER DELETE ON gone BEGIN {_TOUCHED}(old.path, ''); END",
    "versions_made": f"AFTER INSERT ON versions BEGIN {_TOUCHED}(new.path, ''), (new.path, new.version); END",
    "versions_changed": f"AFTER UPDATE ON versions BEGIN {_TOUCHED}(new.path, ''), (new.path, new.version); END",
    "versions_over": f"AFTER DELETE ON versions BEGIN {_TOUCHED}(old.path, ''), (old.path, old.version); END",
    "packs_changed": (
        "AFTER UPDATE OF acked, state ON packs BEGIN INSERT OR IGNORE INTO touched"
        " SELECT path, version FROM version_packs WHERE pack=new.pack; END"
    ),
}


@frozen
class Touched:
    """An item, or one ``version`` of it, that is not what it was; it may be gone."""

    path: str
    version: str


Watcher = Callable[[list[Touched]], None]


class Changes:
    """I report what was touched, some dozens at a time."""

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._catalog: Catalog | None = None
        self._touched: Signal[[list[Touched]]] = Signal()
        self._disconnect: Callable[[], None] = lambda: None
        self._call: IDelayedCall | None = None
        self._collecting = False
        self._more = False

    def watch(self, watcher: Watcher) -> Disconnect:
        """Call ``watcher`` from now on; the answer ends that. Nothing is noted while nobody watches."""
        if not self._touched.connected:
            self._write(_install)
        disconnect = self._touched.connect(watcher)

        def forget() -> None:
            watched = self._touched.connected
            disconnect()
            if watched and not self._touched.connected:
                self._write(_remove)

        return forget

    def attach(self, catalog: Catalog) -> None:
        """The catalog is open."""
        self._catalog = catalog
        self._disconnect = catalog.changed.connect(self.changed)
        if self._touched.connected:
            self._write(_install)

    def detach(self) -> None:
        """It will be closed."""
        self._disconnect()
        self._catalog = None
        if self._call is not None:
            self._call.cancel()
        self._call = None

    def changed(self) -> None:
        """Something was written."""
        if not self._touched.connected or self._catalog is None:
            return
        if self._collecting:
            self._more = True
        elif self._call is None:
            self._call = self._clock.callLater(GATHERING, self._collect)

    def _write(self, call: Callable[[sqlite3.Connection], Any]) -> None:
        if self._catalog is not None and self._catalog.is_open:
            writing = self._catalog.change_quietly(call)
            writing.addErrback(lambda failure: self.log.failure("changes cannot be followed", failure))

    def _collect(self) -> None:
        self._call = None
        if self._catalog is None or not self._touched.connected:
            return
        self._collecting, self._more = True, False
        collecting = self._catalog.change_quietly(_drain)
        collecting.addCallbacks(self._collected, self._failed)

    def _collected(self, found: list[Touched]) -> None:
        self._collecting = False
        if found and self._catalog is not None:
            self._touched.emit(found)
        if self._more or len(found) == AT_ONCE:
            self.changed()

    def _failed(self, failure: Failure) -> None:
        self._collecting = False
        self.log.failure("changes could not be read", failure)


def _install(database: sqlite3.Connection) -> None:
    database.execute("CREATE TEMP TABLE IF NOT EXISTS touched(path TEXT, version TEXT, PRIMARY KEY(path, version))")
    for name, text in _TRIGGERS.items():
        database.execute(f"CREATE TEMP TRIGGER IF NOT EXISTS {name} {text}")


def _remove(database: sqlite3.Connection) -> None:
    for name in _TRIGGERS:
        database.execute(f"DROP TRIGGER IF EXISTS temp.{name}")
    database.execute("DROP TABLE IF EXISTS temp.touched")


def _drain(database: sqlite3.Connection) -> list[Touched]:
    rows = database.execute("SELECT rowid, path, version FROM touched ORDER BY rowid LIMIT ?", (AT_ONCE,)).fetchall()
    database.executemany("DELETE FROM touched WHERE rowid=?", [(row[0],) for row in rows])
    return [Touched(path, version) for _, path, version in rows]
