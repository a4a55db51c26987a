"""Room that grows: default suppliers serve many, and a large upload goes through small contracts."""

from bitdust.suppliers.growth import FIRST
from tests.grid.test_main_job import NO_SUPPLIER, GridCase

MIB = 1024 * 1024


class RoomTests(GridCase):
    def test_twenty_customers_of_four_default_suppliers(self) -> None:
        """With 8 GB given and 4 GB needed, all are hired by all, and each figure of space is what it says."""
        self.add_suppliers(4)
        customers = [self.grid.add(f"customer-{number}", **NO_SUPPLIER) for number in range(20)]
        for node in customers:
            node.start()
            node.create_identity()
        self.grid.until(lambda: all(node.is_on("employer") for node in customers), 300, "the families")
        for supplier in self.suppliers:
            figures = supplier.rooms.space.donated()
            self.assertEqual((figures["customers_num"], figures["consumed"]), (20, 20 * FIRST))
            self.assertEqual(figures["donated"], figures["consumed"] + figures["free"])
        self.assertEqual({node.rooms.space.consumed()["needed"] for node in customers}, {4 * 1024 * MIB})

    def test_an_upload_larger_than_half_of_the_first_contract(self) -> None:
        """Contracts grow while it runs, nothing is refused for good, and the limit is what the person has set."""
        self.add_suppliers(2)
        two = {"services/customer/suppliers-number": 2, "services/customer/needed-space": 64 * MIB}
        alice = self.add_customer(**two)
        book = alice.rooms.suppliers.book
        path, data = self.file("file", 40 * MIB)
        self.upload(alice, path, "file")
        self.assertEqual(alice.rooms.storage.info("file", False, False)["versions"][-1]["delivered"], "100%")
        for supplier in self.suppliers:
            self.assertGreater(book.of(supplier.fingerprint).room, FIRST + 40 * MIB)
        figures = alice.rooms.space.consumed()
        self.assertEqual(figures["needed"], 64 * MIB)
        self.assertGreater(figures["used"], 40 * MIB)
