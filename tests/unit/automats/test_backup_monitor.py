"""Rows of backup_monitor."""

from bitdust.automats.backup_monitor import BackupMonitor, BackupMonitorPort
from tests.unit.automats.kit import RowTests

LIST, REBUILD, CLEAN = ("list_files",), ("rebuild",), ("clean",)


class BackupMonitorTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(BackupMonitorPort, is_list_due=False, pause=600.0)
        self.machine = BackupMonitor(self.registry, self.port)
        self.addCleanup(self.machine.send, "shutdown")

    def ready(self) -> None:
        self.drive("init", None, "READY")

    def listing(self) -> None:
        self.ready()
        self.drive("sync", None, "LIST_FILES", LIST)

    def rebuilding(self) -> None:
        self.listing()
        self.port.succeed("list_files")
        self.asked("REBUILDING", REBUILD)

    def cleaning(self) -> None:
        self.rebuilding()
        self.port.succeed("rebuild")
        self.asked("CLEANING", CLEAN)

    def settling(self) -> None:
        self.ready()
        self.drive("deleted", None, "SETTLING")

    def test_a_round(self) -> None:
        """A round lists, rebuilds and cleans; the next one begins ten minutes after its end."""
        self.cleaning()
        self.port.succeed("clean")
        self.asked("READY")
        self.passes(600, "LIST_FILES", LIST)

    def test_a_supplier_that_gives_no_list(self) -> None:
        """The port may want the next round sooner; how long a part of it may take is not changed by that."""
        self.port.answers["pause"] = 20.0
        self.cleaning()
        self.port.succeed("clean")
        self.asked("READY")
        self.passes(20, "LIST_FILES", LIST)
        self.passes(600, "REBUILDING", REBUILD)
        self.port.succeed("rebuild")
        self.asked("CLEANING", CLEAN)
        self.passes(600, "READY")

    def test_what_fails_does_not_end_the_rounds(self) -> None:
        """Whatever fails in a round, what comes after it in the round is done all the same."""
        self.listing()
        self.port.fail("list_files")
        self.asked("REBUILDING", REBUILD)
        self.port.fail("rebuild")
        self.asked("CLEANING", CLEAN)
        self.port.fail("clean")
        self.asked("READY")
        self.passes(600, "LIST_FILES", LIST)

    def test_what_hangs_does_not_end_the_rounds(self) -> None:
        """Listing for ten minutes, rebuilding for an hour and cleaning for ten minutes are given up."""
        self.listing()
        self.passes(600, "REBUILDING", REBUILD)
        self.passes(3600, "CLEANING", CLEAN)
        self.passes(600, "READY")
        self.assertEqual(self.port.waiting(), 0)

    def test_suppliers_that_come_and_go(self) -> None:
        """What changes among suppliers settles for five seconds, then a round begins."""
        self.ready()
        self.drive("suppliers-changed", None, "PAUSE")
        self.passes(5, "LIST_FILES", LIST)

    def test_suppliers_that_come_while_a_round_runs(self) -> None:
        """Whoever comes or goes after suppliers were asked leads to another round as soon as this one is over."""
        for end in ("succeed", "fail"):
            self.cleaning() if end == "succeed" else self.cleaning_again()
            self.drive("suppliers-changed", None, "CLEANING")
            getattr(self.port, end)("clean")
            self.asked("PAUSE")
            self.passes(5, "LIST_FILES", LIST)
        self.port.succeed("list_files")
        self.port.succeed("rebuild")
        self.asked("CLEANING", REBUILD, CLEAN)
        self.port.succeed("clean")
        self.asked("READY")

    def cleaning_again(self) -> None:
        self.port.succeed("list_files")
        self.port.succeed("rebuild")
        self.asked("CLEANING", REBUILD, CLEAN)

    def test_suppliers_that_come_while_others_list(self) -> None:
        """It is remembered until the end of the round, however that comes."""
        self.listing()
        self.drive("suppliers-changed", None, "LIST_FILES")
        self.port.succeed("list_files")
        self.port.succeed("rebuild")
        self.asked("CLEANING", REBUILD, CLEAN)
        self.passes(600, "PAUSE")

    def test_somebody_asks_while_others_list(self) -> None:
        """Suppliers that had been asked already may have more now: another round follows."""
        self.listing()
        self.drive("sync", None, "LIST_FILES")
        self.port.succeed("list_files")
        self.port.succeed("rebuild")
        self.asked("CLEANING", REBUILD, CLEAN)
        self.port.succeed("clean")
        self.asked("PAUSE")
        self.passes(5, "LIST_FILES", LIST)

    def test_suppliers_that_come_while_packs_are_rebuilt(self) -> None:
        """Rebuilding ends with what it has begun, so that a new list does not wait for hours of it."""
        self.rebuilding()
        self.drive("suppliers-changed", None, "REBUILDING", ("cut_short",))
        self.port.succeed("rebuild")
        self.asked("CLEANING", CLEAN)
        self.port.succeed("clean")
        self.asked("PAUSE")

    def test_what_was_deleted_settles(self) -> None:
        """Three seconds after a deletion there is a cleaning."""
        self.settling()
        self.passes(3, "CLEANING", CLEAN)

    def test_suppliers_are_asked_however_often_something_is_deleted(self) -> None:
        """Where suppliers were not asked for long, what was deleted or found to be bad leads to a whole round."""
        self.settling()
        self.port.answers["is_list_due"] = True
        self.passes(3, "LIST_FILES", LIST)
        self.port.succeed("list_files")
        self.port.succeed("rebuild")
        self.asked("CLEANING", REBUILD, CLEAN)
        self.port.succeed("clean")
        self.asked("PAUSE")

    def test_suppliers_that_change_while_it_settles(self) -> None:
        """A change among suppliers leads to a whole round."""
        self.settling()
        self.drive("suppliers-changed", None, "PAUSE")

    def test_damage(self) -> None:
        """What was found to be bad is made again at once, and then cleaned, wherever the round is."""
        self.ready()
        self.drive("damaged", None, "REBUILDING", REBUILD)
        self.port.succeed("rebuild")
        self.asked("CLEANING", CLEAN)
        self.drive("damaged", None, "REBUILDING", REBUILD)
        self.port.succeed("rebuild")
        self.port.succeed("clean")
        self.asked("READY", CLEAN)
        self.drive("deleted", None, "SETTLING")
        self.drive("damaged", None, "REBUILDING", REBUILD)

    def test_damage_while_packs_are_rebuilt(self) -> None:
        """What is found to be bad after the rebuilding has looked for the last time is made again right after it."""
        self.rebuilding()
        self.drive("damaged", None, "REBUILDING")
        self.port.succeed("rebuild")
        self.asked("REBUILDING", REBUILD)
        self.port.succeed("rebuild")
        self.asked("CLEANING", CLEAN)
        self.port.succeed("clean")
        self.asked("READY")

    def test_once_more_has_an_hour_of_its_own(self) -> None:
        """What is made again right after a rebuilding is given up an hour after it began."""
        self.rebuilding()
        self.drive("damaged", None, "REBUILDING")
        self.clock.advance(1800)
        self.port.succeed("rebuild")
        self.asked("REBUILDING", REBUILD)
        self.passes(3600, "CLEANING", CLEAN)

    def test_damage_while_packs_are_rebuilt_in_vain(self) -> None:
        """Where the rebuilding fails, or suppliers came meanwhile, the next round follows at once and does it."""
        self.ready()
        for end, event in (("fail", "damaged"), ("succeed", "suppliers-changed")):
            self.drive("sync", None, "LIST_FILES", LIST)
            self.port.succeed("list_files")
            self.asked("REBUILDING", REBUILD)
            self.machine.send("damaged")
            self.machine.send(event)
            self.calls.clear()
            getattr(self.port, end)("rebuild")
            self.asked("CLEANING", CLEAN)
            self.port.succeed("clean")
            self.asked("PAUSE")

    def test_deleted_while_cleaning(self) -> None:
        """What is deleted while a cleaning runs gets one of its own."""
        self.cleaning()
        self.drive("deleted", None, "SETTLING")

    def test_whoever_asks_gets_a_round(self) -> None:
        """A round that is asked for begins at once, whatever is waited for or done."""
        self.ready()
        self.drive("suppliers-changed", None, "PAUSE")
        self.drive("sync", None, "LIST_FILES", LIST)
        self.port.succeed("list_files")
        self.asked("REBUILDING", REBUILD)
        self.drive("sync", None, "LIST_FILES", LIST)
        self.port.succeed("list_files")
        self.port.succeed("rebuild")
        self.asked("CLEANING", REBUILD, CLEAN)
        self.drive("sync", None, "LIST_FILES", LIST)

    def test_asked_for_while_it_settles(self) -> None:
        """A round that is asked for does not wait for what settles."""
        self.settling()
        self.drive("sync", None, "LIST_FILES", LIST)

    def test_shutdown(self) -> None:
        """The end gives up what is being done."""
        self.cleaning()
        self.ends("shutdown")
