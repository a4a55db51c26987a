"""The one UDP port: protocols told apart by the first byte, STUN as one of them, both families, real sockets."""

import os
import socket

from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.internet.error import MessageLengthError
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from bitdust.testing.network import MemoryNetwork
from bitdust.transport import stun as stun_module
from bitdust.transport.datagrams import MAX_DATAGRAM, DatagramPort
from bitdust.transport.stun import MAGIC, MOST_ANSWERS, MOST_ASKED, REQUEST, SUCCESS, Stun, mapped, read_mapped
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.world import ReactorNetwork

HERE, THERE = "10.0.0.1", "10.0.0.2"


class PortCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.here, self.there = self.port(HERE), self.port(THERE)

    def port(self, address: str, interface: str = "") -> DatagramPort:
        port = DatagramPort(self.network.host(address))
        port.open(7, interface)
        return port

    def run_for(self, seconds: float) -> None:
        self.clock.pump([0.01] * round(seconds * 100))

    def stun(self, port: DatagramPort) -> Stun:
        stun = Stun(self.clock, os.urandom, port)
        self.addCleanup(stun.stop)
        return stun


class PortTests(PortCase):
    def test_first_bytes_decide(self) -> None:
        """Each protocol gets the datagrams that begin with its bytes, and no others."""
        got: list = []
        self.there.add(range(4), lambda data, address: got.append(("low", data, address)))
        self.there.add((8,), lambda data, address: got.append(("eight", data, address)))
        for data in (b"\x00a", b"\x08b", b"\x03c", b"\x40d", b""):
            self.here.send(data, (THERE, 7))
        self.run_for(1)
        source = (HERE, 7)
        self.assertEqual(got, [("low", b"\x00a", source), ("eight", b"\x08b", source), ("low", b"\x03c", source)])
        self.assertEqual(self.there.refused, 2)

    def test_a_byte_has_one_owner(self) -> None:
        """Two protocols cannot want the same byte; given back, it is free."""
        remove = self.here.add((1, 2), print)
        self.assertRaises(ValueError, self.here.add, (2, 3), print)
        remove()
        remove()
        self.here.add((2, 3), print)

    def test_what_is_too_long(self) -> None:
        """A datagram longer than a packet on the wire is dropped."""
        got: list = []
        self.there.add((1,), lambda data, address: got.append(len(data)))
        for size in (MAX_DATAGRAM, MAX_DATAGRAM + 1):
            self.here.send(b"\x01" * size, (THERE, 7))
        self.run_for(1)
        self.assertEqual((got, self.there.refused), ([MAX_DATAGRAM], 1))

    def test_closed_and_open_again(self) -> None:
        """A closed port sends and hears nothing; opened again it serves the same protocols."""
        got: list = []
        self.there.add((1,), lambda data, address: got.append(data))
        self.successResultOf(self.there.close())
        self.assertEqual((self.there.is_open, self.there.port), (False, 0))
        self.here.send(b"\x01lost", (THERE, 7))
        self.there.send(b"\x01nothing", (HERE, 7))
        self.run_for(1)
        self.assertEqual((self.there.open(7), self.there.is_open), (7, True))
        self.here.send(b"\x01comes", (THERE, 7))
        self.run_for(1)
        self.assertEqual(got, [b"\x01comes"])

    def test_a_taken_port(self) -> None:
        """A port that another program has is an error with its code and number."""
        error = self.assertRaises(BitDustError, DatagramPort(self.network.host(HERE)).open, 7)
        self.assertEqual(error.code, "port-taken")
        self.assertIn("7", str(error))

    def test_a_datagram_that_the_system_refuses(self) -> None:
        """A datagram that the system does not take is logged and lost; the next one goes out."""
        got: list = []
        self.there.add((1,), lambda data, address: got.append(data))
        write, errors = self.here._four.write, [OSError(101, "no route"), MessageLengthError("1501 bytes")]

        def refuse(data: bytes, address: tuple[str, int]) -> None:
            if errors:
                raise errors.pop(0)
            write(data, address)

        self.patch(self.here._four, "write", refuse)
        with capturedLogs() as logged:
            for data in (b"\x01first", b"\x01second", b"\x01third"):
                self.here.send(data, (THERE, 7))
        self.run_for(1)
        self.assertEqual(got, [b"\x01third"])
        shown = [formatEvent(event) for event in logged if event["log_namespace"].endswith("DatagramPort")]
        [first, second] = shown
        self.assertIn("no route", first)
        self.assertIn("1501 bytes", second)
        self.assertTrue(all(THERE in text for text in shown), shown)

    def test_six(self) -> None:
        """Between hosts with IPv6 datagrams come with such an address; to another family there is no way."""
        one, other = self.port("2001:db8::1", "2001:db8::1"), self.port("2001:db8::2", "2001:db8::2")
        got: list = []
        other.add((1,), lambda data, address: got.append(address))
        one.send(b"\x01", ("2001:db8::2", 7))
        one.send(b"\x01", (THERE, 7))
        self.here.send(b"\x01", ("2001:db8::2", 7))
        self.run_for(1)
        self.assertEqual(got, [("2001:db8::1", 7)])

    def test_an_address_with_a_zone(self) -> None:
        """Whoever writes from a link-local address is not heard: no answer would find back."""
        got: list = []
        self.here.add((1,), lambda data, address: got.append(address))
        self.here._received(b"\x01", ("fe80::1", 7, 0, 2))
        self.here._received(b"\x01", ("2001:db8::1", 7, 0, 0))
        self.assertEqual((got, self.here.refused), ([("2001:db8::1", 7)], 1))


