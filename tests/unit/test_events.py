"""One numbered stream of events, and the long polls that read it."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust import events as module
from bitdust.events import (
    DELIVERED_AT_ONCE,
    MAX_DATA,
    MAX_KEPT,
    Consumers,
    Event,
    Events,
)
from bitdust.long_polls import BETWEEN, MAX_CONSUMERS, MAX_UNCOLLECTED
from bitdust.wire.errors import BitDustError


class EventsTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.events = Events(self.clock, lambda: 1000.0 + self.clock.seconds())
        self.told: list[Any] = []

    def tearDown(self) -> None:
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def tell(self, event: Event) -> None:
        self.told.append((event.seq, event.id, event.data))

    def refused(self, call: Any, *args: Any) -> str:
        return self.assertRaises(BitDustError, call, *args).code


class SendTests(EventsTestCase):
    """Sending and being told."""

    def test_numbers_and_time(self) -> None:
        """Events are numbered from 1 and carry the wall time of their sending."""
        seen: list[Event] = []
        self.events.subscribe(seen.append)
        numbers = [self.events.send("one", {"a": 1})]
        self.clock.advance(2.5)
        numbers.append(self.events.send("two"))
        self.clock.advance(0)
        self.assertEqual((numbers, self.events.last), ([1, 2], 2))
        self.assertEqual(seen, [Event(1, "one", {"a": 1}, 1000.0), Event(2, "two", {}, 1002.5)])

    def test_never_in_the_senders_frame(self) -> None:
        """Subscribers are told in a later turn, in the order of sending."""
        self.events.subscribe(self.tell)
        self.events.send("one")
        self.events.send("two")
        self.assertEqual(self.told, [])
        self.clock.advance(0)
        self.assertEqual(self.told, [(1, "one", {}), (2, "two", {})])

    def test_one_call_for_many_events(self) -> None:
        """However many events wait, one delayed call delivers them."""
        for _ in range(10):
            self.events.send("many")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_what_a_subscriber_sends(self) -> None:
        """An event sent by a subscriber is delivered in the next turn: a circle of them does not hold up the node."""
        self.events.subscribe(self.tell)

        def echo(event: Event) -> None:
            self.clock.callLater(0, self.told.append, "turn")
            self.events.send("echo")

        self.events.subscribe(echo, "first")
        self.events.send("first")
        self.clock.advance(0)
        self.assertEqual(self.told, [(1, "first", {}), "turn", (2, "echo", {})])

    def test_by_id(self) -> None:
        """A subscriber of one id hears only that one."""
        self.events.subscribe(self.tell, "two")
        self.events.send("one")
        self.events.send("two")
        self.clock.advance(0)
        self.assertEqual(self.told, [(2, "two", {})])

    def test_remover(self) -> None:
        """A removed subscriber is not told any more, not even of events that wait; removing twice removes once."""
        first = self.events.subscribe(self.tell)
        self.events.subscribe(self.tell)
        self.events.send("one")
        first()
        first()
        self.clock.advance(0)
        self.assertEqual(self.told, [(1, "one", {})])

    def test_removed_by_another_subscriber(self) -> None:
        """A subscriber that another one removes in the same turn is not told."""
        self.events.subscribe(lambda event: remove())
        remove = self.events.subscribe(self.tell)
        self.events.send("one")
        self.clock.advance(0)
        self.assertEqual(self.told, [])

    def test_a_subscriber_that_raises(self) -> None:
        """It is logged, and the others are told."""

        def broken(event: Event) -> None:
            raise ZeroDivisionError

        self.events.subscribe(broken)
        self.events.subscribe(self.tell)
        self.events.send("one")
        self.clock.advance(0)
        self.assertEqual(len(self.told), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_stop(self) -> None:
        """Stopping delivers what waits; what is sent afterwards is numbered and goes nowhere."""
        self.events.subscribe(self.tell)
        self.events.send("one")
        self.events.stop()
        self.assertEqual(len(self.told), 1)
        self.assertEqual(self.events.send("two"), 2)
        self.clock.advance(0)
        self.assertEqual(len(self.told), 1)

    def test_the_data_is_a_copy(self) -> None:
        """What the sender changes afterwards is not in the event."""
        data = {"list": [1]}
        self.events.send("one", data)
        data["list"].append(2)
        self.assertEqual(self.events.since(0)[0].data, {"list": [1]})

    def test_as_clients_read_it(self) -> None:
        """The JSON form has type, id, data, time and seq."""
        row = Event(7, "x", {"a": 1}, 5.0).as_dict()
        self.assertEqual(row, {"type": "event", "seq": 7, "id": "x", "event_id": "x", "data": {"a": 1}, "time": 5.0})


class LimitTests(EventsTestCase):
    """What is no event is refused, and nothing of it stays."""

    def test_ids_without_end(self) -> None:
        """Programs may invent ids for ever: what is counted stays bounded, and nothing is left uncounted."""
        for number in range(1_500):
            self.events.send(f"mine-{number}")
        self.events.send("mine-3")
        counts = self.events.counts()
        self.assertEqual((len(counts), sum(counts.values())), (1_001, 1_501))
        self.assertEqual((counts["mine-3"], counts["others"]), (2, 500))
        self.clock.pump([0] * 50)

    def test_ids(self) -> None:
        """An id is words of small letters and digits with dashes between, 100 characters at most."""
        for good in ("a", "identity-url-changed", "a1-2b", "x" * 100):
            self.events.send(good)
        for bad in ("", "A", "a_b", "a b", "-a", "a-", "a--b", "a\n", "é", "x" * 101, "a/b", "٣"):
            self.assertEqual(self.refused(self.events.send, bad), "bad-event", bad)
        self.assertEqual(self.events.last, 4)

    @given(st.text(max_size=120))
    def test_any_id(self, name: str) -> None:
        """Any text is either an event id that is safe in a log line, or refused with a code."""
        before = self.events.last
        try:
            self.events.send(name)
        except BitDustError as error:
            self.assertEqual((error.code, self.events.last), ("bad-event", before))
        else:
            self.assertTrue(name.isascii() and name.replace("-", "").isalnum() and name.lower() == name)

    def test_data(self) -> None:
        """Data is JSON of at most 64 kB: no bytes, no NaN, no circle, nothing nested without end."""
        circle: dict[str, Any] = {}
        circle["self"] = circle
        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]
        for bad in ({"a": b"x"}, {"a": float("nan")}, circle, {"a": deep}, {"a": "x" * MAX_DATA}):
            self.assertEqual(self.refused(self.events.send, "x", bad), "bad-event")
        self.assertEqual((self.events.last, self.events.counts(), self.events.since(0)), (0, {}, []))
        self.events.send("x", {"a": "x" * (MAX_DATA - len(json.dumps({"a": ""})))})


class HistoryTests(EventsTestCase):
    """A client that comes back misses nothing that is kept."""

    def test_since(self) -> None:
        """All kept events with higher numbers, in order."""
        for _ in range(5):
            self.events.send("x")
        self.assertEqual([event.seq for event in self.events.since(2)], [3, 4, 5])
        self.assertEqual((self.events.since(5), self.events.oldest), ([], 1))

    def test_nothing_yet(self) -> None:
        """Before the first event the oldest one is the next one."""
        self.assertEqual((self.events.last, self.events.oldest, self.events.since(0)), (0, 1, []))

    def test_number_is_bounded(self) -> None:
        """The last 10,000 are kept; ``oldest`` tells where they begin."""
        for _ in range(MAX_KEPT + 5):
            self.events.send("x")
        self.clock.advance(0)
        self.assertEqual((self.events.oldest, len(self.events.since(0))), (6, MAX_KEPT))

    def test_memory_is_bounded(self) -> None:
        """Large events push out more of the older ones."""
        self.patch(module, "MAX_KEPT_BYTES", 1000)
        for _ in range(20):
            self.events.send("x", {"a": "y" * 90})
        self.clock.advance(0)
        self.assertEqual([event.seq for event in self.events.since(0)], list(range(11, 21)))

    def test_a_burst_is_kept_until_it_is_delivered(self) -> None:
        """Nothing is forgotten before its subscribers were told, and they are told in portions of 100, in order."""
        self.events.subscribe(self.tell)
        for _ in range(MAX_KEPT * 2):
            self.events.send("x")
        self.assertEqual((self.events.oldest, len(self.events.since(5, 10))), (1, 10))
        first = self.clock.getDelayedCalls()[0]
        first.func()
        self.assertEqual(len(self.told), DELIVERED_AT_ONCE)
        first.cancel()
        self.clock.advance(0)
        self.assertEqual([seq for seq, _, _ in self.told], list(range(1, 2 * MAX_KEPT + 1)))
        self.assertEqual(len(self.events.since(0)), MAX_KEPT)

    def test_counts(self) -> None:
        """How often each id was sent, by id."""
        for name in ("b", "a", "b"):
            self.events.send(name)
        self.assertEqual(list(self.events.counts().items()), [("a", 1), ("b", 2)])


class ConsumerTests(EventsTestCase):
    """Long polls."""

    def setUp(self) -> None:
        super().setUp()
        self.consumers = Consumers(self.events)

    def send(self, count: int = 1) -> None:
        for _ in range(count):
            self.events.send("x")
        self.clock.advance(0)

    def numbers(self, consumer: str = "me") -> list[int]:
        return [event.seq for event in self.successResultOf(self.consumers.listen(consumer))]

    def test_waits_for_the_first(self) -> None:
        """The first call waits, and fires with the next event."""
        waiting = self.consumers.listen("me")
        self.assertNoResult(waiting)
        self.send()
        self.assertEqual([event.seq for event in self.successResultOf(waiting)], [1])

    def test_collects_between_calls(self) -> None:
        """Events between two calls wait for the second one, which fires at once with all of them."""
        self.consumers.listen("me")
        self.send(4)
        self.assertEqual(self.numbers(), [2, 3, 4])
        self.assertNoResult(self.consumers.listen("me"))

    def test_before_the_first_call(self) -> None:
        """What happened before a consumer's first call is not for it."""
        self.send(3)
        self.assertNoResult(self.consumers.listen("me"))

    def test_consumers_do_not_share(self) -> None:
        """Each consumer gets every event."""
        waiting = [self.consumers.listen(name) for name in ("a", "b")]
        self.send()
        self.assertEqual([len(self.successResultOf(each)) for each in waiting], [1, 1])

    def test_a_second_call_ends_the_first(self) -> None:
        """A second call of one consumer answers the first one with nothing."""
        first = self.consumers.listen("me")
        second = self.consumers.listen("me")
        self.assertEqual(self.successResultOf(first), [])
        self.send()
        self.assertEqual(len(self.successResultOf(second)), 1)

    def test_cancel(self) -> None:
        """After a call is cancelled, events wait for the next one."""
        waiting = self.consumers.listen("me")
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.send(2)
        self.assertEqual(self.numbers(), [1, 2])

    def test_a_forgetful_consumer_is_dropped(self) -> None:
        """A consumer that leaves more than 100 events uncollected is forgotten; with 100 it is not."""
        self.consumers.listen("me")
        self.send(MAX_UNCOLLECTED + 1)
        self.assertEqual(len(self.numbers()), MAX_UNCOLLECTED)
        self.send(MAX_UNCOLLECTED + 1)
        self.assertEqual(len(self.consumers), 0)
        self.assertNoResult(self.consumers.listen("me"))

    def test_the_dropped_one_hears_of_it(self) -> None:
        """Who was dropped hears once which event was the first that it has missed, and has its place again."""
        self.consumers.listen("me").addErrback(lambda failure: failure.trap(CancelledError)).cancel()
        self.assertIsNone(self.consumers.lost("me"))
        self.send(MAX_UNCOLLECTED + 5)
        lost = self.consumers.lost("me")
        self.assertEqual(lost and lost.seq, 1)
        self.send()
        self.assertIsNone(self.consumers.lost("me"))
        self.assertEqual(self.numbers(), [MAX_UNCOLLECTED + 6])

    def test_whether_somebody_was_there(self) -> None:
        """An item is taken by who waits, or has polled a moment ago; not by who stays away, and not without a wish."""
        event = Event(1, "x", {}, 0.0)
        self.assertFalse(self.consumers.offer(event))
        self.consumers.listen("me", lambda found: found.id == "x")
        self.assertFalse(self.consumers.offer(Event(2, "y", {}, 0.0)))
        self.assertTrue(self.consumers.offer(event))
        self.clock.advance(BETWEEN)
        self.assertTrue(self.consumers.offer(event))
        self.clock.advance(0.1)
        self.assertFalse(self.consumers.offer(event))
        self.consumers.forget("me", lambda found: found.seq == 1)
        self.assertNoResult(self.consumers.listen("me"))

    def test_number_of_consumers(self) -> None:
        """One consumer more than 1000 is refused, and the others go on."""
        waiting = [self.consumers.listen(f"c{number}") for number in range(MAX_CONSUMERS)]
        self.assertEqual(self.refused(self.consumers.listen, "one-more"), "too-many-consumers")
        self.send()
        self.assertTrue(all(self.successResultOf(each) for each in waiting))

    def test_names(self) -> None:
        """A consumer's name has 1 to 100 characters."""
        for bad in ("", "x" * 101):
            self.assertEqual(self.refused(self.consumers.listen, bad), "bad-argument")

    def test_stop(self) -> None:
        """Stopping answers everybody who waits, and events go nowhere."""
        waiting = self.consumers.listen("me")
        self.consumers.stop()
        self.assertEqual(self.successResultOf(waiting), [])
        self.send()
