"""Customer and suppliers over real sessions on the loopback: hired, filled, read, emptied, lost and found again."""

import time
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import TestCase

from bitdust.automats.kernel import Registry
from bitdust.budget import Budget
from bitdust.config.settings import Settings
from bitdust.crypt.device import DeviceKey
from bitdust.crypt.master import MasterKey
from bitdust.crypt.merkle import root
from bitdust.customers.notices import Notices
from bitdust.customers.rows import SupplierRows
from bitdust.customers.store import SupplierStore
from bitdust.events import Events
from bitdust.identity.cache import IdentityCache
from bitdust.identity.document import Device, IdentityDocument
from bitdust.identity.me import Me
from bitdust.peers.presence import Presence
from bitdust.suppliers.room import SuppliersRoom
from bitdust.suppliers.search import Candidate
from bitdust.surroundings import Connected, Surroundings
from bitdust.transport.gateway import Gateway
from bitdust.transport.outbox import PeerFailed
from bitdust.wire.encoding import decode
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import IDURL
from bitdust.wire.packet import Command
from bitdust.wire.records import PackRecord, Scheme
from bitdust.wire.table import Who
from bitdust.world import real_world
from tests import keys
from tests.stand_ins import StoredAsSaid

MIB = 1024 * 1024
KEYS: dict[str, MasterKey] = {}
SETTINGS = {
    "services/customer/suppliers-number": "2",
    "services/customer/needed-space": str(64 * MIB),
    "services/supplier/donated-space": str(100 * MIB),
    "services/network/interface": "127.0.0.1",
}


def key_of(name: str) -> MasterKey:
    """One RSA key a name and module: making them takes longest."""
    if name not in KEYS:
        KEYS[name] = keys.search()
    return KEYS[name]


class Host:
    """A node's identity and sessions, without services."""

    def __init__(self, name: str, home: Path) -> None:
        home.mkdir(parents=True)
        self.name = name
        self.world = real_world(reactor, home)
        self.settings = Settings(home / "config")
        for key, value in SETTINGS.items():
            self.settings.set(key, value)
        self.events = Events(reactor, time.time)
        self.registry = Registry(reactor, time.time)
        self.me = Me(self.world, self.events)
        device = DeviceKey.generate(self.world.entropy)
        sources = (IDURL.parse(f"http://id.example/{name}.xml"),)
        devices = (Device(0, 1, device.public),)
        document = IdentityDocument.create(key_of(name), sources, 1, devices, time.time())
        self.me.adopt(document, key_of(name), device)
        self.cache = IdentityCache(self.world, self.events)
        self.gateway = Gateway(
            Surroundings(self.world, self.settings, self.events, self.registry, Budget(), self.me, self.cache)
        )
        self.fingerprint = self.me.fingerprint

    async def listen(self, port: int = 0) -> None:
        number = await self.gateway.listen(port)
        self.me.set_addresses([f"tcp://127.0.0.1:{number}"])

    async def stop(self) -> None:
        sessions = self.gateway.sessions()
        await self.gateway.stop()
        for session in sessions:
            session.abort()
        self.events.stop()


class SupplierHost(Host):
    """A node that keeps pieces."""

    async def start(self) -> None:
        around = Connected(
            self.world, self.settings, self.events, self.registry, Budget(), self.me, self.cache, self.gateway,
            self.gateway.outbox,
        )  # fmt: skip
        self.store = SupplierStore(around, self.world.home / "customers")
        await self.store.start()
        rows = SupplierRows(around, self.store, Notices(around, self.store, lambda: 0))
        for row in rows.rows():
            self.gateway.inbox.add(row)
        self.gateway.relations.add(Who.CUSTOMER, lambda peer: self.store.contract_of(peer) is not None)
        await self.listen()

    async def stop(self) -> None:
        await super().stop()
        await self.store.stop()


class CustomerHost(Host):
    """A node that hires."""

    def hire_from(self, suppliers: list[Host]) -> None:
        self.free = suppliers
        around = Connected(
            self.world, self.settings, self.events, self.registry, None, self.me, self.cache, self.gateway,
            self.gateway.outbox,
        )  # fmt: skip
        self.presence = Presence(around)
        self.room = room = SuppliersRoom(around, self.presence, lambda family, signed: succeed(None))
        self.family, self.book, self.hiring = room.family, room.book, room.hiring
        room.hiring.candidates = room.finding.sources = self
        stored = StoredAsSaid()
        room.hiring.pieces = room.replacements.pieces = room.resizing.packs = room.lost.audits = stored
        room.hiring.customers = room.requests.customers = stored
        room.open()
        room.hiring.start()

    def random_supplier(self, exclude):
        free = [one for one in self.free if one.fingerprint not in exclude]
        return succeed(Candidate(free[0].fingerprint, tuple(free[0].me.addresses)) if free else None)

    def identify(self, idurl):
        return fail(BitDustError("not-found", idurl))

    hinted_revision = 0
    hinted_suppliers = ()

    def ask_for_family(self, suppliers, at_large, take):
        return succeed([])

    async def stop(self) -> None:
        self.room.close()
        self.presence.stop()
        await super().stop()


