"""What keeps a folder from being in sync, as stable codes."""

from pathlib import Path
from typing import Any

from bitdust.disk.disk import own_disk_error
from bitdust.folders.tree import Missing


def code_of(error: Any) -> str:
    """A stable code for what keeps a folder from being in sync."""
    if isinstance(error, Missing):
        return "folder-gone"
    if isinstance(error, OSError):
        return own_disk_error(error, Path()).code
    return str(getattr(error, "code", "disk-error"))
