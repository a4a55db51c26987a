"""Rows of ipfs_add."""

from unittest import mock

from bitdust.automats.ipfs_add import IpfsAdd, IpfsAddPort
from tests.unit.automats.kit import RowTests

TAKE, FINISH = ("take",), ("finish",)


class IpfsAddTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(IpfsAddPort)
        self.machine = IpfsAdd(self.registry, "1", self.port)
        self.addCleanup(self.machine.send, "stop")

    def receiving(self) -> None:
        self.drive("start", None, "RECEIVING", TAKE)

    def storing(self) -> None:
        self.receiving()
        self.port.succeed("take")
        self.asked("STORING", FINISH)

    def test_files_then_directories(self) -> None:
        """When every file is here the directories are made and everything is stored."""
        self.storing()
        self.port.succeed("finish")
        self.asked("DONE", ("done",))
        self.assertEqual(len(self.registry), 0)

    def test_what_fails(self) -> None:
        """Files that cannot be taken, or stored, are reported."""
        self.receiving()
        self.port.fail("take")
        self.asked("FAILED", ("failed", mock.ANY))
        self.machine = IpfsAdd(self.registry, "2", self.port)
        self.storing()
        self.port.fail("finish")
        self.asked("FAILED", ("failed", mock.ANY))

    def test_a_client_that_never_ends(self) -> None:
        """After a day of receiving, and after an hour of storing, it is given up."""
        self.receiving()
        self.passes(86_400, "FAILED", ("failed", None))
        self.machine = IpfsAdd(self.registry, "2", self.port)
        self.storing()
        self.passes(3600, "FAILED", ("failed", None))

    def test_a_client_that_goes(self) -> None:
        """Who goes stops it, before it begins and wherever it is."""
        self.ends("stop", "STOPPED", ("failed", None))
        self.machine = IpfsAdd(self.registry, "2", self.port)
        self.receiving()
        self.ends("stop", "STOPPED", ("failed", None))
        self.machine = IpfsAdd(self.registry, "3", self.port)
        self.storing()
        self.ends("stop", "STOPPED", ("failed", None))
