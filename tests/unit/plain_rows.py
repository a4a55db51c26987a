"""Rows of items by one small statement after another: slow, and plain enough to say what lists must show."""

import os
import sqlite3
from collections.abc import Iterator

from attrs import frozen

from bitdust.storage.catalog.local_paths import own_source, source_of
from bitdust.storage.catalog.paths import (
    Item,
    Target,
    Version,
    children,
    names_below,
    path_above,
    version_at,
    versions,
)
from bitdust.storage.catalog.rows import HALF, Owner, Row, percent
from bitdust.wire.names import shown

_COUNTS = "SELECT count(*), coalesce(sum(acked), 0), coalesce(sum(n), 0), min(acked * 1.0 / n), min(acked) FROM packs"


def has_children(database: sqlite3.Connection, parent: str) -> bool:
    """Whether anything living lies directly in a folder."""
    return database.execute("SELECT 1 FROM items WHERE parent=? AND dead=0 LIMIT 1", (parent,)).fetchone() is not None


@frozen
class Safety:
    """Of all pieces of a version: how many are acknowledged, and how it stands with the weakest of its packs."""

    packs: int
    acked: int
    due: int
    weakest: float
    fewest: int


class PlainRows:
    """The same rows as `Rows`, an item at a time."""

    def __init__(self, database: sqlite3.Connection, owner: Owner) -> None:
        self._database = database
        self._owner = owner
        self._sources: dict[str, bytes | None] = {}
        self._above: dict[str, str] = {}

    def one(self, item: Item) -> Row:
        """One item."""
        found = versions(self._database, item.path)
        latest = found[-1] if found else None
        if item.parent not in self._above:
            self._above[item.parent] = path_above(self._database, item)
        names = names_below(self._above[item.parent], item, self._owner.global_id)
        kind = "dir" if item.kind == "folder" else "file"
        childs = kind == "dir" and has_children(self._database, item.path)
        return {
            **names,
            "global_id": self._owner.global_id,
            "customer": self._owner.global_id,
            "idurl": self._owner.idurl,
            "name": item.text,
            "local_path": self._local_path(item),
            "type": kind,
            "size": self._size(item, latest),
            "latest": latest.version if latest else "",
            "key_alias": item.key,
            "childs": childs,
            "created": item.time / 1000,
            "label": item.label,
            "versions": [self._version(item, version) for version in found],
        }

    def _local_path(self, item: Item) -> str:
        """Where the item lies on this machine, empty where that is not known."""
        source = own_source(self._database, item.path)
        if source is None and item.parent:
            if item.parent not in self._sources:
                self._sources[item.parent] = source_of(self._database, item.parent)
            above = self._sources[item.parent]
            source = os.path.join(above, item.name) if above is not None else None
        return shown(source) if source is not None else ""

    def _size(self, item: Item, latest: Version | None) -> int:
        if item.kind != "folder":
            return latest.size if latest else 0
        return self._size_below(item, "G")

    def _size_below(self, item: Item, until: str) -> int:
        """Bytes of the newest versions up to one of all files in a folder; names of versions begin with F."""
        row = self._database.execute(
            "SELECT coalesce(sum(size), 0) FROM (SELECT size, max(version) FROM versions"
            " WHERE dead=0 AND path>? AND path<? AND version<=? GROUP BY path)",
            (f"{item.path}/", f"{item.path}0", until),
        ).fetchone()
        return int(row[0])

    def _version(self, item: Item, version: Version) -> Row:
        safety = self._safety(item, version)
        held = self._owner.holders(item.key, version.device, version.sequence)
        n = max(1, self._owner.suppliers)
        delivered = safety.acked / safety.due if safety.due else 1.0
        reliable = min(safety.weakest, held / n)
        return {
            "backup_id": f"{item.path}/{version.version}",
            "version": version.version,
            "size": self._size_below(item, version.version) if item.kind == "folder" else version.size,
            "modified": version.mtime / 1e9,
            "uploaded": safety.weakest >= HALF,
            "blocks": safety.packs,
            "max_block": max(0, safety.packs - 1),
            "fragments": safety.acked,
            "weak_block": safety.fewest,
            "delivered": percent(delivered),
            "reliable": percent(reliable),
            "doubted": 0,
            "moving": None,
            "state": "READY" if reliable >= 1.0 else "SENDING",
        }

    def _safety(self, item: Item, version: Version) -> Safety:
        if item.kind == "folder":
            where = "path>? AND path<?"
            values: tuple[str, ...] = (f"{item.path}/", f"{item.path}0")
        else:
            where, values = "path=? AND version=?", (item.path, version.version)
        packs = f"pack IN (SELECT DISTINCT pack FROM version_packs WHERE {where})"
        count, acked, due, weakest, fewest = self._database.execute(f"{_COUNTS} WHERE {packs}", values).fetchone()
        return Safety(count, acked, due, 1.0 if weakest is None else weakest, fewest or 0)

    def listed(self, target: Target, recursive: bool) -> list[Row]:
        """What lies in a folder, or one file; all of a key's catalog for no item."""
        return [self.one(item) for item in self._items(target, recursive)]

    def _items(self, target: Target, recursive: bool) -> Iterator[Item]:
        if target.item is not None and target.item.kind != "folder":
            yield target.item
            return
        parent = target.item.path if target.item is not None else ""
        waiting = children(self._database, parent, target.key or None)[::-1]
        while waiting:
            item = waiting.pop()
            if self.is_here(item):
                yield item
            if recursive and item.kind == "folder":
                waiting.extend(reversed(children(self._database, item.path)))

    def is_here(self, item: Item) -> bool:
        """Not so for what has left its source: its history is reached by its path id."""
        gone = self._database.execute("SELECT 1 FROM gone WHERE path=? LIMIT 1", (item.path,)).fetchone()
        return gone is None or version_at(self._database, item.path, None) is not None
