"""One record of a folder: what one path is, or that it is no more; signed by a writer, readable in part by keepers.

::

    record  = signature (64 bytes, Ed25519 of domain ‖ folder id ‖ body) ‖ body
    body    = canonical CBOR [id, vector, deleted, names, lengths, sealed]
    sealed  = AES-256-GCM-SIV of canonical CBOR [path, kind, ids, mtime, before, writer, behind, executable, target],
              as many of them as are needed: what is left out at the end is nothing

``id`` is 16 bytes of keyed BLAKE3 of the path. ``vector`` is a version vector: a writer's 8 bytes and its counter as
u64 each, in the order of the bytes. ``names`` are 16 bytes for each sealed chunk, ``ids`` 16 bytes for each plain one,
``lengths`` four. ``before`` are contents that this path has had, 16 bytes each, so that who still has one of them is
known to be late. ``writer`` is a number in the vector, and ``behind`` how far its counter has gone on since then.
The same content, vector and writer give the same bytes, whoever seals and signs them; and a record is small, since a
folder that is moved is two of them for each of its files.
"""

import os
import struct
from collections.abc import Sequence
from typing import Any

from attrs import evolve, field, frozen
from blake3 import blake3

from bitdust.folders.keys import NAME, TAG, FolderKeys
from bitdust.folders.paths import from_bytes, to_bytes
from bitdust.folders.vectors import MOST_WRITERS, Vector, vector_of
from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.schema import U63, Bytes, Flag, Int, Schema

SIGNATURE = 64
MAX_RECORD = 16 * 1024 * 1024
MOST_CHUNKS = MAX_RECORD // 64
MOST_BEFORE = 32
"""Former contents that are remembered."""
_LENGTHS = struct.Struct(">I")
LONGEST_CHUNK = 1024 * 1024
"""Bytes of a chunk when it is open."""
FILE, FOLDER, LINK = "file", "folder", "link"
NODE = 8


KINDS = (FILE, FOLDER, LINK)


@frozen
class _Row:
    """A list of fields in their order, of which the first ``least`` may not be left out."""

    fields: tuple[tuple[str, Schema, Any], ...]
    least: int

    def written(self, values: Sequence[Any]) -> bytes:
        """Canonical bytes; what is as if it were not there is left out at the end."""
        found = list(values)
        while len(found) > self.least and found[-1] == self.fields[len(found) - 1][2]:
            found.pop()
        return encode(found)

    def read(self, data: bytes) -> list[Any]:
        """All values. Raises `WireError`."""
        found = decode(data, MAX_RECORD, 32)
        if type(found) is not list or not self.least <= len(found) <= len(self.fields):
            raise WireError("bad-field", "a record has another number of fields than it may have")
        for value, (name, schema, _) in zip(found, self.fields, strict=False):
            schema.check(value, name)
        rest = self.fields[len(found) :]
        if len(found) > self.least and found[-1] == self.fields[len(found) - 1][2]:
            raise WireError("not-canonical", "a record ends with what it should leave out")
        return [*found, *(default for _, _, default in rest)]


_BODY = _Row(
    (
        ("id", Bytes(NAME), None),
        ("vector", Bytes(2 * NODE, MOST_WRITERS * 2 * NODE), None),
        ("deleted", Flag(), None),
        ("names", Bytes(0, MOST_CHUNKS * NAME), None),
        ("lengths", Bytes(0, MOST_CHUNKS * 4), None),
        ("sealed", Bytes(TAG, MAX_RECORD), None),
    ),
    6,
)
_INNER = _Row(
    (
        ("path", Bytes(1, 4095), None),
        ("kind", Int(0, len(KINDS) - 1), 0),
        ("ids", Bytes(0, MOST_CHUNKS * NAME), b""),
        ("mtime", Int(-U63, U63), 0),
        ("before", Bytes(0, MOST_BEFORE * NAME), b""),
        ("writer", Int(0, MOST_WRITERS - 1), 0),
        ("behind", Int(), 0),
        ("executable", Flag(), False),
        ("target", Bytes(0, 4095), b""),
    ),
    1,
)


@frozen
class Entry:
    """What readers know of a path. ``mtime`` is in nanoseconds, ``made`` is the writer's counter at the writing."""

    path: str
    kind: str
    mtime: int = 0
    executable: bool = False
    ids: bytes = field(default=b"", repr=False)
    lengths: bytes = field(default=b"", repr=False)
    size: int = 0
    target: str = ""
    before: tuple[bytes, ...] = ()
    writer: bytes = bytes(NODE)
    made: int = 1
    deleted: bool = False
    names: bytes = field(default=b"", repr=False)
    """Of the sealed chunks; in the outer part of the record."""

    @property
    def content(self) -> bytes:
        """16 bytes for what is in it: equal for equal files; empty for what is deleted."""
        if self.deleted:
            return b""
        return content_of(self.kind, self.ids, self.lengths, self.target)

    def chunks(self) -> list[tuple[bytes, bytes, int]]:
        """Id, name and length of each chunk."""
        lengths = [int.from_bytes(self.lengths[at : at + 4], "big") for at in range(0, len(self.lengths), 4)]
        return [
            (self.ids[NAME * at : NAME * (at + 1)], self.names[NAME * at : NAME * (at + 1)], length)
            for at, length in enumerate(lengths)
        ]

    def followed(self, other: "Entry") -> "Entry":
        """``other`` in place of this one: what this one was is remembered."""
        return evolve(other, before=remembered((*self.before, *other.before, self.content)))


