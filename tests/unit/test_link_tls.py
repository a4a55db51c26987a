"""What TLS of a link does with frames: in order, whether they are small or large, and in few calls."""

import os
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.transport.links.tls import FRAME, DeviceTLS, TLSFactory

LARGE = os.urandom(FRAME)


class Inner(Protocol):
    def __init__(self) -> None:
        self.received = b""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - the interface's name
        self.received += data


class WritingTests(SynchronousTestCase):
    """Both ends of a link; what one has written is brought to the other when the test says so."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.client, self.server = self.end(True), self.end(False)

    def end(self, is_client: bool) -> Any:
        device = DeviceKey(os.urandom(32))
        protocol = TLSFactory(DeviceTLS(device), is_client, Factory.forProtocol(Inner), self.clock).buildProtocol(None)
        protocol.makeConnection(StringTransport())
        return protocol

    def pump(self) -> int:
        """How many bytes the client has sent."""
        sent = 0
        self.clock.advance(0)
        while self.client.transport.value() or self.server.transport.value():
            for one, other in ((self.client, self.server), (self.server, self.client)):
                data = one.transport.value()
                one.transport.clear()
                sent += len(data) if one is self.client else 0
                if data:
                    other.dataReceived(data)
            self.clock.advance(0)
        return sent

    def test_in_order(self) -> None:
        """A large frame goes at once and does not overtake a small one that waits for others; nor is it overtaken."""
        self.pump()
        for parts in ((b"one", b"two"), (b"head", LARGE), (b"three",), (b"head", memoryview(LARGE)), (b"end", b"")):
            self.client.write_parts(*parts)
        self.pump()
        self.assertEqual(self.server.wrappedProtocol.received, b"onetwohead" + LARGE + b"threehead" + LARGE + b"end")

    def test_before_the_handshake(self) -> None:
        """What is written before the peer has answered comes in order as well."""
        self.client.write_parts(b"one")
        self.client.write_parts(b"head", LARGE)
        self.client.write_parts(b"two", LARGE + LARGE)
        self.pump()
        self.assertEqual(self.server.wrappedProtocol.received, b"onehead" + LARGE + b"two" + LARGE + LARGE)

    def test_one_piece(self) -> None:
        """A frame with its head is given to the system in one piece."""
        self.pump()
        pieces: list[int] = []
        self.client.transport.write = lambda data: pieces.append(len(data))
        self.client.write_parts(b"12345678", LARGE)
        self.assertEqual(len(pieces), 1)
        self.assertTrue(FRAME < pieces[0] < FRAME + 1024)

    def test_after_the_end(self) -> None:
        """Nothing is written to a link that is closed, or has broken."""
        self.pump()
        self.client.loseConnection()
        self.pump()
        self.client.write_parts(b"head", LARGE)
        self.assertLess(self.pump(), FRAME)
        self.client.connectionLost(Failure(ConnectionDone()))
        self.client.write_parts(b"head", LARGE)
        self.client.write_parts(b"small")
        self.assertEqual((self.pump(), self.server.wrappedProtocol.received), (0, b""))
