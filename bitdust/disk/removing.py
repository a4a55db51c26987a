"""Removes what is needed no more. Apart from the disk itself, which is used where Twisted is not loaded."""

from pathlib import Path

from twisted.logger import Logger

from bitdust.disk.disk import Disk

_log = Logger()


def has_removed(disk: Disk, path: Path) -> bool:
    """Whether a file that is needed no more has gone; why one stays is logged."""
    try:
        disk.remove(path)
    except OSError as error:
        _log.warn("{file} is needed no more and cannot be removed: {why}", file=str(path), why=error)
        return False
    return True
