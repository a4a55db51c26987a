"""Rows of spare_rebuild."""

from bitdust.automats.spare_rebuild import SpareRebuild, SpareRebuildPort
from tests.unit.automats.kit import RowTests


class SpareRebuildTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(SpareRebuildPort, is_certified=True, has_moved=False)
        self.machine = SpareRebuild(self.registry, "alice", self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def prepare(self) -> None:
        self.drive("check", None, "PREPARING", ("prepare",))

    def rebuild(self) -> None:
        self.prepare()
        self.port.succeed("prepare")
        self.asked("REBUILDING", ("rebuild",))

    def pause(self) -> None:
        self.rebuild()
        self.port.succeed("rebuild", 3)
        self.asked("PAUSED")

    def test_from_beginning_to_end(self) -> None:
        """Records first, then every piece; whole is what misses none, and it is looked at again every day."""
        self.rebuild()
        self.port.succeed("rebuild", 0)
        self.asked("WHOLE", ("report_whole",))
        self.passes(86_400, "PREPARING", ("prepare",))
        self.moved("WHOLE", "IDLE", "PREPARING")

    def test_some_pieces_cannot_be_made(self) -> None:
        """It pauses and goes on with those that are missing."""
        self.pause()
        self.passes(60, "PREPARING", ("prepare",))

    def test_members_do_not_answer(self) -> None:
        """A failure or silence in either step is a pause."""
        self.prepare()
        self.port.fail("prepare")
        self.asked("PAUSED")
        self.passes(60, "PREPARING", ("prepare",))
        self.passes(300, "PAUSED")
        self.passes(60, "PREPARING", ("prepare",))
        self.port.succeed("prepare")
        self.asked("REBUILDING", ("rebuild",))
        self.port.fail("rebuild")
        self.asked("PAUSED")

    def test_it_takes_its_time(self) -> None:
        """As long as pieces come it goes on; when none has come for ten minutes it begins again."""
        self.rebuild()
        self.port.has_moved = True
        self.passes(600, "REBUILDING")
        self.port.has_moved = False
        self.passes(600, "PAUSED")

    def test_without_a_certificate(self) -> None:
        """Nothing is asked of anybody, until there is one again."""
        self.pause()
        self.port.is_certified = False
        self.passes(60, "IDLE")
        self.drive("check", None, "IDLE")
        self.passes(3600, "IDLE")
        self.port.is_certified = True
        self.passes(3600, "PREPARING", ("prepare",))

    def test_end(self) -> None:
        """Shutdown ends it wherever it is."""
        self.ends("shutdown")
