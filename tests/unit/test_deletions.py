"""Deletions from the catalog to the suppliers, and what whoever asked is answered."""

import sqlite3

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.file_deletion import FileDeletion
from bitdust.wire.errors import BitDustError
from tests.unit.storage_kit import network, random_file


class DeletionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        random_file(self.base / "file", 300_000)
        self.node.upload(self.base / "file", "file")
        self.node.pass_time(1)

    def machine(self, row: dict) -> FileDeletion:
        return self.node.registry.by_index(row["automat"]["index"])

    def pieces(self) -> list[int]:
        return [supplier.pieces() for supplier in self.around.suppliers]

    def set_modes(self, mode: str) -> None:
        for supplier in self.around.suppliers:
            supplier.mode = mode

    def test_pieces_go_and_the_machine_ends(self) -> None:
        """The answer names the machine, which is done when suppliers have deleted the pieces."""
        states: list[str] = []
        row = self.node.delete("file")
        self.assertFalse(row["pending"])
        machine = self.machine(row)
        self.assertEqual(machine.id, row["automat"]["id"])
        machine.when("DONE").addCallback(states.append)
        self.assertEqual(self.node.rows(), [])
        self.node.pass_time(60)
        self.assertEqual((states, self.pieces()), (["DONE"], [0, 0, 0, 0]))

    def test_suppliers_that_are_away(self) -> None:
        """It is deleted here at once, and followed until they are back; nothing goes before the tombstone is safe."""
        self.set_modes("away")
        self.node.storage.core.suppliers_changed()
        row = self.node.delete("file")
        machine = self.machine(row)
        self.assertEqual((row["pending"], machine.state, self.node.rows()), (True, "PENDING", []))
        self.node.pass_time(60)
        self.assertEqual((machine.state, self.pieces()), ("PENDING", [1, 1, 1, 1]))
        self.set_modes("fine")
        self.node.storage.core.suppliers_changed()
        self.node.pass_time(60)
        self.assertEqual((machine.state, self.pieces()), ("DONE", [0, 0, 0, 0]))

    def test_the_answer_comes_when_suppliers_know(self) -> None:
        """Nobody is told that something is gone while too few suppliers know; whoever wants waits until they do."""
        replicas = self.node.storage.core.log_replicas
        self.node.delete("file")
        tombstone = self.node.storage.core.catalog.end("master", self.node.me.device.id).sequence
        self.assertGreaterEqual(replicas.safe_sequence("master"), tombstone)
        random_file(self.base / "other", 1000)
        self.node.upload(self.base / "other", "other")
        self.set_modes("away")
        waiting = Deferred.fromCoroutine(self.node.storage.delete("other", True))
        self.node.pass_time(30)
        self.assertNoResult(waiting)
        self.set_modes("fine")
        self.node.storage.core.suppliers_changed()
        self.node.pass_time(60)
        self.assertFalse(self.successResultOf(waiting)["pending"])

    def test_a_node_that_stops_answers(self) -> None:
        """Whoever waits for suppliers of a node that stops is answered that it is pending."""
        self.set_modes("away")
        waiting = Deferred.fromCoroutine(self.node.storage.delete("file"))
        self.node.pass_time(1)
        self.node.stop()
        self.assertTrue(self.successResultOf(waiting)["pending"])
        self.node.start()

    def test_what_cannot_be_written(self) -> None:
        """The disk's reason is the answer, and the item stays."""
        core = self.node.storage.core
        error = BitDustError("disk-full", "the disk is full")
        before, core.cleaner.delete = core.cleaner.delete, lambda target: fail(error)
        with self.assertRaises(BitDustError) as caught:
            self.node.delete("file")
        self.assertEqual(caught.exception.code, "disk-full")
        core.cleaner.delete = before
        self.assertEqual([row["path"] for row in self.node.rows()], ["file"])

    def test_a_disk_that_hangs(self) -> None:
        """Whoever asked is answered after ten minutes."""
        core = self.node.storage.core
        core.cleaner.delete = lambda target: Deferred()
        deleting = Deferred.fromCoroutine(self.node.storage.delete("file"))
        self.node.pass_time(601, 5)
        self.assertIn("did not answer", str(self.failureResultOf(deleting, BitDustError).value))

    def test_a_killed_node_goes_on_without_the_machine(self) -> None:
        """What is in the log is seen to by the rounds of the next start."""
        self.set_modes("away")
        self.node.delete("file")
        self.node.stop()
        self.set_modes("fine")
        self.node.start()
        self.node.pass_time(60)
        self.assertEqual((self.node.rows(), self.pieces()), ([], [0, 0, 0, 0]))


class ForgettingTests(SynchronousTestCase):
    def test_rows_of_the_tables(self) -> None:
        """Every table of a catalog whose rows follow from logs says under which key they stand."""
        _, _, node = network(self)
        database: sqlite3.Connection = node.storage.core.catalog.read
        for table in ("items", "versions", "gone", "labels", "tombstones", "packs", "entries", "bases", "log_acks"):
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            self.assertIn("key", columns, table)
