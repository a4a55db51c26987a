"""Parts of the DHT by themselves: tokens, rates, datagrams, and what a node does of its own accord."""

import random
from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.dht import datagrams, limits
from bitdust.dht.datagrams import MAX_DATAGRAM, PART, Reassembly, Unfinished, cut, take_apart
from bitdust.dht.limits import ROTATION, Rates, Tokens
from bitdust.dht.messages import MAX_MESSAGE, TOKEN_BYTES
from bitdust.dht.records import DEBUG, DHTRecord
from bitdust.dht.store import RecordStore
from bitdust.dht.upkeep import AT_ONCE, EARLY_SHOWS, GROWN, REFRESH, REPUBLISH, SOON, TICK, Upkeep
from bitdust.wire.encoding import WireError

HOST, OTHER = ("8.8.8.8", 1), ("8.8.4.4", 1)
MESSAGE_ID = b"12345678"


class TokenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.tokens = Tokens(random.Random(1).randbytes, 0.0)

    def test_holds_for_its_address(self) -> None:
        """A token is one address's: neither another host nor another port can show it."""
        token = self.tokens.give(HOST, 0)
        self.assertEqual(len(token), TOKEN_BYTES)
        self.assertTrue(self.tokens.holds(token, HOST, 1))
        for address in (OTHER, (HOST[0], 2)):
            self.assertFalse(self.tokens.holds(token, address, 1))
        self.assertFalse(self.tokens.holds(None, HOST, 1))
        self.assertFalse(self.tokens.holds(b"", HOST, 1))

    def test_ends(self) -> None:
        """A token holds for one to two turns of the secret, also when nobody asked in between."""
        token = self.tokens.give(HOST, 0)
        self.assertTrue(self.tokens.holds(token, HOST, ROTATION))
        self.assertTrue(self.tokens.holds(token, HOST, 2 * ROTATION - 1))
        self.assertFalse(self.tokens.holds(token, HOST, 2 * ROTATION + 1))
        token = self.tokens.give(HOST, 2 * ROTATION + 1)
        self.assertFalse(self.tokens.holds(token, HOST, 9 * ROTATION))


class RateTests(SynchronousTestCase):
    def test_bucket(self) -> None:
        """A host may do a number of things at once, and then so many a second; hosts do not disturb each other."""
        rates = Rates(2.0, 3.0)
        self.assertEqual([rates.allow(HOST[0], 0) for _ in range(4)], [True, True, True, False])
        self.assertTrue(rates.allow(OTHER[0], 0))
        self.assertEqual([rates.allow(HOST[0], 1) for _ in range(3)], [True, True, False])
        self.assertEqual([rates.allow(HOST[0], 100, cost=2) for _ in range(2)], [True, False])

    def test_addresses_of_one_network(self) -> None:
        """Whoever has an IPv6 network has as many addresses as it likes, and one bucket."""
        rates = Rates(1, 2)
        hosts = ("2600:1:2:3::1", "2600:1:2:4::2", "2600:1:2:5::3", "2600:1:3::1")
        self.assertEqual([rates.allow(host, 0) for host in hosts], [True, True, False, True])

    def test_own_host(self) -> None:
        """Loopback is never refused."""
        rates = Rates(0.0, 1.0)
        self.assertEqual([rates.allow("127.0.0.1", 0) for _ in range(5)], [True] * 5)

    def test_bounded(self) -> None:
        """A bounded number of hosts is remembered; who was heard last stays."""
        self.patch(limits, "MAX_HOSTS", 2)
        rates = Rates(0.0, 1.0)
        for host in ("8.0.0.1", "8.0.0.2", "8.0.0.3"):
            rates.allow(host, 0)
        self.assertEqual([rates.allow(host, 0) for host in ("8.0.0.3", "8.0.0.2", "8.0.0.1")], [False, False, True])


