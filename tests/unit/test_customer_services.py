"""Duties of the services supplier, customer_patrol and customer_family: each is seen failing, and well again."""

import shutil
from pathlib import Path
from types import SimpleNamespace

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import TestCase

from bitdust.customers.families import CustomerFamilies, FamilyInDHT, InDHT
from bitdust.customers.patrol import Patrol
from bitdust.customers.pieces import customers_alone
from bitdust.customers.room import CustomersRoom
from bitdust.customers.scrubber import Scrubber
from bitdust.customers.upkeep import Upkeep
from bitdust.dht.ids import SUPPLIERS_LAYER
from bitdust.peers.waking import WITHIN
from bitdust.services.service import Unhealthy
from bitdust.services.service_customer_family import CustomerFamilyService
from bitdust.services.service_customer_patrol import CustomerPatrolService
from bitdust.services.service_supplier import SupplierService
from bitdust.signal import Signal
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from tests.unit.supplier_kit import MIB, Pack, Person, Shop, files, now

ALICE, BOB = Person("alice"), Person("bob")
HOUR, DAY = 3600, 86_400


class ServiceCase(TestCase):
    def setUp(self) -> None:
        self.shop = Shop(Path(self.mktemp()).resolve() / "customers")
        self.shop.open()
        self.addCleanup(self.shop.crash)
        self.addCleanup(self.shop.registry.shutdown)
        self.shop.hire(ALICE)
        self.shop.documents[ALICE.fingerprint] = ALICE.document

    def unwell(self, service) -> str:
        return str(self.assertRaises(Unhealthy, service.health))

    def passes(self, hours: int) -> None:
        self.shop.clock.pump([60] * 60 * hours)


class PatrolServiceTests(ServiceCase):
    def setUp(self) -> None:
        super().setUp()
        patrol = Patrol(self.shop, self.shop.store)
        self.scrubber = Scrubber(self.shop, self.shop.store, self.shop.folder.parent / "scrubbed")
        self.upkeep = Upkeep(self.shop, patrol, self.scrubber)
        self.service = CustomerPatrolService(SimpleNamespace(customers=SimpleNamespace(upkeep=self.upkeep)))
        self.service.start()
        self.addCleanup(self.service.stop)

    def test_a_patrol_that_walks_is_well(self) -> None:
        """Hour after hour, with pieces and without, the service is healthy, and ends without a timer."""
        for _ in range(2):
            self.passes(5)
            self.service.health()
            self.shop.put(ALICE, Pack(ALICE, 1))
        self.assertGreater(self.scrubber.tested, 1)
        self.service.stop()
        self.assertEqual(self.shop.clock.getDelayedCalls(), [])

    def test_contracts_that_cannot_be_checked(self) -> None:
        """When no check of contracts has come to its end for three hours the service says so; then it recovers."""
        announce, self.shop.store.announce = self.shop.store.announce, lambda customer: fail(OSError("broken"))
        self.shop.now += 400 * DAY
        self.passes(3)
        self.service.health()
        self.passes(1)
        self.assertIn("contracts", self.unwell(self.service))
        self.shop.store.announce = announce
        self.passes(1)
        self.service.health()
        self.assertIn("customer-grace-started", self.shop.events.names())

    def test_a_setting_that_cannot_be_read(self) -> None:
        """A failure about idle customers does not keep graces from being announced, and is not hidden."""
        del self.shop.settings.values["services/customer-patrol/customer-idle-days"]
        self.shop.now += 400 * DAY
        self.passes(4)
        self.assertIn("customer-grace-started", self.shop.events.names())
        self.unwell(self.service)
        self.flushLoggedErrors()

    def test_pieces_that_cannot_be_read_again(self) -> None:
        """When for six hours no piece could be tested the service says so; a store without pieces is well."""
        test, self.shop.store.test = self.shop.store.test, lambda name: fail(BitDustError("busy", "not now"))
        self.passes(9)
        self.service.health()
        self.shop.put(ALICE, Pack(ALICE, 1))
        self.passes(3)
        self.service.health()
        self.passes(5)
        self.assertIn("read again", self.unwell(self.service))
        self.shop.store.test = test
        self.passes(3)
        self.service.health()

    def test_a_piece_whose_test_fails_does_not_stop_the_walk(self) -> None:
        """The pieces behind it are tested all the same."""
        for number in range(3):
            self.shop.put(ALICE, Pack(ALICE, number))
        first = self.shop.store.piece_after(None)
        test = self.shop.store.test
        self.shop.store.test = lambda name: fail(OSError("broken")) if name == first else test(name)
        self.shop.clock.pump([60, 20, 20, 20])
        self.assertEqual(self.scrubber.tested, 2)

    def test_a_piece_that_is_deleted_meanwhile(self) -> None:
        """It counts as tested and is no damage."""
        pack = Pack(ALICE, 1)
        self.shop.put(ALICE, pack)
        test = self.shop.store.test

        def gone(name):
            self.shop.ask(ALICE, Command.DELETE_FILE, None, ALICE.order(pack.id).to_bytes())
            return test(name)

        self.shop.store.test = gone
        self.shop.clock.advance(60)
        self.assertEqual((self.scrubber.tested, self.scrubber.damaged), (1, 0))


