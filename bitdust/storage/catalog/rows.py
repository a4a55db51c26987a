"""The catalog as rows of the API: items with their versions, and how safe each of those is."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from attrs import frozen

from bitdust.storage.catalog.paths import Item, Target, children, names_below, version_at
from bitdust.storage.catalog.row_facts import STEADY, Changing, Facts, FolderFigures, Safety, StoredVersion
from bitdust.wire.names import is_hidden, shown

Row = dict[str, Any]
HoldersOf = Callable[[str, bytes, int], int]
HALF = 0.5
"""Any half of the suppliers, rounded up, gives a pack back (`Scheme.for_family`)."""
PAGE = 500
PacksOf = Mapping[tuple[str, str], tuple[bytes, ...]]


@frozen
class Owner:
    """Whose catalog it is, and how many suppliers keep it; ``holders`` tells how many hold a log entry, ``doubted``
    who has not proved lately that it has what it acknowledged."""

    global_id: str
    idurl: str
    suppliers: int
    holders: HoldersOf
    doubted: frozenset[bytes] = frozenset()
    changing: Changing = STEADY


@frozen
class Part:
    """Which rows of a list are wanted: only those under a key, ``limit`` of them (None for all) after ``offset``."""

    key: str | None = None
    offset: int = 0
    limit: int | None = None


class Rows:
    """I describe items; my connection may be used in a thread of its own."""

    def __init__(self, database: sqlite3.Connection, owner: Owner, figures: FolderFigures | None = None) -> None:
        self._database = database
        self._owner = owner
        self._facts = Facts(database, figures or FolderFigures(), owner.doubted, owner.changing)
        self._standings: dict[tuple[Safety, int], Row] = {}
        self._held: dict[tuple[str, bytes, int], int] = {}

    def one(self, item: Item) -> Row:
        """One item."""
        return self.some([item])[0]

    def some(self, items: Sequence[Item]) -> list[Row]:
        """Several, with a few statements for all of them together."""
        paths = [item.path for item in items]
        folders = [item.path for item in items if item.kind == "folder"]
        versions, packs, sources = self._facts.versions(paths), self._facts.packs(paths), self._facts.sources(paths)
        filled = self._facts.with_children(folders) if folders else set()
        return [
            self._row(item, versions.get(item.path, []), packs, sources.get(item.path), item.path in filled)
            for item in items
        ]

    def _row(
        self, item: Item, found: list[StoredVersion], packs: PacksOf, source: bytes | None, is_filled: bool
    ) -> Row:
        place = self._facts.place(item.parent)
        if source is None and place.source is not None:
            source = os.path.join(place.source, item.name)
        is_folder = item.kind == "folder"
        global_id = self._owner.global_id
        return {
            **names_below(place.above, item, global_id),
            "global_id": global_id,
            "customer": global_id,
            "idurl": self._owner.idurl,
            "name": item.text,
            "local_path": shown(source) if source is not None else "",
            "type": "dir" if is_folder else "file",
            "size": self._facts.below(item.path, "G").size if is_folder else found[-1].size if found else 0,
            "latest": found[-1].version if found else "",
            "key_alias": item.key,
            "childs": is_filled,
            "created": item.time / 1000,
            "label": item.label,
            "versions": [self._version(item, version, packs) for version in found],
        }

    def _version(self, item: Item, version: StoredVersion, packs: PacksOf) -> Row:
        if item.kind == "folder":
            size, safety = self._size_then(item, version.version), self._facts.safety_below(item.path)
        else:
            size, safety = version.size, self._facts.safety(packs.get((item.path, version.version), ()))
        return {
            "backup_id": f"{item.path}/{version.version}",
            "version": version.version,
            "size": size,
            "modified": version.mtime / 1e9,
            **self._standing(safety, item.key, version),
        }

    def _size_then(self, item: Item, until: str) -> int:
        """Bytes of a folder as of a version; where nothing in it is newer, that is all of it."""
        now = self._facts.below(item.path, "G")
        return now.size if now.newest <= until else self._facts.below(item.path, until).size

    def _standing(self, safety: Safety, key: str, version: StoredVersion) -> Row:
        """The part that is the same for all versions in the same packs and the same log entry."""
        entry = (key, version.device, version.sequence)
        held = self._held.get(entry)
        if held is None:
            held = self._held[entry] = self._owner.holders(*entry)
        standing = self._standings.get((safety, held))
        if standing is None:
            standing = self._standings[safety, held] = self._judge(safety, held)
        return standing

    def _judge(self, safety: Safety, held: int) -> Row:
        delivered = safety.acked / safety.due if safety.due else 1.0
        logged = held / max(1, self._owner.suppliers)
        return {
            "uploaded": safety.weakest >= HALF,
            "blocks": safety.packs,
            "max_block": max(0, safety.packs - 1),
            "fragments": safety.acked,
            "weak_block": safety.fewest,
            "delivered": percent(delivered),
            "reliable": percent(min(safety.surest, logged)),
            "doubted": safety.doubted,
            "moving": self._moving(safety),
            "state": "READY" if min(safety.weakest, logged) >= 1.0 else "SENDING",
        }

    def _moving(self, safety: Safety) -> Row | None:
        """What is still to move: packs that are coded again, and pieces from suppliers that leave; None for nothing."""
        if not safety.recoding and not safety.leaving:
            return None
        places = safety.packs * len(self._owner.changing.leaving)
        done = min(1.0 - safety.recoding / safety.packs, 1.0 - safety.leaving / places if places else 1.0)
        counts = {"packs": safety.recoding, "pieces": safety.leaving, "nowhere": safety.nowhere}
        return {**counts, "progress": percent(done)}

    def listed(self, target: Target, recursive: bool, part: Part | None = None) -> list[Row]:
        """What is in a folder, or one file; all of a key's catalog for no item."""
        return [row for page in self.pages(target, recursive, part) for row in page]

    def pages(self, target: Target, recursive: bool, part: Part | None = None) -> Iterator[list[Row]]:
        """The same, so many rows at a time."""
        part = part or Part()
        chosen = self._shown(target, recursive, part.key)
        items = islice(chosen, part.offset, None if part.limit is None else part.offset + part.limit)
        while page := list(islice(items, PAGE)):
            yield self.some(page)

    def _shown(self, target: Target, recursive: bool, key: str | None) -> Iterator[Item]:
        items = self._items(target, recursive)
        while page := list(islice(items, PAGE)):
            here = page if target.item is not None and target.item.kind != "folder" else self._of_these_here(page)
            yield from (item for item in here if (item.key == key if key is not None else not is_hidden(item.key)))

    def _items(self, target: Target, recursive: bool) -> Iterator[Item]:
        if target.item is not None and target.item.kind != "folder":
            yield target.item
            return
        parent = target.item.path if target.item is not None else ""
        waiting = children(self._database, parent, target.key or None)[::-1]
        while waiting:
            item = waiting.pop()
            yield item
            if recursive and item.kind == "folder":
                waiting.extend(reversed(children(self._database, item.path)))

    def _of_these_here(self, items: list[Item]) -> list[Item]:
        left = self._facts.left([item.path for item in items])
        return [item for item in items if item.path not in left or self.is_here(item)]

    def is_here(self, item: Item) -> bool:
        """Not so for what has left its source: its history is reached by its path id."""
        gone = self._database.execute("SELECT 1 FROM gone WHERE path=? LIMIT 1", (item.path,)).fetchone()
        return gone is None or version_at(self._database, item.path, None) is not None


def percent(share: float) -> str:
    """``100%`` only for all of it."""
    return f"{int(100 * share + 1e-9)}%"
