"""The disk of the home is full or fails: which disk is named, what works all the same, and how it goes on."""

import errno
import os
import sqlite3
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from bitdust.customers.database import open_database
from bitdust.disk.disk import own_disk_error
from bitdust.storage.catalog.database import open_catalog
from bitdust.storage.pieces.spool import Spool
from bitdust.testing.faulty_disk import COMMIT, Change, Fault, FaultyDisks, sqlite_error
from bitdust.wire.errors import BitDustError
from tests.unit.storage_kit import Node, network, random_file


class OwnDiskTests(SynchronousTestCase):
    def test_what_is_said(self) -> None:
        """A full, a read-only and a failing disk are told apart, each with its path."""
        path = Path("/home/alice/.bitdust/catalog.db")
        readonly = sqlite3.OperationalError("attempt to write a readonly database")
        readonly.sqlite_errorcode = sqlite3.SQLITE_READONLY
        cases = (
            (OSError(errno.ENOSPC, "no"), "disk-full", "the disk is full; make room, and it goes on by itself"),
            (sqlite_error(sqlite3.SQLITE_FULL), "disk-full", "the disk is full"),
            (OSError(errno.EROFS, "Read-only file system"), "disk-error", "it is read-only"),
            (sqlite_error(sqlite3.SQLITE_IOERR_SHMSIZE), "disk-full", "the disk is full"),
            (readonly, "disk-error", "it is read-only"),
            (OSError(errno.EIO, "Input/output error"), "disk-error", "the disk failed: Input/output error"),
            (sqlite_error(sqlite3.SQLITE_IOERR), "disk-error", "the disk failed: disk I/O error; see what the system"),
            (OSError(errno.EMFILE, "Too many open files"), "too-few-files", "ulimit -n 2048"),
            (OSError(errno.EACCES, "Permission denied"), "disk-error", "mend its owner and permissions"),
        )
        for error, code, text in cases:
            said = own_disk_error(error, path)
            self.assertEqual(said.code, code)
            self.assertIn(f"{path}: ", str(said))
            self.assertIn(text, str(said))

    def test_a_catalog_on_a_full_disk_is_not_called_damaged(self) -> None:
        """Nobody is advised to move a good catalog away because its disk is full; with room it opens."""
        path = Path(self.mktemp()) / "home" / "catalog.db"
        open_catalog(path).close()
        for code, name in ((sqlite3.SQLITE_FULL, "disk-full"), (sqlite3.SQLITE_IOERR, "disk-error")):
            with mock.patch.object(sqlite3, "connect", side_effect=sqlite_error(code)):
                error = self.assertRaises(BitDustError, open_catalog, path)
            self.assertEqual(error.code, name)
            self.assertIn(str(path), str(error))
            self.assertNotIn("move it away", str(error))
        open_catalog(path).close()

    def test_a_suppliers_database_on_such_a_disk_is_not_called_damaged(self) -> None:
        """A supplier is not told to bring customers.db back from a copy because its disk is full, fails or is closed
        to it; with a disk again it opens as it was."""
        path = Path(self.mktemp()).absolute() / "customers.db"
        path.parent.mkdir(exist_ok=True)
        for connection in open_database(path):
            connection.close()
        for code, name in ((sqlite3.SQLITE_FULL, "disk-full"), (sqlite3.SQLITE_IOERR, "disk-error")):
            with mock.patch.object(sqlite3, "connect", side_effect=sqlite_error(code)):
                error = self.assertRaises(BitDustError, open_database, path)
            self.assertEqual((error.code, str(path) in str(error)), (name, True))
            self.assertNotIn("copy", str(error))
        with mock.patch.object(Path, "chmod", side_effect=OSError(errno.EROFS, "Read-only file system")):
            error = self.assertRaises(BitDustError, open_database, path)
        self.assertIn("it is read-only; mount it for writing", str(error))
        for connection in open_database(path):
            connection.close()

    def test_the_disk_of_the_spool(self) -> None:
        """Where pieces cannot wait for their suppliers, the folder is named, and what to do; the next one is kept."""
        spool = Spool(Path(self.mktemp()).absolute())
        spool.open()
        for number, code in ((errno.ENOSPC, "disk-full"), (errno.EIO, "disk-error"), (errno.EMFILE, "too-few-files")):
            with mock.patch.object(os, "open", side_effect=OSError(number, os.strerror(number))):
                error = self.assertRaises(BitDustError, spool.write_one, b"p" * 16, 0, b"piece")
            self.assertEqual((error.code, str(error).startswith(f"{spool.folder}: ")), (code, True))
        spool.write_one(b"p" * 16, 0, b"piece")
        self.assertEqual(spool.load(b"p" * 16, 0), b"piece")


class FullHomeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.fault: Fault | None = None
        disks = FaultyDisks()
        installed = disks.installed()
        installed.__enter__()
        self.addCleanup(installed.__exit__, None, None, None)
        self.base, self.around, self.node = network(self)
        disks.watch(self.node.home, self.judge)
        self.restart()

    def judge(self, change: Change) -> Fault | None:
        return self.fault if change.kind == COMMIT else None

    def restart(self) -> None:
        """Open the databases of the home again, watched."""
        self.node.stop()
        self.node = Node(self.node.home, self.around, self.node.clock)
        self.node.start()
        self.addCleanup(lambda node=self.node: node.storage.is_open and node.stop())

    def test_a_download_to_another_disk_goes_on(self) -> None:
        """What was stored comes back although the home cannot take a word."""
        data = random_file(self.base / "file", 100_000)
        self.node.upload(self.base / "file", "file")
        self.node.pass_time(5)
        self.fault = Fault(sqlite_error(sqlite3.SQLITE_FULL))
        self.node.download("file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)
        self.assertEqual(self.node.storage.core.downloads.running, [])
        self.fault = None
        self.node.download("file", self.base / "again")
        self.assertEqual((self.base / "again" / "file").read_bytes(), data)

    def test_an_upload_names_the_disk_and_works_with_room(self) -> None:
        """It is refused as disk-full with the path of the catalog, not with a word about suppliers."""
        random_file(self.base / "file", 100_000)
        self.fault = Fault(sqlite_error(sqlite3.SQLITE_FULL))
        error = self.assertRaises(BitDustError, self.node.upload, self.base / "file", "file")
        self.assertEqual(error.code, "disk-full")
        self.assertIn(str(self.node.home / "catalog.db"), str(error))
        self.assertNotIn("supplier", str(error))
        self.fault = None
        self.assertEqual(self.node.upload(self.base / "file", "file")["problems"], [])
