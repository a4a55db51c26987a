"""What is done while a disk breaks: each scenario gets everything ready, and then does one thing."""

import random
from collections.abc import Callable, Iterator
from unittest import mock

from bitdust.crypt.keyring import MASTER
from bitdust.replication import members
from bitdust.storage.catalog.database import meta
from bitdust.storage.log.compaction import PENDING, SIZE
from bitdust.suppliers import mandates
from bitdust.wire.errors import BitDustError
from tests.grid.chaos.field import Field, Finding
from tests.grid.chaos.judging import Judge
from tests.grid.chaos.nodes import ChaosNode
from tests.grid.chaos.owners import Owner
from tests.grid.chaos.promises import Content
from tests.grid.chaos.truth import Truth

SETTINGS = {"services/customer/needed-space": 256 * 1024 * 1024}
NUMBER = "services/customer/suppliers-number"
DAY = 20


class Stage:
    """A network with one owner, and what may be asked of both."""

    def __init__(self, field: Field, n: int = 3, more: int = 0, **settings: object) -> None:
        self.field = field
        self.source = random.Random(field.seed)
        field.plant(n + more)
        self.truth = Truth(field)
        self.judge = Judge(field, self.truth)
        self.owner = Owner(field, "alice", n, **SETTINGS, **settings)
        self.owner.join()
        self.names: dict[str, str] = {"owner": "alice"}
        """Names of nodes, for those whose disk may break."""
        self.whose = "owner"
        """Whose disk breaks, when nobody is named."""
        self.becomes_again = False
        self.has_come: Callable[[], bool] = lambda: True
        """Whether that has happened which the scenario is about."""

    def content(self, files: int = 0, size: int = 200_000) -> Content:
        """A file, or a folder of so many small ones."""
        if files:
            return {f"f{number}": self.source.randbytes(700) for number in range(files)}
        return self.source.randbytes(size)

    def put(self, remote: str, content: Content) -> None:
        """Upload without waiting; an owner that is down asks for nothing."""
        if self.owner.ready():
            self.owner.put(self.owner.home, remote, content)

    def recover_here(self) -> None:
        """What a person does with a key file at a node that is nobody."""
        if self.owner.home.is_up:
            self.owner.become(self.owner.home, self.owner.key_files[-1])

    def revive(self, only: str = "") -> None:
        """Start whoever is down, or one of them; who was to become the owner is asked to again, where that is lost."""
        for name, node in list(self.field.suppliers.items()):
            if not node.is_up and only in ("", name):
                self.field.note(f"{name} starts again")
                self.field.restarted(node)
        if not self.owner.home.is_up and only in ("", self.owner.home.name):
            self.owner.revive()
            self.field.note(f"{self.owner.home.name} starts again")
            if self.becomes_again:
                self.recover_here()

    def settle(self, seconds: float = 600.0) -> None:
        """Wait until all is well."""
        self.judge.settle(self.owner, seconds)

    def member(self, place: int) -> ChaosNode:
        """A supplier of the family."""
        return self.truth.suppliers(self.owner.home)[members(self.owner.home.rooms.suppliers.family.current)[place]]

    def pass_time(self, seconds: float, until: Callable[[], object] = lambda: False) -> bool:
        """Let time pass; True when it has come to that."""
        return self.field.pass_time(seconds, until)


Scenario = Iterator[Stage]
"""What is before its only ``yield`` gets everything ready; what is after it is done while a disk breaks."""


def upload(field: Field) -> Scenario:
    """A file and a folder of small files, into a catalog that has something already."""
    stage = Stage(field)
    stage.put("file-old", stage.content())
    stage.settle()
    yield stage
    stage.put("file-1", stage.content())
    stage.put("folder-1", stage.content(5))
    stage.pass_time(30)


def spooling(field: Field) -> Scenario:
    """An upload while a supplier is away: its pieces wait on the disk of their owner until it is back."""
    stage = Stage(field)
    stage.put("file-old", stage.content())
    stage.settle()
    away = stage.member(1)
    away.kill()
    yield stage
    stage.put("file-1", stage.content())
    stage.put("folder-1", stage.content(5))
    stage.pass_time(120)
    stage.revive()
    stage.pass_time(60)


def delete(field: Field) -> Scenario:
    """Two files go: the pieces of one with it, while of the other one the pack stays that it shares with a third."""
    stage = Stage(field)
    stage.put("file-1", stage.content())
    stage.settle()
    stage.put("folder-1", stage.content(5))
    stage.put("file-2", stage.content())
    stage.put("file-3", stage.content(size=20_000))
    stage.settle()
    who, suppliers = stage.owner.fingerprint, list(field.suppliers.values())

    def pieces() -> list[int]:
        return [one.rooms.customers.store.holdings(who)[0] for one in suppliers]

    stored = pieces()
    stage.has_come = lambda: pieces() == [one - 1 for one in stored]
    yield stage
    for remote in ("file-1", "file-2"):
        if stage.owner.ready():
            stage.owner.remove(stage.owner.home, remote)
    stage.pass_time(400)


