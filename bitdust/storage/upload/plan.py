"""What an upload has to do: which files are new or changed, which items are missing, and what is gone."""

import sqlite3
from collections.abc import Iterable, Iterator

from attrs import define, field

from bitdust.crypt.writers import DEVICES
from bitdust.formats.operations import Op, gone_op, item_op, version_ops
from bitdust.storage.catalog.extras import extras_of
from bitdust.storage.catalog.paths import Item, Version, below, children, next_path_id, version_at
from bitdust.storage.catalog.whereabouts import counts_on_all
from bitdust.storage.upload.losses import Losses
from bitdust.storage.upload.reader import Work
from bitdust.storage.upload.scan import Found, Listing
from bitdust.wire.names import maker_of


@define
class Plan:
    """What is to be done; `last` is logged after all files, the version of the root last of all."""

    works: list[Work] = field(factory=list)
    others: list[Op] = field(factory=list)
    folders: list[list[Op]] = field(factory=list)
    unchanged: int = 0
    total: int = 0
    made: list[str] = field(factory=list)
    losses: Losses = field(factory=Losses)

    def last(self) -> list[Op]:
        """Links and what is gone, then the versions of folders, each after those inside it."""
        return [*self.others, *(op for ops in reversed(self.folders) for op in ops)]


def is_logged(database: sqlite3.Connection, path: str, version: str) -> bool:
    """Whether an upload was logged to its end: the root's version is the last thing that is."""
    query = "SELECT 1 FROM versions WHERE path=? AND version=?"
    return database.execute(query, (path, version)).fetchone() is not None


class Planner:
    """I compare what was found with the catalog: helpings of listings, one transaction each.

    Between them I remember the folders whose listings are still to come.
    """

    def __init__(self, version: str, device_number: int, now: int) -> None:
        self._version = version
        self._device_number = device_number
        self._now = now
        self._places: dict[bytes, Item] = {}
        self._root: Item | None = None
        self.plan = Plan()

    def visit_root(self, database: sqlite3.Connection, root: Found, item: Item) -> list[Op]:
        """The file, folder or link itself; what is inside a folder comes with `visit`."""
        self._root = item
        self._visit(database, root, item)
        return []

    def visit(self, database: sqlite3.Connection, listings: Iterable[Listing]) -> list[Op]:
        """Folders in the order of `walk`; the items that are missing in the catalog, to be logged at once."""
        return [op for listing in listings for op in self._visit_listing(database, listing)]

    def _visit_listing(self, database: sqlite3.Connection, listing: Listing) -> Iterator[Op]:
        folder, item = listing.folder, self._places.pop(listing.folder.path)
        known: dict[tuple[bytes, bool], Item] = {}
        for child in children(database, item.path):
            known.setdefault((child.name, child.kind == "folder"), child)
        for entry in listing.entries:
            place = known.pop((entry.name, entry.kind == "folder"), None)
            if place is None:
                place = self._new(database, entry, item)
                yield item_op(place.path, item.path, entry.name, entry.kind, item.key, self._now)
            self._visit(database, entry, place)
        if folder.complete:
            for child in known.values():
                self._leave(database, child)
        latest = version_at(database, item.path, None)
        mode, mtime = folder.mode, folder.status.mtime
        if (
            item == self._root
            or latest is None
            or (latest.mode, latest.mtime) != (mode, mtime)
            or extras_of(database, item.path, latest.version) != folder.extras
        ):
            self.plan.folders.append(version_ops(item.path, self._version, 0, mode, mtime, extras=folder.extras))

    def _new(self, database: sqlite3.Connection, found: Found, parent: Item) -> Item:
        path = next_path_id(database, parent.path, self._device_number)
        self.plan.made.append(path)
        return Item(path, parent.path, found.name, found.kind, parent.key, self._now)

    def _visit(self, database: sqlite3.Connection, found: Found, item: Item) -> None:
        if found.kind == "folder":
            self._places[found.path] = item
        elif found.kind == "link":
            self._visit_link(database, found, item)
        else:
            self._visit_file(database, found, item)

    def _leave(self, database: sqlite3.Connection, item: Item) -> None:
        """The item is no longer in its source; its history stays. What others have put there was never in it."""
        mine = self._device_number // DEVICES
        for lost in below(database, item):
            latest = version_at(database, lost.path, None)
            if latest is not None and maker_of(lost.path) // DEVICES == mine:
                self.plan.losses.drop(lost, latest)
                self.plan.others.append(gone_op(lost.path, self._version))

    def _visit_link(self, database: sqlite3.Connection, found: Found, item: Item) -> None:
        latest = version_at(database, item.path, None)
        self.plan.losses.add(found, latest)
        mtime, extras = found.status.mtime, found.extras
        if (
            latest is None
            or (latest.target, latest.mtime) != (found.target, mtime)
            or extras_of(database, item.path, latest.version) != extras
        ):
            self.plan.others += version_ops(
                item.path, self._version, 0, found.mode, mtime, target=found.target, extras=extras
            )

    def _visit_file(self, database: sqlite3.Connection, found: Found, item: Item) -> None:
        self.plan.total += found.status.size
        latest = version_at(database, item.path, None)
        self.plan.losses.add(found, latest)
        if latest is not None and self._is_unchanged(database, found, latest):
            self.plan.unchanged += found.status.size
        else:
            self.plan.works.append(Work(item.path, found.path, found.status.size))

    def _is_unchanged(self, database: sqlite3.Connection, found: Found, latest: Version) -> bool:
        """Whether the file looks as it did when its newest version was read, and that version can be had."""
        status = found.status
        row = database.execute(
            "SELECT version FROM seen WHERE path=? AND size=? AND mtime=? AND inode=? AND ctime=? AND volume=?",
            (latest.path, status.size, status.mtime, status.inode, status.ctime, status.volume),
        ).fetchone()
        return row is not None and latest.version == row[0] and counts_on_all(database, latest.path, row[0])
