"""Paths and names that callers give: what is refused, and with which sentence."""

import os
from pathlib import Path

from bitdust.wire.errors import BitDustError
from bitdust.wire.names import MAX_REMOTE_PATH, RemotePath


class BadPath(BitDustError):
    """A path that is refused; code ``bad-path``."""

    def __init__(self, text: str) -> None:
        super().__init__("bad-path", text)


def local_path(text: str, name: str) -> Path:
    """A path on this machine: absolute, without ``..``, at most 4096 bytes."""
    if len(text.encode()) > MAX_REMOTE_PATH:
        raise BadPath(f"argument {name!r} has more than {MAX_REMOTE_PATH} bytes")
    if "\0" in text or not text.startswith("/") or ".." in text.split("/"):
        raise BadPath(f"argument {name!r} must be an absolute path on this machine, without '..'")
    return Path(os.path.normpath(text))


def remote_path(text: str) -> str:
    """A path in a catalog, as it was given; raises `BadName` for one that cannot be."""
    RemotePath.parse(text)
    return text
