"""A node that knows nobody but one seed of the hash table, and suppliers who come within reach later."""

from tests.grid.test_main_job import NO_SUPPLIER, GridCase

MINUTE = 60.0
SOON = 60.0
"""Seconds: those who were cut off one by one find each other again in a quarter of that."""


class LonelySeedTests(GridCase):
    def begin(self, seconds: float = MINUTE) -> None:
        """A customer that has nobody to hire for so long."""
        self.alice = self.grid.add("alice", **NO_SUPPLIER)
        self.alice.start()
        self.alice.create_identity()
        self.grid.run(seconds, 0.1)
        self.assertEqual(self.alice.rooms.suppliers.family.members, [])

    def cut(self, among_each_other: bool = False) -> None:
        """Nobody else reaches the suppliers."""
        away = {one.address for one in self.suppliers}
        either = lambda one, other: one in away or other in away  # noqa: E731
        self.grid.network.cut = either if among_each_other else lambda one, other: (one in away) != (other in away)

    def hires_soon(self) -> None:
        self.grid.network.cut = lambda one, other: False
        self.grid.until(lambda: self.alice.is_on("my_data"), SOON, "the family")
        self.grid.run(2 * MINUTE, 0.5)

    def test_suppliers_that_were_cut_off(self) -> None:
        """Suppliers that nobody could reach for a minute, or for ten, are hired within seconds when everybody can."""
        self.add_suppliers(4)
        self.cut()
        self.begin(10 * MINUTE)
        self.hires_soon()

    def test_each_alone(self) -> None:
        """The same where none of them could reach another one."""
        self.add_suppliers(4)
        self.cut(among_each_other=True)
        self.begin()
        self.hires_soon()

    def test_suppliers_that_start_later(self) -> None:
        """The same of suppliers that start while the customer has waited for a minute."""
        self.begin()
        self.add_suppliers(4)
        self.hires_soon()
