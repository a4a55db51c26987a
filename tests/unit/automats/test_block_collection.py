"""Rows of block_collection."""

from bitdust.automats.block_collection import BlockCollection, BlockCollectionPort
from bitdust.blocks.collecting import Swept
from tests.unit.automats.kit import RowTests

MINUTES = 600


class BlockCollectionTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(BlockCollectionPort)
        self.machine = BlockCollection(self.registry, self.port)

    def begun(self) -> None:
        self.drive("start", None, "BEGINNING", ("begin",))
        self.port.succeed("begin")
        self.asked("MARKING", ("mark",))

    def marked(self) -> None:
        self.port.succeed("mark", True)
        self.asked("SWEEPING", ("sweep",))

    def swept(self) -> None:
        self.port.succeed("sweep", Swept(is_over=True))
        self.asked("REWRITING", ("rewrite",))

    def test_a_whole_run(self) -> None:
        """Links are followed until all were, the rest is swept to its end, and packs are copied until none is left."""
        self.begun()
        self.port.succeed("mark", False)
        self.asked("MARKING", ("mark",))
        self.marked()
        self.port.succeed("sweep", Swept())
        self.asked("SWEEPING", ("sweep",))
        self.swept()
        self.port.succeed("rewrite", False)
        self.asked("REWRITING", ("rewrite",))
        self.port.succeed("rewrite", True)
        self.asked("DONE", ("ended", None))

    def test_something_becomes_needed(self) -> None:
        """What somebody stores or pins meanwhile is followed before anything more is swept."""
        self.begun()
        self.marked()
        self.port.succeed("sweep", Swept(is_needed=True))
        self.asked("MARKING", ("mark",))

    def test_failures(self) -> None:
        """A failure in any state ends the run, and says why."""
        for step in range(4):
            self.machine = BlockCollection(self.registry, self.port)
            self.reach(step)
            failure = self.port.fail(("begin", "mark", "sweep", "rewrite")[step])
            self.assertEqual(self.machine.state, "FAILED")
            self.assertEqual(self.calls.pop()[0], "ended")
            del failure

    def test_patience(self) -> None:
        """A portion that takes ten minutes is the last one."""
        for step in range(4):
            self.machine = BlockCollection(self.registry, self.port)
            self.reach(step)
            self.passes(MINUTES, "FAILED", ("ended", "it took too long"))

    def test_a_portion_each_ten_minutes(self) -> None:
        """Each portion has ten minutes of its own."""
        self.begun()
        self.clock.advance(MINUTES - 1)
        self.port.succeed("mark", False)
        self.clock.advance(MINUTES - 1)
        self.asked("MARKING", ("mark",))
        self.marked()
        self.clock.advance(MINUTES - 1)
        self.port.succeed("sweep", Swept())
        self.clock.advance(MINUTES - 1)
        self.asked("SWEEPING", ("sweep",))
        self.swept()
        self.clock.advance(MINUTES - 1)
        self.port.succeed("rewrite", False)
        self.clock.advance(MINUTES - 1)
        self.asked("REWRITING", ("rewrite",))

    def test_stop(self) -> None:
        """It can be stopped anywhere, also before it has begun."""
        self.ends("stop", "STOPPED", ("ended", "it was stopped"))
        for step in range(4):
            self.machine = BlockCollection(self.registry, self.port)
            self.reach(step)
            self.ends("stop", "STOPPED", ("ended", "it was stopped"))

    def reach(self, step: int) -> None:
        self.begun() if step else self.drive("start", None, "BEGINNING", ("begin",))
        if step > 1:
            self.marked()
        if step > 2:
            self.swept()
