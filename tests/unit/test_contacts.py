"""Presence, customers' families, the patrol over contracts and pieces, being found, lists and figures."""

from pathlib import Path
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import fail, succeed
from twisted.trial.unittest import TestCase

from bitdust.automats.customers_rejector import CustomersRejector
from bitdust.automats.local_tester import LocalTester
from bitdust.customers.customers import Customers
from bitdust.customers.families import CustomerFamilies, FamilyInDHT, InDHT
from bitdust.customers.patrol import Patrol
from bitdust.customers.quota import BESIDE
from bitdust.customers.scrubber import Scrubber
from bitdust.peers.relations import Relations
from bitdust.peers.waking import WITHIN
from bitdust.space import MeasuredFolders, Space, folder_size, percent
from bitdust.transport.inbox import Inbox
from bitdust.wire.packet import Command
from bitdust.wire.sizes import in_words
from bitdust.wire.table import Answer, Who
from tests.unit.family_kit import GB, Town
from tests.unit.supplier_kit import DAY, MIB, START, Pack, Person, Shop, files, now

ALICE, BOB = Person("alice"), Person("bob")


class ShopCase(TestCase):
    def setUp(self) -> None:
        self.shop = Shop(Path(self.mktemp()).resolve() / "customers")
        self.clock, self.registry = self.shop.clock, self.shop.registry
        self.addCleanup(self.registry.shutdown)
        self.shop.open()
        self.addCleanup(self.shop.crash)
        self.events, self.settings = self.shop.events, self.shop.settings
        self.shop.documents = {ALICE.fingerprint: ALICE.document, BOB.fingerprint: BOB.document}


class FamilyMemberTests(ShopCase):
    def setUp(self) -> None:
        super().setUp()
        self.shop.hire(ALICE)
        self.shop.ask(ALICE, Command.CONTACTS, "family", ALICE.family(1).to_bytes(), space="family")
        self.dht: FamilyInDHT | None = None
        self.identity = self.identity_expires = 0
        self.documents: list[tuple[int, bytes]] = []
        self.written: list[bytes] = []
        self.online = False
        self.reads = 0
        presence = SimpleNamespace(is_online=lambda customer: self.online)
        self.families = CustomerFamilies(self.shop, self.shop.store, self, presence)
        self.addCleanup(self.families.stop)

    def start(self) -> None:
        """As long as it takes until everybody was looked after once."""
        self.families.start()
        self.shop.clock.advance(WITHIN)

    def read(self, customer: bytes, device: bytes, identity: bool):
        self.reads += 1
        return succeed(InDHT(self.dht, self.identity, self.identity_expires) if identity else InDHT(self.dht))

    def write_family(self, raw: bytes):
        self.written.append(raw)
        return succeed(None)

    def write_identity(self, customer: bytes, revision: int, document: bytes):
        self.documents.append((revision, document))
        return succeed(None)

    def found(self, revision: int, days: int = 400) -> FamilyInDHT:
        return FamilyInDHT(ALICE.device.id, b"raw %d for %d" % (revision, days), revision, START + days * DAY)

    def restart(self) -> None:
        """The supplier starts again: nothing is known but what is on the disk."""
        self.families.stop()
        self.start()

    def state(self) -> str:
        (machine,) = self.registry.find("family_member")
        return machine.state

    def test_the_newest_family_is_kept(self) -> None:
        """What the DHT has is remembered byte by byte; a newer one, or one that lives longer, takes its place."""
        self.start()
        for found in (self.found(7), self.found(7, 440), self.found(8)):
            self.dht = found
            self.families.refresh(ALICE.fingerprint)
            self.assertEqual(self.state(), "CONNECTED")
            self.assertEqual(self.kept(), found.raw)
        for found in (self.found(7, 440), self.found(8, 399)):
            self.families.remember(ALICE.fingerprint, found)
            self.assertEqual(self.kept(), b"raw 8 for 400")

    def kept(self) -> bytes:
        return self.shop.store.keepsake("family-dht", ALICE.fingerprint).data[8:]

    def test_a_lost_record_is_stored_again_while_the_owner_is_away(self) -> None:
        """When the DHT has forgotten, or gone back, the remembered bytes are stored again, verbatim."""
        self.dht = self.found(7)
        self.start()
        for now_there in (None, self.found(3)):
            self.dht = now_there
            self.written.clear()
            self.clock.advance(3600)
            self.assertEqual(self.written, [b"raw 7 for 400"])

    def test_a_restart_forgets_nothing(self) -> None:
        """A supplier that starts again brings back what the DHT has lost meanwhile, until the record itself ends."""
        self.dht = self.found(7)
        self.start()
        self.dht = None
        self.restart()
        self.assertEqual(self.written, [b"raw 7 for 400"])
        self.shop.now += 401 * DAY
        self.restart()
        self.assertEqual(self.written, [b"raw 7 for 400"])

    def test_an_identity_is_kept_alive(self) -> None:
        """The document that came with the contract is stored again where the DHT has none, an old one, or soon none."""
        self.start()
        document = (1, ALICE.document.xml)
        self.assertEqual(self.documents, [document])
        self.identity, self.identity_expires = 1, START + 30 * DAY
        self.restart()
        self.assertEqual(self.documents, [document])
        self.shop.now += 21 * DAY
        self.restart()
        self.assertEqual(self.documents, [document] * 2)

    def test_the_identity_of_an_owner_who_is_here(self) -> None:
        """Nobody asks for it or stores it for its owner; an hour after the owner has left it is cared for."""
        self.online, self.dht = True, self.found(7)
        self.start()
        self.assertEqual((self.state(), self.documents), ("CONNECTED", []))
        self.online = False
        self.clock.advance(3600)
        self.assertEqual(self.documents, [(1, ALICE.document.xml)])

    def test_nothing_is_done_while_the_owner_is_here(self) -> None:
        """An owner with a session refreshes its record itself."""
        self.dht = self.found(7)
        self.start()
        self.online, self.dht, reads = True, None, self.reads
        self.clock.pump([3600] * 5)
        self.assertEqual((self.written, self.reads), ([], reads))

    def test_an_unreachable_dht_is_tried_again(self) -> None:
        """A failed read leaves the machine waiting for the next time."""
        good, self.read = self.read, lambda *_: fail(RuntimeError("no nodes"))
        self.start()
        self.assertEqual(self.state(), "DISCONNECTED")
        self.read, self.dht = good, self.found(1)
        self.clock.advance(300)
        self.assertEqual(self.state(), "CONNECTED")


