"""A second user of a supplier over real sessions: who is not the owner reads, lists and writes under a capability."""

from pathlib import Path
from types import SimpleNamespace

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.budget import Budget
from bitdust.crypt.merkle import root
from bitdust.crypt.scope import scope_of
from bitdust.customers.notices import Notices
from bitdust.customers.rows import SupplierRows
from bitdust.customers.store import SupplierStore
from bitdust.formats.log_entry import Begin, Content, Entry, LogName, hash_of, head_of, seal
from bitdust.formats.log_packet import LogPacket
from bitdust.surroundings import Connected
from bitdust.testing.world import START
from bitdust.transport.outbox import PeerFailed
from bitdust.wire.capability import Capability, Revocation, Right, ShownCapability
from bitdust.wire.encoding import decode
from bitdust.wire.packet import Command
from bitdust.wire.records import PackRecord, Scheme
from bitdust.wire.table import Who
from tests.unit.transport_kit import Memory, Person

MIB = 1024 * 1024
SECRET = b"a storage secret of one key, 32!"
SHARE = scope_of(SECRET, "share_1")
SCHEME = Scheme.for_family(2)


class Supplier:
    """A node's store and rows on a person's gateway."""

    def __init__(self, person: Person) -> None:
        self.person = person
        person.settings.values["services/supplier/donated-space"] = 100 * MIB
        person.settings.values["paths/disk-reserve-percent"] = 0
        person.settings.values["services/supplier/deletion-delay"] = 0
        around = Connected(
            person.world, person.settings, SimpleNamespace(send=lambda *event: None), person.registry, Budget(),
            person.me, person.cache, person.gateway, person.gateway.outbox,
        )  # fmt: skip
        self.store = SupplierStore(around, person.world.home / "customers")
        self.rows = SupplierRows(around, self.store, Notices(around, self.store, lambda: 0))

    def serve(self) -> None:
        gateway = self.person.gateway
        for row in self.rows.rows():
            gateway.inbox.add(row)
        gateway.relations.add(Who.CUSTOMER, lambda peer: self.store.contract_of(peer) is not None)


class SharingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.network = Memory(Path(self.mktemp()))
        self.supplier = Supplier(self.network.person("third", "supplier"))
        self.owner = self.network.person("master", "owner")
        self.reader = self.network.person("other", "reader")
        self.wait(self.supplier.store.start())
        self.addCleanup(self.stop)
        self.supplier.serve()
        port = self.wait(self.supplier.person.gateway.listen(0))
        for person in (self.owner, self.reader):
            address = f"tcp://{self.supplier.person.host}:{port}"
            self.wait(person.gateway.dial(address, self.supplier.person.fingerprint))
        self.hire()

    def stop(self) -> None:
        for person in (self.owner, self.reader, self.supplier.person):
            self.wait(person.gateway.stop())
        self.wait(self.supplier.store.stop())

    def wait(self, deferred: Deferred):
        return self.network.run(deferred)

    def ask(self, person: Person, command: Command, fields, payload: bytes | None = None, **more):
        outbox = person.gateway.outbox
        sent = outbox.send(
            self.supplier.person.fingerprint, command, fields, payload, deadline=20, max_answer=MIB, **more
        )
        return self.wait(sent)

    def code(self, *asked, **more) -> str:
        with self.assertRaises(PeerFailed) as caught:
            self.ask(*asked, **more)
        return caught.exception.code

    def hire(self) -> None:
        wish = {"service": "service_supplier", "room": 10 * MIB, "n": 2, "position": 0, "term": 365}
        self.ask(self.owner, Command.REQUEST_SERVICE, wish)

    def under(self, *rights: Right, quota: int = MIB) -> dict:
        """What the owner gives to the reader, as arguments of a request."""
        me = self.owner.me
        body = Capability(
            b"c" * 16, me.fingerprint, self.reader.fingerprint, rights, quota, int(START) + 86_400, SHARE
        ).to_body()
        shown = ShownCapability.of(me.sign(Capability.KIND, body))
        return {"owner": me.fingerprint, "capability": shown.to_bytes()}

    def pack(self, signer: Person, number: int, scope: bytes | None):
        pieces = [bytes([number, index]) * 40_000 for index in range(2)]
        pack, owner = bytes([number]) * 16, self.owner.fingerprint
        record = PackRecord(owner, pack, 80_000, SCHEME, [root(piece) for piece in pieces], scope)
        fields = {"kind": "piece", "index": 0, "record": signer.me.sign(record.KIND, record.to_body()).to_bytes()}
        return pack, fields, pieces[0]

    def piece(self, pack: bytes) -> dict:
        return {"kind": "piece", "pack": pack, "index": 0, "offset": 0, "length": 0}

    def append(self, scope: bytes | None) -> bytes:
        """The owner writes an entry into one log; gives its bytes."""
        me = self.owner.me
        unsealed = Entry(me.fingerprint, me.device.id, 1, bytes(32), 1, b"", scope)
        entry = seal(unsealed, SECRET, Content(1, 1, [])).to_bytes()
        head = head_of(LogName(me.fingerprint, scope, me.device.id), 1, hash_of(entry), START, Begin())
        signed = me.sign(head.KIND, head.to_body()).to_bytes()
        self.ask(self.owner, Command.DATA, {"kind": "log", "head": signed}, LogPacket((entry,)).to_bytes())
        return entry

    def test_a_reader_gets_one_key_and_no_other(self) -> None:
        """The reader fetches piece and log of the shared key; the owner's own stay hidden, and all after the end."""
        shared, private = (self.pack(self.owner, number, scope) for number, scope in ((1, SHARE), (2, None)))
        for _, fields, piece in (shared, private):
            self.ask(self.owner, Command.DATA, fields, piece)
        entry = self.append(SHARE)
        self.append(None)
        under = self.under(Right.READ, Right.LIST)
        self.assertEqual(self.ask(self.reader, Command.RETRIEVE, self.piece(shared[0]), **under).payload, shared[2])
        log = {"kind": "log", "device": self.owner.me.device.id, "first": 1, "most": MIB}
        said = self.ask(self.reader, Command.RETRIEVE, {**log, "scope": SHARE}, **under)
        self.assertEqual(decode(said.payload, MIB), [entry])
        opened = Entry.parse(entry).open([SECRET])
        self.assertEqual(opened, Content(1, 1, []))
        self.assertEqual(self.code(self.reader, Command.RETRIEVE, self.piece(private[0]), **under), "not-found")
        self.assertEqual(self.code(self.reader, Command.RETRIEVE, log, **under), "not-allowed")
        self.assertEqual(self.code(self.reader, Command.RETRIEVE, self.piece(shared[0])), "not-allowed")
        self.revoke()
        self.assertEqual(self.code(self.reader, Command.RETRIEVE, self.piece(shared[0]), **under), "not-allowed")

    def revoke(self) -> None:
        word = Revocation(self.owner.fingerprint, b"c" * 16)
        signed = self.owner.me.sign(word.KIND, word.to_body()).to_bytes()
        self.ask(self.owner, Command.CANCEL_SERVICE, {"kind": "capability"}, signed)

    def test_a_writer_stores_a_piece_for_the_owner(self) -> None:
        """A piece of the holder's pack is kept in the owner's room, within the quota, and read by the owner."""
        pack, fields, piece = self.pack(self.reader, 3, SHARE)
        under = self.under(Right.WRITE, quota=len(piece))
        self.assertEqual(self.code(self.reader, Command.DATA, fields, piece), "not-allowed")
        said = self.ask(self.reader, Command.DATA, fields, piece, **under)
        self.assertEqual(said.fields["used"], len(piece))
        self.assertEqual(self.ask(self.owner, Command.RETRIEVE, self.piece(pack)).payload, piece)
        _, more, other = self.pack(self.reader, 4, SHARE)
        self.assertEqual(self.code(self.reader, Command.DATA, more, other, **under), "no-space")
        self.assertEqual(self.supplier.store.usage(self.owner.fingerprint).used, len(piece))