class DatagramTests(SynchronousTestCase):
    def whole(self, message: bytes, token: bytes | None = None) -> bytes:
        """Cut and put together, in the wrong order."""
        assembly, found = None, None
        for data in reversed(cut(message, MESSAGE_ID, token)):
            self.assertLessEqual(len(data), MAX_DATAGRAM)
            datagram = take_apart(data)
            self.assertEqual(datagram.message_id, MESSAGE_ID)
            assembly = assembly or Reassembly(datagram.fragments, 0.0)
            skip = len(token) if token and datagram.fragments > 1 else 0
            found = assembly.add(datagram, datagram.part[skip:])
        assert found is not None
        return found

    def test_any_length(self) -> None:
        """A message of any allowed length comes apart and together again, with a token before each part or not."""
        rng = random.Random(2)
        for size in (1, PART, PART + 1, 2 * PART, MAX_MESSAGE):
            message = rng.randbytes(size)
            self.assertEqual(self.whole(message), message)
            self.assertEqual(self.whole(message, b"token678"), message)
        self.assertEqual(self.assertRaises(WireError, cut, bytes(MAX_MESSAGE + 1), MESSAGE_ID).code, "too-large")

    def test_nonsense(self) -> None:
        """What is no datagram of this version is refused."""
        (good,) = cut(b"hello", MESSAGE_ID)
        for bad in (b"", good[:13], b"XX" + good[2:], b"\x08B\x03" + good[3:], good + bytes(MAX_DATAGRAM)):
            self.assertRaises(WireError, take_apart, bad)
        for numbers in (b"\x01\x01", b"\x00\x00", b"\x00\x06"):
            self.assertRaises(WireError, take_apart, good[:11] + numbers + good[13:])

    def test_contradicting_parts(self) -> None:
        """A part that was sent twice counts once, the first; one of another count is ignored."""
        first, second = (take_apart(data) for data in cut(bytes(PART) + b"end", MESSAGE_ID))
        assembly = Reassembly(2, 0.0)
        self.assertIsNone(assembly.add(second, b"end"))
        self.assertIsNone(assembly.add(second, b"lie"))
        self.assertIsNone(assembly.add(take_apart(cut(b"x", MESSAGE_ID)[0]), b"x"))
        self.assertEqual(assembly.add(first, first.part), bytes(PART) + b"end")


class UnfinishedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.unfinished = Unfinished()
        self.message = random.Random(4).randbytes(2 * PART)
        self.parts = [take_apart(data) for data in cut(self.message, MESSAGE_ID, b"token678")]

    def begin(self, address: tuple[str, int], count: int, now: float = 0.0) -> int:
        """Send the first part of many messages; how many are remembered."""
        for number in range(count):
            data = cut(self.message, number.to_bytes(8, "big"), b"token678")[0]
            self.unfinished.add(address, take_apart(data), now)
        return len(self.unfinished)

    def test_whole(self) -> None:
        """The parts of a query are put together for its address and number."""
        first, *others = self.parts
        self.assertIsNone(self.unfinished.add(HOST, first, 0))
        self.assertIsNone(self.unfinished.add(OTHER, others[-1], 0))
        found = [self.unfinished.add(HOST, part, 1) for part in others]
        self.assertEqual((found[-1], len(self.unfinished)), (self.message, 1))

    def test_few_for_each_host(self) -> None:
        """One host gets few unfinished queries, except this one; when one is over there is room again."""
        self.assertEqual(self.begin(HOST, 20), datagrams.MAX_UNFINISHED_PER_HOST)
        self.assertEqual(self.begin(("127.0.0.1", 1), 20), datagrams.MAX_UNFINISHED_PER_HOST + 20)
        self.assertEqual(self.begin(HOST, 20, datagrams.PATIENCE), datagrams.MAX_UNFINISHED_PER_HOST)

    def test_few_in_all(self) -> None:
        """Many hosts together get a bounded number, and what is not finished in time makes room."""
        for number in range(300):
            self.begin((f"8.0.{number // 250}.{number % 250}", 1), 1)
        self.assertEqual(len(self.unfinished), datagrams.MAX_UNFINISHED)
        self.assertEqual(self.begin(HOST, 1, datagrams.PATIENCE), 1)


class Work:
    """Notes what upkeep asks for."""

    def __init__(self) -> None:
        self.republished: list[tuple[bytes, int]] = []
        self.waiting: list[Callable[[], None]] = []
        self.refreshed = self.shown = self.others = 0

    def republish(self, key: bytes, layer: int, then: Callable[[], None]) -> None:
        """Keep it until the test ends it."""
        self.republished.append((key, layer))
        self.waiting.append(then)

    def refresh(self) -> None:
        """Count."""
        self.refreshed += 1

    def look_around(self) -> None:
        """Count."""
        self.shown += 1

    def known(self) -> int:
        """As many as the test says."""
        return self.others

    def knock(self) -> None:
        """Nobody is away."""


class UpkeepTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.work = Work()
        self.store = RecordStore(None, 0)
        self.addCleanup(self.store.close)
        self.upkeep = Upkeep(self.clock, self.clock.seconds, lambda seconds: seconds, self.store, self.work)

    def tearDown(self) -> None:
        self.upkeep.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def add(self, name: str, mine: bool = False, layer: int = 0, expires: int = 1_000_000) -> bytes:
        record = DHTRecord(DEBUG, name, 1, expires, b"value")
        self.store.add(record, record.to_bytes(), layer, self.clock.seconds(), mine)
        return record.key(layer)

    def ticks(self, seconds: float) -> list[tuple[bytes, int]]:
        """Let time pass, each publishing taking no time; what was published."""
        self.work.republished.clear()
        for _ in range(int(seconds / TICK)):
            self.clock.advance(TICK)
            while self.work.waiting:
                self.work.waiting.pop(0)()
        return list(self.work.republished)

    def test_own_records_first(self) -> None:
        """Own records are published soon after the start, those of others within the hour, both in their layers."""
        mine, other = self.add("mine", mine=True), self.add("other", layer=3)
        self.upkeep.start()
        self.assertGreaterEqual(TICK, SOON)
        self.assertEqual(self.ticks(TICK), [(mine, 0)])
        self.assertEqual(self.ticks(REPUBLISH / 2), [(other, 3)])

    def test_every_hour(self) -> None:
        """Each record is published again every hour."""
        key = self.add("mine", mine=True)
        self.upkeep.start()
        self.ticks(TICK)
        self.assertEqual(self.ticks(REPUBLISH - TICK), [])
        self.assertEqual(self.ticks(2 * TICK), [(key, 0)])

    def test_published_by_somebody_else(self) -> None:
        """A record that came from somebody else a moment ago needs nothing for an hour."""
        key = self.add("mine", mine=True)
        self.upkeep.start()
        self.upkeep.stored(key)
        self.assertEqual(self.ticks(REPUBLISH - TICK), [])
        self.assertEqual(self.ticks(TICK), [(key, 0)])

    def test_new_records(self) -> None:
        """A record of which nothing is known is published with the next round, and an expired one is forgotten."""
        self.upkeep.start()
        key = self.add("new")
        self.add("old", expires=30)
        self.assertEqual(self.ticks(TICK), [(key, 0)])
        self.assertEqual(len(self.store), 1)

    def test_few_at_once(self) -> None:
        """A bounded number is on its way at once; each that ends makes room for the next."""
        for number in range(AT_ONCE + 5):
            self.add(str(number), mine=True)
        self.upkeep.start()
        self.clock.advance(TICK)
        self.assertEqual(len(self.work.republished), AT_ONCE)
        self.work.waiting.pop(0)()
        self.assertEqual(len(self.work.republished), AT_ONCE + 1)

    def test_stop(self) -> None:
        """After the stop nothing is published, even when something that was on its way ends."""
        for number in range(AT_ONCE + 5):
            self.add(str(number), mine=True)
        self.upkeep.start()
        self.clock.advance(TICK)
        self.upkeep.show_soon()
        self.upkeep.stop()
        self.work.waiting.pop(0)()
        self.clock.advance(10 * REPUBLISH)
        self.assertEqual((len(self.work.republished), self.work.shown), (AT_ONCE, 0))

    def test_own_records_follow_the_crowd(self) -> None:
        """Own records are published again soon after twice as many nodes are known, once for all who come together."""
        mine, _ = self.add("mine", mine=True), self.add("other")
        self.work.others = 3
        self.upkeep.start()
        self.upkeep.show_soon()
        self.ticks(TICK)
        self.work.republished.clear()
        for self.work.others in range(4, 12):
            self.upkeep.met()
        self.clock.advance(GROWN)
        self.work.others = 20
        self.upkeep.met()
        self.clock.advance(GROWN)
        self.assertEqual(self.work.republished, [(mine, 0)])

    def test_refresh(self) -> None:
        """The node looks around after a minute, then more and more rarely, in the end every ten minutes."""
        self.upkeep.start()
        self.ticks(900)
        self.assertEqual(self.work.refreshed, 4)
        self.ticks(2 * REFRESH)
        self.assertEqual(self.work.refreshed, 6)

    def test_shown_a_few_times(self) -> None:
        """After a change of layers the node shows itself a few times soon; another change begins anew."""
        self.upkeep.show_soon()
        self.clock.advance(EARLY_SHOWS[0])
        self.upkeep.show_soon()
        self.clock.pump([EARLY_SHOWS[-1]] * 2)
        self.assertEqual(self.work.shown, 1 + len(EARLY_SHOWS))
