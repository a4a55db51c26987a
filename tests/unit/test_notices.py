"""A supplier's notice, to all or to one: what it takes, what it keeps, for how long, and how customers hear of it."""

import json
from types import SimpleNamespace

from twisted.internet.defer import Deferred, fail, succeed

from bitdust.customers.notices import Notices
from bitdust.customers.patrol import Patrol
from bitdust.customers.quota import BESIDE
from bitdust.customers.retirement import Notice, Retirement
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from tests.unit.supplier_kit import DAY, MIB, START, Pack, Person, files, now
from tests.unit.test_supplier_store import ALICE, BOB, ShopCase

CAROL = Person("carol")
ONE, TWO = Pack(ALICE, 1), Pack(ALICE, 2)


class NoticeTests(ShopCase):
    def setUp(self) -> None:
        super().setUp()
        self.shop.hire(ALICE, MIB)
        self.shop.put(ALICE, ONE)

    def state(self, person: Person = ALICE) -> str:
        return str(self.shop.store.contract_of(person.fingerprint).state)

    def retire(self) -> None:
        now(self.shop.store.retire())

    def test_nothing_new_and_all_of_the_old(self) -> None:
        """After a notice pieces and customers are refused; what is there can be listed and read, and logs go on."""
        self.retire()
        self.assertEqual(self.shop.put(ALICE, TWO).code, "no-service")
        self.assertEqual(self.shop.hire(BOB).code, "no-service")
        self.assertEqual(self.shop.get(ALICE, ONE).bytes, ONE.pieces[0])
        for entry in ALICE.log(2):
            self.assertEqual(self.shop.log(ALICE, entry).command, Command.ACK)
        ring = ALICE.ring(1)
        self.assertEqual(self.shop.ask(ALICE, Command.DATA, "keyring", ring.to_bytes()).command, Command.ACK)

    def test_an_old_contract_is_confirmed_and_not_renewed(self) -> None:
        """Asking again gives the contract as it was and says until when; more room is refused."""
        name = self.shop.store.contract_of(ALICE.fingerprint).contract
        self.retire()
        now(self.shop.store.announce(ALICE.fingerprint))
        self.shop.now += DAY
        said = self.shop.hire(ALICE, MIB, contract=name.contract)
        self.assertEqual(said.fields["leaves"], START + 90 * DAY)
        self.assertEqual(self.shop.store.contract_of(ALICE.fingerprint).contract, name)
        self.assertEqual(self.shop.hire(ALICE, 2 * MIB, contract=name.contract).code, "no-space")
        self.assertEqual(self.shop.hire(ALICE, 2 * MIB).command, Command.ACK)
        self.assertEqual(self.state(), "retiring")

    def test_the_grace_begins_when_the_customer_has_heard(self) -> None:
        """Unheard the term of a year counts, heard 90 days; coming back changes neither; then the pieces go."""
        self.retire()
        kept = self.shop.store.contract_of(ALICE.fingerprint)
        self.assertIsNone(kept.purge_at)
        self.shop.now += 10 * DAY
        now(self.shop.store.announce(ALICE.fingerprint))
        for _ in range(3):
            self.shop.now += DAY
            now(self.shop.store.touch(ALICE.fingerprint) or succeed(None))
        self.assertEqual(self.shop.store.contract_of(ALICE.fingerprint).purge_at, START + 100 * DAY)
        self.shop.now = START + 100 * DAY - 1
        self.assertEqual(now(self.shop.store.purge(ALICE.fingerprint)), 0)
        self.shop.now += 1
        self.assertEqual(now(self.shop.store.purge(ALICE.fingerprint)), len(ONE.pieces[0]))
        self.assertEqual(files(self.folder), [])

    def test_staying_undoes_a_notice_to_all_only(self) -> None:
        """When the supplier stays, its customers are as before; one that was rejected and one that left are not."""
        for person in (BOB, CAROL):
            self.shop.hire(person, MIB)
        now(self.shop.store.reject(BOB.fingerprint))
        name = self.shop.store.contract_of(CAROL.fingerprint).contract.contract
        now(self.shop.store.cancel(CAROL.fingerprint, name))
        self.retire()
        now(self.shop.store.stay())
        self.assertEqual([self.state(one) for one in (ALICE, BOB, CAROL)], ["active", "rejected", "cancelled"])
        self.assertEqual(self.shop.put(ALICE, TWO).command, Command.ACK)

    def test_a_rejected_customer_does_not_come_back(self) -> None:
        """A request does not undo a rejection, at once or not; its room is free for others; its own word ends it."""
        now(self.shop.store.reject(ALICE.fingerprint))
        self.shop.hire(ALICE, MIB)
        self.assertEqual(self.state(), "rejected")
        self.assertEqual(self.shop.store.contract_of(ALICE.fingerprint).allotted, len(ONE.pieces[0]) + BESIDE)
        self.assertEqual(now(self.shop.store.erase(ALICE.fingerprint)), len(ONE.pieces[0]))
        self.assertEqual(files(self.folder), [])
        self.assertEqual(self.shop.put(ALICE, TWO).code, "no-service")
        self.assertEqual(self.shop.hire(ALICE, MIB).code, "not-allowed")
        name = self.shop.store.contract_of(ALICE.fingerprint).contract.contract
        now(self.shop.store.end(ALICE.fingerprint, name))
        self.assertEqual(self.shop.hire(ALICE, MIB).code, "not-allowed")
        self.assertEqual((self.state(), self.shop.store.contract_of(ALICE.fingerprint).used), ("rejected", 0))
        now(self.shop.store.announce(ALICE.fingerprint))
        self.shop.now += 90 * DAY
        now(self.shop.store.purge(ALICE.fingerprint))
        self.assertIsNone(self.shop.hire(ALICE, MIB).code)

    def test_only_a_rejected_customer_is_erased(self) -> None:
        """`erase` touches nobody whose contract stands."""
        self.assertEqual(now(self.shop.store.erase(ALICE.fingerprint)), 0)
        self.assertEqual(self.shop.get(ALICE, ONE).bytes, ONE.pieces[0])

    def test_the_patrol_tells_and_frees(self) -> None:
        """Rejecting tells the customer and gives true figures; rejecting again with at_once frees what was kept."""
        events, told = self.shop.events, []
        events.clear()
        patrol = Patrol(self.shop, self.shop.store)
        patrol.noticed.connect(told.append)
        first = now(patrol.give_notice(ALICE.fingerprint, False))
        self.assertEqual((first.freed, first.kept, first.until), (0, len(ONE.pieces[0]), START + 90 * DAY))
        second = now(patrol.give_notice(ALICE.fingerprint, True))
        self.assertEqual((second.freed, second.kept), (len(ONE.pieces[0]), 0))
        self.assertEqual(told, [ALICE.fingerprint] * 2)
        self.assertEqual(events.names(), ["customer-rejected"] * 2)
        error = self.assertRaises(BitDustError, now, patrol.give_notice(BOB.fingerprint, False))
        self.assertEqual(error.code, "no-contract")


