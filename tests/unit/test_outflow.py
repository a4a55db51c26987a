"""What a WebSocket client is still to get: order, gaps, and what a client costs that does not read."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust import events as events_module
from bitdust.api.arguments import BadArgument
from bitdust.events import Events
from bitdust.web import outflow as module
from bitdust.web.answers import Answers
from bitdust.web.outflow import STALLED, TOO_SLOW, Outflow, event_message
from bitdust.web.patterns import chosen


class FakeWire:
    """Takes so many messages as there is room for, and then asks for a pause, as a transport does."""

    def __init__(self, room: int = 1 << 60) -> None:
        self.room = room
        self.sent: list[dict[str, Any]] = []
        self.reading: list[bool] = []
        self.ended: tuple[int, str] | None = None
        self.outflow: Outflow

    def write(self, data: bytes) -> None:
        self.sent.append(json.loads(data))
        self.room -= 1
        if self.room == 0:
            self.outflow.pause()

    def make_room(self, room: int) -> None:
        self.room = room
        self.outflow.go_on()

    def read_on(self, on: bool) -> None:
        self.reading.append(on)

    def end(self, code: int, reason: str) -> None:
        self.ended = (code, reason)


class OutflowTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.events = Events(self.clock, lambda: 5.0, run="now")
        self.clients: list[FakeWire] = []
        self.events.subscribe(self.broadcast)

    def broadcast(self, event: Any) -> None:
        for client in self.clients:
            client.outflow.put_event(event, event_message(event, self.events.run))

    def client(self, room: int = 1 << 60) -> FakeWire:
        wire = FakeWire(room)
        wire.outflow = Outflow(self.clock, self.events, wire, Answers.alone(self.clock))
        self.clients.append(wire)
        return wire

    def tearDown(self) -> None:
        for client in self.clients:
            client.outflow.stop()
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def send(self, count: int, name: str = "x") -> None:
        for _ in range(count):
            self.events.send(name)
        self.clock.advance(0)

    def numbers(self, client: FakeWire) -> list[int]:
        return [message["payload"]["seq"] for message in client.sent if message["type"] == "event"]

    def gaps(self, client: FakeWire) -> list[dict[str, Any]]:
        return [message["payload"] for message in client.sent if message["type"] == "gap"]


class OrderTests(OutflowTestCase):
    def test_events_carry_number_and_run(self) -> None:
        """Every event says which one of which run it is."""
        client = self.client()
        self.send(1)
        payload = {"event_id": "x", "data": {}, "seq": 1, "run": "now", "time": 5.0}
        self.assertEqual(client.sent, [{"type": "event", "payload": payload}])

    def test_what_was_before_is_not_sent(self) -> None:
        """A client that asks for nothing gets what happens from now on."""
        self.send(3)
        client = self.client()
        self.send(2)
        self.assertEqual(self.numbers(client), [4, 5])

    def test_pause_and_go_on(self) -> None:
        """Where the transport is full nothing is sent; afterwards everything comes, in order, once."""
        client = self.client(room=2)
        self.send(7)
        self.assertEqual(self.numbers(client), [1, 2])
        client.make_room(3)
        self.clock.advance(0)
        self.send(2)
        client.make_room(1 << 60)
        self.clock.advance(0)
        self.assertEqual(self.numbers(client), list(range(1, 10)))
        self.assertEqual((client.reading[0], client.reading[-1]), (False, True))

    def test_answers_keep_their_order(self) -> None:
        """Answers that waited come in the order in which they were given, and before later events."""
        client = self.client(room=1)
        for number in range(5):
            client.outflow.put(b'{"type": "answer", "payload": %d}' % number)
        self.send(1)
        client.make_room(1 << 60)
        self.clock.advance(0)
        self.assertEqual([message["payload"] for message in client.sent[:5]], list(range(5)))
        self.assertEqual(self.numbers(client), [1])

    def test_many_made_as_there_is_room(self) -> None:
        """Messages that are made one by one are not made before there is room for them."""
        client = self.client(room=3)
        made: list[int] = []

        def make() -> Any:
            for number in range(1000):
                made.append(number)
                yield b'{"type": "n", "payload": %d}' % number

        client.outflow.put_many(make(), 1000)
        client.outflow.put(b'{"type": "last"}')
        self.clock.advance(0)
        self.assertEqual(made, [0, 1, 2])
        client.make_room(1 << 60)
        self.clock.advance(0)
        self.assertEqual((len(client.sent), client.sent[-1]["type"]), (1001, "last"))

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from("sprw"), st.integers(1, 60)), max_size=40), st.booleans())
    def test_whatever_happens(self, steps: list[tuple[str, int]], small: bool) -> None:
        """Sent, paused and resumed in any order: every event comes once and in order, or lies in a gap that is told."""
        self.patch(events_module, "MAX_KEPT", 40 if small else 10_000)
        events = Events(self.clock, lambda: 5.0, run="now")
        self.events, client = events, FakeWire()
        client.outflow = Outflow(self.clock, events, client, Answers.alone(self.clock))
        self.clients = [client]
        events.subscribe(self.broadcast)
        for what, number in steps:
            if what == "s":
                for _ in range(number):
                    events.send("x")
            elif what == "w":
                self.clock.advance(0)
            elif what == "p":
                client.outflow.pause()
            else:
                client.make_room(number)
        client.make_room(1 << 60)
        self.clock.advance(0)
        expected = 1
        for message in client.sent:
            payload = message["payload"]
            if message["type"] == "gap":
                self.assertEqual((payload["from"], payload["next"]), (expected, payload["to"] + 1))
                expected = payload["next"]
            else:
                self.assertEqual(payload["seq"], expected)
                expected += 1
        self.assertEqual(expected, events.last + 1)
        self.assertTrue(small or not self.gaps(client))


class ResumeTests(OutflowTestCase):
    def test_what_was_missed(self) -> None:
        """A client that comes back gets what came after its last event, then what is new."""
        self.send(250)
        client = self.client()
        self.assertEqual(client.outflow.resume("now", 5), 0)
        self.send(1)
        self.assertEqual((self.numbers(client), self.gaps(client)), (list(range(6, 252)), []))

    def test_forgotten(self) -> None:
        """What the history does not hold any more is named, before what it still holds."""
        self.patch(events_module, "MAX_KEPT", 10)
        self.send(30)
        client = self.client()
        self.assertEqual(client.outflow.resume("now", 5), 15)
        self.clock.advance(0)
        self.assertEqual(client.sent[0]["type"], "gap")
        self.assertEqual(self.gaps(client), [{"reason": "forgotten", "run": "now", "from": 6, "to": 20, "next": 21}])
        self.assertEqual(self.numbers(client), list(range(21, 31)))

    def test_another_run(self) -> None:
        """A number of another run is never taken for one of this run: its rest is a gap, and this run comes whole."""
        self.send(3)
        for run, after in (("before", 2), ("before", 10**9), ("now", 4)):
            client = self.client()
            client.outflow.resume(run, after)
            self.clock.advance(0)
            gap = {"reason": "restarted", "run": run, "from": after + 1, "to": None, "next": 1}
            self.assertEqual((self.gaps(client), self.numbers(client)), ([gap], [1, 2, 3]))

    def test_nothing_missed(self) -> None:
        """Who has seen everything gets nothing again."""
        self.send(3)
        client = self.client()
        client.outflow.resume("now", 3)
        self.clock.advance(0)
        self.assertEqual(client.sent, [])

    def test_only_what_is_wanted(self) -> None:
        """What is sent again is narrowed as everything else is."""
        self.send(2, "a")
        self.send(2, "b")
        client = self.client()
        client.outflow.choose(chosen(["b"]))
        client.outflow.resume("now", 0)
        self.send(1, "a")
        self.assertEqual(self.numbers(client), [3, 4])


class SlowClientTests(OutflowTestCase):
    def test_events_cost_nothing(self) -> None:
        """A client that never reads keeps no events waiting; another gets all 50,000 of them."""
        slow, fast = self.client(room=1), self.client()
        for _ in range(500):
            self.send(100)
            self.assertEqual(slow.outflow.waiting, (0, 0))
        self.assertEqual(self.numbers(fast), list(range(1, 50_001)))
        self.assertEqual(self.numbers(slow), [1])
        slow.make_room(1 << 60)
        self.clock.advance(0)
        self.assertEqual([(gap["from"], gap["to"]) for gap in self.gaps(slow)], [(2, 40_000)])
        self.assertEqual(self.numbers(slow)[1:], list(range(40_001, 50_001)))

    def test_nothing_read_for_a_minute(self) -> None:
        """A client that takes nothing is closed with a code that says so; reading in between saves it."""
        client = self.client(room=1)
        self.send(5)
        self.clock.advance(STALLED - 1)
        client.make_room(1)
        self.clock.advance(STALLED - 1)
        self.assertIsNone(client.ended)
        self.clock.advance(1)
        assert client.ended is not None
        self.assertEqual(client.ended[0], TOO_SLOW)
        self.assertIn("nothing was read", client.ended[1])
        client.outflow.put(b"{}")
        self.assertEqual(len(client.sent), 2)

    def test_answers_are_bounded(self) -> None:
        """Answers to a client that does not read are bounded in number and in bytes."""
        for size, limit in ((1, module.MAX_WAITING_MESSAGES), (1 << 20, module.MAX_WAITING_BYTES >> 20)):
            client = self.client()
            client.outflow.pause()
            for _ in range(limit):
                client.outflow.put(b"x" * size)
            self.assertIsNone(client.ended)
            client.outflow.put(b"x" * size)
            assert client.ended is not None
            self.assertEqual((client.ended[0], client.outflow.waiting), (TOO_SLOW, (0, 0)))

    def test_one_large_answer(self) -> None:
        """A single answer over the limit of bytes may wait: it was asked for."""
        client = self.client()
        client.outflow.pause()
        client.outflow.put(b"x" * (module.MAX_WAITING_BYTES + 1))
        self.assertIsNone(client.ended)


class PatternTests(SynchronousTestCase):
    def test_choice(self) -> None:
        """Ids are exact, a star stands for anything; null is everything, an empty list nothing."""
        wants = chosen(["service-started", "backup-*", "*-failed"])
        found = [
            name
            for name in ("service-started", "service-stopped", "backup-done", "my-backup-x", "restore-failed")
            if wants(name)
        ]
        self.assertEqual(found, ["service-started", "backup-done", "restore-failed"])
        self.assertEqual((chosen(None)("x"), chosen([])("x"), chosen(["*"])("x")), (True, False, True))

    def test_refused(self) -> None:
        """What is no list of patterns is refused."""
        for bad in ("x", 5, {}, [1], ["A"], ["a b"], [""], ["x" * 101], ["*****"], ["a[b"], ["a?"], ["x"] * 1001):
            self.assertRaises(BadArgument, chosen, bad)
