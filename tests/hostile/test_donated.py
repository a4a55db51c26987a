"""What customers and strangers take of a supplier: its memory, its turns at the disk, its donated space."""

import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.customers.customers import Customers
from bitdust.customers.patrol import Patrol
from bitdust.customers.promises import FIRST, SMALLEST
from bitdust.customers.rows import SupplierRows
from bitdust.customers.store import DONATED, SupplierStore
from bitdust.formats.log_packet import MAX_PACKET
from bitdust.scopes.networks import Household
from bitdust.scopes.reservations import Resource, Role
from bitdust.wire.packet import Command
from bitdust.wire.records import Head
from bitdust.wire.table import Who
from tests.unit.supplier_kit import DAY, MIB, START, FakeDevice, Pack, Person, Shop, now
from tests.unit.transport_kit import Memory
from tests.unit.transport_kit import Person as Sender

ALICE, MALLORY = Person("alice"), Person("mallory")


class DonatedCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.shop = Shop(Path(self.mktemp()))
        self.shop.open()
        self.addCleanup(self.shop.close)


class OneByte:
    """A payload that stops coming."""

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, offset: int, length: int) -> Any:
        return b"x" if not offset else Deferred()


class Stopped(OneByte):
    """One that stops before its end."""

    def read(self, offset: int, length: int) -> Any:
        length = min(length, self.size - 10 - offset)
        return bytes(length) if length else Deferred()


