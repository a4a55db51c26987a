"""What a file has besides bytes, mode and time, as it is read: attributes, owner, other names, holes."""

import errno
import grp
import hashlib
import os
import pwd
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from bitdust.formats.extras import MOST_ATTRIBUTE_BYTES, MOST_ATTRIBUTES, MOST_HOLES, NO_EXTRAS, Extras, is_kept
from bitdust.storage.options import Wishes
from bitdust.storage.packs.chunks import chunks_of

LABELS = ("security.selinux", "security.ima", "security.evm")
"""The system's own marks, which it makes anew wherever a file comes to."""
Holes = tuple[tuple[int, int], ...]


def extras_at(where: int | bytes, status: os.stat_result, wishes: Wishes) -> tuple[Extras, list[str]]:
    """Attributes and owner of a descriptor, or of a path that is not followed; and what was left out, in words."""
    attributes, left_out = _attributes(where) if wishes.attributes else ((), [])
    owner = _owner(status) if wishes.owners else None
    return (Extras(attributes=attributes, owner=owner) if attributes or owner else NO_EXTRAS), left_out


def _attributes(where: int | bytes) -> tuple[tuple[tuple[str, bytes], ...], list[str]]:
    options: dict[str, Any] = {} if isinstance(where, int) else {"follow_symlinks": False}
    try:
        names = sorted(os.listxattr(where, **options))
    except OSError:
        return (), []
    found: list[tuple[str, bytes]] = []
    left_out = [f"its attribute {name} is not stored" for name in names if not is_kept(name) and name not in LABELS]
    size = 0
    for name in filter(is_kept, names):
        try:
            value = os.getxattr(where, name, **options)
        except OSError as error:
            left_out.append(f"its attribute {name} could not be read: {error.strerror}")
            continue
        size += len(value)
        if size > MOST_ATTRIBUTE_BYTES or len(found) == MOST_ATTRIBUTES or len(name.encode()) > 255:
            left_out.append(f"its attribute {name} is too large, or one too many")
            continue
        found.append((name, value))
    return tuple(found), left_out


def _owner(status: os.stat_result) -> tuple[int, int, str, str] | None:
    """Only where it is not who reads: that one owns what comes back anyway."""
    if (status.st_uid, status.st_gid) == (os.geteuid(), os.getegid()):
        return None
    return status.st_uid, status.st_gid, _user(status.st_uid), _group(status.st_gid)


@lru_cache(1000)
def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name[:64]
    except KeyError:
        return ""


@lru_cache(1000)
def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name[:64]
    except KeyError:
        return ""


def links_of(status: os.stat_result) -> bytes | None:
    """The mark that all names of one file share, as long as nothing changes in it; None for a file of one name."""
    if status.st_nlink < 2:
        return None
    return hashlib.sha256(b"%d/%d/%d" % (status.st_dev, status.st_ino, status.st_ctime_ns)).digest()[:8]


def holes_of(descriptor: int, status: os.stat_result) -> Holes:
    """Where a file takes no room, in order; the largest of very many."""
    size, found, position = status.st_size, list[tuple[int, int]](), 0
    if status.st_blocks * 512 >= size:
        return ()
    try:
        while position < size:
            data = _next_data(descriptor, position, size)
            if data > position:
                found.append((position, data - position))
            if data < size:
                data = os.lseek(descriptor, data, os.SEEK_HOLE)
            position = data
    except OSError:
        return ()
    finally:
        os.lseek(descriptor, 0, os.SEEK_SET)
    if len(found) > MOST_HOLES:
        found = sorted(sorted(found, key=lambda hole: -hole[1])[:MOST_HOLES])
    return tuple(found)


def _next_data(descriptor: int, position: int, size: int) -> int:
    try:
        return min(size, os.lseek(descriptor, position, os.SEEK_DATA))
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size
        raise


def chunks_around(raw: Any, holes: Holes, size: int, window: int) -> Iterator[memoryview]:
    """The chunks of what is between the holes; none reaches over one. What is behind ``size`` is read as well."""
    position = 0
    for offset, length in (*holes, (size, 0)):
        is_last = not length
        if offset > position or is_last:
            raw.seek(position)
            yield from chunks_of(Whole(raw, None if is_last else offset - position), window)
        position = offset + length


class Whole:
    """A raw file whose `read` gives fewer bytes than asked for only at the end, or after ``most`` of them."""

    def __init__(self, raw: Any, most: int | None = None) -> None:
        self._raw = raw
        self._left = most

    def read(self, length: int) -> bytes:
        """Up to ``length`` bytes."""
        if self._left is not None:
            length = min(length, self._left)
            self._left -= length
        parts: list[bytes] = []
        while length:
            part = self._raw.read(length)
            if not part:
                break
            parts.append(part)
            length -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
