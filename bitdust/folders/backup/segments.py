"""One segment as it is made: sealed chunks one behind the other, and the index that tells of them."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import define, field

from bitdust.crypt.files import remove_safely, write_all, write_safely
from bitdust.folders.backup.formats import INDEX, write_index
from bitdust.folders.backup.index import Spot

AT_ONCE = 1024 * 1024
"""Bytes of chunks that are read from the disk, or of a segment, at once."""


@define
class Built:
    """A segment that waits for its upload."""

    name: str
    path: Path
    chunks: list[tuple[bytes, int]] = field(factory=list)
    size: int = 0

    @property
    def index_path(self) -> Path:
        return self.path.with_suffix(INDEX)

    def append(self, sealed: Sequence[tuple[bytes, bytes]]) -> None:
        """Write chunks behind those that are there; for a thread."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            write_all(descriptor, b"".join(data for _, data in sealed))
        finally:
            os.close(descriptor)
        self.chunks += [(name, len(data)) for name, data in sealed]
        self.size += sum(len(data) for _, data in sealed)

    def finish(self) -> None:
        """Write the index; for a thread."""
        write_safely(self.index_path, write_index(self.chunks))

    def remove(self) -> None:
        """Nobody wants it any more."""
        for path in (self.path, self.index_path):
            remove_safely(path)


def parts(due: Sequence[tuple[bytes, int]]) -> Iterator[list[bytes]]:
    """Names of so many chunks as are read at once."""
    names: list[bytes] = []
    size = 0
    for name, length in due:
        names.append(name)
        size += length
        if size >= AT_ONCE:
            yield names
            names, size = [], 0
    if names:
        yield names


def runs(spots: Sequence[Spot]) -> Iterator[list[Spot]]:
    """Those that lie one behind the other in a segment."""
    run: list[Spot] = []
    for spot in spots:
        last = run[-1] if run else None
        if last is not None and (last.segment != spot.segment or last.offset + last.size != spot.offset):
            yield run
            run = []
        run.append(spot)
    if run:
        yield run
