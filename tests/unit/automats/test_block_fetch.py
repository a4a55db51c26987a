"""Rows of block_fetch."""

from bitdust.automats.block_fetch import BlockFetch, BlockFetchPort
from tests.unit.automats.kit import RowTests


class BlockFetchTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(BlockFetchPort, has_source=True, is_genuine=False)
        self.machine = BlockFetch(self.registry, "bafy", self.port)

    def asked_first(self) -> None:
        self.drive("start", None, "ASKING", ("ask",))

    def storing(self) -> None:
        self.asked_first()
        self.port.answers["is_genuine"] = True
        self.port.succeed("ask", b"data")
        self.asked("STORING", ("store", b"data"))

    def test_found(self) -> None:
        """A block that comes is stored."""
        self.storing()
        self.port.succeed("store")
        self.asked("HERE", ("ended", None))

    def test_nobody(self) -> None:
        """Where there is nobody to ask, the block is nowhere."""
        self.port.answers["has_source"] = False
        self.drive("start", None, "ABSENT", ("ended", None))

    def test_something_else(self) -> None:
        """Who has it not, or answers with something else, is followed by the next, and by nobody after the last."""
        self.asked_first()
        self.port.succeed("ask", b"wrong")
        self.asked("ASKING", ("ask",))
        self.port.answers["has_source"] = False
        self.port.succeed("ask", None)
        self.asked("ABSENT", ("ended", None))

    def test_refused(self) -> None:
        """Who refuses is followed by the next, and by nobody after the last."""
        self.asked_first()
        self.port.fail("ask")
        self.asked("ASKING", ("ask",))
        self.port.answers["has_source"] = False
        self.port.fail("ask")
        self.asked("ABSENT", ("ended", None))

    def test_patience(self) -> None:
        """Each one who is asked has a minute of its own."""
        self.asked_first()
        self.passes(60, "ASKING", ("ask",))
        self.assertEqual(self.port.cancelled["ask"], 1)
        self.clock.advance(59)
        self.port.succeed("ask", b"wrong")
        self.asked("ASKING", ("ask",))
        self.clock.advance(59)
        self.port.fail("ask")
        self.asked("ASKING", ("ask",))
        self.port.answers["has_source"] = False
        self.passes(60, "ABSENT", ("ended", None))

    def test_not_stored(self) -> None:
        """A block that came and cannot be stored has come all the same."""
        self.storing()
        self.port.fail("store")
        self.assertEqual(self.machine.state, "UNKEPT")
        self.assertEqual(self.calls.pop()[0], "ended")

    def test_not_stored_in_time(self) -> None:
        """So has one that is not stored after ten minutes."""
        self.storing()
        self.passes(600, "UNKEPT", ("ended", "it took too long"))

    def test_stop(self) -> None:
        """It can be stopped anywhere."""
        self.ends("stop", "STOPPED", ("ended", None))
        for enter in (self.asked_first, self.storing):
            self.machine = BlockFetch(self.registry, "bafy", self.port)
            enter()
            self.ends("stop", "STOPPED", ("ended", None))
