"""Faults: each breaks something of the field for a while, and gives what mends it."""

import errno
from collections.abc import Callable

from tests.grid.chaos.field import Field
from tests.grid.chaos.nodes import ChaosNode

Mend = Callable[[], None]
REST = 20.0
"""Seconds after which a supplier that came back counts as found by its customers."""


class Faults:
    """I break suppliers, never more of them at a time than ``most``, and mend them again."""

    def __init__(self, field: Field, most: int) -> None:
        self.field = field
        self.random = field.random
        self.most = most
        self.broken: dict[str, str] = {}
        self.mends: dict[str, Mend] = {}

    def may_break(self) -> list[ChaosNode]:
        """Suppliers that may be broken now, too."""
        if len(self.broken) >= self.most:
            return []
        return [node for node in self.field.suppliers.values() if node.name not in self.broken]

    def break_one(self, how: str, seconds: float, damage: Callable[[ChaosNode], Mend]) -> None:
        """Break a supplier for a while."""
        choice = self.may_break()
        if not choice:
            return
        node = self.random.choice(choice)
        self.broken[node.name] = how
        self.field.note(f"{how} {node.name} for {seconds:.0f}")
        self.mends[node.name] = damage(node)
        self.field.later(seconds, lambda: self.mend(node.name, how))

    def mend(self, name: str, how: str) -> None:
        """Its time is over."""
        if self.broken.get(name) == how and name in self.mends:
            self.field.note(f"mended: {how} {name}")
            self.mends.pop(name)()
            self.field.later(REST, lambda: self.broken.pop(name, None))

    def mend_all(self) -> None:
        """Everything is as it should be again."""
        self.field.note("all is mended")
        for name in list(self.mends):
            self.mends.pop(name)()
        self.broken.clear()
        self.field.cut_off.clear()
        self.field.grid.network.latency, self.field.grid.network.loss = 0.005, 0.0
        for node in self.field.grid.nodes:
            node.disk_error = 0
        for node in list(self.field.suppliers.values()):
            self.revive(node.name)

    # of suppliers

    def kill(self) -> None:
        """A supplier dies and comes back over its home, up to an hour later."""

        def damage(node: ChaosNode) -> Mend:
            node.kill()
            return lambda: self.revive(node.name)

        self.break_one("kill", self.random.choice((1, 5, 60, 600, 3600)), damage)

    def revive(self, name: str) -> None:
        """Start a killed supplier."""
        if not self.field.suppliers[name].is_up:
            self.field.restarted(self.field.suppliers[name])

    def partition(self) -> None:
        """A supplier hears nobody for a while."""

        def damage(node: ChaosNode) -> Mend:
            self.field.cut_off.add(node.address)
            return lambda: self.field.cut_off.discard(node.address)

        self.break_one("cut off", self.random.choice((2, 20, 60, 300)), damage)

    def disk(self) -> None:
        """A supplier's disk takes nothing for a while."""

        def damage(node: ChaosNode) -> Mend:
            node.disk_error = self.random.choice((errno.ENOSPC, errno.EIO))
            return lambda: self.whole_disk(node.name)

        self.break_one("disk error", self.random.choice((5, 60, 300)), damage)

    def whole_disk(self, name: str) -> None:
        """A supplier's disk takes everything again."""
        self.field.suppliers[name].disk_error = 0

    # of everybody

    def cut(self, node: ChaosNode) -> None:
        """A node hears nobody for a while."""
        address, seconds = node.address, self.random.choice((2, 20, 120))
        self.field.note(f"{node.name} hears nobody for {seconds}")
        self.field.cut_off.add(address)
        self.field.later(seconds, lambda: self.field.cut_off.discard(address))

    def fill(self, node: ChaosNode) -> None:
        """A node's disk takes nothing for a while."""
        node.disk_error = self.random.choice((errno.ENOSPC, errno.EIO))
        seconds = self.random.choice((2, 20, 120))
        self.field.note(f"the disk of {node.name} fails for {seconds}")

        def mend() -> None:
            node.disk_error = 0

        self.field.later(seconds, mend)

    def network(self) -> None:
        """Slow, or with loss, or well again."""
        network = self.field.grid.network
        network.latency = self.random.choice((0.005, 0.05, 0.3))
        network.loss = self.random.choice((0.0, 0.05, 0.2))
        self.field.note(f"latency {network.latency}, loss {network.loss}")

    def clock(self, nodes: list[ChaosNode]) -> None:
        """Somebody sets a wall clock."""
        node = self.random.choice(nodes)
        node.offset += self.random.choice((-600, -60, 60, 600))
        self.field.note(f"the clock of {node.name} is off by {node.offset}")

    def restart(self, nodes: list[ChaosNode]) -> None:
        """A service of some node is restarted."""
        node = self.random.choice(nodes)
        names = [row["name"].removeprefix("service_") for row in node.node.driver.list() if row["state"] == "ON"]
        if node.is_up and names:
            name = self.random.choice(names)
            self.field.note(f"restart {name} of {node.name}")
            restarting = node.node.driver.restart(name)
            restarting.addErrback(lambda failure: self.field.note(f"restart: {failure.value}"))
