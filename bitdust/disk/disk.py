"""The few things a supplier does to its disk, in one place, so that a test can make each of them fail or stop."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from bitdust.crypt.files import write_all
from bitdust.wire.errors import BitDustError

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
NO_FILES = frozenset((errno.EMFILE, errno.ENFILE))
_DISK_CODES = frozenset(
    (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_NOMEM,
    )
)
"""SQLite's result codes that speak of the machine, not of what the file holds."""


class Disk:
    """The operating system's files. Folders are 0700 and files 0600; every method may raise `OSError`."""

    def make_folder(self, path: Path) -> None:
        """Make a folder and those above it, and let their names survive a power cut."""
        missing = []
        while not path.is_dir():
            missing.append(path)
            path = path.parent
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
            self.sync_folder(folder.parent)

    def create(self, path: Path) -> int:
        """A descriptor of a new or emptied file."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def write_from(self, path: Path, offset: int) -> int:
        """A descriptor of a file that is there, whose next byte is written at ``offset``."""
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        os.lseek(descriptor, offset, os.SEEK_SET)
        return descriptor

    def open(self, path: Path) -> int:
        """A descriptor for reading."""
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def write(self, descriptor: int, parts: Sequence[bytes]) -> None:
        """Write all of the parts."""
        for part in parts:
            write_all(descriptor, part)

    def read(self, descriptor: int, offset: int, length: int) -> bytes:
        """At most ``length`` bytes from ``offset``; fewer only where the file ends."""
        parts = []
        while length:
            part = os.pread(descriptor, length, offset)
            if not part:
                break
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def sync(self, descriptor: int) -> None:
        """Return when the file's bytes are on the disk."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        os.replace(old, new)

    def remove(self, path: Path) -> None:
        """Remove a file; one that is not there is no error."""
        path.unlink(missing_ok=True)

    def sync_folder(self, path: Path) -> None:
        """Return when the folder's names are on the disk."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free(self, path: Path) -> int:
        """Bytes that can still be written where ``path`` is."""
        return shutil.disk_usage(path).free

    def total(self, path: Path) -> int:
        """Bytes of the whole disk where ``path`` is."""
        return shutil.disk_usage(path).total


def is_full(error: OSError | sqlite3.Error) -> bool:
    """Whether a disk, or the quota of its user, has no room."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    code = getattr(error, "sqlite_errorcode", 0)
    # SQLite cannot say "full" of the file beside a database that its readers share: only that this cannot grow.
    return code & 0xFF == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE


def is_disk_trouble(error: sqlite3.Error) -> bool:
    """Whether a database could not be had because of the disk; what it holds is as good as before."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DISK_CODES


def disk_error(error: OSError | sqlite3.Error) -> BitDustError:
    """What a customer is told about a failure of the disk: ``no-space`` when it is full, else ``internal``."""
    if is_full(error):
        return BitDustError("no-space", "the supplier's disk is full; nothing of this was kept")
    return BitDustError("internal", "the supplier's disk failed; nothing of this was kept")


def own_disk_error(error: OSError | sqlite3.Error, path: Path) -> BitDustError:
    """What the person of this node is told: ``disk-full``, ``disk-error`` or ``too-few-files``, where, what to do."""
    if is_full(error):
        return BitDustError("disk-full", f"{path}: the disk is full; make room, and it goes on by itself")
    number = getattr(error, "errno", 0) or _number_behind(error, path)
    if number in NO_FILES:
        text = "the process may open no more files; give it more: ulimit -n 2048, or LimitNOFILE= in the service"
        return BitDustError("too-few-files", f"{path}: {text}")
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_READONLY or number == errno.EROFS:
        text = "nothing can be written there; it is read-only; mount it for writing, and it goes on by itself"
        return BitDustError("disk-error", f"{path}: {text}")
    if number in (errno.EACCES, errno.EPERM):
        text = f"this user (uid {os.geteuid()}) may not use it; mend its owner and permissions"
        return BitDustError("disk-error", f"{path}: {text}, and it goes on by itself")
    hint = "; see what the system says of it: dmesg" if number == errno.EIO or code == sqlite3.SQLITE_IOERR else ""
    what = getattr(error, "strerror", None) or error
    return BitDustError("disk-error", f"{path}: the disk failed: {what}{hint}")


def _number_behind(error: OSError | sqlite3.Error, path: Path) -> int:
    """SQLite does not say why a file could not be opened: whoever tries once more hears it from the system."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CANTOPEN:
        return 0
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError as reason:
        return reason.errno or 0
    return 0
