"""Faults that pass: nodes that die or hear nobody, disks that are full or slow, clocks that are set.

Each breaks something for a while. What they break is there again afterwards as it was.
"""

import errno
from collections.abc import Callable

from bitdust.wire.errors import BitDustError
from tests.grid.chaos.field import Field
from tests.grid.chaos.nodes import ChaosNode

Mend = Callable[[], None]
REST = 20.0
"""Seconds after which a supplier that came back counts as found by its customers."""
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
CLOCKS = (-365 * DAY, -40 * DAY, -DAY, -HOUR, -MINUTE, MINUTE, HOUR, DAY, 40 * DAY, 365 * DAY)
SETTINGS = (
    ("services/backups/block-size", (65536, 1024 * 1024, 16 * 1024 * 1024)),
    ("services/backups/keep-local-copies-enabled", (True, False)),
    ("services/data-motion/supplier-sending-queue-size", (2, 32)),
    ("services/network/send-limit", (0, 200_000)),
    ("services/network/receive-limit", (0, 200_000)),
)


class Faults:
    """I break suppliers, mostly not more of them at a time than ``most``, and mend them again."""

    def __init__(self, field: Field, most: int) -> None:
        self.field = field
        self.random = field.random
        self.most = most
        self.broken: dict[str, str] = {}
        self.mends: dict[str, Mend] = {}

    def may_break(self) -> list[ChaosNode]:
        """Suppliers that may be broken now, too."""
        if len(self.broken) >= self.most and self.random.random() < 0.9:
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
        """Everything is as it should be again, but for what disks have lost; clocks are right to the hour."""
        self.field.note("all is mended")
        for name in list(self.mends):
            self.mends.pop(name)()
        self.broken.clear()
        self.field.cut_off.clear()
        self.field.sides.clear()
        network = self.field.grid.network
        network.latency, network.loss, network.bandwidth = 0.005, 0.0, 0.0
        for node in self.field.grid.nodes:
            node.disk_error, node.threads.seconds, node.crash_in = 0, 0.0, 0
            node.offset = node.offset if abs(node.offset) <= HOUR else 0.0
        for name in list(self.field.suppliers):
            self.revive(name)

    # of suppliers

    def kill(self) -> None:
        """A supplier dies and comes back over its home, up to an hour later."""

        def damage(node: ChaosNode) -> Mend:
            node.kill()
            return lambda: self.revive(node.name)

        self.break_one("kill", self.random.choice((1, 5, 60, 600, 3600)), damage)

    def crash(self) -> None:
        """A supplier dies between two of its next writes, or in the middle of one, and comes back."""

        def damage(node: ChaosNode) -> Mend:
            node.crash_in = self.random.choice((1, 2, 3, 5, 10, 30))

            def mend() -> None:
                self.field.suppliers[node.name].crash_in = 0
                self.revive(node.name)

            return mend

        self.break_one("crash", self.random.choice((5, 60, 600)), damage)

    def revive(self, name: str) -> None:
        """Start a killed supplier, where it is not gone for good."""
        if name in self.field.suppliers and not self.field.suppliers[name].is_up:
            self.field.restarted(self.field.suppliers[name])

    def partition(self) -> None:
        """A supplier hears nobody for a while."""

        def damage(node: ChaosNode) -> Mend:
            self.field.cut_off.add(node.address)
            return lambda: self.field.cut_off.discard(node.address)

        self.break_one("cut off", self.random.choice((2, 20, 60, 300)), damage)

    def disk(self) -> None:
        """A supplier's disk takes nothing for a while: no pieces, or nothing at all."""

        def damage(node: ChaosNode) -> Mend:
            node.disk_error = self.random.choice((errno.ENOSPC, errno.EIO))
            node.whole_disk = self.random.random() < 0.5

            def mend() -> None:
                self.field.suppliers[node.name].disk_error = 0

            return mend

        self.break_one("disk error", self.random.choice((5, 60, 300)), damage)

    # of everybody

    def outage(self) -> None:
        """All suppliers die at once, and come back one after the other."""
        self.field.note("all suppliers die")
        for node in list(self.field.suppliers.values()):
            if node.is_up:
                node.kill()
            self.field.later(self.random.choice((5, 20, 120, 1000)), lambda name=node.name: self.revive(name))

    def split(self) -> None:
        """The network falls into two for a while."""
        nodes = [node for node in self.field.grid.nodes if node.is_up]
        self.field.sides = {node.address: self.random.randint(0, 1) for node in nodes}
        seconds = self.random.choice((5, 60, 300))
        self.field.note(f"for {seconds} {sorted(node.name for node in nodes if self.field.sides[node.address])} apart")
        self.field.later(seconds, self.field.sides.clear)

    def cut(self, node: ChaosNode) -> None:
        """A node hears nobody for a while."""
        address, seconds = node.address, self.random.choice((2, 20, 120))
        self.field.note(f"{node.name} hears nobody for {seconds}")
        self.field.cut_off.add(address)
        self.field.later(seconds, lambda: self.field.cut_off.discard(address))

    def fill(self, node: ChaosNode) -> None:
        """A node's disk takes nothing for a while."""
        node.disk_error = self.random.choice((errno.ENOSPC, errno.EIO))
        node.whole_disk = self.random.random() < 0.5
        seconds = self.random.choice((2, 20, 120))
        self.field.note(f"the {'whole ' if node.whole_disk else ''}disk of {node.name} fails for {seconds}")

        def mend() -> None:
            node.disk_error = 0

        self.field.later(seconds, mend)

    def slow(self) -> None:
        """Some disk is slow, or fast again."""
        node = self.random.choice([node for node in self.field.grid.nodes if node.is_up])
        node.threads.seconds = 0.0 if node.threads.seconds else self.random.choice((0.01, 0.5, 5.0))
        self.field.note(f"the disk of {node.name} takes {node.threads.seconds} s")

    def network(self) -> None:
        """Slow, or with loss, or well again."""
        network = self.field.grid.network
        network.latency = self.random.choice((0.005, 0.05, 0.3))
        network.loss = self.random.choice((0.0, 0.05, 0.2))
        network.bandwidth = self.random.choice((0.0, 0.0, 1e6, 2e5))
        self.field.note(f"latency {network.latency}, loss {network.loss}, {network.bandwidth:.0f} bytes a second")

    def clock(self, nodes: list[ChaosNode]) -> None:
        """Somebody sets a wall clock."""
        node = self.random.choice(nodes)
        node.offset = 0.0 if node.offset and self.random.random() < 0.5 else node.offset + self.random.choice(CLOCKS)
        self.field.note(f"the clock of {node.name} is off by {node.offset / DAY:.3f} days")

    def restart(self, nodes: list[ChaosNode]) -> None:
        """A service of some node is restarted."""
        node = self.random.choice(nodes)
        names = [row["name"].removeprefix("service_") for row in node.node.driver.list() if row["state"] == "ON"]
        if node.is_up and names:
            name = self.random.choice(names)
            self.field.note(f"restart {name} of {node.name}")
            restarting = node.node.driver.restart(name)
            restarting.addErrback(lambda failure: self.field.note(f"restart: {failure.value}"))

    def set(self, node: ChaosNode) -> None:
        """Somebody changes a setting."""
        key, values = self.random.choice(SETTINGS)
        value = self.random.choice(values)
        self.field.note(f"{node.name}: {key} = {value}")
        try:
            node.node.settings.set(key, value)
        except BitDustError as error:
            self.field.note(str(error))
