"""UnixFS: what a dag-pb node means, as a protocol buffer in its data.

| kind | data | links |
|---|---|---|
| RAW, FILE | bytes, before those of the links | parts in their order; ``blocksizes`` has the length of each |
| DIRECTORY | none | entries by name |
| HAMT | a bitmap of the places that are taken | places: sub-shards (``1F``) and entries (``1Fname``) |
| SYMLINK | the path that it points to | none |
| METADATA | a MIME type, packed | the file that it is about |
"""

from enum import IntEnum
from typing import Any

from attrs import frozen

from bitdust.ipld import protobuf
from bitdust.ipld.errors import malformed, too_large, unsupported
from bitdust.ipld.protobuf import BYTES, FIXED32, NUMBER, PACKED

LOWEST_FANOUT, HIGHEST_FANOUT = 8, 1024
LONGEST_TARGET = 4096
"""Bytes of a path that a symlink points to."""
_TYPE, _DATA, _FILESIZE, _BLOCKSIZES, _HASH_TYPE, _FANOUT, _MODE, _MTIME = range(1, 9)
_KINDS = {
    _TYPE: NUMBER,
    _DATA: BYTES,
    _FILESIZE: NUMBER,
    _BLOCKSIZES: PACKED,
    _HASH_TYPE: NUMBER,
    _FANOUT: NUMBER,
    _MODE: NUMBER,
    _MTIME: BYTES,
}
_SECONDS, _NANOSECONDS = 1, 2
_MTIME_KINDS = {_SECONDS: NUMBER, _NANOSECONDS: FIXED32}
_MIME = 1
_SECOND = 1_000_000_000


class Kind(IntEnum):
    """The type of a node."""

    RAW = 0
    DIRECTORY = 1
    FILE = 2
    METADATA = 3
    SYMLINK = 4
    HAMT = 5


_CODES = frozenset(Kind)


@frozen
class Mtime:
    """Seconds since 1970, and nanoseconds of the next second."""

    seconds: int
    nanoseconds: int = 0


@frozen
class UnixFs:
    """The data of one node. ``mode`` and ``mtime`` are of version 1.5, which others pass over."""

    kind: Kind
    data: bytes | None = None
    filesize: int | None = None
    blocksizes: tuple[int, ...] = ()
    hash_type: int | None = None
    fanout: int | None = None
    mode: int | None = None
    mtime: Mtime | None = None

    @property
    def is_file(self) -> bool:
        """Whether it has bytes to read."""
        return self.kind in (Kind.RAW, Kind.FILE)

    @property
    def is_directory(self) -> bool:
        """Whether it has names."""
        return self.kind in (Kind.DIRECTORY, Kind.HAMT)

    @property
    def size(self) -> int:
        """Bytes that can be read from here: those of the node and those that it says its links have."""
        return len(self.data or b"") + sum(self.blocksizes)

    def encode(self) -> bytes:
        """The bytes, fields in the order of their numbers."""
        parts = [protobuf.number_field(_TYPE, self.kind)]
        if self.data is not None:
            parts += (protobuf.bytes_head(_DATA, len(self.data)), self.data)
        if self.filesize is not None:
            parts.append(protobuf.number_field(_FILESIZE, self.filesize))
        parts += [protobuf.number_field(_BLOCKSIZES, size) for size in self.blocksizes]
        for field, value in ((_HASH_TYPE, self.hash_type), (_FANOUT, self.fanout), (_MODE, self.mode)):
            if value is not None:
                parts.append(protobuf.number_field(field, value))
        if self.mtime is not None:
            parts.append(protobuf.bytes_field(_MTIME, _write_mtime(self.mtime)))
        return b"".join(parts)


FOLDER = UnixFs(Kind.DIRECTORY)


def file_part(kind: Kind, data: bytes) -> bytes:
    """What `UnixFs.encode` makes of a leaf, faster."""
    size = len(data)
    if not size:
        return UnixFs(kind, None, 0).encode()
    head = protobuf.number_field(_TYPE, kind) + protobuf.bytes_head(_DATA, size)
    return b"".join((head, data, protobuf.number_field(_FILESIZE, size)))


def symlink(target: str) -> UnixFs:
    """A link to a path."""
    data = target.encode("utf-8", "surrogateescape")
    if len(data) > LONGEST_TARGET:
        raise too_large(f"a symlink to a path of {len(data)} bytes")
    return UnixFs(Kind.SYMLINK, data)


def target(node: UnixFs) -> str:
    """The path that a symlink points to."""
    data = node.data or b""
    if len(data) > LONGEST_TARGET:
        raise too_large(f"a symlink to a path of {len(data)} bytes")
    return data.decode("utf-8", "surrogateescape")


def metadata(mime: str) -> UnixFs:
    """What says the MIME type of the file that its node links to."""
    return UnixFs(Kind.METADATA, protobuf.bytes_field(_MIME, mime.encode()))


def mime_type(node: UnixFs) -> str:
    """The MIME type in a node of metadata; empty where it says none."""
    found = ""
    for _, value in protobuf.read(node.data or b"", {_MIME: BYTES}):
        found = value.decode("utf-8", "replace")
    return found


def decode(data: bytes | None) -> UnixFs:
    """The meaning of a node's data; numbers that no reader could act on are refused here."""
    if data is None:
        raise malformed("a node without UnixFS data")
    found: dict[int, Any] = {}
    sizes: list[int] = []
    for field, value in protobuf.read(data, _KINDS):
        if field != _BLOCKSIZES:
            found[field] = value
        else:
            sizes.append(value)
    return _checked(found, tuple(sizes))


def _checked(found: dict[int, Any], sizes: tuple[int, ...]) -> UnixFs:
    """The value of fields whose kinds are right."""
    code, fanout, mtime = found.get(_TYPE), found.get(_FANOUT), found.get(_MTIME)
    if code is None:
        raise malformed("UnixFS data without a type")
    if code not in _CODES:
        raise unsupported(f"UnixFS data of the type {code}")
    if code == Kind.HAMT and (fanout is None or fanout & fanout - 1 or not LOWEST_FANOUT <= fanout <= HIGHEST_FANOUT):
        raise malformed(f"a HAMT with a fanout of {fanout}")
    return UnixFs(
        Kind(code),
        found.get(_DATA),
        found.get(_FILESIZE),
        sizes,
        found.get(_HASH_TYPE),
        fanout,
        found.get(_MODE),
        None if mtime is None else _read_mtime(mtime),
    )


def _write_mtime(mtime: Mtime) -> bytes:
    nanoseconds = mtime.nanoseconds.to_bytes(4, "little")
    fixed = bytes((_NANOSECONDS << 3 | FIXED32,)) + nanoseconds if mtime.nanoseconds else b""
    return protobuf.number_field(_SECONDS, mtime.seconds) + fixed


def _read_mtime(data: bytes) -> Mtime:
    found = {_SECONDS: 0, _NANOSECONDS: 0}
    found.update(protobuf.read(data, _MTIME_KINDS))
    if found[_NANOSECONDS] >= _SECOND:
        raise malformed("more nanoseconds than a second has")
    seconds = found[_SECONDS]
    return Mtime(seconds - (1 << 64) if seconds >> 63 else seconds, found[_NANOSECONDS])
