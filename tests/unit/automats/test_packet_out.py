"""Rows of packet_out."""

from twisted.internet.defer import CancelledError

from bitdust.automats.packet_out import PacketOut, PacketOutPort
from tests.unit.automats.kit import RowTests

LOST, TAKEN_BACK = OSError("lost"), CancelledError()


class PacketOutTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(PacketOutPort, stalled=False, may_move=False)
        self.machine = PacketOut(self.registry, "1", self.port)

    def run_(self) -> None:
        self.drive("run", None, "CACHING", ("find_session",))

    def transmit(self) -> None:
        self.run_()
        self.port.succeed("find_session", "session")
        self.asked("SENDING", ("transmit", "session"))

    def wait(self) -> None:
        self.transmit()
        self.port.succeed("transmit")
        self.asked("RESPONSE?")

    def failed(self, reason) -> None:
        """Who asked learns the reason, which may come wrapped."""
        (call,) = self.calls
        self.assertEqual((call[0], getattr(call[1], "value", call[1])), ("give_up", reason))
        self.calls.clear()

    def test_answered(self) -> None:
        """A packet finds its session, is sent, and its answer delivered."""
        self.wait()
        self.ends_with_answer()

    def test_answered_before_all_is_sent(self) -> None:
        """An answer that comes before the last byte is out counts."""
        self.transmit()
        self.ends_with_answer()
        self.assertEqual(self.port.cancelled, {"transmit": 1})

    def ends_with_answer(self) -> None:
        self.drive("answer", "reply", "SENT", ("deliver", "reply"))

    def test_no_session(self) -> None:
        """Without a session the packet fails, with the reason."""
        self.run_()
        self.port.fail("find_session", LOST)
        self.assertEqual(self.machine.state, "FAILED")
        self.failed(LOST)

    def test_taken_back(self) -> None:
        """Whoever asked may take the request back at any time."""
        for begin in (self.run_, self.transmit, self.wait):
            self.machine = PacketOut(self.registry, begin.__name__, self.port)
            begin()
            self.drive("cancel", TAKEN_BACK, "CANCEL", ("give_up", TAKEN_BACK))

    def test_nothing_moves(self) -> None:
        """Each second it is asked whether bytes move; without any for its deadline the packet fails."""
        for begin, state in ((self.run_, "CACHING"), (self.transmit, "SENDING"), (self.wait, "RESPONSE?")):
            self.port.stalled = False
            self.machine = PacketOut(self.registry, state, self.port)
            begin()
            self.clock.advance(1)
            self.asked(state)
            self.port.stalled = True
            self.passes(1, "FAILED", ("give_up", None))

    def test_a_session_that_was_replaced(self) -> None:
        """A packet moves to another session of the same peer when its own was given up for that one."""
        self.port.may_move = True
        self.transmit()
        self.port.fail("transmit", LOST)
        self.asked("CACHING", ("find_session",))
        self.port.succeed("find_session", "other")
        self.asked("SENDING", ("transmit", "other"))
        self.drive("session-lost", LOST, "CACHING", ("find_session",))
        self.port.succeed("find_session", "third")
        self.asked("SENDING", ("transmit", "third"))
        self.port.succeed("transmit")
        self.asked("RESPONSE?")
        self.drive("session-lost", LOST, "CACHING", ("find_session",))
        self.assertEqual([call[0] for call in self.port.questions if call[0] != "stalled"], ["may_move"] * 3)
        self.ends("cancel", "CANCEL", ("give_up", None))

    def test_a_session_that_was_lost(self) -> None:
        """Any other loss is the end, while it is sent and while the answer is awaited."""
        self.transmit()
        self.drive("session-lost", LOST, "FAILED", ("give_up", LOST))
        self.machine = PacketOut(self.registry, "2", self.port)
        self.wait()
        self.drive("session-lost", LOST, "FAILED", ("give_up", LOST))

    def test_sending_that_fails(self) -> None:
        """A payload that cannot be read is the end of its packet."""
        self.transmit()
        self.port.fail("transmit", LOST)
        self.assertEqual(self.machine.state, "FAILED")
        self.failed(LOST)
