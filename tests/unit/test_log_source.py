"""Logs that are read from the database while they are sent."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bitdust.customers.log_source import LogSource
from bitdust.wire.encoding import BYTES, LIST, encode, head
from bitdust.wire.packet import Command
from bitdust.wire.records import Head
from tests.unit.supplier_kit import Person, Shop

ALICE = Person("alice")
SIZES = (1, 23, 24, 255, 256, 70_000, 65_535, 65_536, 10)


class LogSourceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.shop = Shop(Path(self.mktemp()))
        self.shop.open()
        self.addCleanup(self.shop.close)
        self.shop.hire(ALICE)
        self.entries, previous = [], bytes(32)
        for number, size in enumerate(SIZES, 1):
            [(data, signed)] = ALICE.log(1, number, previous, bytes(size))
            self.assertIsNone(self.shop.log(ALICE, (data, signed)).code)
            self.entries.append(data)
            previous = Head.from_body(signed.body).hash

    def source(self, first: int = 1, most: int = 10**9) -> LogSource:
        return self.shop.store.entries(ALICE.fingerprint, ALICE.device.id, first, most)

    def parts(self, source: LogSource, length: int) -> bytes:
        found = b""
        while part := source.read(len(found), length):
            self.assertLessEqual(len(part), length)
            found += part
        return found

    def test_parts_of_any_size(self) -> None:
        """The parts are those of the list as it would be encoded at once, however long each is."""
        for first, expected in ((1, self.entries), (4, self.entries[3:]), (9, self.entries[8:]), (10, [])):
            for length in (7, 100, 4096, 65_536, 10**6):
                source = self.source(first)
                self.assertEqual(self.parts(source, length), encode(expected))
                self.assertEqual((source.size, source.count), (len(encode(expected)), len(expected)))

    def test_in_any_order(self) -> None:
        """A part that was read can be read again."""
        source, whole = self.source(), encode(self.entries)
        for offset in (100_000, 0, 70_500, 1, 3):
            self.assertEqual(source.read(offset, 1000), whole[offset : offset + 1000])

    def test_as_many_as_fit(self) -> None:
        """Entries of so many bytes, and one at least."""
        self.assertEqual([self.source(1, most).count for most in (1, len(self.entries[0]) * 2 + 50, 10**9)], [1, 2, 9])

    def test_entries_that_are_forgotten_meanwhile(self) -> None:
        """The list ends too early, and never looks whole; nor does it when the store is closed."""
        source = self.source()
        got = source.read(0, 500)
        self.shop.store._writer.execute("DELETE FROM log WHERE sequence<6")
        while part := source.read(len(got), 65_536):
            got += part
        self.assertLess(len(got), source.size)
        source = self.source(6)
        self.shop.close()
        self.assertEqual(source.read(0, 1000), b"")
        self.shop.open()

    def test_heads(self) -> None:
        """What stands before a value is what the encoding of all of it begins with."""
        for size in (0, 23, 24, 255, 256, 65_535, 65_536):
            self.assertEqual(head(BYTES, size) + bytes(size), encode(bytes(size)))
            self.assertEqual(head(LIST, size) + b"\xf6" * size, encode([None] * size))
        self.assertEqual(head(BYTES, 2**32)[:2], b"\x5b\x00")

    def test_what_is_answered(self) -> None:
        """The answer to Retrieve says how many entries there are."""
        said = self.shop.ask(ALICE, Command.RETRIEVE, "log", device=ALICE.device.id, first=8, most=10**6)
        self.assertEqual((said.fields["count"], said.bytes), (2, encode(self.entries[7:])))
