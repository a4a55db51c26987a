"""Rows of companion_session."""

from bitdust.automats.companion_session import BAD, DONE, REFUSED, TOO_LATE, CompanionSession, CompanionSessionPort
from tests.unit.automats.kit import RowTests

ANSWER, END = ("answer",), ("report_end",)
LATE = ("close", TOO_LATE, "this took too long")


class CompanionSessionTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(CompanionSessionPort, may_pair=True, is_known=True)
        self.machine = CompanionSession(self.registry, "phone", self.port)
        self.addCleanup(self.machine.send, "lost")

    def codes(self) -> None:
        self.drive("pairing", None, "KEYS?", ANSWER)
        self.drive("keys", None, "NONCE?", ("commit",))
        self.drive("nonce", None, "CODES?", ("reveal",))

    def test_let_in(self) -> None:
        """Keys, then the two numbers, then the codes; who was let in connects anew."""
        self.codes()
        self.ends("authorized", "CLOSED", ("close", DONE, "you are let in; connect again with your key"), END)

    def test_come_back(self) -> None:
        """A known key is answered, and has to prove itself before it may speak."""
        self.drive("resuming", None, "PROOF?", ANSWER)
        self.drive("proof", None, "OPEN", ("open",))
        self.drive("end", (REFUSED, "you are shut out"), "CLOSED", ("close", REFUSED, "you are shut out"), END)
        self.assertEqual(len(self.registry), 0)

    def test_nobody_is_let_in_now(self) -> None:
        """Pairing is refused while it is not open, or somebody else is at it."""
        self.port.answers["may_pair"] = False
        text = "nobody is let in now; start the device anew on the node"
        self.ends("pairing", "CLOSED", ("close", REFUSED, text), END)

    def test_an_unknown_key(self) -> None:
        """It is refused without an answer."""
        self.port.answers["is_known"] = False
        self.ends("resuming", "CLOSED", ("close", REFUSED, "this key is not let in here"), END)

    def test_silence(self) -> None:
        """Who says nothing for ten seconds is cut off."""
        self.passes(10, "CLOSED", LATE, END)

    def test_silence_in_between(self) -> None:
        """At each step; codes have ten minutes."""
        self.drive("pairing", None, "KEYS?", ANSWER)
        self.passes(10, "CLOSED", LATE, END)
        for steps, seconds in ((("pairing", "keys"), 10), (("pairing", "keys", "nonce"), 600), (("resuming",), 10)):
            self.machine = CompanionSession(self.registry, "phone", self.port)
            for step in steps:
                self.machine.send(step)
            self.calls.clear()
            self.passes(seconds, "CLOSED", LATE, END)

    def test_nonsense(self) -> None:
        """What cannot be opened ends it with the reason."""
        self.drive("pairing", None, "KEYS?", ANSWER)
        self.drive("broken", "no such message", "CLOSED", ("close", BAD, "no such message"), END)

    def test_a_lost_connection(self) -> None:
        """Nobody is there to say good-bye to."""
        self.ends("lost", "CLOSED", END)