class PatrolTests(ShopCase):
    def setUp(self) -> None:
        super().setUp()
        self.shop.hire(ALICE)
        self.shop.put(ALICE, Pack(ALICE, 1))
        self.gone: list[bytes] = []
        patrol = Patrol(self.shop, self.shop.store)
        patrol.removed.connect(self.gone.append)
        self.machine = CustomersRejector(self.registry, patrol)
        self.events.clear()

    def passes(self, seconds: float) -> None:
        """The node has run for so long; its machine has not."""
        self.clock.rightNow += seconds

    def walk(self, days: float = 0) -> list[str]:
        self.shop.now += days * DAY
        self.events.clear()
        self.machine.send("restart")
        self.assertEqual(self.machine.state, "READY")
        return self.events.names()

    def test_a_term_ends_with_a_grace_and_a_grace_with_the_end(self) -> None:
        """365 silent days announce the grace; 90 days after that the pieces go, and not a day before."""
        self.assertEqual(self.walk(364), [])
        self.assertEqual(self.walk(2), ["customer-grace-started"])
        self.assertEqual(self.walk(89), [])
        self.assertEqual(self.shop.get(ALICE, Pack(ALICE, 1)).command, Command.DATA)
        self.assertEqual(self.walk(1.5), [])
        self.passes(DAY)
        self.assertEqual(self.walk(), ["existing-customer-terminated"])
        self.assertEqual(self.gone, [ALICE.fingerprint])
        self.assertEqual(files(self.shop.folder), [])

    def test_a_clock_that_jumps_erases_nobody(self) -> None:
        """A clock that runs years ahead for an hour, or was years behind when a notice was told, ends no grace."""
        self.walk(366)
        self.assertEqual(self.walk(3000), [])
        self.passes(3600)
        self.assertEqual(self.walk(), [])
        self.assertEqual(self.walk(-3000), [])
        self.passes(3 * DAY)
        self.assertEqual(self.walk(3000), [])
        self.assertEqual(self.walk(-3000), [])
        now(self.shop.store.reject(ALICE.fingerprint))
        right, self.shop.now = self.shop.now, 1000
        now(self.shop.store.announce(ALICE.fingerprint))
        self.shop.now = right
        for _ in range(3):
            self.assertNotIn("existing-customer-terminated", self.walk())
            self.passes(DAY)
        self.assertEqual(self.shop.get(ALICE, Pack(ALICE, 1)).command, Command.DATA)

    def test_a_supplier_that_was_off_for_years_gives_the_whole_grace(self) -> None:
        """A walk long after term and grace announces first, and erases only when the announced grace has passed."""
        self.assertEqual(self.walk(2000), ["customer-grace-started"])
        self.assertEqual(self.walk(80), [])
        now(self.shop.store.touch(ALICE.fingerprint))
        self.assertEqual(self.walk(80), [])
        self.assertEqual(self.shop.get(ALICE, Pack(ALICE, 1)).command, Command.DATA)

    def test_too_many_promises_are_told_and_nobody_is_rejected(self) -> None:
        """With less donated than promised the owner is warned, and that is all."""
        self.shop.settings.values["services/supplier/donated-space"] = MIB
        self.assertEqual(self.walk(), ["donated-space-exceeded"])
        self.assertEqual(self.shop.get(ALICE, Pack(ALICE, 1)).command, Command.DATA)

    def test_idle_days_free_room_and_keep_pieces(self) -> None:
        """A silent customer stops holding unused room after the setting's days; 0 leaves it to the contract."""
        self.assertEqual(self.walk(30), [])
        self.settings.values["services/customer-patrol/customer-idle-days"] = 14
        self.assertEqual(self.walk(), ["customer-idle"])
        self.assertEqual(self.shop.store.contract_of(ALICE.fingerprint).allotted, 500 + BESIDE)
        self.assertEqual(self.shop.get(ALICE, Pack(ALICE, 1)).command, Command.DATA)
        self.assertEqual(self.shop.put(ALICE, Pack(ALICE, 2)).code, "no-contract")
        self.shop.hire(ALICE)
        self.assertEqual(self.shop.put(ALICE, Pack(ALICE, 2)).command, Command.ACK)

    def test_it_walks_by_itself_every_hour(self) -> None:
        """Without anybody asking the patrol walks once an hour, and not before."""
        self.shop.now += 366 * DAY
        self.clock.advance(3599)
        self.assertEqual(self.events.names(), [])
        self.clock.advance(1)
        self.assertEqual(self.events.names(), ["customer-grace-started"])

    def test_damage_is_found_and_told(self) -> None:
        """The slow walk reads a portion after the other, tells of a damaged piece, rests, and begins again."""
        for number in range(2, 5):
            self.shop.put(ALICE, Pack(ALICE, number))
        path = self.shop.folder / files(self.shop.folder)[2]
        path.write_bytes(b"x" * 500)
        self.events.clear()
        scrubber = Scrubber(self.shop, self.shop.store, self.shop.folder.parent / "scrubbed")
        machine = LocalTester(self.registry, scrubber)
        self.clock.pump([60, 20, 20, 20, 20])
        self.assertEqual((scrubber.tested, scrubber.damaged, machine.state), (4, 1, "RESTING"))
        ((event, told),) = self.events
        self.assertEqual((event, told["state"]), ("customer-piece-damaged", "damaged"))
        self.assertEqual(told["piece"], path.name)
        self.clock.advance(7199)
        self.assertEqual(scrubber.tested, 4)
        self.clock.pump([1, 60])
        self.assertEqual((scrubber.tested, machine.state), (8, "PAUSED"))


