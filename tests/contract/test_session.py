"""One contract for sessions with peers, kept over real sockets and over the network in memory alike."""

import os
import socket
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from attrs import evolve
from OpenSSL import SSL, crypto
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase
from zope.interface import implementer

from bitdust.crypt.device import DeviceKey, tls_certificate
from bitdust.identity.document import Device
from bitdust.transport.frames import Kind, head
from bitdust.transport.links.tls import PROTOCOL, DeviceTLS, TLSFactory
from bitdust.transport.outbox import NoAnswer, PeerFailed
from bitdust.transport.streams import BytesSource, StreamReset
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import DeviceAddresses
from bitdust.wire.table import Who, ack
from tests.unit.transport_kit import Loopback, Memory, Person, Piped

MB = 1_000_000
ECHO = {"kind": "echo"}


class Wire(Protocol):
    """A peer that says what the test says."""

    def __init__(self) -> None:
        self.received = b""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - the interface's name
        self.received += data

    def connectionLost(self, reason=None) -> None:  # noqa: N802 - the interface's name
        self.lost = True


@implementer(IOpenSSLClientConnectionCreator)
class Foreign:
    """TLS that lacks one thing."""

    def __init__(self, device: DeviceKey, lacks: str) -> None:
        self._context = SSL.Context(SSL.TLS_METHOD)
        if lacks != "no-certificate":
            certificate, key = tls_certificate(device)
            self._context.use_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, certificate))
            self._context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, key))
        if lacks != "no-alpn":
            self._context.set_alpn_protos([PROTOCOL])
        if lacks == "tls-1.2":
            self._context.set_max_proto_version(SSL.TLS1_2_VERSION)

    def clientConnectionForTLS(self, protocol) -> SSL.Connection:  # noqa: N802 - the interface's name
        return SSL.Connection(self._context, None)


class Endless(BytesSource):
    """A payload of zeros that is never in memory as a whole."""

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, offset: int, length: int) -> bytes:
        return bytes(length)


