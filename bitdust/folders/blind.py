"""What a keeper holds of a folder that it cannot read: sealed chunks by name, in the folder's own place.

It knows which records name a chunk, so it removes those that none names any more; and it checks each by its name, so
that it neither takes nor gives what is something else.
"""

import contextlib
import os
from collections.abc import Iterable
from itertools import groupby

from bitdust.crypt.files import write_all
from bitdust.disk.reserve import Reserve
from bitdust.folders.fetching import Wanted
from bitdust.folders.journal import Journal
from bitdust.folders.keys import sealed_name
from bitdust.folders.paths import parent
from bitdust.folders.tree import BLIND, TEMPORARY, Tree, sync_all

AT_ONCE = 128
"""Chunks that are synced together."""


def place_of(name: bytes) -> str:
    """Where a sealed chunk is."""
    text = name.hex()
    return f"{BLIND}/{text[:2]}/{text[2:]}"


def _folder_of(name: bytes) -> str:
    return parent(place_of(name))


class Blind:
    """My methods block; `read` is for any thread."""

    def __init__(self, tree: Tree, journal: Journal, reserve: Reserve) -> None:
        self._tree = tree
        self._reserve = reserve
        self._journal = journal

    def read(self, name: bytes) -> bytes | None:
        """A chunk, None where it is not here, or damaged."""
        try:
            with self._tree.file(place_of(name)) as descriptor:
                size = os.fstat(descriptor).st_size
                data = os.read(descriptor, size)
        except OSError:
            return None
        return data if sealed_name(data) == name else None

    def wanted(self, most: int, after: bytes) -> list[Wanted]:
        """Chunks that are named and not here, in the order of their names, from after one of them."""
        rows = self._journal.database.execute(
            "SELECT name, max(length) FROM pieces WHERE name>? AND name NOT IN (SELECT name FROM kept)"
            " GROUP BY name ORDER BY name LIMIT ?",
            (after, most),
        )
        return [Wanted(name, length) for name, length in rows]

    def keep(self, chunks: list[tuple[bytes, bytes]]) -> None:
        """Chunks that have come and fit their names. Raises `BitDustError` ``disk-full``."""
        self._reserve.check(self._tree.root, sum(len(one) for _, one in chunks), "a folder's chunks do not fit")
        for at in range(0, len(chunks), AT_ONCE):
            self._write(chunks[at : at + AT_ONCE])
        with self._journal.change() as database:
            database.executemany("INSERT OR REPLACE INTO kept VALUES(?, ?)", [(name, len(one)) for name, one in chunks])

    def _write(self, chunks: list[tuple[bytes, bytes]]) -> None:
        with self._tree.folder(TEMPORARY) as temporary:
            self._complete(temporary, chunks)
            with self._tree.together():
                for above, names in groupby(sorted(name for name, _ in chunks), _folder_of):
                    self._place(temporary, above, names)

    @staticmethod
    def _complete(temporary: int, chunks: list[tuple[bytes, bytes]]) -> None:
        """They are on the disk, under temporary names."""
        with contextlib.ExitStack() as opened:
            descriptors = []
            for name, sealed in chunks:
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
                descriptors.append(os.open(name.hex(), flags, 0o600, dir_fd=temporary))
                opened.callback(os.close, descriptors[-1])
                write_all(descriptors[-1], sealed)
            sync_all(descriptors)

    def _place(self, temporary: int, above: str, names: Iterable[bytes]) -> None:
        """Those of one folder are there, each in the place of a damaged one."""
        with self._tree.folder(above, make=True) as folder:
            for name in names:
                os.replace(name.hex(), os.path.basename(place_of(name)), src_dir_fd=temporary, dst_dir_fd=folder)
            self._tree.sync(folder)

    def collect(self) -> int:
        """Remove what no record names any more; how many chunks."""
        with self._journal.change() as database:
            rows = database.execute("SELECT name FROM kept WHERE name NOT IN (SELECT name FROM pieces)").fetchall()
            for (name,) in rows:
                with contextlib.suppress(OSError):
                    self._tree.remove(place_of(name))
            database.executemany("DELETE FROM kept WHERE name=?", rows)
        return len(rows)
