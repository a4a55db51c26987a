"""One contract for sessions with peers, kept over real sockets and over the network in memory alike."""

import os
from pathlib import Path

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from bitdust.transport.outbox import NoAnswer, PeerFailed
from bitdust.transport.streams import StreamReset
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from tests.unit.transport_kit import Loopback, Memory, Person

MB = 1_000_000
ECHO = {"kind": "echo"}


class SessionContract:
    """Each ``check_`` becomes a test of both networks."""

    async def two(self) -> tuple[Person, Person]:
        """Alice, and Bob who listens."""
        alice, bob = self.network.person("master", "alice"), self.network.person("other", "bob")
        await bob.gateway.listen(0)
        self.people += [alice, bob]
        alice.gateway.resolver = lambda fingerprint: self._found([self.address(bob)])
        return alice, bob

    def _found(self, addresses):
        deferred: Deferred = Deferred()
        deferred.callback(addresses)
        return deferred

    def address(self, person: Person) -> str:
        return f"tcp://{person.host}:{person.gateway.port()}"

    async def fails(self, kind, deferred) -> BaseException:
        try:
            await deferred
        except kind as error:
            return error
        raise AssertionError(f"it should have failed with {kind}")

    async def stop(self) -> None:
        for person in self.people:
            await person.gateway.stop()
        await self.network.pause(0.1)

    # who is who

    async def check_both_ends_are_proven(self) -> None:
        """After a dial each end knows the other's fingerprint, device and document."""
        alice, bob = await self.two()
        session = await alice.gateway.dial(self.address(bob), bob.fingerprint)
        self.assertEqual(session.peer.fingerprint, bob.fingerprint)
        self.assertEqual(session.peer.device, bob.me.device.id)
        await self.network.pause(0.05)
        (other,) = bob.gateway.sessions()
        self.assertEqual(other.peer.fingerprint, alice.fingerprint)
        self.assertEqual(bob.cache.get(alice.fingerprint).global_id, "alice@id.example")

    async def check_another_fingerprint_is_refused(self) -> None:
        """Whoever answers at an address but is not who was dialled gets nothing."""
        alice, bob = await self.two()
        error = await self.fails(BitDustError, alice.gateway.dial(self.address(bob), b"\1" * 32))
        self.assertIn(getattr(error, "code", ""), ("wrong-peer", "session-lost", "no-answer"))
        self.assertEqual(alice.gateway.sessions(), [])

    async def check_a_certificate_of_another_key_is_refused(self) -> None:
        """Somebody who shows Bob's document over a connection of his own key is not Bob."""
        alice, bob = await self.two()
        mallory = self.network.person("other", "mallory")
        await mallory.gateway.listen(0)
        self.people.append(mallory)
        mallory.gateway.my_hello = bob.gateway.my_hello
        await self.fails(BitDustError, alice.gateway.dial(self.address(mallory), bob.fingerprint))
        self.assertEqual(alice.gateway.sessions(), [])

    async def check_a_client_of_another_key_is_refused(self) -> None:
        """Somebody who dials Bob with Alice's document and a key of his own gets no session."""
        alice, bob = await self.two()
        mallory = self.network.person("master", "mallory")
        self.people.append(mallory)
        mallory.gateway.my_hello = alice.gateway.my_hello
        dialling = mallory.gateway.dial(self.address(bob), bob.fingerprint)
        dialling.addErrback(lambda _: None)
        await self.network.pause(0.3)
        self.assertEqual(bob.gateway.sessions(), [])

    async def check_nobody_there(self) -> None:
        """A dial where nobody listens fails with a word, and so does a packet to a peer without address."""
        alice, bob = await self.two()
        await self.fails(NoAnswer, alice.gateway.dial(f"tcp://{bob.host}:1", bob.fingerprint))
        alice.gateway.resolver = lambda fingerprint: self._found([])
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
        await self.network.pause(0.3)
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

            return request.payload.stream_to(write).addCallback(lambda size: self._ack())

        bob.serve(handler=slow)
        sending = alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, bytes(8 * MB), deadline=20)
        await begun
        await self.network.pause(0.3)
        (session,) = alice.gateway.sessions()
        self.assertLess(session.bytes_sent, 2 * MB)
        go_on.callback(None)
        await sending
        self.assertEqual(sum(got), 8 * MB)

    def _ack(self):
        from bitdust.transport.inbox import ack

        return ack()

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
        await self.network.pause(0.2)
        small = await alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, b"hello", deadline=5)
        self.assertEqual(bytes(small.payload), b"hello")

    # the end

    async def check_close_in_the_middle_fails_what_is_pending(self) -> None:
        """When the peer closes, every packet that waits for it fails at once."""
        alice, bob = await self.two()
        bob.serve(handler=lambda request: Deferred())
        sending = alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, b"x", deadline=60)
        await self.network.pause(0.2)
        await bob.gateway.stop()
        await self.fails((StreamReset, NoAnswer, BitDustError), sending)
        await self.network.pause(0.1)
        self.assertEqual(alice.gateway.sessions(), [])

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
        """A cancelled request is forgotten at both ends."""
        alice, bob = await self.two()
        bob.serve(handler=lambda request: Deferred())
        sending = alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, b"x", deadline=60)
        sending.addErrback(lambda _: None)
        await self.network.pause(0.2)
        sending.cancel()
        self.assertEqual(alice.gateway.outbox.packets(), [])

    async def check_both_dial_at_once(self) -> None:
        """Two who dial each other at the same moment end up with one session, and it works."""
        alice, bob = await self.two()
        await alice.gateway.listen(0)
        bob.gateway.resolver = lambda fingerprint: self._found([self.address(alice)])
        alice.serve()
        bob.serve()
        await gatherResults([
            alice.gateway.outbox.send(bob.fingerprint, Command.RETRIEVE, ECHO, b"1", deadline=10),
            bob.gateway.outbox.send(alice.fingerprint, Command.RETRIEVE, ECHO, b"2", deadline=10),
        ])  # fmt: skip
        await self.network.pause(0.5)
        self.assertEqual((len(alice.gateway.sessions()), len(bob.gateway.sessions())), (1, 1))


