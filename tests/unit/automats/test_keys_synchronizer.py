"""Rows of keys_synchronizer."""

from twisted.python.failure import Failure

from bitdust.automats.keys_synchronizer import KeysSynchronizer, KeysSynchronizerPort
from tests.unit.automats.kit import RowTests


class KeysSynchronizerTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(KeysSynchronizerPort, is_safe=False)
        self.machine = KeysSynchronizer(self.registry, self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def begin(self) -> None:
        self.drive("start", None, "RESTORE", ("pull",))

    def come_to_backup(self) -> None:
        self.begin()
        self.port.succeed("pull", True)
        self.asked("BACKUP", ("push",))

    def come_to_sync(self) -> None:
        self.port.is_safe = True
        self.begin()
        self.port.succeed("pull", True)
        self.asked("IN_SYNC", ("push",), ("report_synchronized",))

    def come_to_no_info(self) -> None:
        self.begin()
        self.port.succeed("pull", False)
        self.asked("NO_INFO", ("report_failed", None))

    def test_from_the_start_to_sync(self) -> None:
        """The ring of the suppliers is merged before mine is brought to them; it counts when enough hold it."""
        self.come_to_backup()
        self.drive("acked", None, "BACKUP")
        self.port.is_safe = True
        self.drive("acked", None, "IN_SYNC", ("report_synchronized",))

    def test_a_failed_pull_is_no_sync(self) -> None:
        """Where suppliers could not be asked, the ring is not called safe, and the reason is reported."""
        self.port.is_safe = True
        self.begin()
        self.port.fail("pull", OSError("no line"))
        ((name, reason),) = self.calls
        self.assertEqual((self.machine.state, name), ("NO_INFO", "report_failed"))
        self.assertIsInstance(reason, Failure)
        self.calls.clear()
        self.drive("acked", None, "NO_INFO")

    def test_too_few_were_heard(self) -> None:
        """Nothing is brought to anybody before k suppliers were heard: their ring could be lost by it."""
        self.come_to_no_info()
        self.passes(15, "RESTORE", ("pull",))

    def test_a_pull_that_never_ends(self) -> None:
        """It is given up after two minutes."""
        self.begin()
        self.passes(120, "NO_INFO", ("report_failed", None))
        self.assertEqual(self.port.cancelled["pull"], 1)

    def test_waiting_without_information(self) -> None:
        """Suppliers that come, and keys that change, are reasons to ask at once."""
        for event in ("suppliers-changed", "keys-changed"):
            self.machine = KeysSynchronizer(self.registry, self.port)
            self.come_to_no_info()
            self.drive(event, None, "RESTORE", ("pull",))
            self.machine.send("shutdown")

    def test_a_ring_that_changes_while_it_is_brought(self) -> None:
        """It is merged again first, as after fifteen seconds in which not enough suppliers took it."""
        self.come_to_backup()
        self.drive("keys-changed", None, "RESTORE", ("pull",))
        self.port.succeed("pull", True)
        self.asked("BACKUP", ("push",))
        self.passes(15, "RESTORE", ("pull",))

    def test_suppliers_that_come_are_brought_the_ring(self) -> None:
        """With them it may be safe already."""
        self.come_to_backup()
        self.drive("suppliers-changed", None, "BACKUP", ("push",))
        self.port.is_safe = True
        self.drive("suppliers-changed", None, "IN_SYNC", ("push",), ("report_synchronized",))

    def test_while_in_sync(self) -> None:
        """A new supplier is brought the ring; where it counts, and when keys change, all begins again."""
        self.come_to_sync()
        self.drive("suppliers-changed", None, "IN_SYNC", ("push",))
        self.port.is_safe = False
        self.drive("suppliers-changed", None, "RESTORE", ("report_changed",), ("pull",))
        self.port.is_safe = True
        self.port.succeed("pull", True)
        self.asked("IN_SYNC", ("push",), ("report_synchronized",))
        self.drive("keys-changed", None, "RESTORE", ("report_changed",), ("pull",))

    def test_once_an_hour(self) -> None:
        """The ring is compared again."""
        self.come_to_sync()
        self.passes(3600, "RESTORE", ("pull",))

    def test_the_end(self) -> None:
        """Nothing is asked or sent after a shutdown."""
        self.begin()
        self.ends("shutdown")