class SessionContract:
    """Each ``check_`` becomes a test of both networks."""

    async def two(self) -> tuple[Person, Person]:
        """Alice, and Bob who listens."""
        alice, bob = self.network.person("master", "alice"), self.network.person("other", "bob")
        await bob.gateway.listen(0)
        self.people += [alice, bob]
        alice.resolve(lambda fingerprint: self._found([self.address(bob)]))
        return alice, bob

    def _found(self, addresses):
        deferred: Deferred = Deferred()
        deferred.callback(addresses)
        return deferred

    def address(self, person: Person) -> str:
        return person.address()

    async def fails(self, kind, deferred) -> BaseException:
        try:
            await deferred
        except kind as error:
            return error
        raise AssertionError(f"it should have failed with {kind}")

    async def until(self, condition) -> None:
        """Wait for something that comes sooner or later, however slow the machine is."""
        for _ in range(500):
            if condition():
                return
            await self.network.pause(0.02)
        raise AssertionError("it has not come")

    async def stop(self) -> None:
        for person in self.people:
            await person.gateway.stop()
        await self.until(lambda: not any(person.gateway.connections() for person in self.people))
        await self.network.pause(0.1)

    # who is who

    async def check_both_ends_are_proven(self) -> None:
        """After a dial each end knows the other's fingerprint, device and document."""
        alice, bob = await self.two()
        session = await alice.gateway.dial(self.address(bob), bob.fingerprint)
        self.assertEqual(session.peer.fingerprint, bob.fingerprint)
        self.assertEqual(session.peer.device, bob.me.device.id)
        await self.until(bob.gateway.sessions)
        (other,) = bob.gateway.sessions()
        self.assertEqual(other.peer.fingerprint, alice.fingerprint)
        self.assertEqual(bob.cache.get(alice.fingerprint).global_id, "alice@id.example")

    async def check_another_fingerprint_is_refused(self) -> None:
        """Whoever answers at an address but is not who was dialled gets nothing."""
        alice, bob = await self.two()
        error = await self.fails(BitDustError, alice.gateway.dial(self.address(bob), b"\1" * 32))
        self.assertEqual(error.code, "wrong-peer")
        await self.until(lambda: not alice.gateway.connections() and not bob.gateway.connections())
        self.assertEqual((alice.gateway.sessions(), bob.gateway.sessions()), ([], []))

    async def check_a_certificate_of_another_key_is_refused(self) -> None:
        """Somebody who shows Bob's document over a connection of his own key is not Bob."""
        alice, bob = await self.two()
        mallory = self.network.person("other", "mallory")
        await mallory.gateway.listen(0)
        self.people.append(mallory)
        for device in (bob.me.device, mallory.me.device):
            mallory.gateway.my_hello = lambda session, device=device: evolve(
                bob.gateway.my_hello(session), device=device.id, addresses=b""
            )
            error = await self.fails(BitDustError, alice.gateway.dial(self.address(mallory), bob.fingerprint))
            self.assertEqual(error.code, "wrong-peer")
            self.assertEqual(alice.gateway.sessions(), [])

    async def check_another_device_of_the_same_owner_is_refused(self) -> None:
        """A device that calls itself by the id of another one of its owner's is refused: it could take its place."""
        alice, bob = await self.two()
        other = DeviceKey.generate(os.urandom)
        document = bob.me.revise(devices=(*bob.me.document.devices, Device(1, 2, other.public)))
        real = bob.gateway.my_hello
        bob.gateway.my_hello = lambda session: evolve(
            real(session), identity=document.xml, device=other.id, addresses=b""
        )
        error = await self.fails(BitDustError, alice.gateway.dial(self.address(bob), bob.fingerprint))
        self.assertEqual((error.code, alice.gateway.sessions()), ("wrong-peer", []))
        bob.gateway.my_hello = lambda session: evolve(real(session), identity=document.xml)
        await alice.gateway.dial(self.address(bob), bob.fingerprint)

    async def check_two_documents_of_one_revision(self) -> None:
        """Of two documents of one revision one goes before the other; who shows that one may ask for anything."""
        alice, bob = await self.two()
        await alice.gateway.dial(self.address(bob), bob.fingerprint)
        await self.until(bob.gateway.sessions)
        twin = self.network.person("other", "twin")
        self.people.append(twin)
        await twin.gateway.listen(0)
        session = await alice.gateway.dial(self.address(twin), bob.fingerprint)
        self.assertEqual(session.stale, bob.me.document.goes_before(twin.me.document))
        kept = min(bob.me.document, twin.me.document, key=lambda document: document.canonical)
        self.assertEqual(alice.cache.get(bob.fingerprint), kept)

    async def check_a_client_of_another_key_is_refused(self) -> None:
        """Somebody who dials Bob with Alice's document and a key of his own gets no session."""
        alice, bob = await self.two()
        mallory = self.network.person("master", "mallory")
        self.people.append(mallory)
        mallory.gateway.my_hello = alice.gateway.my_hello
        heard: list = []
        mallory.gateway.on_session(lambda session, up: up or heard.append(session.ended.code))
        await mallory.gateway.dial(self.address(bob), bob.fingerprint)
        await self.until(lambda: heard and not bob.gateway.connections())
        self.assertEqual((bob.gateway.sessions(), mallory.gateway.sessions(), heard), ([], [], ["wrong-peer"]))

    async def check_a_forged_document_is_refused(self) -> None:
        """A document whose text was changed after it was signed proves nobody."""
        alice, bob = await self.two()
        real = bob.gateway.my_hello
        bob.gateway.my_hello = lambda session: evolve(
            real(session), identity=real(session).identity.replace(b"<revision>1<", b"<revision>2<")
        )
        error = await self.fails(BitDustError, alice.gateway.dial(self.address(bob), None))
        self.assertEqual(error.code, "bad-signature")
        self.assertEqual((alice.gateway.sessions(), alice.cache.all()), ([], []))

    async def check_addresses_of_another_are_refused(self) -> None:
        """Addresses that another device has signed, or that are not this device's, end the session before it begins."""
        alice, bob = await self.two()
        real = bob.gateway.my_hello
        mine, body = bob.me.device, DeviceAddresses.from_body(bob.me.addresses_record().body)
        body = evolve(body, addresses=["tcp://10.6.6.6:666"])
        forged = {"bad-signature": (alice.me.device, body), "bad-hello": (mine, evolve(body, owner=alice.fingerprint))}
        forged |= {"bad-hello ": (mine, evolve(body, device=alice.me.device.id))}
        for code, (key, record) in forged.items():
            signed = evolve(key.sign_record(record.KIND, record.to_body()), device=mine.id).to_bytes()
            bob.gateway.my_hello = lambda session, signed=signed: evolve(real(session), addresses=signed)
            error = await self.fails(BitDustError, alice.gateway.dial(self.address(bob), bob.fingerprint))
            self.assertEqual(error.code, code.strip())
            self.assertEqual(alice.gateway.known_addresses(bob.fingerprint), [])

    async def check_other_kinds_of_tls_are_refused(self) -> None:
        """Without a certificate, without the protocol's name or with TLS 1.2 nobody gets a session."""
        alice, bob = await self.two()
        for kind in ("no-certificate", "no-alpn", "tls-1.2"):
            wire = await self.wire(bob, Foreign(alice.me.device, kind))
            wire.transport.write(self.hello(alice))
            await self.until(lambda wire=wire: wire.lost and not bob.gateway.connections())
            self.assertEqual((kind, wire.lost, bob.gateway.sessions()), (kind, True, []))
            self.assertTrue(b"bad-version" in wire.received if kind == "no-alpn" else wire.received == b"")
        await alice.gateway.dial(self.address(bob), bob.fingerprint)

    async def wire(self, person: Person, tls: Any) -> Wire:
        """A bare connection to somebody, with this TLS."""
        factory = TLSFactory(tls, True, Factory.forProtocol(Wire), person.world.clock)
        return (await self.network.connect(person, factory)).wrappedProtocol

    def hello(self, person: Person) -> bytes:
        body = person.gateway.my_hello(SimpleNamespace(claim=None)).to_bytes()
        return head(Kind.HELLO, 0, len(body)) + body

    async def check_nobody_there(self) -> None:
        """A dial where nobody listens fails with a word, and so does a packet to a peer without address."""
        alice, bob = await self.two()
        await self.fails(NoAnswer, alice.gateway.dial(bob.address(1), bob.fingerprint))
        alice.resolve(lambda fingerprint: self._found([]))
        await self.fails(NoAnswer, alice.gateway.outbox.send(b"\2" * 32, Command.RETRIEVE, ECHO, deadline=5))

    # packets and streams

    async def check_packets_and_streams_are_whole(self) -> None:
        """Payloads from nothing to some megabytes, many at once, come over and back as they were."""
        alice, bob = await self.two()
        bob.serve()
        datas = [os.urandom(size) for size in (0, 1, 255, 65_536, MB, 3 * MB, 10, 100_000)]
        replies = await gatherResults(
            [alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, data, deadline=20, max_answer=4 * MB)
             for data in datas]
        )  # fmt: skip
        self.assertEqual([bytes(reply.payload) for reply in replies], datas)
        self.assertEqual(len(alice.gateway.sessions()), 1)

    async def check_lists_in_the_middle(self) -> None:
        """Packets and connections read in the middle of a transfer show it."""
        alice, bob = await self.two()
        waiting: Deferred = Deferred()
        bob.serve(handler=lambda request: waiting)
        sending = alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, b"x" * 1000, deadline=20)
        await self.until(bob.gateway.inbox.packets)
        (packet,) = alice.gateway.outbox.packets()
        self.assertEqual((packet["command"], packet["direction"]), ("Retrieve", "outgoing"))
        (packet,) = bob.gateway.inbox.packets()
        self.assertEqual(packet["direction"], "incoming")
        (connection,) = alice.gateway.connections()
        self.assertEqual((connection["state"], connection["status"]), ("CONNECTED", "active"))
        self.assertGreater(connection["bytes_sent"], 0)
        waiting.errback(BitDustError("busy", "not now"))
        error = await self.fails(PeerFailed, sending)
        self.assertEqual(error.code, "busy")
        self.assertEqual((alice.gateway.outbox.packets(), bob.gateway.inbox.packets()), ([], []))

    async def check_a_stalled_reader_holds_the_writer_back(self) -> None:
        """What is sent to a reader that takes nothing stays within the window; when it reads, all of it comes."""
        alice, bob = await self.two()
        begun: Deferred = Deferred()
        go_on: Deferred = Deferred()
        got: list[int] = []

        def slow(request):
            def write(part):
                got.append(len(part))
                if len(got) == 1:
                    begun.callback(None)
                    return go_on
                return None

            return request.payload.stream_to(write).addCallback(lambda size: ack())

        bob.serve(handler=slow)
        sending = alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, bytes(8 * MB), deadline=20)
        await begun
        await self.network.pause(0.3)
        (session,), (other,) = alice.gateway.sessions(), bob.gateway.sessions()
        self.assertLess(session.bytes_sent, 2 * MB)
        self.assertLess(other.bytes_received, 2 * MB)
        go_on.callback(None)
        await sending
        self.assertEqual(sum(got), 8 * MB)

    async def check_a_stalled_socket_holds_the_writer_back(self) -> None:
        """To a peer that reads nothing at all, no more is written than sockets hold; when it reads, all of it comes."""
        alice, bob = await self.two()
        bob.serve(handler=lambda request: request.payload.read_all(MB).addCallback(lambda data: ack(size=len(data))))
        session = await alice.gateway.dial(self.address(bob), bob.fingerprint)
        await self.until(bob.gateway.sessions)
        (other,) = bob.gateway.sessions()
        other.link.pause_reading()
        send = partial(alice.gateway.outbox.send, bob.fingerprint, Command.RETRIEVE, ECHO, deadline=60)
        sending = [send(bytes(MB)) for _ in range(30)]
        await self.network.pause(0.5)
        self.assertLess(session.bytes_sent, 20 * MB)
        self.assertEqual(bob.gateway.inbox.packets(), [])
        other.link.resume_reading()
        replies = await gatherResults(sending)
        self.assertEqual([reply.fields["size"] for reply in replies], [MB] * 30)

    async def check_a_small_packet_passes_a_large_one(self) -> None:
        """While a payload of megabytes is stalled, other packets of the same session go through."""
        alice, bob = await self.two()
        never: Deferred = Deferred()
        bob.serve("stall", lambda request: request.payload.stream_to(lambda part: never))
        bob.serve()
        large = alice.gateway.outbox.send(
            bob.fingerprint, Command.RETRIEVE, {"kind": "stall"}, bytes(4 * MB), deadline=20
        )
        large.addErrback(lambda _: None)
        await self.until(bob.gateway.inbox.packets)
        small = await alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, b"hello", deadline=5)
        self.assertEqual(bytes(small.payload), b"hello")

    # the end

    async def check_close_in_the_middle_fails_what_is_pending(self) -> None:
        """When the peer closes, every packet that waits for it fails at once."""
        alice, bob = await self.two()
        bob.serve(handler=lambda request: Deferred())
        sending = alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, b"x", deadline=60)
        await self.until(bob.gateway.inbox.packets)
        await bob.gateway.stop()
        error = await self.fails(StreamReset, sending)
        self.assertEqual(error.code, "stopping")
        await self.until(lambda: not alice.gateway.connections())
        self.assertEqual(alice.gateway.sessions(), [])

    async def check_a_break_in_the_middle_of_a_stream(self) -> None:
        """When the connection breaks half way through a payload, its sender and its reader both fail, and at once."""
        alice, bob = await self.two()
        reading: list = []
        half: Deferred = Deferred()

        def handler(request):
            def write(part) -> None:
                if request.payload.received > MB and not half.called:
                    half.callback(None)

            reading.append(request.payload.stream_to(write))
            return Deferred()

        bob.serve(handler=handler)
        sending = alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, Endless(8 * MB), deadline=60)
        await half
        (session,) = alice.gateway.sessions()
        session.link.abort()
        await self.fails(StreamReset, sending)
        await self.fails(StreamReset, reading[0])
        await self.until(lambda: not bob.gateway.connections())
        self.assertEqual((bob.gateway.sessions(), bob.gateway.inbox.packets()), ([], []))

    async def check_a_peer_that_comes_back(self) -> None:
        """After a session has ended, whoever ended it, the next packet dials anew, also where the peer is now."""
        alice, bob = await self.two()
        bob.serve()
        for end in ("alice", "bob", "break", "bob stops"):
            await alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, b"", deadline=5)
            (session,), (other,) = alice.gateway.sessions(), bob.gateway.sessions()
            if end == "bob stops":
                await bob.gateway.stop()
            elif end == "break":
                session.link.abort()
            else:
                {"alice": session, "bob": other}[end].close("idle", "enough")
            await self.until(lambda: not alice.gateway.connections() and not bob.gateway.connections())
            self.assertEqual((alice.gateway.sessions(), bob.gateway.sessions()), ([], []))
        await self.fails(NoAnswer, alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, b"", deadline=5))
        await bob.gateway.listen(0)
        alice.resolve(lambda fingerprint: self._found([self.address(bob)]))
        await alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, b"", deadline=5)

    async def check_a_silent_peer_is_given_up(self) -> None:
        """A peer of whom nothing is heard is asked, given up after 45 seconds, and what waits for it fails then."""
        alice, bob = await self.two()
        bob.serve(handler=lambda request: Deferred())
        sending = alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, b"", deadline=1000)
        await self.until(bob.gateway.inbox.packets)
        self.network.mute(bob)
        await self.network.skip(alice, 21)
        await self.network.skip(alice, 20)
        self.assertEqual(len(alice.gateway.sessions()), 1)
        await self.network.skip(alice, 20)
        self.assertEqual(alice.gateway.sessions(), [])
        error = await self.fails(StreamReset, sending)
        self.assertEqual(error.code, "no-answer")

    async def check_a_quiet_peer_is_kept(self) -> None:
        """A session over which nobody has anything to say lives on by its pings."""
        alice, bob = await self.two()
        session = await alice.gateway.dial(self.address(bob), bob.fingerprint)
        sent = session.bytes_sent
        for _ in range(8):
            await self.network.skip(alice, 20)
            await self.until(lambda: session.silence() < 15)
        self.assertEqual((alice.gateway.sessions(), len(bob.gateway.sessions())), ([session], 1))
        self.assertTrue(0 < session.bytes_sent - sent < 1000)

    # limits

    async def check_frames_have_limits(self) -> None:
        """A frame larger than its kind may be is refused by its head, with a word; others are served."""
        alice, bob = await self.two()
        mallory = self.network.person("third", "mallory")
        self.people.append(mallory)
        for frame in (head(Kind.DATA, 1, 256 * 1024 + 1), head(Kind.OPEN, 1, 16 * 1024 + 1), head(Kind.PING, 0, 9),
                      head(Kind.HELLO, 0, 64 * 1024 + 1)):  # fmt: skip
            wire = await self.wire(bob, DeviceTLS(mallory.me.device))
            wire.transport.write(self.hello(mallory) + frame)
            await self.until(lambda wire=wire: wire.lost and not bob.gateway.connections())
            self.assertIn(b"too-large", wire.received)
            self.assertEqual((wire.lost, bob.gateway.sessions()), (True, []))
        await alice.gateway.dial(self.address(bob), bob.fingerprint)

    async def check_there_are_not_too_many_sessions(self) -> None:
        """When there are as many sessions as there may be, one more peer is refused until one ends."""
        alice, bob = await self.two()
        bob.limit(system=1)
        bob.know(Who.CUSTOMER, alice)
        carol = self.network.person("third", "carol")
        self.people.append(carol)
        session = await alice.gateway.dial(self.address(bob), bob.fingerprint)
        await self.until(bob.gateway.sessions)
        await self.fails(BitDustError, carol.gateway.dial(self.address(bob), bob.fingerprint))
        self.assertEqual(len(bob.gateway.sessions()), 1)
        session.close("idle", "enough")
        await self.until(lambda: not bob.gateway.connections())
        await carol.gateway.dial(self.address(bob), bob.fingerprint)
        await self.until(bob.gateway.sessions)
        self.assertEqual([one.peer.fingerprint for one in bob.gateway.sessions()], [carol.fingerprint])

    async def check_an_unknown_command_is_answered(self) -> None:
        """A packet that no service knows gets Fail with a code, and the session lives on."""
        alice, bob = await self.two()
        bob.serve()
        error = await self.fails(
            PeerFailed, alice.gateway.outbox.send(bob.fingerprint, Command.LIST_FILES, {}, deadline=5)
        )
        self.assertEqual(error.code, "unknown-command")
        await alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, b"", deadline=5)

    async def check_a_broken_handler_is_answered(self) -> None:
        """A handler that raises gets the sender a Fail, not silence."""
        alice, bob = await self.two()
        bob.serve(handler=lambda request: 1 / 0)
        error = await self.fails(
            PeerFailed, alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, b"", deadline=5)
        )
        self.assertEqual(error.code, "internal")
        self.flushLoggedErrors(ZeroDivisionError)

    async def check_too_much_for_a_row_is_refused(self) -> None:
        """A payload over its row's limit is refused before it is sent over."""
        alice, bob = await self.two()
        bob.serve(limit=1000)
        await self.fails(
            BitDustError, alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, bytes(2 * MB), deadline=5)
        )
        self.assertEqual(bob.served, [])

    async def check_a_request_can_be_taken_back(self) -> None:
        """A cancelled request is forgotten at once where it was made."""
        alice, bob = await self.two()
        bob.serve(handler=lambda request: Deferred())
        sending = alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, b"x", deadline=60)
        sending.addErrback(lambda _: None)
        await self.until(bob.gateway.inbox.packets)
        sending.cancel()
        self.assertEqual(alice.gateway.outbox.packets(), [])

    async def check_both_dial_at_once(self) -> None:
        """Two who dial each other at the same moment end up with one session, and it works."""
        alice, bob = await self.two()
        await alice.gateway.listen(0)
        bob.resolve(lambda fingerprint: self._found([self.address(alice)]))
        alice.serve()
        bob.serve()
        await gatherResults([
            alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, b"1", deadline=10),
            bob.gateway.outbox.send(alice.fingerprint, Command.RETRIEVE, ECHO, b"2", deadline=10),
        ])  # fmt: skip
        await self.until(lambda: len(alice.gateway.connections()) == len(bob.gateway.connections()) == 1)
        self.assertEqual((len(alice.gateway.sessions()), len(bob.gateway.sessions())), (1, 1))


