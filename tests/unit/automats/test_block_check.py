"""Rows of block_check."""

from bitdust.automats.block_check import BlockCheck, BlockCheckPort
from tests.unit.automats.kit import RowTests


class BlockCheckTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(BlockCheckPort, has_more=True, has_damaged=False)
        self.machine = BlockCheck(self.registry, self.port)

    def reading(self) -> None:
        self.port.answers |= {"has_more": True, "has_damaged": False}
        self.drive("start", None, "READING", ("read",))

    def mending(self) -> None:
        self.reading()
        self.port.answers["has_damaged"] = True
        self.port.succeed("read")
        self.asked("MENDING", ("mend",))

    def test_all_is_well(self) -> None:
        """Portions are read until there are no more."""
        self.reading()
        self.clock.advance(599)
        self.port.succeed("read")
        self.clock.advance(599)
        self.asked("READING", ("read",))
        self.port.answers["has_more"] = False
        self.port.succeed("read")
        self.asked("DONE", ("ended", None))

    def test_nothing_to_read(self) -> None:
        """A store without packs is well."""
        self.port.answers["has_more"] = False
        self.drive("start", None, "DONE", ("ended", None))

    def test_damage(self) -> None:
        """What cannot be read is mended, one after the other, before the next portion is read."""
        self.mending()
        self.clock.advance(3599)
        self.port.succeed("mend")
        self.clock.advance(3599)
        self.asked("MENDING", ("mend",))
        self.port.answers["has_damaged"] = False
        self.port.succeed("mend")
        self.asked("READING", ("read",))

    def test_damage_in_the_last_portion(self) -> None:
        """After the last block that was mended it is over."""
        self.mending()
        self.port.answers |= {"has_damaged": False, "has_more": False}
        self.port.succeed("mend")
        self.asked("DONE", ("ended", None))

    def test_failures(self) -> None:
        """A thread that fails ends it, and says why."""
        for enter, name in ((self.reading, "read"), (self.mending, "mend")):
            self.machine = BlockCheck(self.registry, self.port)
            enter()
            self.port.fail(name)
            self.assertEqual(self.machine.state, "FAILED")
            self.assertEqual(self.calls.pop()[0], "ended")

    def test_patience(self) -> None:
        """A portion has ten minutes, and a block that is asked for an hour."""
        self.reading()
        self.passes(600, "FAILED", ("ended", "it took too long"))
        self.machine = BlockCheck(self.registry, self.port)
        self.mending()
        self.passes(3600, "FAILED", ("ended", "it took too long"))

    def test_stop(self) -> None:
        """It can be stopped anywhere."""
        self.ends("stop", "STOPPED", ("ended", "it was stopped"))
        for enter in (self.reading, self.mending):
            self.machine = BlockCheck(self.registry, self.port)
            enter()
            self.ends("stop", "STOPPED", ("ended", "it was stopped"))
