"""What a packet ``Data log`` carries: entries of one device's catalog log, and small pieces that belong to them.

A supplier keeps all of it in one commit (``docs/formats.md``, section 5). What it cannot keep of the pieces it names in
its answer, without giving up the entries; they then go the usual way, a packet each.
"""

from collections.abc import Sequence

from attrs import asdict, frozen

from bitdust.formats.log_entry import MAX_ENTRY
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.records import MAX_SUPPLIERS
from bitdust.wire.schema import Bytes, Int, ListOf, Struct, Text, parse

VERSION = 2
SMALL = 16 * 1024
"""Bytes of the largest piece that a supplier keeps beside its rows, and that a log packet may carry."""
MOST_ENTRIES = 256
MOST_PIECES = 64
MAX_PACKET = MAX_ENTRY + 1024 * 1024
_PIECE = Struct({"index": Int(0, MAX_SUPPLIERS - 1), "record": Bytes(1, 16 * 1024), "data": Bytes(1, SMALL)})
_PACKET = Struct(
    {
        "version": Int(VERSION, VERSION),
        "entries": ListOf(Bytes(1, MAX_ENTRY), MOST_ENTRIES, 1),
        "pieces": ListOf(_PIECE, MOST_PIECES),
    }
)
REFUSED = ListOf(Struct({"pack": Bytes(16), "index": Int(0, MAX_SUPPLIERS - 1), "code": Text(40)}), MOST_PIECES)
"""The field ``refused`` of the answer, as a customer checks it."""


@frozen
class SmallPiece:
    """A piece with its signed pack record; ``index`` is its number."""

    index: int
    record: bytes
    data: bytes


@frozen
class LogPacket:
    """Entries in order of their sequence, one at least, and small pieces in any order."""

    entries: tuple[bytes, ...]
    pieces: tuple[SmallPiece, ...] = ()

    def to_bytes(self) -> bytes:
        """Raises `WireError` ``too-large`` for more than a supplier takes."""
        pieces = [asdict(piece) for piece in self.pieces]
        data = encode({"version": VERSION, "entries": list(self.entries), "pieces": pieces})
        if len(data) > MAX_PACKET:
            raise WireError("too-large", f"a log packet of {len(data)} bytes; at most {MAX_PACKET} are sent")
        return data

    @classmethod
    def parse(cls, data: bytes) -> "LogPacket":
        """Raises `WireError`; entries and records inside are not looked at."""
        value = parse(data, _PACKET, MAX_PACKET, "log packet")
        return cls(tuple(value["entries"]), tuple(SmallPiece(**piece) for piece in value["pieces"]))


def fill(entries: Sequence[bytes], pieces: Sequence[SmallPiece], room: int = MAX_PACKET - 1024) -> LogPacket:
    """As many entries as fit into ``room`` bytes, one at least, and as many of the pieces as fit beside them."""
    chosen: list[bytes] = []
    for entry in entries[:MOST_ENTRIES]:
        if chosen and room < len(entry) + 16:
            break
        chosen.append(entry)
        room -= len(entry) + 16
    riders: list[SmallPiece] = []
    for piece in pieces[:MOST_PIECES]:
        room -= len(piece.record) + len(piece.data) + 64
        if room < 0:
            break
        riders.append(piece)
    return LogPacket(tuple(chosen), tuple(riders))