class RetirementTests(ShopCase):
    def setUp(self) -> None:
        super().setUp()
        self.shop.hire(ALICE, MIB)
        self.shop.hire(BOB, MIB)
        self.shop.put(ALICE, ONE)
        self.clock = self.shop.clock
        self.shop.world.wall = lambda: START + self.clock.seconds()
        self.settings, self.events = self.shop.settings, self.shop.events
        self.path = self.folder.with_name("retirement")
        self.sent: list[tuple[bytes, dict]] = []
        self.online, self.watchers = {ALICE.fingerprint}, []
        self.shop.sessions = SimpleNamespace(connected=lambda who: who in self.online, on_session=self.on_session)
        self.shop.outbox = SimpleNamespace(send=self.send)
        self.addCleanup(self.shop.registry.shutdown)
        self.build()

    def build(self) -> None:
        self.retirement = Retirement(self.shop, self.shop.store, self.path)
        self.retirement.load()
        self.notices = Notices(self.shop, self.shop.store, lambda: self.retirement.until)
        self.retirement.notices_due.connect(self.notices.deliver_all)
        now(self.retirement.start())
        self.notices.start()
        self.addCleanup(self.notices.stop)

    def on_session(self, watcher):
        self.watchers.append(watcher)
        return lambda: self.watchers.remove(watcher)

    def send(self, to, command, fields, payload=None, *, deadline):
        self.assertEqual(command, Command.CANCEL_SERVICE)
        self.sent.append((to, dict(fields)))
        return succeed(None) if to in self.online else fail(BitDustError("no-answer", "away"))

    def comes(self, person: Person) -> None:
        self.online.add(person.fingerprint)
        session = SimpleNamespace(peer=SimpleNamespace(fingerprint=person.fingerprint))
        for watcher in list(self.watchers):
            watcher(session, True)

    def told(self, person: Person) -> bool:
        return bool(self.shop.store.contract_of(person.fingerprint).announced)

    def test_everybody_hears_when_it_can(self) -> None:
        """Connected customers are told at once, others when they come; until then their grace has not begun."""
        now(self.retirement.retire(14))
        self.assertEqual([(to, fields["until"]) for to, fields in self.sent], [(ALICE.fingerprint, START + 14 * DAY)])
        self.assertEqual((self.told(ALICE), self.told(BOB)), (True, False))
        self.comes(BOB)
        self.assertTrue(self.told(BOB))
        row = self.retirement.status()["customers"][0]
        self.assertEqual((row["global_id"], row["used"], row["told"]), ("alice@id.example", len(ONE.pieces[0]), True))
        self.assertEqual(len(self.retirement.status()["customers"]), 1)

    def test_nothing_happens_without_a_notice(self) -> None:
        """A supplier that stays tells nobody, refuses nobody and stops nothing."""
        self.clock.advance(1000 * DAY)
        self.comes(BOB)
        self.retirement.customer_left()
        self.assertEqual((self.sent, self.retirement.status()["state"]), ([], "serving"))
        self.assertTrue(self.settings.get("services/supplier/enabled"))

    def test_the_service_stops_meanwhile(self) -> None:
        """A notice that is given while the service is stopping is kept, and the service is switched on to carry it."""
        writing: Deferred = Deferred()
        self.shop.store.retire = lambda: writing
        retiring = self.retirement.retire(14)
        self.retirement.stop()
        self.settings.set("services/supplier/enabled", False)
        writing.callback(None)
        self.successResultOf(retiring)
        self.assertTrue(self.retirement.is_retiring)
        self.assertTrue(self.settings.get("services/supplier/enabled"))

    def test_it_ends_when_all_have_moved(self) -> None:
        """The service is switched off as soon as the last customer has ended its contract."""
        now(self.retirement.retire(14))
        for person in (ALICE, BOB):
            self.assertTrue(self.settings.get("services/supplier/enabled"))
            name = self.shop.store.contract_of(person.fingerprint).contract.contract
            now(self.shop.store.end(person.fingerprint, name))
            self.retirement.customer_left()
        self.assertFalse(self.settings.get("services/supplier/enabled"))
        self.assertEqual(self.retirement.status()["state"], "over")
        self.assertIn("supplier-retired", self.events.names())

    def test_it_ends_when_the_time_is_over_and_erases_nothing(self) -> None:
        """An hour after the days that were given the service stops; the pieces stay; a longer time opens it again."""
        now(self.retirement.retire(2))
        self.clock.advance(2 * DAY - 61)
        self.clock.pump([60] * 60)
        self.assertTrue(self.settings.get("services/supplier/enabled"))
        self.clock.pump([60] * 4)
        self.assertFalse(self.settings.get("services/supplier/enabled"))
        self.assertEqual(len(files(self.folder)), 1)
        now(self.retirement.retire(5))
        self.assertEqual(self.retirement.status()["state"], "notice")

    def test_a_clock_that_is_ahead_for_a_moment(self) -> None:
        """It does not end the service: customers have the days that they were told."""
        ahead = 0
        self.shop.world.wall = lambda: START + self.clock.seconds() + ahead
        now(self.retirement.retire(14))
        ahead = 365 * DAY
        self.clock.pump([60] * 50)
        self.retirement.stop()
        self.build()
        self.clock.pump([60] * 50)
        ahead = 0
        self.clock.pump([60] * 20)
        self.assertEqual(self.retirement.status()["state"], "notice")
        self.assertTrue(self.settings.get("services/supplier/enabled"))

    def test_a_restart_goes_on(self) -> None:
        """The plan is on the disk before anybody is told; after a restart it holds, and staying is remembered too."""
        now(self.retirement.retire(14))
        until = self.retirement.until
        self.clock.advance(DAY)
        self.retirement.stop()
        self.build()
        self.assertEqual((self.retirement.until, self.retirement.status()["state"]), (until, "notice"))
        self.assertEqual(self.shop.hire(CAROL).code, "no-service")
        now(self.retirement.cancel())
        self.assertEqual(self.sent[-1][1]["until"], 0)
        self.retirement.stop()
        self.build()
        self.assertFalse(self.retirement.is_retiring)
        self.assertEqual(self.shop.store.contract_of(ALICE.fingerprint).state, "active")
        self.assertRaises(BitDustError, self.retirement.cancel)

    def test_killed_between_plan_and_contracts(self) -> None:
        """A node that is killed right after the plan was written refuses pieces after its next start."""
        self.path.write_text(json.dumps({"since": START, "until": START + DAY, "over": False}))
        self.retirement.stop()
        self.build()
        self.assertEqual(self.shop.put(ALICE, TWO).code, "no-service")
        self.assertEqual(self.retirement.status()["until"], START + DAY)

    def test_a_damaged_plan_is_told(self) -> None:
        """Whether customers are taken must be known: a damaged file stops the start and says what to do."""
        for text in ("", "[]", '{"since": 1}', '{"since": "x", "until": 2, "over": 0}'):
            self.path.write_text(text)
            error = self.assertRaises(BitDustError, self.retirement.load)
            self.assertIn("remove it", str(error))
        self.path.unlink()
        self.retirement.load()
        self.assertEqual(Notice(1, 2), Notice(1, 2, False))
