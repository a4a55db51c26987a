"""Pieces that stay on this disk after suppliers have them, and a disk that does not let them go."""

import errno
import os
from unittest import mock

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.storage.catalog.database import PieceState
from tests.unit.storage_kit import network, random_file

KEEP = "services/backups/keep-local-copies-enabled"


class StuckTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.node.settings.set(KEEP, True)
        random_file(self.base / "a", 600_000)
        self.node.upload(self.base / "a", "a")
        self.node.pass_time(5)
        self.spool = self.node.storage.core.spool
        self.every = sorted(self.spool.names())
        self.assertEqual(len(self.every), 4)

    def remove(self):
        item = self.node.storage.find("a").item
        return self.node.wait(Deferred.fromCoroutine(self.node.storage.copies.remove(item, None)))

    def stuck(self, *numbers: int):
        """The disk does not let these pieces go."""
        unlink = os.unlink

        def refuse(path, *arguments, **more) -> None:
            if any(str(path).endswith(f"{pack.hex()}.{number}") for pack, number in self.every if number in numbers):
                raise OSError(errno.EIO, "Input/output error")
            unlink(path, *arguments, **more)

        return mock.patch("bitdust.storage.pieces.spool.os.unlink", refuse)

    def test_what_stays_is_counted(self) -> None:
        """A copy that cannot be removed counts as one that is there, and not as removed."""
        size = self.spool.size(*self.every[0])
        with self.stuck(1, 2):
            removed = self.remove()
            self.assertEqual((removed.files, removed.bytes, removed.waiting, removed.stuck), (2, 2 * size, 0, 2))
            self.assertEqual(sorted(self.spool.names()), self.every[1:3])
            self.assertEqual(self.remove().stuck, 2)
        removed = self.remove()
        self.assertEqual((removed.files, removed.bytes, removed.stuck), (2, 2 * size, 0))
        self.assertEqual(self.spool.names(), set())
        self.assertEqual(self.remove().files, 0)

    def test_it_is_tried_again(self) -> None:
        """The next rounds try to remove what stayed, and leave alone what waits for a supplier since then."""
        with self.stuck(1, 2):
            self.remove()
            self.node.storage.sync()
            self.node.pass_time(30)
            self.assertEqual(sorted(self.spool.names()), self.every[1:3])
        waits = "UPDATE pieces SET state=? WHERE number=2"
        catalog = self.node.storage.core.catalog
        self.around.suppliers[2].mode = "full"
        self.node.wait(catalog.change(lambda database: database.execute(waits, (PieceState.WAITING,))))
        self.node.storage.sync()
        self.node.pass_time(30)
        self.assertEqual(sorted(self.spool.names()), self.every[2:3])
