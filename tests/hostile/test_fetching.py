"""Who is not known here shows a document that names places: nobody asks those because a stranger said so."""

from typing import Any

from tests.grid.test_main_job import GridCase


class FetchingTests(GridCase):
    def test_a_stranger_makes_nobody_fetch(self) -> None:
        """Suppliers serve a customer whom they have never seen, and ask none of the places that its document names."""
        self.add_suppliers(2)
        asked: list[str] = []
        for supplier in self.suppliers:
            self.note(supplier.node.context.client, asked)
        alice = self.add_customer(**{"services/customer/suppliers-number": 2})
        path, _ = self.file("file", 20_000)
        self.upload(alice, path, "file")
        self.grid.run(600, step=1.0)
        place = str(alice.rooms.identity.me.document.idurl)
        self.assertTrue(all(one.rooms.customers.fingerprints() for one in self.suppliers))
        self.assertNotIn(place, asked)

    def note(self, client: Any, asked: list[str]) -> None:
        fetch = client.fetch

        def noted(idurl: Any) -> Any:
            asked.append(str(idurl))
            return fetch(idurl)

        self.patch(client, "fetch", noted)