def content_of(kind: str, ids: bytes, lengths: bytes, target: str) -> bytes:
    """See `Entry.content`."""
    parts = (kind.encode(), ids, lengths, to_bytes(target))
    return blake3(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest(length=NAME)


def remembered(contents: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Which of many are kept: the greatest, so that joining in any order comes to the same."""
    return tuple(sorted({one for one in contents if one})[-MOST_BEFORE:])


@frozen
class Record:
    """A record as it is stored and sent; `raw` is the whole of it."""

    id: bytes
    vector: Vector
    deleted: bool
    names: bytes = field(repr=False)
    lengths: bytes = field(repr=False)
    sealed: bytes = field(repr=False)
    raw: bytes = field(repr=False)

    @property
    def digest(self) -> bytes:
        """16 bytes for the whole record."""
        return blake3(self.raw).digest(length=NAME)

    def chunks(self) -> list[tuple[bytes, int]]:
        """Name, and length when it is open, of each sealed chunk."""
        lengths = [int.from_bytes(self.lengths[at : at + 4], "big") for at in range(0, len(self.lengths), 4)]
        return [(self.names[NAME * at : NAME * (at + 1)], length) for at, length in enumerate(lengths)]

    def opened(self, keys: FolderKeys) -> Entry:
        """What readers see in it. Raises `WireError` ``bad-seal``, ``bad-path``, ``bad-field``."""
        path, kind, ids, mtime, before, writer, behind, executable, target = _INNER.read(keys.open_record(self.sealed))
        if len(ids) != len(self.names):
            raise WireError("bad-field", "a record names more chunks in one place than in another")
        if keys.path_id(path) != self.id:
            raise WireError("bad-field", "a record is that of another path than it says")
        if len(before) % NAME or writer >= len(self.vector):
            raise WireError("bad-field", "a record of a writer, or with a former content, that there is not")
        node, counter = sorted(self.vector.items())[writer]
        if behind >= counter:
            raise WireError("bad-field", "a record that was made before its writer began")
        former = tuple(before[at : at + NAME] for at in range(0, len(before), NAME))
        size = sum(length for _, length in self.chunks())
        return Entry(
            from_bytes(path), KINDS[kind], mtime, executable, ids, self.lengths, size, _target(target), former, node,
            counter - behind, self.deleted, self.names,
        )  # fmt: skip


def _target(raw: bytes) -> str:
    if b"\0" in raw:
        raise WireError("bad-path", "a link to nowhere")
    return os.fsdecode(raw)


def write(entry: Entry, vector: Vector, keys: FolderKeys) -> Record:
    """Seal and sign; the entry's writer is one of the vector. Raises `BitDustError` ``read-only``, `WireError` for what
    nobody could read."""
    path, writers = to_bytes(entry.path), sorted(vector)
    if len(writers) > MOST_WRITERS or max(vector.values()) > U63:
        raise WireError("too-many-writers", "others have written this so that nothing can follow it; rename it")
    inner = _INNER.written((
        path, KINDS.index(entry.kind), entry.ids, entry.mtime, b"".join(entry.before), writers.index(entry.writer),
        vector[entry.writer] - entry.made, entry.executable, to_bytes(entry.target),
    ))  # fmt: skip
    ident, sealed = keys.path_id(path), keys.seal_record(inner)
    body = body_of(ident, packed(vector), entry.deleted, entry.names, entry.lengths, sealed)
    return Record(ident, vector, entry.deleted, entry.names, entry.lengths, sealed, keys.sign(body) + body)


def packed(vector: Vector) -> bytes:
    """A vector as it is written."""
    return b"".join(node + count.to_bytes(8, "big") for node, count in sorted(vector.items()))


def body_of(ident: bytes, vector: bytes, deleted: bool, names: bytes, lengths: bytes, sealed: bytes) -> bytes:
    """What is signed."""
    return encode([ident, vector, deleted, names, lengths, sealed])


def read(raw: bytes, keys: FolderKeys | None = None) -> Record:
    """A record that came in, its signature checked unless ``keys`` is None: that is for what is stored here.

    Raises `WireError`.
    """
    signature, body = raw[:SIGNATURE], raw[SIGNATURE:]
    if keys is not None:
        keys.check(signature, body)
    ident, vector, deleted, names, lengths, sealed = _BODY.read(body)
    if len(names) % NAME or len(lengths) * NAME != len(names) * 4:
        raise WireError("bad-field", "each chunk has a name of 16 bytes and a length of four")
    if keys is not None and any(one > LONGEST_CHUNK for (one,) in _LENGTHS.iter_unpack(lengths)):
        raise WireError("bad-field", f"a chunk has at most {LONGEST_CHUNK} bytes")
    if len(vector) % (2 * NODE):
        raise WireError("bad-field", "a vector is a writer and its counter, 16 bytes each")
    pairs = [
        (vector[at : at + NODE], int.from_bytes(vector[at + NODE : at + 2 * NODE], "big"))
        for at in range(0, len(vector), 2 * NODE)
    ]
    if any(not 1 <= count <= U63 for _, count in pairs):
        raise WireError("bad-field", "a counter is from 1 to 2^63 - 1")
    return Record(ident, vector_of(pairs), deleted, names, lengths, sealed, bytes(raw))


def origin_of(device: bytes, run: bytes) -> bytes:
    """Who has told a record: a run of the journal of a device that has proved itself.

    A run alone could be told by anybody who was told it, and would keep records from whose run it is.
    """
    return blake3(device + run).digest(length=NAME)
