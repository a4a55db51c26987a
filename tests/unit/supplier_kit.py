"""What tests of the supplier need: people with devices, packs with pieces, requests, and a disk that can fail."""

import hashlib
import itertools
from pathlib import Path
from types import SimpleNamespace

from attrs import define, frozen
from twisted.internet.defer import Deferred, maybeDeferred

from bitdust.automats.kernel import Registry
from bitdust.budget import Budget
from bitdust.crypt.device import DeviceKey
from bitdust.crypt.merkle import root
from bitdust.customers.contracts import Customer
from bitdust.customers.notices import Notices
from bitdust.customers.rows import SupplierRows
from bitdust.customers.store import SupplierStore
from bitdust.disk.disk import Disk
from bitdust.formats.log_packet import LogPacket, SmallPiece
from bitdust.signal import Signal
from bitdust.testing.clock import GridClock
from bitdust.wire.capability import Capability, Revocation, Right, ShownCapability
from bitdust.wire.encoding import decode, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import ContractEnd, Family, Head, PackRecord, Scheme
from bitdust.wire.table import Answer
from tests.unit.kit import Settings

START = 1_800_000_000
DAY = 86_400
MIB = 1024 * 1024
TWO_OF_FOUR = Scheme(k=2, n=4)


class Killed(BaseException):
    """The process ends here, as by kill -9."""


@frozen
class FakeDevice:
    key: bytes
    revoked: int | None = None
    sequence: int | None = None
    was_let_go: bool = False


@define
class FakeDocument:
    """As much of an identity document as the supplier reads."""

    name: str
    devices: dict
    revision: int = 1
    public: object = None
    open_ends: frozenset = frozenset()

    @property
    def idurl(self):
        return f"http://id.example/{self.name}.xml"

    @property
    def global_id(self):
        return f"{self.name}@id.example"

    @property
    def fingerprint(self):
        return hashlib.sha256(self.name.encode()).digest()

    @property
    def xml(self):
        return f"<identity>{self.name} {self.revision}</identity>".encode()

    def device(self, ident):
        return self.devices.get(ident)

    def passed_over(self, roots):
        """Devices are as old as their order says."""
        idents = list(self.devices)
        newest = max((idents.index(root) for root in roots if root in idents), default=0)
        return frozenset(ident for ident in idents[:newest] if ident not in roots)

    def newer_than(self, roots):
        """The same."""
        idents = list(self.devices)
        newest = max((idents.index(root) for root in roots if root in idents), default=-1)
        return frozenset(idents[newest + 1 :])

    @property
    def idents(self):
        return frozenset(self.devices)


class Person:
    """A user with one device, all of it made of the name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.fingerprint = hashlib.sha256(name.encode()).digest()
        self.device = DeviceKey.from_seed(hashlib.sha256(b"device " + name.encode()).digest())
        self.document = FakeDocument(name, {self.device.id: FakeDevice(self.device.public)})
        self.customer = Customer(self.fingerprint, self.document.idurl, self.document.global_id)

    def sign(self, record):
        return self.device.sign_record(record.KIND, record.to_body())

    def family(self, revision: int, n: int = 4, **changes):
        suppliers = [bytes([number]) * 32 for number in range(n)]
        values = {"customer": self.fingerprint, "revision": revision, "k": 2, "n": n, "time": START}
        return self.sign(Family(**{**values, "suppliers": suppliers, **changes}))

    def ring(self, revision: int, sealed: bytes = b"sealed"):
        body = encode({"owner": self.fingerprint, "revision": revision, "sealed": sealed})
        return self.device.sign_record("keyring", body)

    def order(self, *packs: bytes, time: int = START, owner: bytes | None = None):
        body = encode({"owner": owner or self.fingerprint, "packs": list(packs), "time": time})
        return self.device.sign_record("delete", body)

    def capability(self, holder: bytes, *rights: Right, **changes) -> bytes:
        """A capability of this person's, signed by its device."""
        values = {"id": b"c" * 16, "owner": self.fingerprint, "holder": holder, "quota": MIB, "ends": START + DAY}
        body = Capability(**{**values, "rights": rights or tuple(Right), **changes}).to_body()
        return ShownCapability.of(self.device.sign_record(Capability.KIND, body)).to_bytes()

    def revocation(self, capability: bytes = b"c" * 16):
        return self.sign(Revocation(self.fingerprint, capability))

    def log(
        self,
        count: int,
        start: int = 1,
        previous: bytes = bytes(32),
        mark: bytes = b"ops",
        owner: bytes | None = None,
        scope: bytes | None = None,
    ):
        """Entries and the signed head of each."""
        made, owner = [], owner or self.fingerprint
        more = {"scope": scope} if scope else {}
        for sequence in range(start, start + count):
            data = encode(
                {
                    "version": 2,
                    "owner": owner,
                    "device": self.device.id,
                    **more,
                    "sequence": sequence,
                    "previous": previous,
                    "epoch": 1,
                    "sealed": mark,
                }
            )
            previous = hashlib.sha256(data).digest()
            head = Head(owner, self.device.id, sequence, previous, START, scope=scope)
            made.append((data, self.sign(head)))
        return made


