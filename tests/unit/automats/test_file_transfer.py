"""Rows of file_transfer."""

from unittest.mock import ANY

from bitdust.automats.file_transfer import FileTransfer, FileTransferPort
from tests.unit.automats.kit import RowTests


class FileTransferTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(FileTransferPort, is_whole=False)
        self.machine = FileTransfer(self.registry, "a/b", self.port)

    def gathering(self) -> None:
        self.drive("start", None, "GATHERING", ("gather",))

    def fetching(self) -> None:
        self.gathering()
        self.port.succeed("gather")
        self.asked("FETCHING", ("fetch",))

    def placing(self) -> None:
        self.fetching()
        self.port.succeed("fetch")
        self.asked("PLACING", ("place",))

    def test_the_way(self) -> None:
        """What the disk has is gathered, the rest is fetched, and the file takes its place."""
        self.placing()
        self.port.succeed("place")
        self.asked("DONE", ("ended", None))

    def test_nothing_to_fetch(self) -> None:
        """Where the disk has all of it, nobody is asked."""
        self.port.answers["is_whole"] = True
        self.gathering()
        self.port.succeed("gather")
        self.asked("PLACING", ("place",))

    def test_failures(self) -> None:
        """Whatever fails is reported with its reason."""
        self.gathering()
        self.port.fail("gather")
        self.asked("FAILED", ("ended", ANY))

    def test_nobody_has_it(self) -> None:
        """A file that nobody has ends, and says so."""
        self.fetching()
        self.port.fail("fetch")
        self.asked("FAILED", ("ended", ANY))

    def test_no_place(self) -> None:
        """A file that cannot take its place ends, and says so."""
        self.placing()
        self.port.fail("place")
        self.asked("FAILED", ("ended", ANY))

    def test_a_disk_that_hangs(self) -> None:
        """A disk has an hour for each step."""
        self.gathering()
        self.passes(3600, "FAILED", ("ended", "it took too long"))

    def test_a_disk_that_hangs_later(self) -> None:
        """A disk has an hour for each step, the last one too."""
        self.placing()
        self.passes(3600, "FAILED", ("ended", "it took too long"))

    def test_stopped(self) -> None:
        """It can be given up, as at the end of the node."""
        self.fetching()
        self.ends("stop", "STOPPED", ("ended", "it was given up"))
