"""What destroys much waits at a supplier, and any device of the owner that counts can undo it."""

from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import TestCase

from bitdust.customers.customers import Customers
from bitdust.customers.database import connect
from bitdust.customers.delays import MOST, SURE_AFTER, UNITS
from bitdust.customers.patrol import Patrol
from bitdust.formats.orders import DECISION_KIND, Decision
from bitdust.peers.presence import Presence
from bitdust.wire.encoding import decode
from bitdust.wire.packet import Command
from bitdust.wire.records import ContractEnd, Head
from tests.unit.storage_kit import master_key
from tests.unit.supplier_kit import DAY, MIB, START, FakeDevice, Pack, Person, Shop, log_of, now

HOUR = 3600
DUE = START + 48 * HOUR


class DelaysCase(TestCase):
    """alice has 30 packs here, and two devices: ``stolen`` and ``second``."""

    small = 1000

    def setUp(self) -> None:
        self.shop = Shop(Path(self.mktemp()).resolve() / "customers", small=self.small)
        self.shop.settings.values["services/supplier/deletion-delay"] = 48
        self.shop.open()
        self.addCleanup(self.shop.crash)
        self.stolen, self.second = Person("alice"), Person("alice's second device")
        self.second.fingerprint, self.second.document = self.stolen.fingerprint, self.stolen.document
        self.second.document.devices[self.second.device.id] = FakeDevice(self.second.device.public)
        self.stolen.document.public = master_key().public
        self.alice = self.stolen.fingerprint
        self.shop.documents[self.alice] = self.stolen.document
        self.shop.hire(self.stolen)
        self.packs = [Pack(self.stolen, number) for number in range(30)]
        for pack in self.packs:
            self.shop.put(self.stolen, pack)
        self.patrol = Patrol(self.shop, self.shop.store)
        self.news: list[tuple] = []
        for brought in self.shop.rows.brought:
            brought.connect(lambda *what: self.news.append(what))

    def order(self, person: Person, packs: list[Pack], time: int = START, countersigned: bool = False):
        signed = person.order(*(pack.id for pack in packs), time=time, owner=self.alice)
        return self.send(person, Command.DELETE_FILE, None, signed, countersigned)

    def send(self, person: Person, command: Command, kind: str | None, signed, countersigned: bool):
        word = {"countersignature": master_key().sign(signed.countersigned())} if countersigned else {}
        return self.shop.ask(person, command, kind, signed.to_bytes(), **word)

    def decide(self, person: Person, undo: bool, countersigned: bool = False, until: int = DUE, **changes):
        decision = Decision(self.alice, self.shop.me.fingerprint, self.stolen.device.id, undo, until)
        signed = person.device.sign_record(DECISION_KIND, evolve(decision, **changes).to_body())
        return self.send(person, Command.CANCEL_SERVICE, "deletions", signed, countersigned)

    def end(self, person: Person, countersigned: bool = False):
        contract = self.shop.store.contract_of(self.alice).contract.contract
        signed = person.sign(ContractEnd(contract, self.alice, self.shop.me.fingerprint))
        word = {"countersignature": master_key().sign(signed.countersigned())} if countersigned else {}
        fields = {"service": "service_supplier", "contract": contract, "end": signed.to_bytes(), **word}
        return self.shop.ask(person, Command.CANCEL_SERVICE, "service_supplier", **fields)

    def listed(self) -> int:
        return len(decode(self.shop.ask(self.second, Command.LIST_FILES, None, after=b"", most=99).bytes, MIB))

    def kept(self) -> int:
        account = self.shop.store.contract_of(self.alice)
        return account.pieces if account is not None else 0

    def waiting(self) -> list[dict]:
        return decode(self.shop.ask(self.second, Command.RETRIEVE, "deletions").bytes, MIB)

    def walk(self, seconds: float = 0) -> None:
        """Two rounds of the patrol, so many seconds from now."""
        self.shop.now += seconds
        for _ in range(2):
            now(self.patrol.suspend_idle())
            self.shop.clock.advance(SURE_AFTER)


