"""What the chunks of a large file cost beside their bytes: questions to the journal, and to the disk."""

import os
from pathlib import Path
from unittest import mock

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from bitdust.folders import transfer
from bitdust.folders.database import one_look
from bitdust.folders.writing import Part
from tests.unit.folder_kit import Replica, encrypted_secret

SIZE = 3_000_000


@frozen
class Usage:
    """Of a disk of which nothing stays free for others."""

    total: int
    free: int


class Disk:
    """``free`` bytes as the system would tell them, and how often it was asked."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.asked = 0

    def usage(self, path: Path) -> Usage:
        self.asked += 1
        return Usage(self.free, self.free)


class CostTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base = Path(self.mktemp())
        self.alice, self.bob = (Replica(self.base, name, encrypted_secret()) for name in ("alice", "bob"))
        self.addCleanup(lambda: (self.alice.close(), self.bob.close()))
        self.data = os.urandom(SIZE)
        self.alice.write("large", self.data)
        self.alice.scan()
        self.bob.pull(self.alice)

    def disk(self, free: int) -> Disk:
        disk = Disk(free)
        self.bob.store.reserve.usage = disk.usage
        return disk

    def chunks(self) -> int:
        (count,) = self.alice.store.journal.database.execute("SELECT count(*) FROM pieces").fetchone()
        return int(count)

    def test_room_is_asked_for_once_a_job(self) -> None:
        """For the chunks that are written together the disk is asked once whether it has room."""
        disk = self.disk(10 * SIZE)
        self.bob.apply(self.alice)
        self.assertEqual(self.bob.tree(), {"large": self.data})
        self.assertEqual(disk.asked, -(-self.chunks() // transfer.AT_ONCE))

    def test_room_that_ends(self) -> None:
        """What a job writes is counted: chunks for which there is no room then are refused, and come when there is."""
        disk = self.disk(SIZE // 2)
        write, written = Part.write, [0]

        def counted(descriptor: int, offset: int, chunk: bytes) -> None:
            disk.free -= len(chunk)
            written[0] += len(chunk)
            write(descriptor, offset, chunk)

        with mock.patch.object(Part, "write", counted):
            self.bob.apply(self.alice)
        self.assertEqual([(path, error.code) for path, error in self.bob.failures[:1]], [("large", "disk-full")])
        self.assertTrue(SIZE // 2 - 256 * 1024 < written[0] <= SIZE // 2)
        disk.free = 10 * SIZE
        self.bob.apply(self.alice)
        self.assertEqual(self.bob.tree(), {"large": self.data})

    def test_room_that_is_made(self) -> None:
        """Where the disk has more room by the end of what it had when it was asked, the rest is written too."""
        disk = self.disk(SIZE // 4)
        self.bob.apply(self.alice)
        self.assertEqual((self.bob.tree(), self.bob.failures), ({"large": self.data}, []))
        self.assertGreater(disk.asked, -(-self.chunks() // transfer.AT_ONCE))

    def test_a_new_file_is_not_read(self) -> None:
        """Of a file of which nothing has come yet nothing is read; what has come before is found again."""
        with mock.patch.object(Part, "read", side_effect=AssertionError):
            self.bob.apply(self.alice)
        self.assertEqual(self.bob.tree(), {"large": self.data})

    def test_one_look(self) -> None:
        """Places of all chunks of a question, and of a file, are looked up in one transaction each."""
        seen: list[str] = []
        names = [name for (name,) in self.alice.store.journal.database.execute("SELECT name FROM pieces")]
        serving = self.alice.store.serving
        serving.reader.set_trace_callback(seen.append)
        self.assertEqual([one.name for one in serving.plan(names)], names)
        self.assertEqual((seen[0], seen[-1], len(seen)), ("BEGIN", "COMMIT", len(names) + 2))
        self.bob.store.journal.database.set_trace_callback(seen.append)
        seen.clear()
        (task,) = self.bob.store.tasks(9, [])
        seen.clear()
        transfer.Transfer(self.bob, task).gather()
        self.assertEqual((seen[0], seen[-1], len(seen)), ("BEGIN", "COMMIT", self.chunks() + 2))

    def test_it_ends(self) -> None:
        """A look that fails leaves nothing open: the journal can be written after it."""
        database = self.bob.store.journal.database
        with self.assertRaises(OSError), one_look(database):
            raise OSError
        self.assertFalse(database.in_transaction)
