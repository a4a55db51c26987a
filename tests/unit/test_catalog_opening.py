"""A catalog that could not be opened, and is opened again by the same process."""

import sqlite3
from pathlib import Path
from types import SimpleNamespace

from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import set_meta


class OpeningTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.failures = 0
        world = SimpleNamespace(wall=lambda: 0.0, run_in_thread=maybeDeferred)
        self.catalog = Catalog(world, Path(self.mktemp()) / "catalog.db", prepare=self.prepare)
        self.addCleanup(self.catalog.drop)

    def prepare(self, database: sqlite3.Connection) -> None:
        """The disk fails in the middle of a transaction."""
        if self.failures:
            self.failures -= 1
            database.execute("BEGIN IMMEDIATE")
            set_meta(database, "half", b"1")
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

    def test_a_full_disk(self) -> None:
        """What was begun does not count and keeps nobody out, and the reason is said."""
        self.failures = 1
        self.assertEqual(self.failureResultOf(self.catalog.open()).value.code, "disk-full")
        self.assertFalse(self.catalog.is_open)
        self.assertEqual(self.failureResultOf(self.catalog.change(lambda database: None)).value.code, "catalog-closed")
        self.successResultOf(self.catalog.open())
        rows = self.catalog.read.execute("SELECT 1 FROM meta WHERE name='half'").fetchall()
        self.assertEqual(rows, [])
        self.successResultOf(self.catalog.change(lambda database: set_meta(database, "whole", b"1")))
