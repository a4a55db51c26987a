"""Groups of a network: on real sockets of this machine, and in memory."""

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from bitdust.testing.network import MemoryNetwork
from bitdust.world import ReactorNetwork

GROUP, OTHER = "239.192.99.1", "239.192.99.2"
HERE = "127.0.0.1"


class Hearer(DatagramProtocol):
    """Keeps what comes."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.waiting: Deferred[None] | None = None

    def datagramReceived(self, datagram: bytes, addr: object) -> None:
        self.heard.append(datagram)
        if self.waiting is not None:
            waiting, self.waiting = self.waiting, None
            waiting.callback(None)

    def until(self) -> "Deferred[None]":
        self.waiting = Deferred()
        return self.waiting.addTimeout(20, reactor)


class SocketTests(TestCase):
    def listen(self, group: str, port: int) -> tuple[Hearer, int]:
        hearer = Hearer()
        bound = ReactorNetwork(reactor).listen_multicast(group, port, hearer, HERE)
        self.addCleanup(bound.stopListening)
        return hearer, int(bound.getHost().port)

    async def test_two_of_one_machine(self) -> None:
        """Two nodes of one machine share the port, and both hear; who is in another group hears nothing."""
        one, port = self.listen(GROUP, 0)
        two, _ = self.listen(GROUP, port)
        other, _ = self.listen(OTHER, port)
        hears = two.until()
        one.transport.write(b"hello", (GROUP, port))
        await hears
        hears = other.until()
        one.transport.write(b"to the other", (OTHER, port))
        await hears
        self.assertEqual((two.heard, other.heard), ([b"hello"], [b"to the other"]))

    def test_no_such_interface(self) -> None:
        """What is no group is refused as a port that is taken is."""
        self.assertRaises(CannotListenError, self.listen, "203.0.113.9", 0)


class MemoryTests(SynchronousTestCase):
    def test_members(self) -> None:
        """All hosts in a group hear what is sent to it, the sender too; nobody else does."""
        clock = Clock()
        network = MemoryNetwork(clock)
        hearers = [Hearer() for _ in range(3)]
        bound = [
            network.host(f"10.0.0.{number}").listen_multicast(GROUP if number < 3 else OTHER, 7, hearer, "")
            for number, hearer in enumerate(hearers, 1)
        ]
        bound[0].write(b"x", (GROUP, 7))
        clock.advance(1)
        self.assertEqual([hearer.heard for hearer in hearers], [[b"x"], [b"x"], []])
        self.assertRaises(CannotListenError, network.host("10.0.0.1").listen_multicast, GROUP, 7, Hearer(), "")
