"""Mode, time, attributes and owner, put on what comes back as far as that is permitted here."""

import grp
import os
import pwd
import stat
from collections.abc import Callable
from functools import lru_cache

from bitdust.formats.extras import Extras, is_kept
from bitdust.storage.catalog.paths import Version
from bitdust.storage.options import Wishes

SPECIAL = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX
"""Whoever can write a log of mine could otherwise leave a program here that runs as me, or as root."""


def dress(descriptor: int, version: Version, extras: Extras, wishes: Wishes) -> list[str]:
    """Give a file or folder all that it had; what could not be given, in words. Raises `OSError` for mode and time.

    The owner comes first, because it takes some of the mode away, and access control lists after the mode.
    """
    told, mode = [], version.mode
    if mode & SPECIAL and not wishes.special_bits:
        mode &= ~SPECIAL
        told.append(f"its mode is {mode:04o}: {version.mode:04o} is set only where special bits are asked for")
    if wishes.owners and extras.owner is not None:
        told += set_owner(lambda uid, gid: os.fchown(descriptor, uid, gid), extras.owner)
    os.fchmod(descriptor, mode)
    if wishes.attributes:
        told += _set_attributes(descriptor, extras)
    os.utime(descriptor, ns=(version.mtime, version.mtime))
    return told


def _set_attributes(descriptor: int, extras: Extras) -> list[str]:
    told = []
    for name, value in extras.attributes:
        if not is_kept(name):
            continue
        try:
            os.setxattr(descriptor, name, value)
        except OSError as error:
            told.append(f"its attribute {name} could not be set: {error.strerror}")
    return told


def set_owner(change: Callable[[int, int], None], owner: tuple[int, int, str, str]) -> list[str]:
    """By name where the name is known here, else by number; the group alone where no more is permitted."""
    uid, gid = _user(owner[2], owner[0]), _group(owner[3], owner[1])
    try:
        change(uid, gid)
    except (OSError, OverflowError) as error:
        try:
            change(-1, gid)
        except (OSError, OverflowError):
            pass
        reason = getattr(error, "strerror", None) or error
        return [f"its owner {owner[2] or owner[0]}:{owner[3] or owner[1]} could not be set: {reason}"]
    return []


@lru_cache(1000)
def _user(name: str, number: int) -> int:
    try:
        return pwd.getpwnam(name).pw_uid if name else number
    except KeyError:
        return number


@lru_cache(1000)
def _group(name: str, number: int) -> int:
    try:
        return grp.getgrnam(name).gr_gid if name else number
    except KeyError:
        return number