class TurnTests(SynchronousTestCase):
    """Places on the way to the disk and from it, over real sessions; Bob keeps pieces of Alice and of others."""

    def setUp(self) -> None:
        self.network = Memory(Path(self.mktemp()))
        self.bob = self.network.person("master", "bob")
        self.alice = self.network.person("other", "alice")
        self.mallory = self.network.person("third", "mallory")
        self.shop = Shop(Path(self.mktemp()))
        self.shop.me.fingerprint = self.bob.fingerprint
        self.scopes = self.bob.gateway.scopes
        self.shop.world.clock = self.network.clock
        store = self.shop.store = SupplierStore(self.shop, self.shop.folder, small=0, scopes=self.scopes)
        self.shop.open()
        self.addCleanup(self.shop.close)
        for row in SupplierRows(self.shop, store, self.shop.notices).rows():
            self.bob.gateway.inbox.add(row)
        self.bob.know(Who.CUSTOMER, self.alice, self.mallory)
        self.bob.limits()
        self.view = Customers(self.bob.around, store, SimpleNamespace())
        self.scopes.is_newcomer = self.view.is_newcomer
        self.network.run(self.bob.gateway.listen(0))
        for one in (self.alice, self.mallory):
            one.resolve(lambda _: succeed([self.bob.address()]))
            wish = {"service": "service_supplier", "room": 32 * MIB, "n": 4, "position": 0, "term": 365}
            self.network.run(self.send(one, Command.REQUEST_SERVICE, wish))
        self.packs = {one: [self.pack(one, number) for number in range(60)] for one in (self.alice, self.mallory)}

    def tearDown(self) -> None:
        for person in (self.alice, self.bob, self.mallory):
            self.network.run(person.gateway.stop())
            person.registry.shutdown()

    def pack(self, who: Sender, number: int, size: int = 200_000) -> Pack:
        signer = SimpleNamespace(
            name=str(who.fingerprint),
            fingerprint=who.fingerprint,
            sign=lambda record: who.me.device.sign_record(record.KIND, record.to_body()),
        )
        return Pack(signer, number, size)

    def send(self, who: Sender, command: Command, fields: dict, payload: Any = None):
        return who.gateway.outbox.send(
            self.bob.fingerprint, command, fields, payload, deadline=600.0, max_answer=MIB
        )

    def put(self, who: Sender, number: int, payload: Any = None):
        pack = self.packs[who][number]
        fields = {"kind": "piece", "index": 0, "record": pack.signed.to_bytes()}
        return self.send(who, Command.DATA, fields, payload or pack.pieces[0])

    def get(self, who: Sender, number: int):
        fields = {"kind": "piece", "pack": self.packs[who][number].id, "index": 0, "offset": 0, "length": 0}
        return self.send(who, Command.RETRIEVE, fields)

    def used(self, resource: Resource, role: Role = Role.CUSTOMER) -> int:
        return self.scopes.roles[role].used[resource]

    def stall(self, who: Sender, count: int) -> list[str]:
        """Begin to bring so many pieces, of which one byte comes; the codes of those that were refused."""
        refused: list[str] = []
        for number in range(count):
            self.put(who, number, OneByte(200_000 // 2)).addErrback(lambda failure: refused.append(failure.value.code))
        self.network.clock.pump([0.05] * 40)
        return refused

    def test_pieces_of_which_a_byte_comes(self) -> None:
        """Whoever has come today takes its share of the places and no more; others bring and fetch pieces meanwhile,
        and after thirty seconds the places are free again."""
        self.network.run(self.put(self.alice, 0))
        refused = self.stall(self.mallory, 60)
        self.assertEqual((set(refused), self.used(Resource.WRITES, Role.NEWCOMER)), ({"busy"}, 32))
        self.network.run(self.put(self.alice, 1))
        self.assertEqual(self.network.run(self.get(self.alice, 0)).payload, self.packs[self.alice][0].pieces[0])
        self.network.clock.pump([1.0] * 45)
        self.assertEqual((self.used(Resource.WRITES), self.used(Resource.READS)), (0, 0))

    def test_log_packets_that_stop_coming(self) -> None:
        """Of sixty packets of the log that stop before their end no more than four megabytes are ever in memory."""
        head = Head(self.mallory.fingerprint, self.mallory.me.device.id, 1, bytes(32), START)
        signed = self.mallory.me.device.sign_record(Head.KIND, head.to_body()).to_bytes()
        refused: list[str] = []
        for _ in range(60):
            sending = self.send(self.mallory, Command.DATA, {"kind": "log", "head": signed}, Stopped(MAX_PACKET))
            sending.addErrback(lambda failure: refused.append(failure.value.code))
        self.network.clock.pump([0.05] * 100)
        self.assertEqual((set(refused), self.used(Resource.REQUESTS)), ({"busy"}, 60 - len(refused)))
        self.assertLess(60 - len(refused), 3)
        self.network.run(self.put(self.alice, 1))
        self.network.clock.pump([1.0] * 45)
        self.assertEqual((self.used(Resource.MEMORY), self.used(Resource.REQUESTS)), (0, 0))

    def test_pieces_that_nobody_takes(self) -> None:
        """Whoever asks for pieces and reads nothing of them has no files open here after a minute."""
        self.packs[self.mallory][0] = self.pack(self.mallory, 99, 6 * MIB)
        self.network.run(self.put(self.mallory, 0))
        session = self.network.run(self.mallory.gateway.session_to(self.bob.fingerprint))
        session.link.pause_reading()
        for _ in range(3):
            self.get(self.mallory, 0).addErrback(lambda _: None)
        self.network.clock.pump([0.05] * 20)
        self.assertEqual(self.used(Resource.READS), 3)
        self.network.clock.pump([1.0] * 80)
        self.assertEqual(self.used(Resource.READS), 0)


class AnswerTests(DonatedCase):
    def test_answers_that_nobody_takes(self) -> None:
        """Sixty-four questions for a log of megabytes take no more memory than what was sent of the answers."""
        self.shop.hire(MALLORY, 64 * MIB)
        previous = bytes(32)
        for number in range(1, 9):
            [(data, signed)] = MALLORY.log(1, number, previous, bytes(MIB - 4096))
            self.assertIsNone(self.shop.log(MALLORY, (data, signed)).code)
            previous = Head.from_body(signed.body).hash
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        asked = [
            self.shop.ask(MALLORY, Command.RETRIEVE, "log", device=MALLORY.device.id, first=1, most=8 * MIB)
            for _ in range(64)
        ]
        for said in asked:
            self.assertEqual(len(said.payload.read(0, 65_536)), 65_536)
        self.assertEqual({said.payload.count for said in asked}, {8})
        self.assertLess(tracemalloc.get_traced_memory()[1], 8 * MIB)


class PromisedTests(DonatedCase):
    """Donated space: what is promised, and what is taken beside pieces."""

    def setUp(self) -> None:
        super().setUp()
        self.shop.settings.values[DONATED] = 1024 * MIB
        self.store = self.shop.store
        self.database = self.store._write_connection()

    def comes_from(self, host: str, *people: Person) -> None:
        self.shop.hosts |= {one.fingerprint: host for one in people}

    def hire(self, count: int, host: str, room: int = FIRST) -> list[str | None]:
        """So many keys of one address ask for the first room; the code for each."""
        crowd = [Person(f"{host} {number}") for number in range(count)]
        self.comes_from(host, *crowd)
        return [self.shop.hire(one, room).code for one in crowd]

    def test_keys_of_one_network(self) -> None:
        """A thousand keys of one network are promised what one may have; the household and others find the rest."""
        codes = [code for last in (1, 2, 3) for code in self.hire(4, f"203.0.113.{last}")]
        self.assertEqual(codes, [None] * 2 + ["no-space"] * 10)
        self.assertEqual(set(self.hire(300, "203.0.113.9", MIB)), {"no-space"})
        self.assertEqual(self.hire(2, "198.51.100.1"), [None] * 2)
        self.shop.store.scopes.household = Household(["192.168.0.0/16"])
        self.assertEqual(self.hire(6, "192.168.1.5"), [None] * 6)

    def test_a_network_that_fills_what_it_gets(self) -> None:
        """Who stores more is promised more, also where many of its network do; a restart has not forgotten them."""
        self.hire(2, "203.0.113.1")
        self.comes_from("203.0.113.7", ALICE)
        self.assertEqual(self.shop.hire(ALICE, FIRST).code, "no-space")
        self.shop.close()
        self.shop.open()
        self.assertEqual(self.shop.hire(ALICE, FIRST).code, "no-space")
        self.store._write_connection().execute("UPDATE customers SET used=?", (50 * MIB,))
        self.assertIsNone(self.shop.hire(ALICE, FIRST).code)

    def test_who_is_a_newcomer(self) -> None:
        """Somebody of whom something is stored is none after a day, and who stores much is none at once."""
        view = Customers(self.shop, self.store, SimpleNamespace())

        def new() -> tuple[bool, bool]:
            self.shop.clock.advance(60)
            return view.is_newcomer(ALICE.fingerprint), view.is_newcomer(MALLORY.fingerprint)

        self.shop.hire(ALICE)
        self.shop.hire(MALLORY)
        self.shop.put(ALICE, Pack(ALICE, 1))
        self.assertEqual(new(), (True, True))
        self.shop.now += DAY
        self.assertEqual(new(), (False, True))
        self.database.execute("UPDATE customers SET used=?", (64 * MIB,))
        self.assertEqual(new(), (False, False))

    def test_who_stores_nothing(self) -> None:
        """A promise of which nothing was filled for a week ends; the smallest room is left, and the contract stands."""
        self.shop.hire(MALLORY, 128 * MIB)
        self.shop.now += 8 * DAY
        self.assertEqual(now(self.store.lapse()), 1)
        self.assertEqual(self.store.contract_of(MALLORY.fingerprint).allotted, SMALLEST)

    def ring(self, person: Person, revision: int, size: int) -> str | None:
        signed = person.ring(revision, bytes(size))
        return self.shop.ask(person, Command.DATA, "keyring", signed.to_bytes()).code

    def test_records_count(self) -> None:
        """Key rings of many devices take room as pieces do, and end with it; what is written over is given back."""
        self.shop.hire(MALLORY, MIB)
        devices = [Person(f"device {number}") for number in range(12)]
        for one in devices:
            MALLORY.document.devices[one.device.id] = FakeDevice(one.device.public)
            self.addCleanup(MALLORY.document.devices.pop, one.device.id)
        codes = []
        for revision, one in enumerate(devices, 1):
            signed = one.device.sign_record("keyring", MALLORY.ring(revision, bytes(250_000)).body)
            codes.append(self.shop.ask(MALLORY, Command.DATA, "keyring", signed.to_bytes()).code)
        self.assertEqual(codes, [None] * 8 + ["no-space"] * 4)
        self.assertEqual(self.shop.put(MALLORY, Pack(MALLORY, 1)).code, "no-space")
        kept = self.database.execute("SELECT sum(length(signed)) FROM records").fetchone()[0]
        self.assertEqual(self.store.usage(MALLORY.fingerprint).charged, kept)

    def test_one_thief_leaves_room_for_the_ring(self) -> None:
        """Whatever one stolen device writes as key rings, the owner's next one finds room."""
        self.shop.hire(ALICE, MIB)
        self.assertEqual({self.ring(ALICE, revision, 250_000) for revision in range(1, 9)}, {None})
        self.assertIsNone(self.ring(ALICE, 9, 250_000))

    def test_revocations_count(self) -> None:
        """So do revoked capabilities, of which nobody has ten thousand beside its room."""
        self.shop.hire(MALLORY, MIB)
        word = MALLORY.revocation().to_bytes()
        self.shop.ask(MALLORY, Command.CANCEL_SERVICE, "capability", word)
        self.assertEqual(self.store.usage(MALLORY.fingerprint).charged, len(word))

    def test_the_database_shrinks(self) -> None:
        """What a customer has brought is given back to the disk when it goes, an hour later at most."""
        self.shop.hire(MALLORY, 64 * MIB)
        previous = bytes(32)
        for number in range(1, 9):
            [(data, signed)] = MALLORY.log(1, number, previous, bytes(MIB - 4096))
            self.shop.log(MALLORY, (data, signed))
            previous = Head.from_body(signed.body).hash
        self.shop.end(MALLORY)
        path = self.shop.folder.parent / "customers.db"
        now(Patrol(self.shop, self.store).suspend_idle())
        self.shop.close()
        self.assertLess(path.stat().st_size, 2 * MIB)
        self.shop.open()