def both(kind):
    """Make ``test_`` of every ``check_``."""
    for name in dir(SessionContract):
        if name.startswith("check_"):
            check = getattr(SessionContract, name)

            def test(self, check=check):
                return self.run_check(check)

            test.__doc__ = check.__doc__
            setattr(kind, f"test_{name[6:]}", test)
    return kind


@both
class MemorySessionTests(SessionContract, SynchronousTestCase):
    """Over memory; time is moved by hand."""

    def run_check(self, check) -> None:
        self.people: list[Person] = []
        self.network = Memory(Path(self.mktemp()))
        self.network.run(Deferred.fromCoroutine(check(self)))
        self.network.run(Deferred.fromCoroutine(self.stop()))
        self.network.clock.pump([0.1] * 100)
        for person in self.people:
            person.registry.shutdown()
        self.assertEqual([call for call in self.network.clock.getDelayedCalls() if call.active()], [])

    def test_a_dead_session_is_found_out(self) -> None:
        """A peer whose host has died without a word is noticed by its silence, and what waits fails."""

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
            from twisted.internet.protocol import Factory, Protocol

            alice, bob = await self.two()
            host = self.network.network.host("10.9.9.9")
            for _ in range(30):
                connecting = host.client(bob.host, bob.gateway.port()).connect(Factory.forProtocol(Protocol))
                connecting.addErrback(lambda _: None)
            await self.network.pause(1)
            self.assertLessEqual(len(bob.gateway._unproven), 10)
            await self.network.pause(15)
            self.assertEqual(len(bob.gateway._unproven), 0)

        self.run_check(lambda _: check())


@both
class LoopbackSessionTests(SessionContract, TestCase):
    """Over real sockets on loopback."""

    timeout = 30

    def run_check(self, check) -> Deferred:
        self.people: list[Person] = []
        self.network = Loopback(Path(self.mktemp()))

        async def run() -> None:
            try:
                await Deferred.fromCoroutine(check(self))
            finally:
                await self.stop()
                for person in self.people:
                    person.registry.shutdown()

        return Deferred.fromCoroutine(run())


