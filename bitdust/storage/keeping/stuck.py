"""Files that need packs of which too few pieces can be had: who is to be told gets their names."""

import sqlite3
from collections.abc import Collection

from twisted.logger import Logger

from bitdust.storage.catalog.paths import by_id, names_of, order_of, versions
from bitdust.storage.catalog.whereabouts import GivenUp
from bitdust.storage.upload.reader import ReadingThread
from bitdust.surroundings import Connected

MOST_NAMED = 20


class StuckFiles:
    """I send the event ``rebuilding-stuck`` with how many packs cannot be mended now, and files that need them."""

    log = Logger()

    def __init__(self, around: Connected, reading: ReadingThread) -> None:
        self._events = around.events
        self._me = around.me
        self._reading = reading

    def report(self, packs: Collection[bytes]) -> None:
        """The packs are others than before; none where all can be mended again."""
        stuck, global_id = sorted(packs), self._me.document.global_id
        naming = self._reading.run(lambda database: files_of(database, stuck, global_id))
        naming.addCallback(lambda files: self._send(len(stuck), files))
        naming.addErrback(lambda failure: self.log.failure("files of packs could not be named", failure))

    def _send(self, packs: int, files: list[str]) -> None:
        if packs:
            self.log.warn("{packs} packs cannot be mended now, of: {files}", packs=packs, files=", ".join(files))
        self._events.send("rebuilding-stuck", {"packs": packs, "remote_paths": files})


def files_of(database: sqlite3.Connection, packs: Collection[bytes], global_id: str) -> list[str]:
    """Remote paths of living files that need these packs, a bounded number; for a thread."""
    query = "SELECT DISTINCT path FROM version_packs WHERE pack=?"
    found: dict[str, None] = {}
    for pack in packs:
        for (path,) in database.execute(query, (pack,)).fetchall():
            item = by_id(database, path)
            if item is not None:
                found[names_of(database, item, global_id)["remote_path"]] = None
            if len(found) >= MOST_NAMED:
                return sorted(found)
    return sorted(found)


def given_up_of(database: sqlite3.Connection, given_up: GivenUp, global_id: str) -> tuple[int, list[dict[str, str]]]:
    """How many versions were given up, and ``remote_path``, ``version`` and the ``earlier`` one that can be had, empty
    for none, of a bounded number; for a thread."""
    found = given_up.find(database)
    rows: list[dict[str, str]] = []
    for path, version in found:
        item = by_id(database, path)
        if item is None or len(rows) >= MOST_NAMED:
            continue
        before = [one for one in versions(database, path) if one.order < order_of(version)]
        earlier = next((one.version for one in reversed(before) if not given_up.has(database, path, one.version)), "")
        name = names_of(database, item, global_id)["remote_path"]
        rows.append({"remote_path": name, "version": version, "earlier": earlier})
    return len(found), rows
