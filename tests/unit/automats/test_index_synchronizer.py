"""Rows of index_synchronizer."""

from types import SimpleNamespace

from bitdust.automats.index_synchronizer import IndexSynchronizer, IndexSynchronizerPort
from tests.unit.automats.kit import RowTests

MERGED = SimpleNamespace(heard_enough=True, is_outdated=False)
OUTDATED = SimpleNamespace(heard_enough=True, is_outdated=True)
ALONE = SimpleNamespace(heard_enough=False, is_outdated=False)
PULL = ("pull",)
PLACED = (("place",), ("ask_who_came",))


class IndexSynchronizerTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(IndexSynchronizerPort, is_safe=False)
        self.machine = IndexSynchronizer(self.registry, self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def begin(self) -> None:
        self.drive("start", None, "REQUEST?", PULL)

    def come_to_sending(self) -> None:
        self.begin()
        self.port.succeed("pull", MERGED)
        self.asked("SENDING", *PLACED)

    def come_to_sync(self) -> None:
        self.port.is_safe = True
        self.begin()
        self.port.succeed("pull", MERGED)
        self.asked("IN_SYNC!", *PLACED, ("report", True, None))

    def come_to_no_info(self) -> None:
        self.begin()
        self.port.succeed("pull", ALONE)
        self.asked("NO_INFO", ("report", False, ALONE))

    def come_to_outdated(self) -> None:
        self.begin()
        self.port.succeed("pull", OUTDATED)
        self.asked("OUTDATED", ("place",))

    def test_from_the_start_to_sync(self) -> None:
        """What suppliers hold is merged first; then what they lack is brought, until enough of them hold it."""
        self.come_to_sending()
        self.drive("new-entry", None, "SENDING", ("push",))
        self.drive("acked", None, "SENDING")
        self.port.is_safe = True
        self.drive("acked", None, "IN_SYNC!", ("report", True, None))

    def test_a_failed_pull_is_no_sync(self) -> None:
        """Where suppliers could not be asked, nothing is called synchronized, however safe it looks here."""
        self.port.is_safe = True
        self.begin()
        self.port.fail("pull", OSError("no line"))
        state, calls = self.machine.state, self.calls[:]
        self.assertEqual((state, [call[:2] for call in calls]), ("NO_INFO", [("report", False)]))
        self.assertEqual(str(calls[0][2].value), "no line")
        self.calls.clear()
        self.drive("acked", None, "NO_INFO")

    def test_too_few_are_no_sync(self) -> None:
        """Neither is it called so when fewer than k suppliers were heard; it is tried again after a minute."""
        self.come_to_no_info()
        self.drive("new-entry", None, "NO_INFO")
        self.passes(60, "REQUEST?", PULL)

    def test_a_pull_that_never_ends(self) -> None:
        """A comparison is given up after a quarter of an hour."""
        self.begin()
        self.passes(900, "NO_INFO", ("report", False, None))
        self.assertEqual(self.port.cancelled["pull"], 1)

    def test_suppliers_that_come(self) -> None:
        """Who waits for suppliers asks them as soon as some come, or when a person says so."""
        self.come_to_no_info()
        self.drive("suppliers-changed", None, "REQUEST?", PULL)
        self.port.succeed("pull", ALONE)
        self.asked("NO_INFO", ("report", False, ALONE))
        self.drive("pull", None, "REQUEST?", PULL)

    def test_suppliers_that_come_while_others_are_asked(self) -> None:
        """Where those were too few, or could not be asked, all are asked again at once, with the whole time for it."""
        for end in (lambda: self.port.succeed("pull", ALONE), lambda: self.port.fail("pull", OSError("no line"))):
            self.begin() if self.machine.state == "AT_STARTUP" else self.drive("pull", None, "REQUEST?", PULL)
            self.clock.advance(800)
            self.drive("suppliers-changed", None, "REQUEST?")
            end()
            self.asked("REQUEST?", PULL)
            self.passes(900, "NO_INFO", ("report", False, None))

    def test_while_sending(self) -> None:
        """Suppliers that come are brought everything; a person, or five minutes, compare again."""
        self.come_to_sending()
        self.drive("suppliers-changed", None, "SENDING", ("place",))
        self.port.is_safe = True
        self.drive("suppliers-changed", None, "IN_SYNC!", ("place",), ("report", True, None))
        self.port.is_safe = False
        self.drive("new-entry", None, "SENDING", ("push",))
        self.drive("pull", None, "REQUEST?", PULL)
        self.port.succeed("pull", MERGED)
        self.asked("SENDING", *PLACED)
        self.passes(300, "REQUEST?", PULL)

    def test_while_in_sync(self) -> None:
        """It is compared every five minutes; a new supplier is brought everything, and counts when it must."""
        self.come_to_sync()
        self.drive("suppliers-changed", None, "IN_SYNC!", ("place",))
        self.port.is_safe = False
        self.drive("suppliers-changed", None, "SENDING", ("place",), ("report", False, None))
        self.port.is_safe = True
        self.drive("acked", None, "IN_SYNC!", ("report", True, None))
        self.passes(300, "REQUEST?", PULL)
        self.port.succeed("pull", MERGED)
        self.asked("IN_SYNC!", *PLACED, ("report", True, None))
        self.drive("pull", None, "REQUEST?", PULL)

    def test_an_outdated_catalog(self) -> None:
        """It is built again, but not before everything that was written here is safe."""
        self.come_to_outdated()
        self.drive("acked", None, "OUTDATED")
        self.drive("new-entry", None, "OUTDATED", ("push",))
        self.drive("suppliers-changed", None, "OUTDATED", ("place",))
        self.passes(300, "OUTDATED", ("place",))
        self.port.is_safe = True
        self.drive("acked", None, "STARTING_OVER", ("start_over",))
        self.port.succeed("start_over")
        self.asked("CLOSED")
        self.assertEqual(len(self.registry), 0)

    def test_an_outdated_catalog_that_is_safe(self) -> None:
        """One whose own entries are safe already is built again at once."""
        self.port.is_safe = True
        self.begin()
        self.port.succeed("pull", OUTDATED)
        self.asked("STARTING_OVER", ("place",), ("start_over",))

    def test_suppliers_help_an_outdated_catalog(self) -> None:
        """Each of these moments looks whether all is safe by now."""
        self.come_to_outdated()
        self.port.is_safe = True
        self.drive("suppliers-changed", None, "STARTING_OVER", ("place",), ("start_over",))
        self.port.is_safe = False
        self.port.fail("start_over")
        self.asked("OUTDATED")
        self.port.is_safe = True
        self.passes(300, "STARTING_OVER", ("place",), ("start_over",))
        self.port.is_safe = False
        self.passes(300, "OUTDATED")
        self.assertEqual(self.port.cancelled["start_over"], 1)

    def test_the_end(self) -> None:
        """Nothing is asked or sent after a shutdown."""
        self.begin()
        self.ends("shutdown")
