"""Rows of spare_decision."""

from bitdust.automats.spare_decision import SpareDecision, SpareDecisionPort
from tests.unit.automats.kit import RowTests

LAPSE, DISMISS, CONFIRM, ASK = ("lapse",), ("dismiss",), ("confirm",), ("ask",)


class SpareDecisionTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(SpareDecisionPort, may_decide=True, is_back=False)
        self.machine = SpareDecision(self.registry, "2", self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def ask(self) -> None:
        self.passes(60, "ASKING", ASK)

    def end(self, name: str, state: str) -> None:
        """What is waited for succeeds, and nothing is left."""
        self.port.succeed(name)
        self.asked(state)
        self.assertEqual(len(self.registry), 0)

    def test_who_is_gone_stays_gone(self) -> None:
        """The spare is asked, and gets the place."""
        self.ask()
        self.port.succeed("ask")
        self.asked("CONFIRMING", CONFIRM)
        self.end("confirm", "CONFIRMED")

    def test_who_was_gone_is_back(self) -> None:
        """After a minute, or while the spare is asked: the spare is dismissed."""
        self.ask()
        self.port.is_back = True
        self.port.succeed("ask")
        self.asked("DISMISSING", LAPSE, DISMISS)
        self.end("dismiss", "DISMISSED")

    def test_back_in_the_first_minute(self) -> None:
        """Then the spare is not even asked."""
        self.port.is_back = True
        self.passes(60, "DISMISSING", LAPSE, DISMISS)
        self.end("dismiss", "DISMISSED")

    def test_a_person_decides(self) -> None:
        """Its word counts at once, whatever is known of anybody."""
        self.port.may_decide = False
        self.drive("confirm", None, "CONFIRMING", CONFIRM)
        self.port.fail("confirm")
        self.asked("FOUND")
        self.drive("dismiss", None, "DISMISSING", LAPSE, DISMISS)

    def test_a_person_decides_while_the_spare_is_asked(self) -> None:
        """So it is then."""
        self.ask()
        self.drive("confirm", None, "CONFIRMING", CONFIRM)
        self.passes(60, "FOUND")
        self.ask()
        self.drive("dismiss", None, "DISMISSING", LAPSE, DISMISS)

    def test_not_yet(self) -> None:
        """While the family or the catalog is not known nothing is decided."""
        self.port.may_decide = False
        self.port.is_back = True
        for _ in range(3):
            self.passes(60, "FOUND")

    def test_a_spare_that_does_not_answer(self) -> None:
        """It fails, or takes too long: it is asked again."""
        self.ask()
        self.port.fail("ask")
        self.asked("FOUND")
        self.ask()
        self.passes(60, "FOUND")

    def test_a_dismissed_spare_that_cannot_be_reached(self) -> None:
        """It is tried every minute; the family is written once."""
        self.drive("dismiss", None, "DISMISSING", LAPSE, DISMISS)
        self.port.fail("dismiss")
        self.asked("UNHEARD")
        self.passes(60, "DISMISSING", DISMISS)
        self.passes(60, "UNHEARD")

    def test_end(self) -> None:
        """Shutdown ends it wherever it is."""
        self.ends("shutdown")
