"""What a supplier does at its start: finish what a crash cut off, and find out what the disk lost.

==============================================  ==============================================================
found                                           done
==============================================  ==============================================================
a file that was ordered to go                   removed
a row whose file has (also) its temporary name  checked against the root, given its name when it fits
any other temporary file                        removed: it was never acknowledged
a row without file, or with one of wrong size   marked and reported; its owner may bring the piece again
a row of a small piece                          left to scrubbing: its bytes come and go with the row
a file without row                              reported and left alone; its owner may bring the piece again
a file that cannot be removed                   reported, and tried again at the next start
a damaged file that cannot be read              stays damaged
a folder that cannot be listed                  reported; nothing in it is removed, and its pieces do not count as
                                                kept before they are read again, by scrubbing or the next start
a folder that cannot be synced                  reported; what was to go from it is removed again at the next start
==============================================  ==============================================================

One file or folder that the disk does not give or let go keeps nobody from the others. What was found of all pieces of a
customer is written at once: a disk that has lost a million of them would sync a million times.
"""

import contextlib
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from attrs import define, field
from twisted.logger import Logger

from bitdust.crypt.merkle import MerkleHasher
from bitdust.customers.database import HAS_FILE, PieceCondition
from bitdust.customers.deletion import forget_garbage
from bitdust.customers.intake import mark_piece
from bitdust.customers.names import PieceName, record_of
from bitdust.disk.commit import roll_back
from bitdust.disk.disk import Disk
from bitdust.disk.removing import has_removed

READ = 1024 * 1024
_FOLDER = re.compile(r"[0-9a-f]{64}")
_PIECE = re.compile(r"([0-9a-f]{32})\.(\d{1,2})(\.part)?")
_CAME_AGAIN = "SELECT 1 FROM pieces p WHERE p.customer=g.customer AND p.pack=g.pack AND p.number=g.number"


@define
class ScanReport:
    """What was found; ``unknown`` are paths inside the store's folder, and ``unread`` what the disk does not give."""

    repaired: int = 0
    removed: int = 0
    missing: list[PieceName] = field(factory=list)
    damaged: list[PieceName] = field(factory=list)
    unknown: list[str] = field(factory=list)
    unread: list[str] = field(factory=list)


@define
class _OnDisk:
    sizes: dict[tuple[bytes, int], int] = field(factory=dict)
    partial: set[tuple[bytes, int]] = field(factory=set)
    untold: set[Path] = field(factory=set)
    """Folders of which the disk does not say what is in them, and files in others of which it tells nothing."""

    def is_untold(self, *paths: Path) -> bool:
        """Whether nobody knows of one of these files whether it is there."""
        return any(not self.untold.isdisjoint((path, *path.parents)) for path in paths)


def piece_is_whole(disk: Disk, path: Path, size: int, root: bytes) -> bool:
    """Read a file and compare its Merkle root. Raises `OSError`."""
    hasher = MerkleHasher()
    descriptor = disk.open(path)
    try:
        offset = 0
        while part := disk.read(descriptor, offset, READ):
            hasher.update(memoryview(part))
            offset += len(part)
    finally:
        disk.close(descriptor)
    return offset == size and hasher.root() == root


def scan(database: sqlite3.Connection, disk: Disk, folder: Path) -> ScanReport:
    """Runs in a thread, before anything else uses the store. Raises `OSError`, `sqlite3.Error`."""
    return _Scan(database, disk, folder).run()


