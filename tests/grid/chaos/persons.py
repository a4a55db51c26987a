"""A person: devices, what is asked of them through the API, and what their histories hold."""

from typing import Any

from twisted.internet.defer import Deferred

from bitdust.api.call import perform
from bitdust.api.envelope import Envelope
from bitdust.api.methods import TABLE
from bitdust.people.history.values import Filter, Page
from bitdust.testing.faulty_disk import Crash
from bitdust.wire.messages import Message
from tests.grid.chaos.field import NO_CUSTOMER, Field
from tests.grid.chaos.nodes import ChaosNode
from tests.grid.chaos.owners import Owner

ALL = 100_000
CRASHED = "crashed"


class Person(Owner):
    """Who writes to others; ``n`` suppliers, or none."""

    def __init__(self, field: Field, name: str, n: int, **settings: Any) -> None:
        super().__init__(field, name, n or 2, **({} if n else NO_CUSTOMER), **settings)
        self.stores = n > 0
        """Whether it has suppliers."""
        self.gone = False
        """Whether it is gone for good, with all its devices."""

    def has_begun(self, home: ChaosNode) -> bool:
        return all(home.is_on(name) for name in self.services())

    def services(self) -> list[str]:
        """What each of its devices is for."""
        return ["private_messages", "private_groups", *(["my_data"] if self.stores else [])]

    def ready(self) -> list[ChaosNode]:
        return [home for home in self.homes if home.is_up and home.is_on("private_messages")]

    @property
    def names(self) -> list[str]:
        """Of its devices."""
        return [home.name for home in self.homes]

    @property
    def global_id(self) -> str:
        """How others name it."""
        return self.home.rooms.identity.me.global_id

    def start(self, home: ChaosNode, method: str, **arguments: Any) -> "Deferred[Envelope]":
        """Call a method of the API, whose answer may come much later."""
        row = TABLE.named(method)
        assert row is not None
        return perform(home.node.context, row, arguments)

    def call(self, home: ChaosNode, method: str, **arguments: Any) -> tuple[str, Any]:
        """A method of the API: the code of an error, empty for none, and the result."""
        try:
            envelope = self.ask(home, self.start(home, method, **arguments), 400)
        except Crash:
            return CRASHED, None
        return envelope.get("code", ""), envelope.get("result")

    def history(self, home: ChaosNode) -> list[Message]:
        """All messages that a device has stored, in the order in which they came there."""
        found = self.ask(home, home.rooms.people.history.page(Filter(), Page(ALL)))
        return [one.message for one in found]

    def texts(self, home: ChaosNode) -> list[str]:
        """What they say."""
        return [message.data["text"] for message in self.history(home)]

    def last(self, home: ChaosNode) -> int:
        """The number of the newest message of a device, 0 without one."""
        found = self.ask(home, home.rooms.people.history.page(Filter(), Page(1)))
        return max((one.number for one in found), default=0)

    # what happens to its devices

    def kill_one(self) -> None:
        """A device is killed, and started again after a while."""
        home = self.pick()
        if home is None:
            return
        seconds = self.random.choice((1, 5, 5, 20, 60, 300))
        self.note(f"{home.name} is killed for {seconds}")
        home.kill()
        self.field.later(seconds, lambda: self.revive_one(home.name))

    def crash_one(self) -> None:
        """A device dies between two of its next writes, or in the middle of one."""
        home = self.pick()
        if home is None:
            return
        home.crash_in = self.random.choice((1, 2, 3, 5, 10, 30))
        self.note(f"{home.name} is to die in {home.crash_in} writes")
        self.field.later(self.random.choice((5, 60, 600)), lambda: self.revive_one(home.name))

    def rotate(self) -> None:
        """Its identity moves to another ID server."""
        home = self.pick()
        if home is not None:
            self.note(f"{home.name} moves")
            began = self.start(home, "identity_rotate")
            began.addCallback(lambda envelope: self.note(f"{home.name} has moved: {envelope.get('code', 'done')}"))

    def add_device(self) -> ChaosNode | None:
        """One more device, beside the one that there is."""
        return self.enrol(self.random.choice(self.key_files)) if len(self.homes) < 2 and self.ready() else None

    def secrets(self) -> set[tuple[int, bytes]]:
        """All secrets of its own keys that any of its devices knows, with their names."""
        rings = [home.rooms.identity.me.key_ring for home in self.ready()]
        return {one for ring in rings for key in ring.keys.values() for one in key.named}

    def revoke_device(self) -> ChaosNode | None:
        """One device is lost, and the other one says so; it goes on until it is killed."""
        if len(self.homes) < 2 or len(self.ready()) < 2:
            return None
        lost, home = self.random.sample(self.homes, 2)
        ident = lost.rooms.identity.me.device.id.hex()
        code, _ = self.call(home, "identity_device_revoke", device=ident)
        self.note(f"{home.name} revokes {lost.name}: {code or 'done'}")
        if code:
            return None
        self.homes.remove(lost)
        return lost

    def revive_one(self, name: str) -> None:
        """Start a device, where it is down."""
        for number, home in enumerate(self.homes):
            if home.name == name:
                home.crash_in = 0
                if not home.is_up and not self.gone:
                    self.homes[number] = self.field.restarted(home)

    def revive(self) -> None:
        if not self.gone:
            super().revive()
