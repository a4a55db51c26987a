"""The packet of log entries with small pieces: what is read, what is refused, and how it is filled."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.formats.log_entry import MAX_ENTRY
from bitdust.formats.log_packet import (
    MAX_PACKET,
    MOST_ENTRIES,
    MOST_PIECES,
    SMALL,
    LogPacket,
    SmallPiece,
    fill,
)
from bitdust.wire.encoding import WireError, decode, encode

PIECE = SmallPiece(1, b"record", b"data")
PACKET = LogPacket((b"one", b"two"), (PIECE,))


class LogPacketTests(SynchronousTestCase):
    def code(self, data: bytes) -> str:
        return str(self.assertRaises(WireError, LogPacket.parse, data).code)

    def changed(self, **fields) -> bytes:
        return encode(decode(PACKET.to_bytes(), MAX_PACKET) | fields)

    def test_reads_back(self) -> None:
        """A packet reads back the same, with pieces and without."""
        for packet in (PACKET, LogPacket((b"one",))):
            self.assertEqual(LogPacket.parse(packet.to_bytes()), packet)

    def test_limits(self) -> None:
        """No entry, too many of either, too large a piece, another version and unknown fields are refused."""
        piece = {"index": 1, "record": b"record", "data": b"data"}
        for fields in (
            {"version": 1},
            {"entries": []},
            {"entries": [b"e"] * (MOST_ENTRIES + 1)},
            {"entries": [b""]},
            {"entries": [bytes(MAX_ENTRY + 1)]},
            {"pieces": [piece] * (MOST_PIECES + 1)},
            {"pieces": [piece | {"data": bytes(SMALL + 1)}]},
            {"pieces": [piece | {"data": b""}]},
            {"pieces": [piece | {"index": -1}]},
            {"pieces": [piece | {"record": b""}]},
            {"pieces": [piece | {"more": 1}]},
            {"more": 1},
        ):
            self.assertIn(self.code(self.changed(**fields)), ("bad-field", "malformed"), fields)
        self.assertEqual(self.code(bytes(MAX_PACKET + 1)), "too-large")
        for name in ("version", "entries", "pieces"):
            value = decode(PACKET.to_bytes(), MAX_PACKET)
            del value[name]
            self.assertEqual(self.code(encode(value)), "bad-field")

    @settings(deadline=None, max_examples=60)
    @given(st.binary(max_size=60))
    def test_any_bytes(self, data) -> None:
        """Bytes that are no packet are refused."""
        self.assertRaises(WireError, LogPacket.parse, data)

    def test_too_much_is_never_sent(self) -> None:
        """A packet that no supplier would take is refused before it is sent."""
        self.assertRaises(WireError, LogPacket((bytes(MAX_ENTRY),) * 3).to_bytes)

    def test_filling(self) -> None:
        """A packet takes entries from the first on, one at least, then pieces, as many as fit."""
        small = [SmallPiece(0, bytes(300), bytes(SMALL))] * 100
        for entries, count in (
            ([b"entry"] * 1000, MOST_ENTRIES),
            ([bytes(MAX_ENTRY)] * 3, 1),
            ([b"small", bytes(MAX_ENTRY), bytes(MAX_ENTRY), b"small"], 2),
        ):
            packet = fill(entries, small)
            self.assertEqual(packet.entries, tuple(entries[:count]))
            self.assertLessEqual(len(packet.to_bytes()), MAX_PACKET)
            self.assertGreater(len(packet.pieces), 30)
        self.assertEqual(len(fill([b"entry"], small).pieces), MOST_PIECES)
        self.assertEqual(len(fill([bytes(MAX_ENTRY)], [SmallPiece(0, bytes(16 * 1024), bytes(SMALL))] * 64).pieces), 31)
