"""What an upload has to do: which files are new or changed, which items are missing, and what is gone."""

import sqlite3

from attrs import define, field

from bitdust.formats.operations import Op, gone_op, item_op, version_ops
from bitdust.storage.catalog.database import PackState
from bitdust.storage.catalog.paths import Item, below, children, next_path_id, version_at
from bitdust.storage.upload.reader import Work
from bitdust.storage.upload.scan import Found


@define
class Plan:
    """``items`` are logged at once, ``final`` after all files: the folder's own version comes last of all."""

    works: list[Work] = field(factory=list)
    items: list[Op] = field(factory=list)
    final: list[Op] = field(factory=list)
    unchanged: int = 0
    total: int = 0
    made: list[str] = field(factory=list)


class Planner:
    """I compare what was found with the catalog, inside one transaction."""

    def __init__(self, database: sqlite3.Connection, version: str, device_number: int, now: int) -> None:
        self._database = database
        self._version = version
        self._device_number = device_number
        self._now = now
        self.plan = Plan()

    def make(self, item: Item, found: Found) -> Plan:
        """The plan for an item of the catalog and what lies at its local path."""
        self._visit(found, item, root=True)
        return self.plan

    def _visit(self, found: Found, item: Item, root: bool = False) -> None:
        if found.kind == "folder":
            self._visit_folder(found, item, root)
        elif found.kind == "link":
            self._visit_link(found, item)
        else:
            self._visit_file(found, item)

    def _visit_folder(self, found: Found, item: Item, root: bool) -> None:
        known: dict[tuple[bytes, bool], Item] = {}
        for child in children(self._database, item.path):
            known.setdefault((child.name, child.kind == "folder"), child)
        for entry in found.children:
            place = known.pop((entry.name, entry.kind == "folder"), None)
            self._visit(entry, place or self._new(entry, item))
        if found.complete:
            for child in known.values():
                self._leave(child)
        latest = version_at(self._database, item.path, None)
        if root or latest is None or (latest.mode, latest.mtime) != (found.mode, found.look.mtime):
            self.plan.final += version_ops(item.path, self._version, 0, found.mode, found.look.mtime)

    def _new(self, found: Found, parent: Item) -> Item:
        path = next_path_id(self._database, parent.path, self._device_number)
        self.plan.items.append(item_op(path, parent.path, found.name, found.kind, parent.key, self._now))
        self.plan.made.append(path)
        return Item(path, parent.path, found.name, found.kind, parent.key, self._now)

    def _leave(self, item: Item) -> None:
        """The item is no longer in its source; its history stays."""
        for lost in below(self._database, item):
            if version_at(self._database, lost.path, None) is not None:
                self.plan.final.insert(0, gone_op(lost.path, self._version))

    def _visit_link(self, found: Found, item: Item) -> None:
        latest = version_at(self._database, item.path, None)
        if latest is None or (latest.target, latest.mtime) != (found.target, found.look.mtime):
            ops = version_ops(item.path, self._version, 0, found.mode, found.look.mtime, target=found.target)
            self.plan.final[0:0] = ops

    def _visit_file(self, found: Found, item: Item) -> None:
        self.plan.total += found.look.size
        if self._is_unchanged(found, item):
            self.plan.unchanged += found.look.size
        else:
            self.plan.works.append(Work(item.path, found.path, found.look.size))

    def _is_unchanged(self, found: Found, item: Item) -> bool:
        """Whether the file looks as it did when its newest version was read, and that version can be had."""
        look = found.look
        row = self._database.execute(
            "SELECT version FROM seen WHERE path=? AND size=? AND mtime=? AND inode=? AND ctime=? AND volume=?",
            (item.path, look.size, look.mtime, look.inode, look.ctime, look.volume),
        ).fetchone()
        latest = version_at(self._database, item.path, None)
        if row is None or latest is None or latest.version != row[0]:
            return False
        lost = self._database.execute(
            "SELECT 1 FROM version_packs v JOIN packs p ON p.pack=v.pack WHERE v.path=? AND v.version=? AND p.state>=?",
            (item.path, latest.version, PackState.DEAD),
        )
        return lost.fetchone() is None
