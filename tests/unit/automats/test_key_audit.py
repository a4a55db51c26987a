"""Rows of key_audit."""

from bitdust.automats.key_audit import KeyAudit, KeyAuditPort
from tests.unit.automats.kit import RowTests


class KeyAuditTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(KeyAuditPort, is_proof=lambda answer: answer == "proof", is_denial=False)
        self.begun()

    def begun(self) -> None:
        self.machine = KeyAudit(self.registry, "person", self.port, 12.0)

    def begin(self) -> None:
        self.drive("start", None, "PROOF?", ("challenge",))

    def test_answers(self) -> None:
        """A proof proves it, anything else that comes does not."""
        for answer, state, has_key in (("proof", "PROVEN", True), ("lie", "DISPROVEN", False)):
            self.begun()
            self.begin()
            self.port.succeed("challenge", answer)
            self.asked(state, ("report", has_key))

    def test_failures(self) -> None:
        """A node that says that it has no such key has answered; one that says nothing of it has not."""
        self.port.is_denial = True
        self.begin()
        self.port.fail("challenge")
        self.asked("DISPROVEN", ("report", False))
        self.port.is_denial = False
        self.begun()
        self.begin()
        self.port.fail("challenge", ValueError("no"))
        (call,), self.calls[:] = list(self.calls), []
        self.assertEqual((self.machine.state, call[0], str(call[1].value)), ("FAILED", "give_up", "no"))

    def test_silence(self) -> None:
        """A question ends when the time is over that its caller is ready to wait."""
        self.begin()
        self.passes(12, "FAILED", ("give_up", None))
        self.assertEqual(self.port.cancelled, {"challenge": 1})

    def test_stop(self) -> None:
        """Nobody waits any more, before it began too."""
        self.ends("stop", "FAILED", ("give_up", None))
        self.begun()
        self.begin()
        self.ends("stop", "FAILED", ("give_up", None))
