"""Envelopes and prekeys as they travel."""

from attrs import evolve
from twisted.trial.unittest import TestCase

from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.envelopes import MOST_IN_BATCH, SMALLEST, Envelope, pack, padded, unpack, unpadded
from bitdust.wire.prekeys import MAX_MAILBOXES, Prekeys

ENVELOPE = Envelope(
    b"i" * 16, b"a" * 32, b"device-a", b"b" * 32, b"device-b", b"k" * 32, 7, None, b"r" * 32, 0, 3, b"sealed" * 20
)
PREKEYS = Prekeys(b"a" * 32, b"device-a", 7, b"k" * 32, 1_700_000_000_000, [b"m" * 32])


class EnvelopeTests(TestCase):
    def test_every_field_is_back(self):
        """With a beginning of a session, with a one-time prekey, and without."""
        plain = evolve(ENVELOPE, base=None, signed=None)
        for one in (ENVELOPE, evolve(ENVELOPE, once=9), plain):
            self.assertEqual(Envelope.from_bytes(one.to_bytes()), one)

    def test_malformed(self):
        """What lacks something, has too much, or begins a session by halves is refused."""
        good = decode(ENVELOPE.to_bytes(), 4096)
        for number, bad in ((0, 2), (1, b"short"), (2, "text"), (6, None), (7, None), (10, -1), (12, b"short")):
            self.assertRaises(WireError, Envelope.from_bytes, encode([*good[:number], bad, *good[number + 1 :]]))
        for bad in (good[:-1], [*good, 1], {}, 7):
            self.assertRaises(WireError, Envelope.from_bytes, encode(bad))
        self.assertRaises(WireError, Envelope.from_bytes, encode([*good[:6], None, None, 9, *good[9:]]))
        self.assertRaises(WireError, Envelope.from_bytes, ENVELOPE.to_bytes() + b"\0")

    def test_the_address_binds_everybody(self):
        """Another sender, recipient, device or name is another address."""
        changes = ({"id": b"j" * 16}, {"sender": b"x" * 32}, {"device": b"device-x"}, {"recipient": b"x" * 32})
        others = {evolve(ENVELOPE, **change).beside for change in (*changes, {"to": b"device-x"})}
        self.assertEqual(len(others - {ENVELOPE.beside}), 5)

    def test_batches(self):
        """Several travel as one payload; what is no list of bytes, or has too many, is refused."""
        raw = [ENVELOPE.to_bytes(), b"x"]
        self.assertEqual(unpack(pack(raw)), raw)
        for bad in (b"", encode({}), encode([1]), encode([b""]), pack([b"x"] * (MOST_IN_BATCH + 1))):
            self.assertRaises(WireError, unpack, bad)

    def test_sizes_have_classes(self):
        """Lengths are hidden in classes: powers of two, above 8 KiB at most a twelfth more and 16 steps to a power."""
        self.assertEqual({len(padded(b"x" * size)) for size in range(SMALLEST)}, {SMALLEST})
        for size in (0, 1, 255, 256, 4000, 8191, 8192, 10_000, 100_000, 1_050_000):
            plain = b"\x80" * size
            filled = padded(plain)
            self.assertEqual(unpadded(filled), plain)
            if size > 8192:
                self.assertLess(len(filled), size * 13 / 12 + 1)
        self.assertLess(len({len(padded(bytes(size))) for size in range(8192, 65_536, 16)}), 50)

    def test_bad_padding(self):
        """What is not filled up as it should be is refused."""
        for bad in (b"", bytes(256), b"text\x80\0\1", b"text"):
            self.assertRaises(WireError, unpadded, bad)


class PrekeysTests(TestCase):
    def test_every_field_is_back(self):
        """Also without a mailbox."""
        for one in (PREKEYS, evolve(PREKEYS, mailboxes=[])):
            self.assertEqual(Prekeys.from_body(one.to_body()), one)

    def test_malformed(self):
        """A key of another length, or more mailboxes than there may be, is refused."""
        for change in ({"key": b"short"}, {"mailboxes": [b"m" * 32] * (MAX_MAILBOXES + 1)}, {"id": 2**32}):
            self.assertRaises(WireError, Prekeys.from_body, evolve(PREKEYS, **change).to_body())
