"""Peers: who is online, and where this node may be found."""

from pathlib import Path
from types import SimpleNamespace

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from bitdust.automats.kernel import Registry
from bitdust.dht.publishing import Stored
from bitdust.peers.reach import Reach
from tests.unit.family_kit import Town


class PresenceTests(TestCase):
    def setUp(self) -> None:
        self.town = Town(Path(self.mktemp()))
        self.presence = self.town.presence
        self.presence.start()
        self.peer = self.town.supplier(0)
        self.addCleanup(self.town.registry.shutdown)
        self.addCleanup(self.town.stop)

    def test_presence_follows_sessions(self) -> None:
        """A session makes a contact online, its end offline, each told once by an event; strangers are not followed."""
        self.presence.watch(self.peer.fingerprint)
        self.town.connect(self.peer.fingerprint)
        self.assertEqual(self.presence.state(self.peer.fingerprint), "CONNECTED")
        self.town.cut(self.peer.fingerprint)
        self.assertFalse(self.presence.is_online(self.peer.fingerprint))
        self.town.connect(self.town.supplier(1).fingerprint)
        self.assertEqual(self.town.events.names(), ["node-connected", "node-disconnected"])
        self.assertEqual(self.town.events.sent[0][1]["global_id"], "supplier-0@id.example")

    def test_without_events_nothing_happens(self) -> None:
        """Nothing is polled: an hour passes and no packet is sent."""
        self.presence.watch(self.peer.fingerprint)
        self.town.clock.pump([60] * 60)
        self.assertEqual(self.town.sent, [])

    def test_a_ping_finds_out(self) -> None:
        """A ping dials, and says whether the peer is there."""
        self.assertTrue(self.successResultOf(self.presence.ping(self.peer.fingerprint)))
        self.assertTrue(self.presence.is_online(self.peer.fingerprint))
        gone = self.town.supplier(1)
        gone.up = False
        self.assertFalse(self.successResultOf(self.presence.ping(gone.fingerprint)))
        self.assertEqual(self.presence.state(gone.fingerprint), "OFFLINE")

    def test_a_ping_ends_even_when_nobody_answers(self) -> None:
        """A silent peer is PING? for 20 seconds; then its standing session is believed."""
        self.peer.mood = "silent"
        self.town.connect(self.peer.fingerprint)
        pinged = self.presence.ping(self.peer.fingerprint)
        self.assertEqual(self.presence.state(self.peer.fingerprint), "PING?")
        self.assertTrue(self.presence.is_online(self.peer.fingerprint))
        self.town.clock.advance(20)
        self.assertTrue(self.successResultOf(pinged))

    def test_pinging_all_counts(self) -> None:
        """`ping_all` tells how many are there; nobody to ping is zero."""
        self.town.supplier(1).up = False
        asked = [self.town.supplier(number).fingerprint for number in range(3)]
        self.assertEqual(self.successResultOf(self.presence.ping_all(asked)), 2)
        self.assertEqual(self.successResultOf(self.presence.ping_all([])), 0)


