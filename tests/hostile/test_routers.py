"""Strangers that want all of a router, and apps that vanish without a word."""

from typing import Any

from bitdust.companions.router import CLIENTS_OF_NETWORK, MOST_OF_NETWORK, MOST_OF_STRANGERS, MOST_ON_ROUTE
from bitdust.companions.sockets import LIVELY, Refused
from bitdust.testing.apps import App
from bitdust.wire.errors import BitDustError
from tests.api.fakes import Anything
from tests.app_kit import AppSocket, app_factory
from tests.unit.test_companion_router import RouterCase, peer


class PlacesTests(RouterCase):
    """Mallory, whose keys cost nothing, and Bob, whose phone needs this router."""

    def setUp(self) -> None:
        super().setUp()
        self.router.around.settings.values["services/network/household"] = "127.0.0.0/8"
        self.router._is_stranger = lambda fingerprint: fingerprint != b"f" * 32
        self.where: dict[tuple[bytes, bytes], str] = {}
        self.router.around.sessions.sessions = lambda: [
            Anything(peer=peer(who[0][:1], who[1]), address=f"tcp://{host}:7771") for who, host in self.where.items()
        ]

    def key(self, number: int, host: str) -> Any:
        """One more key of Mallory's."""
        who = peer(bytes((150 + number % 100,)), number.to_bytes(8, "big"))
        self.where[who.fingerprint, who.device] = host
        return who

    def take(self, hosts: int) -> list[str]:
        """All ways that keys at so many hosts, one in a network, can have."""
        got = []
        for number in range(100):
            try:
                got.append(self.ask(who=self.key(number, f"203.0.{number % hosts}.9")))
            except BitDustError as error:
                self.assertEqual(error.code, "busy")
        return got

    def test_ways(self) -> None:
        """Keys of one network have a few ways together, those of many networks three quarters; the others are for
        people with whom there are dealings."""
        self.assertEqual(len(self.take(1)), MOST_OF_NETWORK)
        self.where[b"b" * 32, b"d" * 8] = "198.51.100.7"
        self.ask(who=peer(b"b"))
        self.assertEqual(len(self.take(40)), MOST_OF_STRANGERS - 1)
        self.ask(who=peer(b"f"))

    def test_apps(self) -> None:
        """Apps on the ways of one network's keys leave places to those on the ways of others."""
        ways, got = self.take(1), 0
        self.where[b"b" * 32, b"d" * 8] = "198.51.100.7"
        for way in ways:
            for _ in range(MOST_ON_ROUTE):
                try:
                    self.app(way)
                    got += 1
                except Refused as refused:
                    self.assertEqual(refused.status, 503)
        self.assertEqual(got, CLIENTS_OF_NETWORK)
        self.app(self.ask(who=peer(b"b")))

    def test_a_household(self) -> None:
        """Nodes of one household are no stranger with many keys."""
        self.where = {}
        got = [self.ask(who=self.key(number, "127.0.0.1")) for number in range(MOST_OF_NETWORK + 5)]
        self.assertEqual(len(got), MOST_OF_NETWORK + 5)


class VanishedTests(RouterCase):
    """Phones on a way; their WebSockets are real, and the network between is made up."""

    def phone(self) -> AppSocket:
        url = self.ask().replace("198.51.100.1", "10.0.0.1")
        factory = app_factory(App(bytes), url, self.clock)
        self.router.around.world.network.client("10.0.0.1", 8282).connect(factory)
        self.clock.pump([0.01] * 20)
        return self.successResultOf(factory.opened)

    def wait(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.clock.advance(1)
        self.ask()

    def here(self) -> int:
        """How many are on the way."""
        return len(next(iter(self.router._routes.values())).clients)

    def test_without_a_word(self) -> None:
        """A phone that lost its network keeps its place for two minutes, not for ever; one that is there stays."""
        there, gone = self.phone(), self.phone()
        gone.onPing = lambda payload: None
        self.assertEqual(self.here(), 2)
        self.wait(3 * LIVELY)
        self.assertEqual(self.here(), 1)
        self.wait(3 * LIVELY)
        self.assertEqual(self.here(), 1)
        there.transport.abortConnection()
        self.clock.pump([0.01] * 20)

    def test_one_that_is_not_read(self) -> None:
        """While its node takes nothing, and so nothing is read of the phone, it is not taken for one that is gone."""
        phone = self.phone()
        (end,) = next(iter(self.router._routes.values())).clients.values()
        end._socket.read_on(False)
        phone.onPing = lambda payload: None
        self.wait(3 * LIVELY)
        self.assertEqual(self.here(), 1)
        phone.transport.abortConnection()
        self.clock.pump([0.01] * 20)
