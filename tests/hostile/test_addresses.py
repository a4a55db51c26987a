"""Addresses of peers that lead into the network of whoever connects to them."""

from pathlib import Path

from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from bitdust.nearby import Nearby
from bitdust.transport.outbox import NoAnswer
from bitdust.wire.networks import HOUSEHOLD, is_local, private_network
from bitdust.wire.table import Who
from tests.unit.transport_kit import Memory


class Neighbour(Factory):
    """A service of somebody else that trusts its network."""

    def __init__(self) -> None:
        self.connected: list[str] = []

    def buildProtocol(self, addr) -> Protocol:  # noqa: N802 - the interface's name
        self.connected.append(addr.host)
        return Protocol()


class DialTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = Memory(Path(self.mktemp()))
        self.alice, self.bob = self.network.person("master", "alice"), self.network.person("other", "bob")
        self.network.run(self.bob.gateway.listen(0))
        names = ("interface", "refused")
        self.usual = {f"services/network/{name}": "" for name in names} | {"services/network/household": HOUSEHOLD}
        self.alice.settings.values |= self.usual
        self.inside = Neighbour()
        for host in (self.alice.world.network, self.network.network.host("192.168.7.7")):
            host.server(9999).listen(self.inside)
        self.addCleanup(self._end)

    def _end(self) -> None:
        for person in (self.alice, self.bob):
            self.network.run(person.gateway.stop())
            person.registry.shutdown()
        self.network.clock.pump([0.1] * 150)

    def test_into_private_networks(self) -> None:
        """Nobody is connected to at an address of this host or of a private network in which this node is not."""
        for host in ("127.0.0.1", "localhost", "192.168.7.7"):
            dialling = self.alice.gateway.dial(f"tcp://{host}:9999", self.bob.fingerprint)
            self.network.clock.pump([0.1] * 20)
            self.failureResultOf(dialling, NoAnswer)
        self.assertEqual(self.inside.connected, [])

    def test_near_and_named(self) -> None:
        """A peer of the same private network is connected to, and one of a network that a person has named."""
        self.network.run(self.alice.gateway.dial(self.bob.address(), self.bob.fingerprint))
        self.alice.settings.set("services/network/household", "192.168.7.0/24")
        dialling = self.alice.gateway.dial("tcp://192.168.7.7:9999", self.bob.fingerprint)
        self.network.clock.pump([0.1] * 20)
        self.assertEqual(self.inside.connected, [self.alice.host])
        self.alice.gateway.stop()
        self.failureResultOf(dialling)

    def test_people_with_whom_there_are_dealings(self) -> None:
        """A supplier of mine is connected to wherever it is; who merely asked to be a customer is not."""
        for role, connected in ((Who.CUSTOMER, 0), (Who.SUPPLIER, 1)):
            self.alice.know(role, self.bob)
            dialling = self.alice.gateway.dial("tcp://192.168.7.7:9999", self.bob.fingerprint)
            dialling.addErrback(lambda _: None)
            self.network.clock.pump([0.1] * 20)
            self.assertEqual(len(self.inside.connected), connected)

    def test_loopback_among_those_on_it(self) -> None:
        """Nodes that listen on loopback alone reach each other there; other nodes are not sent to their own ports."""
        nearby = Nearby(self.alice.world.network, self.alice.settings)
        self.assertFalse(nearby.may_reach("127.0.0.1"))
        self.alice.settings.set("services/network/interface", "127.0.0.1")
        self.assertTrue(nearby.may_reach("127.0.0.1"))
        self.assertFalse(nearby.may_reach(self.bob.host))

    def test_however_it_is_wrapped(self) -> None:
        """An address is private in each of its spellings, and what only resolves to it is not seen to be near."""
        for host in ("127.9.9.9", "0.0.0.0", "::", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"):
            self.assertEqual(str(private_network(host)), "127.0.0.0/8", host)
        for host in ("169.254.169.254", "100.64.1.1", "fd00::1", "fe80::1%eth0", "::ffff:10.0.0.1"):
            self.assertIsNotNone(private_network(host), host)
        for host in ("8.8.8.8", "2001:4860:4860::8888", "2130706433", "id.example"):
            self.assertIsNone(private_network(host), host)
            self.assertFalse(is_local(host), host)
        for host in ("127.1", "0x7f.1", "0x7f000001"):
            self.assertFalse(is_local(host), host)
        for host in ("10.0.0.1", "id-a", "nas.local", "localhost"):
            self.assertTrue(is_local(host), host)
