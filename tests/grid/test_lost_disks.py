"""Suppliers that lose their disks and go on under the same name: they get back all that they held, not pieces alone."""

import shutil

from bitdust.customers import promises
from bitdust.storage.catalog import figures
from bitdust.suppliers import growth, link
from bitdust.testing.grid import GridNode
from tests.grid.test_main_job import GridCase

MIB = 1024 * 1024


class LostDiskTests(GridCase):
    def lose_disk(self, supplier: GridNode, address: str) -> GridNode:
        """It stops, its disk goes, and it comes back with nothing but its keys."""
        supplier.stop()
        for path in supplier.home.glob("customers*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        again = supplier.again(address)
        self.suppliers[self.suppliers.index(supplier)] = again
        self.grid.until(lambda: again.is_on("supplier"), 60, "the supplier")
        return again

    def holds_all(self, supplier: GridNode, owner: bytes) -> bool:
        store = supplier.rooms.customers.store
        if not store.is_open or store.contract_of(owner) is None:
            return False
        return bool(store.heads(owner)) and all(store.record(owner, kind) for kind in ("keyring", "family"))

    def is_whole(self, customer: GridNode) -> bool:
        pieces = figures.pieces(customer.rooms.storage.core.catalog.read)
        return pieces["due"] == pieces["acknowledged"]

    def test_two_lose_their_disks_and_the_others_go(self) -> None:
        """Log, key ring and family are back within seconds; then the other half may go, and a recovery gives all."""
        self.add_suppliers(4)
        alice = self.add_customer()
        path, data = self.file("file")
        self.upload(alice, path, "file")
        owner, key_file = alice.fingerprint, self.key_file(alice)
        for number in range(2):
            again = self.lose_disk(self.suppliers[number], f"10.0.1.{number + 1}")
            self.grid.until(lambda again=again: self.holds_all(again, owner), 30, "the records")
            self.grid.run(1800, step=0.5)
        self.assertEqual(alice.rooms.storage.info("file", False, False)["versions"][-1]["reliable"], "100%")
        alice.kill()
        for supplier in self.suppliers[2:]:
            supplier.kill()
        recovered = self.recover(key_file)
        self.download(recovered, "file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)

    def test_more_was_lost_than_is_promised_at_first(self) -> None:
        """Suppliers with little room promise little to who has nothing there: an upload that is faster than promises
        grow ends all the same, and one of them that loses its disk a moment later has everything back in two minutes.
        """
        self.patch(promises, "FIRST", MIB)
        self.patch(promises, "SHARE", 1000)
        self.patch(promises, "SMALLEST", MIB // 16)
        self.patch(growth, "FIRST", MIB)
        self.patch(growth, "LEAST", MIB // 16)
        self.patch(link, "LEAST", MIB // 16)
        self.add_suppliers(2, **{"services/supplier/donated-space": 64 * MIB})
        small = {"services/backups/block-size": MIB // 4, "services/customer/needed-space": 32 * MIB}
        alice = self.add_customer(**{"services/customer/suppliers-number": 2} | small)
        path, _ = self.file("file", 3 * MIB)
        self.upload(alice, path, "file")
        self.lose_disk(self.suppliers[0], "10.0.1.1")
        self.grid.until(lambda: not self.is_whole(alice), 60, "the loss")
        self.grid.until(lambda: self.is_whole(alice), 120, "all pieces")
