"""What is done before a block store is used: the index is opened, and compared with the packs that are there.

======================================  ==============================================================================
found                                   done
======================================  ==============================================================================
an index that cannot be read            put aside as ``index.db.damaged-<time>``; a new one is made from the packs, with
                                        those pins and roots that can be read in the old one
a pack that was to be removed           removed
blocks that were not synced             written into their packs again
a pack that the index does not know     read through; its blocks are known again, up to the first that is no block
a pack that is missing or too short     reported; its blocks are asked for elsewhere, and stored in another pack
bytes behind the end of the last pack   left: the next block is written over them
======================================  ==============================================================================

Where not all pins and roots could be read nobody knows what was pinned: nothing is collected until somebody says that
it may be. A small index is read through at each start; a large one once a week, and where it was found damaged.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from attrs import define, field

from bitdust.blocks.database import DAMAGED, INDEX, close, fact, note, open_database, read_only, trouble
from bitdust.blocks.index import Index, find, note_pack
from bitdust.blocks.packs import PackReader, PackWriter, Place, Unreadable, found_packs, name_of, records
from bitdust.blocks.pinning import change
from bitdust.blocks.unsynced import write_again
from bitdust.blocks.values import Mode, Pin, Root
from bitdust.disk.commit import roll_back
from bitdust.disk.disk import Disk
from bitdust.disk.removing import has_removed
from bitdust.ipld.cid import Cid
from bitdust.ipld.multihash import split
from bitdust.wire.errors import BitDustError

INDEX_LOST = "index_lost"
CHECKED = "checked"
SMALL_FILE = 64 * 1024 * 1024
"""Bytes of an index that is read through at each start."""
WEEK = 7 * 24 * 3600
TOGETHER = 500
"""Blocks that are made known in one transaction."""


@define
class Salvage:
    """Pins and roots that could be read in a damaged index, and whether these are all."""

    changes: list[Pin | Root] = field(factory=list)
    is_whole: bool = False


@define
class Opened:
    """What was found. ``problems`` is by pack."""

    database: sqlite3.Connection
    problems: dict[int, str] = field(factory=dict)
    adopted: int = 0
    put_aside: str = ""
    index_lost: bool = False
    """Whether nobody knows what was pinned."""
    salvage: Salvage | None = None


def read_pins(path: Path) -> Salvage:
    """What can still be read of a damaged index: pins one by one, so that one that cannot be read costs no other."""
    found = Salvage()
    database = None
    try:
        database = read_only(path)
        rows = database.execute("SELECT block, version, codec, mode, name FROM pins").fetchall()
        named = database.execute("SELECT name, block, version, codec FROM roots").fetchall()
        found.is_whole = not fact(database, INDEX_LOST)
        for ident, version, codec, mode, name in rows:
            found.changes.append(Pin(Cid(version, codec, _multihash(database, ident)), Mode(mode), name))
        for name, ident, version, codec in named:
            found.changes.append(Root(name, Cid(version, codec, _multihash(database, ident))))
    except (sqlite3.Error, ValueError, TypeError):
        found.is_whole = False
    finally:
        close(database)
    return found


def _multihash(database: sqlite3.Connection, ident: int) -> bytes:
    (multihash,) = database.execute("SELECT multihash FROM blocks WHERE id=?", (ident,)).fetchone()
    split(multihash)
    return bytes(multihash)


class Opening:
    """I run in a thread, before anybody else uses the store."""

    def __init__(self, disk: Disk, folder: Path, index: Index, packs: PackReader) -> None:
        self._disk = disk
        self._folder = folder
        self._index = index
        self.packs = packs
        self.path = folder / INDEX

    def open(self, writer: PackWriter, now: int, is_suspect: bool = False) -> Opened:
        """Everything of it. Raises `BitDustError`."""
        try:
            self._disk.make_folder(self._folder)
            return self._open(writer, now, is_suspect)
        except (OSError, sqlite3.Error) as error:
            raise trouble(error, self.path) from error

    def _open(self, writer: PackWriter, now: int, is_suspect: bool) -> Opened:
        opened = self._database(now, is_suspect)
        database = opened.database
        stuck = self._empty_garbage(database)
        write_again(database, self._disk, self._folder)
        found = found_packs(self._folder)
        known = dict(database.execute("SELECT id, size FROM packs").fetchall())
        for pack in found:
            if pack not in known and pack not in stuck:
                opened.adopted += self._adopt(database, pack)
        if opened.salvage is not None:
            self._bring_back(opened, opened.salvage)
        opened.problems = self._problems(known)
        last, size = database.execute("SELECT max(id), size FROM packs").fetchone()
        writer.go_on(max([last or 0, *found]), size or 0)
        if last is None or last in opened.problems or writer.number != last:
            writer.leave()
        return opened

    def _empty_garbage(self, database: sqlite3.Connection) -> set[int]:
        """Packs that cannot be removed: nothing of them counts, and the next start tries again."""
        stuck = set()
        for (pack,) in database.execute("SELECT pack FROM garbage").fetchall():
            if not has_removed(self._disk, self._folder / name_of(pack)):
                stuck.add(pack)
                continue
            self._disk.sync_folder(self._folder)
            database.execute("DELETE FROM garbage WHERE pack=?", (pack,))
        return stuck

    def _database(self, now: int, is_suspect: bool) -> Opened:
        is_new = not self.path.exists()
        aside, salvage = "", None
        try:
            database = self._sound(now, is_suspect)
        except BitDustError as error:
            if error.code != DAMAGED:
                raise
            aside, is_new, salvage = str(error), True, read_pins(self.path)
            for end in ("", "-wal", "-shm"):
                damaged = self.path.with_name(INDEX + end)
                if damaged.exists():
                    self._disk.rename(damaged, damaged.with_name(f"{INDEX}.damaged-{now}{end}"))
            self._disk.sync_folder(self._folder)
            database = open_database(self.path)
        if is_new and found_packs(self._folder):
            note(database, INDEX_LOST, 1)
        return Opened(database, put_aside=aside, index_lost=bool(fact(database, INDEX_LOST)), salvage=salvage)

    def _sound(self, now: int, is_suspect: bool) -> sqlite3.Connection:
        """The index, read through where that is due."""
        database = open_database(self.path)
        try:
            is_large = self.path.stat().st_size > SMALL_FILE
            if is_large and not is_suspect and 0 <= now - fact(database, CHECKED) < WEEK:
                return database
            (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise BitDustError(DAMAGED, f"{self.path} is damaged: {found}")
            if is_large:
                note(database, CHECKED, now)
        except sqlite3.Error as error:
            database.close()
            raise trouble(error, self.path) from error
        except BitDustError:
            database.close()
            raise
        return database

    def _bring_back(self, opened: Opened, salvage: Salvage) -> None:
        """Pins and roots of an index that was put aside."""
        database = opened.database
        database.execute("BEGIN IMMEDIATE")
        for one in salvage.changes:
            if one.cid is not None:
                change(database, one, self._index.name(database, one.cid))
        note(database, INDEX_LOST, int(not salvage.is_whole))
        database.execute("COMMIT")
        opened.index_lost = not salvage.is_whole

    def _problems(self, known: dict[int, int]) -> dict[int, str]:
        problems = {}
        for pack, size in known.items():
            path = self._folder / name_of(pack)
            try:
                length = path.stat().st_size
            except FileNotFoundError:
                problems[pack] = f"{path} is missing"
                continue
            if length < size:
                problems[pack] = f"{path} has {length} bytes instead of {size}"
        return problems

    def _adopt(self, database: sqlite3.Connection, pack: int) -> int:
        """Make known what is in a pack; how many blocks."""
        count, batch = 0, []
        for cid, offset, size in records(self._disk, self._folder / name_of(pack)):
            batch.append((cid, Place(pack, offset, size)))
            if len(batch) >= TOGETHER:
                count += self._take(database, pack, batch)
                batch = []
        return count + self._take(database, pack, batch)

    def _take(self, database: sqlite3.Connection, pack: int, batch: Iterable[tuple[Cid, Place]]) -> int:
        count = 0
        database.execute("BEGIN IMMEDIATE")
        try:
            note_pack(database, pack, 0)
            self._index.begin()
            for cid, place in batch:
                count += self._take_one(database, cid, place)
                note_pack(database, pack, place.offset + place.size)
            self._index.tally(database)
            database.execute("COMMIT")
        except BaseException:
            roll_back(database)
            raise
        return count

    def _take_one(self, database: sqlite3.Connection, cid: Cid, place: Place) -> bool:
        row = find(database, cid.multihash)
        if row is not None and row.pack is not None:
            return False
        try:
            data = self.packs.block(cid, place)
            self._index.put(database, cid, data, place)
        except (Unreadable, BitDustError):
            return False  # torn, or never answered for
        return True
