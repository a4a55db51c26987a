"""Rows of backup_monitor."""

from bitdust.automats.backup_monitor import BackupMonitor, BackupMonitorPort
from tests.unit.automats.kit import RowTests

LIST, REBUILD, CLEAN = ("list_files",), ("rebuild",), ("clean",)


class BackupMonitorTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(BackupMonitorPort)
        self.machine = BackupMonitor(self.registry, self.port)
        self.drive("init", None, "READY")

    def list_files(self) -> None:
        self.drive("sync", None, "LIST_FILES", LIST)

    def rebuild(self) -> None:
        self.list_files()
        self.port.succeed("list_files")
        self.asked("REBUILDING", REBUILD)

    def clean(self) -> None:
        self.rebuild()
        self.port.succeed("rebuild")
        self.asked("CLEANING", CLEAN)

    def test_a_round(self) -> None:
        """A round lists, rebuilds and cleans."""
        self.clean()
        self.port.succeed("clean")
        self.asked("READY")

    def test_every_ten_minutes(self) -> None:
        """A round is made every ten minutes."""
        self.passes(600, "LIST_FILES", LIST)

    def test_a_step_that_fails(self) -> None:
        """A failed list ends the round, a failed rebuilding does not, and the next round is made all the same."""
        self.list_files()
        self.port.fail("list_files")
        self.asked("READY")
        self.rebuild()
        self.port.fail("rebuild")
        self.asked("CLEANING", CLEAN)
        self.port.fail("clean")
        self.asked("READY")
        self.passes(600, "LIST_FILES", LIST)

    def test_a_step_that_takes_long(self) -> None:
        """Each step is given up in time: the list and rebuilding after an hour, cleaning after a minute."""
        self.list_files()
        self.passes(3600, "READY")
        self.rebuild()
        self.passes(3600, "CLEANING", CLEAN)
        self.passes(60, "READY")
        self.assertEqual(self.port.cancelled, {"list_files": 1, "rebuild": 1, "clean": 1})

    def test_sync(self) -> None:
        """Whoever asks for a round gets a new one, whatever the old one was doing after its list."""
        self.rebuild()
        self.list_files()
        self.assertEqual(self.port.cancelled, {"rebuild": 1})
        self.port.succeed("list_files")
        self.asked("REBUILDING", REBUILD)
        self.port.succeed("rebuild")
        self.asked("CLEANING", CLEAN)
        self.list_files()
        self.assertEqual(self.port.cancelled, {"rebuild": 1, "clean": 1})

    def test_suppliers_change(self) -> None:
        """When suppliers come or go, the round waits five seconds for the others, unless somebody asks for it."""
        self.drive("suppliers-changed", None, "PAUSE")
        self.passes(5, "LIST_FILES", LIST)
        self.port.fail("list_files")
        self.asked("READY")
        self.drive("suppliers-changed", None, "PAUSE")
        self.list_files()

    def test_deleted(self) -> None:
        """What was deleted settles for three seconds and is cleaned away without a list."""
        self.drive("deleted", None, "SETTLING")
        self.passes(3, "CLEANING", CLEAN)

    def test_deleted_while_cleaning(self) -> None:
        """What is deleted while cleaning settles in its turn, and cleaning begins again."""
        self.clean()
        self.drive("deleted", None, "SETTLING")
        self.assertEqual(self.port.cancelled, {"clean": 1})
        self.passes(3, "CLEANING", CLEAN)

    def test_a_round_before_it_has_settled(self) -> None:
        """A whole round goes before a cleaning that has not begun."""
        self.drive("deleted", None, "SETTLING")
        self.drive("suppliers-changed", None, "PAUSE")
        self.passes(5, "LIST_FILES", LIST)
        self.port.fail("list_files")
        self.asked("READY")
        self.drive("deleted", None, "SETTLING")
        self.list_files()

    def test_end(self) -> None:
        """Shutdown ends it in the middle of a step."""
        self.rebuild()
        self.ends("shutdown")
