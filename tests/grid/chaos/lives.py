"""Two lives: an owner starts over while nobody of its family can be heard, and both families meet again.

Somebody who has stored things loses the home, and comes back by the key file while the former suppliers are cut off.
On the person's word a new family is hired, or the old one is gone on with, and more is stored. Then the network is
whole again, at some moment, while the home dies between two writes perhaps, and some of each family are off for long.
In the end everything settles, and all that was reported as done in either life comes back, also to a new home.
"""

from collections.abc import Collection

from twisted.internet.defer import succeed

from bitdust.identity.awaited import ALL
from bitdust.replication import members, places_heard
from bitdust.suppliers.family_before import DAY, HELD_DAYS
from bitdust.wire.records import Family
from tests.grid.chaos.faults import Faults
from tests.grid.chaos.field import Field, Finding
from tests.grid.chaos.judging import Judge
from tests.grid.chaos.nodes import ChaosNode
from tests.grid.chaos.owners import Owner
from tests.grid.chaos.runs import Run
from tests.grid.chaos.safety import SETTINGS, SETTLE
from tests.grid.chaos.truth import Truth

HINTS = "-----BEGIN BITDUST HINTS"
REUNION = 3 * 3600.0
"""Seconds in which all of both lives must be known and at the suppliers of the one family."""


class Lives(Run):
    """One run."""

    def __init__(self, field: Field) -> None:
        super().__init__(field)
        self.truth = Truth(field)
        self.judge = Judge(field, self.truth)

    def play(self) -> None:
        self.begin()
        self.part()
        self.start_over()
        self.meet()
        self.end()

    def begin(self) -> None:
        """Suppliers for two families, somebody who stores, and some things stored."""
        n = self.random.choice((2, 4, 4, 4, 5, 7))
        self.field.plant(2 * n + self.random.choice((0, 1)))
        block = self.random.choice((16 * 1024 * 1024, 65536))
        self.owner = Owner(self.field, "alice", n, **{"services/backups/block-size": block, **SETTINGS})
        self.owner.join()
        self.store()
        self.judge.settle(self.owner, SETTLE)
        self.owner.write_key_file()
        if self.random.random() < 0.3:
            self.owner.key_files[-1] = self.owner.key_files[-1].partition(HINTS)[0]
            self.field.note("the key file names nobody")

    def store(self) -> None:
        """Some uploads, which end or do not."""
        for _ in range(self.random.randint(1, 3)):
            self.owner.upload()
            self.field.pass_time(self.random.choice((0, 1, 30)))

    def part(self) -> None:
        """The home is lost; its suppliers hear each other alone."""
        self.former: Family | None = self.owner.home.rooms.suppliers.family.current
        self.owner.attach()
        lost = self.owner.homes.pop()
        lost.kill()
        self.owner.has_lost_homes = True
        sides = {node.address: 1 for node in self.field.suppliers.values() if node.fingerprint in members(self.former)}
        self.field.sides = sides
        self.field.note(f"{[self.field.name_of(who) for who in members(self.former)]} are cut off")

    def start_over(self) -> None:
        """A new home waits for nothing any more, and stores something."""
        owner = self.owner
        owner.devices += 1
        home = self.field.add(f"{owner.name}-{owner.devices}", **owner.settings)
        owner.homes.append(home)
        owner.writers = dict.fromkeys(owner.writers, "")
        if self.random.random() < 0.7:
            home.rooms.dht.directory.my_family = lambda: succeed(None)
            self.field.note("the DHT has no family")
        owner.become(home, owner.key_files[-1])
        self.field.pass_time(self.random.choice((60, 300, 900)), lambda: home.is_on("my_data"))
        if home.has_identity and any(home.rooms.identity.me.awaits(part) for part in ALL):
            self.field.note("starts over")
            home.rooms.identity.me.start_over()
        self.field.pass_time(600, lambda: home.is_on("my_data"))
        if home.is_on("my_data"):
            self.store()
            self.field.pass_time(self.random.choice((0, 5, 300)))
        self.today: Family | None = home.rooms.suppliers.family.current

    def meet(self) -> None:
        """All hear each other again."""
        if self.random.random() < 0.5:
            self.restart()
        losses = self.random.random() < 0.3
        self.field.sides.clear()
        self.field.note("all hear each other")
        self.owner.home.crash_in = self.random.choice((0, 0, 1, 2, 3, 5, 8, 13, 20, 40))
        self.field.pass_time(self.random.choice((0, 0.3, 1, 2, 5, 60)))
        if losses:
            self.lose()
        self.field.pass_time(self.random.choice((1, 60)))
        self.owner.home.crash_in = 0
        self.owner.revive()
        self.field.pass_time(60, lambda: bool(self.owner.ready()))
        self.owner.attach()

    def restart(self) -> None:
        """The home's process ends, and another one begins."""
        self.owner.note("restarts")
        self.owner.home.kill()
        self.owner.revive()
        self.field.pass_time(self.random.choice((0, 0.5, 30)))

    def lose(self) -> None:
        """As many of each family as may be are off, and of what has become of both by now."""
        both = sorted({*members(self.former), *members(self.today)})
        families = [self.former, self.today, self.owner.home.rooms.suppliers.family.current]
        for who in self.random.sample(both, len(both)):
            left = {node.fingerprint for node in self.field.suppliers.values() if node.is_up} - {who}
            if all(are_left(family, left) for family in families) and self.random.random() < 0.7:
                self.field.note(f"{self.field.name_of(who)} is off")
                self._node(who).kill()

    def _node(self, who: bytes) -> ChaosNode:
        return next(node for node in self.field.suppliers.values() if node.fingerprint == who)

    def end(self) -> None:
        """All of both lives is known and comes back, with those off who are off; then everything settles."""
        home = self.owner.home
        if not self.field.pass_time(REUNION, self.is_all_known):
            raise Finding(f"not known: {self.unknown()}; {self.judge.unsettled_at(self.owner, home)}")
        home = self.owner.home
        self.field.note("all is known")
        self.judge.check_all(self.owner, home)
        Faults(self.field, 0).mend_all()
        self.field.pass_time(60)
        if home.rooms.suppliers.family.is_doubtful:
            self.field.note("two days pass")
            self.field.advance(HELD_DAYS * DAY)
            self.field.pass_time(60)
        self.judge.settle(self.owner, REUNION)
        self.judge.check_all(self.owner, home)
        self.owner.write_key_file()
        home.kill()
        self.owner.homes.clear()
        again = self.owner.enrol(self.owner.key_files[-1])
        if not again.is_on("my_data"):
            raise Finding(f"{again.name} has no storage: {self.judge.unsettled_at(self.owner, again)}")
        self.judge.check_all(self.owner, again)
        self.field.stop()
        self.field.note(f"{self.field.grid.network.datagrams} datagrams")

    def is_all_known(self) -> bool:
        """Whether the home knows everything that was promised."""
        return not self.unknown()

    def unknown(self) -> list[str]:
        """What was promised, and the home knows nothing of."""
        home = self.owner.home
        if not home.is_on("my_data") or not home.rooms.storage.is_open:
            return ["the storage is closed"]
        return [remote for remote in self.owner.promises.promised if not home.rooms.storage.exists(remote)]


def are_left(family: Family | None, up: Collection[bytes]) -> bool:
    """Whether half of a family is up; a place that two suppliers share counts while both are."""
    return family is None or places_heard(family, up, True) >= min(family.k, len(members(family)))
