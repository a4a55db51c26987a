"""Rows of stun_client."""

from bitdust.automats.stun_client import StunClient, StunClientPort
from tests.unit.automats.kit import RowTests


class StunClientTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(StunClientPort)
        self.begun()

    def begun(self) -> None:
        self.machine = StunClient(self.registry, self.port)

    def begin(self) -> None:
        self.drive("start", None, "RANDOM_NODES", ("choose",))

    def chosen(self) -> None:
        self.begin()
        self.port.succeed("choose", ["node"])
        self.asked("REQUEST", ("ask", ["node"]))

    def gave_up(self, why: str) -> None:
        (call,), self.calls[:] = list(self.calls), []
        self.assertEqual((self.machine.state, call[0], str(call[1].value)), ("STOPPED", "give_up", why))

    def test_answers(self) -> None:
        """Some nodes are chosen, asked, and what they say is reported."""
        self.chosen()
        self.port.succeed("ask", ["answer"])
        self.asked("KNOW_MY_IP", ("report", ["answer"]))

    def test_nobody(self) -> None:
        """Where nobody is there, or nobody answers, the reason is given."""
        self.begin()
        self.port.fail("choose", ValueError("none"))
        self.gave_up("none")
        self.begun()
        self.chosen()
        self.port.fail("ask", ValueError("silence"))
        self.gave_up("silence")

    def test_time(self) -> None:
        """Choosing takes ten seconds at most, and asking too."""
        self.begin()
        self.passes(10, "STOPPED", ("give_up", None))
        self.begun()
        self.begin()
        self.clock.advance(9)
        self.port.succeed("choose", ["node"])
        self.asked("REQUEST", ("ask", ["node"]))
        self.passes(10, "STOPPED", ("give_up", None))

    def test_stop(self) -> None:
        """Nobody waits any more, at any time."""
        self.ends("stop", "STOPPED", ("give_up", None))
        for before in (self.begin, self.chosen):
            self.begun()
            before()
            self.ends("stop", "STOPPED", ("give_up", None))
