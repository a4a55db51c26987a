"""What a supplier promises: a part of what is free to a newcomer, more to who fills it, nothing for ever unfilled."""

import re
from pathlib import Path

from twisted.trial.unittest import TestCase

from bitdust.customers.promises import FIRST, SMALLEST
from bitdust.customers.quota import BESIDE, most_log
from bitdust.customers.store import DONATED
from bitdust.wire.packet import Command
from tests.unit.supplier_kit import DAY, Pack, Person, Shop, now

GB = 1024**3
ALICE, BOB = Person("alice"), Person("bob")


class PromiseTests(TestCase):
    def setUp(self) -> None:
        self.shop = Shop(Path(self.mktemp()))
        self.shop.open()
        self.addCleanup(self.shop.close)
        self.shop.settings.values[DONATED] = 8 * GB

    def room(self, person: Person) -> int:
        return self.shop.store.contract_of(person.fingerprint).contract.room

    def name(self, person: Person) -> bytes:
        return self.shop.store.contract_of(person.fingerprint).contract.contract

    def test_no_newcomer_gets_everything(self) -> None:
        """An eighth of what is free at most; the refusal says how much, and a hundred small wishes are granted."""
        said = self.shop.hire(ALICE, 2 * GB)
        self.assertEqual(said.code, "no-space")
        self.assertIn("1 GB can be promised", said.fields["text"])
        self.assertEqual(self.shop.hire(ALICE, GB).command, Command.ACK)
        for number in range(100):
            self.assertEqual(self.shop.hire(Person(f"p{number}"), FIRST).command, Command.ACK, number)

    def test_who_has_got_a_part_gets_no_more_by_asking(self) -> None:
        """Without pieces another wish ends at the same eighth, however often it comes."""
        self.shop.hire(ALICE, GB)
        for _ in range(3):
            self.assertEqual(self.shop.hire(ALICE, GB + 1, contract=self.name(ALICE)).code, "no-space")
        self.assertEqual(self.room(ALICE), GB)

    def test_who_fills_its_room_gets_twice_as_much(self) -> None:
        """Twice what is taken and the first part besides, also where that is more than an eighth of what is free."""
        self.shop.settings.values[DONATED] = 4 * FIRST
        self.shop.hire(ALICE, FIRST)
        self.shop.store._write_connection().execute("UPDATE customers SET used=?", (FIRST - 10 * BESIDE,))
        more = 2 * (FIRST - 10 * BESIDE) + FIRST
        self.assertEqual(self.shop.hire(ALICE, more + 1, contract=self.name(ALICE)).code, "no-space")
        self.assertEqual(self.shop.hire(ALICE, more, contract=self.name(ALICE)).command, Command.ACK)

    def test_the_smallest_room(self) -> None:
        """Nobody new gets a contract about nothing, with a log beside it."""
        for room in (0, 1, SMALLEST - 1):
            self.assertEqual(self.shop.hire(ALICE, room).code, "no-space")
        self.assertIsNone(self.shop.store.contract_of(ALICE.fingerprint))
        self.assertEqual(self.shop.hire(ALICE, SMALLEST).command, Command.ACK)

    def test_logs_count(self) -> None:
        """Half of the room may be logs, and what they take is lacking for pieces."""
        self.shop.hire(ALICE, SMALLEST)
        writer = self.shop.store._write_connection()
        writer.execute("UPDATE customers SET log_bytes=?", (most_log(SMALLEST) - 10,))
        self.assertEqual(self.shop.log(ALICE, ALICE.log(1)[0]).code, "no-space")
        said = self.shop.put(ALICE, Pack(ALICE, 1, SMALLEST))
        self.assertEqual(said.code, "no-space")
        self.assertTrue(re.search("bytes of logs", said.fields["text"]))
        writer.execute("UPDATE customers SET log_bytes=0")
        self.assertEqual(self.shop.log(ALICE, ALICE.log(1)[0]).command, Command.ACK)

    def test_unfilled_promises_lapse(self) -> None:
        """After a week what is not filled is free for others; renewing promises nothing anew."""
        self.shop.hire(ALICE, GB)
        self.shop.hire(BOB, FIRST)
        self.shop.store._write_connection().execute("UPDATE customers SET log_bytes=1")
        for _ in range(7):
            self.assertEqual(now(self.shop.store.lapse()), 0)
            self.shop.now += DAY
            self.shop.hire(ALICE, GB, contract=self.name(ALICE))
        self.assertEqual(now(self.shop.store.lapse()), 1)
        self.assertEqual((self.room(ALICE), self.room(BOB)), (FIRST + 2, FIRST))
