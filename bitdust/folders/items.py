"""Rows of a folder's journal about paths: what they are to be, and what was seen of them on the disk."""

import os
import sqlite3
from collections.abc import Iterable, Iterator

from attrs import frozen

from bitdust.folders.paths import from_bytes, parent, to_bytes
from bitdust.folders.records import FOLDER, LINK, Entry

MOST_CHANGES = 10_000
MANY = 100
"""Files of which nobody need confirm that they are deleted."""
_ITEM = "id, path, kind, deleted, size, mtime, executable, content, pieces, wanted, todo, held, writer"
_LOCAL = "path, kind, size, mtime, ctime, inode, executable, content, racy"


Seen = tuple[bytes, str, int, int, int, int, int, bytes, int]
"""Path, kind, size, mtime, ctime, inode, executable, content, racy."""


@frozen
class Local:
    """What was seen of a path. Times in nanoseconds. ``racy``: it was so young that a change may not show."""

    path: str
    kind: str
    size: int
    mtime: int
    ctime: int
    inode: int
    executable: bool
    content: bytes = b""
    racy: bool = False

    def looks_like(self, other: "Local") -> bool:
        """Whether nothing tells them apart that can be seen without reading."""
        if self.kind == other.kind == FOLDER:
            return self.inode == other.inode
        mine = (self.kind, self.size, self.mtime, self.ctime, self.inode)
        return mine == (other.kind, other.size, other.mtime, other.ctime, other.inode)


@frozen
class Item:
    """A path as it is to be."""

    id: bytes
    path: str
    kind: str
    deleted: bool
    size: int
    mtime: int
    executable: bool
    content: bytes
    pieces: int
    wanted: bool
    todo: bool
    held: bool
    writer: bytes


@frozen
class Place:
    """Where a chunk can be read."""

    id: bytes
    path: str
    offset: int
    length: int


def _item(row: tuple) -> Item:  # type: ignore[type-arg]
    ident, path, kind, deleted, size, mtime, executable, content, pieces, wanted, todo, held, writer = row
    return Item(
        ident, _path(path), kind, bool(deleted), size, mtime, bool(executable), content, pieces, bool(wanted),
        bool(todo), bool(held), writer,
    )  # fmt: skip


def local_from(row: Seen) -> Local:
    """What a row says."""
    path, kind, size, mtime, ctime, inode, executable, content, racy = row
    return Local(_path(path), kind, size, mtime, ctime, inode, bool(executable), content, bool(racy))


def _path(raw: bytes) -> str:
    return from_bytes(raw)