OF_TLS = ("check_other_kinds_of_tls_are_refused", "check_frames_have_limits")


def every(kind, without: tuple[str, ...] = ()):
    """Make ``test_`` of every ``check_`` but those."""
    for name in dir(SessionContract):
        if name.startswith("check_") and name not in without:
            check = getattr(SessionContract, name)

            def test(self, check=check):
                return self.run_check(check)

            test.__doc__ = check.__doc__
            setattr(kind, f"test_{name[6:]}", test)
    return kind


class MemoryCase(SynchronousTestCase):
    """Time is moved by hand."""

    new_network = Memory

    def run_check(self, check) -> None:
        self.people: list[Person] = []
        self.network = self.new_network(Path(self.mktemp()))
        self.network.run(Deferred.fromCoroutine(check(self)))
        self.network.run(Deferred.fromCoroutine(self.stop()))
        self.network.clock.pump([0.1] * 100)
        for person in self.people:
            person.registry.shutdown()
        self.assertEqual([call for call in self.network.clock.getDelayedCalls() if call.active()], [])


@every
class MemorySessionTests(SessionContract, MemoryCase):
    """Over a network in memory, with TCP and TLS."""

    def test_a_dead_host_is_found_out(self) -> None:
        """A peer whose host has died without a word is noticed by its silence."""

        async def check() -> None:
            alice, bob = await self.two()
            await alice.gateway.dial(self.address(bob), bob.fingerprint)
            self.network.network.host(bob.host).die()
            await self.network.pause(120)
            self.assertEqual(alice.gateway.sessions(), [])

        self.run_check(lambda _: check())

    def test_a_silent_peer_costs_a_deadline(self) -> None:
        """Without a byte moving for its deadline a request fails, and says after how long."""

        async def check() -> None:
            alice, bob = await self.two()
            bob.serve(handler=lambda request: Deferred())
            before = self.network.clock.seconds()
            error = await self.fails(
                NoAnswer, alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, b"x", deadline=7)
            )
            self.assertIn("7 seconds", str(error))
            self.assertLess(self.network.clock.seconds() - before, 9)

        self.run_check(lambda _: check())

    def test_half_open_connections_end(self) -> None:
        """A connection that never says hello is dropped after ten seconds, and only ten of a host are held."""

        async def check() -> None:
            alice, bob = await self.two()
            host = self.network.network.host("10.9.9.9")
            for _ in range(30):
                connecting = host.client(bob.host, bob.gateway.port()).connect(Factory.forProtocol(Protocol))
                connecting.addErrback(lambda _: None)
            await self.network.pause(1)
            self.assertEqual(len(bob.gateway._sessions.incoming()), 10)
            await self.network.pause(15)
            self.assertEqual(len(bob.gateway._sessions.incoming()), 0)

        self.run_check(lambda _: check())