class _Scan:
    log = Logger()

    def __init__(self, database: sqlite3.Connection, disk: Disk, folder: Path) -> None:
        self._database = database
        self._disk = disk
        self._folder = folder
        self._report = ScanReport()

    def run(self) -> ScanReport:
        """All customers that have rows or a folder."""
        self._empty_garbage()
        known = {row[0] for row in self._database.execute("SELECT DISTINCT customer FROM pieces")}
        for customer in sorted(known | self._customers()):
            self._scan_customer(customer)
        return self._report

    def _empty_garbage(self) -> None:
        self._database.execute(f"DELETE FROM garbage AS g WHERE EXISTS ({_CAME_AGAIN})")
        rows = self._database.execute("SELECT customer, pack, number FROM garbage").fetchall()
        names = [name for name in (PieceName(*row) for row in rows) if self._has_removed(name.path(self._folder))]
        synced = {shelf: self._has_synced(shelf) for shelf in {name.path(self._folder).parent for name in names}}
        with self._one_transaction():
            forget_garbage(self._database, [name for name in names if synced[name.path(self._folder).parent]])

    def _has_synced(self, shelf: Path) -> bool:
        try:
            if shelf.is_dir():
                self._disk.sync_folder(shelf)
        except OSError as error:
            self._cannot_read(shelf, error)
            return False
        return True

    def _cannot_read(self, folder: Path, why: OSError) -> None:
        self.log.warn("{folder} cannot be listed or synced: {why}", folder=str(folder), why=why)
        path = str(folder.relative_to(self._folder))
        self._report.unknown.append(path)
        self._report.unread.append(path)

    @contextlib.contextmanager
    def _one_transaction(self) -> Iterator[None]:
        """One sync for all rows that change within."""
        self._database.execute("BEGIN")
        try:
            yield
        except BaseException:
            roll_back(self._database)
            raise
        self._database.execute("COMMIT")

    def _has_removed(self, path: Path) -> bool:
        is_gone = has_removed(self._disk, path)
        self._report.removed += is_gone
        return is_gone

    def _customers(self) -> set[bytes]:
        found = (entry for entry in os.scandir(self._folder) if _FOLDER.fullmatch(entry.name))
        return {bytes.fromhex(entry.name) for entry in found if self._is_folder(entry)}

    def _scan_customer(self, customer: bytes) -> None:
        on_disk = self._files_of(customer)
        query = f"SELECT pack, number, size, state FROM pieces p WHERE customer=? AND {HAS_FILE}"
        rows = self._database.execute(query, (customer,)).fetchall()
        with self._one_transaction():
            for pack, number, size, state in rows:
                name = PieceName(customer, pack, number)
                if on_disk.is_untold(name.path(self._folder), name.partial(self._folder)):
                    self._doubt(name, PieceCondition(state))
                    on_disk.sizes.pop((pack, number), None)
                else:
                    self._check(name, size, PieceCondition(state), on_disk)
        for pack, number in on_disk.partial:
            name = PieceName(customer, pack, number)
            partial = name.partial(self._folder)
            if not on_disk.is_untold(name.path(self._folder)) and not self._has_removed(partial):
                self._report.unknown.append(str(partial.relative_to(self._folder)))
        strangers = (PieceName(customer, pack, number).path(self._folder) for pack, number in sorted(on_disk.sizes))
        self._report.unknown += [str(path.relative_to(self._folder)) for path in strangers]

    def _files_of(self, customer: bytes) -> _OnDisk:
        found, home = _OnDisk(), self._folder / customer.hex()
        for shelf in self._listed(home, found):
            for entry in self._listed(Path(shelf.path), found) if self._is_folder(shelf) else [shelf]:
                self._note(entry, found)
        return found

    def _is_folder(self, entry: "os.DirEntry[str]") -> bool:
        try:
            return entry.is_dir(follow_symlinks=False)
        except OSError:  # to be listed, which is told
            return True

    def _listed(self, folder: Path, found: _OnDisk) -> "list[os.DirEntry[str]]":
        try:
            return list(os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self._cannot_read(folder, error)
            found.untold.add(folder)
            return []

    def _note(self, entry: "os.DirEntry[str]", found: _OnDisk) -> None:
        path, match = Path(entry.path), _PIECE.fullmatch(entry.name)
        try:
            is_piece = match is not None and entry.is_file(follow_symlinks=False)
            size = entry.stat(follow_symlinks=False).st_size if is_piece else 0
        except OSError as error:
            self._cannot_read(path, error)
            found.untold.add(path)
            return
        if match is None or not is_piece or path.parent.name != entry.name[:2]:
            self._report.unknown.append(str(path.relative_to(self._folder)))
            return
        key = (bytes.fromhex(match.group(1)), int(match.group(2)))
        if match.group(3):
            found.partial.add(key)
        else:
            found.sizes[key] = size

    def _doubt(self, name: PieceName, before: PieceCondition) -> None:
        """Its customer is not told that it is here: what nobody can look at may be gone."""
        if before is PieceCondition.KEPT:
            mark_piece(self._database, name, PieceCondition.DAMAGED)
            self._report.damaged.append(name)

    def _check(self, name: PieceName, size: int, before: PieceCondition, on_disk: _OnDisk) -> None:
        """Find out the condition of a row's piece and mark it; a whole temporary file is given its name. One that the
        disk does not give now stays for another start: it is newer than what is there, which has to be looked at."""
        key = (name.pack, name.number)
        found, known, finished = on_disk.sizes.pop(key, None), before, False
        if key in on_disk.partial:
            try:
                finished = self._finish(name, size)
            except OSError as error:
                self.log.warn("{file} cannot be put in its place: {why}", file=str(name), why=error)
                on_disk.partial.discard(key)
                known = PieceCondition.DAMAGED
        if finished:
            on_disk.partial.discard(key)
        now = PieceCondition.KEPT if finished else self._condition(name, size, known, found)
        if now != before:
            mark_piece(self._database, name, now)
        if now is PieceCondition.KEPT:
            self._report.repaired += finished or before != now
        else:
            (self._report.missing if now is PieceCondition.MISSING else self._report.damaged).append(name)

    def _finish(self, name: PieceName, size: int) -> bool:
        """Put a temporary file in its place when it is whole: its bytes came after those that are there. Raises
        `OSError`."""
        path, partial = name.path(self._folder), name.partial(self._folder)
        if not self._is_whole(name, partial, size):
            return False
        self._disk.rename(partial, path)
        self._disk.sync_folder(path.parent)
        return True

    def _condition(self, name: PieceName, size: int, before: PieceCondition, found: int | None) -> PieceCondition:
        if found is None:
            return PieceCondition.MISSING
        if found != size:
            return PieceCondition.DAMAGED
        if before is PieceCondition.KEPT or self._fits(name, name.path(self._folder), size):
            return PieceCondition.KEPT
        return PieceCondition.DAMAGED

    def _fits(self, name: PieceName, path: Path, size: int) -> bool:
        with contextlib.suppress(OSError):
            return self._is_whole(name, path, size)
        return False

    def _is_whole(self, name: PieceName, path: Path, size: int) -> bool:
        (signed,) = self._database.execute(
            "SELECT record FROM pieces WHERE customer=? AND pack=? AND number=?", name.key
        ).fetchone()
        return piece_is_whole(self._disk, path, size, record_of(signed).roots[name.number])
