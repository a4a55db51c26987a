"""What becomes of disks: bytes change, files shorten or go, a database or the whole store is lost.

All of it is done from outside, as a disk does it: the process, if there is one, is not asked.
"""

import contextlib
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.grid.chaos.nodes import ChaosNode


@contextlib.contextmanager
def database_of(node: "ChaosNode") -> Iterator[sqlite3.Connection | None]:
    """A supplier's database, without its process."""
    path = node.home / "customers.db"
    if not path.exists():
        yield None
        return
    with node.field.disks.outside(), closing(sqlite3.connect(path, isolation_level=None)) as database:
        yield database


def files_of(node: "ChaosNode") -> list[Path]:
    """Files of pieces."""
    return sorted(path for path in (node.home / "customers").rglob("*") if path.is_file() and not path.is_symlink())


def flip(data: bytes, source: random.Random) -> bytes:
    """One byte is another one."""
    at = source.randrange(len(data)) if data else 0
    return data[:at] + bytes([data[at] ^ 1 << source.randrange(8)]) + data[at + 1 :] if data else data


def rot_files(node: "ChaosNode", source: random.Random, change: Callable[[Path], None]) -> int:
    """Some files of pieces, at least one if there are any."""
    files = files_of(node)
    chosen = source.sample(files, source.randint(1, len(files))) if files else []
    with node.field.disks.outside():
        for path in chosen:
            change(path)
    return len(chosen)


def rot_rows(node: "ChaosNode", source: random.Random, delete: bool) -> int:
    """Some small pieces change or go, without a word in any other table."""
    with database_of(node) as database:
        if database is None:
            return 0
        rows = database.execute("SELECT customer, pack, number, data FROM small ORDER BY pack, number").fetchall()
        chosen = source.sample(rows, source.randint(1, len(rows))) if rows else []
        for customer, pack, number, data in chosen:
            key = (customer, pack, number)
            if delete:
                database.execute("DELETE FROM small WHERE customer=? AND pack=? AND number=?", key)
            else:
                values = (flip(data, source), *key)
                database.execute("UPDATE small SET data=? WHERE customer=? AND pack=? AND number=?", values)
        return len(chosen)


def drop_bytes(node: "ChaosNode") -> None:
    """All bytes of pieces go; the rows that list them stay."""
    with node.field.disks.outside():
        for path in files_of(node):
            path.unlink()
    with database_of(node) as database:
        if database is not None:
            database.execute("UPDATE small SET data=zeroblob(length(data))")


def lose_store(node: "ChaosNode") -> None:
    """Pieces and database, as by a disk that was replaced by an empty one. Only where no process runs."""
    lose_pieces(node)
    lose_database(node)


def lose_pieces(node: "ChaosNode") -> None:
    """The folder of the pieces; the database knows of them still."""
    shutil.rmtree(node.home / "customers", ignore_errors=True)


def lose_database(node: "ChaosNode") -> None:
    """The database; the pieces are there. Only where no process runs."""
    with node.field.disks.outside():
        for path in node.home.glob("customers.db*"):
            path.unlink()
