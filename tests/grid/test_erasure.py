"""Giving up an identity on a whole node, and what keeps it from happening."""

from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred

from bitdust.companions.companions import Wish
from bitdust.wire.errors import BitDustError
from tests.grid.test_main_job import GridCase


class ErasureTests(GridCase):
    def setUp(self) -> None:
        super().setUp()
        self.add_suppliers(1)
        (self.node,) = self.suppliers

    def erase(self) -> "Deferred[dict[str, Any]]":
        return self.node.node.erase_identity(erase_private_key=False)

    def test_erased(self) -> None:
        """What belongs to the identity, with the apps that were let in, is put aside, the answer names the machine, and
        the process asks to restart."""
        stopped: list[int] = []
        self.node.node.stopped.connect(lambda: stopped.append(self.node.node.exit_code))
        self.grid.wait(Deferred.fromCoroutine(self.node.rooms.companions.add(Wish("phone", True))))
        told = self.grid.wait(self.erase())
        self.assertTrue((Path(told["former"]) / "keyfile").is_file())
        self.assertTrue((Path(told["former"]) / "devices" / "phone").is_file())
        self.assertFalse((self.node.home / "devices").exists())
        self.assertEqual(told["automat"]["id"], "identity_eraser")
        self.grid.until(lambda: stopped, 10, "the end of the process")
        self.assertEqual(stopped, [100])

    def test_a_disk_that_refuses(self) -> None:
        """Where the disk refuses, the error reaches the person, the identity stays and the services start again."""
        with mock.patch.object(type(self.node.node.erasure.files), "run", side_effect=OSError(30, "read-only")):
            failure = self.failureResultOf(self.settle(self.erase()))
        failure.trap(OSError)
        self.grid.until(lambda: self.node.is_on("supplier"), 30, "the services")
        self.assertTrue(self.node.rooms.identity.me.present)

    def test_a_service_that_never_stops(self) -> None:
        """Where a service does not stop within a minute nothing is touched, and a second try is possible."""
        hanging: Deferred[None] = Deferred()
        with mock.patch.object(self.node.node.driver, "stop_all", return_value=hanging):
            erasing = self.erase()
            again = self.assertRaises(BitDustError, self.erase)
            self.assertEqual(again.code, "busy")
            self.grid.run(61, 1.0)
        error = self.failureResultOf(erasing, BitDustError).value
        self.assertEqual(error.code, "timeout")
        self.assertTrue(self.node.rooms.identity.me.present)
        self.assertTrue(self.grid.wait(self.erase())["former"])

    def settle(self, deferred: "Deferred[Any]") -> "Deferred[Any]":
        self.grid.run(10)
        return deferred
