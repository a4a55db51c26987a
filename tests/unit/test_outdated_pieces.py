"""Pieces that wait here for suppliers while a catalog is built again from what suppliers hold."""

from twisted.trial.unittest import SynchronousTestCase

from bitdust.storage.log.outdated import note_outdated
from bitdust.storage.pieces.spool import Spool
from tests.unit.storage_kit import Node, network, random_file, stop_quietly


class WaitingTests(SynchronousTestCase):
    def test_a_catalog_that_starts_over(self) -> None:
        """They stay until it is known again what they are of, and go to their suppliers: suppliers may be lost."""
        base, around, node = network(self)
        data = random_file(base / "file", 400_000)
        around.suppliers[3].mode = "away"
        node.begin_upload(base / "file", "file")
        node.pass_time(60)
        waiting = node.storage.core.spool.names()
        self.assertEqual({number for _, number in waiting}, {3})
        node.wait(node.storage.core.catalog.change(note_outdated))
        node.stop()
        removed = set[tuple[bytes, int]]()
        real = Spool.remove
        self.patch(Spool, "remove", lambda spool, *piece: (removed.add(piece), real(spool, *piece)))
        again = Node(node.home, around, node.clock).start()
        self.addCleanup(stop_quietly, again)
        again.pass_time(60)
        self.assertEqual((removed, again.storage.core.spool.names()), (set(), waiting))
        around.suppliers[3].mode = "fine"
        again.pass_time(600)
        self.assertEqual((removed, again.storage.core.spool.names()), (waiting, set()))
        for supplier in around.suppliers[:2]:
            supplier.mode = "away"
        again.download("file", base / "back")
        self.assertEqual((base / "back" / "file").read_bytes(), data)

    def test_suppliers_that_are_there(self) -> None:
        """Nobody is asked to take what it is not known what it is of, and nothing is given up for that: suppliers that
        were full have too few pieces, and get the others when the catalog is there."""
        base, around, node = network(self)
        data = random_file(base / "file", 400_000)
        for supplier in around.suppliers[1:]:
            supplier.mode = "full"
        node.begin_upload(base / "file", "file")
        node.pass_time(120)
        self.assertTrue(node.storage.core.log_replicas.is_safe())
        self.assertEqual({number for _, number in node.storage.core.spool.names()}, {1, 2, 3})
        node.wait(node.storage.core.catalog.change(note_outdated))
        node.stop()
        (base / "file").unlink()
        for supplier in around.suppliers:
            supplier.mode = "fine"
        again = Node(node.home, around, node.clock).start()
        self.addCleanup(stop_quietly, again)
        again.pass_time(600)
        again.download("file", base / "back")
        self.assertEqual((base / "back" / "file").read_bytes(), data)
