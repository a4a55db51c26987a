"""What customers and strangers take of a supplier: its memory, its turns at the disk, its donated space."""

import tracemalloc
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bitdust.wire.packet import Command
from bitdust.wire.records import Head
from tests.unit.supplier_kit import MIB, Person, Shop

ALICE, MALLORY = Person("alice"), Person("mallory")


class DonatedCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.shop = Shop(Path(self.mktemp()))
        self.shop.open()
        self.addCleanup(self.shop.close)


class AnswerTests(DonatedCase):
    def test_answers_that_nobody_takes(self) -> None:
        """Sixty-four questions for a log of megabytes take no more memory than what was sent of the answers."""
        self.shop.hire(MALLORY, 64 * MIB)
        previous = bytes(32)
        for number in range(1, 9):
            [(data, signed)] = MALLORY.log(1, number, previous, bytes(MIB - 4096))
            self.assertIsNone(self.shop.log(MALLORY, (data, signed)).code)
            previous = Head.from_body(signed.body).hash
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        asked = [
            self.shop.ask(MALLORY, Command.RETRIEVE, "log", device=MALLORY.device.id, first=1, most=8 * MIB)
            for _ in range(64)
        ]
        for said in asked:
            self.assertEqual(len(said.payload.read(0, 65_536)), 65_536)
        self.assertEqual({said.payload.count for said in asked}, {8})
        self.assertLess(tracemalloc.get_traced_memory()[1], 8 * MIB)
