"""The service of the UDP port: which setting counts, who gives way, and what its check sees fail."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.config.settings import Settings
from bitdust.services.service import Unhealthy
from bitdust.services.service_entangled_dht import EntangledDHTService
from bitdust.services.service_udp_datagrams import DHT_PORT, PORT, UDPDatagramsService, port_setting
from bitdust.testing.network import MemoryNetwork
from bitdust.transport.datagrams import DatagramPort
from bitdust.transport.stun import Stun

DEFAULT = 14441


class ServiceCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.host = self.network.host("10.0.0.1")
        self.settings = Settings(Path(self.mktemp()))
        self.datagrams = DatagramPort(self.host)
        self.stun = Stun(self.clock, bytes, self.datagrams)
        gateway = SimpleNamespace(datagrams=self.datagrams, stun=self.stun)
        dht = SimpleNamespace(node=SimpleNamespace(running=True, silence=lambda: 0.0))
        self.rooms: Any = SimpleNamespace(around=SimpleNamespace(settings=self.settings), gateway=gateway, dht=dht)
        self.service = UDPDatagramsService(self.rooms)

    def taken(self, port: int) -> None:
        self.host.listen_udp(port, DatagramProtocol())


class PortTests(ServiceCase):
    def test_which_setting_counts(self) -> None:
        """The port is that of the DHT; the other setting counts where it alone was changed."""
        self.assertEqual(port_setting(self.settings), DHT_PORT)
        self.settings.set(PORT, 9000)
        self.assertEqual(port_setting(self.settings), PORT)
        self.settings.set(DHT_PORT, 9001)
        self.assertEqual(port_setting(self.settings), DHT_PORT)
        self.service.start()
        self.assertEqual(self.datagrams.port, 9001)

    def test_the_default_gives_way(self) -> None:
        """Where another program has the default port a free one is opened."""
        self.taken(DEFAULT)
        self.service.start()
        self.assertTrue(self.datagrams.is_open)
        self.assertNotEqual(self.datagrams.port, DEFAULT)

    def test_a_chosen_port_does_not(self) -> None:
        """A port that somebody chose is opened, or the service says that it cannot be."""
        self.taken(9000)
        self.settings.set(PORT, 9000)
        error = self.assertRaises(Unhealthy, self.service.start)
        self.assertIn("9000", str(error))
        self.assertFalse(self.datagrams.is_open)


class HealthTests(ServiceCase):
    def test_healthy(self) -> None:
        """A datagram that this node sends to itself comes back with its address."""
        self.service.start()
        checked = self.service.health()
        self.clock.pump([0.01] * 10)
        self.assertEqual(self.successResultOf(checked)[1], DEFAULT)

    def test_closed(self) -> None:
        """A closed port is no port, for this service as for the DHT that shares it."""
        self.assertRaises(Unhealthy, self.service.health)
        dht = EntangledDHTService(self.rooms)
        self.assertRaises(Unhealthy, dht.health)
        self.service.start()
        dht.health()
        self.successResultOf(self.service.stop())
        self.assertRaises(Unhealthy, self.service.health)

    def test_a_machine_that_drops_datagrams(self) -> None:
        """Where datagrams do not arrive the check fails within four seconds, and says so."""
        self.service.start()
        self.network.cut = lambda one, other: True
        checked = self.service.health()
        self.clock.pump([0.1] * 40)
        self.assertIn("do not arrive", str(self.failureResultOf(checked, Unhealthy).value))
