"""Who is asked to keep a mailbox: whoever comes is asked alone, and a round reaches everybody who is there."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.automats.kernel import Registry
from bitdust.people.messages.upkeep import PrekeyUpkeep
from bitdust.wire.errors import BitDustError

FRIENDS = [bytes([number]) * 32 for number in range(200)]


class UpkeepTests(SynchronousTestCase):
    """Two hundred friends, of whom some are there."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.here: set[bytes] = set()
        self.keeps: set[bytes] = set()
        self.silent: set[bytes] = set()
        self.refusal = "unknown-command"
        self.asked: list[bytes] = []
        self.published: list[list[bytes]] = []
        self.made = 0
        self.is_due = False
        self.reachable = True
        world = SimpleNamespace(clock=self.clock, wall=self.clock.seconds)
        around = SimpleNamespace(
            me=None, world=world, registry=Registry(self.clock, self.clock.seconds),
            sessions=SimpleNamespace(connected=self.here.__contains__), outbox=SimpleNamespace(send=self.send),
        )  # fmt: skip
        late = SimpleNamespace(stamp=lambda: 0, now=lambda: 0)
        store = SimpleNamespace(keepers=self.known, late=late, change=lambda write: succeed(None))
        self.upkeep = PrekeyUpkeep(around, store, self, self, self)  # type: ignore[arg-type]
        self.addCleanup(self.upkeep.stop)

    def begin(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.upkeep.start()))

    # what it asks

    current = None

    async def known(self, since: int) -> Any:
        return [], []

    def candidates(self) -> list[bytes]:
        return list(FRIENDS)

    def renew(self) -> Any:
        self.made, self.is_due = self.made + 1, False
        return succeed(None)

    def record(self, mailboxes: list[bytes]) -> list[bytes]:
        return list(mailboxes)

    def put_prekeys(self, record: list[bytes]) -> Any:
        self.published.append(record)
        return succeed(None) if self.reachable else fail(BitDustError("not-stored", "nobody answers"))

    def send(self, to: bytes, *packet: Any, deadline: float) -> Any:
        self.asked.append(to)
        if to in self.silent or to not in self.here:
            waiting: Deferred[Any] = Deferred(lambda _: call.cancel())
            call = self.clock.callLater(deadline, waiting.errback, BitDustError("no-answer", "silence"))
            return waiting
        if to not in self.keeps:
            return fail(BitDustError(self.refusal, "not now"))
        return succeed(SimpleNamespace(fields={"left": 100}))

    # what happens

    def comes(self, *peers: bytes) -> None:
        for peer in peers:
            self.here.add(peer)
            self.upkeep.met(peer)

    def passes(self, seconds: float, steps: int = 1) -> None:
        for _ in range(steps):
            self.clock.advance(seconds / steps)

    def test_all_come(self) -> None:
        """Each of two hundred friends who come while too few keep a mailbox is asked alone, not all that are there."""
        self.refusal = "no-mailbox"
        self.begin()
        self.asked.clear()
        self.comes(*FRIENDS)
        self.assertEqual(Counter(self.asked), Counter(FRIENDS))

    def test_two_are_named_at_once(self) -> None:
        """Of three who come while the first of them is still written down two are named: none is forgotten for the
        next, nor are there more than are wanted; both are shown."""
        first, second, third = FRIENDS[:3]
        writes: list[Deferred[None]] = []

        def change(write: Any) -> "Deferred[None]":
            writes.append(Deferred())
            return writes[-1]

        self.begin()
        self.passes(1)
        self.upkeep._store.change = change  # type: ignore[method-assign]
        self.keeps |= {first, second, third}
        self.comes(first, second, third)
        while writes:
            writes.pop(0).callback(None)
        self.assertEqual((self.upkeep.mailboxes, self.upkeep.state), ([first, second], "FRESH"))
        self.assertEqual(self.published[-1], [first, second])

    def test_one_flaps(self) -> None:
        """One that comes and goes a hundred times is asked no more often than it comes, and nobody else is."""
        self.comes(*FRIENDS[:50])
        self.refusal = "no-mailbox"
        self.begin()
        self.passes(3600, 720)
        self.asked.clear()
        for _ in range(100):
            self.comes(FRIENDS[0])
            self.passes(0.1)
        self.assertEqual(set(self.asked), {FRIENDS[0]})
        self.assertLessEqual(len(self.asked), 100)

    def test_who_comes_keeps_one(self) -> None:
        """Whoever comes and keeps a mailbox is named at once; where it cannot say so yet it is asked again soon, and
        a third one is not asked."""
        self.begin()
        self.passes(3600, 720)
        first, second, third = FRIENDS[:3]
        self.keeps = {first, third}
        self.comes(first)
        self.assertEqual((self.upkeep.mailboxes, self.published[-1], self.upkeep.state), ([first], [first], "FRESH"))
        self.comes(second)
        self.keeps.add(second)
        self.passes(20, 20)
        self.assertEqual((self.upkeep.mailboxes, self.published[-1]), ([first, second], [first, second]))
        self.comes(third)
        self.assertNotIn(third, self.asked)

    def test_two_answer_at_once(self) -> None:
        """Of several that answer later than others came two are named."""
        self.begin()
        self.silent = set(FRIENDS[:3])
        self.comes(*FRIENDS[:3])
        self.passes(16)
        self.silent, self.keeps = set(), set(FRIENDS[:3])
        self.passes(30, 30)
        self.assertEqual(len(self.upkeep.mailboxes), 2)

    def test_some_are_silent(self) -> None:
        """Those who say nothing keep no round from those who come after them."""
        self.here |= set(FRIENDS)
        self.silent = set(FRIENDS[:8])
        self.keeps = set(FRIENDS[-2:])
        self.begin()
        self.passes(600, 600)
        self.assertEqual(self.upkeep.mailboxes, FRIENDS[-2:])

    def test_who_is_away(self) -> None:
        """Nobody is called for a mailbox: who is away is asked when it comes."""
        self.begin()
        self.passes(3600, 720)
        self.assertEqual((self.asked, self.upkeep.state), ([], "FRESH"))

    def test_the_record_is_not_taken(self) -> None:
        """While nobody takes the record, a friend who comes is asked alone, and one that keeps a mailbox lets it be
        put again, once."""
        self.reachable, self.refusal = False, "no-mailbox"
        self.here |= set(FRIENDS[:50])
        self.keeps = {FRIENDS[0]}
        self.begin()
        self.assertEqual((self.upkeep.state, self.upkeep.mailboxes), ("STALE", FRIENDS[:1]))
        self.asked.clear()
        before = len(self.published)
        self.comes(FRIENDS[100])
        self.assertEqual((self.asked, len(self.published)), ([FRIENDS[100]], before))
        self.reachable = True
        self.comes(FRIENDS[0])
        self.assertEqual((self.asked[1:], self.upkeep.state), (FRIENDS[:1], "FRESH"))

    def test_renewed_while_too_few_keep_one(self) -> None:
        """Prekeys are renewed though there are never enough mailboxes."""
        self.here |= set(FRIENDS[:3])
        self.begin()
        self.passes(3600, 720)
        self.is_due = True
        self.passes(3600, 720)
        self.assertEqual(self.made, 1)

    def test_the_end(self) -> None:
        """Nobody is asked any more, and nothing is left behind."""
        self.begin()
        self.comes(*FRIENDS[:3])
        self.silent = set(FRIENDS)
        self.comes(FRIENDS[4])
        self.upkeep.stop()
        count = len(self.asked)
        self.passes(20)
        self.comes(FRIENDS[5])
        self.passes(3600, 60)
        self.assertEqual((len(self.asked), self.clock.getDelayedCalls()), (count, []))