class SupplierContractTests(TestCase):
    timeout = 60

    def setUp(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self.build())

    async def build(self) -> None:
        home = Path(self.mktemp())
        self.suppliers = [SupplierHost(f"supplier-{number}", home / str(number)) for number in range(2)]
        self.customer = CustomerHost("customer", home / "customer")
        for host in self.suppliers:
            await host.start()
        await self.customer.listen()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.end()))
        self.customer.hire_from(self.suppliers)
        await self.until(lambda: self.customer.hiring.machine.state == "READY")

    async def end(self) -> None:
        hosts = [self.customer, *self.suppliers]
        for host in hosts:
            await host.stop()
        await self.until(lambda: not any(len(host.registry) for host in hosts))

    async def until(self, true) -> None:
        while not true():
            turn: Deferred[None] = Deferred()
            reactor.callLater(0.01, turn.callback, None)
            await turn

    def pack(self, size: int, seed: bytes):
        scheme = Scheme.for_family(2)
        pieces = [seed * size for _ in range(2)]
        record = PackRecord(self.customer.fingerprint, self.world_id(), size, scheme, [root(one) for one in pieces])
        return record, self.customer.me.sign(record.KIND, record.to_body()), pieces

    def world_id(self) -> bytes:
        return self.customer.world.entropy(16)

    def ask(self, command, fields, payload=None, most: int = 8 * MIB):
        supplier = self.suppliers[0].fingerprint
        return self.customer.gateway.outbox.send(supplier, command, fields, payload, deadline=20, max_answer=most)

    def test_hired_filled_read_and_emptied(self) -> "Deferred[None]":
        """A family is hired over real sessions; a large and many small pieces go there, come back, and are listed."""
        return Deferred.fromCoroutine(self.life())

    async def life(self) -> None:
        family = self.customer.family.current
        self.assertEqual(set(family.suppliers), {host.fingerprint for host in self.suppliers})
        self.assertEqual(self.customer.book.of(self.suppliers[0].fingerprint).room, 64 * MIB)
        self.assertTrue(all(address.startswith("tcp://127.0.0.1:") for address in family.addresses))
        made = [self.pack(size, bytes([number + 1])) for number, size in enumerate([5 * MIB + 11] + [3000] * 20)]
        stored = []
        for _, signed, pieces in made:
            fields = {"kind": "piece", "index": 1, "record": signed.to_bytes()}
            stored.append(self.ask(Command.DATA, fields, pieces[1]))
        for answer in stored:
            self.assertEqual((await answer).packet.command, Command.ACK)
        for record, _, pieces in made:
            fields = {"kind": "piece", "pack": record.pack, "index": 1, "offset": 0, "length": 0}
            self.assertEqual((await self.ask(Command.RETRIEVE, fields)).payload, pieces[1])
        listed = await self.ask(Command.LIST_FILES, {"after": b"", "most": 1000})
        self.assertEqual(len(decode(listed.payload, MIB)), 21)
        await self.refused(made[0])
        self.assertEqual(self.suppliers[0].store.usage(self.customer.fingerprint).used, 5 * MIB + 11 + 60_000)

    async def refused(self, made) -> None:
        _, signed, pieces = made
        wrong = self.ask(
            Command.DATA, {"kind": "piece", "index": 0, "record": signed.to_bytes()}, b"?" * len(pieces[0])
        )
        await self.assertFailure(wrong, PeerFailed).addCallback(lambda error: self.assertEqual(error.code, "bad-piece"))
        absent = self.ask(Command.RETRIEVE, {"kind": "piece", "pack": bytes(16), "index": 0, "offset": 0, "length": 0})
        await self.assertFailure(absent, PeerFailed).addCallback(
            lambda error: self.assertEqual(error.code, "not-found")
        )

    def test_a_lost_supplier_is_found_again(self) -> "Deferred[None]":
        """When a supplier goes and comes back on another port, its connector finds it and renews the contract."""
        return Deferred.fromCoroutine(self.come_back())

    async def come_back(self) -> None:
        supplier = self.suppliers[0]
        before = self.customer.book.of(supplier.fingerprint)
        await supplier.gateway.stop()
        await self.until(lambda: len(self.customer.room.connectors.connected()) == 1)
        await supplier.listen()
        self.customer.gateway.add_resolver(lambda fingerprint: succeed(supplier.me.addresses))
        await self.until(lambda: len(self.customer.room.connectors.connected()) == 2)
        self.assertEqual(self.customer.book.of(supplier.fingerprint).contract, before.contract)

    def test_a_stranger_is_refused(self) -> "Deferred[None]":
        """A node without a contract is refused by the inbox before any handler runs."""
        return Deferred.fromCoroutine(self.stranger())

    async def stranger(self) -> None:
        first, second = self.suppliers
        await first.gateway.dial(second.me.addresses[0], second.fingerprint)
        asked = first.gateway.outbox.send(second.fingerprint, Command.LIST_FILES, {"after": b"", "most": 10})
        error = await self.assertFailure(asked, PeerFailed)
        self.assertEqual(error.code, "not-allowed")
