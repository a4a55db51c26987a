"""What a supplier does at its start: finish what a crash cut off, and find out what the disk lost.

==============================================  ==============================================================
found                                           done
==============================================  ==============================================================
a file that was ordered to go                   removed
a row whose file still has its temporary name   checked against the root, given its name
any other temporary file                        removed: it was never acknowledged
a row without file, or with one of wrong size   marked and reported; its owner may bring the piece again
a row of a small piece                          left to the audit: its bytes come and go with the row
a file without row                              reported and left alone; its owner may bring the piece again
==============================================  ==============================================================
"""

import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from attrs import define, field

from bitdust.crypt.merkle import MerkleHasher
from bitdust.customers.database import HAS_FILE, PieceCondition
from bitdust.customers.intake import mark_piece
from bitdust.customers.names import PieceName, record_of
from bitdust.disk.disk import Disk

READ = 1024 * 1024
_FOLDER = re.compile(r"[0-9a-f]{64}")
_PIECE = re.compile(r"([0-9a-f]{32})\.(\d{1,2})(\.part)?")


@define
class ScanReport:
    """What was found; ``unknown`` are paths inside the store's folder."""

    repaired: int = 0
    removed: int = 0
    missing: list[PieceName] = field(factory=list)
    damaged: list[PieceName] = field(factory=list)
    unknown: list[str] = field(factory=list)


@define
class _OnDisk:
    sizes: dict[tuple[bytes, int], int] = field(factory=dict)
    partial: set[tuple[bytes, int]] = field(factory=set)


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
    """Runs in a thread, before anything else uses the store."""
    report = ScanReport()
    _empty_garbage(database, disk, folder, report)
    known = {row[0] for row in database.execute("SELECT DISTINCT customer FROM pieces")}
    for customer in sorted(known | _customers(folder)):
        _scan_customer(database, disk, folder, customer, report)
    return report


def _empty_garbage(database: sqlite3.Connection, disk: Disk, folder: Path, report: ScanReport) -> None:
    rows = database.execute(
        "SELECT customer, pack, number FROM garbage g WHERE NOT EXISTS (SELECT 1 FROM pieces p"
        " WHERE p.customer = g.customer AND p.pack = g.pack AND p.number = g.number)"
    ).fetchall()
    for row in rows:
        disk.remove(PieceName(*row).path(folder))
        report.removed += 1
    database.execute("DELETE FROM garbage")


def _customers(folder: Path) -> set[bytes]:
    names = (entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
    return {bytes.fromhex(name) for name in names if _FOLDER.fullmatch(name)}


def _scan_customer(database: sqlite3.Connection, disk: Disk, folder: Path, customer: bytes, report: ScanReport) -> None:
    on_disk = _look(folder / customer.hex(), report, folder)
    query = f"SELECT pack, number, size, state FROM pieces p WHERE customer=? AND {HAS_FILE}"
    rows = database.execute(query, (customer,)).fetchall()
    for pack, number, size, state in rows:
        name = PieceName(customer, pack, number)
        found = on_disk.sizes.pop((pack, number), None)
        now = _judge(database, disk, folder, name, size, found, (pack, number) in on_disk.partial, state)
        if now != state:
            mark_piece(database, name, now)
        if now == PieceCondition.KEPT and (found is None or state != now):
            report.repaired += 1
            on_disk.partial.discard((pack, number))
        elif now != PieceCondition.KEPT:
            (report.missing if now == PieceCondition.MISSING else report.damaged).append(name)
    for pack, number in on_disk.partial:
        disk.remove(PieceName(customer, pack, number).partial(folder))
        report.removed += 1
    strangers = [PieceName(customer, pack, number) for pack, number in sorted(on_disk.sizes)]
    report.unknown += [str(name.path(folder).relative_to(folder)) for name in strangers]


def _look(customer: Path, report: ScanReport, folder: Path) -> _OnDisk:
    found = _OnDisk()
    for entry in _files(customer):
        match = _PIECE.fullmatch(entry.name)
        if match is None or not entry.is_file(follow_symlinks=False) or Path(entry.path).parent.name != entry.name[:2]:
            report.unknown.append(str(Path(entry.path).relative_to(folder)))
            continue
        key = (bytes.fromhex(match.group(1)), int(match.group(2)))
        if match.group(3):
            found.partial.add(key)
        else:
            found.sizes[key] = entry.stat(follow_symlinks=False).st_size
    return found


def _files(customer: Path) -> "Iterator[os.DirEntry[str]]":
    if not customer.is_dir():
        return
    for shelf in os.scandir(customer):
        if shelf.is_dir(follow_symlinks=False):
            yield from os.scandir(shelf)
        else:
            yield shelf


def _judge(
    database: sqlite3.Connection,
    disk: Disk,
    folder: Path,
    name: PieceName,
    size: int,
    found: int | None,
    partial: bool,
    state: int,
) -> PieceCondition:
    """The state of a row's piece after this start; a whole temporary file is given its name."""
    if found == size and state == PieceCondition.KEPT:
        return PieceCondition.KEPT
    if found == size:
        return PieceCondition.KEPT if _fits(database, disk, name, name.path(folder), size) else PieceCondition.DAMAGED
    if partial and _fits(database, disk, name, name.partial(folder), size):
        path = name.path(folder)
        disk.rename(name.partial(folder), path)
        disk.sync_folder(path.parent)
        return PieceCondition.KEPT
    return PieceCondition.MISSING if found is None else PieceCondition.DAMAGED


def _fits(database: sqlite3.Connection, disk: Disk, name: PieceName, path: Path, size: int) -> bool:
    (signed,) = database.execute(
        "SELECT record FROM pieces WHERE customer=? AND pack=? AND number=?", name.key
    ).fetchone()
    return piece_is_whole(disk, path, size, record_of(signed).roots[name.number])
