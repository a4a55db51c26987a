"""Devices that are let in, without sockets: lines in memory, one clock, and a desk that notes what is said at it."""

from pathlib import Path
from random import Random
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Registry
from bitdust.budget import Budget
from bitdust.companions.companion import Companion
from bitdust.companions.companions import Companions, Wish
from bitdust.companions.line import Line
from bitdust.companions.ports import Router
from bitdust.crypt.device import DeviceKey
from bitdust.surroundings import Connected
from bitdust.testing.apps import App
from bitdust.testing.network import MemoryNetwork
from bitdust.testing.world import fake_world
from tests.api.fakes import Anything
from tests.unit.kit import Events, Settings


@define(eq=False)
class Talk:
    """What was said by one device, and whether its line is gone."""

    socket: Any
    heard: list[str] = field(factory=list)
    pushed: list[tuple[str, Any]] = field(factory=list)
    paused: bool = False
    ended: bool = False

    def said(self, text: str) -> None:
        self.heard.append(text)

    def push(self, kind: str, payload: Any) -> None:
        self.pushed.append((kind, payload))

    def pause(self) -> None:
        self.paused = True

    def go_on(self) -> None:
        self.paused = False

    def end(self) -> None:
        self.ended = True


class Desk:
    """Takes whoever comes."""

    def __init__(self) -> None:
        self.talks: list[Talk] = []
        self.refuses: tuple[int, str] | None = None

    def refusal(self, headers: Any) -> tuple[int, str] | None:
        return self.refuses

    def begin(self, socket: Any) -> Talk:
        self.talks.append(Talk(socket))
        return self.talks[-1]


class Carrier:
    """Joins a line with an app; what one says the other hears in a later turn. ``said`` has all that the node said."""

    peer = "phone"

    def __init__(self, clock: Clock, app: App | None) -> None:
        self._clock = clock
        self.app = app
        self.line: Line | None = None
        self.said: list[bytes] = []
        self.closed: list[tuple[int, str]] = []
        self.reading = True

    def send(self, data: bytes) -> None:
        self.said.append(data)
        if self.app is not None:
            self._clock.callLater(0, self.app.received, data)

    def read_on(self, on: bool) -> None:
        self.reading = on

    def close(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))

    def receive(self, data: bytes) -> None:
        """What the app says, unless the line is closed."""
        if self.line is not None and not self.closed:
            self._clock.callLater(0, self.line.received, data)


class CompanionCase(SynchronousTestCase):
    """One node that lets devices in."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.random = Random(5)
        self.home = Path(self.mktemp())
        self.home.mkdir()
        self.network = MemoryNetwork(self.clock)
        world = fake_world(self.network, self.clock, "10.0.0.1", self.home, "alice")
        self.events = Events()
        device = DeviceKey.from_seed(b"d" * 32)
        me: Any = Anything(fingerprint=b"f" * 32, device=device, global_id="alice@id.example", present=True)
        self.me = me
        self.around = Connected(
            world, Settings({}), self.events, Registry(self.clock, self.clock.seconds), Budget(), me,  # type: ignore[arg-type]
            Anything(), Anything(sessions=list, connected=lambda peer: False), Anything(),
        )  # fmt: skip
        self.house = self.build()
        self.result(Deferred.fromCoroutine(self.house.start()))
        self.app = App(self.random.randbytes)

    def build(self) -> Companions:
        """The room, as after a start of the process."""
        house = Companions(self.around, self.home / "devices")
        self.desk = Desk()
        house.desk = self.desk
        house.routers = Anything(find=self.find_router)
        house.load()
        return house

    def find_router(self, exclude: frozenset[bytes]) -> "Deferred[Router | None]":
        return Deferred()

    def tearDown(self) -> None:
        self.house.stop()
        self.clock.advance(30)
        self.assertEqual(self.clock.getDelayedCalls(), [], "delayed calls are left")

    def settle(self) -> None:
        """All that was said is heard."""
        for _ in range(20):
            self.clock.advance(0)

    def result(self, waiting: Any) -> Any:
        """Of what is done at once."""
        deferred = waiting if isinstance(waiting, Deferred) else Deferred.fromCoroutine(waiting)
        return self.successResultOf(deferred)

    def add(self, name: str = "phone", **wish: Any) -> Companion:
        self.result(self.house.add(Wish(name, wish.pop("routed", False), **wish)))
        return self.result(self.house.open(name))

    def line(self, companion: Companion, app: App | None = None) -> Carrier:
        """A new connection, of this app or of nobody."""
        carrier = Carrier(self.clock, app)
        carrier.line = companion.accept(carrier)
        if app is not None:
            app.transmit = carrier.receive
        return carrier

    def pair(self, companion: Companion, app: App | None = None) -> Carrier:
        """Up to the codes."""
        app = app or self.app
        carrier = self.line(companion, app)
        app.pair()
        self.settle()
        return carrier

    def let_in(self, companion: Companion, app: App | None = None) -> None:
        app = app or self.app
        self.pair(companion, app)
        self.type_code(companion, app)
        assert app.codes is not None
        self.result(self.house.client_code(companion.record.name, app.codes.device))
        self.settle()
        self.assertTrue(app.authorized)

    def type_code(self, companion: Companion, app: App | None = None) -> None:
        """The person types at the app what the node shows."""
        self.assertTrue((app or self.app).type_code(companion.shown()["server_code"]))
        self.settle()

    def come_back(self, companion: Companion, app: App | None = None) -> Carrier:
        carrier = self.line(companion, app or self.app)
        (app or self.app).resume()
        self.settle()
        return carrier
