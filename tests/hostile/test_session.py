"""Peers that send garbage, lie about lengths, flood, or stop in the middle (weaknesses 2, 10, 12, 15, 20)."""

import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from bitdust.transport.frames import FrameReader, Kind, head
from bitdust.transport.hello import Hello
from bitdust.transport.tls import DeviceTLS, TLSFactory
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command, Packet
from tests.unit.transport_kit import Memory


class Taker:
    """What a reader finds."""

    def __init__(self) -> None:
        self.frames: list[tuple] = []
        self.data = 0

    def frame_received(self, kind, stream, body, last) -> None:
        self.frames.append((kind, stream, bytes(body), last))

    def data_received(self, stream, part, last) -> None:
        self.data += len(part)


class FramesTests(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.binary(max_size=200), max_size=20))
    def test_any_bytes(self, parts: list[bytes]) -> None:
        """Any bytes, cut anywhere, are frames or a `WireError`, and nothing else."""
        reader = FrameReader(Taker())
        try:
            for part in parts:
                reader.feed(part)
        except WireError as error:
            self.assertIn(error.code, ("malformed", "too-large"))

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=500), st.integers(1, 50))
    def test_frames_do_not_depend_on_how_they_are_cut(self, body: bytes, step: int) -> None:
        """The same bytes give the same frames, whether they come at once or one by one."""
        stream = head(Kind.OPEN, 7, len(body)) + body + head(Kind.PING, 0, 8) + b"12345678"
        whole, cut = Taker(), Taker()
        FrameReader(whole).feed(stream)
        reader = FrameReader(cut)
        for start in range(0, len(stream), step):
            reader.feed(stream[start : start + step])
        self.assertEqual(whole.frames, cut.frames)
        self.assertEqual(len(whole.frames), 2)

    def test_lengths_are_limited_before_the_body(self) -> None:
        """A frame that announces more than its kind may have is refused by its head alone."""
        for kind, length in ((Kind.HELLO, 65 * 1024), (Kind.OPEN, 17 * 1024), (Kind.DATA, 300 * 1024), (Kind.PING, 9)):
            with self.assertRaises(WireError):
                FrameReader(Taker()).feed(head(kind, 1, length))

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=400))
    def test_any_hello(self, data: bytes) -> None:
        """Any bytes in the place of a Hello or a packet are refused as `WireError`."""
        for parse in (Hello.from_bytes, Packet.from_bytes):
            with self.assertRaises(WireError):
                parse(data)


class Wire(Protocol):
    """A peer that speaks TLS, and then whatever the test says."""

    def __init__(self) -> None:
        self.lost: Deferred = Deferred()
        self.received = b""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - the interface's name
        self.received += data

    def connectionLost(self, reason=None) -> None:  # noqa: N802 - the interface's name
        if not self.lost.called:
            self.lost.callback(None)


class SessionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = Memory(Path(self.mktemp()))
        self.bob = self.network.person("other", "bob")
        self.mallory = self.network.person("master", "mallory")
        self.network.run(self.bob.gateway.listen(0))
        self.addCleanup(self._end)

    def _end(self) -> None:
        for person in (self.bob, self.mallory):
            self.network.run(person.gateway.stop())
            person.registry.shutdown()
        self.network.clock.pump([0.1] * 150)

    def connect(self, tls: bool = True) -> Wire:
        """Mallory's bare connection to Bob."""
        factory = Factory.forProtocol(Wire)
        if tls:
            factory = TLSFactory(DeviceTLS(self.mallory.me.device), True, factory, self.network.clock)
        host = self.network.network.host("10.7.7.7")
        found: list = []
        host.client(self.bob.host, self.bob.gateway.port()).connect(factory).addCallback(found.append)
        self.network.clock.pump([0.01] * 20)
        return found[0].wrappedProtocol if tls else found[0]

    def is_dropped(self, wire: Wire, seconds: float = 1) -> bool:
        self.network.clock.pump([0.05] * int(seconds / 0.05))
        return wire.lost.called

    def hello(self) -> bytes:
        """A real Hello of Mallory's."""
        class NoSession:
            claim = None

        body = self.mallory.gateway.my_hello(NoSession()).to_bytes()
        return head(Kind.HELLO, 0, len(body), False) + body

    def works(self) -> bool:
        """Whether Bob still answers an honest peer."""
        self.mallory.gateway.resolver = lambda _: self._address()
        self.bob.serve("honest")
        sending = self.mallory.gateway.outbox.send(
            self.bob.fingerprint, Command.RETRIEVE, {"kind": "honest"}, b"still there?", deadline=10
        )
        answers: list = []
        sending.addCallback(answers.append)
        self.network.run(sending)
        return bytes(answers[0].payload) == b"still there?"

    def _address(self) -> Deferred:
        deferred: Deferred = Deferred()
        deferred.callback([f"tcp://{self.bob.host}:{self.bob.gateway.port()}"])
        return deferred

    def test_garbage_instead_of_tls(self) -> None:
        """Somebody who speaks no TLS is dropped, and others are served."""
        for data in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(5000), b"\x16\x03\x01\xff\xff" + bytes(100)):
            wire = self.connect(tls=False)
            wire.transport.write(data)
            self.assertTrue(self.is_dropped(wire, 12))
        self.assertTrue(self.works())

    def test_garbage_after_tls(self) -> None:
        """Garbage, a packet before Hello, a second Hello and a stream of a wrong number end the session."""
        opened = head(Kind.OPEN, 1, 3, False) + b"abc"
        bad = [os.urandom(100), opened, self.hello() + self.hello(), self.hello() + head(Kind.OPEN, 2, 3) + b"abc",
               self.hello() + head(Kind.DATA, 9, 3) + b"abc", self.hello() + opened,
               head(Kind.HELLO, 0, 4) + b"\xa1\x61a\x01"]  # fmt: skip
        for data in bad:
            wire = self.connect()
            wire.transport.write(data)
            self.assertTrue(self.is_dropped(wire, 12), data[:40])
        self.assertTrue(self.works())

    def test_nothing_after_tls(self) -> None:
        """A peer that says nothing after the handshake is dropped after ten seconds."""
        wire = self.connect()
        self.assertFalse(self.is_dropped(wire, 5))
        self.assertTrue(self.is_dropped(wire, 7))

    def test_more_than_the_credit(self) -> None:
        """A peer that sends more than it was given credit for is dropped as a flood."""
        self.bob.serve(handler=lambda request: request.payload.stream_to(lambda part: Deferred()))
        wire = self.connect()
        body = self._packet(8_000_000).to_bytes()
        wire.transport.write(self.hello() + head(Kind.OPEN, 1, len(body), False) + body)
        self.assertFalse(self.is_dropped(wire))
        for _ in range(12):
            wire.transport.write(head(Kind.DATA, 1, 200_000) + bytes(200_000))
        self.assertTrue(self.is_dropped(wire, 10))
        self.assertTrue(self.works())

    def _packet(self, size: int) -> Packet:
        """A packet as Mallory's own node would send it."""

        class Sessions:
            def session_to(self, fingerprint):
                return Deferred()

        outbox = self.mallory.gateway.outbox
        original, outbox.sessions = outbox.sessions, Sessions()
        sending = outbox.send(self.bob.fingerprint, Command.RETRIEVE, {"kind": "echo"}, bytes(size), deadline=5)
        caught = [one.packet for one in outbox._waiting.values()]
        outbox.sessions = original
        sending.addErrback(lambda _: None)
        sending.cancel()
        return caught[0]

    def test_a_packet_in_another_name_is_refused(self) -> None:
        """A packet whose creator or recipient is not who the session proves is never handled."""
        from attrs import evolve

        handled: list = []
        self.bob.serve(handler=handled.append)
        for changes in ({"creator": b"\5" * 32}, {"to": b"\6" * 32}):
            wire = self.connect()
            body = evolve(self._packet(0), **changes).to_bytes()
            wire.transport.write(self.hello() + head(Kind.OPEN, 1, len(body), True) + body)
            self.network.clock.pump([0.05] * 20)
            wire.transport.abortConnection() if not wire.lost.called else None
        self.assertEqual(handled, [])

    def test_too_many_streams(self) -> None:
        """Of a peer that opens streams without end a few are worked on, the others are refused at once."""
        self.bob.serve(handler=lambda request: Deferred())
        wire = self.connect()
        wire.transport.write(self.hello())
        self.network.clock.pump([0.05] * 10)
        for number in range(600):
            body = self._packet(10).to_bytes()
            wire.transport.write(head(Kind.OPEN, 2 * number + 1, len(body), False) + body)
        self.network.clock.pump([0.05] * 20)
        for session in self.bob.gateway.sessions():
            self.assertLessEqual(len(session._in), 256)
        self.assertLessEqual(len(self.bob.gateway.inbox.packets()), 64)
        wire.transport.abortConnection()
        self.network.clock.pump([0.05] * 20)
        self.assertTrue(self.works())

    def test_a_revoked_device_gets_no_session(self) -> None:
        """A device whose owner has revoked it is refused, once the newer document is known."""
        alice = self.mallory
        old = alice.me.device
        stale = alice.me.document
        alice.me.renew_device()
        self.bob.cache.accept(alice.me.document)
        alice.me._device, alice.me._document = old, stale
        failures: list[BitDustError] = []
        dialling = alice.gateway.dial(f"tcp://{self.bob.host}:{self.bob.gateway.port()}", self.bob.fingerprint)
        dialling.addErrback(lambda failure: failures.append(failure.value))
        self.network.clock.pump([0.05] * 40)
        self.assertEqual(self.bob.gateway.sessions(), [])