class Supplier(Person):
    """The node's own identity, as `bitdust.identity.me.Me` has it."""

    def sign(self, kind, body):
        return self.device.sign_record(kind, body)


class Pack:
    """A pack of four pieces with random-looking bytes."""

    def __init__(
        self,
        person: Person,
        number: int,
        size: int = 1000,
        scheme: Scheme = TWO_OF_FOUR,
        scope: bytes | None = None,
        signer: Person | None = None,
    ) -> None:
        self.id = hashlib.sha256(f"{person.name} {number}".encode()).digest()[:16]
        length = scheme.piece_size(size)
        self.pieces = [
            hashlib.shake_128(f"{person.name} {number} {index}".encode()).digest(length) for index in range(scheme.n)
        ]
        roots = [root(piece) for piece in self.pieces]
        self.record = PackRecord(person.fingerprint, self.id, size, scheme, roots, scope)
        self.signed = (signer or person).sign(self.record)


class BrokenDisk(Disk):
    """A disk that counts its calls, and from a certain one on does nothing any more, as for a killed process."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fail_at: int | None = None
        self.space = 10**12

    def _step(self, name: str) -> None:
        self.calls.append(name)
        if self.fail_at is not None and len(self.calls) >= self.fail_at:
            raise Killed

    def make_folder(self, path: Path) -> None:
        self._step("make_folder")
        super().make_folder(path)

    def create(self, path: Path) -> int:
        self._step("create")
        return super().create(path)

    def write(self, descriptor, parts) -> None:
        self._step("write")
        whole = b"".join(parts)
        super().write(descriptor, [whole[: len(whole) // 2]])
        self._step("write-half")
        super().write(descriptor, [whole[len(whole) // 2 :]])

    def sync(self, descriptor: int) -> None:
        self._step("sync")
        super().sync(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        self._step("rename")
        super().rename(old, new)
        self._step("renamed")

    def sync_folder(self, path: Path) -> None:
        self._step("sync_folder")
        super().sync_folder(path)
        self._step("synced_folder")

    def remove(self, path: Path) -> None:
        self._step("remove")
        super().remove(path)

    def free(self, path: Path) -> int:
        return self.space


SETTINGS = {
    "services/supplier/donated-space": 100 * MIB,
    "services/supplier/deletion-delay": 0,
    "services/supplier/enabled": True,
    "services/supplier/promise-days": 7,
    "services/customer-patrol/customer-idle-days": 0,
    "services/customer-patrol/scrub-rate": 512 * 1024,
    "paths/disk-reserve-percent": 0,
}


class Sent(list):
    """Events that were sent: their names and data."""

    def send(self, event: str, data=None) -> None:
        self.append((event, data or {}))

    def names(self) -> list[str]:
        return [event for event, _ in self]


class Shop:
    """A supplier over a folder: its store and commands, a clock moved by hand, nobody connected; threads run at once.

    ``now`` is the time of day. It is everything that the parts of `bitdust.customers` are given as ``around``.
    """

    def __init__(
        self, folder: Path, disk: Disk | None = None, pieces: int = 512, reserve: int = 0, small: int = 0
    ) -> None:
        self.folder = folder
        self.now = float(START)
        self.run_in_thread = maybeDeferred
        numbers = itertools.count(1)
        self.clock = GridClock()
        self.registry = Registry(self.clock)
        self.world = SimpleNamespace(
            wall=lambda: self.now,
            clock=self.clock,
            entropy=lambda length: hashlib.shake_128(str(next(numbers)).encode()).digest(length),
            run_in_thread=self.in_thread,
        )
        self.settings = Settings(SETTINGS)
        self.settings.values["paths/disk-reserve-percent"] = reserve
        self.budget = Budget(pieces=pieces)
        self.me = Supplier("supplier")
        self.events = Sent()
        self.documents: dict[bytes, FakeDocument] = {}
        self.identities = SimpleNamespace(
            get=self.document_of, hold=lambda document: None, let_go=lambda who: None, changed=Signal(),
            is_proven=lambda who: False,
        )  # fmt: skip
        self.sessions = SimpleNamespace(
            connected=lambda who: False, on_session=lambda watcher: lambda: None, session_with=self.session_of
        )  # fmt: skip
        self.outbox = None
        self.disk = disk or Disk()
        self.store = SupplierStore(self, folder, disk=self.disk, small=small)
        self.notices = Notices(self, self.store, lambda: 0)
        self.rows = SupplierRows(self, self.store, self.notices)
        self.hosts: dict[bytes, str] = {}
        self.families: list[bytes] = []
        self.left: list[bytes] = []
        self.rows.family_stored.connect(self.families.append)
        self.rows.customer_left.connect(self.left.append)
        self.table = {(row.command, row.kind): row for row in self.rows.rows()}

    def session_of(self, fingerprint: bytes):
        """The session of somebody who has come from a ``host``."""
        return SimpleNamespace(address=f"{self.hosts[fingerprint]}:1") if fingerprint in self.hosts else None

    def document_of(self, fingerprint: bytes) -> FakeDocument | None:
        return self.documents.get(fingerprint)

    def in_thread(self, call, *arguments):
        """A thread's work, done at once unless a test sets `run_in_thread`."""
        return self.run_in_thread(call, *arguments)

    def open(self):
        return now(self.store.start())

    def close(self) -> None:
        now(self.store.stop())

    def crash(self) -> None:
        """Let go of the files without a word, as a killed process does."""
        self.store._close()

    # what people do here

    def ask(
        self,
        person: Person,
        command: Command,
        kind: str | None,
        payload: bytes = b"",
        owner: bytes | None = None,
        capability: bytes | None = None,
        **fields,
    ):
        """Send a command to its row, as the inbox does; the answer as it would go out."""
        name = {"piece": "kind", "family": "kind"}.get(kind or "", "kind")
        if kind is not None and not ({"service", "space"} & set(fields)):
            fields[name] = kind
        request = SimpleNamespace(
            peer=SimpleNamespace(fingerprint=person.fingerprint, document=person.document, device=person.device.id),
            packet=SimpleNamespace(
                size=len(payload), owner=owner or person.fingerprint, capability=capability, to=self.me.fingerprint
            ),
            fields=fields,
            payload=Bytes(payload),
        )
        row = self.table[(command, kind)]
        try:
            if capability is not None and row.authorise is not None:
                row.authorise(request)
            answer = now(row.handler(request))
            return Said(answer.command, answer.fields, answer.payload)
        except BitDustError as error:
            return Said(Command.FAIL, {"code": error.code, "text": str(error), **error.details}, None)

    def hire(self, person: Person, room: int = 10 * MIB, **changes):
        fields = {"service": "service_supplier", "room": room, "n": 4, "position": 0, "term": 365, **changes}
        return self.ask(person, Command.REQUEST_SERVICE, "service_supplier", **fields)

    def end(self, person: Person):
        """The customer's signed word that everything of it may go."""
        contract = self.store.contract_of(person.fingerprint).contract.contract
        word = person.sign(ContractEnd(contract, person.fingerprint, self.me.fingerprint)).to_bytes()
        fields = {"service": "service_supplier", "contract": contract, "end": word}
        return self.ask(person, Command.CANCEL_SERVICE, "service_supplier", **fields)

    def put(self, person: Person, pack: Pack, index: int = 0, data: bytes | None = None, signed=None, **under):
        payload = pack.pieces[index] if data is None else data
        record = (signed or pack.signed).to_bytes()
        return self.ask(person, Command.DATA, "piece", payload, index=index, record=record, **under)

    def get(self, person: Person, pack: Pack, index: int = 0, offset: int = 0, length: int = 0, **under):
        fields = {"pack": pack.id, "index": index, "offset": offset, "length": length}
        return self.ask(person, Command.RETRIEVE, "piece", **fields, **under)

    def log(self, person: Person, entry: tuple, **under):
        return self.log_packet(person, [entry], **under)

    def log_packet(self, person: Person, entries: list, *pieces: SmallPiece, **under):
        """Several entries with the head of the last of them, and small pieces."""
        packet = LogPacket(tuple(data for data, _ in entries), pieces)
        return self.ask(person, Command.DATA, "log", packet.to_bytes(), head=entries[-1][1].to_bytes(), **under)