class StunTests(PortCase):
    def test_the_samples_of_the_standard(self) -> None:
        """The address attributes of RFC 5769, 2.2 and 2.3, are written and read."""
        ident = bytes.fromhex("b7e7a701bc34d686fa87dfae")
        four, six = ("192.0.2.1", 32853), ("2001:db8:1234:5678:11:2233:4455:6677", 32853)
        self.assertEqual(mapped(four, ident).hex(), "002000080001a147e112a643")
        self.assertEqual(mapped(six, ident).hex(), "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9")
        for address in (four, six):
            attributes = b"\x80\x22\x00\x05other\x00\x00\x00" + mapped(address, ident)
            self.assertEqual(read_mapped(SUCCESS + bytes(2) + MAGIC + ident + attributes), address)

    def test_what_is_my_address(self) -> None:
        """A peer says from which address and port my datagrams come, over both families."""
        self.stun(self.there)
        asked = self.stun(self.here).ask((THERE, 7))
        self.run_for(0.1)
        self.assertEqual(self.successResultOf(asked), (HERE, 7))
        one, other = self.port("2001:db8::1", "2001:db8::1"), self.port("2001:db8::2", "2001:db8::2")
        self.stun(other)
        asked = self.stun(one).ask(("2001:db8::2", 7))
        self.run_for(0.1)
        self.assertEqual(self.successResultOf(asked), ("2001:db8::1", 7))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_lost_datagrams(self) -> None:
        """A question is sent three times; without an answer it fails after three and a half seconds."""
        got: list = []
        self.there.add(range(4), lambda data, address: got.append(self.clock.seconds()))
        asked = self.stun(self.here).ask((THERE, 7))
        self.run_for(3.4)
        self.assertNoResult(asked)
        self.run_for(0.2)
        self.assertEqual(self.failureResultOf(asked, BitDustError).value.code, "no-answer")
        self.assertEqual([round(when, 1) for when in got], [0.0, 0.5, 1.5])

    def test_nobody_answers_for_another(self) -> None:
        """An answer of somebody else, to another question, or without an address changes nothing."""
        sent: list = []
        self.there.add(range(4), lambda data, address: sent.append(data))
        third = self.port("10.0.0.3")
        asked = self.stun(self.here).ask((THERE, 7))
        self.run_for(0.1)
        ident = sent[0][8:20]
        body = mapped(("192.0.2.1", 9), ident)
        good = SUCCESS + len(body).to_bytes(2, "big") + MAGIC + ident + body
        third.send(good, (HERE, 7))
        for bad in (good[:8] + bytes(12) + good[20:], SUCCESS + bytes(2) + MAGIC + ident, good[:-1], good[:10],
                    SUCCESS + b"\x00\x08" + MAGIC + ident + b"\x00\x20\x00\x08\x00\x01\x00\x00",
                    REQUEST[:1] + b"\x11" + good[2:], good[:4] + bytes(4) + good[8:]):  # fmt: skip
            self.there.send(bad, (HERE, 7))
        self.run_for(0.1)
        self.assertNoResult(asked)
        self.there.send(good, (HERE, 7))
        self.run_for(0.1)
        self.assertEqual(self.successResultOf(asked), ("192.0.2.1", 9))

    def test_a_flood(self) -> None:
        """So many are answered a second and no more, and nobody is answered with more than a few bytes more."""
        sizes: list = []
        self.here.add(range(4), lambda data, address: sizes.append(len(data)))
        self.stun(self.there)
        for _ in range(3 * MOST_ANSWERS):
            self.here.send(REQUEST + bytes(2) + MAGIC + os.urandom(12), (THERE, 7))
        self.run_for(0.5)
        self.assertEqual((len(sizes), max(sizes)), (MOST_ANSWERS, 32))
        self.run_for(1)
        self.here.send(REQUEST + bytes(2) + MAGIC + os.urandom(12), (THERE, 7))
        self.run_for(0.5)
        self.assertEqual(len(sizes), MOST_ANSWERS + 1)

    def test_too_many_questions(self) -> None:
        """So many questions may wait; the next is told so, and all end with the port's protocol."""
        stun = Stun(self.clock, os.urandom, self.here)
        asked = [stun.ask((THERE, 7)) for _ in range(MOST_ASKED)]
        self.assertEqual(self.failureResultOf(stun.ask((THERE, 7)), BitDustError).value.code, "busy")
        stun.stop()
        for one in asked:
            self.failureResultOf(one, CancelledError)
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.getTime() > 1], [])

    def test_any_bytes(self) -> None:
        """Whatever comes under the first bytes of STUN raises nothing."""
        stun = self.stun(self.here)
        for length in range(64):
            for first in range(4):
                self.here._received(bytes((first,)) + os.urandom(length), (THERE, 7))
        self.assertRaises(WireError, read_mapped, bytes(20))
        self.assertIsInstance(stun, stun_module.Stun)


class SocketTests(TestCase):
    timeout = 20

    async def test_over_real_sockets(self) -> None:
        """Over loopback of both families a port without an interface answers under its one number."""
        port = DatagramPort(ReactorNetwork(reactor))
        number = port.open(0)
        stun = Stun(reactor, os.urandom, port)
        try:
            self.assertEqual(await stun.ask(("127.0.0.1", number)), ("127.0.0.1", number))
            if port._six is None:
                raise self.skipTest("this machine has no IPv6")
            self.assertEqual(await stun.ask(("::1", number)), ("::1", number))
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as taken:
                taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                self.assertRaises(OSError, taken.bind, ("::", number))
        finally:
            stun.stop()
            await port.close()
