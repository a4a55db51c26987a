"""Nodes that keep mailboxes, and those for whom and by whom they are filled, when they lie or want too much."""

from typing import Any
from unittest.mock import patch

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.people.amounts import _STRANGER, Amounts
from bitdust.people.mailboxes.store import BOXES
from bitdust.people.messages import messages
from bitdust.people.messages.desk import MOST_NOTICES_FOR_ONE
from bitdust.people.messages.visits import PACE
from bitdust.scopes.reservations import Allowance
from bitdust.wire.encoding import encode
from bitdust.wire.envelopes import Envelope
from bitdust.wire.errors import BitDustError
from bitdust.wire.prekeys import DEPOSIT, FETCH, WAITING
from bitdust.wire.table import Who
from tests.hostile.test_messages import HostileCase
from tests.unit.message_kit import Reply
from tests.unit.test_messages import MailboxCase


class LyingKeeperTests(MailboxCase, HostileCase):
    """Carol keeps a mailbox of bob's, and says what she likes of it."""

    def setUp(self) -> None:
        super().setUp()
        self.carol = self.keepers[0]
        self.fetched = 0
        self.passes(700)

    def lie(self, answer: Any) -> None:
        """From now on she answers so, to what is asked for the first time, the second time, ..."""
        ask = type(self.office).ask

        def lie(sender: Any, recipient: Any, fields: dict[str, Any], payload: bytes = b"") -> Any:
            answered = ask(self.office, sender, recipient, fields, payload)
            if recipient is self.carol and fields["kind"] == FETCH:
                self.fetched += 1
                said, data = answer(self.fetched)
                return answered.addCallback(lambda _: Reply(said, data))
            return answered

        self.office.ask = lie

    def call(self) -> None:
        self.successResultOf(self.office.ask(self.carol, self.bob, {"kind": WAITING}))

    def test_losses_that_she_invents(self) -> None:
        """Notices of envelopes of strangers take no room of what bob writes, and are few."""
        self.patch(messages, "MOST_TO_STRANGERS", 20)
        place = (self.mallory.me.fingerprint, self.mallory.me.device.id)
        self.mallory.crash()

        def answer(number: int) -> tuple[dict[str, Any], bytes]:
            lost = [[number, *place, number.to_bytes(16, "big")]]
            return {"numbers": [], "lost": lost, "more": False, "left": 50}, encode([[], []])

        self.lie(answer)
        desk = self.bob.messages.letters.desk
        with patch("bitdust.people.messages.desk.MOST_WAITING", 30):
            for _ in range(50):
                self.call()
                self.passes(3)
            self.assertGreater(self.fetched, 20)
            self.assertLessEqual(len(desk.rows), 20)
            self.assertEqual(self.successResultOf(self.send(self.bob, self.alice, "written").arrived), "stored")
        self.bob.friends.add(self.mallory.me.fingerprint)
        for _ in range(MOST_NOTICES_FOR_ONE):
            self.call()
            self.passes(3)
        self.assertEqual(len(desk.rows), MOST_NOTICES_FOR_ONE)

    def test_answers_without_end(self) -> None:
        """A mailbox that always has more is asked as often as a full one would be, however often she calls."""
        visit = self.bob.messages._visits._visits[self.carol.me.fingerprint]
        visit._pace = Allowance(self.bob.clock, PACE[0], 10.0)
        self.lie(lambda number: ({"numbers": [number], "more": True, "left": 50}, encode([[b"x"], []])))
        for _ in range(100):
            self.call()
        self.assertLessEqual(self.fetched, 11)
        self.passes(20)
        self.call()
        self.assertGreater(self.fetched, 11)

    def test_messages_without_end(self) -> None:
        """Through a mailbox a stranger has no more taken than otherwise; the rest stays there, and is taken later."""
        self.begin(self.mallory, self.bob)
        envelope = Envelope.from_bytes(self.sealed(self.mallory, self.bob, b"x"))
        burst = int(_STRANGER[0][1])
        raw = [evolve(envelope, id=number.to_bytes(16, "big")).to_bytes() for number in range(burst + 50)]
        numbers = list(range(1, len(raw) + 1))
        self.lie(lambda number: ({"numbers": numbers, "more": False, "left": 50}, encode([raw, []])))
        gone: list[int] = []
        taken = self.bob.messages.incoming.take
        self.bob.messages.incoming.take = lambda origin, some, stops: gone.append(len(some)) or taken(
            origin, some, stops
        )
        self.passes(60)
        self.call()
        self.assertEqual(gone, [burst])
        self.passes(20)
        self.call()
        self.assertEqual(gone[1:], [40])


