"""People: they write to each other, in private and in groups, and whatever can break does.

After the last step everything is mended, and then, within a quarter of an hour:

* every private message that was acknowledged is at each living device of its recipient and of its sender, once, and in
  the order of its sender;
* every message that a group has accepted is at each member, once, in the order of who said it, and all members have
  heard the same; who was shut out has read nothing of what came after;
* what was stored in a share comes back as it was to all who are let in, and who was shut out sees nothing newer;
* nobody takes what a device says that was revoked and is still at work, and it reads nothing more (`thieves`);
* no machine stands where nothing is to come, and what is begun ends (`rest`);
* somebody with suppliers whose devices are all lost has the history again, from the key file alone;
* no error was logged, and a node that has stopped has no delayed call.
"""

from collections.abc import Callable

from bitdust.replication import members
from bitdust.testing.grid import ID_PORT, SEED_HOST
from tests.grid.chaos.circles import Circle
from tests.grid.chaos.commons import Commons
from tests.grid.chaos.faults import Faults
from tests.grid.chaos.field import NO_CUSTOMER, NO_SUPPLIER, Finding
from tests.grid.chaos.letters import Letters
from tests.grid.chaos.nodes import ChaosNode
from tests.grid.chaos.persons import Person
from tests.grid.chaos.rest import Work, standing
from tests.grid.chaos.runs import Run
from tests.grid.chaos.talks import check_once
from tests.grid.chaos.thieves import Thieves

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
SETTLE = 900.0
"""Seconds after which everything must have arrived, once nothing is broken any more."""
ARCHIVED = 4000.0
"""Seconds after which messages must be in the storage: ten minutes, and an hour more where a try has failed."""
LONGEST = 3600.0
"""Seconds after which nothing more is broken, so that each run has an end."""
PAUSES = (0, 0.05, 0.5, 3, 20)
NEEDED = {"services/customer/needed-space": 256 * 1024 * 1024}
Step = tuple[Callable[[], object], int]


