"""What keeps a folder from being in sync, as stable codes."""

import errno
import sqlite3
from pathlib import Path
from typing import Any

from bitdust.disk.disk import own_disk_error
from bitdust.folders.tree import Missing

_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


def code_of(error: Any) -> str:
    """A stable code for what keeps a folder from being in sync."""
    if isinstance(error, Missing):
        return "folder-gone"
    if isinstance(error, OSError) and error.errno in _REFUSED:
        return "not-writable"
    if isinstance(error, OSError | sqlite3.Error):
        return own_disk_error(error, Path()).code
    return str(getattr(error, "code", "disk-error"))
