"""Files that hold what must not be lost or read by others: whole or not there, and private.

`write_safely` is the durability rule of the house: temporary name, write, fsync, rename, fsync the folder.
"""

import contextlib
import os
import stat
from pathlib import Path

TEMPORARY = ".part-"
"""Prefix of temporary names; a leftover is what a crash left behind and may go."""


def write_safely(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace ``path`` by ``data``: a crash at any moment leaves the old file or the new one, each whole."""
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
        try:
            os.fchmod(descriptor, mode)
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    sync_folder(path.parent)


def readable_by(state: os.stat_result) -> str:
    """Who besides its owner can read a file, ``everybody`` or ``its group``; empty for nobody, and for a pipe."""
    if not stat.S_ISREG(state.st_mode):
        return ""
    return "everybody" if state.st_mode & stat.S_IRWXO else "its group" if state.st_mode & stat.S_IRWXG else ""


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of it: a disk may take less at once."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def remove_safely(path: Path) -> None:
    """Remove a file, if it is there, so that it stays removed."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder as durable as the files."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_private_folder(path: Path) -> None:
    """A folder, with its parents, that only its owner reads (0700)."""
    if not path.is_dir():
        if not path.parent.is_dir():
            make_private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        sync_folder(path.parent)
    path.chmod(0o700)


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove what crashed writers left in a folder; the names of it."""
    found = sorted(path for path in folder.glob(TEMPORARY + "*") if path.is_file())
    for path in found:
        path.unlink(missing_ok=True)
    return found
