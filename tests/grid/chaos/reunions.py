"""Reunions: what `lives` plays, with more that can meet.

The families may overlap, because there are few strangers and some of before come into reach while places are vacant.
An owner may start over twice. A second device may live on beside the former family, or be off, and come back later.
The lost device may be revoked, and whoever has it makes up families. Disks of suppliers are lost or rot, the number of
suppliers grows, and some of what is stored belongs to a share. Somebody may have eight devices, one after the other.
In the end all of it comes back.
"""

from twisted.internet.defer import succeed

from bitdust.crypt.keyring import RingKey
from bitdust.identity.awaited import ALL
from bitdust.replication import members
from bitdust.suppliers.family_before import DAY, HELD_DAYS
from bitdust.suppliers.life import GUEST_DAYS
from bitdust.wire.records import Family
from tests.grid.chaos import forgers, rot
from tests.grid.chaos.faults import Faults
from tests.grid.chaos.field import Field, Finding
from tests.grid.chaos.lives import HINTS, REUNION, Lives, are_left
from tests.grid.chaos.nodes import ChaosNode
from tests.grid.chaos.owners import Owner
from tests.grid.chaos.safety import SETTINGS, SETTLE

SHARE = "wedding"
AWAY = ("lives on beside them", "is off")
MANY = 7
"""Lives after the first one: as many devices as a document has."""


class Sharer(Owner):
    """An owner who puts some things under the key of a share, which each life makes anew."""

    has_share = False

    def new_item(self, home: ChaosNode, remote: str) -> str:
        if not self.has_share or self.random.random() < 0.5:
            return remote
        me = home.rooms.identity.me
        if SHARE not in me.key_ring:
            me.key_ring.add(RingKey(SHARE, "made by the person"))
            me.save_key_ring()
            home.rooms.storage.core.key_ring_replicas.keys_changed()
        return f"{SHARE}${me.document.global_id}:{remote}"


