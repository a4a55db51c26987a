"""Programs that ask for long answers and read none of them: memory is bounded, and the owner is served."""

import tracemalloc
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from bitdust.api.methods import TABLE
from bitdust.budget import Budget
from bitdust.scopes.reservations import Resource, Scope
from bitdust.web.answers import EVERY, IDLE, PATIENCE, SHORT, Answers, Place
from bitdust.web.guard import Guard
from bitdust.web.server import rest_engine
from tests.api.fakes import FakeContext

MIB = 1024 * 1024
CLIENTS = 60
DATA = {"text": "x" * 60_000}
EVENTS = 40
MOST = 50 * MIB
"""The room for answers, one that is being made, and what its making needs. All of them together would be 144 MiB."""


class Deaf(StringTransport):
    """The connection of a program that reads nothing once it has read its first answer."""

    taken = 0
    ended = False

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.taken and self.producer is not None:
            self.producer.pauseProducing()

    def abortConnection(self) -> None:
        self.ended = True


class UnreadTests(SynchronousTestCase):
    """The engine of REST with connections in memory, which take what is written and pass nothing on."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.context = FakeContext(self.clock, self.mktemp())
        self.scope = Scope("program", "", {Resource.MEMORY: Budget().answers})
        guard = Guard(self.clock, b"s" * 32, list, list)
        self.engine = rest_engine(self.context, TABLE, guard, answers=Answers(self.clock, self.scope))

    def connect(self) -> tuple[Any, Deaf]:
        channel, transport = self.engine.buildProtocol(None), Deaf()
        channel.makeConnection(transport)
        return channel, transport

    def ask(self, channel: Any, path: str) -> None:
        channel.dataReceived(f"GET {path} HTTP/1.1\r\nHost: localhost\r\napi_secret: {'s' * 32}\r\n\r\n".encode())

    def test_long_answers_that_nobody_reads(self) -> None:
        """Sixty programs that ask for long answers and take none of them cost no more than the room for answers, and
        the owner is answered beside them at once."""
        clients = [self.connect() for _ in range(CLIENTS)]
        for number, (channel, transport) in enumerate(clients):
            self.ask(channel, f"/event/listen/c{number}/v1?timeout=0")
            self.clock.advance(0.01)
            transport.taken = len(transport.value())
        for _ in range(EVENTS):
            self.context.events.send("lamp", DATA)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for number, (channel, _) in enumerate(clients):
            self.ask(channel, f"/event/listen/c{number}/v1?timeout=0")
            self.clock.advance(0.01)
            self.check_owner()
        self.assertLess(tracemalloc.get_traced_memory()[1], MOST)
        self.assertGreater(self.scope.used[Resource.MEMORY], Budget().answers // 2)
        self.clock.advance(PATIENCE)
        self.assertGreater(self.scope.refused[Resource.MEMORY], 0)
        self.check_owner()
        for channel, _ in clients:
            channel.connectionLost(Failure(ConnectionDone()))
        self.clock.advance(EVERY)
        self.assertEqual((self.scope.used[Resource.MEMORY], self.clock.getDelayedCalls()), (0, []))

    def check_owner(self) -> None:
        channel, transport = self.connect()
        self.ask(channel, "/process/health/v1")
        self.assertIn(b'"status": "OK"', transport.value())
        channel.connectionLost(Failure(ConnectionDone()))


class LineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.scope = Scope("program", "", {Resource.MEMORY: 4 * MIB})
        self.answers = Answers(self.clock, self.scope)
        self.row = TABLE.named("files_list")
        self.cut: list[str] = []

    def tearDown(self) -> None:
        self.assertEqual(self.scope.used[Resource.MEMORY], 0)
        self.clock.advance(0)
        self.clock.advance(EVERY)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def full(self, name: str = "reader") -> Place:
        """An answer that takes all the room, and that its client does not take."""
        place = self.answers.before(self.row)
        assert place is not None
        self.assertIsNone(place.enter())

        def cut_off() -> None:
            self.cut.append(name)
            place.release()

        place.written(5 * MIB, cut_off)
        return place

    def wait(self) -> tuple[Place, list[object]]:
        place = self.answers.before(self.row)
        assert place is not None
        entering = place.enter()
        got: list[object] = []
        assert entering is not None
        entering.addCallbacks(got.append, lambda failure: got.append(failure.value.code))
        return place, got

    def test_a_call_waits_until_an_answer_was_taken(self) -> None:
        """Calls wait in their order, and are made one in a turn as room comes back; who goes is not waited for."""
        reader = self.full()
        (first, one), (gone, none), (second, two) = self.wait(), self.wait(), self.wait()
        self.answers.leave(gone)
        reader.release()
        self.assertEqual((one, two), ([], []))
        self.clock.advance(0)
        self.assertEqual((one, two), ([None], []))
        first.written(100, lambda: None)
        self.clock.advance(0)
        self.assertEqual((one, none, two), ([None], [], [None]))
        second.release()

    def test_who_takes_nothing_makes_way(self) -> None:
        """A client that takes nothing for ten seconds while others wait is cut off; one that takes a little is not, and
        who waits for half a minute is refused with `busy`, and counted."""
        reader = self.full()
        first, one = self.wait()
        for _ in range(int(PATIENCE) + 1):
            reader.progress()
            self.clock.advance(1.0)
        self.assertEqual((one, self.cut, self.scope.refused[Resource.MEMORY]), (["busy"], [], 1))
        second, two = self.wait()
        for _ in range(int(IDLE) + 2):
            self.clock.advance(1.0)
        self.assertEqual((two, self.cut), ([None], ["reader"]))
        first.release()
        second.release()

    def test_nobody_is_cut_off_while_nobody_waits(self) -> None:
        """A slow client disturbs nobody as long as there is room."""
        reader = self.full()
        self.clock.advance(100 * IDLE)
        self.assertEqual(self.cut, [])
        reader.release()

    def test_short_answers_never_wait(self) -> None:
        """What had short answers before is called at once, and so is what has never been asked."""
        reader = self.full()
        health = TABLE.named("process_health")
        sizes = [SHORT, 4 * MIB, *[100] * 6]
        waited = []
        for size in sizes:
            expected = self.answers.before(health)
            waited.append(expected is not None)
            place = self.answers.after(health, expected, size)
            if place is not None:
                place.written(size, lambda: None)
                place.release()
        self.assertEqual(waited, [False, False, *[True] * 6])
        self.assertIsNone(self.answers.before(health))
        reader.release()

    def test_what_must_wait_for_a_client(self) -> None:
        """Where more has to wait for a client, and there is no room, the one that was idle for longest goes."""
        first = self.full("first")
        self.clock.advance(1)
        second = self.answers.place()
        second.written(5 * MIB, lambda: self.cut.append("second"))
        self.answers.squeeze()
        self.answers.squeeze()
        self.assertEqual(self.cut, ["first", "second"])
        first.release()
        second.release()
