"""Paths and names that callers give: what is refused, and with which sentence."""

import os
from pathlib import Path

from bitdust.api.context import Context
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import MAX_REMOTE_PATH, RemotePath, idurl_of


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


def user_fingerprint(context: Context, user: str) -> bytes:
    """Who is meant by a global id, an IDURL, a key id or 64 hex digits; raises ``unknown-user``."""
    if len(user) == 64 and all(digit in "0123456789abcdef" for digit in user.lower()):
        return bytes.fromhex(user)
    if context.me.present and idurl_of(user) in context.me.document.sources:
        return context.me.fingerprint
    document = context.cache.by_global_id(user)
    if document is None:
        raise BitDustError("unknown-user", f"{user[:100]!r} is not known to this node yet")
    return document.fingerprint
