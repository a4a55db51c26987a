"""Rows of packet_in."""

from bitdust.automats.packet_in import PacketIn, PacketInPort
from tests.unit.automats.kit import RowTests

FORGET = ("forget",)


class PacketInTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(PacketInPort, is_stalled=False)
        self.machine = PacketIn(self.registry, "1", self.port)

    def dispatch(self) -> None:
        self.drive("dispatch", None, "INBOX?")

    def test_answered(self) -> None:
        """An answer is sent, and the packet is forgotten once it is."""
        self.dispatch()
        self.drive("answered", "yes", "ANSWERING", ("answer", "yes"))
        self.ends("answer-sent", "DONE", FORGET)

    def test_refused(self) -> None:
        """A packet without a row is refused at once, one whose handler refuses later."""
        self.drive("refuse", "no", "FAILED", ("refuse", "no"), FORGET)
        self.machine = PacketIn(self.registry, "2", self.port)
        self.dispatch()
        self.drive("refuse", "no", "FAILED", ("refuse", "no"), FORGET)

    def test_lost(self) -> None:
        """With its session a packet is over, wherever it is, and nothing is sent."""
        self.ends("session-lost", "FAILED", FORGET)
        self.machine = PacketIn(self.registry, "2", self.port)
        self.dispatch()
        self.ends("session-lost", "FAILED", FORGET)
        self.machine = PacketIn(self.registry, "3", self.port)
        self.dispatch()
        self.drive("answered", "yes", "ANSWERING", ("answer", "yes"))
        self.ends("session-lost", "FAILED", FORGET)

    def test_work_that_comes_to_nothing(self) -> None:
        """Every ten seconds it is asked whether anything moves; work that stands still is refused."""
        self.dispatch()
        self.clock.advance(10)
        self.asked("INBOX?")
        self.port.is_stalled = True
        self.passes(10, "FAILED", ("refuse_stalled",), FORGET)

    def test_an_answer_that_is_not_taken(self) -> None:
        """An answer of which nothing moves any more is withdrawn."""
        self.dispatch()
        self.drive("answered", "yes", "ANSWERING", ("answer", "yes"))
        self.clock.advance(10)
        self.asked("ANSWERING")
        self.port.is_stalled = True
        self.passes(10, "FAILED", ("withdraw",), FORGET)