class ListTests(TestCase):
    def setUp(self) -> None:
        self.town = Town(Path(self.mktemp()))
        self.addCleanup(self.town.registry.shutdown)
        self.addCleanup(self.town.stop)

    def test_customers_are_renewed_by_being_heard(self) -> None:
        """A customer that connects has its term begin anew, and is listed with its contract."""
        shop = Shop(Path(self.mktemp()).resolve() / "customers")
        shop.open()
        self.addCleanup(shop.crash)
        person = self.town.supplier(0).person
        shop.hire(person)
        customers = Customers(shop, shop.store, self.town.presence)
        self.town.presence.start()
        customers.start()
        shop.now += 10 * DAY
        self.town.connect(person.fingerprint)
        (row,) = customers.list(verbose=True)
        self.assertEqual(row["contract"]["since"], START + 10 * DAY)
        self.assertEqual((row["contact_state"], row["customer_state"]), ("CONNECTED", "active"))
        self.assertTrue(customers.is_customer(person.fingerprint))
        self.assertFalse(customers.is_customer(BOB.fingerprint))
        self.assertEqual(self.successResultOf(customers.ping()), 1)
        customers.stop()


class SpaceTests(ShopCase):
    def space(self, used: int = 0) -> Space:
        home = self.shop.folder.parent
        folders = MeasuredFolders(home / "spool", home / "temp", self.shop.folder)
        self.settings.values |= {"services/customer/suppliers-number": 4, "services/customer/needed-space": 4 * GB}
        return Space(self.shop, folders, self.shop.store, lambda: (used, used), lambda: None)

    def test_donated_adds_up(self) -> None:
        """donated = consumed + free; the customers' figures sum to the whole; those who left are counted apart."""
        self.shop.hire(ALICE, 10 * MIB)
        self.shop.hire(BOB, 20 * MIB)
        for number in range(3):
            self.shop.put(ALICE, Pack(ALICE, number))
        self.shop.put(BOB, Pack(BOB, 1))
        now(self.shop.store.set_idle(BOB.fingerprint))
        figures = self.space().donated()
        everybody = figures["customers"] + figures["old_customers"]
        self.assertEqual(figures["donated"], figures["consumed"] + figures["free"])
        self.assertEqual(figures["consumed"], sum(one["consumed"] for one in everybody))
        self.assertEqual(figures["used"], sum(one["used"] for one in everybody))
        self.assertEqual((figures["used"], figures["old_customers_used"]), (2000, 500))
        self.assertEqual(figures["consumed"], 10 * MIB + 500 + BESIDE)
        self.assertEqual((figures["customers_num"], figures["donated_str"]), (1, "100 MB"))

    def test_consumed_adds_up(self) -> None:
        """needed = used + available, in all and per supplier."""
        figures = self.space(GB + 1).consumed()
        for end in ("", "_per_supplier"):
            self.assertEqual(figures["needed" + end], figures["used" + end] + figures["available" + end])
        self.assertEqual((figures["suppliers_num"], figures["needed_per_supplier"]), (4, 2 * GB))

    def test_local_adds_up(self) -> None:
        """total is the sum of the measured folders; a missing folder is empty; links are not followed."""
        self.shop.hire(ALICE)
        self.shop.put(ALICE, Pack(ALICE, 1))
        (self.shop.folder.parent / "temp").mkdir()
        (self.shop.folder.parent / "temp" / "part").write_bytes(b"x" * 77)
        figures = now(self.space().local())
        self.assertEqual((figures["customers"], figures["temp"], figures["backups"]), (500, 77, 0))
        self.assertEqual(figures["total"], figures["customers"] + 77)
        self.assertGreater(figures["disktotal"], figures["diskfree"])

    def test_sizes_in_words(self) -> None:
        """Powers of 1024 with one decimal; percentages of nothing are 0."""
        self.assertEqual(
            [in_words(size) for size in (0, 1023, 1536, 8 * GB, -GB)],
            ["0 bytes", "1023 bytes", "1.5 KB", "8 GB", "-1 GB"],
        )
        self.assertEqual((percent(1, 8), percent(5, 0)), ("12.5%", "0.0%"))
        self.assertEqual(folder_size(Path(self.mktemp())), 0)

    @given(st.integers(-(2**63), 2**63))
    def test_any_size_has_words(self, size: int) -> None:
        """Every number of bytes can be shown."""
        self.assertTrue(in_words(size))


class TableTests(ShopCase):
    def test_the_rows_fit_the_inbox(self) -> None:
        """Every row is taken by the real packet table once, strangers may send RequestService alone."""
        inbox = Inbox(SimpleNamespace(world=None, registry=self.registry, me=None), Relations(), lambda *_: False)
        for row in self.shop.rows.rows():
            inbox.add(row)
        anyone = [row.command for row in inbox.rows() if row.who is Who.ANYONE]
        self.assertEqual(anyone, [Command.REQUEST_SERVICE])
        self.assertEqual(len(inbox.rows()), 18)
        said = self.shop.hire(ALICE)
        self.assertIsInstance(said, Answer)

    def test_a_family_value_survives_the_store(self) -> None:
        """What a customer brings is what its family machine reads back."""
        self.shop.hire(ALICE)
        self.shop.ask(ALICE, Command.CONTACTS, "family", ALICE.family(3).to_bytes(), space="family")
        self.assertEqual(self.shop.families, [ALICE.fingerprint])
        self.assertEqual(self.shop.store.record(ALICE.fingerprint, "family"), ALICE.family(3).to_bytes())
