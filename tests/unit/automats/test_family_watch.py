"""Rows of family_watch."""

from bitdust.automats.family_watch import FamilyWatch, FamilyWatchPort
from tests.unit.automats.kit import RowTests

PAUSE = 6 * 3600.0


class FamilyWatchTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(
            FamilyWatchPort, pause=PAUSE, may_rest=False, is_certified=False, is_due=False, is_spare_gone=False
        )  # fmt: skip
        self.machine = FamilyWatch(self.registry, "alice 2", self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def look(self) -> None:
        self.passes(PAUSE, "PINGING", ("ping",))

    def silent(self, state: str, *calls) -> None:
        self.look()
        self.port.fail("ping")
        self.asked(state, ("note_silent",), *calls)

    def choose(self) -> None:
        self.port.is_due = True
        self.silent("CHOOSING", ("choose",))

    def vote(self) -> None:
        self.choose()
        self.port.succeed("choose", "dave")
        self.asked("VOTING", ("ask_votes", "dave"))

    def heal(self) -> None:
        self.vote()
        self.port.succeed("ask_votes")
        self.asked("HEALED", ("publish",))
        self.port.is_due, self.port.is_certified = False, True

    def test_nothing_to_do(self) -> None:
        """While the owner is in touch nobody is looked for."""
        self.port.may_rest = True
        for _ in range(3):
            self.passes(PAUSE, "WATCHING")

    def test_a_member_that_is_there(self) -> None:
        """It is looked for at each pause, and noted."""
        for _ in range(2):
            self.look()
            self.port.succeed("ping")
            self.asked("WATCHING", ("note_there",))

    def test_a_member_that_is_silent(self) -> None:
        """Silence is noted, and nothing follows before it has lasted for long."""
        self.silent("WATCHING")
        self.silent("WATCHING")

    def test_silence_that_cannot_be_noted(self) -> None:
        """A disk that fails ends no watch: the member is looked for again."""
        self.port.answers["note_silent"] = lambda: 1 / 0
        for _ in range(2):
            self.silent("WATCHING")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_nobody_knows(self) -> None:
        """A look that does not end says nothing."""
        self.look()
        self.passes(120, "WATCHING")

    def test_from_silence_to_a_spare(self) -> None:
        """One is chosen, the members vote, and all hear of it; it is looked at on and on."""
        self.heal()
        self.silent("HEALED")
        self.moved("PINGING", "SILENT", "HEALED")

    def test_renewed(self) -> None:
        """A certificate that is nearly over is voted for again."""
        self.heal()
        self.choose()

    def test_a_spare_that_goes(self) -> None:
        """Somebody else is chosen long before the certificate is over."""
        self.heal()
        self.port.is_spare_gone = True
        self.silent("CHOOSING", ("choose",))

    def test_a_member_that_comes_back(self) -> None:
        """Then the place is watched as before."""
        self.heal()
        self.look()
        self.port.succeed("ping")
        self.asked("WATCHING", ("note_there",))

    def test_an_owner_that_comes_back(self) -> None:
        """Then nothing is to be done any more."""
        self.heal()
        self.port.may_rest = True
        self.passes(PAUSE, "WATCHING")

    def test_nobody_accepts(self) -> None:
        """Somebody is asked again at the next look."""
        self.choose()
        self.port.fail("choose")
        self.asked("WATCHING")
        self.choose()
        self.passes(300, "WATCHING")

    def test_no_majority(self) -> None:
        """The place stays as it is until the next look."""
        self.vote()
        self.port.fail("ask_votes")
        self.asked("WATCHING")
        self.vote()
        self.passes(300, "WATCHING")

    def test_end(self) -> None:
        """Shutdown ends it wherever it is."""
        self.ends("shutdown")
