"""Suppliers learn what was taken back, each for itself, however many others come."""

import os
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.keyring import RingKey
from bitdust.crypt.shares import Grant
from bitdust.peers.again import SOON
from bitdust.shares.donations import READER
from bitdust.shares.withdrawals import LONGEST, Withdrawals
from bitdust.signal import Signal
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Family
from tests.unit.storage_kit import Neighbours, Node

SUPPLIERS = [bytes([number]) * 32 for number in range(8)]
GRANTS = 10
STRANGER = b"s" * 32


class WithdrawalsTests(SynchronousTestCase):
    """Eight suppliers, and ten grants that were taken back."""

    def setUp(self) -> None:
        base = Path(self.mktemp())
        neighbours = Neighbours(base, 2)
        self.addCleanup(neighbours.close)
        self.node = Node(base / "home", neighbours)
        ring = self.node.me.key_ring
        ring.add(RingKey("share_1"))
        ring.ensure_secret("share_1", os.urandom, 1)
        for number in range(GRANTS):
            ring.grant("share_1", Grant(bytes([number]) * 16, bytes([99, number]) * 16, READER, 0, 1, 2**40, True))
        family = Family(self.node.me.fingerprint, 1, 4, 8, 0, list(SUPPLIERS))
        port = SimpleNamespace(current=family, changed=Signal())
        self.here = set(SUPPLIERS)
        self.watchers: list[Any] = []
        self.sent: Counter[bytes] = Counter()
        self.answers: dict[bytes, str] = dict.fromkeys(SUPPLIERS, "unknown-command")
        sessions = SimpleNamespace(connected=self.here.__contains__, on_session=self.watch)
        around = evolve(self.node.connected, sessions=sessions, outbox=SimpleNamespace(send=self.send))
        self.withdrawals = Withdrawals(around, port)  # type: ignore[arg-type]
        self.addCleanup(self.withdrawals.stop)

    def watch(self, watcher: Any) -> Any:
        self.watchers.append(watcher)
        return lambda: self.watchers.remove(watcher)

    def send(self, to: bytes, *packet: Any, deadline: float) -> Any:
        self.sent[to] += 1
        code = self.answers.get(to)
        return fail(BitDustError(code, "not now")) if code else succeed(SimpleNamespace(fields={}))

    def comes(self, who: bytes) -> None:
        self.here.add(who)
        for watcher in list(self.watchers):
            watcher(SimpleNamespace(peer=SimpleNamespace(fingerprint=who)), True)

    def passes(self, seconds: float, steps: int = 1) -> None:
        for _ in range(steps):
            self.node.clock.advance(seconds / steps)

    def test_strangers_come(self) -> None:
        """Suppliers that do not know the command yet hear no more of it where a hundred strangers come."""
        self.withdrawals.start()
        for _ in range(100):
            self.comes(STRANGER)
            self.passes(0.1)
        self.assertLessEqual(max(self.sent.values()), 3)
        self.assertEqual(set(self.sent), set(SUPPLIERS))

    def test_who_is_not_ready(self) -> None:
        """One of whom nothing is known but that it comes too early is asked with one packet at a time, again soon and
        then ever more rarely."""
        self.withdrawals.start()
        self.assertEqual(self.sent.total(), 8)
        self.passes(SOON)
        self.assertEqual(self.sent.total(), 16)
        self.passes(86_400, 864)
        self.assertLess(self.sent.total(), 8 * (12 + 86_400 / LONGEST))

    def test_one_comes_again(self) -> None:
        """A supplier that comes is told at once, and soon again; the others wait as before."""
        self.withdrawals.start()
        self.passes(3600, 720)
        before, first = Counter(self.sent), SUPPLIERS[0]
        self.comes(first)
        self.passes(SOON)
        self.assertEqual(self.sent - before, Counter({first: 2}))
        self.answers.pop(first)
        self.passes(2 * SOON)
        self.assertEqual(self.sent - before, Counter({first: 2 + GRANTS}))
        self.assertEqual(self.withdrawals.waiting(), 7 * GRANTS)
        self.comes(first)
        self.assertEqual(self.sent[first] - before[first], 2 + GRANTS)

    def test_one_refuses(self) -> None:
        """What a supplier refuses keeps nothing else from it, nor from others."""
        self.answers = {SUPPLIERS[0]: "no-contract"}
        self.withdrawals.start()
        self.assertEqual((self.sent[SUPPLIERS[0]], self.withdrawals.waiting()), (GRANTS, GRANTS))
        self.answers.clear()
        self.passes(SOON)
        self.assertEqual(self.withdrawals.waiting(), 0)

    def test_one_more_while_another_is_on_its_way(self) -> None:
        """What is taken back while a supplier is told something else comes after it, and after a refusal."""
        ring, here = self.node.me.key_ring, SUPPLIERS[0]
        key = ring.get("share_1")
        ring.keys["share_1"] = evolve(key, grants=key.grants[:1])
        self.here -= set(SUPPLIERS[1:])
        answers = [Deferred(), Deferred(), Deferred(), Deferred()]
        waiting = iter(answers)
        outbox = SimpleNamespace(send=lambda *packet, deadline: next(waiting))
        self.withdrawals._around = evolve(self.withdrawals._around, outbox=outbox)
        self.withdrawals.start()
        ring.keys["share_1"] = evolve(key, grants=key.grants[:2])
        self.withdrawals.tell()
        answers[0].errback(BitDustError("no-answer", "not now"))
        answers[1].callback(SimpleNamespace(fields={}))
        self.passes(2 * SOON)
        for answer in answers[2:]:
            if not answer.called:
                answer.callback(SimpleNamespace(fields={}))
        self.assertEqual(self.withdrawals.known_to(key.grants[0].id, [here]), 1)
        self.assertEqual(self.withdrawals.known_to(key.grants[1].id, [here]), 1)

    def test_who_goes(self) -> None:
        """Nobody who is away is told, and nothing is left behind at the end."""
        self.withdrawals.start()
        self.here.clear()
        before = self.sent.total()
        self.passes(3600, 60)
        self.assertEqual(self.sent.total(), before)
        self.comes(SUPPLIERS[1])
        self.assertEqual(self.sent.total(), before + 1)
        self.withdrawals.stop()
        self.passes(3600, 60)
        self.assertEqual((self.sent.total(), self.node.clock.getDelayedCalls()), (before + 1, []))
