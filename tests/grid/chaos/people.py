"""People: they write to each other, in private and in groups, and whatever can break does.

After the last step everything is mended, and then, within half an hour:

* every private message that was acknowledged is at each living device of its recipient and of its sender, once, and in
  the order of its sender;
* every message that a group has accepted is at each member, once, in the order of who said it, and all members have
  heard the same; who was shut out has read nothing of what came after;
* no error was logged, and a node that has stopped has no delayed call.
"""

from collections.abc import Callable

from tests.grid.chaos.circles import Circle
from tests.grid.chaos.faults import Faults
from tests.grid.chaos.field import Finding
from tests.grid.chaos.letters import Letters
from tests.grid.chaos.persons import Person
from tests.grid.chaos.runs import Run

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
SETTLE = 1800.0
"""Seconds after which everything must have arrived, once nothing is broken any more."""
PAUSES = (0, 0.05, 0.5, 3, 20)
NEEDED = {"services/customer/needed-space": 256 * 1024 * 1024}
Step = tuple[Callable[[], object], int]


class People(Run):
    """One run."""

    def play(self) -> None:
        self.begin()
        for _ in range(self.random.randint(20, 60)):
            steps = self.steps()
            self.random.choices([one for one, _ in steps], [weight for _, weight in steps])[0]()
            self.field.pass_time(self.random.choice(PAUSES))
        self.end()

    def begin(self) -> None:
        """People, of whom some have suppliers, friends, and a group or two."""
        count = self.random.choice((3, 3, 3, 4, 4, 5, 6, 8))
        sizes = [self.random.choice((0, 0, 0, 2, 2, 4)) for _ in range(count)]
        self.field.plant(max(sizes) + self.random.choice((0, 1)) if any(sizes) else 0)
        self.people = [Person(self.field, name, n, **NEEDED) for name, n in zip(NAMES, sizes, strict=False)]
        for person in self.people:
            person.join()
        self.faults = Faults(self.field, 1)
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
            (self.letters.write, 20),
            (circle.say, 20),
            (circle.invite, 5),
            (circle.leave, 2),
            (circle.remove, 2),
        ]
        happens: list[Step] = [
            (self.rest, 3),
            (person.kill_one, 6),
            (person.crash_one, 6),
            (faults.network, 4),
            (faults.split, 3),
            (lambda: self.cut(person), 4),
        ]
        if self.field.suppliers:
            happens += [(faults.kill, 3), (faults.crash, 3), (faults.partition, 2), (faults.outage, 1)]
        return asked + happens

    def rest(self) -> None:
        """Nothing happens for a while."""
        self.field.pass_time(self.random.choice((10, 60, 300, 900)))

    def cut(self, person: Person) -> None:
        """A device hears nobody for a while."""
        home = person.pick()
        if home is not None:
            self.faults.cut(home)

    # the end

    def end(self) -> None:
        """Mend everything, and see what arrives."""
        self.faults.mend_all()
        for person in self.people:
            person.revive()
        began = self.field.now
        self.await_all("devices have not begun", self.not_begun)
        for circle in self.circles:
            circle.end()
        self.await_all("messages have not arrived", self.unsettled)
        self.field.note(f"all has arrived after {self.field.now - began:.0f} seconds")
        self.await_all("messages are still on their way", self.letters.on_the_way)
        self.field.note(f"all is acknowledged after {self.field.now - began:.0f} seconds")
        for circle in self.circles:
            for person in self.people:
                if person.name in circle.outside:
                    circle.check_outside(person)
        self.field.stop()
        self.field.note(f"{self.field.grid.network.datagrams} datagrams")

    def not_begun(self) -> list[str]:
        """Devices that are not up yet."""
        living = [(person, home) for person in self.people if not person.gone for home in person.homes]
        return [home.name for person, home in living if not person.has_begun(home)]

    def unsettled(self) -> list[str]:
        """What has not arrived."""
        return self.letters.lacking() + [text for circle in self.circles for text in circle.lacking()]

    def await_all(self, what: str, left: Callable[[], list[str]]) -> None:
        """Wait until nothing is left. Raises `Finding`."""
        last = -1e9

        def is_over() -> bool:
            nonlocal last
            if self.field.now < last + 5:
                return False
            last = self.field.now
            return not left()

        if not self.field.pass_time(SETTLE, is_over):
            raise Finding(f"{what}: {left()}")
