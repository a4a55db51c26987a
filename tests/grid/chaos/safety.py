"""Safety: faults at random, and nothing that was promised is lost.

After the last step everything is mended, and then:

* within half an hour every upload that was accepted has ended, every piece is with its supplier, the suppliers hold
  log and key ring, and no machine of a transfer is left; within some hours what disks had lost is there again;
* what was reported as done comes back byte for byte, also to a new home that has a key file alone;
* no error was logged, and a node that has stopped has no delayed call.
"""

from collections.abc import Callable

from bitdust.replication import members
from tests.grid.chaos import weak
from tests.grid.chaos.damage import Damage
from tests.grid.chaos.faults import DAY, HOUR, Faults
from tests.grid.chaos.field import Finding
from tests.grid.chaos.judging import Judge
from tests.grid.chaos.owners import Owner
from tests.grid.chaos.runs import Run
from tests.grid.chaos.truth import Truth

SPARES = 2
BIG = 0.03
"""Share of runs with up to 60 nodes; the others have some 8."""
SETTLE = 1800.0
"""Seconds after which everything must be as it should be."""
ROUNDS = 10
"""Hours in which what disks have lost is noticed and brought again: pieces are read again every two hours."""
PAUSES = (0, 0.05, 0.5, 3, 20)
SETTINGS = {
    "services/customer/needed-space": 256 * 1024 * 1024,
    "services/customer/audit-hours": 1,
    "services/customer/audit-pieces": 1000,
}
Step = tuple[Callable[[], object], int]