class DeletionTests(DelaysCase):
    def test_a_tenth_goes_at_once(self) -> None:
        """Three of thirty packs go; the fourth waits, and is not listed; after ten days as many go again."""
        self.assertEqual(self.order(self.stolen, self.packs[:3]).fields["freed"], 1500)
        said = self.order(self.stolen, self.packs[3:4], START + 1)
        self.assertEqual(said.fields, {"freed": 0, "waits": 1, "until": DUE})
        self.assertEqual((self.listed(), self.kept()), (26, 27))
        self.assertEqual(self.shop.get(self.second, self.packs[3]).bytes, self.packs[3].pieces[0])
        self.shop.now += DAY
        self.assertEqual(self.order(self.stolen, self.packs[4:6], START + 2).fields["waits"], 3)
        self.shop.now += 10 * DAY
        self.assertEqual(self.order(self.stolen, self.packs[6:8], START + 3).fields["freed"], 1000)

    def test_who_takes_its_time(self) -> None:
        """A thief that deletes what is no mass each day has a fifth after ten days, and not two thirds."""
        for day in range(10):
            for pack in self.packs[3 * day : 3 * day + 3]:
                self.order(self.stolen, [pack], START + 3 * day + self.packs.index(pack))
            self.shop.now += DAY
        self.assertGreaterEqual(self.kept(), 24)

    def test_a_hundred_are_many(self) -> None:
        """However much is kept, more than a hundred packs wait."""
        database = self.shop.store._write_connection()
        dropped = (MOST - 2) * UNITS
        database.execute("UPDATE customers SET pieces=5000, dropped_since=?, dropped=?", (START, dropped))
        self.assertEqual(self.order(self.stolen, self.packs[:2]).fields["freed"], 1000)
        self.assertEqual(self.order(self.stolen, self.packs[2:3], START + 1).fields["waits"], 1)

    def cover(self) -> None:
        """The stolen device says that its snapshot stands for three entries of each of two logs."""
        for person in (self.stolen, self.second):
            self.shop.log_packet(person, person.log(3, owner=self.alice))
        data, signed = self.stolen.log(4, owner=self.alice)[-1]
        covers = [{"device": self.second.device.id, "sequence": 3}]
        said = self.stolen.sign(evolve(Head.from_body(signed.body), first=4, covers=covers))
        self.assertEqual(self.shop.log(self.stolen, (data, said)).command, Command.ACK)
        self.walk(47 * HOUR)
        self.assertEqual(self.entries(), [4, 3])

    def entries(self) -> list[int]:
        return [len(log_of(self.shop.store, self.alice, one.device.id)) for one in (self.stolen, self.second)]

    def test_what_a_snapshot_stands_for(self) -> None:
        """Entries of logs are forgotten two days after a head says so."""
        self.cover()
        self.walk(HOUR)
        self.assertEqual(self.entries(), [1, 0])

    def test_a_snapshot_of_a_revoked_device(self) -> None:
        """They are kept where the device that said so was revoked until then."""
        self.cover()
        self.stolen.document.devices[self.stolen.device.id] = FakeDevice(self.stolen.device.public, 2)
        self.walk(HOUR)
        self.assertEqual(self.entries(), [4, 3])

    def test_all_devices_hear_of_it(self) -> None:
        """What waits is reported to every device, and whoever asks is shown whose order it is, how much and when."""
        self.order(self.stolen, self.packs)
        self.assertEqual(self.news, [(self.alice, b"", "deletions")])
        row = {"device": self.stolen.device.id, "end": False, "until": DUE, "packs": 30, "bytes": 30 * (500 + 4096)}
        self.assertEqual(self.waiting(), [row])

    def test_it_happens_in_the_end(self) -> None:
        """When two days are over the packs go, but not by a clock that is ahead for a moment; nothing waits then."""
        self.order(self.stolen, self.packs)
        self.walk(48 * HOUR - 1)
        self.assertEqual(self.kept(), 30)
        self.shop.now += 1
        now(self.patrol.suspend_idle())
        self.assertEqual(self.kept(), 30)
        self.walk()
        self.assertEqual((self.kept(), self.waiting(), self.listed()), (0, [], 0))
        self.assertEqual(self.shop.store.usage(self.alice).charged, 0)
        self.assertIn("customer-deletion-done", self.shop.events.names())

    def test_another_device_undoes_it(self) -> None:
        """All is listed again and never goes; the thief may order it again, and that waits again."""
        self.order(self.stolen, self.packs)
        self.assertEqual(self.decide(self.second, True).fields, {"orders": 1, "freed": 0})
        self.walk(90 * HOUR)
        self.assertEqual((self.listed(), self.kept(), self.waiting()), (30, 30, []))
        self.assertEqual(self.order(self.stolen, self.packs, START + 1).fields["waits"], 30)

    def test_who_may_confirm(self) -> None:
        """Another device, or the RSA key; not who ordered it, not for another supplier, nor what came later."""
        for packs in (self.packs[:10], self.packs[10:]):
            self.order(self.stolen, packs, START + len(packs))
            self.shop.now += HOUR
        self.assertEqual(self.decide(self.stolen, False).code, "not-allowed")
        self.assertEqual(self.decide(self.second, False, supplier=bytes(32)).code, "not-allowed")
        self.assertEqual(self.decide(self.second, False, owner=bytes(32)).code, "not-allowed")
        self.assertEqual(self.kept(), 30)
        self.assertEqual(self.decide(self.second, False).fields["freed"], 10 * 500)
        self.assertEqual((self.kept(), self.waiting()[0]["packs"]), (20, 20))
        said = self.decide(self.stolen, False, countersigned=True, until=DUE + HOUR)
        self.assertEqual(said.fields["freed"], 20 * 500)

    def test_the_owners_key_deletes_at_once(self) -> None:
        """With the RSA key's signature an order waits for nothing; one by another key is refused."""
        signed = self.stolen.order(*(pack.id for pack in self.packs))
        said = self.shop.ask(self.stolen, Command.DELETE_FILE, None, signed.to_bytes(), countersignature=bytes(256))
        self.assertEqual((said.code, self.kept(), self.waiting()), ("bad-signature", 30, []))
        self.order(self.stolen, self.packs[:20], START + 1)
        self.assertEqual(self.order(self.stolen, self.packs, START + 2, True).fields, {"freed": 30 * 500})
        self.assertEqual((self.kept(), self.waiting()), (0, []))

    def test_a_countersignature_is_for_one_order(self) -> None:
        """The RSA key's word for one order does not pass with another."""
        word = master_key().sign(self.stolen.order(self.packs[0].id).countersigned())
        signed = self.stolen.order(*(pack.id for pack in self.packs), time=START + 1).to_bytes()
        said = self.shop.ask(self.stolen, Command.DELETE_FILE, None, signed, countersignature=word)
        self.assertEqual(said.code, "bad-signature")

    def test_a_piece_that_comes_again(self) -> None:
        """Whoever of the owner's stores a piece of a pack that waits wants it: it does not go."""
        self.order(self.stolen, self.packs)
        self.shop.put(self.second, self.packs[7])
        self.walk(49 * HOUR)
        self.assertEqual((self.kept(), self.listed()), (1, 1))

    def test_what_waits_keeps_nothing_out(self) -> None:
        """A full contract takes as much again as waits, up to half of its room, and no more."""
        self.shop.store._write_connection().execute("UPDATE contracts SET room=?", (30 * (500 + 4096),))
        new = [Pack(self.stolen, number) for number in range(30, 50)]
        self.assertEqual(self.shop.put(self.stolen, new[0]).code, "no-space")
        self.order(self.stolen, self.packs)
        codes = [self.shop.put(self.second, pack).code for pack in new]
        self.assertEqual(codes, [None] * 15 + ["no-space"] * 5)

    def test_a_kill_loses_nothing_of_it(self) -> None:
        """What waits is on the disk: after a kill it waits on, and the counters fit."""
        self.order(self.stolen, self.packs)
        self.shop.crash()
        self.shop.open()
        self.assertEqual((self.waiting()[0]["packs"], self.kept()), (30, 30))
        self.walk(49 * HOUR)
        row = connect(self.shop.folder.parent / "customers.db").execute("SELECT used, pieces, held FROM customers")
        self.assertEqual(row.fetchone(), (0, 0, 0))


