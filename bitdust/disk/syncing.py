"""One sync for many files: what a file system has been given is on the disk when one call returns."""

import ctypes
import os
from collections.abc import Callable


def _load() -> Callable[[int], int] | None:
    """Of Linux; elsewhere each file is synced by itself."""
    try:
        call: Callable[[int], int] = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError):
        return None
    return call


_SYNCFS = _load()


def sync_file_system(descriptor: int) -> bool:
    """Return when everything on the descriptor's file system is on its disk; False where that cannot be asked for.

    Raises `OSError` when something of it could not be written.
    """
    if _SYNCFS is None:
        return False
    if _SYNCFS(descriptor) == 0:
        return True
    error = ctypes.get_errno()
    raise OSError(error, os.strerror(error))
