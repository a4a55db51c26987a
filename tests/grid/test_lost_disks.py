"""Suppliers that lose their disks and go on under the same name: they get back all that they held, not pieces alone."""

import shutil

from bitdust.testing.grid import GridNode
from tests.grid.test_main_job import GridCase


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
