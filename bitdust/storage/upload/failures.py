"""Uploads that failed and were not made up for: who did not wait for them finds them here, also after a restart."""

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import meta, set_meta
from bitdust.storage.catalog.paths import by_id
from bitdust.storage.jobs import Row

NAME = "failed-uploads"
MOST_KEPT = 100
MEANT = ("stopped", "stopping")
"""Codes of ends that somebody wanted, or that are none."""


class Failures:
    """I keep the last one of each item, in ``catalog.db``, until an upload of it succeeds or the item goes."""

    log = Logger()

    def __init__(self, catalog: Catalog, wall: Callable[[], float]) -> None:
        self._catalog = catalog
        self._wall = wall
        self._rows: dict[str, Row] = {}

    def load(self) -> None:
        """Read what earlier runs have noted; what cannot be read is nothing that anybody needs."""
        try:
            rows = json.loads(meta(self._catalog.read, NAME) or b"[]")
            self._rows = {str(row["path_id"]): row for row in rows}
        except (ValueError, TypeError, KeyError):
            self._rows = {}

    def note(self, job: Row, error: BaseException) -> None:
        """An upload has failed; ``job`` describes it."""
        code = getattr(error, "code", "failed")
        if code in MEANT:
            return
        path = str(job["path_id"])
        self._rows.pop(path, None)
        self._rows[path] = {**job, "code": code, "reason": str(error), "time": self._wall()}
        while len(self._rows) > MOST_KEPT:
            del self._rows[next(iter(self._rows))]
        self._write()

    def forget(self, path: str) -> None:
        """An upload of the item has succeeded."""
        if self._rows.pop(path, None) is not None:
            self._write()

    def _write(self) -> None:
        data = json.dumps(list(self._rows.values())).encode()

        def write(database: sqlite3.Connection) -> None:
            set_meta(database, NAME, data)

        writing: Deferred[Any] = self._catalog.change(write)
        writing.addErrback(lambda failure: self.log.failure("a failed upload could not be noted", failure))

    def rows(self) -> list[Row]:
        """Of items that still exist, the latest first."""
        return [dict(row) for row in reversed(self._rows.values()) if by_id(self._catalog.read, row["path_id"])]