class PipedSessionTests(SessionContract, MemoryCase):
    """Over pipes: what is promised of sessions does not depend on TCP, nor on TLS."""

    new_network = Piped


every(PipedSessionTests, OF_TLS)


class LoopbackCase(TestCase):
    """Over real sockets on loopback."""

    timeout = 120
    host = "127.0.0.1"

    def run_check(self, check) -> Deferred:
        self.people: list[Person] = []
        self.network = Loopback(Path(self.mktemp()), self.host)

        async def run() -> None:
            try:
                await Deferred.fromCoroutine(check(self))
            finally:
                await self.stop()
                for person in self.people:
                    person.registry.shutdown()

        return Deferred.fromCoroutine(run())


@every
class LoopbackSessionTests(SessionContract, LoopbackCase):
    """Over IPv4."""


class SixSessionTests(SessionContract, LoopbackCase):
    """Over IPv6: what is peculiar to it is addresses."""

    host = "::1"

    def setUp(self) -> None:
        with socket.socket(socket.AF_INET6) as probe:
            try:
                probe.bind(("::1", 0))
            except OSError as error:
                raise SkipTest("this machine has no IPv6") from error

    def test_who_is_who(self) -> None:
        """Both ends are proven, and show the address with its brackets."""

        async def check() -> None:
            await self.check_both_ends_are_proven()
            alice, bob = self.people
            self.assertEqual(self.address(bob), f"tcp://[::1]:{bob.gateway.port()}")
            self.assertEqual(bob.gateway.addresses(), [self.address(bob)])
            self.assertEqual(alice.gateway.connections()[0]["host"], f"[::1]:{bob.gateway.port()}")

        return self.run_check(lambda _: check())

    def test_back_and_forth(self) -> None:
        """Two who dial each other at the same moment end up with one session."""
        return self.run_check(SessionContract.check_both_dial_at_once)

    def test_a_peer_that_comes_back(self) -> None:
        """A peer is found again where it is now."""
        return self.run_check(SessionContract.check_a_peer_that_comes_back)

    def test_both_families(self) -> None:
        """Where no interface is named a node listens under one port for both families."""

        async def check() -> None:
            alice, bob = self.network.person("master", "alice"), self.network.person("other", "bob")
            self.people += [alice, bob]
            bob.settings.values["services/network/interface"] = ""
            port = await bob.gateway.listen(0)
            for host in ("127.0.0.1", "[::1]", "localhost"):
                session = await alice.gateway.dial(f"tcp://{host}:{port}", bob.fingerprint)
                self.assertEqual(session.peer.fingerprint, bob.fingerprint)

        return self.run_check(lambda _: check())
