"""What TLS of a link does with frames, small and large: they come in order, and in few pieces."""

import os
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.device import DeviceKey
from bitdust.transport.links.tls import BULK, FRAME, DeviceTLS, TLSFactory

LARGE = os.urandom(FRAME)


class Inner(Protocol):
    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - the interface's name
        self.pieces.append(data)

    @property
    def received(self) -> bytes:
        return b"".join(self.pieces)


class LinkCase(SynchronousTestCase):
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


class WritingTests(LinkCase):
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

    def test_one_send(self) -> None:
        """The system is offered all of a frame at once, with its head and what TLS adds."""
        self.pump()
        self.client.write_parts(b"12345678", LARGE)
        self.assertLessEqual(len(self.client.transport.value()), self.client.transport.SEND_LIMIT)

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


class ReadingTests(LinkCase):
    def sent(self, *frames: tuple[bytes, ...]) -> bytes:
        """What the client sends for these, which the server has not got yet."""
        self.pump()
        for parts in frames:
            self.client.write_parts(*parts)
        self.clock.advance(0)
        data: bytes = self.client.transport.value()
        self.client.transport.clear()
        return data

    def test_together(self) -> None:
        """Records that come together, small ones too, are handed over together; no piece is larger than is read."""
        self.server.dataReceived(self.sent((b"12345678", LARGE[:50_000]), (b"small",), (b"12345678", LARGE[:20_000])))
        self.assertEqual([len(one) for one in self.server.wrappedProtocol.pieces], [70_021])
        self.server.dataReceived(self.sent((b"", LARGE), (b"", LARGE)))
        pieces = self.server.wrappedProtocol.pieces[1:]
        self.assertEqual(b"".join(pieces), LARGE + LARGE)
        self.assertEqual({len(one) for one in pieces}, {BULK})

    def test_in_two(self) -> None:
        """Of a record that has not come whole nothing is handed over before its end, and nothing is lost."""
        data = self.sent((b"12345678", LARGE[:40_000]))
        for at in range(0, len(data), 7001):
            self.server.dataReceived(data[at : at + 7001])
        self.assertEqual(self.server.wrappedProtocol.received, b"12345678" + LARGE[:40_000])

    def test_before_an_error(self) -> None:
        """What has come before a record that was changed on the way is handed over; then the link is at its end."""
        data = self.sent((b"12345678", LARGE[:40_000]))
        self.server.dataReceived(data[:-1] + bytes([data[-1] ^ 1]))
        got = self.server.wrappedProtocol.received
        self.assertEqual(got, (b"12345678" + LARGE[:40_000])[: len(got)])
        self.assertEqual((len(got), self.server.transport.disconnecting), (8 + 2 * 16384, True))

    def test_an_end(self) -> None:
        """What comes together with the end of a link is handed over before it."""
        data = self.sent((b"12345678", LARGE[:40_000]))
        self.client.loseConnection()
        self.server.dataReceived(data + self.client.transport.value())
        self.assertEqual(len(self.server.wrappedProtocol.received), 40_008)
        self.assertTrue(self.server.transport.disconnecting)
