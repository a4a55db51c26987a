"""Strangers that want all places for neighbours of a node that shares with everybody."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Registry
from bitdust.ipfs.exchange.partners import Partners
from bitdust.ipfs.pubsub.pubsub import OF_NETWORK, OF_STRANGERS, PubSub
from bitdust.wire.errors import BitDustError
from tests.api.fakes import Anything
from tests.unit.kit import Settings


class NeighbourTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.sessions: list[Any] = []
        self.friends = {b"f" * 32}
        self.around: Any = Anything(
            world=Anything(clock=self.clock, wall=lambda: 1e9),
            registry=Registry(self.clock, self.clock.seconds),
            settings=Settings({"services/network/household": "127.0.0.0/8"}),
            sessions=Anything(sessions=lambda: self.sessions, on_session=lambda watcher: lambda: None),
            outbox=Anything(send=lambda *said, **terms: Deferred()),
            me=Anything(present=False),
        )
        partners = Partners(self.around, lambda who, fingerprint: fingerprint in self.friends)
        self.pubsub = PubSub(self.around, partners, lambda fingerprint: True)
        self.addCleanup(self.pubsub.close)

    def greets(self, name: bytes, host: str) -> bool:
        """Somebody tells its topics; whether it is a neighbour now."""
        peer = Anything(fingerprint=name, device=name[:8])
        self.sessions.append(Anything(peer=peer, address=f"tcp://{host}:7771", ended=None))
        try:
            self.pubsub.greeted(Anything(peer=peer, fields={"topics": [b"t"]}))
        except BitDustError as error:
            self.assertEqual(error.code, "busy")
            return False
        return True

    def test_keys_without_end(self) -> None:
        """Keys of one network have a few places, those of many networks a quarter; friends find one beside them."""
        got = [self.greets(number.to_bytes(32, "big"), "203.0.113.9") for number in range(50)]
        self.assertEqual(sum(got), OF_NETWORK)
        got = [self.greets((1000 + number).to_bytes(32, "big"), f"198.51.{number}.9") for number in range(100)]
        self.assertEqual(sum(got), OF_STRANGERS - OF_NETWORK)
        self.assertTrue(self.greets(b"f" * 32, "203.0.113.9"))

    def test_the_household(self) -> None:
        """Nodes of one household are no stranger with many keys."""
        got = [self.greets(number.to_bytes(32, "big"), "127.0.0.1") for number in range(OF_STRANGERS)]
        self.assertEqual(sum(got), OF_STRANGERS)
