"""One record of a folder: what one path is, or that it is no more; signed by a writer, readable in part by keepers.

::

    record  = signature (64 bytes, Ed25519 of domain ‖ folder id ‖ body) ‖ body
    body    = canonical CBOR {id, vector, deleted, names, lengths, sealed}
    sealed  = AES-256-GCM-SIV of canonical CBOR {path, kind, mtime, executable, ids, size, target, before, writer,
              made}

``id`` is 16 bytes of keyed BLAKE3 of the path. ``vector`` is a version vector: pairs of a writer's 8 bytes and a
counter, in the order of the bytes. ``names`` are 16 bytes for each sealed chunk, ``ids`` 16 bytes for each plain one,
``lengths`` four. ``before`` are contents that this path has had, so that who still has one of them is known to be late.
The same content, vector and writer give the same bytes, whoever seals and signs them.
"""

import os
from typing import Any

from attrs import evolve, field, frozen
from blake3 import blake3

from bitdust.folders.keys import NAME, TAG, FolderKeys
from bitdust.folders.paths import from_bytes, to_bytes
from bitdust.folders.vectors import Vector, vector_of
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.schema import U63, Bytes, Choice, Flag, Int, ListOf, Struct, parse

SIGNATURE = 64
MAX_RECORD = 16 * 1024 * 1024
MOST_CHUNKS = MAX_RECORD // 64
MOST_BEFORE = 32
"""Former contents that are remembered."""
MOST_WRITERS = 1000
FILE, FOLDER, LINK = "file", "folder", "link"
NODE = 8


class _Pair:
    def check(self, value: Any, path: str) -> None:
        if type(value) is not list or len(value) != 2:
            raise WireError("bad-field", f"{path}: expected a writer and its counter")
        Bytes(NODE).check(value[0], path)
        Int(1).check(value[1], path)


_BODY = Struct(
    {
        "id": Bytes(NAME),
        "vector": ListOf(_Pair(), MOST_WRITERS, 1),
        "deleted": Flag(),
        "names": Bytes(0, MOST_CHUNKS * NAME),
        "lengths": Bytes(0, MOST_CHUNKS * 4),
        "sealed": Bytes(TAG, MAX_RECORD),
    }
)
_INNER = Struct(
    {
        "path": Bytes(1, 4095),
        "kind": Choice((FILE, FOLDER, LINK)),
        "mtime": Int(-U63, U63),
        "executable": Flag(),
        "ids": Bytes(0, MOST_CHUNKS * NAME),
        "size": Int(),
        "target": Bytes(0, 4095),
        "before": ListOf(Bytes(NAME), MOST_BEFORE),
        "writer": Bytes(NODE),
        "made": Int(1),
    }
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
        inner = parse(keys.open_record(self.sealed), _INNER, MAX_RECORD, "record", max_items=256)
        count = len(self.names) // NAME
        if len(inner["ids"]) != count * NAME:
            raise WireError("bad-field", "a record names more chunks in one place than in another")
        if keys.path_id(inner["path"]) != self.id:
            raise WireError("bad-field", "a record is that of another path than it says")
        return Entry(
            from_bytes(inner["path"]), inner["kind"], inner["mtime"], inner["executable"], inner["ids"],
            self.lengths, inner["size"], _target(inner["target"]), tuple(inner["before"]), inner["writer"],
            inner["made"], self.deleted, self.names,
        )  # fmt: skip


def _target(raw: bytes) -> str:
    if b"\0" in raw:
        raise WireError("bad-path", "a link to nowhere")
    return os.fsdecode(raw)


def write(entry: Entry, vector: Vector, keys: FolderKeys) -> Record:
    """Seal and sign. Raises `BitDustError` ``read-only``."""
    inner: dict[str, Any] = {
        "path": to_bytes(entry.path),
        "kind": entry.kind,
        "mtime": entry.mtime,
        "executable": entry.executable,
        "ids": entry.ids,
        "size": entry.size,
        "target": to_bytes(entry.target),
        "before": list(entry.before),
        "writer": entry.writer,
        "made": entry.made,
    }
    fields: dict[str, Any] = {
        "id": keys.path_id(inner["path"]),
        "vector": [[node, count] for node, count in sorted(vector.items())],
        "deleted": entry.deleted,
        "names": entry.names,
        "lengths": entry.lengths,
        "sealed": keys.seal_record(encode(inner)),
    }
    body = encode(fields)
    raw = keys.sign(body) + body
    return Record(fields["id"], vector, entry.deleted, entry.names, entry.lengths, fields["sealed"], raw)


def read(raw: bytes, keys: FolderKeys | None = None) -> Record:
    """A record that came in, its signature checked unless ``keys`` is None: that is for what is stored here.

    Raises `WireError`.
    """
    signature, body = raw[:SIGNATURE], raw[SIGNATURE:]
    if keys is not None:
        keys.check(signature, body)
    fields = parse(body, _BODY, MAX_RECORD, "record", max_items=4 * MOST_WRITERS)
    if len(fields["names"]) % NAME or len(fields["lengths"]) * NAME != len(fields["names"]) * 4:
        raise WireError("bad-field", "each chunk has a name of 16 bytes and a length of four")
    vector = vector_of(fields["vector"])
    return Record(
        fields["id"], vector, fields["deleted"], fields["names"], fields["lengths"], fields["sealed"], bytes(raw)
    )
