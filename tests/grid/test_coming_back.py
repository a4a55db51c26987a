"""After an outage everybody is connected again within ten seconds of the last return."""

from collections.abc import Callable

from bitdust.testing.grid import GridNode
from tests.grid.test_main_job import GridCase

SOON = 10.0
"""Seconds within which everybody is together again."""
SHORT, LONG = 20.0, 3600.0


class ComingBackTests(GridCase):
    """Four suppliers and their customer lose each other in every way, and find each other again."""

    def setUp(self) -> None:
        super().setUp()
        self.add_suppliers(4)
        self.alice = self.add_customer()
        path, _ = self.file("file", 10_000)
        self.upload(self.alice, path, "file")
        self.grid.until(self.are_together, 60, "the first meeting")
        self.grid.pass_time(60)

    def are_together(self) -> bool:
        """Every supplier has answered its customer in a session that both ends have."""
        connected = self.alice.rooms.suppliers.connectors.connected()
        mine = self.alice.rooms.identity.me.fingerprint
        return all(one.fingerprint in connected and one.rooms.gateway.connected(mine) for one in self.suppliers)

    def restart(self, *nodes: GridNode, moves: bool = True) -> None:
        """The next processes over the homes of crashed ones, at other addresses or at the same ones."""
        for node in nodes:
            network, host = node.address.rsplit(".", 2)[1:]
            born = node.again(f"10.0.{int(network) + moves}.{host}")
            if node is self.alice:
                self.alice = born
            elif node is self.seed:
                self.seed = born
            else:
                self.suppliers[self.suppliers.index(node)] = born

    def after(self, seconds: float, what: str, comes_back: Callable[[], None]) -> None:
        """Time passes, everybody comes back, and is together again soon, to stay so."""
        self.grid.pass_time(seconds)
        comes_back()
        self.grid.until(self.are_together, SOON, f"after {seconds:.0f} s {what}: the meeting")
        self.grid.run(1)
        self.assertTrue(self.are_together(), what)
        self.grid.pass_time(60)

    def crash(self, seconds: float, pick: Callable[[], list[GridNode]], moves: bool = True) -> None:
        away = pick()
        for node in away:
            node.crash()
        names = ", ".join(node.name for node in away) + (" elsewhere" if moves else "")
        self.after(seconds, names, lambda: self.restart(*away, moves=moves))

    def cut(self, seconds: float, pick: Callable[[], list[GridNode]]) -> None:
        away = {node.address for node in pick()}
        self.grid.network.cut = lambda one, other: (one in away) != (other in away)

        def heal() -> None:
            self.grid.network.cut = lambda one, other: False

        self.after(seconds, "cut off: " + ", ".join(node.name for node in pick()), heal)

    def test_one_crashes(self) -> None:
        """A supplier, or the customer, is killed and comes back at another address, or at its own."""
        for moves in (True, False):
            self.crash(SHORT, lambda: self.suppliers[1:2], moves)
            self.crash(SHORT, lambda: [self.alice], moves)
        self.crash(LONG, lambda: self.suppliers[1:2])

    def test_everybody_crashes(self) -> None:
        """All but the seed are killed and come back elsewhere; a power cut kills the seed, too, and nobody moves."""
        self.crash(LONG, lambda: [self.alice, *self.suppliers])
        self.crash(LONG, lambda: [self.alice, *self.suppliers, self.seed], False)

    def test_without_the_seed(self) -> None:
        """While the seed is away some come back elsewhere, and all where they were."""
        self.seed.crash()
        self.crash(SHORT, lambda: [self.alice, *self.suppliers[:2]])
        self.crash(SHORT, lambda: self.suppliers[1:])
        self.crash(LONG, lambda: [self.alice, *self.suppliers], False)

    def test_without_an_interface(self) -> None:
        """The customer's machine is on no network at all for an hour, and all its services stop."""
        host = self.grid.network.host(self.alice.address)
        self.patch(host, "interfaces", list)
        self.grid.network.cut = lambda one, other: host.address in (one, other)

        def back() -> None:
            self.patch(host, "interfaces", lambda: [host.address])
            self.grid.network.cut = lambda one, other: False

        self.after(LONG, "without an interface", back)

    def test_cut_off(self) -> None:
        """One supplier hears nobody, or half of all do not hear the other half, or the customer hears nobody."""
        self.cut(SHORT, lambda: self.suppliers[:1])
        self.cut(SHORT, lambda: [self.alice, *self.suppliers[:2]])
        self.cut(LONG, lambda: [self.alice])
