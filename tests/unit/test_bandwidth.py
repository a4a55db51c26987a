"""The bandwidth limits of a node: over all sessions together, fair between them, changed while they run."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from bitdust.config.settings import Settings
from bitdust.events import Events
from bitdust.services.service_network import NetworkService
from bitdust.transport.limits import SMALL, TokenBucket, Turns
from bitdust.wire.packet import Command
from tests.unit.test_transport import ECHO, MB, TwoPeople
from tests.unit.transport_kit import Loopback, Person


class Fake:
    """Sends parts of one size whenever it may, until it has sent enough."""

    def __init__(self, turns: Turns, part: int, size: int, parts: int = 1000) -> None:
        self.turns, self.part, self.size, self.left = turns, part, size, parts
        self.sent = 0

    def pump(self) -> None:
        while self.left and self.turns.allow(self, self.size):
            self.left -= 1
            self.sent += self.part
            self.turns.bucket.spend(self.part)


class TurnsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.bucket = TokenBucket(self.clock)
        self.turns = Turns(self.clock, self.bucket)

    def run_for(self, seconds: float) -> None:
        self.clock.pump([0.01] * round(seconds * 100))

    def test_without_a_limit(self) -> None:
        """Nobody waits, and no timer runs."""
        one = Fake(self.turns, 1000, MB)
        one.pump()
        self.assertEqual((one.left, self.clock.getDelayedCalls()), (0, []))

    def test_each_gets_the_same(self) -> None:
        """Three senders that always have something share the rate evenly, and together they keep to it."""
        self.bucket.change(10_000)
        senders = [Fake(self.turns, 500, MB) for _ in range(3)]
        for sender in senders:
            sender.pump()
        self.run_for(30)
        sent = [sender.sent for sender in senders]
        self.assertTrue(290_000 <= sum(sent) <= 311_000, sent)
        self.assertLessEqual(max(sent) - min(sent), 1000)

    def test_who_needs_less_leaves_the_rest(self) -> None:
        """A sender that ends leaves its share to the others."""
        self.bucket.change(10_000)
        short, long = Fake(self.turns, 500, MB, 10), Fake(self.turns, 500, MB)
        short.pump()
        long.pump()
        self.run_for(10)
        self.assertEqual(short.sent, 5000)
        self.assertGreaterEqual(long.sent, 94_000)

    def test_small_goes_first(self) -> None:
        """A small packet waits for one part of the large ones, however many wait."""
        self.bucket.change(10_000)
        for sender in [Fake(self.turns, 500, MB) for _ in range(50)]:
            sender.pump()
        self.run_for(5)
        small = Fake(self.turns, 100, SMALL, 1)
        small.pump()
        self.run_for(0.1)
        self.assertEqual(small.sent, 100)

    def test_leaving_and_changing(self) -> None:
        """Who leaves is not called; another limit counts at once; without one everybody sends and no timer is left."""
        self.bucket.change(100)
        gone, stays = Fake(self.turns, 1000, MB), Fake(self.turns, 1000, MB, 100)
        gone.pump()
        stays.pump()
        self.turns.leave(gone)
        before = gone.sent
        self.bucket.change(20_000)
        self.turns.changed()
        self.run_for(2)
        self.assertTrue(37_000 <= stays.sent <= 42_000, stays.sent)
        self.bucket.change(0)
        self.turns.changed()
        self.assertEqual((gone.sent, stays.left, self.clock.getDelayedCalls()), (before, 0, []))

    def test_parts(self) -> None:
        """Parts are a twentieth of a second, never tiny, and as large as may be without a limit."""
        self.assertEqual(self.bucket.part(MB), MB)
        for rate, part in ((100, 1024), (100_000, 5000), (10**10, MB)):
            self.bucket.change(rate)
            self.assertEqual(self.bucket.part(MB), part)


class SessionsTests(TwoPeople):
    def test_fair_between_sessions(self) -> None:
        """Two peers that are sent to at once get the same, whatever the number of payloads on their way to each."""
        carol = self.person("third", "carol")
        self.wait(carol.gateway.listen(0))
        taken = {"bob": 0, "carol": 0}
        for name, person in (("bob", self.bob), ("carol", carol)):
            person.serve(handler=self.count(taken, name))
        self.session()
        self.find([self.address(carol)])
        self.wait(self.alice.gateway.session_to(carol.fingerprint))
        self.limit(send=200_000)
        send = self.alice.gateway.outbox.send
        for person, times in ((self.bob, 1), (carol, 10)):
            for _ in range(times):
                asking = send(person.fingerprint, Command.RETRIEVE, ECHO, bytes(3 * MB), deadline=60)
                asking.addErrback(lambda _: None)
        self.run_for(10)
        self.assertTrue(1.8 * MB < sum(taken.values()) < 2.3 * MB, taken)
        self.assertLess(abs(taken["bob"] - taken["carol"]), 0.05 * MB)

    def count(self, taken: dict[str, int], name: str) -> Any:
        def handler(request: Any) -> "Deferred[Any]":
            def more(part: memoryview) -> None:
                taken[name] += len(part)

            return request.payload.stream_to(more).addCallback(lambda _: Deferred())

        return handler

    def limit(self, send: int = 0, receive: int = 0) -> None:
        values = self.alice.settings.values
        values["services/network/send-limit"], values["services/network/receive-limit"] = send, receive
        self.alice.gateway.follow_limits()

    def test_control_is_not_starved(self) -> None:
        """While ten large payloads crawl out, a question and a short message are answered within half a second."""
        self.bob.serve()
        self.session()
        self.limit(send=100_000)
        for _ in range(10):
            self.ask(bytes(4 * MB), deadline=900, max_answer=4 * MB).addErrback(lambda _: None)
        self.run_for(5)
        for payload in (b"", b"a message" * 100):
            before = self.clock.seconds()
            self.assertEqual(self.wait(self.ask(payload)).payload, payload)
            self.assertLess(self.clock.seconds() - before, 0.5)

    def test_a_limit_of_our_own_is_not_the_peers_silence(self) -> None:
        """Payloads that wait for their turn longer than the deadline do not fail for it."""
        self.bob.serve()
        self.session()
        self.limit(send=2000)
        asked = [self.ask(bytes(6000), deadline=5) for _ in range(10)]
        self.assertEqual(len(self.wait(gatherResults(asked), 100)), 10)

    def test_live_changes(self) -> None:
        """A limit that is set, changed and taken away counts in the middle of a payload, in both directions."""
        self.bob.serve()
        self.session()
        for way in ({"send": 10_000}, {"receive": 10_000}):
            self.limit(**way)
            asking = self.ask(bytes(8 * MB), deadline=900, max_answer=8 * MB)
            self.run_for(3)
            self.assertFalse(asking.called)
            self.limit()
            before = self.clock.seconds()
            self.assertEqual(len(self.wait(asking).payload), 8 * MB)
            self.assertLess(self.clock.seconds() - before, 5)


class ServiceTests(TwoPeople):
    def test_settings_are_followed(self) -> None:
        """config_set of the two settings changes the limits while the network service runs, and not after it."""
        settings = Settings(Path(self.mktemp()))
        gateway = self.alice.gateway
        gateway._settings = settings
        events = Events(self.clock, gateway.world.wall)
        around = SimpleNamespace(settings=settings, registry=self.alice.registry, world=gateway.world, events=events)
        rooms: Any = SimpleNamespace(
            around=around, gateway=gateway, peers=SimpleNamespace(network_is_back=lambda: None)
        )
        service = NetworkService(rooms)
        settings.set("services/network/send-limit", "1000000")
        service.start()
        self.assertEqual((gateway.send_bucket.rate, gateway.receive_bucket.rate), (1_000_000, 0))
        settings.set("services/network/receive-limit", "5000")
        self.assertEqual((gateway.send_bucket.rate, gateway.receive_bucket.rate), (1_000_000, 5000))
        service.stop()
        settings.set("services/network/send-limit", "0")
        self.assertEqual(gateway.send_bucket.rate, 1_000_000)


class SocketTests(TestCase):
    timeout = 60

    async def test_over_real_sockets(self) -> None:
        """Over real sockets a megabyte at two a second takes its half second in each direction, and comes whole."""
        network = Loopback(Path(self.mktemp()))
        alice, bob = network.person("master", "alice"), network.person("other", "bob")
        await bob.gateway.listen(0)
        alice.resolve(lambda fingerprint: succeed([f"tcp://127.0.0.1:{bob.gateway.port()}"]))
        bob.serve()
        try:
            await alice.gateway.session_to(bob.fingerprint)
            for key in ("services/network/send-limit", "services/network/receive-limit"):
                alice.settings.values[key] = 2_000_000
                alice.gateway.follow_limits()
                self.assertGreater(await self.seconds(alice, bob), 0.45)
                alice.settings.values[key] = 0
                alice.gateway.follow_limits()
        finally:
            for person in (alice, bob):
                await person.gateway.stop()
            await network.pause(0.1)
            for person in (alice, bob):
                person.registry.shutdown()

    async def seconds(self, alice: Person, bob: Person) -> float:
        data, before = bytes(MB), time.monotonic()
        sent = alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, data, max_answer=MB)
        self.assertEqual((await sent).payload, data)
        return time.monotonic() - before
