"""Rows of ipns_publication."""

from bitdust.automats.ipns_publication import IpnsPublication, IpnsPublicationPort
from tests.unit.automats.kit import RowTests

BRING, GOOD = ("bring",), ("report", "")
OFFLINE = ("report", "no other node of the DHT is there")
PERIOD = 5000.0


class IpnsPublicationTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(IpnsPublicationPort, is_online=True, is_lasting=True, period=PERIOD)
        self.begun()
        self.addCleanup(lambda: self.machine.send("stop"))

    def begun(self) -> None:
        """A machine that has brought nothing."""
        self.machine = IpnsPublication(self.registry, "k51", self.port)

    def bringing(self) -> None:
        self.drive("publish", None, "BRINGING", BRING)

    def published(self) -> None:
        self.bringing()
        self.port.succeed("bring")
        self.asked("PUBLISHED", GOOD)

    def waiting(self) -> None:
        self.drive("later", None, "WAITING")

    def test_brought_and_renewed(self) -> None:
        """What is published is brought at once, and again each time that its period is over."""
        self.published()
        for _ in range(2):
            self.passes(PERIOD, "BRINGING", BRING)
            self.port.succeed("bring")
            self.asked("PUBLISHED", GOOD)

    def test_a_short_life(self) -> None:
        """What was said to end before a renewal is not renewed."""
        self.published()
        self.port.is_lasting = False
        self.passes(PERIOD, "ENDED")
        self.assertEqual(len(self.registry), 0)

    def test_a_new_value(self) -> None:
        """A new value is brought at once, whatever is under way; what was under way is not waited for."""
        self.published()
        self.bringing()
        self.clock.advance(100)
        self.bringing()
        self.assertEqual(self.port.waiting(), 1)
        self.passes(120, "WAITING", ("report", "the DHT does not answer"))
        self.bringing()
        self.port.succeed("bring")
        self.asked("PUBLISHED", GOOD)

    def test_failures(self) -> None:
        """A failure is told, and pauses double up to ten minutes; a success ends that."""
        self.bringing()
        for pause in (15, 30, 60, 120, 240, 480, 600, 600):
            self.port.fail("bring", ValueError("nobody"))
            self.asked("WAITING", ("report", "nobody"))
            self.passes(pause, "BRINGING", BRING)
        self.passes(120, "WAITING", ("report", "the DHT does not answer"))
        self.passes(600, "BRINGING", BRING)
        self.port.succeed("bring")
        self.asked("PUBLISHED", GOOD)
        self.bringing()
        self.port.fail("bring", ValueError("nobody"))
        self.asked("WAITING", ("report", "nobody"))
        self.passes(15, "BRINGING", BRING)

    def test_offline(self) -> None:
        """While no other node is there it waits, and says so; it is brought when one comes."""
        self.port.is_online = False
        self.drive("publish", None, "WAITING", OFFLINE)
        self.drive("publish", None, "WAITING", OFFLINE)
        self.passes(15, "WAITING")
        self.passes(15, "WAITING")
        self.port.is_online = True
        self.passes(15, "BRINGING", BRING)
        self.port.succeed("bring")
        self.asked("PUBLISHED", GOOD)
        self.port.is_online = False
        self.drive("publish", None, "WAITING", OFFLINE)
        self.drive("online", None, "BRINGING", BRING)

    def test_a_question_does_not_put_off_the_next_try(self) -> None:
        """Who publishes offline again and again does not keep it from being brought."""
        self.port.is_online = False
        self.waiting()
        self.clock.advance(10)
        self.drive("publish", None, "WAITING", OFFLINE)
        self.port.is_online = True
        self.passes(5, "BRINGING", BRING)

    def test_later(self) -> None:
        """Where nothing is to go out now it is brought a little later, whatever was under way."""
        self.waiting()
        self.passes(15, "BRINGING", BRING)
        self.waiting()
        self.assertEqual(self.port.waiting(), 0)
        self.bringing()
        self.port.succeed("bring")
        self.asked("PUBLISHED", GOOD)
        self.waiting()
        self.passes(15, "BRINGING", BRING)

    def test_stopped(self) -> None:
        """It ends when it is stopped, wherever it is."""
        self.ends("stop", "STOPPED")
        for begin in (self.bringing, self.published, self.waiting):
            self.begun()
            begin()
            self.ends("stop", "STOPPED")
