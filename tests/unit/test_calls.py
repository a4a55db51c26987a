"""A supplier that comes up calls its customers, and does so again whenever it is back on the network."""

from types import SimpleNamespace

from attrs import evolve
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock

from bitdust.customers.calls import SEEN_DAYS, CustomerCalls
from bitdust.peers.calls import AT_ONCE, SPREAD
from bitdust.signal import Signal
from bitdust.wire.errors import BitDustError
from tests.unit.supplier_kit import DAY, START, Person
from tests.unit.test_supplier_store import ALICE, BOB, ShopCase


class CallsTests(ShopCase):
    fails = False

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.called: list[tuple[bytes, Deferred]] = []
        self.connected: set[bytes] = set()
        self.presence = SimpleNamespace(chance=Signal())
        world = SimpleNamespace(
            clock=self.clock, wall=lambda: START + self.clock.seconds(), entropy=lambda size: b"\x80" * size
        )
        sessions = SimpleNamespace(connected=self.connected.__contains__, session_to=self.call)
        around = SimpleNamespace(world=world, sessions=sessions)
        self.calls = CustomerCalls(around, self.shop.store, self.presence)
        self.addCleanup(self.calls.stop)

    def call(self, customer: bytes) -> Deferred:
        calling: Deferred = Deferred()
        self.called.append((customer, calling))
        return fail(BitDustError("no-answer", "there is no network")) if self.fails else calling

    def whom(self) -> list[bytes]:
        self.clock.advance(SPREAD)
        return [customer for customer, _ in self.called]

    def end(self) -> None:
        called, self.called[:] = list(self.called), []
        for _, calling in called:
            calling.errback(BitDustError("no-answer", "nobody is there"))

    def test_everybody_who_is_not_there(self) -> None:
        """At the start and at each sign that others can be reached, after a moment by chance."""
        for person in (ALICE, BOB):
            self.shop.hire(person)
        self.connected.add(BOB.fingerprint)
        self.calls.start()
        self.assertEqual(self.called, [])
        self.assertEqual(self.whom(), [ALICE.fingerprint])
        self.end()
        self.connected.clear()
        self.presence.chance.emit()
        self.assertEqual(set(self.whom()), {ALICE.fingerprint, BOB.fingerprint})

    def test_calls_that_fail_at_once(self) -> None:
        """Without a network each call of very many fails before the next one begins."""
        account = self.shop.hire(ALICE) and self.shop.store.customers()[0]
        many = [
            evolve(account, contract=evolve(account.contract, customer=number.to_bytes(32, "big")))
            for number in range(3000)
        ]
        self.patch(self.shop.store, "customers", lambda: many)
        self.patch(self, "fails", True)
        self.calls.start()
        self.assertEqual(len(self.whom()), 3000)

    def test_one_call_at_a_time(self) -> None:
        """Who is being called is not called beside that, whatever happens."""
        self.shop.hire(ALICE)
        self.calls.start()
        self.whom()
        self.presence.chance.emit()
        self.presence.chance.emit()
        self.assertEqual(self.whom(), [ALICE.fingerprint])

    def test_many(self) -> None:
        """A few are called at once, the others when these calls are over."""
        people = [Person(f"customer-{number}") for number in range(AT_ONCE + 2)]
        for person in people:
            self.shop.hire(person)
        self.calls.start()
        self.assertEqual(len(self.whom()), AT_ONCE)
        first = {customer for customer, _ in self.called}
        self.end()
        rest = set(self.whom())
        self.assertEqual((len(rest), first | rest), (2, {person.fingerprint for person in people}))

    def test_who_was_away_for_long(self) -> None:
        """Nobody is called who was not in touch for a month."""
        self.shop.hire(ALICE)
        self.clock.advance((SEEN_DAYS + 1) * DAY)
        self.calls.start()
        self.assertEqual(self.whom(), [])

    def test_stop(self) -> None:
        """From then on nobody is called, and who is being called is no more."""
        self.shop.hire(ALICE)
        self.calls.start()
        self.whom()
        self.calls.stop()
        self.presence.chance.emit()
        self.assertEqual(self.whom(), [ALICE.fingerprint])
        self.assertEqual(self.clock.getDelayedCalls(), [])
