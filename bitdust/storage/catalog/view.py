"""One catalog to look into, mine or another owner's: where a path leads, and rows of what is there."""

import sqlite3
from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol

from attrs import evolve

from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import CatalogError
from bitdust.storage.catalog.paths import MASTER, Item, Target, by_id, find, find_id, key_alias, versions
from bitdust.storage.catalog.row_reader import RowReader
from bitdust.storage.catalog.rows import Owner, Part, Row
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import KeyId, RemotePath


class Whose(Protocol):
    """Whose catalog it is."""

    def names(self) -> Collection[str]:
        """Global ids: a remote path may use any of them."""

    def owner(self) -> Owner:
        """What rows say of the owner."""


class CatalogView:
    """I read one catalog. ``foreign`` is the owner's global id where that is somebody else, and empty for mine."""

    def __init__(self, catalog: Catalog, whose: Whose, foreign: str = "") -> None:
        self.catalog = catalog
        self.foreign = foreign
        self._whose = whose
        self._rows = RowReader(catalog)

    @property
    def read(self) -> sqlite3.Connection:
        """For short statements."""
        return self.catalog.read

    def names(self) -> Collection[str]:
        """Global ids by which remote paths name this catalog."""
        return self._whose.names()

    def find(self, remote_path: str) -> Target:
        """The item, and perhaps the version, that a path or path id names. Raises `BitDustError` ``not-found``."""
        return self._marked(find(self.read, remote_path, self.names()))

    def find_id(self, text: str) -> Target:
        """The item, and perhaps the version, that a path id names. Raises `BitDustError` ``not-found``."""
        return self._marked(find_id(self.read, text))

    def _marked(self, target: Target) -> Target:
        return evolve(target, owner=self.foreign) if self.foreign else target

    def item(self, remote_path: str) -> tuple[Item, str | None]:
        """The item and the version that a path names. Raises ``bad-name`` for a path that names the whole catalog."""
        target = self.find(remote_path)
        if target.item is None:
            raise BitDustError("bad-name", f"{remote_path!r} names the whole catalog; name a file or a folder in it")
        return target.item, target.version

    def exists(self, remote_path: str) -> str | None:
        """The path id of the item, or None."""
        try:
            return self.item(remote_path)[0].path
        except CatalogError as error:
            if error.code != "not-found":
                raise
            return None

    def versions(self, target: Target) -> list[str]:
        """Versions of an item itself, the oldest first."""
        path = target.item.path if target.item is not None else ""
        return [version.version for version in versions(self.read, path)]

    def alias_of(self, key_id: str) -> str:
        """The alias of a key of the owner, of its alias or key id. Raises `CatalogError` ``not-found``."""
        if "$" not in key_id:
            return key_id
        return key_alias(RemotePath(KeyId.parse(key_id), ""), self.names())

    def key_of(self, path_id: str) -> str:
        """The key id of an item that may have been deleted."""
        row = self.read.execute("SELECT key FROM items WHERE path=?", (path_id,)).fetchone()
        return f"{row[0] if row is not None else MASTER}${self._whose.owner().global_id}"

    # rows

    def row(self, item: Item) -> Row:
        """One item."""
        return self._rows.here(self._whose.owner()).one(item)

    def living(self, path_id: str) -> Row | None:
        """The row of an item as lists show it, None for one that is gone."""
        item = by_id(self.read, path_id)
        rows = self._rows.here(self._whose.owner())
        return rows.one(item) if item is not None and rows.is_here(item) else None

    async def listed(self, target: Target, recursive: bool, part: Part) -> list[Row]:
        """Rows of a folder, or one file."""
        return await self._rows.listed(self._whose.owner(), target, recursive, part)

    async def gather(self, shape: Callable[[Row], Iterable[Any]]) -> list[Any]:
        """What a function makes of the row of each item of the whole catalog."""
        return await self._rows.gather(self._whose.owner(), shape)
