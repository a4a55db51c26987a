"""What is in a local folder: names, kinds and times, read folder by folder while an upload is planned.

Links are noted as text and never followed; sockets, devices and pipes are reported and left out. What cannot be read
is reported, and what the catalog knows below it stays as it is. `walk` holds one folder at a time, and the names of
subfolders that are still to come: a tree of a million files needs no more memory than its largest folder.
"""

import os
import stat
from collections.abc import Iterator
from typing import Any

from attrs import define, frozen

from bitdust.formats.extras import NO_EXTRAS, Extras
from bitdust.storage.links import stays_inside
from bitdust.storage.options import Wishes
from bitdust.storage.upload.attributes import extras_at
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import MAX_PATH_DEPTH, shown


@frozen
class FileStatus:
    """How a file looked when it was read: equal statuses mean that it need not be read again."""

    size: int
    mtime: int
    inode: int
    ctime: int
    volume: int

    @classmethod
    def of(cls, status: os.stat_result) -> "FileStatus":
        return cls(status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns, status.st_dev)


@define
class Found:
    """One file, folder or link; ``complete`` is False for a folder that could not be listed to its end."""

    path: bytes
    name: bytes
    kind: str
    mode: int
    status: FileStatus
    target: bytes | None = None
    complete: bool = True
    extras: Extras = NO_EXTRAS


NOTHING = Wishes(False, False)
HELPING = 2000
"""Entries that are planned in one transaction."""
CHANGED = "changed"
Skipped = dict[str, str]


def skipped(path: bytes, reason: str, code: str = "left-out") -> Skipped:
    """One line of a task's report: something was left out, or is not as it was (``changed``)."""
    return {"path": shown(path), "reason": reason, "code": code}


@frozen
class Listing:
    """One folder with what is in it, sorted by name; ``skipped`` are those of its entries that could not be read."""

    folder: Found
    entries: list[Found]
    skipped: list[Skipped]


def find(path: bytes, wishes: Wishes = NOTHING) -> Found:
    """A file, folder or link by itself. Raises `BitDustError` when it is nothing that can be stored, or not there."""
    try:
        found, _ = _entry(path, os.path.basename(path), os.lstat(path), wishes)
    except OSError as error:
        raise unreadable(path, error) from error
    if found is None:
        raise BitDustError("bad-path", f"{_shown(path)} is neither a file nor a folder nor a link")
    if found.kind == "file" and not os.access(path, os.R_OK):
        raise BitDustError("unreadable", f"{_shown(path)} cannot be read: permission denied")
    return found


def walk(root: Found, wishes: Wishes = NOTHING) -> Iterator[Listing]:
    """A folder and every folder below it, each before those inside it. Raises `BitDustError` ``unreadable`` when the
    root itself cannot be listed; below it that is reported in the listing."""
    waiting = [(root, 1)]
    while waiting:
        folder, depth = waiting.pop()
        listing = _list(folder, depth, wishes)
        if folder is root and not folder.complete and not listing.entries:
            raise BitDustError("unreadable", f"{_shown(root.path)} cannot be listed: {listing.skipped[-1]['reason']}")
        yield listing
        waiting += [(entry, depth + 1) for entry in reversed(listing.entries) if entry.kind == "folder"]


def next_listings(listings: Iterator[Listing], entries: int) -> list[Listing]:
    """The next listings, until they have so many entries; nothing at the end."""
    found: list[Listing] = []
    while entries > 0:
        listing = next(listings, None)
        if listing is None:
            break
        found.append(listing)
        entries -= 1 + len(listing.entries)
    return found


def files(root: Found) -> Iterator[Found]:
    """Every file, of a folder or of itself."""
    if root.kind == "folder":
        for listing in walk(root):
            yield from (entry for entry in listing.entries if entry.kind == "file")
    elif root.kind == "file":
        yield root


def unreadable(path: bytes, error: OSError) -> BitDustError:
    """A clear error about a local path."""
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return BitDustError("no-such-file", f"{_shown(path)} does not exist")
    return BitDustError("unreadable", f"{_shown(path)} cannot be read: {error.strerror or error}")


def _shown(path: bytes) -> str:
    return skipped(path, "")["path"]


def _entry(path: bytes, name: bytes, status: os.stat_result, wishes: Wishes) -> tuple[Found | None, list[str]]:
    """With what is left out of it, in words. Attributes of files are read with their bytes."""
    kind = _kind(status.st_mode)
    if kind is None:
        return None, []
    target = os.readlink(path) if kind == "link" else None
    found = Found(path, name, kind, stat.S_IMODE(status.st_mode), FileStatus.of(status), target)
    left_out: list[str] = []
    if kind != "file":
        found.extras, left_out = extras_at(path, status, wishes)
    return found, left_out


def _kind(mode: int) -> str | None:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else None


def _list(folder: Found, depth: int, wishes: Wishes) -> Listing:
    listing = Listing(folder, [], [])
    try:
        names = sorted(os.listdir(folder.path))
    except OSError as error:
        folder.complete = False
        listing.skipped.append(skipped(folder.path, error.strerror or str(error)))
        return listing
    if depth >= MAX_PATH_DEPTH and names:
        folder.complete = False
        listing.skipped.append(skipped(folder.path, f"more than {MAX_PATH_DEPTH} folders deep"))
        return listing
    for name in names:
        _add(listing, name, wishes)
    listing.skipped.extend(line for one in listing.entries for line in _leading_out(one, depth - 1))
    return listing


def _leading_out(found: Found, depth: int) -> list[Skipped]:
    """What is to be told of a link that is so many folders deep and leads out of what is stored: nothing of others."""
    if found.target is None or stays_inside(found.target, depth):
        return []
    reason = f"a link to {shown(found.target)!r}, which leads out of the folder: a download does not make it"
    return [skipped(found.path, reason, CHANGED)]


def _add(listing: Listing, name: bytes, wishes: Wishes) -> None:
    path = os.path.join(listing.folder.path, name)
    try:
        found, left_out = _entry(path, name, os.lstat(path), wishes)
    except FileNotFoundError:
        return
    except OSError as error:
        listing.skipped.append(skipped(path, error.strerror or str(error)))
        listing.folder.complete = False
        return
    listing.skipped.extend(skipped(path, reason, CHANGED) for reason in left_out)
    if found is None:
        listing.skipped.append(skipped(path, "neither a file nor a folder nor a link"))
    else:
        listing.entries.append(found)


def total_size(root: Found) -> int:
    """Bytes of all files; walks over them."""
    return sum(found.status.size for found in files(root))


def as_row(path: str, version: str, status: FileStatus) -> tuple[Any, ...]:
    """The row of the table ``seen``."""
    return (path, version, status.size, status.mtime, status.inode, status.ctime, status.volume)
