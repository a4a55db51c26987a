"""Rows of identity_eraser."""

from bitdust.automats.identity_eraser import IdentityEraser, IdentityEraserPort
from bitdust.testing.recorder import Refused
from tests.unit.automats.kit import RowTests


class IdentityEraserTests(RowTests):
    def setUp(self) -> None:
        super().setUp()
        self.port = self.record(IdentityEraserPort)
        self.machine = IdentityEraser(self.registry, self.port)

    def stop_services(self) -> None:
        self.drive("start", None, "STOPPING", ("stop_services",))

    def erase(self) -> None:
        self.stop_services()
        self.port.succeed("stop_services")
        self.asked("ERASING", ("erase_files",))

    def test_erased(self) -> None:
        """The files go when the services have stopped, and the process starts again when they are gone."""
        self.erase()
        self.port.succeed("erase_files", "what is gone")
        self.asked("DONE", ("restart", "what is gone"))

    def test_a_service_that_fails_to_stop(self) -> None:
        """Where a service cannot be stopped nothing is touched, and the node goes on with its identity."""
        self.stop_services()
        error = Refused("busy")
        self.port.fail("stop_services", error)
        (call,) = self.calls
        self.assertEqual((self.machine.state, call[0], call[1].value), ("KEPT", "resume", error))

    def test_a_service_that_never_stops(self) -> None:
        """After a minute the node goes on with its identity."""
        self.stop_services()
        self.passes(60, "KEPT", ("resume", None))

    def test_a_disk_that_refuses(self) -> None:
        """Where the files cannot be moved the node goes on with its identity."""
        self.erase()
        error = OSError("read-only")
        self.port.fail("erase_files", error)
        (call,) = self.calls
        self.assertEqual((self.machine.state, call[0], call[1].value), ("KEPT", "resume", error))
