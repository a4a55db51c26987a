"""Rows of key_share."""

from bitdust.automats.key_share import KeyShare, KeySharePort
from tests.unit.automats.kit import RowTests


class KeyShareTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(KeySharePort, is_refusal=False)
        self.begun()

    def begun(self) -> None:
        self.machine = KeyShare(self.registry, "person", self.port, 12.0)

    def begin(self) -> None:
        self.drive("start", None, "DELIVERY?", ("deliver",))

    def reported(self, state: str, kind: type) -> None:
        (call,), self.calls[:] = list(self.calls), []
        self.assertEqual((self.machine.state, call[0]), (state, "report"))
        self.assertIsInstance(getattr(call[1], "value", call[1]), kind)

    def test_delivered(self) -> None:
        """The person's node keeps it."""
        self.begin()
        self.port.succeed("deliver")
        self.asked("DELIVERED", ("report", None))

    def test_refused(self) -> None:
        """The node says no, or nobody is there: the reason tells which."""
        for refuses, state in ((True, "REFUSED"), (False, "FAILED")):
            self.begun()
            self.port.is_refusal = refuses
            self.begin()
            self.port.fail("deliver", ValueError("no"))
            self.reported(state, ValueError)

    def test_silence(self) -> None:
        """A delivery ends when the time is over that its caller is ready to wait."""
        self.begin()
        self.clock.advance(11)
        self.asked("DELIVERY?")
        self.clock.advance(1)
        self.reported("FAILED", TimeoutError)
        self.assertEqual(self.port.cancelled, {"deliver": 1})

    def test_stop(self) -> None:
        """Nobody waits any more, before it began too."""
        self.machine.send("stop")
        self.reported("FAILED", TimeoutError)
        self.begun()
        self.begin()
        self.machine.send("stop")
        self.reported("FAILED", TimeoutError)