class Items:
    """I read and write within the transactions of a journal."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    # what is to be

    def get(self, ident: bytes) -> Item | None:
        """An item by the id of its path."""
        row = self._database.execute(f"SELECT {_ITEM} FROM items WHERE id=?", (ident,)).fetchone()
        return _item(row) if row is not None else None

    def at(self, path: str) -> Item | None:
        """An item by its path."""
        row = self._database.execute(f"SELECT {_ITEM} FROM items WHERE path=?", (to_bytes(path),)).fetchone()
        return _item(row) if row is not None else None

    def below(self, path: str) -> Iterator[Item]:
        """Living items in a folder, not deeper."""
        rows = self._database.execute(
            f"SELECT {_ITEM} FROM items WHERE parent=? AND NOT deleted ORDER BY path", (to_bytes(path),)
        )
        return map(_item, rows.fetchall())

    def due(self, most: int, skip: Iterable[bytes] = ()) -> list[Item]:
        """What the disk does not show yet: what is there, outer folders first; then what is not, inner ones first."""
        without = set(skip)
        found: list[Item] = []
        for deleted, order in ((0, "kind<>'folder', path"), (1, "kind<>'folder' DESC, path DESC")):
            rows = self._database.execute(
                f"SELECT {_ITEM} FROM items WHERE todo AND NOT held AND deleted=? ORDER BY {order}", (deleted,)
            )
            for row in rows:
                if len(found) >= most:
                    return found
                if row[0] not in without:
                    found.append(_item(row))
        return found

    def is_due(self, ident: bytes) -> bool:
        """Whether the disk does not show an item yet."""
        row = self._database.execute("SELECT todo FROM items WHERE id=?", (ident,)).fetchone()
        return row is not None and bool(row[0])

    def put(self, ident: bytes, entry: Entry, due: bool, now: int) -> None:
        """What a path is to be."""
        path = to_bytes(entry.path)
        old = self._database.execute("SELECT wanted FROM items WHERE id=?", (ident,)).fetchone()
        wanted = bool(old[0]) if old is not None else self._wants_new(entry.path)
        if not wanted and not entry.deleted and self.local(entry.path) is None:
            due = False
        self._database.execute(
            "INSERT OR REPLACE INTO items(id, path, parent, kind, deleted, size, mtime, executable, content, pieces,"
            " learnt, writer, wanted, todo) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                ident, path, to_bytes(parent(entry.path)), entry.kind, entry.deleted, entry.size, entry.mtime,
                entry.executable, entry.content, len(entry.names) // 16, now, entry.writer, wanted, due,
            ),
        )  # fmt: skip
        what = "deleted" if entry.deleted else "changed" if old is not None else "created"
        row = (path, what, entry.writer, now, entry.size)
        noted = self._database.execute("INSERT INTO changes(path, what, writer, time, size) VALUES(?, ?, ?, ?, ?)", row)
        number = noted.lastrowid or 0
        if number % 100 == 0:
            self._database.execute("DELETE FROM changes WHERE number <= ?", (number - MOST_CHANGES,))

    def _wants_new(self, path: str) -> bool:
        """New paths are wanted where the folder that they are in is."""
        row = self._database.execute("SELECT wanted FROM items WHERE path=?", (to_bytes(parent(path)),)).fetchone()
        if row is not None:
            return bool(row[0])
        selective = self._database.execute("SELECT value FROM meta WHERE name='selective'").fetchone()
        return selective is None or not selective[0]

    def settle(self, ident: bytes) -> None:
        """The disk shows it."""
        self._database.execute("UPDATE items SET todo=0, held=0 WHERE id=?", (ident,))
        self.drop_base(ident)

    def brake(self, confirmed: bool) -> None:
        """Hold deletions back where they are many, and more than half of what is here: a person is to confirm them.

        What is there under another name is not deleted, but moved.
        """
        many = self._database.execute("SELECT count(*) FROM items WHERE todo AND deleted").fetchone()[0]
        lost = 0
        if many > MANY and not confirmed:
            lost = self._database.execute(
                "SELECT count(*) FROM items JOIN local USING(path) WHERE todo AND deleted AND local.kind='file'"
                " AND local.content NOT IN (SELECT content FROM items WHERE NOT deleted)"
            ).fetchone()[0]
        here = self._database.execute("SELECT count(*) FROM local WHERE kind='file'").fetchone()[0] if lost else 0
        held = lost > MANY and 2 * lost > here
        self._database.execute("UPDATE items SET held=? WHERE todo AND deleted AND held<>?", (held, held))

    def has_deletions(self) -> bool:
        """Whether something is still to be deleted here."""
        return self._database.execute("SELECT 1 FROM items WHERE todo AND deleted LIMIT 1").fetchone() is not None

    def mark(self, ident: bytes) -> None:
        """The disk is to be made to show it."""
        self._database.execute("UPDATE items SET todo=1 WHERE id=?", (ident,))

    @staticmethod
    def shows(item: Item, seen: Entry) -> bool:
        """Whether what was seen is what the item is to be."""
        if item.deleted or seen.deleted:
            return item.deleted and seen.deleted
        same = item.content == seen.content
        if seen.kind in (FOLDER, LINK):
            return same
        return same and (item.mtime, item.executable) == (seen.mtime, seen.executable)

    @staticmethod
    def is_same(one: Entry, other: Entry) -> bool:
        """Whether two entries of a path are the same for its person."""
        if one.content != other.content:
            return False
        plain = one.deleted or one.kind in (FOLDER, LINK)
        return plain or (one.mtime, one.executable) == (other.mtime, other.executable)

    @staticmethod
    def is_as(local: Local | None, entry: Entry) -> bool:
        """Whether the disk shows an entry."""
        if entry.deleted or local is None:
            return entry.deleted and local is None
        if local.content != entry.content:
            return False
        return entry.kind in (FOLDER, LINK) or (local.mtime, local.executable) == (entry.mtime, entry.executable)

    # bases

    def base(self, ident: bytes) -> bytes | None:
        """The record that the disk shows of an item that is due."""
        row = self._database.execute("SELECT raw FROM bases WHERE id=?", (ident,)).fetchone()
        return row[0] if row is not None else None

    def keep_base(self, ident: bytes, raw: bytes, replace: bool = False) -> None:
        """From now on that is what the disk shows; an earlier one stays unless ``replace``."""
        self._database.execute(f"INSERT OR {'REPLACE' if replace else 'IGNORE'} INTO bases VALUES(?, ?)", (ident, raw))

    def drop_base(self, ident: bytes) -> None:
        """The disk shows what it is to show."""
        self._database.execute("DELETE FROM bases WHERE id=?", (ident,))

    # what was seen

    def local(self, path: str) -> Local | None:
        """What was seen of a path."""
        row = self._database.execute(f"SELECT {_LOCAL} FROM local WHERE path=?", (to_bytes(path),)).fetchone()
        return local_from(row) if row is not None else None

    def with_inodes(self, inodes: Iterable[int]) -> list[Local]:
        """Files that were seen with one of these numbers."""
        wanted = sorted(inodes)
        found: list[Local] = []
        for at in range(0, len(wanted), 500):
            some = wanted[at : at + 500]
            marks = ",".join("?" * len(some))
            rows = self._database.execute(
                f"SELECT {_LOCAL} FROM local WHERE kind='file' AND inode IN ({marks})", tuple(some)
            )
            found += map(local_from, rows.fetchall())
        return found

    def seen_in(self, folder: str) -> dict[str, Local]:
        """What was seen in a folder, not deeper, by path."""
        rows = self._database.execute(f"SELECT {_LOCAL} FROM local WHERE parent=?", (to_bytes(folder),))
        return {local.path: local for local in map(local_from, rows.fetchall())}

    def seen_rows(self, folder: str) -> Iterator[Seen]:
        """The same as it is stored, in the order of the bytes of their paths: for a look at very many."""
        return iter(
            self._database.execute(f"SELECT {_LOCAL} FROM local WHERE parent=? ORDER BY path", (to_bytes(folder),))
        )

    def see(self, local: Local, entry: Entry) -> None:
        """A path looks like this now, and has these chunks."""
        raw = to_bytes(local.path)
        self._database.execute(
            "INSERT OR REPLACE INTO local VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                raw, to_bytes(parent(local.path)), local.kind, local.size, local.mtime, local.ctime, local.inode,
                local.executable, local.content, local.racy,
            ),
        )  # fmt: skip
        self._database.execute("DELETE FROM pieces WHERE path=?", (raw,))
        offset, rows = 0, []
        for ident, name, length in entry.chunks():
            rows.append((name, raw, offset, length, ident))
            offset += length
        self._database.executemany("INSERT OR IGNORE INTO pieces VALUES(?, ?, ?, ?, ?)", rows)

    def forget(self, path: str) -> None:
        """A path is not on the disk any more."""
        raw = to_bytes(path)
        self._database.execute("DELETE FROM local WHERE path=?", (raw,))
        self._database.execute("DELETE FROM pieces WHERE path=?", (raw,))

    def move_pieces(self, path: str, place: str) -> None:
        """What was read at a path can be read in the folder's own place."""
        self._database.execute("UPDATE OR IGNORE pieces SET path=? WHERE path=?", (to_bytes(place), to_bytes(path)))
        self._database.execute("DELETE FROM pieces WHERE path=?", (to_bytes(path),))

    def places(self, name: bytes) -> list[Place]:
        """Where a sealed chunk can be made from."""
        rows = self._database.execute("SELECT id, path, offset, length FROM pieces WHERE name=? LIMIT 8", (name,))
        return [Place(ident, os.fsdecode(path), offset, length) for ident, path, offset, length in rows]