class RevocationTests(DelaysCase):
    def revoke(self) -> None:
        gone = FakeDevice(self.stolen.device.public, revoked=2)
        self.stolen.document.devices[self.stolen.device.id] = gone
        self.stolen.document.revision = 2

    def test_a_newer_document_undoes_it(self) -> None:
        """When the document comes in which the device is revoked, what it ordered is over at that moment."""
        view = Customers(self.shop, self.shop.store, Presence(self.shop))
        view.start()
        self.addCleanup(view.stop)
        self.order(self.stolen, self.packs)
        self.end(self.stolen)
        self.revoke()
        self.shop.identities.changed.emit(self.stolen.document)
        self.assertEqual((self.waiting(), self.listed()), ([], 30))

    def test_a_revoked_device_is_not_obeyed_later(self) -> None:
        """An order that is due, of a device that counts no more, is dropped; nor does such a device undo or confirm."""
        self.order(self.stolen, self.packs)
        self.revoke()
        for undo in (True, False):
            self.assertEqual(self.decide(self.stolen, undo, device=self.second.device.id).code, "bad-signature")
        self.walk(49 * HOUR)
        self.assertEqual((self.listed(), self.waiting()), (30, []))


class ContractEndTests(DelaysCase):
    small = 0

    def test_it_waits_too(self) -> None:
        """The end of a contract is due after two days; sent again it is due no later; then nothing is kept."""
        gone: list[bytes] = []
        self.patrol.removed.connect(gone.append)
        self.assertEqual(self.end(self.stolen).fields, {"until": DUE, "freed": 0})
        self.shop.now += HOUR
        self.assertEqual(self.end(self.stolen).fields["until"], DUE)
        self.assertEqual((self.listed(), self.waiting()[0]["end"], self.shop.left), (30, True, []))
        self.walk(48 * HOUR)
        self.assertIsNone(self.shop.store.contract_of(self.alice))
        left = [path for path in self.shop.folder.rglob("*") if path.is_file()]
        self.assertEqual((gone, left), ([self.alice], []))

    def test_ways_to_keep_it(self) -> None:
        """Another device undoes it, or asks for the service again, as each does whenever it connects."""
        for keep in (lambda: self.decide(self.second, True), lambda: self.shop.hire(self.second)):
            self.end(self.stolen)
            keep()
            self.assertEqual(self.waiting(), [])
        self.walk(49 * HOUR)
        self.assertEqual(self.kept(), 30)

    def test_at_once(self) -> None:
        """With the RSA key's word, or when another device confirms it."""
        self.end(self.stolen)
        self.assertEqual(self.decide(self.second, False).fields["freed"], 30 * 500)
        self.assertEqual(self.shop.left, [self.alice])
        self.shop.hire(self.stolen)
        self.shop.put(self.stolen, self.packs[0])
        self.assertEqual(self.end(self.stolen, True).fields, {"until": 0, "freed": 500})
        self.assertIsNone(self.shop.store.contract_of(self.alice))
