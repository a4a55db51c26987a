"""Peers that send garbage, lie about lengths, flood, or stop in the middle (weaknesses 2, 10, 12, 15, 20)."""

import os
from pathlib import Path

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from bitdust.scopes.reservations import Role
from bitdust.transport.frames import LAST, FrameReader, Kind, head
from bitdust.transport.hello import Hello
from bitdust.transport.links.tls import DeviceTLS, TLSFactory
from bitdust.transport.streams import StreamReset
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command, Packet
from bitdust.wire.table import ack
from tests.unit.transport_kit import UNHURRIED, Memory

FRAMES = st.tuples(st.sampled_from(list(Kind)), st.integers(0, 2**32 - 1), st.binary(max_size=300), st.booleans()).map(
    lambda frame: (frame[0], frame[1], frame[2][: LIMITS.get(frame[0], 300)], frame[3])
)
LIMITS = {Kind.PING: 8, Kind.PONG: 8, Kind.CREDIT: 4}


class Taker:
    """What a reader finds."""

    def __init__(self) -> None:
        self.frames: list[tuple] = []
        self.data = self.ends = 0

    def frame_received(self, kind, stream, body, last) -> None:
        self.frames.append((kind, stream, bytes(body), last))

    def data_received(self, stream, part, last) -> None:
        self.data += len(part)
        self.ends += last


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
    @given(st.lists(FRAMES, max_size=8), st.data())
    def test_what_is_sent_is_what_is_read(self, frames, data) -> None:
        """Any frames within the limits are read as they were sent, and a stream that stops short as far as it came."""
        sent = b"".join(head(kind, stream, len(body), last) + body for kind, stream, body, last in frames)
        stop = data.draw(st.integers(0, len(sent)))
        cut = data.draw(st.integers(0, stop))
        taker = Taker()
        reader = FrameReader(taker)
        reader.feed(sent[:cut])
        reader.feed(sent[cut:stop])
        whole = [frame for frame in frames if frame[0] is not Kind.DATA]
        self.assertEqual(taker.frames, whole[: len(taker.frames)])
        reader.feed(sent[stop:])
        self.assertEqual(taker.frames, whole)
        parts = [(len(body), last) for kind, _, body, last in frames if kind is Kind.DATA]
        self.assertEqual((taker.data, taker.ends), (sum(size for size, _ in parts), sum(last for _, last in parts)))

    @settings(max_examples=300, deadline=None)
    @given(st.data())
    def test_a_damaged_hello(self, data) -> None:
        """A Hello that was cut, changed or lengthened anywhere is a whole one or refused with its code."""
        good = Hello(b"<identity/>", b"12345678", b"", "BitDust/1", 256, 1 << 20).to_bytes()
        start = data.draw(st.integers(0, len(good)))
        end = data.draw(st.integers(start, min(len(good), start + 8)))
        bad = good[:start] + data.draw(st.binary(max_size=8)) + good[end:]
        try:
            hello = Hello.from_bytes(bad)
        except WireError as error:
            self.assertIn(error.code, ("bad-hello", "bad-version"))
        else:
            self.assertEqual(hello.to_bytes(), bad)
            self.assertEqual(len(hello.device), 8)

    def test_other_versions(self) -> None:
        """A Hello of versions that this node does not speak is refused as such; one of several is enough."""
        fields = {"identity": b"x", "device": bytes(8), "addresses": b"", "agent": "",
                  "limits": {"streams": 1, "window": 1}}  # fmt: skip
        self.assertEqual(Hello.from_bytes(encode(fields | {"versions": [1, 2, 9]})).streams, 1)
        for versions, code in (([2], "bad-version"), ([], "bad-hello"), ([0], "bad-hello"), ("1", "bad-hello")):
            error = self.assertRaises(WireError, Hello.from_bytes, encode(fields | {"versions": versions}))
            self.assertEqual(error.code, code, versions)

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
        # How many may come at once is shown elsewhere.
        self.patch(self.bob.gateway.scopes.arrivals, "may_come", lambda network: True)
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
        self.mallory.resolve(lambda _: self._address())
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

    def open(self, size: int, stream: int = 1) -> bytes:
        body = self._packet(size).to_bytes()
        return head(Kind.OPEN, stream, len(body), size == 0) + body

    def test_a_peer_that_stops_in_the_middle(self) -> None:
        """Wherever a peer breaks off, nothing of it stays: no session, no packet, no stream that somebody reads."""
        ended: list = []
        self.bob.serve(handler=lambda request: request.payload.read_all(10_000).addErrback(ended.append))
        said = self.hello() + self.open(9000) + head(Kind.DATA, 1, 5000) + bytes(5000)
        for length in (1, 7, 8, 9, 500, len(self.hello()) + 3, len(said) - 5001, len(said) - 4000, len(said)):
            wire = self.connect()
            wire.transport.write(said[:length])
            self.network.clock.pump([0.05] * 10)
            wire.transport.abortConnection()
            self.assertTrue(self.is_dropped(wire))
            self.assertEqual((self.bob.gateway.connections(), self.bob.gateway.inbox.packets()), ([], []), length)
        self.assertEqual([failure.type for failure in ended], [StreamReset] * 3)
        self.assertTrue(self.works())

    def test_a_peer_that_falls_silent_in_the_middle(self) -> None:
        """A peer that says half of something and then nothing is given up: soon before it is proven, later after."""
        said = self.hello() + self.open(9000) + head(Kind.DATA, 1, 5000) + bytes(100)
        self.bob.serve(handler=lambda request: request.payload.read_all(10_000))
        hello = len(self.hello())
        for length, soon in ((20, True), (hello - 1, True), (hello + 4, False), (len(said), False)):
            wire = self.connect()
            wire.transport.write(said[:length])
            self.assertEqual(self.is_dropped(wire, 13), soon, length)
            self.assertTrue(self.is_dropped(wire, 60))
            self.assertEqual((self.bob.gateway.connections(), self.bob.gateway.inbox.packets()), ([], []))
        self.assertTrue(self.works())

    def test_many_who_prove_nothing(self) -> None:
        """Of connections that prove nothing so many of a network, so many in all are held, for ten seconds each."""
        for number in range(15):
            host = self.network.network.host(f"10.8.{number}.1")
            for _ in range(12):
                connecting = host.client(self.bob.host, self.bob.gateway.port()).connect(Factory.forProtocol(Wire))
                connecting.addErrback(lambda _: None)
            self.network.clock.pump([0.01] * 5)
            self.assertEqual(len(self.bob.gateway.connections()), min(10 * (number + 1), 100))
        self.network.clock.pump([0.05] * 240)
        self.assertEqual(self.bob.gateway.connections(), [])
        self.assertTrue(self.works())

    def test_half_a_handshake(self) -> None:
        """A peer that breaks off, or falls silent, within the TLS handshake costs nothing for long."""
        for length in (1, 5, 50, 200):
            wire = self.connect(tls=False)
            wire.transport.write(self.client_hello()[:length])
            self.assertFalse(self.is_dropped(wire, 5))
            self.assertTrue(self.is_dropped(wire, 7))
        self.assertEqual(self.bob.gateway.connections(), [])
        self.assertTrue(self.works())

    def client_hello(self) -> bytes:
        connection = DeviceTLS(self.mallory.me.device).clientConnectionForTLS(None)
        connection.set_connect_state()
        self.assertRaises(SSL.WantReadError, connection.do_handshake)
        return connection.bio_read(10_000)

    def test_frames_over_their_limit(self) -> None:
        """A frame that announces more than its kind may have ends a session that is up, by its head and with a word."""
        for kind, length in ((Kind.DATA, 262_145), (Kind.OPEN, 16_385), (Kind.RESET, 2049), (Kind.PING, 9),
                             (Kind.CREDIT, 5), (Kind.GOODBYE, 2049), (Kind.HELLO, 65_537)):  # fmt: skip
            wire = self.connect()
            wire.transport.write(self.hello() + head(kind, 1, length))
            self.assertTrue(self.is_dropped(wire, 10), kind)
            self.assertIn(b"too-large", wire.received)
        self.assertTrue(self.works())

    def test_streams_have_their_numbers_and_their_end(self) -> None:
        """A stream of the other side's number or an old one, or whose end is not where its header says, is refused."""
        self.bob.serve(handler=lambda request: ack())
        no_end, early_end = bytearray(self.open(0)), bytearray(self.open(10))
        no_end[0] ^= LAST
        early_end[0] ^= LAST
        short, long = (self.open(5) + head(Kind.DATA, 1, size, True) + bytes(size) for size in (4, 6))
        for bad in (self.open(0, 2), self.open(0) + self.open(0), self.open(0, 5) + self.open(0, 3), no_end, early_end,
                    short, long, head(Kind.CREDIT, 1, 3) + bytes(3), head(Kind.RESET, 1, 1) + b"\x01"):  # fmt: skip
            wire = self.connect()
            wire.transport.write(self.hello() + bytes(bad))
            self.assertTrue(self.is_dropped(wire, 10), bytes(bad[:8]))
            self.assertIn(b"malformed", wire.received)
        self.assertTrue(self.works())

    def test_streams_are_counted(self) -> None:
        """More streams at once than there may be are a flood, whoever it is."""
        self.bob.limits(peers=dict.fromkeys(Role, {}), session={}, network={}, **UNHURRIED)
        self.bob.serve(handler=lambda request: Deferred())
        for count, code in ((256, None), (257, "flood")):
            wire = self.connect()
            wire.transport.write(self.hello())
            self.network.clock.pump([0.05] * 10)
            (session,) = self.bob.gateway.sessions()
            wire.transport.write(b"".join(self.open(10, 2 * number + 1) for number in range(count)))
            self.network.clock.pump([0.05] * 10)
            self.assertEqual(session.ended.code if session.ended else None, code)
            wire.transport.abortConnection() if not wire.lost.called else None
            self.network.clock.pump([0.05] * 10)

    def test_nothing_comes_before_hello(self) -> None:
        """A packet, data, a ping or anything else before Hello ends the connection, however right it is otherwise."""
        handled: list = []
        self.bob.serve(handler=lambda request: handled.append(request) or ack())
        for early in (self.open(0), head(Kind.PING, 0, 8) + bytes(8), head(Kind.CREDIT, 1, 4) + bytes(4),
                      head(Kind.DATA, 1, 0), head(Kind.RESET, 1, 0)):  # fmt: skip
            wire = self.connect()
            wire.transport.write(early + self.hello())
            self.assertTrue(self.is_dropped(wire, 1), early[:8])
            self.assertTrue(b"bad-hello" in wire.received or b"malformed" in wire.received)
        self.assertEqual((handled, self.bob.gateway.sessions()), ([], []))
        self.assertTrue(self.works())

    def test_nothing_is_heard_after_an_error(self) -> None:
        """What follows a frame that ended the session is not looked at, though the connection takes a moment to end."""
        handled: list = []
        self.bob.serve(handler=lambda request: handled.append(request) or ack())
        for bad in (head(Kind.PING, 0, 9), head(Kind.DATA, 9, 3) + b"abc", b"\x7f" + bytes(7)):
            wire = self.connect()
            wire.transport.write(self.hello() + bad + self.open(0))
            self.network.clock.advance(0)  # what follows is a TLS record of its own, and on its way already
            wire.transport.write(self.open(0, 3))
            self.assertTrue(self.is_dropped(wire, 10))
        self.assertEqual(handled, [])
        self.assertTrue(self.works())

    def test_a_peer_that_asks_and_does_not_listen(self) -> None:
        """A peer that wants answers without end and reads none is dropped before they fill the memory."""
        for asked in (lambda number: head(Kind.PING, 0, 8) + bytes(8), lambda number: self.open(0, 2 * number + 1)):
            wire = self.connect()
            wire.transport.write(self.hello())
            self.network.clock.pump([0.05] * 10)
            (session,) = self.bob.gateway.sessions()
            wire.transport.pauseProducing()
            for burst in range(100):
                wire.transport.write(b"".join(asked(burst * 500 + number) for number in range(500)))
                self.network.clock.pump([1.0] * 2)
                if session.ended is not None:
                    break
            self.assertIsNotNone(session.ended)
            self.network.clock.pump([0.1] * 70)
            self.assertEqual(self.bob.gateway.connections(), [])
        self.assertTrue(self.works())

    def test_a_peer_that_asks_and_listens(self) -> None:
        """A stranger that pings without end and reads every answer is served, at the pace of strangers."""
        self.bob.limits()
        wire = self.connect()
        wire.transport.write(self.hello())
        wire.transport.write((head(Kind.PING, 0, 8) + bytes(8)) * 1000)
        self.network.clock.pump([0.05] * 20)
        (session,) = self.bob.gateway.sessions()
        for _ in range(5):
            wire.transport.write((head(Kind.PING, 0, 8) + bytes(8)) * 1000)
            self.network.clock.pump([0.05] * 20)
        early = wire.received.count(head(Kind.PONG, 0, 8))
        self.network.clock.pump([0.5] * 280)
        self.assertIsNone(session.ended)
        self.assertEqual(wire.received.count(head(Kind.PONG, 0, 8)), 6000)
        self.assertLess(early, 5000)

    def test_addresses_that_break_a_parser(self) -> None:
        """Whatever a peer tells for its addresses, who looks for it gets a session or an error, and no surprise."""
        alice, bob = self.mallory, self.bob
        bob.me.set_addresses(["tcp://host:²", "tcp://a..b:7", "", f"tcp://{'a' * 70}.org:1", "tcp://[::1", "x" * 200])
        alice.resolve(lambda _: self._address())
        for _ in range(2):
            sessions: list = []
            alice.gateway.session_to(bob.fingerprint).addCallback(sessions.append)
            self.network.clock.pump([0.05] * 300)
            self.assertEqual(len(sessions), 1)
            sessions[0].close("idle", "enough")
            self.network.clock.pump([0.05] * 20)

    @settings(max_examples=40, deadline=None)
    @given(st.lists(FRAMES | st.binary(max_size=40), max_size=12), st.booleans())
    def test_any_frames(self, said, proven) -> None:
        """Whatever a peer says in frames, before or after its Hello, a session goes on or ends; nothing else breaks."""
        wire = self.connect()
        parts = [one if isinstance(one, bytes) else head(one[0], one[1], len(one[2]), one[3]) + one[2] for one in said]
        wire.transport.write((self.hello() if proven else b"") + b"".join(parts))
        self.network.clock.pump([0.05] * 10)
        wire.transport.abortConnection() if not wire.lost.called else None
        self.network.clock.pump([0.05] * 10)
        self.assertEqual((self.bob.gateway.connections(), self.bob.gateway.inbox.packets()), ([], []))
        self.assertEqual(self.flushLoggedErrors(), [])

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
        handled: list = []
        self.bob.serve(handler=lambda request: handled.append(request) or ack())
        for changes in ({"creator": b"\5" * 32}, {"to": b"\6" * 32}, {}):
            self.assertEqual(handled, [])
            wire = self.connect()
            body = evolve(self._packet(0), **changes).to_bytes()
            wire.transport.write(self.hello() + head(Kind.OPEN, 1, len(body), True) + body)
            self.network.clock.pump([0.05] * 20)
            wire.transport.abortConnection() if not wire.lost.called else None
        self.assertEqual(len(handled), 1)

    def test_too_many_streams(self) -> None:
        """Of a peer that opens streams without end a few are worked on, the others are refused at once."""
        self.bob.limits()
        self.bob.serve(handler=lambda request: Deferred())
        wire = self.connect()
        wire.transport.write(self.hello())
        self.network.clock.pump([0.05] * 10)
        for number in range(600):
            body = self._packet(10).to_bytes()
            wire.transport.write(head(Kind.OPEN, 2 * number + 1, len(body), False) + body)
        self.network.clock.pump([0.05] * 20)
        (session,) = self.bob.gateway.sessions()
        self.assertEqual((len(session.streams()), len(self.bob.gateway.inbox.packets())), (4, 4))
        wire.transport.abortConnection()
        self.network.clock.pump([0.05] * 20)
        self.assertTrue(self.works())

    def test_answers_that_nobody_wanted(self) -> None:
        """The clocks of peers count by what they answer; an answer to nothing is no vote on the time."""
        wire = self.connect()
        body = evolve(self._packet(0), answers=bytes(16), command=Command.ACK, time=4_000_000_000_000).to_bytes()
        wire.transport.write(self.hello() + head(Kind.OPEN, 1, len(body), True) + body)
        self.network.clock.pump([0.05] * 10)
        (session,) = self.bob.gateway.sessions()
        self.assertIsNone(session.ahead)
        wire.transport.abortConnection()
        self.network.clock.pump([0.05] * 10)

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
        ends: list = []
        alice.gateway.on_session(lambda session, up: up or ends.append(session.ended.code))
        self.network.clock.pump([0.05] * 40)
        self.assertEqual(self.bob.gateway.sessions(), [])
        self.assertEqual(ends or [failure.code for failure in failures], ["revoked"])
