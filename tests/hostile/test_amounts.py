"""What one stranger, one network, one peer may take of a node's sessions, memory and time."""

import contextlib
from pathlib import Path

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from bitdust.scopes.reservations import Resource, Role, TooMuch
from bitdust.transport.frames import Kind, head
from bitdust.wire.packet import Command, Packet
from bitdust.wire.table import Answer, Who
from tests.hostile.test_session import Wire
from tests.unit.transport_kit import Memory, Person

MB = 1024 * 1024


class Amounts(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = Memory(Path(self.mktemp()))
        self.bob = self.network.person("master", "bob")
        self.alice = self.network.person("other", "alice")
        self.mallory = self.network.person("third", "mallory")
        self.bob.limits()
        self.network.run(self.bob.gateway.listen(0))
        self.scopes = self.bob.gateway.scopes

    def tearDown(self) -> None:
        for person in (self.alice, self.bob, self.mallory):
            self.network.run(person.gateway.stop())
            person.registry.shutdown()

    def run_for(self, seconds: float, step: float = 0.05) -> None:
        self.network.clock.pump([step] * int(seconds / step))

    def dial(self, who: Person):
        return self.network.run(who.gateway.dial(self.bob.address(), self.bob.fingerprint))

    def used(self, resource: Resource, role: Role = Role.STRANGER) -> int:
        return self.scopes.roles[role].used[resource]

    def change(self, **changes) -> None:
        """The one row of the packet table is another one."""
        (row,) = self.bob.gateway.inbox.rows()
        self.bob.gateway.inbox.remove(row)
        self.bob.gateway.inbox.add(evolve(row, **changes))

    def send(self, who: Person, size: int, deadline: float = 600.0):
        sending = who.gateway.outbox.send(
            self.bob.fingerprint, Command.RETRIEVE, {"kind": "echo"}, bytes(size), deadline=deadline, max_answer=size
        )
        sending.addErrback(lambda _: None)
        return sending


class MemoryTests(Amounts):
    def hoard(self, who: Person, streams: int) -> None:
        self.bob.serve(handler=lambda request: request.payload.stream_to(lambda part: Deferred()))
        who.resolve(lambda _: Deferred())
        self.dial(who)
        for _ in range(streams):
            self.send(who, MB)

    def test_a_stranger_with_many_streams(self) -> None:
        """Of two hundred streams of a megabyte hardly more than one megabyte is in memory, and others are served."""
        self.hoard(self.mallory, 200)
        for _ in range(40):
            self.run_for(0.5)
            (session,) = self.bob.gateway.sessions()
            self.assertLess(session.reading.unread._size, 1.3 * MB)
        self.assertLessEqual(self.used(Resource.MEMORY), MB)

    def test_what_is_refused_is_dropped_at_once(self) -> None:
        """A peer that brings what nobody wants, and takes no refusal, keeps nothing here."""
        self.dial(self.mallory)
        (session,) = self.mallory.gateway.sessions()
        for _ in range(30):
            self.send(self.mallory, MB)
        session.link.pause_reading()
        self.run_for(20)
        (here,) = self.bob.gateway.sessions()
        self.assertEqual(here.reading.unread._size, 0)

    def test_what_is_refused_is_reset(self) -> None:
        """Whoever brings what nobody wants is told so at once, and sends no more of it."""
        session, reset = self.dial(self.mallory), []
        heard = session._handlers[Kind.RESET]
        session._handlers[Kind.RESET] = lambda *frame: (reset.append(frame[0]), heard(*frame))
        self.send(self.mallory, 50 * MB)
        self.run_for(2)
        self.assertEqual(len(reset), 1)
        self.assertLess(session.bytes_sent, 3 * MB)

    def test_payloads_that_are_gathered(self) -> None:
        """What a handler wants whole takes its memory before it comes: a stranger gathers four megabytes at most."""
        self.bob.serve(limit=4 * MB)
        self.change(gathers=True)
        self.dial(self.mallory)
        for _ in range(3):
            self.send(self.mallory, 3 * MB)
        self.run_for(10)
        strangers = self.scopes.roles[Role.STRANGER]
        self.assertEqual([len(data) for data in self.bob.served], [3 * MB])
        self.assertEqual((strangers.peak[Resource.PAYLOADS], strangers.used[Resource.PAYLOADS]), (3 * MB, 0))

    def test_a_stranger_that_was_called(self) -> None:
        """Whoever had this node call it asks for no more than others: it is no trouble to be called."""
        self.bob.serve(limit=4 * MB, handler=lambda request: request.payload.stream_to(lambda part: Deferred()))
        self.change(gathers=True)
        self.network.run(self.mallory.gateway.listen(0))
        self.network.run(self.bob.gateway.dial(self.mallory.address(), self.mallory.fingerprint))
        for _ in range(50):
            self.send(self.mallory, MB)
        self.run_for(5)
        for resource in (Resource.REQUESTS, Resource.STREAMS, Resource.PAYLOADS):
            limit = self.scopes.plan.peers[Role.STRANGER][resource]
            self.assertLessEqual(self.scopes.system.peak[resource], limit, resource)

    def test_memory_comes_back(self) -> None:
        """With the session all that it held is free, however it ends."""
        self.hoard(self.mallory, 20)
        self.run_for(5)
        self.assertGreater(self.used(Resource.MEMORY), 0)
        self.mallory.gateway.sessions()[0].abort()
        self.run_for(5)
        self.assertEqual([one for one in self.scopes.system.used.values() if one], [])

    def test_answers_that_nobody_takes(self) -> None:
        """Answers wait in memory for a stranger up to its share, then it is told busy; unread, they end in time."""
        self.bob.serve(handler=lambda request: Answer(Command.DATA, {"kind": "echo"}, bytes(400_000)))
        self.dial(self.mallory).link.pause_reading()
        for _ in range(8):
            self.send(self.mallory, 0)
        self.run_for(5)
        self.assertEqual(self.used(Resource.MEMORY), 800_000)
        self.run_for(100, 0.5)
        self.assertEqual(self.used(Resource.MEMORY), 0)

    def test_who_reads_nothing_for_a_minute(self) -> None:
        """A stranger that takes nothing of what was written is dropped after a minute, though it talks on."""
        self.bob.serve(handler=lambda request: Answer(Command.DATA, {"kind": "echo"}, bytes(900_000)))
        session = self.dial(self.mallory)
        session.silence = lambda: 0.0  # it minds nothing that it does not hear
        session.link.pause_reading()
        for _ in range(4):
            self.send(self.mallory, 0)
        for _ in range(20):
            session.send_ping()
            self.run_for(5)
        self.assertEqual(self.bob.gateway.sessions(), [])


class PlaceTests(Amounts):
    def knock(self, host: str):
        wires: list = []
        address = self.network.network.host(host).client(self.bob.host, self.bob.gateway.port())
        address.connect(Factory.forProtocol(Wire)).addCallbacks(wires.append, lambda _: None)
        return wires

    def test_silent_connections_keep_nobody_out(self) -> None:
        """Beside a hundred connections that say nothing, from as many networks, a newcomer is let in."""
        for number in range(130):
            self.knock(f"10.9.{number}.1")
            self.network.clock.advance(0.01)
        self.run_for(0.1)
        self.assertEqual(len(self.bob.gateway.connections()), 100)
        self.dial(self.alice)

    def test_handshakes_are_dear(self) -> None:
        """Connections that come faster than a network may shake hands are refused before TLS, and counted; the others
        are served."""
        for _ in range(100):
            self.knock("198.51.100.1")
            self.network.clock.advance(0.001)
        self.run_for(0.1)
        self.assertLessEqual(len(self.bob.gateway.connections()), 20)
        self.assertGreaterEqual(self.scopes.roles[Role.UNPROVEN].refused[Resource.CONNECTIONS], 80)
        self.dial(self.alice)

    def test_keys_are_cheap(self) -> None:
        """A thousand keys of one network take a few places, and neither strangers elsewhere nor customers lose one."""
        self.bob.limit(stranger=3)
        self.bob.know(Who.CUSTOMER, self.alice)
        self.dial(self.alice)
        held = [self.scopes.party(f"198.51.100.{number}") for number in range(200)]
        taken = 0
        for number, party in enumerate(held):
            try:
                party.prove(number.to_bytes(32, "big"))
                taken += 1
            except Exception:  # noqa: BLE001 - counted
                continue
        self.assertEqual(taken, 3)
        self.assertEqual(self.used(Resource.SESSIONS, Role.CUSTOMER), 1)
        self.assertEqual(len(self.bob.gateway.sessions()), 1)

    def test_keys_of_one_network(self) -> None:
        """They have an eighth of what all strangers have together; another network still has its own."""
        share = self.scopes.plan.network[Resource.SESSIONS]
        self.assertLessEqual(share * 8, self.scopes.plan.roles[Role.STRANGER][Resource.SESSIONS])
        taken = []
        for number in range(4 * share):
            party = self.scopes.party(f"198.51.100.{number % 250}")
            with contextlib.suppress(TooMuch):
                party.prove(number.to_bytes(32, "big"))
                taken.append(party)
        self.assertEqual(len(taken), share)
        self.scopes.party("203.0.113.1").prove(b"e" * 32)


class RequestTests(Amounts):
    def test_a_flood_of_requests_is_read_slowly(self) -> None:
        """A stranger's six hundred requests in a second are worked on at its pace; what is left waits on its side."""
        served: list = []
        self.bob.serve(handler=lambda request: served.append(1) or Answer(Command.ACK, {}))
        self.dial(self.mallory)
        for _ in range(600):
            self.send(self.mallory, 0, 60)
        self.run_for(10)
        self.assertLess(len(served), 500)
        self.bob.know(Who.CUSTOMER, self.alice)
        self.dial(self.alice)
        before = self.network.clock.seconds()
        self.network.run(self.send(self.alice, 0))
        self.assertLess(self.network.clock.seconds() - before, 0.1)

    def test_what_has_come_in_one_piece(self) -> None:
        """Hundreds of packets that one read of the line brings are worked on at the peer's pace as well."""
        served: list = []
        self.bob.serve(handler=lambda request: served.append(1) or Answer(Command.ACK, {}))
        mine, bob = self.mallory.fingerprint, self.bob.fingerprint
        body = Packet(Command.RETRIEVE, bytes(16), mine, mine, bob, 0, {"kind": "echo"}).to_bytes()
        opened = (head(Kind.OPEN, number, len(body), True) + body for number in range(1, 601, 2))
        self.dial(self.mallory).link.write(b"".join(opened))
        self.run_for(0.1, 0.01)
        self.assertLessEqual(len(served), 105)
        self.run_for(5)
        self.assertLess(len(served), 210)
        self.run_for(10)
        self.assertEqual(len(served), 300)
        (here,) = self.bob.gateway.sessions()
        self.assertEqual(here.reading.unread._size, 0)

    def test_what_is_dear_counts_more(self) -> None:
        """Of requests that cost ten times a ping a stranger makes a tenth."""
        served: list = []
        self.bob.serve(handler=lambda request: served.append(1) or Answer(Command.ACK, {}))
        self.change(cost=10.0)
        self.dial(self.mallory)
        for _ in range(60):
            self.send(self.mallory, 0, 60)
        self.run_for(1)
        self.assertLessEqual(len(served), 13)
        self.run_for(10)
        self.assertLess(len(served), 35)

    def test_what_is_dear_by_its_size(self) -> None:
        """What a payload costs is waited for when it was read: it comes at once, and what follows comes late."""
        self.bob.serve(limit=MB)
        self.change(gathers=True, cost_kib=1.0)
        self.dial(self.mallory)
        self.send(self.mallory, MB // 2)
        self.run_for(2)
        self.assertEqual(len(self.bob.served), 1)
        for _ in range(5):
            self.send(self.mallory, 100)
        self.run_for(10)
        self.assertLess(len(self.bob.served), 4)
        self.run_for(40)
        self.assertEqual(len(self.bob.served), 6)

    def test_frames_that_are_no_requests_count_too(self) -> None:
        """A megabyte of parts of one byte is read no faster for being no requests."""
        self.bob.serve()
        session = self.dial(self.mallory)
        session.write(Kind.PING, 0, bytes(8))
        (here,) = self.bob.gateway.sessions()
        before = here.bytes_received
        session.link.write((head(Kind.CREDIT, 99, 4) + bytes(4)) * 40_000)
        self.run_for(10)
        self.assertLess(here.bytes_received - before, 300_000)


