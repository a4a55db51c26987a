"""New items of the catalog, with the folders above them."""

import sqlite3

from bitdust.formats.operations import Op, item_op
from bitdust.storage.catalog.paths import Item, named, next_path_id, os_name
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import is_path_id


class Maker:
    """I make an item and the folders above it, inside a transaction.

    Afterwards ``path`` is its path id, and ``chain`` those of the folders above it, from the top down.
    """

    def __init__(self, alias: str, device_number: int, now: int, force_path_id: str | None) -> None:
        self._alias = alias
        self._device_number = device_number
        self._now = now
        self._forced = force_path_id
        self.path = ""
        self.chain: list[str] = []

    def make(self, database: sqlite3.Connection, path: str, kind: str, exist_ok: bool) -> list[Op]:
        """The operations; none when it is there already and may be."""
        ops: list[Op] = []
        self.chain = []
        parent: Item | None = None
        *folders, last = path.split("/")
        for name in folders:
            parent = self._folder(database, parent, os_name(name), ops)
            self.chain.append(parent.path)
        known = named(database, parent, self._alias, os_name(last)) if not ops else []
        if known:
            if not exist_ok or known[0].kind != kind:
                there = "a folder" if known[0].kind == "folder" else "a file"
                raise BitDustError("exists", f"{path!r} exists already in the catalog: it is {there}")
            self.path = known[0].path
            return ops
        self.path = self._new(database, parent, os_name(last), kind, ops, self._forced).path
        return ops

    def _folder(self, database: sqlite3.Connection, parent: Item | None, name: bytes, ops: list[Op]) -> Item:
        for known in named(database, parent, self._alias, name) if not ops else []:
            if known.kind == "folder":
                return known
            raise BitDustError("exists", f"{known.text!r} is a file; nothing can lie below it")
        return self._new(database, parent, name, "folder", ops, None)

    def _new(
        self,
        database: sqlite3.Connection,
        parent: Item | None,
        name: bytes,
        kind: str,
        ops: list[Op],
        forced: str | None,
    ) -> Item:
        above = parent.path if parent is not None else ""
        path = forced or next_path_id(database, above, self._device_number)
        if forced is not None:
            self._check_forced(database, forced, above)
        ops.append(item_op(path, above, name, kind, self._alias, self._now))
        return Item(path, above, name, kind, self._alias, self._now)

    def _check_forced(self, database: sqlite3.Connection, forced: str, above: str) -> None:
        if not is_path_id(forced) or forced.rpartition("/")[0] != above:
            raise BitDustError("bad-name", f"{forced!r} is no path id below {above or 'the top'!r}")
        if database.execute("SELECT 1 FROM items WHERE path=?", (forced,)).fetchone():
            raise BitDustError("exists", f"path id {forced!r} is taken already")