class FamilyServiceTests(ServiceCase):
    def setUp(self) -> None:
        super().setUp()
        self.online = False
        self.answer = lambda: succeed(self.record)
        self.shop.ask(ALICE, Command.CONTACTS, "family", ALICE.family(3).to_bytes(), space="family")
        self.record: FamilyInDHT | None = FamilyInDHT(ALICE.device.id, b"raw 3", 3, 2**40)
        self.written: list[bytes] = []
        presence = SimpleNamespace(is_online=lambda customer: self.online)
        self.families = CustomerFamilies(self.shop, self.shop.store, self, presence)
        rows = SimpleNamespace(rows=list)
        healing = SimpleNamespace(start=lambda: None, stop=lambda: None, rows=rows)
        customers = SimpleNamespace(families=self.families, healing=healing)
        self.service = CustomerFamilyService(SimpleNamespace(customers=customers, gateway=SimpleNamespace(inbox=None)))
        self.service.start()
        self.shop.clock.advance(WITHIN)
        self.addCleanup(self.service.stop)

    def read(self, customer: bytes, device: bytes, identity: bool) -> Deferred:
        return self.answer().addCallback(lambda record: InDHT(record, 1, 2**40))

    def write_family(self, raw: bytes) -> Deferred:
        self.written.append(raw)
        return self.answer()

    def test_records_that_are_kept_alive(self) -> None:
        """While the DHT answers the service is healthy, whatever it has lost."""
        self.passes(20)
        self.record = None
        self.passes(20)
        self.service.health()
        self.assertIn(b"raw 3", self.written)

    def test_a_dht_that_fails_for_a_day(self) -> None:
        """A record that could not be kept alive for a day is reported; an answer ends that."""
        self.answer = lambda: fail(RuntimeError("no nodes"))
        self.passes(24)
        self.service.health()
        self.passes(2)
        self.assertIn("1 customers", self.unwell(self.service))
        self.answer = lambda: succeed(self.record)
        self.passes(1)
        self.service.health()

    def test_a_write_that_fails_for_a_day(self) -> None:
        """Reading alone keeps nothing alive: where the record is lost and cannot be written the service says so."""
        self.write_family = lambda raw: fail(RuntimeError("nobody takes it"))
        self.record = None
        self.passes(27)
        self.unwell(self.service)

    def test_others_are_in_the_dht_again(self) -> None:
        """What nobody has taken is brought to them in seconds; of those whose record is there none is read again."""
        self.families.network_is_back()
        self.shop.clock.advance(WITHIN)
        before = list(self.written)
        self.write_family = lambda raw: fail(BitDustError("not-stored", "nobody is there"))
        self.record = None
        self.passes(2)
        del self.write_family
        self.answer = lambda: succeed(self.record)
        self.assertEqual(self.written, before)
        for _ in range(2):
            self.families.network_is_back()
            self.shop.clock.advance(WITHIN)
            self.assertEqual(self.written, [*before, b"raw 3"])

    def test_many_customers(self) -> None:
        """Records of two hundred customers are not all asked for in the moment of a start, nor in that in which others
        are in the DHT again; each is within ten seconds."""
        self.service.stop()
        customers = [bytes([number]) * 32 for number in range(200)]
        contracts = [SimpleNamespace(contract=SimpleNamespace(customer=who)) for who in customers]
        self.patch(self.shop.store, "customers", lambda: contracts)
        asked: list[bytes] = []

        def read(customer: bytes, device: bytes, identity: bool) -> Deferred:
            asked.append(customer)
            return fail(RuntimeError("no nodes"))

        self.families.dht = SimpleNamespace(read=read)
        self.service.start()
        for begin in (lambda: None, self.families.network_is_back):
            asked.clear()
            begin()
            counts = []
            for _ in range(int(WITHIN)):
                self.shop.clock.advance(1)
                counts.append(len(asked) - sum(counts))
            self.assertEqual((len(asked), set(asked)), (200, set(customers)))
            self.assertLess(max(counts), 40)

    def test_an_owner_who_is_here(self) -> None:
        """Its record is its own care: nothing is overdue."""
        self.answer = lambda: fail(RuntimeError("no nodes"))
        self.passes(27)
        self.online = True
        self.service.health()

    def test_nothing_to_keep_alive(self) -> None:
        """A customer of whom no family is known makes nothing overdue."""
        self.shop.hire(BOB)
        self.shop.store._write_connection().execute("DELETE FROM records")
        self.answer = lambda: fail(RuntimeError("no nodes"))
        self.passes(27)
        self.service.health()

    def test_who_left_is_forgotten(self) -> None:
        """A former customer has no machine any more, and a record that comes while the service is off makes none."""
        self.families.forget(ALICE.fingerprint)
        self.assertEqual(self.shop.registry.find("family_member"), [])
        self.service.stop()
        self.families.refresh(ALICE.fingerprint)
        self.assertEqual(self.shop.registry.find("family_member"), [])