def compaction(field: Field) -> Scenario:
    """The log grows until a snapshot takes its place, and everybody forgets what stood before."""
    stage = Stage(field)
    stage.put("folder-0", stage.content(2))
    stage.settle()

    def is_compacted() -> bool:
        read = stage.owner.home.rooms.storage.core.catalog.read
        return meta(read, SIZE + MASTER) is not None and meta(read, PENDING + MASTER) is None

    # A log that was short is left alone for a minute.
    stage.pass_time(70)
    if is_compacted():
        raise Finding("the log was long already")
    stage.has_come = is_compacted
    yield stage
    stage.put("folder-1", stage.content(20))
    stage.pass_time(20)
    stage.put("folder-0", stage.content(9))
    stage.pass_time(60)


def replacement(field: Field) -> Scenario:
    """The place of a supplier goes to another."""
    stage = Stage(field, more=1)
    stage.put("file-1", stage.content())
    stage.put("folder-1", stage.content(5))
    stage.settle()
    leaving = stage.member(0).fingerprint
    yield stage
    if stage.owner.ready():
        stage.owner.ask_to_replace(stage.owner.home, leaving)
    stage.pass_time(200)


def ask_for_number(stage: Stage, number: int) -> None:
    """Want so many suppliers; where the disk does not take that, which is said, a person asks again."""
    try:
        stage.owner.home.node.settings.set(NUMBER, number)
    except BitDustError as error:
        stage.field.note(str(error))
        stage.owner.home.node.settings.set(NUMBER, number)


def reencoding(field: Field) -> Scenario:
    """Two suppliers become three: every pack is sealed again for the new family."""
    stage = Stage(field, 2, 1)
    stage.put("file-1", stage.content())
    stage.put("folder-1", stage.content(5))
    stage.settle()
    yield stage
    stage.owner.n = 3
    # A person who had no answer asks again: each process is started with it.
    stage.owner.home.settings[NUMBER] = 3
    if stage.owner.ready():
        ask_for_number(stage, 3)
    stage.pass_time(200)


def recovery(field: Field) -> Scenario:
    """A new home with a key file becomes the owner again."""
    stage = Stage(field)
    stage.put("file-1", stage.content())
    stage.put("folder-1", stage.content(5))
    stage.settle()
    stage.owner.write_key_file()
    stage.owner.home.kill()
    owner = stage.owner
    owner.devices += 1
    owner.homes = [field.add("alice-2", **owner.settings)]
    owner.writers = dict.fromkeys(owner.writers, "alice-2")
    stage.names["owner"] = "alice-2"
    yield stage
    stage.becomes_again = True
    stage.recover_here()
    stage.pass_time(60)


def healing(field: Field) -> Scenario:
    """The owner is away and a supplier never comes back: a spare makes its pieces again."""
    with mock.patch.object(mandates, "DAY", DAY):
        stage = Stage(field, 4, 1, **{"services/employer/healing-spares": 1})
        stage.put("file-1", stage.content())
        stage.put("folder-1", stage.content(5))
        stage.settle()
        stage.owner.home.rooms.suppliers.mandates.search_again()
        who = stage.owner.fingerprint

        def has_spare() -> bool:
            mandate = stage.owner.home.rooms.suppliers.family.current.mandate
            return mandate is not None and len(mandate.spares) == 1

        if not stage.pass_time(120, has_spare):
            raise Finding("no spare was found")
        stage.pass_time(5)
        dead, other = stage.member(2).name, stage.member(0).name
        hired = {one.name for one in stage.truth.suppliers(stage.owner.home).values()}
        (spare,) = set(field.suppliers) - hired
        stage.owner.home.kill()
        field.suppliers[dead].kill()
        stage.names |= {"spare": spare, "member": other}
        stage.whose = "spare"
        yield stage

        def is_whole() -> bool:
            states = dict(field.suppliers[spare].rooms.customers.healing.stand_ins.states())
            return states.get(who) == "WHOLE"

        if not stage.pass_time(40 * 7 * DAY, is_whole):
            raise Finding("the spare has not made everything")
        stage.revive()
        stage.pass_time(60)


SCENARIOS: dict[str, Callable[[Field], Scenario]] = {
    one.__name__: one for one in (upload, spooling, delete, compaction, replacement, reencoding, recovery, healing)
}

