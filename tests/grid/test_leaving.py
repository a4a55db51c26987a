"""Suppliers and customers that part: places change hands while the pieces move, and nothing is lost on the way."""

import shutil

from bitdust.testing.grid import GridNode
from tests.grid.test_main_job import GridCase


class LeavingCase(GridCase):
    def by_place(self, customer: GridNode, place: int) -> GridNode:
        """The supplier at a place of a customer's family."""
        wanted = customer.node.parts.family.current.suppliers[place]
        return next(one for one in self.suppliers if one.node.parts.me.fingerprint == wanted)

    def restart(self, node: GridNode) -> GridNode:
        """Kill a node without a word and start it again over the same home."""
        node.kill()
        self.grid.run(1)
        again = GridNode(self.grid, node.name, f"10.0.1.{len(self.grid.nodes)}", node.settings)
        self.grid.nodes.append(again)
        again.start()
        return again

    def kept_at(self, supplier: GridNode, customer: GridNode) -> int:
        """Bytes of a customer at a supplier."""
        kept = supplier.node.parts.store.contract_of(customer.node.parts.me.fingerprint)
        return kept.used if kept is not None else 0

    def moved(self, customer: GridNode, old: GridNode) -> bool:
        """Whether a supplier has nothing to do with a customer any more."""
        return old.node.parts.me.fingerprint not in customer.node.parts.family.holders


class ReplacingTests(LeavingCase):
    def test_a_place_changes_hands_with_its_pieces(self) -> None:
        """The new supplier gets piece, log and key ring; then the old one is dismissed and frees the space."""
        self.add_suppliers(4)
        alice = self.add_customer()
        path, data = self.file("file", 2_000_000)
        self.upload(alice, path, "file")
        self.add_suppliers(1)
        old, fresh = self.by_place(alice, 1), self.suppliers[4]
        before = self.kept_at(old, alice)
        self.assertGreater(before, 900_000)
        alice.node.parts.hiring.replacing.change(old.node.parts.me.fingerprint, None)
        self.grid.until(lambda: self.by_place(alice, 1) is fresh, 60, "the new supplier")
        self.assertEqual(self.kept_at(old, alice), before)
        self.grid.until(lambda: self.moved(alice, old), 300, "the move")
        self.grid.run(5)
        self.assertEqual(self.kept_at(fresh, alice), before)
        self.assertEqual(self.kept_at(old, alice), 0)
        self.assertEqual(list(old.node.parts.store.folder.glob("*/*/*")), [])
        self.assertIsNone(alice.node.parts.book.of(old.node.parts.me.fingerprint))
        for supplier in (old, *[self.by_place(alice, place) for place in (0, 2)]):
            supplier.kill()
        self.download(alice, "file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)

    def test_killed_in_the_middle_it_goes_on(self) -> None:
        """A customer that is killed while the pieces move goes on; the old supplier keeps them until all have moved."""
        self.add_suppliers(4)
        alice = self.add_customer()
        for number in range(6):
            path, _ = self.file(f"file-{number}", 400_000)
            self.upload(alice, path, f"file-{number}")
        data = path.read_bytes()
        self.add_suppliers(1)
        old, fresh = self.by_place(alice, 2), self.suppliers[4]
        before = self.kept_at(old, alice)
        alice.node.parts.hiring.replacing.change(old.node.parts.me.fingerprint, fresh.node.parts.me.fingerprint)
        self.grid.until(lambda: self.kept_at(fresh, alice) > 0, 120, "the first piece")
        self.assertLess(self.kept_at(fresh, alice), before)
        alice = self.restart(alice)
        self.assertEqual(self.kept_at(old, alice), before)
        self.grid.until(lambda: self.moved(alice, old), 600, "the move")
        self.grid.run(5)
        self.assertEqual((self.kept_at(fresh, alice), self.kept_at(old, alice)), (before, 0))
        for supplier in (old, self.by_place(alice, 0), self.by_place(alice, 1)):
            supplier.kill()
        self.download(alice, "file-5", self.base / "back")
        self.assertEqual((self.base / "back" / "file-5").read_bytes(), data)

    def test_recovered_in_the_middle_the_old_supplier_still_counts(self) -> None:
        """A home that is lost while pieces move comes back with the leaving supplier as one of the k that are left."""
        self.add_suppliers(4)
        alice = self.add_customer()
        path, data = self.file("file", 300_000)
        self.upload(alice, path, "file")
        self.add_suppliers(1)
        self.grid.run(5)
        old, fresh = self.by_place(alice, 3), self.suppliers[4]
        alice.node.parts.hiring.replacing.change(old.node.parts.me.fingerprint, None)
        self.grid.until(lambda: self.by_place(alice, 3) is fresh, 60, "the new supplier")
        self.grid.run(1)
        self.assertEqual(self.kept_at(fresh, alice), 0)
        key_file = self.key_file(alice)
        alice.kill()
        shutil.rmtree(alice.home)
        fresh.kill()
        others = [self.by_place(alice, place) for place in (0, 1)]
        again = self.recover(key_file)
        self.grid.run(10)
        for supplier in others:
            supplier.kill()
        self.download(again, "file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)
