"""A supplier tells those who read a log that somebody has written."""

from types import SimpleNamespace

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.customers import readers
from bitdust.customers.readers import EVERY, GATHER, REMEMBERED, Readers
from bitdust.wire.errors import BitDustError
from tests.unit.supplier_kit import Person

OWNER, SCOPE = b"o" * 32, b"s" * 16
BOB, CARL = Person("bob"), Person("carl")


class ReadersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.up: list[SimpleNamespace] = []
        self.sent: list[tuple[object, dict, Deferred]] = []
        around = SimpleNamespace(
            world=SimpleNamespace(clock=self.clock), outbox=self, sessions=SimpleNamespace(sessions=lambda: self.up)
        )
        self.readers = Readers(around, lambda owner, scope: [], list)
        self.readers.start()
        self.addCleanup(self.readers.stop)

    def send(self, to, command, fields, *, deadline, session):
        answer: Deferred = Deferred()
        self.sent.append((session, fields, answer))
        return answer

    def come(self, person: Person) -> SimpleNamespace:
        session = SimpleNamespace(peer=SimpleNamespace(fingerprint=person.fingerprint, device=person.device.id))
        self.up.append(session)
        return session

    def read(self, person: Person) -> SimpleNamespace:
        self.readers.note(OWNER, SCOPE, person.fingerprint)
        return self.come(person)

    def told(self) -> list[object]:
        self.clock.advance(EVERY)
        sent, self.sent[:] = list(self.sent), []
        for _, _, answer in sent:
            answer.callback(None)
        return [session for session, _, _ in sent]

    def test_a_device_that_wants_no_reports(self) -> None:
        """What one device of somebody does not want another one of the same person still gets."""
        who = BOB.fingerprint
        bob = self.come(BOB)
        self.readers.note(OWNER, SCOPE, who, b"1")
        self.readers.forget(OWNER, SCOPE, who, b"2")
        self.readers.report(OWNER, SCOPE, CARL.device.id)
        self.assertEqual(self.told(), [bob])
        self.readers.forget(OWNER, SCOPE, who, b"1")
        self.readers.report(OWNER, SCOPE, CARL.device.id)
        self.assertEqual(self.told(), [])

    def test_two_devices_of_one_person(self) -> None:
        """Where both devices of somebody want reports, each wants them until it says otherwise, whoever asked last."""
        who = BOB.fingerprint
        bob = self.come(BOB)
        for leaving, staying in ((b"1", b"2"), (b"2", b"1")):
            self.readers.note(OWNER, SCOPE, who, b"1")
            self.readers.note(OWNER, SCOPE, who, b"2")
            self.readers.forget(OWNER, SCOPE, who, leaving)
            self.readers.report(OWNER, SCOPE, CARL.device.id)
            self.assertEqual(self.told(), [bob])
            self.readers.forget(OWNER, SCOPE, who, staying)
            self.readers.report(OWNER, SCOPE, CARL.device.id)
            self.assertEqual(self.told(), [])

    def test_somebody_was_shut_out(self) -> None:
        """All who read something of an owner are to ask again; readers of others hear nothing."""
        bob = self.read(BOB)
        self.readers.note(b"other" * 6, SCOPE, CARL.fingerprint)
        self.come(CARL)
        self.readers.report_all(OWNER)
        self.assertEqual(self.told(), [bob])

    def test_those_who_read(self) -> None:
        """Everybody who has asked lately hears of it once, however many entries came, but not who brought them."""
        bob, carl = self.read(BOB), self.read(CARL)
        self.come(Person("stranger"))
        for _ in range(3):
            self.readers.report(OWNER, SCOPE, BOB.device.id)
        self.assertEqual(self.told(), [carl])
        self.readers.report(OWNER, SCOPE, CARL.device.id)
        self.readers.report(OWNER, SCOPE, BOB.device.id)
        self.assertEqual(self.told(), [bob, carl])
        self.readers.report(OWNER, b"x" * 16, CARL.device.id)
        self.assertEqual(self.told(), [])
        self.clock.advance(REMEMBERED)
        self.readers.report(OWNER, SCOPE, b"another!")
        self.assertEqual(self.told(), [])
        self.assertEqual([queue.readers for queue in self.readers.queues()], [[]])

    def test_many_at_once(self) -> None:
        """The first entry is reported at once, those that follow together: two reports a second at most."""
        self.read(BOB)
        for number in range(100):
            self.readers.report(OWNER, SCOPE, CARL.device.id)
            self.clock.advance(GATHER)
            self.assertEqual(len(self.sent), 1 + number * GATHER // EVERY)
            self.sent[-1][2].called or self.sent[-1][2].callback(None)

    def test_slow_ones(self) -> None:
        """Who has not answered hears of what came meanwhile when it has, once."""
        self.read(BOB)
        for _ in range(3):
            self.readers.report(OWNER, SCOPE, CARL.device.id)
            self.clock.advance(EVERY)
        ((_, _, answer),) = self.sent
        self.assertEqual(self.readers.late(), 1)
        self.sent.clear()
        answer.callback(None)
        self.assertEqual(len(self.sent), 1)
        self.sent.pop()[2].callback(None)
        self.assertEqual((self.sent, self.readers.late()), ([], 0))

    def test_back_over_another_session(self) -> None:
        """Who was gone without a word and is back hears of what it missed; a failure alone is not repeated."""
        gone = self.read(BOB)
        self.readers.report(OWNER, SCOPE, CARL.device.id)
        self.clock.advance(GATHER)
        back = self.come(BOB)
        self.up.remove(gone)
        self.sent.pop()[2].errback(BitDustError("no-answer", "the session was lost"))
        ((session, _, answer),) = self.sent
        self.assertIs(session, back)
        self.sent.clear()
        answer.errback(BitDustError("no-answer", "silence"))
        self.assertEqual(self.sent, [])

    def test_bounded(self) -> None:
        """Readers and logs that are remembered are bounded: the oldest go first."""
        self.patch(readers, "MOST_READERS", 2)
        self.patch(readers, "MOST_LOGS", 2)
        for number in range(3):
            self.readers.note(OWNER, SCOPE, bytes([number]) * 32)
        (queue,) = self.readers.queues()
        self.assertEqual(queue.readers, [b"\1" * 32, b"\2" * 32])
        self.patch(readers, "MOST_DEVICES", 2)
        for number in range(3):
            self.readers.note(OWNER, SCOPE, b"\2" * 32, bytes([number]))
        for number in (1, 2):
            self.readers.forget(OWNER, SCOPE, b"\2" * 32, bytes([number]))
        (queue,) = self.readers.queues()
        self.assertEqual(queue.readers, [b"\1" * 32])
        for number in range(3):
            self.readers.note(OWNER, bytes([number]) * 16, BOB.fingerprint)
        self.assertEqual([queue.scope for queue in self.readers.queues()], [b"\1" * 16, b"\2" * 16])

    def test_switched_off(self) -> None:
        """While its service is off nothing is reported."""
        self.read(BOB)
        self.readers.stop()
        self.readers.report(OWNER, SCOPE, CARL.device.id)
        self.assertEqual(self.told(), [])
