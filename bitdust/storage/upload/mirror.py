"""The catalog as a mirror of local paths: which item stands for which file or folder of this machine.

`/home/v/Documents/a.txt` is mirrored as the item ``home/v/Documents/a.txt``, with a folder for each part of its path;
or it is mapped to a place of another name. Where an item is on this machine is known to this node alone (table
``local_paths``, never sent to anybody): another device of mine may have other files at the same path.
"""

import os
import sqlite3
import stat
from functools import partial
from pathlib import Path
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.formats.operations import Op
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.local_paths import remember, source_of
from bitdust.storage.catalog.new_items import Maker
from bitdust.storage.catalog.paths import MASTER, Item, by_id, by_path, named
from bitdust.storage.log.writer import LogWriter
from bitdust.storage.upload.plan import Planner
from bitdust.storage.upload.scan import HELPING, Found, find, next_listings, unreadable, walk
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import shown


@frozen
class Mirrored:
    """An item for a local path; ``made`` counts the items that are new in the catalog, 0 when it was there before."""

    path_id: str
    kind: str
    made: int


class Mirror:
    """I make items for local paths and find items by them."""

    def __init__(self, around: Connected, catalog: Catalog, writer: LogWriter) -> None:
        self._world = around.world
        self._catalog = catalog
        self._writer = writer
        self._me = around.me

    # local paths to items

    def kind(self, source: bytes) -> str:
        """``file`` or ``folder``. Raises `BitDustError` ``no-such-file``, ``unreadable``, ``bad-path``."""
        try:
            mode = os.lstat(source).st_mode
        except OSError as error:
            raise unreadable(source, error) from error
        if stat.S_ISDIR(mode):
            return "folder"
        if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
            return "file"
        raise BitDustError("bad-path", f"{shown(source)} is neither a file nor a folder nor a link")

    async def add(
        self, source: Path, kind: str, alias: str, mount: str | None = None, exist_ok: bool = False
    ) -> Mirrored:
        """An item for a local path, at the same path of the catalog or at ``mount``. Raises ``exists``."""
        maker = self._maker(alias)
        place, local = mount if mount is not None else _mirrored_place(source), os.fsencode(source)
        made: list[Op] = []

        def make(database: sqlite3.Connection) -> list[Op]:
            made[:] = maker.make(database, place, kind, exist_ok)
            return made

        await self._writer.write(make, lambda database: self._remember(database, maker, local, mount is None))
        return Mirrored(maker.path, kind, len(made))

    async def add_tree(self, source: Path, alias: str) -> Mirrored:
        """Items for a local folder and all that is in it; what is there already stays as it is."""
        local = os.fsencode(source)
        root: Found = await self._world.run_in_thread(find, local)
        if root.kind != "folder":
            raise BitDustError("wrong-type", f"{shown(local)} is not a folder")
        listings = walk(root)
        helping = await self._world.run_in_thread(next_listings, listings, HELPING)
        maker = self._maker(alias)
        place, made = _mirrored_place(source), 0

        def make(database: sqlite3.Connection) -> list[Op]:
            nonlocal made
            ops = maker.make(database, place, "folder", True)
            made += len(ops)
            return ops

        await self._writer.write(make, lambda database: self._remember(database, maker, local, True))
        now = int(self._world.wall() * 1000)
        planner = Planner("", self._me.device_number, now)
        item = Item(maker.path, maker.path.rpartition("/")[0], root.name, "folder", alias, now)
        await self._writer.write(lambda database: planner.visit_root(database, root, item))
        while helping:
            await self._writer.write(partial(planner.visit, listings=helping))
            helping = await self._world.run_in_thread(next_listings, listings, HELPING)
        return Mirrored(maker.path, "folder", made + len(planner.plan.made))

    def _maker(self, alias: str) -> Maker:
        return Maker(alias, self._me.device_number, int(self._world.wall() * 1000), None)

    def _remember(self, database: sqlite3.Connection, maker: Maker, local: bytes, is_mirror: bool) -> None:
        """The folders above keep what was known of them: one of them may have been mapped to another place."""
        if is_mirror:
            parts = local.split(b"/")
            rows = [(path, b"/".join(parts[: depth + 2])) for depth, path in enumerate(maker.chain)]
            database.executemany("INSERT OR IGNORE INTO local_paths VALUES(?, ?)", rows)
        remember(database, maker.path, local)

    # items to local paths

    def local_path(self, path_id: str) -> bytes | None:
        """Where an item is on this machine, as far as is known here."""
        return source_of(self._catalog.read, path_id)

    def locate(self, source: Path) -> Item | None:
        """The item for a local path: one that was added or uploaded from there, or what is below such a one.

        On a node that does not know where its items are, because it was recovered, a mirrored path says it.
        """
        database, local = self._catalog.read, os.fsencode(source)
        here, below = local, list[bytes]()
        while True:
            for item in _items_at(database, here):
                found = _descend(database, item, below)
                if found is not None:
                    return found
            head, name = os.path.split(here)
            if not name:
                break
            here, below = head, [name, *below]
        mirrored = by_path(database, MASTER, str(source).strip("/")) if below else None
        unknown = mirrored is not None and source_of(database, mirrored.path) is None
        return mirrored if unknown else None

    def forget(self, item: Item) -> "Deferred[Any]":
        """An item and what is below it are gone from the catalog."""
        paths = (item.path, f"{item.path}/", f"{item.path}0")
        return self._catalog.change(
            lambda database: database.execute("DELETE FROM local_paths WHERE path=? OR (path>? AND path<?)", paths)
        )


def _mirrored_place(source: Path) -> str:
    place = str(source).strip("/")
    if not place:
        raise BitDustError("bad-path", "the whole machine cannot be mirrored; name a file or a folder in it")
    return place


def _items_at(database: sqlite3.Connection, source: bytes) -> list[Item]:
    """Living items that were added or uploaded from a local path, the newest first."""
    rows = database.execute(
        "SELECT l.path FROM local_paths l JOIN items i ON i.path=l.path WHERE l.source=? AND i.dead=0"
        " ORDER BY i.time DESC, l.path DESC",
        (source,),
    ).fetchall()
    return [item for item in (by_id(database, path) for (path,) in rows) if item is not None]


def _descend(database: sqlite3.Connection, item: Item, names: list[bytes]) -> Item | None:
    for name in names:
        inside = named(database, item, item.key, name)
        if not inside:
            return None
        item = inside[0]
    return item
