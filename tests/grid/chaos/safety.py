"""Safety: faults at random, and nothing that was promised is lost.

After the last step everything is mended, and then:

* what was reported as done comes back byte for byte, also to a new home that has the key file alone;
* within half an hour every upload that was accepted has ended, every piece is with its supplier, the suppliers hold
  log and key ring, and no machine of a transfer is left;
* no error was logged, and a node that has stopped has no delayed call.
"""

from collections.abc import Callable

from bitdust.replication import members
from tests.grid.chaos.damage import Damage
from tests.grid.chaos.faults import Faults
from tests.grid.chaos.field import Field, Finding
from tests.grid.chaos.owners import Owner
from tests.grid.chaos.truth import Truth

SPARES = 2
HEAL = 3600.0
"""Seconds in which what disks have lost is noticed and brought again."""
PAUSES = (0, 0.05, 0.5, 3, 20)


class Safety:
    """One run."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self.random = field.random

    def go(self) -> None:
        """Run it. Raises `Finding`."""
        with self.field.surroundings():
            self.begin()
            for _ in range(self.random.randint(8, 25)):
                self.step()
                self.field.pass_time(self.random.choice(PAUSES))
            self.end()
        if self.field.errors:
            raise Finding(f"errors were logged: {self.field.errors[0]}")

    def begin(self) -> None:
        """Suppliers, and somebody who stores."""
        n = self.random.choice((4, 4, 4, 5, 7))
        self.field.plant(n + SPARES)
        block = self.random.choice((16 * 1024 * 1024, 65536))
        owner = Owner(self.field, "alice", n, **{"services/backups/block-size": block})
        owner.join()
        self.owners = [owner]
        self.truth = Truth(self.field)
        self.damage = Damage(self.field, self.owners, self.truth)
        self.faults = Faults(self.field, min(owner.n - owner.k for owner in self.owners))
        self.field.note(f"{n} suppliers, packs of {block}")

    def step(self) -> None:
        """Something happens."""
        steps = self.steps(self.random.choice(self.owners))
        self.random.choices([one for one, _ in steps], [weight for _, weight in steps])[0]()

    def steps(self, owner: Owner) -> list[tuple[Callable[[], None], int]]:
        """What may happen, and how often it does."""
        faults, suppliers = self.faults, list(self.field.suppliers.values())
        return [
            (owner.upload, 10),
            (owner.download, 3),
            (owner.delete, 2),
            (owner.die, 2),
            (owner.replace, 2),
            (self.rest, 2),
            (self.damage.rot, 2),
            (self.damage.lose, 2),
            (self.damage.lie, 1),
            (faults.kill, 3),
            (faults.partition, 2),
            (faults.disk, 2),
            (faults.network, 2),
            (lambda: faults.cut(owner.device), 1),
            (lambda: faults.fill(owner.device), 1),
            (lambda: faults.clock([owner.device, *suppliers]), 1),
            (lambda: faults.restart([owner.device, owner.device, *suppliers]), 2),
        ]

    def rest(self) -> None:
        """Nothing happens for a while."""
        self.field.pass_time(self.random.choice((30, 300, 900)))

    def end(self) -> None:
        """Mend everything, and see what is there."""
        self.faults.mend_all()
        self.damage.end_lies()
        for owner in self.owners:
            owner.settle(owner.device)
        self.heal()
        for owner in self.owners:
            owner.check_all(owner.device)
        for owner in self.owners:
            self.recover(owner)
        self.field.stop()
        self.field.note(f"{self.field.grid.network.datagrams} datagrams")

    def heal(self) -> None:
        """Every supplier's disk holds what it should."""
        last = -60.0

        def healed() -> bool:
            nonlocal last
            if self.field.now < last + 60:
                return False
            last = self.field.now
            self.damage.review()
            return not self.damage.dishonest

        if not self.field.pass_time(HEAL, healed):
            lack = {
                name: [self.truth.lacking(owner.device, self.field.suppliers[name])[:3] for owner in self.owners]
                for name in self.damage.dishonest
            }
            raise Finding(f"not healed: {self.damage.dishonest} {lack}")
        for owner in self.owners:
            self.truth.check_acknowledged(owner.device, set())

    def recover(self, owner: Owner) -> None:
        """A new home with the key file alone has it all, with as many suppliers off as may be."""
        family, key_file = owner.device.rooms.suppliers.family.current, owner.key_file()
        owner.device.kill()
        off = self.random.sample(members(family), owner.n - owner.k) if self.random.random() < 0.3 else []
        owner.note(f"recover without {[self.field.name_of(who) for who in off]}")
        for node in self.field.suppliers.values():
            if node.fingerprint in off:
                node.kill()
        owner.check_all(owner.recover(key_file))
