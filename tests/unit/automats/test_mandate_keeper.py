"""Rows of mandate_keeper."""

from bitdust.automats.mandate_keeper import MandateKeeper, MandateKeeperPort
from tests.unit.automats.kit import RowTests


class MandateKeeperTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(MandateKeeperPort, needs_spares=True, pause=3600.0)
        self.machine = MandateKeeper(self.registry, self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def search(self) -> None:
        self.drive("check", None, "SEARCHING", ("search",))

    def test_spares_are_searched(self) -> None:
        """What was found is written; nothing is searched twice at a time."""
        self.search()
        self.drive("check", None, "SEARCHING")
        self.port.succeed("search")
        self.asked("RESTING", ("write",))

    def test_nothing_is_missing(self) -> None:
        """Then only what the settings say is written, and again every hour, where a disk did not take it."""
        self.port.needs_spares = False
        self.drive("check", None, "RESTING", ("write",))
        self.passes(3600, "RESTING", ("write",))
        self.port.needs_spares = True
        self.passes(3600, "SEARCHING", ("search",))

    def test_a_search_that_fails(self) -> None:
        """It fails or takes too long: the next one comes after the pause that follows from it."""
        self.search()
        self.port.answers["pause"] = 60.0
        self.port.fail("search")
        self.asked("RESTING")
        self.passes(60, "SEARCHING", ("search",))
        self.port.answers["pause"] = 3600.0
        self.passes(600, "RESTING")
        self.passes(3600, "SEARCHING", ("search",))

    def test_end(self) -> None:
        """Shutdown ends it wherever it is."""
        self.ends("shutdown")
