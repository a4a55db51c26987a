"""Nodes that can be killed as a process is, whose disk can fail, and whose wall clock can be set."""

import errno
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve

from bitdust.node import Node
from bitdust.testing.clock import LifeClock
from bitdust.testing.faulty_disk import COMMIT, WRITE, Change, Crash, Fault, sqlite_error
from bitdust.testing.grid import GridNode
from bitdust.testing.world import fake_world
from tests.grid.chaos import forgers, lies
from tests.grid.chaos.threads import Threads

if TYPE_CHECKING:
    from tests.grid.chaos.field import Field


SQLITE = {
    errno.ENOSPC: sqlite3.SQLITE_FULL, errno.EIO: sqlite3.SQLITE_IOERR, errno.EROFS: sqlite3.SQLITE_READONLY,
}  # fmt: skip


def takes_pieces(home: Path, change: Change) -> bool:
    """Whether a change is one of those by which a disk fills: pieces, and the databases beside them."""
    return change.path.relative_to(home).parts[:1] in (("customers",), ("spool",))


class ChaosNode(GridNode):
    """One process over a home; `again` makes the next one over the same home."""

    def __init__(self, field: "Field", name: str, address: str, settings: dict[str, Any], life: int = 0) -> None:
        self.field = field
        self.life = life
        self.offset = 0.0
        self.is_up = False
        self.disk_error = 0
        self.whole_disk = False
        """Whether a disk error meets everything, or pieces alone."""
        self.crash_in = 0
        """How many changes of its disk it makes before it dies; 0: it goes on."""
        self.lie = ""
        self.told: list[bytes] = []
        """Families that somebody has made up, and of which it hears when it searches for its own."""
        field.disks.watch(field.grid.base / name, self.judge)
        super().__init__(field.grid, name, address, settings)

    def _build(self) -> Node:
        self.home.mkdir(parents=True, exist_ok=True)
        # A process that starts again draws other random numbers than the one before.
        source = f"{self.field.seed} {self.name} {self.life}"
        world = fake_world(self.grid.network, self.grid.clock, self.address, self.home, source)
        self.clock = LifeClock(self.grid.clock)
        self.threads = Threads(self.clock)
        wall = world.wall
        world = evolve(world, clock=self.clock, wall=lambda: wall() + self.offset, run_in_thread=self.threads.run)
        node = Node(world)
        for key, value in ({"paths/disk-reserve-percent": 0} | self.settings).items():
            node.settings.set(key, value)
        return node

    def start(self) -> None:
        self.is_up = True
        super().start()

    def start_soon(self) -> None:
        """Start the process, without waiting until everything is up."""
        self.node.load_home()
        self.is_up = True
        self.node.driver.start_all().addErrback(lambda failure: self.field.error(f"start: {failure.value}"))

    @property
    def has_identity(self) -> bool:
        """Whether it is anybody."""
        return bool(self.rooms.identity.me.present)

    def judge(self, change: Change) -> Fault | None:
        """What this node's disk makes of a change."""
        if self.crash_in:
            self.crash_in -= 1
            if not self.crash_in:
                return self.crash(change)
        if not self.disk_error or not self.whole_disk and not takes_pieces(self.home, change):
            return None
        if change.kind == COMMIT:
            return Fault(sqlite_error(SQLITE[self.disk_error]))
        return Fault(OSError(self.disk_error, os.strerror(self.disk_error)), 0.5)

    def crash(self, change: Change) -> Fault:
        """The process dies before this change is done, or when half of it is."""
        done = self.field.random.choice((0.0, 0.5, 1.0))
        return self.crash_at(change, done if change.kind == WRITE else 0.0)

    def crash_at(self, change: Change, done: float) -> Fault:
        """The process dies when so much of a change is done."""
        self.field.note(f"{self.name} dies when {done:.0%} of a {change.kind} of {change.path.name} is done")
        self.field.is_crashing = True
        return Fault(Crash(self.name), done, self.kill)

    def kill(self) -> None:
        """The process ends at once, and the host with it; what it did to its disk before stays."""
        self.is_up = False
        self.clock.die()
        self.field.disks.leave(self.home)
        super().kill()

    def again(self) -> "ChaosNode":
        """The next process over the same home, on another address."""
        address = f"10.{self.life + 1}.{self.address.split('.', 2)[2]}"
        born = ChaosNode(self.field, self.name, address, self.settings, self.life + 1)
        born.offset = self.offset
        if self.lie:
            lies.begin(born, self.lie)
        if self.told:
            forgers.begin(born, self.told)
        return born
