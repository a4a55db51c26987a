"""Rows of family_search."""

from bitdust.automats.family_search import FamilySearch, FamilySearchPort
from tests.unit.automats.kit import RowTests


class FamilySearchTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(FamilySearchPort, is_known=False, longest_pause=300.0)
        self.machine = FamilySearch(self.registry, self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def ask(self) -> None:
        self.drive("start", None, "ASKING", ("ask",))

    def wait(self) -> None:
        self.ask()
        self.port.succeed("ask")
        self.asked("PAUSE", ("report_waiting",))

    def test_first_proof(self) -> None:
        """As soon as an answer makes it sure the search is over, whoever is silent still."""
        self.ask()
        self.drive("heard", None, "ASKING")
        self.port.is_known = True
        self.drive("heard", None, "KNOWN!", ("report_known",))
        self.assertEqual(self.port.cancelled, {"ask": 1})

    def test_known_at_the_end_of_a_round(self) -> None:
        """What the last answer proves counts too."""
        self.ask()
        self.port.is_known = True
        self.port.succeed("ask")
        self.asked("KNOWN!", ("report_known",))

    def test_for_ever(self) -> None:
        """Rounds grow rarer up to the longest pause, and never end by themselves."""
        self.wait()
        for pause in (2, 4, 8, 16, 32, 64, 128, 256, 300, 300):
            self.passes(pause, "ASKING", ("ask",))
            self.port.fail("ask")
            self.asked("PAUSE", ("report_waiting",))

    def test_a_round_without_end(self) -> None:
        """A round in which somebody stays silent is over after a minute."""
        self.ask()
        self.passes(60, "PAUSE", ("report_waiting",))
        self.assertEqual(self.port.cancelled, {"ask": 1})

    def test_something_changed(self) -> None:
        """Whoever comes into reach is asked at once, and pauses begin from two seconds."""
        self.wait()
        for _ in range(3):
            self.clock.advance(300)
            self.port.succeed("ask")
        self.calls.clear()
        self.drive("hurry", None, "ASKING", ("ask",))
        self.port.succeed("ask")
        self.asked("PAUSE", ("report_waiting",))
        self.passes(2, "ASKING", ("ask",))

    def test_known_in_a_pause(self) -> None:
        """A record that comes by another way, or the person's word, ends the search at once."""
        self.wait()
        self.drive("heard", None, "PAUSE")
        self.port.is_known = True
        self.drive("heard", None, "KNOWN!", ("report_known",))

    def test_end(self) -> None:
        """Shutdown gives up what is on its way."""
        self.ask()
        self.ends("shutdown")
        self.assertEqual(self.port.cancelled, {"ask": 1})
