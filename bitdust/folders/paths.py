"""Paths within a folder: ``a/b/c``, as bytes on the wire and text with surrogates here; what may be one."""

import os
from pathlib import PurePosixPath

from bitdust.wire.encoding import WireError

HOUSEKEEPING = ".sync"
"""The folder's own place; nothing below it is ever synchronised."""
LONGEST_NAME, LONGEST_PATH, DEEPEST = 255, 4095, 256
"""Bytes of a name and of a path, and names in one: each folder is reached from the root, so depth costs by its square.
"""
LONGEST_SUFFIX = 32
"""What is longer behind the last dot of a name is no suffix: ``1. How we …``."""


def to_bytes(path: str) -> bytes:
    """As the file system and the wire have it."""
    return os.fsencode(path)


def from_bytes(path: bytes) -> str:
    """A path of a record, checked: it stays inside the folder and outside its housekeeping.

    Raises `WireError` ``bad-path``.
    """
    parts = path.split(b"/")
    good = len(path) <= LONGEST_PATH and len(parts) <= DEEPEST and b"\0" not in path
    is_odd = any(part in (b"", b".", b"..") or len(part) > LONGEST_NAME for part in parts)
    if not good or is_odd or parts[0] == HOUSEKEEPING.encode():
        raise WireError("bad-path", f"{path[:100]!r} is no path within a folder")
    return os.fsdecode(path)


def parent(path: str) -> str:
    """The folder that a path is in; empty for the root."""
    return path.rpartition("/")[0]


def parents(path: str) -> list[str]:
    """All folders above a path, the outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def name(path: str) -> str:
    """The last part."""
    return path.rpartition("/")[2]


def split_suffix(path: str) -> tuple[str, str]:
    """A path without its suffix, and the suffix with its dot."""
    suffix = PurePosixPath(name(path)).suffix
    is_one = 0 < len(to_bytes(suffix)) <= LONGEST_SUFFIX
    return (path[: -len(suffix)], suffix) if is_one else (path, "")
