"""Rows of folder_sync."""

from unittest.mock import ANY

from bitdust.automats.folder_sync import FolderSync, FolderSyncPort
from tests.unit.automats.kit import RowTests


class FolderSyncTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(
            FolderSyncPort, is_paused=False, has_more_to_look_at=False, has_work=False, rescan_seconds=600.0,
            retry_seconds=10.0,
        )
        self.machine = FolderSync(self.registry, "folder", self.port)

    def scanning(self) -> None:
        self.drive("start", None, "OPENING", ("open",))
        self.port.succeed("open")
        self.asked("SCANNING", ("note", None), ("scan",))

    def in_sync(self) -> None:
        self.scanning()
        self.port.succeed("scan")
        self.asked("IN_SYNC", ("meet",), ("rest",))

    def syncing(self) -> None:
        self.in_sync()
        self.drive("due", None, "SYNCING", ("work",))

    def paused(self) -> None:
        self.in_sync()
        self.drive("pause", None, "PAUSED", ("halt",))

    def broken(self) -> None:
        self.drive("start", None, "OPENING", ("open",))
        self.port.fail("open")
        self.asked("BROKEN", ("note", ANY))

    def test_begins(self) -> None:
        """A folder is opened, looked through, and then it looks for peers."""
        self.in_sync()

    def test_begins_paused(self) -> None:
        """A folder that its person has paused is opened, and rests."""
        self.port.answers["is_paused"] = True
        self.drive("start", None, "OPENING", ("open",))
        self.port.succeed("open")
        self.asked("PAUSED", ("note", None))

    def test_cannot_be_opened(self) -> None:
        """A folder that is not there is tried again, and at once where something has changed."""
        self.broken()
        self.passes(10, "OPENING", ("open",))
        self.port.fail("open")
        self.asked("BROKEN", ("note", ANY))
        self.drive("changed", None, "OPENING", ("open",))

    def test_disk_that_hangs(self) -> None:
        """A disk that does not answer for ten minutes is a broken one."""
        self.drive("start", None, "OPENING", ("open",))
        self.passes(600, "BROKEN", ("note", "the disk does not answer"))

    def test_broken_and_paused(self) -> None:
        """A broken folder can be paused, and is not tried then."""
        self.broken()
        self.drive("pause", None, "PAUSED")
        self.clock.advance(60)
        self.asked("PAUSED")

    def test_looks_again(self) -> None:
        """What was changed during a scan is looked at next, before anything is done."""
        self.scanning()
        self.port.answers["has_more_to_look_at"] = True
        self.port.answers["has_work"] = True
        self.port.succeed("scan")
        self.asked("SCANNING", ("meet",), ("scan",))
        self.port.answers["has_more_to_look_at"] = False
        self.port.succeed("scan")
        self.asked("SYNCING", ("meet",), ("work",))

    def test_fails_while_it_is_scanned(self) -> None:
        """A folder that goes away while it is looked through is broken."""
        self.scanning()
        self.port.fail("scan")
        self.asked("BROKEN", ("halt",), ("note", ANY))

    def test_paused_while_it_is_scanned(self) -> None:
        """A scan ends where its person pauses the folder."""
        self.scanning()
        self.drive("pause", None, "PAUSED", ("halt",))
        self.assertEqual(self.port.cancelled["scan"], 1)

    def test_changes(self) -> None:
        """A change on the disk is looked at, whether or not transfers go on."""
        self.in_sync()
        self.drive("changed", None, "SCANNING", ("scan",))
        self.port.succeed("scan")
        self.asked("IN_SYNC", ("meet",), ("rest",))
        self.drive("due", None, "SYNCING", ("work",))
        self.drive("changed", None, "SCANNING", ("scan",))

    def test_rescan(self) -> None:
        """Every few minutes, as the setting says, everything is looked at, also while there is something to do."""
        self.port.answers["rescan_seconds"] = 300.0
        self.in_sync()
        self.passes(300, "SCANNING", ("scan",))
        self.port.answers["has_work"] = True
        self.port.succeed("scan")
        self.asked("SYNCING", ("meet",), ("work",))
        for _ in range(29):
            self.passes(10, "SYNCING", ("retry",))
        self.passes(10, "SCANNING", ("scan",))

    def test_full(self) -> None:
        """While the disk of a keeper is full it is tried again ever more rarely, and nobody is left."""
        self.port.answers |= {"has_work": True, "retry_seconds": 60.0}
        self.syncing_with_work()
        self.drive("settled", None, "SYNCING")
        self.clock.advance(59)
        self.asked("SYNCING")
        self.passes(1, "SYNCING", ("retry",))
        self.passes(60, "SYNCING", ("retry",))

    def test_work(self) -> None:
        """Work is done until nothing is left; what has failed is tried again every ten seconds."""
        self.port.answers["has_work"] = True
        self.syncing_with_work()
        self.drive("due", None, "SYNCING", ("work",))
        self.drive("settled", None, "SYNCING")
        self.passes(10, "SYNCING", ("retry",))
        self.port.answers["has_work"] = False
        self.drive("settled", None, "IN_SYNC", ("rest",))

    def syncing_with_work(self) -> None:
        self.scanning()
        self.port.succeed("scan")
        self.asked("SYNCING", ("meet",), ("work",))

    def test_goes_away(self) -> None:
        """A folder that goes away between scans, or while something is written, is broken."""
        self.in_sync()
        self.drive("failed", "gone", "BROKEN", ("halt",), ("note", "gone"))
        self.passes(10, "OPENING", ("open",))
        self.port.succeed("open")
        self.asked("SCANNING", ("note", None), ("scan",))
        self.port.succeed("scan")
        self.asked("IN_SYNC", ("meet",), ("rest",))
        self.drive("due", None, "SYNCING", ("work",))
        self.drive("failed", "gone", "BROKEN", ("halt",), ("note", "gone"))

    def test_pause_and_resume(self) -> None:
        """A paused folder is opened again when it is to go on."""
        self.paused()
        self.drive("resume", None, "OPENING", ("open",))
        self.port.succeed("open")
        self.asked("SCANNING", ("note", None), ("scan",))
        self.port.succeed("scan")
        self.asked("IN_SYNC", ("meet",), ("rest",))
        self.drive("due", None, "SYNCING", ("work",))
        self.drive("pause", None, "PAUSED", ("halt",))

    def test_ends(self) -> None:
        """It can end at any time."""
        self.syncing()
        self.ends("stop", "CLOSED", ("halt",))
