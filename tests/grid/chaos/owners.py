"""An owner: the homes that it works with, what it asks of them, and what it was told."""

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bitdust.replication import members
from bitdust.testing.faulty_disk import Crash
from bitdust.testing.world import START
from bitdust.wire.errors import BitDustError
from tests.grid.chaos import promises
from tests.grid.chaos.field import NO_SUPPLIER, Field, Finding
from tests.grid.chaos.nodes import ChaosNode
from tests.grid.chaos.promises import Content, Promises

NUMBER = "services/customer/suppliers-number"
RECOVERY = 400.0
"""Seconds in which a recovery is waited for; afterwards the run goes on, and the recovery too."""


class Owner:
    """Who stores something; `homes` are the nodes that it works with now, each a device of its own."""

    def __init__(self, field: Field, name: str, n: int, **settings: Any) -> None:
        self.field = field
        self.random = field.random
        self.name = name
        self.n = self.least = self.most = n
        self.wish_is_lost = False
        """Whether the home that was told the number was lost before suppliers knew: the number of before may count."""
        self.promises = Promises()
        self.jobs: set[tuple[str, int, int]] = set()
        self.numbers = 0
        self.devices = 1
        self.contents: list[Content] = []
        self.key_files: list[str] = []
        self.settings: dict[str, Any] = {NUMBER: n, **NO_SUPPLIER, **settings}
        self.homes = [field.add(name, **self.settings)]
        self.has_lost_homes = self.revokes_others = False
        self.writers: dict[str, str] = {}
        """Which home uploads an item; two at once would both be right."""

    def join(self) -> None:
        """Get an identity and suppliers."""
        self.homes[0].create_identity()
        if not self.field.pass_time(300, lambda: self.has_begun(self.homes[0])):
            raise Finding(f"{self.name} has not begun: {self.homes[0].node.driver.list()}")
        self.write_key_file()

    def has_begun(self, home: ChaosNode) -> bool:
        """Whether a home can do all that it is for."""
        return home.is_on("my_data")

    @property
    def k(self) -> int:
        """So many suppliers give everything back, whichever number of them a pack was coded for."""
        return (self.most + 1) // 2

    @property
    def home(self) -> ChaosNode:
        """The first of the homes."""
        return self.homes[0]

    @property
    def fingerprint(self) -> bytes:
        """Who it is."""
        return self.home.fingerprint

    def ready(self) -> list[ChaosNode]:
        """Homes that can be asked for something."""
        return [home for home in self.homes if home.is_up and home.rooms.storage.is_open]

    def pick(self) -> ChaosNode | None:
        """One of them."""
        ready = self.ready()
        return self.random.choice(ready) if ready else None

    def note(self, text: str) -> None:
        """One line of the journal."""
        self.field.note(f"{self.name}: {text}")

    def ask(self, home: ChaosNode, asked: "Coroutine[Any, Any, Any] | Deferred[Any]", seconds: float = 120.0) -> Any:
        """The answer of a home. Raises `Crash` when that dies first."""
        return self.field.wait(asked, seconds, f"an answer of {home.name}", home)

    # what it asks for

    def upload(self) -> None:
        """Upload a new item or a new version of an old one."""
        home = self.pick()
        if home is None:
            return
        mine = [remote for remote in self.promises.items if self.writers[remote] == home.name]
        new = self.random.random() < 0.7 or not mine
        kind = self.random.choice(("file", "file", "file", "folder"))
        remote = self.new_item(home, f"{kind}-{self.numbers + 1}") if new else self.random.choice(mine)
        self.put(home, remote, self.draw(remote))

    def new_item(self, home: ChaosNode, remote: str) -> str:
        """The remote path of an item that is not there yet."""
        return remote

    def put(self, home: ChaosNode, remote: str, content: Content) -> None:
        """Upload this."""
        self.numbers += 1
        local = self.field.base / f"local-{self.name}-{self.numbers}"
        promises.write(local, content, START + self.field.now)
        storage = home.rooms.storage
        self.writers[remote] = home.name
        self.promises.accept(remote, content)
        try:
            self.ask(home, storage.create(remote, isinstance(content, dict), True, None))
            job = self.ask(home, storage.upload(str(local), remote))
        except BitDustError as error:
            self.promises.take_back(remote, content)
            self.note(f"upload {remote}: {error}")
        except Crash:
            self.note(f"upload {remote}: {home.name} crashes")
        else:
            self.note(f"upload {remote} {promises.size_of(content)}")
            self.follow(home, job, remote)

    def draw(self, remote: str) -> Content:
        """Something to upload, sometimes what was uploaded before."""
        known = [one for one in self.contents if isinstance(one, dict) == promises.is_folder(remote)]
        if known and self.random.random() < 0.15:
            return self.random.choice(known)
        content = promises.draw(self.random, remote)
        self.contents.append(content)
        return content

    def follow(self, home: ChaosNode, job: Any, remote: str) -> None:
        """Learn of the end of a job."""
        name = (home.name, home.life, job.number)
        if name in self.jobs:
            return
        self.jobs.add(name)
        content = self.promises.latest(remote)

        def ended(result: Any) -> None:
            if home.clock.is_dead or job.is_suspended:
                self.jobs.discard(name)
                return
            self.note(f"upload of {remote} ended: {result.value if isinstance(result, Failure) else 'done'}")
            if not isinstance(result, Failure):
                self.promises.keep(remote, content)

        job.completion.addBoth(ended)

    def attach(self) -> None:
        """Follow uploads that go on after a restart; a file has one upload at a time, the last one."""
        for home in self.ready():
            for job in home.rooms.storage.core.uploads._every():
                if self.promises.may_be(job.item.text):
                    self.follow(home, job, job.item.text)

    def delete(self) -> None:
        """Delete an item."""
        self.attach()
        home = self.pick()
        mine = [remote for remote in self.promises.items if home is not None and self.writers[remote] == home.name]
        if home is None or not mine:
            return
        self.remove(home, self.random.choice(mine))

    def remove(self, home: ChaosNode, remote: str) -> None:
        """Delete this item."""
        self.promises.accept(remote, None)
        try:
            answer = self.ask(home, home.rooms.storage.delete(remote))
        except BitDustError as error:
            self.note(f"delete {remote}: {error}")
        except Crash:
            self.note(f"delete {remote}: {home.name} crashes")
        else:
            if not answer["pending"]:
                self.promises.delete(remote)
            self.note(f"deleted {remote}{', which is pending' if answer['pending'] else ''}")

    def replace(self) -> None:
        """The place of a supplier is to go to another."""
        home = self.pick()
        family = home.rooms.suppliers.family.current if home is not None else None
        if home is None or family is None or family.leaving:
            return
        self.ask_to_replace(home, self.random.choice(members(family) or [b""]))
        self.upload()

    def ask_to_replace(self, home: ChaosNode, who: bytes) -> None:
        """The place of this supplier is to go to another."""
        try:
            home.rooms.suppliers.requests.replace(who, None)
            self.note(f"replace {self.field.name_of(who)}")
        except (BitDustError, OSError) as error:
            self.note(f"replace: {error}")

    def resize(self) -> None:
        """Another number of suppliers: one more than in the beginning, or as many; a spare is left for whoever dies."""
        home = self.pick()
        if home is None:
            return
        wanted = self.least if self.n > self.least else self.least + 1
        try:
            home.node.settings.set(NUMBER, wanted)
        except BitDustError as error:
            self.note(f"{wanted} suppliers: {error}")
            return
        self.n, self.most, self.wish_is_lost = wanted, max(self.most, wanted), False
        self.note(f"{self.n} suppliers are wanted")
        for settings in (self.settings, *(one.settings for one in self.homes)):
            settings[NUMBER] = self.n
        self.upload()

    # what happens to its homes

    def die(self) -> None:
        """A home is killed, perhaps amid an upload, and starts again."""
        self.upload()
        home = self.pick()
        if home is None:
            return
        self.field.pass_time(self.random.choice((0, 0.01, 0.05, 0.2, 1, 3)))
        self.note(f"{home.name} is killed")
        home.kill()
        self.field.pass_time(self.random.choice((1, 30, 200)))
        self.revive()
        self.field.pass_time(60, lambda: bool(self.ready()))
        self.attach()

    def revive(self) -> None:
        """Start whatever of its homes is down."""
        for number, home in enumerate(self.homes):
            if not home.is_up:
                self.homes[number] = self.field.restarted(home)

    def write_key_file(self) -> None:
        """Keep a key file as it is written now."""
        if self.ready():
            self.key_files.append(self.ready()[0].rooms.identity.registration.backup(None))

    def move(self) -> None:
        """A home is lost for good; another one begins with some key file, perhaps an old one, and goes on for it."""
        self.attach()
        lost = self.random.choice(self.homes)
        self.wish_is_lost |= not self.knows_number(lost)
        lost.kill()
        self.note(f"{lost.name} is lost")
        self.has_lost_homes = True
        self.homes.remove(lost)
        self.enrol(self.random.choice(self.key_files))
        for remote, writer in self.writers.items():
            if writer == lost.name:
                self.writers[remote] = self.homes[-1].name

    def knows_number(self, home: ChaosNode) -> bool:
        """Whether a home has written down how many suppliers are wanted, where others can read it."""
        suppliers = home.rooms.suppliers
        family = suppliers.family.current
        return family is not None and family.size_to_come == self.n and suppliers.publication.is_safe()

    def enrol(self, key_file: str) -> ChaosNode:
        """One more home, from a key file."""
        self.devices += 1
        home = self.field.add(f"{self.name}-{self.devices}", **self.settings)
        self.homes.append(home)
        number = self.key_files.index(key_file) + 1
        self.note(f"{home.name} begins with key file {number} of {len(self.key_files)}")
        self.become(home, key_file)
        self.field.pass_time(RECOVERY, lambda: self.has_begun(home))
        return home

    def become(self, home: ChaosNode, key_file: str) -> None:
        """Try to be this owner until it is so: at first there may be nobody to ask."""

        def failed(failure: Failure) -> None:
            self.note(f"{home.name}: {failure.getErrorMessage()}")
            home.clock.callLater(60, self.become, home, key_file)

        if home.has_identity:
            return
        registration = home.rooms.identity.registration
        registration.recover(key_file, None, None, self.revokes_others).addErrback(failed)

    def each(self, call: Callable[[ChaosNode], None]) -> None:
        """Do something in every home."""
        for home in list(self.homes):
            call(home)