class People(Run):
    """One run."""

    def play(self) -> None:
        self.begin()
        for _ in range(self.random.randint(30, 80)):
            if self.field.now > LONGEST:
                break
            steps = self.steps()
            self.random.choices([one for one, _ in steps], [weight for _, weight in steps])[0]()
            self.field.pass_time(self.random.choice(PAUSES))
        self.end()

    def begin(self) -> None:
        """People, of whom some have suppliers, friends, and a group or two."""
        count = self.random.choice((3, 3, 3, 4, 4, 5, 6, 8))
        sizes = [self.random.choice((0, 0, 0, 2, 2, 4)) for _ in range(count)]
        self.field.plant(max(sizes) + 1 if any(sizes) else 0)
        settings = NEEDED | self.add_server()
        self.people = [Person(self.field, name, n, **settings) for name, n in zip(NAMES, sizes, strict=False)]
        for person in self.people:
            person.join()
        self.faults = Faults(self.field, 1)
        self.planted = len(self.field.suppliers)
        self.commons: Commons | None = None
        self.letters = Letters(self.field, self.people)
        self.field.note(f"{sizes} suppliers")
        for person in self.people:
            self.befriend(person)
        groups = self.random.choice((1, 1, 2))
        self.circles = [Circle(self.field, one, self.random.choice(self.people), self.people) for one in range(groups)]
        for circle in self.circles:
            circle.begin()
            for _ in range(self.random.randint(1, count - 1)):
                circle.invite()

        self.thieves = Thieves(self.letters, self.circles)
        owners = [person for person in self.people if person.stores]
        if owners and self.random.random() < 0.5:
            self.commons = Commons(self.field, self.random.choice(owners), self.people)
            self.commons.begin()
            self.thieves.commons = self.commons
        self.field.pass_time(self.random.choice((0, 60, 200)))
        boxes = [len(person.home.rooms.people.messages.upkeep.mailboxes) for person in self.people]
        self.field.note(f"{boxes} mailboxes")

    def add_server(self) -> dict[str, object]:
        """Another ID server, to which people may move; the settings of those who know both."""
        host = f"10.0.0.{len(self.field.grid.nodes) + 1}"
        serves = {"services/identity-server/enabled": True, "services/identity-server/host": host}
        self.field.add("server-2", **serves, **NO_CUSTOMER, **NO_SUPPLIER)
        known = ",".join(f"{one}:{ID_PORT}" for one in (SEED_HOST, host))
        most = self.random.choice((1, 2))
        return {"services/identity-propagate/known-servers": known, "services/identity-propagate/max-servers": most}

    def befriend(self, person: Person) -> None:
        """Some others are its friends, and it is theirs: they may keep its mailboxes."""
        others = [one for one in self.people if one is not person]
        for other in self.random.sample(others, self.random.randint(0, min(3, len(others)))):
            for mine, theirs in ((person, other), (other, person)):
                mine.call(mine.home, "friend_add", trusted_user_id=theirs.global_id)

    def steps(self) -> list[Step]:
        """What may happen, and how often it does."""
        faults, person = self.faults, self.random.choice(self.people)
        circle = self.random.choice(self.circles)
        asked: list[Step] = [
            (self.letters.write, 25),
            (circle.say, 25),
            (circle.invite, 5),
            (circle.leave, 2),
            (circle.remove, 2),
        ]
        if self.commons is not None:
            asked += [(self.commons.put, 10), (self.commons.grant, 5), (self.commons.revoke, 2)]
        happens: list[Step] = [
            (self.rest, 3),
            (person.kill_one, 6),
            (person.crash_one, 6),
            (faults.network, 4),
            (faults.split, 3),
            (lambda: self.cut(person), 4),
            (person.rotate, 2),
            (lambda: self.add_device(person), 4),
            (lambda: self.revoke_device(person), 4),
            (self.thieves.act, 5 if self.thieves.all else 0),
            (lambda: self.lose(person), 3),
            (lambda: faults.clock([home for one in self.people for home in one.homes]), 2),
        ]
        if self.field.suppliers:
            happens += [(faults.kill, 3), (faults.crash, 3), (faults.partition, 2), (faults.outage, 1)]
            happens += [(self.lose_supplier, 1)]
        return asked + happens

    def rest(self) -> None:
        """Nothing happens for a while."""
        self.field.pass_time(self.random.choice((10, 10, 60, 300)))

    def cut(self, person: Person) -> None:
        """A device hears nobody for a while."""
        home = person.pick()
        if home is not None:
            self.faults.cut(home)

    def add_device(self, person: Person) -> None:
        """A person has one more device."""
        home = person.add_device() if not person.gone else None
        if home is not None:
            self.letters.fresh[home.name] = self.field.now

    def revoke_device(self, person: Person) -> None:
        """A device of a person was lost, and counts no more; whoever has it may go on with it.

        What others were given by somebody without suppliers may be on that device alone.
        """
        if person in self.givers() and not person.stores:
            return
        secrets = person.secrets()
        lost = person.revoke_device()
        if lost is not None:
            self.forget(lost.name, True)
            for given in [one for one in self.circles if one.creator is person]:
                given.distrust(lost)
            if self.commons is not None and self.commons.owner is person:
                self.commons.distrust(lost)
            if lost.is_up and self.random.random() < 0.7:
                self.thieves.take(person, lost, secrets)
            elif lost.is_up:
                lost.kill()

    def givers(self) -> list[Person]:
        """Who has given something to others."""
        return [circle.creator for circle in self.circles] + ([self.commons.owner] if self.commons else [])

    def lose(self, person: Person) -> None:
        """The only device of somebody is lost. Who has suppliers comes back by the key file; who has none is gone.

        What others were given by it alone would be gone too, so it is nobody who gives something.
        """
        home = person.pick()
        if person in self.givers() or person.gone or home is None or len(person.homes) > 1:
            return
        if person.stores:
            core = home.rooms.storage.core if home.rooms.storage.is_open else None
            if core is None or not core.key_ring_replicas.synchronized:
                return
        elif any(one.gone for one in self.people) or len(self.people) < 4:
            return
        person.note(f"{home.name} is lost")
        self.forget(home.name, False)
        home.kill()
        if person.stores:
            person.homes.remove(home)
            again = person.enrol(person.key_files[-1])
            self.letters.fresh[again.name] = self.field.now
        else:
            person.gone = True

    def lose_supplier(self) -> None:
        """A supplier is gone for good; there is one to take its place."""
        if len(self.field.suppliers) == self.planted and not self.faults.broken:
            name = self.random.choice(sorted(self.field.suppliers))
            self.field.suppliers.pop(name).kill()
            self.field.note(f"{name} is gone for good")

    def forget(self, name: str, is_shut_out: bool) -> None:
        """A device is gone for good."""
        for talk in [self.letters.talk, *(circle.talk for circle in self.circles)]:
            talk.forget_home(name, is_shut_out)

    # the end

    def end(self) -> None:
        """Mend everything, and see what arrives."""
        self.faults.mend_all()
        for person in self.people:
            person.revive()
        began = self.field.now
        self.await_all("devices have not begun", self.not_begun)
        self.await_all("something has not arrived", self.unsettled)
        self.field.note(f"all has arrived after {self.field.now - began:.0f} seconds")
        self.await_all("messages are still on their way", self.letters.on_the_way)
        self.field.note(f"all is acknowledged after {self.field.now - began:.0f} seconds")
        self.await_all("not all know who was revoked", self.thieves.untold)
        self.thieves.last_words()
        self.check_rest()
        for circle in self.circles:
            for person in self.people:
                if person.name in circle.outside:
                    circle.check_outside(person)
        if self.commons is not None:
            self.commons.check_bytes()
            for person in self.people:
                if person.name in self.commons.outside:
                    self.commons.check_outside(person)
        self.recover()
        self.field.stop()
        self.field.note(f"{self.field.grid.network.datagrams} datagrams")

    def check_rest(self) -> None:
        """Nothing stands still, and nothing goes on for ever. Raises `Finding`.

        What waits for a supplier that is gone for good, of one's own or of the share's owner, ends when another one has
        its place, which takes days; what a thief does need not come to an end.
        """
        nodes = [node for node in self.field.grid.nodes if node.is_up]
        stolen = [one.home for one in self.thieves.all]
        owners = self.commons.owner.homes if self.commons is not None else []
        is_whole = all(map(self.has_all_suppliers, owners))
        work = Work(one for one in nodes if is_whole and one not in stolen and self.has_all_suppliers(one))
        self.await_all("work does not end", work.left)
        self.await_all("machines stand still", lambda: standing(nodes), 60.0)

    def recover(self) -> None:
        """All devices of somebody with suppliers are lost, and a new one has nothing but the key file: what was in the
        histories comes back, each message once."""
        choice = [one for one in self.people if one.stores and self.has_all_suppliers(one.home)]
        if not choice or self.random.random() < 0.6:
            return
        person = self.random.choice(choice)
        self.await_all(f"what {person.name} has heard is not in the storage", lambda: not_archived(person), ARCHIVED)
        kept = {text for home in person.homes for text in person.texts(home)}
        person.write_key_file()
        person.each(lambda home: home.kill())
        person.homes.clear()
        home = person.enrol(person.key_files[-1])
        lacks = lambda: sorted(kept - {*person.texts(home)})  # noqa: E731
        self.await_all(f"what {person.name} had heard has not come back", lacks)
        check_once(home, person.texts(home))
        person.note(f"{len(kept)} messages have come back")

    def has_all_suppliers(self, node: ChaosNode) -> bool:
        """Whether none of a node's suppliers is gone for good."""
        living = {one.fingerprint for one in self.field.suppliers.values()}
        return living.issuperset(members(node.rooms.suppliers.family.current))

    def not_begun(self) -> list[str]:
        """Devices that are not up yet."""
        living = [(person, home) for person in self.people if not person.gone for home in person.homes]
        return [home.name for person, home in living if not person.has_begun(home)]

    def unsettled(self) -> list[str]:
        """What has not arrived. A key may come late: whoever has it by now joins."""
        for circle in self.circles:
            circle.end()
        if self.commons is not None:
            self.commons.open_all()
        shared = self.commons.lacking() if self.commons is not None else []
        return self.letters.lacking() + [text for circle in self.circles for text in circle.lacking()] + shared

    def await_all(self, what: str, left: Callable[[], list[str]], seconds: float = SETTLE) -> None:
        """Wait until nothing is left. Raises `Finding`."""
        last = -1e9

        def is_over() -> bool:
            nonlocal last
            if self.field.now < last + 5:
                return False
            last = self.field.now
            return not left()

        if not self.field.pass_time(seconds, is_over):
            raise Finding(f"{what}: {left()}")


def not_archived(person: Person) -> list[str]:
    """Devices of which some messages are not in the storage yet."""
    histories = [(home, home.rooms.people.history) for home in person.homes]
    return [home.name for home, history in histories if person.ask(home, history.fact("archived")) < person.last(home)]
