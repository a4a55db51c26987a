"""Pieces that wait here for suppliers while a catalog is built again from what suppliers hold."""

from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from bitdust.storage.catalog import apply
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

    def test_an_entry_of_mine_that_cannot_be_read(self) -> None:
        """So it is while what I said before is held up: as soon as that is read again they go to their suppliers, and
        those of packs that are no more go with the next comparison."""
        base, around, node = network(self)
        random_file(base / "file", 400_000)
        node.create("folder", folder=True)
        label = {"op": "label", "path": node.rows()[0]["path_id"], "label": "x"}
        node.wait(node.storage.core.log_writer.write(lambda database: [label]))
        around.suppliers[3].mode = "away"
        node.begin_upload(base / "file", "file")
        node.pass_time(60)
        waiting = node.storage.core.spool.names()
        self.assertEqual({number for _, number in waiting}, {3})
        node.wait(node.storage.core.catalog.change(note_outdated))
        node.wait(node.storage.core.catalog.change(
            lambda database: database.execute("INSERT INTO pieces VALUES(x'00', 1, 5, 1, NULL, NULL)")))  # fmt: skip
        node.stop()
        with mock.patch.dict(apply._APPLY, {"label": mock.Mock(side_effect=TypeError("nobody has thought of this"))}):
            again = Node(node.home, around, node.clock).start()
            again.pass_time(60)
            around.suppliers[3].mode = "fine"
            again.storage.core.suppliers_changed()
            again.pass_time(600)
            self.assertEqual(again.storage.core.spool.names(), waiting)
            self.assertEqual([row["path"] for row in again.rows()], ["folder"])
            around.suppliers[3].mode = "away"
            again.storage.core.suppliers_changed()
            again.stop()
        again = Node(node.home, around, node.clock).start()
        self.addCleanup(stop_quietly, again)
        again.pass_time(60)
        self.assertEqual(again.storage.core.spool.names(), waiting)
        around.suppliers[3].mode = "fine"
        again.pass_time(600)
        self.assertEqual(again.storage.core.spool.names(), set())
        packs = again.storage.core.catalog.read.execute("SELECT pack, count(*) FROM pieces GROUP BY pack").fetchall()
        self.assertEqual(packs, [(pack, 4) for pack, _ in waiting])