class AmountsTests(SynchronousTestCase):
    def test_who_was_not_chosen_to_write(self) -> None:
        """Whoever became a customer, or was found as a supplier, has a stranger's share; friends have their own."""
        for role, least in ((Who.CUSTOMER, False), (Who.SUPPLIER, False), (Who.FRIEND, True), (Who.DEVICE, True)):
            amounts, taken = Amounts(Clock(), lambda peer, role=role: role), 0
            try:
                for _ in range(200):
                    amounts.spend(b"p" * 32, 1000)
                    taken += 1
            except BitDustError as error:
                self.assertEqual(error.code, "busy")
            self.assertEqual(taken, 200 if least else 100, role)


    def test_a_disk_that_is_nearly_full(self) -> None:
        """Nobody's messages fill the disk into the reserve, not those of friends either; own devices are served."""
        clock, room = Clock(), [False]
        for role, code in ((Who.FRIEND, "busy"), (Who(0), "busy"), (Who.DEVICE, "")):
            amounts, said = Amounts(clock, lambda peer, role=role: role, lambda: room[0]), ""
            try:
                amounts.spend(b"p" * 32, 1000)
            except BitDustError as error:
                said = error.code
            self.assertEqual(said, code)
        amounts = Amounts(clock, lambda peer: Who.FRIEND, lambda: room[0])
        self.assertRaises(BitDustError, amounts.spend, b"p" * 32, 1000)
        room[0] = True
        clock.advance(10)
        amounts.spend(b"p" * 32, 1000)


class RoomTests(MailboxCase, HostileCase):
    """Carol keeps mailboxes for bob, a friend, and for whoever is a customer."""

    def setUp(self) -> None:
        super().setUp()
        self.carol = self.keepers[0]
        self.store = self.carol.mailboxes.store

    def deposit(self, letters: int, size: int) -> list[str]:
        """What mallory, whose document has that size, brings for bob at once."""
        self.begin(self.mallory, self.bob)
        envelope = Envelope.from_bytes(self.sealed(self.mallory, self.bob, b"x"))
        raw = [evolve(envelope, id=number.to_bytes(16, "big")).to_bytes() for number in range(letters)]
        fields = {"kind": DEPOSIT, "recipient": self.bob.me.fingerprint, "to": self.bob.me.device.id}
        object.__setattr__(self.mallory.me.document, "xml", bytes(size))
        return self.successResultOf(self.office.ask(self.mallory, self.carol, fields, encode(raw))).fields["results"]

    def test_documents_count(self) -> None:
        """What is kept of a sender's document counts in the room for mailboxes."""
        self.patch(self.store, "_most", lambda: 100_000)
        self.assertEqual(self.deposit(4, 40_000), ["stored", "stored", "full", "full"])

    def test_mailboxes_of_customers(self) -> None:
        """They fill half of the room; the rest is for those of friends."""
        self.carol.friends.clear()
        self.patch(self.store, "_most", lambda: 4000)
        self.assertEqual(self.deposit(4, 400), ["stored", "stored", "full", "full"])
        self.carol.friends.add(self.bob.me.fingerprint)
        self.assertEqual(self.deposit(4, 400), ["stored"] * 4)

    def test_devices_without_end(self) -> None:
        """Somebody who comes with one device after the other has some mailboxes, those that were opened last."""
        person, opened = b"m" * 32, []
        for number in range(BOXES + 5):
            opened.append(DeviceKey(number.to_bytes(32, "big")).id)
            self.office.clock.advance(1)
            self.successResultOf(self.store.keep_open((person, opened[-1]), []))
        rows = self.store._reader.execute("SELECT device FROM boxes WHERE person=? ORDER BY number", (person,))
        self.assertEqual([device for (device,) in rows], opened[-BOXES:])
        self.assertEqual(self.successResultOf(self.store.figures())[0], BOXES + 1)
