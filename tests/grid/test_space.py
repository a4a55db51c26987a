"""Figures of space against a walk over the disks of whole nodes."""

import os
from pathlib import Path

from bitdust.testing.grid import GridNode
from tests.grid.test_leaving import LeavingCase


def walk(folder: Path) -> int:
    """Apparent bytes of all files below, links left out."""
    return sum(
        os.lstat(os.path.join(where, name)).st_size
        for where, _, names in os.walk(folder)
        for name in names
        if not os.path.islink(os.path.join(where, name))
    )


class FigureTests(LeavingCase):
    def space(self, node: GridNode):
        return node.rooms.space

    def compare(self, customers: list[GridNode]) -> None:
        """Every figure of every node is what lies on the disks."""
        for supplier in self.suppliers:
            folder, figures = supplier.home / "customers", self.space(supplier).donated()
            self.assertEqual(figures["used"], walk(folder))
            everybody = figures["customers"] + figures["old_customers"]
            self.assertEqual(figures["used"], sum(one["used"] for one in everybody))
            self.assertEqual(figures["consumed"], sum(one["consumed"] for one in everybody))
            self.assertEqual(figures["donated"], figures["consumed"] + figures["free"])
            self.assertEqual(figures["old_customers_used"], sum(one["used"] for one in figures["old_customers"]))
            for row in supplier.rooms.customers.view.list(verbose=True):
                own = folder / row["fingerprint"]
                self.assertEqual(row["used"], walk(own))
                self.assertEqual(row["pieces"], sum(len(names) for _, _, names in os.walk(own)))
                self.assertEqual(row["missing"], 0)
        for node in (*self.suppliers, *customers):
            local = self.grid.wait(self.space(node).local())
            for figure, folder in (("customers", "customers"), ("backups", "spool"), ("temp", "temp")):
                self.assertEqual(local[figure], walk(node.home / folder))
            databases = [path for path in node.home.rglob("*") if ".db" in path.name]
            self.assertEqual(local["databases"], sum(path.stat().st_size for path in databases))
            parts = ("customers", "backups", "temp", "databases")
            self.assertEqual(local["total"], sum(local[figure] for figure in parts))
        for node in customers:
            figures = self.space(node).consumed()
            held = {self.kept_at(supplier, node) for supplier in self.suppliers} - {0}
            self.assertLessEqual(held, {figures["used_per_supplier"]})
            self.assertEqual(figures["needed"], figures["used"] + figures["available"])

    def test_figures_are_what_lies_on_disks(self) -> None:
        """Two customers upload, delete and are rejected, a supplier is killed while pieces come: all figures hold."""
        self.add_suppliers(4)
        alice = self.add_customer()
        bob = self.add_customer("bob", **{"services/customer/suppliers-number": 3})
        for node, sizes in ((alice, (1_300_000, 70_001)), (bob, (400_003,))):
            for size in sizes:
                path, _ = self.file(f"{node.name}-{size}", size)
                self.upload(node, path, path.name)
        self.grid.run(5)
        self.compare([alice, bob])
        used = self.space(alice).consumed()["used"]
        self.run_now(alice.rooms.storage.delete("alice-1300000"))
        self.grid.until(lambda: self.space(alice).consumed()["used"] < used / 5, 120, "the deletion")
        self.grid.run(15)
        self.compare([alice, bob])
        path, _ = self.file("more", 3_000_000)
        storage = alice.rooms.storage
        self.run_now(storage.create("more", False, True, None))
        task = self.run_now(storage.upload(str(path.absolute()), "more"))
        victim = self.suppliers[0]
        self.grid.until(lambda: list((victim.home / "customers").rglob("*.part")), 60, "a piece on its way")
        self.suppliers[0] = self.restart(victim)
        self.grid.wait(task.completion, 600)
        self.grid.run(70)
        self.compare([alice, bob])
        host = next(one for one in self.suppliers if self.kept_at(one, bob))
        freed = walk(host.home / "customers")
        rejection = self.grid.wait(host.rooms.customers.patrol.give_notice(bob.fingerprint, True))
        self.assertEqual(rejection.freed, freed - walk(host.home / "customers"))
        self.grid.until(lambda: self.moved(bob, host), 300, "bob's move")
        self.grid.run(15)
        self.compare([alice, bob])
        self.assertEqual([one["used"] for one in self.space(host).donated()["old_customers"]], [0])