class Said(Answer):
    """An answer, as tests look at it."""

    @property
    def code(self):
        return self.fields.get("code") if self.command == Command.FAIL else None

    @property
    def bytes(self) -> bytes:
        """The payload, read to its end."""
        if isinstance(self.payload, bytes):
            return self.payload
        read = now(maybeDeferred(self.payload.read, 0, self.payload.size))
        if hasattr(self.payload, "close"):
            self.payload.close()
        return read


class Bytes:
    """A payload that comes in parts, one of them cut badly."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read_all(self, limit: int):
        assert len(self._data) <= limit
        return maybeDeferred(lambda: self._data)

    def stream_to(self, write):
        async def stream() -> int:
            for start in range(0, len(self._data), 200_000):
                waiting = write(memoryview(self._data)[start : start + 200_000])
                if waiting is not None:
                    await waiting
            return len(self._data)

        return Deferred.fromCoroutine(stream())


def log_of(store: SupplierStore, owner: bytes, device: bytes, first: int = 1, scope: bytes = b"") -> list[bytes]:
    """Entries that a supplier keeps, as it gives them back."""
    source = store.entries(owner, device, first, 10**9, scope)
    return decode(source.read(0, source.size), source.size)


def now(deferred):
    """The result of a Deferred that must have fired already."""
    results: list = []
    deferred.addBoth(results.append)
    assert results, "the Deferred has not fired"
    if hasattr(results[0], "raiseException"):
        results[0].raiseException()
    return results[0]


def files(folder: Path) -> list[str]:
    """Names of all files below, links left out."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and not any(parent.is_symlink() for parent in path.parents)
    )
