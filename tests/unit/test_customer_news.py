"""News of a supplier: what one device has brought is reported to the owner's other devices, in few packets."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.batching import Soon
from bitdust.customers.news import GATHER, News
from bitdust.wire.encoding import WireError
from bitdust.wire.news import FIELDS
from bitdust.wire.schema import Struct

ALICE, BOB = b"a" * 32, b"b" * 32
ONE, TWO, THREE = (bytes([number]) * 8 for number in range(3))


class NewsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.here = [self.session(ALICE, ONE), self.session(ALICE, TWO), self.session(BOB, THREE)]
        self.sent: list[tuple[bytes, list[str], Deferred[Any]]] = []
        sessions = SimpleNamespace(sessions=lambda: self.here)
        around = SimpleNamespace(world=SimpleNamespace(clock=self.clock), sessions=sessions, outbox=self)
        self.news = News(around)  # type: ignore[arg-type]
        self.addCleanup(self.news.stop)

    def session(self, who: bytes, device: bytes) -> Any:
        return SimpleNamespace(peer=SimpleNamespace(fingerprint=who, device=device))

    def send(self, to: bytes, command: str, fields: dict[str, Any], *, deadline: float, session: Any) -> Any:
        Struct(FIELDS).check(fields, "fields")
        self.assertEqual(session.peer.fingerprint, to)
        answer: Deferred[Any] = Deferred()
        self.sent.append((session.peer.device, fields["records"], answer))
        return answer

    def reported(self) -> list[tuple[bytes, list[str]]]:
        return [(device, records) for device, records, _ in self.sent]

    def test_the_others_alone(self) -> None:
        """Neither the device that brought it nor anybody else's is told; what gathers goes in one packet."""
        for record in ("log", "log", "keyring"):
            self.news.report(ALICE, ONE, record)
        self.clock.advance(GATHER)
        self.assertEqual(self.reported(), [(TWO, ["keyring", "log"])])

    def test_each_hears_of_the_other(self) -> None:
        """Where both have written, both are told."""
        self.news.report(ALICE, ONE, "log")
        self.news.report(ALICE, TWO, "family")
        self.clock.advance(GATHER)
        self.assertEqual(self.reported(), [(ONE, ["family"]), (TWO, ["log"])])

    def test_one_report_at_a_time(self) -> None:
        """A device that has not answered is told the rest when it has."""
        for _ in range(3):
            self.news.report(ALICE, ONE, "log")
            self.clock.advance(GATHER)
        self.assertEqual(len(self.sent), 1)
        self.sent[0][2].callback(None)
        self.clock.advance(GATHER)
        self.assertEqual(self.reported(), [(TWO, ["log"])] * 2)
        self.sent[1][2].errback(WireError("no-answer", "gone"))
        self.clock.advance(10)
        self.assertEqual(len(self.sent), 2)

    def test_who_is_silent_makes_no_noise_for_others(self) -> None:
        """While one device does not answer, another one is told of each change once."""
        self.here.append(self.session(ALICE, THREE))
        for _ in range(2):
            self.news.report(ALICE, ONE, "log")
            self.clock.advance(GATHER)
            for device, _records, answer in self.sent:
                if device == TWO and not answer.called:
                    answer.callback(None)
        self.clock.pump([GATHER] * 100)
        self.assertEqual(self.reported(), [(TWO, ["log"]), (THREE, ["log"]), (TWO, ["log"])])
        self.sent[1][2].callback(None)
        self.clock.advance(GATHER)
        self.assertEqual(self.reported()[3:], [(THREE, ["log"])])

    def test_nobody_is_there(self) -> None:
        """Who has no session is not told, and nothing is kept for it."""
        self.here = self.here[:1]
        self.news.report(ALICE, ONE, "log")
        self.clock.advance(GATHER)
        self.assertEqual((self.sent, self.clock.getDelayedCalls()), ([], []))


class SoonTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.done, self.can = Clock(), list[float](), True
        self.soon = Soon(self.clock, self.job)

    def job(self) -> bool:
        self.done.append(self.clock.seconds())
        return self.can

    def test_once_for_all(self) -> None:
        """Many wishes are one job, and jobs are a second apart."""
        for _ in range(30):
            self.soon.want()
            self.clock.advance(0.05)
        self.clock.pump([0.05] * 40)
        self.assertEqual([round(moment, 1) for moment in self.done], [0.1, 1.1, 2.1])

    def test_what_cannot_be_done_now(self) -> None:
        """It is tried again until it can."""
        self.can = False
        self.soon.want()
        self.clock.pump([0.1] * 3)
        self.can = True
        self.clock.pump([0.1] * 10)
        self.assertEqual(len(self.done), 4)

    def test_the_end(self) -> None:
        """Nothing is done after it."""
        self.soon.want()
        self.soon.stop()
        self.clock.advance(5)
        self.assertEqual((self.done, self.clock.getDelayedCalls()), ([], []))
