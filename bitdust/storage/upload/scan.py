"""What lies in a local folder: names, kinds and times, read once before an upload begins.

Links are noted as text and never followed; sockets, devices and pipes are reported and left out. What cannot be read
is reported, and what the catalog knows below it stays as it is.
"""

import os
import stat
from typing import Any

from attrs import define, field, frozen

from bitdust.wire.errors import BitDustError
from bitdust.wire.names import MAX_PATH_DEPTH, shown


@frozen
class Look:
    """How a file looked when it was read: equal looks mean that it need not be read again."""

    size: int
    mtime: int
    inode: int
    ctime: int
    volume: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Look":
        return cls(status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns, status.st_dev)


@define
class Found:
    """One file, folder or link; ``complete`` is False for a folder that could not be listed to its end."""

    path: bytes
    name: bytes
    kind: str
    mode: int
    look: Look
    target: bytes | None = None
    children: list["Found"] = field(factory=list)
    complete: bool = True


Skipped = dict[str, str]


def skipped(path: bytes, reason: str) -> Skipped:
    """One line of a task's report."""
    return {"path": shown(path), "reason": reason}


def scan(path: bytes) -> tuple[Found, list[Skipped]]:
    """Look at a path and everything below it. Raises `BitDustError` when there is nothing to read at all."""
    report: list[Skipped] = []
    try:
        status = os.lstat(path)
        found = _look(path, os.path.basename(path), status)
    except OSError as error:
        raise unreadable(path, error) from error
    if found is None:
        raise BitDustError("bad-path", f"{_shown(path)} is neither a file nor a folder nor a link")
    if found.kind == "folder":
        _fill(found, report, 1)
        if not found.complete and not found.children:
            raise BitDustError("unreadable", f"{_shown(path)} cannot be listed: {report[-1]['reason']}")
    elif found.kind == "file" and not os.access(path, os.R_OK):
        raise BitDustError("unreadable", f"{_shown(path)} cannot be read: permission denied")
    return found, report


def unreadable(path: bytes, error: OSError) -> BitDustError:
    """A clear error about a local path."""
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return BitDustError("no-such-file", f"{_shown(path)} does not exist")
    return BitDustError("unreadable", f"{_shown(path)} cannot be read: {error.strerror or error}")


def _shown(path: bytes) -> str:
    return skipped(path, "")["path"]


def _look(path: bytes, name: bytes, status: os.stat_result) -> Found | None:
    kind = _kind(status.st_mode)
    if kind is None:
        return None
    target = os.readlink(path) if kind == "link" else None
    return Found(path, name, kind, stat.S_IMODE(status.st_mode), Look.of(status), target)


def _kind(mode: int) -> str | None:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else None


def _fill(folder: Found, report: list[Skipped], depth: int) -> None:
    try:
        names = sorted(os.listdir(folder.path))
    except OSError as error:
        folder.complete = False
        report.append(skipped(folder.path, error.strerror or str(error)))
        return
    if depth >= MAX_PATH_DEPTH and names:
        folder.complete = False
        report.append(skipped(folder.path, f"more than {MAX_PATH_DEPTH} folders deep"))
        return
    for name in names:
        _add(folder, name, report, depth)


def _add(folder: Found, name: bytes, report: list[Skipped], depth: int) -> None:
    path = os.path.join(folder.path, name)
    try:
        status = os.lstat(path)
        found = _look(path, name, status)
    except FileNotFoundError:
        return
    except OSError as error:
        report.append(skipped(path, error.strerror or str(error)))
        folder.complete = False
        return
    if found is None:
        report.append(skipped(path, "neither a file nor a folder nor a link"))
        return
    folder.children.append(found)
    if found.kind == "folder":
        _fill(found, report, depth + 1)


def total_size(found: Found) -> int:
    """Bytes of all files."""
    if found.kind == "folder":
        return sum(total_size(child) for child in found.children)
    return found.look.size if found.kind == "file" else 0


def as_row(path: str, version: str, look: Look) -> tuple[Any, ...]:
    """The row of the table ``seen``."""
    return (path, version, look.size, look.mtime, look.inode, look.ctime, look.volume)
