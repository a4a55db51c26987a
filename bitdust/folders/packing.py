"""Records as they travel: many at a time, the same part of each beside the others, and compressed.

::

    packed  = zlib of canonical CBOR [signatures, ids, vectors, deleted, names, lengths, sealed, counts]

The first seven are the parts of all records, joined; ``counts`` has three u32 for each record: bytes of its vector, its
chunks, and bytes of what is sealed. Names, seals and signatures do not become smaller, the rest nearly vanishes.
"""

import struct
import zlib
from collections.abc import Iterable

from bitdust.folders.keys import NAME
from bitdust.folders.records import MAX_RECORD, SIGNATURE, body_of, packed, read
from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.schema import Bytes

MOST = MAX_RECORD + 1024 * 1024
"""Bytes of records that travel together, unpacked."""
MOST_ROWS = 4096
"""Records that travel together: so many signatures are more than who tells them ever sends."""
_COUNTS = struct.Struct(">III")
_COLUMNS = 8


def pack(raws: Iterable[bytes]) -> bytes:
    """Records that are stored here."""
    columns: list[list[bytes]] = [[] for _ in range(_COLUMNS)]
    for raw in raws:
        record = read(raw)
        vector = packed(record.vector)
        counts = _COUNTS.pack(len(vector), len(record.names) // NAME, len(record.sealed))
        parts = (
            raw[:SIGNATURE], record.id, vector, bytes([record.deleted]), record.names, record.lengths, record.sealed,
            counts,
        )  # fmt: skip
        for column, part in zip(columns, parts, strict=True):
            column.append(part)
    return zlib.compress(encode([b"".join(column) for column in columns])) if columns[0] else b""


def unpack(payload: bytes) -> list[bytes]:
    """The same records, each still to be checked. Raises `WireError`."""
    if not payload:
        return []
    unzipping = zlib.decompressobj()
    try:
        data = unzipping.decompress(payload, MOST)
    except zlib.error as error:
        raise WireError("malformed", f"records that were not packed as they should be: {error}") from error
    if unzipping.unconsumed_tail or not unzipping.eof or unzipping.unused_data:
        raise WireError("too-large", f"more than {MOST} bytes of records, or something behind them")
    columns = decode(data, MOST, _COLUMNS + 1)
    if type(columns) is not list or len(columns) != _COLUMNS:
        raise WireError("malformed", "packed records have eight columns")
    for number, column in enumerate(columns):
        Bytes(0, MOST).check(column, f"column {number}")
    return _rows(columns)


def _rows(columns: list[bytes]) -> list[bytes]:
    counts = columns.pop()
    if len(counts) % _COUNTS.size:
        raise WireError("malformed", "packed records without their lengths")
    if len(counts) > MOST_ROWS * _COUNTS.size:
        raise WireError("too-large", f"more than {MOST_ROWS} records together")
    rows = [
        (SIGNATURE, NAME, vector_size, 1, NAME * chunks, 4 * chunks, sealed_size)
        for vector_size, chunks, sealed_size in _COUNTS.iter_unpack(counts)
    ]
    if any(not vector_size or not sealed_size for _, _, vector_size, _, _, _, sealed_size in rows):
        raise WireError("malformed", "a packed record without a vector, or with nothing sealed")
    sums = [sum(sizes) for sizes in zip(*rows, strict=True)] or [0] * len(columns)
    if sums != [len(column) for column in columns]:
        raise WireError("malformed", "packed records are longer or shorter than they say")
    found, at = [], [0] * len(columns)
    for sizes in rows:
        parts = []
        for number, (column, size) in enumerate(zip(columns, sizes, strict=True)):
            parts.append(column[at[number] : at[number] + size])
            at[number] += size
        signature, ident, vector, deleted, names, lengths, sealed = parts
        found.append(signature + body_of(ident, vector, deleted == b"\1", names, lengths, sealed))
    return found
