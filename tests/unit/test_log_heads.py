"""Heads of logs in the DHT: brought when more of a log is safe, rarely, and again where that failed."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.storage.catalog.catalog import LogEnd
from bitdust.storage.log.heads import EVERY, HeadPublisher
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Head
from tests.unit.storage_kit import network, random_file

OWNER, DEVICE = bytes(32), bytes(8)


class OneLog:
    """The log of one key."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.sequence = 0

    def head(self, end: Any, brief: bool) -> Head:
        return Head(OWNER, DEVICE, end.sequence, bytes(32), 1)


class HeadPublisherTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.put: list[tuple[int, Deferred[Any]]] = []
        me = SimpleNamespace(device=SimpleNamespace(id=DEVICE), sign=lambda kind, body: (kind, body))
        around = SimpleNamespace(world=SimpleNamespace(clock=self.clock), me=me)
        self.heads = HeadPublisher(around, self, lambda one: LogEnd(one.sequence))  # type: ignore
        self.master = OneLog("master")

    def publish_head(self, head: Head, signed: Any) -> "Deferred[Any]":
        putting: Deferred[Any] = Deferred()
        self.put.append((head.sequence, putting))
        return putting

    def publish(self, *logs: OneLog) -> list[int]:
        """The sequences that are brought to the DHT by this."""
        before = len(self.put)
        self.heads.publish(logs or (self.master,))
        return [sequence for sequence, _ in self.put[before:]]

    def test_nothing_to_bring(self) -> None:
        """A log of which nothing is safe has no head."""
        self.assertEqual(self.publish(), [])

    def test_a_pause_that_was_rounded(self) -> None:
        """A timer that comes by a rounding too early brings the head all the same, and does not wait for no time."""
        self.master.sequence = 1
        self.publish()
        self.master.sequence = 2
        self.publish()
        (call,) = self.clock.getDelayedCalls()
        self.clock.advance(EVERY - 1e-9)
        call.reset(0)
        self.clock.advance(0)
        self.assertEqual([sequence for sequence, _ in self.put], [1, 2])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_once_in_a_while(self) -> None:
        """The first entry is brought at once, the last one of the next half minute at its end, and no head twice."""
        self.master.sequence = 1
        self.assertEqual(self.publish(), [1])
        self.put[0][1].callback(None)
        for sequence in (4, 5):
            self.master.sequence = sequence
            self.clock.advance(EVERY / 4)
            self.assertEqual(self.publish(), [])
        self.clock.advance(EVERY / 2)
        self.assertEqual([sequence for sequence, _ in self.put], [1, 5])
        self.clock.advance(EVERY)
        self.assertEqual(self.publish(), [])

    def test_a_stop_leaves_nothing(self) -> None:
        """What was to follow by itself does not, once the storage is closed."""
        for sequence in (1, 2):
            self.master.sequence = sequence
            self.publish()
        self.heads.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_again_after_a_failure(self) -> None:
        """What did not get there is brought at the next occasion, however soon that is."""
        self.master.sequence = 1
        self.publish()
        self.put[0][1].errback(RuntimeError("the DHT is off"))
        self.assertEqual(self.publish(), [1])
        self.assertEqual(self.publish(), [])

    def test_again_by_itself(self) -> None:
        """Where no occasion comes it is brought again after half a minute, and not once the storage is closed."""
        self.master.sequence = 1
        self.publish()
        self.put[0][1].errback(RuntimeError("nobody is there"))
        self.clock.advance(EVERY)
        self.assertEqual([sequence for sequence, _ in self.put], [1, 1])
        self.heads.stop()
        self.put[1][1].errback(RuntimeError("nobody is there"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_an_old_failure(self) -> None:
        """A head that fails after a newer one got there takes nothing back."""
        self.master.sequence = 1
        self.publish()
        self.clock.advance(EVERY)
        self.master.sequence = 2
        self.publish()
        self.put[1][1].callback(None)
        self.put[0][1].errback(RuntimeError("late"))
        self.assertEqual(self.publish(), [])

    def test_never_back(self) -> None:
        """Where less is safe than before, because suppliers came or went, what was brought stays."""
        self.master.sequence = 5
        self.publish()
        self.clock.advance(EVERY)
        self.master.sequence = 4
        self.assertEqual(self.publish(), [])

    def test_each_log_by_itself(self) -> None:
        """Logs of several keys have heads of their own."""
        photos = OneLog("photos")
        self.master.sequence, photos.sequence = 1, 7
        self.assertEqual(self.publish(self.master, photos), [1, 7])
        photos.sequence = 8
        self.clock.advance(EVERY)
        self.assertEqual(self.publish(self.master, photos), [8])


class ContactTests(SynchronousTestCase):
    def test_somebody_is_in_the_hash_table(self) -> None:
        """Heads that nobody there has taken are brought when others come, and no entry need be written for that."""
        base, around, node = network(self)
        node.publish_head = lambda head, signed: fail(BitDustError("not-stored", "nobody is there"))
        random_file(base / "file", 1000)
        node.upload(base / "file", "file")
        node.pass_time(60)
        del node.publish_head
        self.assertEqual(around.heads, [])
        node.storage.network_is_back()
        safe = node.storage.heads(only_safe=True)
        self.assertEqual([one.sequence for one in around.heads], [one.sequence for one in safe])
        node.stop()
        node.storage.network_is_back()