class SupplierServiceTests(TestCase):
    def setUp(self) -> None:
        self.shop = Shop(Path(self.mktemp()).resolve() / "customers")
        self.shop.world.home = self.shop.folder.parent
        (self.shop.world.home / "metadata").mkdir(parents=True)
        self.shop.settings.values["paths/customers"] = ""
        presence = SimpleNamespace(
            is_online=lambda who: False, watch=lambda *_: None, forget=lambda *_: None,
            changed=Signal(), chance=Signal(),
        )  # fmt: skip
        self.customers = CustomersRoom(self.shop, presence, SimpleNamespace(), customers_alone(self.shop))
        self.rows: list = []
        self.roles: list = []
        self.layers: set[int] = set()
        gateway = SimpleNamespace(
            inbox=SimpleNamespace(add=self.rows.append, remove=self.rows.remove),
            relations=SimpleNamespace(add=self.add_role),
        )
        node = SimpleNamespace(attach=self.layers.add, detach=self.layers.discard)
        rooms = SimpleNamespace(customers=self.customers, gateway=gateway, dht=SimpleNamespace(node=node))
        self.service = SupplierService(rooms)
        now(self.service.start())
        self.addCleanup(self.stop)

    def stop(self) -> None:
        now(self.service.stop())
        self.shop.registry.shutdown()

    def add_role(self, role, holds):
        self.roles.append(holds)
        return lambda: self.roles.remove(holds)

    def test_it_serves_and_is_found(self) -> None:
        """A healthy supplier has all its rows in the table, knows its customers, and is in the suppliers' layer."""
        self.service.health()
        self.assertEqual((len(self.rows), self.layers), (len(self.customers.rows.specs()), {SUPPLIERS_LAYER}))
        self.assertFalse(self.roles[0](ALICE.fingerprint))

    def test_where_its_customers_were_met(self) -> None:
        """After a restart it knows from where those came who have stored something, and lets them shake hands beside a
        flood; a network of newcomers is one of strangers."""
        self.patch(self.customers.store, "customers", lambda: [
            SimpleNamespace(network=f"203.0.{number}.0/24", is_newcomer=lambda wall, new=number == 2: new)
            for number in (1, 2)
        ])  # fmt: skip
        self.customers.remember_networks()
        scopes = self.customers.store.scopes
        for number in range(240):
            for _ in range(20):
                scopes.may_come(f"198.51.{number}.1")
            scopes.may_come("203.0.2.1")
        self.assertEqual([scopes.may_come(f"203.0.{number}.7") for number in (1, 2)], [True, False])

    def test_a_disk_that_is_gone(self) -> None:
        """Without its folder the service says which one is gone, until it is there again."""
        shutil.rmtree(self.customers.folder)
        error = self.assertRaises(Unhealthy, self.service.health)
        self.assertIn(str(self.customers.folder), str(error))
        self.customers.folder.mkdir()
        self.service.health()

    def test_a_store_that_is_closed(self) -> None:
        """A service whose store was closed does not do its duty."""
        now(self.customers.store.stop())
        self.assertIn("closed", str(self.assertRaises(Unhealthy, self.service.health)))

    def test_a_notice_hides_it(self) -> None:
        """From a notice on it is not found as a supplier; when it stays it is found again."""
        now(self.customers.retirement.retire(14))
        self.assertEqual(self.layers, set())
        now(self.customers.retirement.cancel())
        self.assertEqual(self.layers, {SUPPLIERS_LAYER})

    def test_the_end_leaves_nothing(self) -> None:
        """After a stop there is no row, no role, no layer and no machine; then it starts again."""
        now(self.service.stop())
        self.assertEqual((self.rows, self.roles, self.layers), ([], [], set()))
        self.assertEqual(len(self.shop.registry), 0)
        now(self.customers.retirement.retire(14))
        self.assertEqual(self.layers, set())
        now(self.service.start())

    def test_a_customer_that_ends_its_contract(self) -> None:
        """When the last customer leaves after a notice the retirement is over at once."""
        table = {(row.command, row.kind): row for row in self.rows}
        self.shop.table, self.shop.store = table, self.customers.store
        self.shop.hire(ALICE, MIB)
        self.shop.put(ALICE, Pack(ALICE, 1))
        now(self.customers.retirement.retire(14))
        self.assertEqual(self.customers.retirement.status()["state"], "notice")
        self.shop.end(ALICE)
        self.assertEqual(self.customers.retirement.status()["state"], "over")
        self.assertEqual(files(self.customers.folder), [])