class Safety(Run):
    """One run."""

    def play(self) -> None:
        self.begin()
        for _ in range(self.random.randint(8, 25)):
            self.step()
            self.field.pass_time(self.random.choice(PAUSES))
        self.end()

    def begin(self) -> None:
        """Suppliers, and some who store."""
        is_big = self.random.random() < BIG
        sizes = [self.random.choice((12, 20) if is_big else (4, 4, 4, 5, 7))]
        sizes += [self.random.choice((2, 3, 4)) for _ in range(self.random.choice((0, 0, 0, 1, 2)))]
        self.field.plant(self.random.randint(25, 55) if is_big else max(sizes) + SPARES)
        self.truth = Truth(self.field)
        self.judge = Judge(self.field, self.truth)
        block = self.random.choice((16 * 1024 * 1024, 65536))
        settings = {"services/backups/block-size": block, **SETTINGS}
        names = ("alice", "bob", "carol")
        self.owners = [Owner(self.field, name, n, **settings) for name, n in zip(names, sizes, strict=False)]
        for owner in self.owners:
            owner.join()
        self.damage = Damage(self.field, self.owners, self.truth)
        self.faults = Faults(self.field, min(owner.n - owner.k for owner in self.owners))
        self.field.note(f"{sizes} suppliers, packs of {block}")

    def step(self) -> None:
        """Something happens."""
        steps = self.steps(self.random.choice(self.owners))
        self.random.choices([one for one, _ in steps], [weight for _, weight in steps])[0]()

    def steps(self, owner: Owner) -> list[Step]:
        """What may happen, and how often it does."""
        faults, home = self.faults, self.random.choice(owner.homes)
        nodes = [home, home, *self.field.suppliers.values()]
        asked: list[Step] = [
            (owner.upload, 20),
            (lambda: self.judge.try_download(owner), 6),
            (owner.delete, 4),
            (owner.replace, 3),
            (owner.resize, 2),
            (owner.write_key_file, 2),
            (owner.die, 4),
        ]
        happens: list[Step] = [
            (self.rest, 4),
            (self.sleep, 1),
            (self.damage.rot, 4),
            (self.damage.lose, 3),
            (self.damage.lie, 1),
            (faults.kill, 4),
            (faults.crash, 4),
            (faults.partition, 3),
            (faults.disk, 3),
            (faults.network, 4),
            (faults.slow, 2),
            (faults.split, 1),
            (faults.outage, 1),
            (lambda: faults.cut(home), 2),
            (lambda: faults.fill(home), 2),
            (lambda: faults.clock(nodes), 3),
            (lambda: faults.restart(nodes), 3),
            (lambda: faults.set(home), 2),
            (lambda: self.crash_home(owner), 4),
        ]
        homes: list[Step] = [(owner.move, 2), (lambda: self.second_home(owner), 1)]
        return asked + happens + homes

    def rest(self) -> None:
        """Nothing happens for a while."""
        self.field.pass_time(self.random.choice((30, 300, 900)))

    def sleep(self) -> None:
        """All machines sleep for some days or a month, and wake at the same time; one of them comes back later."""
        days = self.random.choice((1, 8, 31))
        self.field.note(f"all sleep for {days} days")
        if self.random.random() < 0.5:
            self.faults.kill()
        self.field.advance(days * DAY)
        self.field.pass_time(60)

    def second_home(self, owner: Owner) -> None:
        """One more device of an owner, beside those that there are."""
        if "logs of two devices after a loss" in weak.OPEN and self.damage.dishonest:
            return
        if len(owner.homes) < 2 and owner.ready():
            owner.enrol(self.random.choice(owner.key_files))

    def crash_home(self, owner: Owner) -> None:
        """A home dies between two of its next writes, or in the middle of one."""
        home = self.random.choice(owner.homes)
        home.crash_in = self.random.choice((1, 2, 3, 5, 10, 30, 60))
        owner.upload()
        self.field.pass_time(self.random.choice((1, 5)))
        home.crash_in = 0
        owner.revive()
        self.field.pass_time(60, lambda: len(owner.ready()) == len(owner.homes))
        owner.attach()

    # the end

    def end(self) -> None:
        """Mend everything, and see what is there."""
        self.faults.mend_all()
        self.damage.end_lies()
        for owner in self.owners:
            owner.revive()
        for owner in self.owners:
            self.judge.settle(owner, SETTLE)
        self.heal()
        for owner in self.owners:
            for home in owner.homes:
                self.truth.check_named(home)
                self.judge.check_all(owner, home)
        for owner in self.owners:
            self.recover(owner)
        self.field.stop()
        self.field.note(f"{self.field.grid.network.datagrams} datagrams")

    def heal(self) -> None:
        """Every supplier's disk holds what it should, once each has read its pieces again and was audited."""
        for _ in range(ROUNDS):
            self.damage.review()
            if not self.damage.dishonest:
                break
            self.field.advance(HOUR)
            self.field.pass_time(600)
        else:
            lack = {
                name: [self.truth.lacking(owner.home, self.field.suppliers[name])[:3] for owner in self.owners]
                for name in self.damage.dishonest
            }
            raise Finding(f"not healed: {self.damage.dishonest} {lack}")
        for owner in self.owners:
            self.truth.check_acknowledged(owner.home, set())

    def recover(self, owner: Owner) -> None:
        """A new home with a key file alone has it all, with as many suppliers off as may be."""
        owner.write_key_file()
        family = owner.home.rooms.suppliers.family.current
        owner.each(lambda home: home.kill())
        off = self.random.sample(members(family), owner.n - owner.k) if self.random.random() < 0.3 else []
        owner.note(f"recover without {[self.field.name_of(who) for who in off]}")
        for node in self.field.suppliers.values():
            if node.fingerprint in off:
                node.kill()
        old = self.random.random() < 0.3
        home = owner.enrol(self.random.choice(owner.key_files) if old else owner.key_files[-1])
        if not home.is_on("my_data"):
            raise Finding(f"{owner.name}, recovered, has no storage: {self.judge.unsettled_at(owner, home)}")
        self.judge.check_all(owner, home)
        for node in self.field.suppliers.values():
            if node.fingerprint in off:
                self.faults.revive(node.name)
