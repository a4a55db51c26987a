"""Names that anybody may give himself, where people read them."""

from pathlib import Path
from types import SimpleNamespace

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.checkup import judging, running
from bitdust.customers.customers import Customers
from bitdust.customers.keepsakes import IDENTITY
from bitdust.identity.cache import IdentityCache
from bitdust.peers.presence import CUSTOMER
from tests.unit.family_kit import Town
from tests.unit.supplier_kit import Person, Shop
from tests.unit.test_identity import GOOD, SOURCES, HomeCase, made
from tests.vectors.keys import master

ALICE, BOB = Person("alice"), Person("bob")


class CacheTests(HomeCase):
    def test_who_is_who(self) -> None:
        """A name is proven for the key that was fetched from its place, and for nobody who merely writes it."""
        cache, thief = IdentityCache(self.world, self.events), made(master=master("other"))
        cache.accept(thief)
        cache.accept(GOOD)
        self.assertFalse(cache.is_proven(GOOD.fingerprint))
        cache.accept(GOOD, SOURCES[1])
        self.assertFalse(cache.is_proven(GOOD.fingerprint))
        cache.accept(GOOD, SOURCES[0])
        self.assertTrue(cache.is_proven(GOOD.fingerprint))
        self.assertFalse(cache.is_proven(thief.fingerprint))


class ShownTests(SynchronousTestCase):
    def test_customers(self) -> None:
        """A customer stands in the list and in events by its fingerprint; its name is marked until it is proven."""
        shop = Shop(Path(self.mktemp()).resolve() / "customers")
        shop.open()
        self.addCleanup(shop.crash)
        shop.hire(ALICE)
        town = Town(Path(self.mktemp()))
        self.addCleanup(town.registry.shutdown)
        self.addCleanup(town.stop)
        customers = Customers(shop, shop.store, town.presence)
        for proven in (False, True):
            shop.identities.is_proven = lambda who, proven=proven: proven
            (row,) = customers.list()
            self.assertEqual(list(row)[:2], ["position", "fingerprint"])
            self.assertEqual((row["fingerprint"], row["name_proven"]), (ALICE.fingerprint.hex(), proven))

    def test_doctor(self) -> None:
        """The doctor names a supplier whose name was not proven by its fingerprint, and says so."""
        row = {"global_id": "alice@id.example", "idurl": "http://id.example/alice.xml", "fingerprint": "ab" * 32,
               "contact_state": "OFFLINE", "beyond": False, "notice": None}  # fmt: skip
        for proven, name in ((True, "alice@id.example"), (False, f"{'ab' * 8} (alice@id.example, unproven)")):
            (finding,) = judging.suppliers([row | {"name_proven": proven}])
            self.assertIn(name, finding.found)


    def test_doctor_about_customers(self) -> None:
        """So it does with a customer."""
        row = {"global_id": "alice@id.example", "idurl": "", "fingerprint": "ab" * 32, "name_proven": False,
               "taken": 0, "unfilled": 100}  # fmt: skip
        node = SimpleNamespace(
            driver=SimpleNamespace(is_on=lambda service: True),
            customers=SimpleNamespace(list=lambda verbose: [row], unread=()),
            space=SimpleNamespace(donated=lambda: {"donated": 100}),
        )
        (finding,) = running._customers(node)
        self.assertIn(f"{'ab' * 8} (alice@id.example, unproven)", finding.found)


class ContractTests(SynchronousTestCase):
    def test_a_document_belongs_to_its_contract(self) -> None:
        """What anybody brings of a customer that is newer is kept with its contract at once; what comes of others is
        not."""
        shop = Shop(Path(self.mktemp()).resolve() / "customers")
        shop.open()
        self.addCleanup(shop.crash)
        shop.hire(ALICE)
        town = Town(Path(self.mktemp()))
        self.addCleanup(town.registry.shutdown)
        self.addCleanup(town.stop)
        customers = Customers(shop, shop.store, town.presence)
        customers.start()
        for document in (evolve(ALICE.document, revision=5), BOB.document):
            shop.documents[document.fingerprint] = document
            shop.identities.changed.emit(document)
        kept = {one.customer: one.revision for one in shop.store.keepsakes(IDENTITY)}
        self.assertEqual(kept, {ALICE.fingerprint: 5})
        customers.stop()


class ContactsTests(SynchronousTestCase):
    def test_customers_that_left(self) -> None:
        """Nobody is followed for ever because he was a customer once; who is a supplier as well is followed on."""
        town = Town(Path(self.mktemp()))
        self.addCleanup(town.registry.shutdown)
        self.addCleanup(town.stop)
        before = len(town.presence.contacts())
        for number in range(100):
            town.presence.watch(number.to_bytes(32, "big"), CUSTOMER)
        town.presence.watch(bytes(32))
        for number in range(100):
            town.presence.forget(number.to_bytes(32, "big"), CUSTOMER)
        self.assertEqual([who for who, _ in town.presence.contacts()][before:], [bytes(32)])
