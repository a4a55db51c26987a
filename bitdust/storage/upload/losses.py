"""What an upload would drop: a folder whose disk is not mounted must not look like one whose files were deleted."""

import sqlite3

from attrs import define, field

from bitdust.storage.catalog.paths import Item, Version
from bitdust.storage.upload.options import UploadOptions
from bitdust.storage.upload.scan import Found
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import shown
from bitdust.wire.sizes import in_words

_Look = tuple[int, int, int, int]


@define
class Losses:
    """Files and links of one folder: what the catalog had of it, how many there are now, and what is gone."""

    known: int = 0
    known_bytes: int = 0
    found: int = 0
    gone: list[tuple[str, int]] = field(factory=list)
    fresh: set[_Look] = field(factory=set)

    def add(self, found: Found, latest: Version | None) -> None:
        """One that is there."""
        self.found += 1
        status = found.status
        if latest is None:
            self.fresh.add((status.volume, status.inode, status.size, status.mtime))
        else:
            self.know(latest)

    def know(self, latest: Version) -> None:
        """One that the catalog has."""
        self.known += 1
        self.known_bytes += latest.size

    def drop(self, item: Item, latest: Version) -> None:
        """One that is gone."""
        if item.kind != "folder":
            self.know(latest)
            self.gone.append((item.path, latest.size))

    def check(self, database: sqlite3.Connection, source: bytes, options: UploadOptions) -> None:
        """Raises `BitDustError` ``empty-source`` or ``would-drop``, with the figures."""
        if not self.gone:
            return
        if not self.found:
            if not options.allow_empty:
                raise empty(source, self.known, self.known_bytes)
            return
        if options.allow_drop or not self._is_most(self.gone):
            return
        gone = [(path, size) for path, size in self.gone if not self._has_moved(database, path)]
        if self._is_most(gone):
            raise self._too_much(source, len(gone), sum(size for _, size in gone))

    def _is_most(self, gone: list[tuple[str, int]]) -> bool:
        size = sum(size for _, size in gone)
        return 2 * len(gone) > self.known or (2 * size > self.known_bytes and bool(size))

    def _has_moved(self, database: sqlite3.Connection, path: str) -> bool:
        """Whether it is in the same folder still, under another name."""
        row = database.execute("SELECT volume, inode, size, mtime FROM seen WHERE path=?", (path,)).fetchone()
        return row is not None and tuple(row) in self.fresh

    def _too_much(self, source: bytes, count: int, size: int) -> BitDustError:
        text = (
            f"{count} of {self.known} files ({in_words(size)} of {in_words(self.known_bytes)}) that were stored from"
            f" {shown(source)!r} are not there any more; nothing was stored. If a disk is missing, bring it back; if"
            " they were meant to go, say so with --allow-drop (allow_drop in the API): what was stored stays in the"
            " history"
        )
        figures = {"dropped": count, "dropped_bytes": size, "known": self.known, "known_bytes": self.known_bytes}
        return BitDustError("would-drop", text, **figures)


def empty(source: bytes, known: int, known_bytes: int) -> BitDustError:
    """The error for a source that holds nothing any more."""
    text = (
        f"{shown(source)!r} is empty, but {known} files ({in_words(known_bytes)}) were stored from it; nothing was"
        " stored. If a disk is missing, bring it back; if it is meant to be empty, say so with --allow-empty"
        " (allow_empty in the API): what was stored stays in the history"
    )
    return BitDustError(
        "empty-source", text, dropped=known, dropped_bytes=known_bytes, known=known, known_bytes=known_bytes
    )
