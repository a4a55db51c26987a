"""Room for my own data: what is stored, what may be, and what an upload would add."""

import os
import sqlite3
from typing import Protocol

from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import PackState
from bitdust.storage.packs.packer import Packer, StorageKey, stored_place
from bitdust.storage.upload.attributes import chunks_around, holes_of
from bitdust.storage.upload.reader import READ_WINDOW, ReadingThread
from bitdust.storage.upload.scan import Found, files
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Scheme
from bitdust.wire.sizes import in_words


def used_bytes(catalog: Catalog) -> int:
    """Sealed bytes of everything that is kept, counted once."""
    row = catalog.read.execute("SELECT sum(size) FROM packs WHERE state<=?", (PackState.HELD,)).fetchone()
    return int(row[0] or 0)


def sealed_under(database: sqlite3.Connection, mark: bytes) -> int:
    """Sealed bytes that are kept of packs whose ids begin with a mark."""
    query = "SELECT coalesce(sum(size), 0) FROM packs WHERE state<=? AND pack>=? AND pack<?"
    row = database.execute(query, (PackState.HELD, mark, mark + b"\xff" * 16)).fetchone()
    return int(row[0])


def piece_bytes(catalog: Catalog) -> int:
    """Bytes of one piece of everything that is kept: what a supplier that has got everything holds."""
    query = "SELECT size, n, count(*) FROM packs WHERE state<=? GROUP BY size, n"
    rows = catalog.read.execute(query, (PackState.HELD,))
    return sum(Scheme.for_family(n).piece_size(size) * count for size, n, count in rows)


class SpaceOwner(Protocol):
    """Who has so much room."""

    def space_left(self) -> int | None:
        """Bytes that may still be stored; None while that is not known."""

    def storage_key(self, alias: str, /) -> StorageKey:
        """The newest storage secret of a key."""


class Readers(Protocol):
    """What reads files, and knows what is stored."""

    @property
    def packer(self) -> Packer: ...

    @property
    def reading(self) -> ReadingThread: ...


async def check_space(parts: Readers, owner: SpaceOwner, alias: str, rough: int, found: Found) -> None:
    """Refuse what cannot fit, with the numbers. Raises `BitDustError` ``no-space``.

    Only where the size of the files is more than there is room for, the files are read once to see how much of them is
    stored already.
    """
    left = owner.space_left()
    if left is None or rough <= left:
        return
    key = owner.storage_key(alias)
    needed: int = await parts.reading.run(lambda database: new_bytes(parts.packer, key, found, database))
    if needed > left:
        text = (
            f"the upload needs {in_words(needed)} more, but only {in_words(max(0, left))} are left;"
            " raise services/customer/needed-space, or delete something"
        )
        raise BitDustError("no-space", text, needed=needed, available=max(0, left))


def new_bytes(packer: Packer, key: StorageKey, found: Found, database: sqlite3.Connection) -> int:
    """Bytes of chunks that are stored nowhere yet; reads everything, in a thread."""
    seen: set[bytes] = set()
    return sum(_of_file(packer, key, file, database, seen) for file in files(found))


def _of_file(packer: Packer, key: StorageKey, file: Found, database: sqlite3.Connection, seen: set[bytes]) -> int:
    new = 0
    try:
        with open(file.path, "rb", buffering=0) as raw:
            status = os.fstat(raw.fileno())
            for chunk in chunks_around(raw, holes_of(raw.fileno(), status), status.st_size, READ_WINDOW):
                name = packer.name(key, chunk)
                if name not in seen and stored_place(database, name) is None:
                    seen.add(name)
                    new += len(chunk)
    except OSError:
        return new
    return new