class Reunions(Lives):
    """One run."""

    def __init__(self, field: Field) -> None:
        super().__init__(field)
        self.records: list[Family | None] = []
        """What families there were, as each was when its life ended."""
        self.dishonest: set[bytes] = set()
        self.has_revoked = False
        self.forged = 0
        """How many families were made up."""

    def play(self) -> None:
        self.begin()
        for life in range(self.lives):
            self.part_from(life + 1)
            self.start_over()
            self.records.append(self.today)
        self.meet()
        self.end()

    def begin(self) -> None:
        """Suppliers, enough for two families or not; somebody who stores, with a second device perhaps."""
        n, self.lives = self.random.choice((2, 3, 4, 4, 4, 5)), self.random.choice((1, 1, 1, 2, 2, 3))
        number = 2 * n + self.random.choice((-2, -1, 0, 1, n))
        if self.random.random() < 0.06:
            n, self.lives, number = 2, MANY, 2 * MANY
        self.field.plant(number)
        self.owner = Sharer(self.field, "alice", n, **{"services/backups/block-size": 65536, **SETTINGS})
        self.owner.has_share = self.random.random() < 0.4
        self.owner.join()
        self.store()
        self.judge.settle(self.owner, SETTLE)
        self.owner.write_key_file()
        if self.random.random() < 0.4:
            self.owner.enrol(self.owner.key_files[-1])
            self.store()
            self.judge.settle(self.owner, SETTLE)
        if self.random.random() < 0.4:
            self.owner.key_files[-1] = self.owner.key_files[-1].partition(HINTS)[0]
            self.field.note("the key file names nobody")

    def part_from(self, side: int) -> None:
        """The home is lost, and nobody hears its suppliers any more; a second device hears them, or is off."""
        owner, family = self.owner, self.owner.home.rooms.suppliers.family.current
        self.records.append(family)
        owner.attach()
        self.lost = owner.homes.pop(0)
        self.lost.kill()
        owner.has_lost_homes = True
        apart = [node for node in self.field.suppliers.values() if node.fingerprint in members(family)]
        if owner.homes and side == 1:
            how = self.random.choice(AWAY)
            owner.note(f"{owner.home.name} {how}")
            if how == AWAY[0]:
                apart.append(owner.home)
            else:
                owner.home.kill()
        for node in apart:
            self.field.sides.setdefault(node.address, side)
        self.field.note(f"{[node.name for node in apart]} are cut off")

    def start_over(self) -> None:
        """A new home waits for nothing any more, hires whom it can, and stores something; so does a second device."""
        owner = self.owner
        owner.devices += 1
        home = self.field.add(f"{owner.name}-{owner.devices}", **owner.settings)
        owner.homes.insert(0, home)
        others = {one.name for one in owner.homes[1:]}
        owner.writers = {what: who if who in others else "" for what, who in owner.writers.items()}
        if self.random.random() < 0.7:
            home.rooms.dht.directory.my_family = lambda: succeed(None)
            self.field.note("the DHT has no family")
        owner.revokes_others = not others and self.random.random() < 0.4
        if owner.revokes_others:
            self.field.note("all other devices are revoked")
            self.has_revoked = True
        owner.become(home, owner.key_files[-1])
        self.field.pass_time(self.random.choice((60, 300, 900)), lambda: home.is_on("my_data"))
        if owner.revokes_others and self.random.random() < 0.7:
            self.forge(home)
        owner.revokes_others = False
        if home.has_identity and any(home.rooms.identity.me.awaits(part) for part in ALL):
            self.field.note("starts over")
            home.rooms.identity.me.start_over()
        self.field.pass_time(self.random.choice((5, 600)), lambda: home.is_on("my_data"))
        self.overlap()
        self.field.pass_time(600, lambda: home.is_on("my_data"))
        if home.is_on("my_data") or len(owner.ready()) > 1:
            self.store()
            self.field.pass_time(self.random.choice((0, 5, 300)))
        if home.is_on("my_data"):
            owner.key_files.append(home.rooms.identity.registration.backup(None))
        self.today = home.rooms.suppliers.family.current

    def forge(self, home: ChaosNode) -> None:
        """Whoever has the lost device makes up families."""
        before = self.lost.rooms.suppliers.family.current
        if before is not None:
            told = forgers.make_up(self.lost, before, [node.fingerprint for node in self.field.suppliers.values()])
            self.field.note(f"{self.lost.name} is stolen, and makes up {len(told)} families")
            forgers.begin(home, told)
            self.forged += len(told)

    def overlap(self) -> None:
        """Some of those cut off come into reach, before all of them do."""
        apart = [node for node in self.field.suppliers.values() if node.address in self.field.sides]
        if self.random.random() < 0.5:
            for node in self.random.sample(apart, self.random.randint(1, max(1, len(apart) // 2))):
                del self.field.sides[node.address]
                self.field.note(f"{node.name} is heard again")
                self.field.pass_time(self.random.choice((0, 2, 60)))

    def meet(self) -> None:
        """All hear each other again, with disks lost and others off, before or after."""
        if self.random.random() < 0.5:
            self.restart()
        early = self.random.random() < 0.5
        if early:
            self.spoil()
        self.field.sides.clear()
        self.field.note("all hear each other")
        self.owner.home.crash_in = self.random.choice((0, 0, 1, 2, 3, 5, 8, 13, 20, 40))
        self.field.pass_time(self.random.choice((0, 0.3, 1, 2, 5, 60)))
        if not early:
            self.spoil()
        self.field.pass_time(self.random.choice((1, 60)))
        self.owner.home.crash_in = 0
        self.follow()
        self.owner.revive()
        self.field.pass_time(60, lambda: len(self.owner.ready()) == len(self.owner.homes))
        self.owner.attach()

    def follow(self) -> None:
        """A second device that was off comes back when the families are one, and hears of their record from those alone
        whom it knows: the new home is off, and so are all others."""
        owner = self.owner
        if len(owner.homes) < 2 or owner.homes[1].is_up or self.random.random() < 0.3:
            return
        home, other = owner.homes
        if not self.field.pass_time(300, lambda: len(roots_of(home)) > 1):
            return
        home.kill()
        known = other.rooms.suppliers.family.holders
        apart = [node for node in self.field.suppliers.values() if node.fingerprint not in known]
        self.field.sides = {node.address: 1 for node in apart}
        self.field.note(f"{home.name} is off, and {[node.name for node in apart]} are cut off; {other.name} is back")
        owner.homes[1] = self.field.restarted(other)
        self.field.pass_time(self.random.choice((60, 600, 1800)))
        self.field.sides.clear()

    def restart(self) -> None:
        """The new home's process ends, and another one begins."""
        self.owner.note("restarts")
        self.owner.home.kill()
        self.owner.homes[0] = self.field.restarted(self.owner.home)
        self.field.pass_time(self.random.choice((0, 0.5, 30)))

    def spoil(self) -> None:
        """As many of each family as may be are off, or lose or spoil what they have."""
        current = [home.rooms.suppliers.family.current for home in self.owner.homes]
        families = [*self.records, *current]
        everybody = sorted({who for family in families if family is not None for who in family.holders})
        for who in self.random.sample(everybody, len(everybody)):
            honest = {node.fingerprint for node in self.field.suppliers.values() if node.is_up} - self.dishonest - {who}
            what = self.random.choice((None, None, self.field_off, self.wipe, self.rot))
            if what is not None and all(are_left(family, honest) for family in families):
                self.dishonest.add(who)
                what(self._node(who))

    def field_off(self, node: ChaosNode) -> None:
        """It is off."""
        self.field.note(f"{node.name} is off")
        node.kill()

    def wipe(self, node: ChaosNode) -> None:
        """It has lost its disk, and starts again."""
        self.field.note(f"{node.name} has lost its disk")
        side = self.field.sides.get(node.address)
        node.kill()
        rot.lose_store(node)
        born = self.field.restarted(node)
        if side is not None:
            self.field.sides[born.address] = side

    def rot(self, node: ChaosNode) -> None:
        """Some of its pieces are changed."""
        count = rot.rot_rows(node, self.random, self.random.random() < 0.5)
        self.field.note(f"{count} pieces of {node.name} rot")

    def end(self) -> None:
        """All of all lives is known and comes back; then everything settles, and comes back to a new home."""
        if self.has_revoked:
            self.field.note("some days pass, in which a record of a revoked device becomes credible")
            for _ in range(HELD_DAYS + 2):
                self.field.advance(DAY)
                self.field.pass_time(60)
        if not self.field.pass_time(REUNION, self.is_all_known):
            raise Finding(f"not known: {self.unknown()}; {self.judge.unsettled_at(self.owner, self.owner.home)}")
        self.field.note("all is known")
        self.judge.check_all(self.owner, self.owner.home)
        if self.random.random() < 0.3 and len(self.field.suppliers) > self.owner.n:
            self.owner.resize()
        Faults(self.field, 0).mend_all()
        self.field.pass_time(60)
        for _ in range(self.forged):  # they have their room one after the other where somebody of them is heard
            self.field.note("a month passes, for which those are waited for who were made up")
            for _ in range(GUEST_DAYS + 1):
                self.field.advance(DAY)
                self.field.pass_time(60)
            if not any(home.rooms.suppliers.replacements.unread() for home in self.owner.homes):
                break
        if any(home.rooms.suppliers.family.is_doubtful for home in self.owner.homes):
            self.field.note("two days pass")
            self.field.advance(HELD_DAYS * DAY)
            self.field.pass_time(60)
        self.judge.settle(self.owner, REUNION)
        for home in self.owner.homes:
            self.judge.check_all(self.owner, home)
        self.owner.write_key_file()
        self.owner.each(lambda home: home.kill())
        self.owner.homes.clear()
        again = self.owner.enrol(self.owner.key_files[-1])
        if not again.is_on("my_data"):
            raise Finding(f"{again.name} has no storage: {self.judge.unsettled_at(self.owner, again)}")
        self.judge.check_all(self.owner, again)
        self.field.stop()
        self.field.note(f"{self.field.grid.network.datagrams} datagrams")


def roots_of(home: ChaosNode) -> list[bytes]:
    """Who hired the families that one home's record goes back to."""
    family = home.rooms.suppliers.family.current if home.is_up else None
    return list(family.roots or ()) if family is not None else []