class ReachTests(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.registry = Registry(self.clock)
        self.addCleanup(self.registry.shutdown)
        self.addresses: list[str] = []
        self.published: list = []
        self.listening = ["tcp://127.0.0.1:1"]
        self.peers: list = []
        self.answer = lambda: succeed(None)
        self.slept = 0.0
        world = SimpleNamespace(wall=lambda: 1e9 + self.slept + self.clock.seconds())
        around = SimpleNamespace(registry=self.registry, me=self, sessions=self, world=world)
        self.reach = Reach(around, lambda: self.listening, self.publish)
        self.addCleanup(self.reach.stop)

    def set_addresses(self, addresses) -> None:
        self.addresses = addresses

    def addresses_record(self):
        return list(self.addresses)

    def publish(self, record):
        self.published.append(record)
        return self.answer()

    def sessions(self):
        return self.peers

    def on_session(self, watcher):
        self.watcher = watcher

        def disconnect() -> None:
            self.watcher = None

        return disconnect

    def test_where_i_listen_is_told(self) -> None:
        """What the node listens on goes into its record and to the DHT; then it waits for somebody to come."""
        self.reach.start()
        self.assertEqual(self.published, [["tcp://127.0.0.1:1"]])
        self.assertEqual(self.reach.machine.state, "INCOMMING?")
        self.peers.append("somebody")
        self.watcher(None, True)
        self.assertEqual(self.reach.machine.state, "CONNECTED")
        self.peers.clear()
        self.watcher(None, False)
        self.assertEqual(self.reach.machine.state, "INCOMMING?")

    def test_a_sleep_of_the_machine(self) -> None:
        """Who has slept for longer than its record lives publishes it with the first session after that, not an hour
        later; and with a session after no sleep not at all."""
        self.reach.start()
        self.peers.append("somebody")
        self.watcher(None, True)
        self.watcher(None, True)
        self.assertEqual(len(self.published), 1)
        for slept in (8 * 86400, -40):
            self.slept = slept
            self.watcher(None, True)
            self.watcher(None, True)
            self.assertEqual(self.reach.machine.state, "CONNECTED")
        self.assertEqual(len(self.published), 3)

    def test_a_node_that_does_not_listen_is_not_reachable(self) -> None:
        """Without a listening transport nothing is told; when one appears the node finds out by itself."""
        self.listening = []
        self.reach.start()
        self.assertEqual((self.reach.machine.state, self.published), ("DISCONNECTED", []))
        self.listening = ["tcp://127.0.0.1:2"]
        self.clock.advance(20)
        self.assertEqual(self.published, [["tcp://127.0.0.1:2"]])

    def test_a_silent_dht_holds_up_nothing(self) -> None:
        """When the DHT does not answer the node goes on, and tells it again later."""
        self.answer = Deferred
        self.reach.start()
        self.clock.advance(20)
        self.assertEqual(self.reach.machine.state, "INCOMMING?")
        self.answer = lambda: fail(RuntimeError("no nodes"))
        self.clock.advance(300)
        self.assertEqual((len(self.published), self.reach.machine.state), (2, "INCOMMING?"))

    def test_a_new_address_is_told_at_once(self) -> None:
        """`check` looks again and publishes what changed."""
        self.reach.start()
        self.listening = ["tcp://127.0.0.1:9"]
        self.reach.check()
        self.assertEqual((self.addresses, self.published[-1]), (["tcp://127.0.0.1:9"], ["tcp://127.0.0.1:9"]))

    def test_a_moved_address_is_noticed(self) -> None:
        """Without a word from anybody it is published within an hour, or five minutes while nobody is connected."""
        self.reach.start()
        self.listening = ["tcp://127.0.0.1:9"]
        self.clock.advance(300)
        self.assertEqual(self.published[-1], ["tcp://127.0.0.1:9"])
        self.peers.append("somebody")
        self.watcher(None, True)
        self.listening = ["tcp://127.0.0.1:10"]
        self.clock.advance(3600)
        self.assertEqual(self.published[-1], ["tcp://127.0.0.1:10"])

    def test_whom_nobody_finds(self) -> None:
        """A record that all others refuse, because of this clock for example, is told again in two minutes."""
        self.peers.append("somebody")
        self.answer = lambda: succeed(Stored(1, 8, ("mine",), {"bad-expiry": 8}))
        self.reach.start()
        self.answer = lambda: succeed(Stored(9, 8, ()))
        self.clock.advance(120)
        self.assertEqual(len(self.published), 2)
        self.clock.advance(3599)
        self.assertEqual(len(self.published), 2)

    def test_stopped_and_started(self) -> None:
        """A node that was stopped is found again after a new start; nobody follows sessions twice."""
        self.reach.start()
        self.reach.stop()
        self.assertEqual((len(self.registry), self.watcher), (0, None))
        self.reach.start()
        self.assertEqual((self.reach.machine.state, len(self.published)), ("INCOMMING?", 2))
