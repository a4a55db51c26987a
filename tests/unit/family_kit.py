"""A little world of one customer: suppliers that can be reached or not, and answer, and a clock moved by hand."""

import itertools
from pathlib import Path
from types import SimpleNamespace

from attrs import define
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed

from bitdust.automats.kernel import Registry
from bitdust.customers.promises import FIRST
from bitdust.identity.awaited import FAMILY
from bitdust.peers.presence import Presence
from bitdust.signal import Signal
from bitdust.suppliers.finding import Answer
from bitdust.suppliers.room import SuppliersRoom
from bitdust.suppliers.roster import SupplierShown
from bitdust.suppliers.search import Candidate
from bitdust.surroundings import Connected
from bitdust.testing.clock import GridClock
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import Contract, Family
from bitdust.wire.signed import Signed
from bitdust.wiring import check_wires
from tests.stand_ins import StoredAsSaid
from tests.unit import kit
from tests.unit.kit import Events, Reply
from tests.unit.supplier_kit import START, Person

GB = 1024**3
SETTINGS = {
    "services/customer/suppliers-number": 4,
    "services/customer/needed-space": 4 * GB,
    "services/employer/replace-critically-offline-enabled": True,
    "services/employer/replace-after-days": 7,
    "services/employer/replace-after-failed-audits": 3,
    "services/employer/candidates": "",
    "services/employer/spread-enabled": True,
    "services/employer/spread-private-enabled": False,
    "services/employer/confirm-spares-enabled": True,
    "services/employer/healing-after-days": 7,
    "services/employer/healing-spares": 0,
    "services/customer-patrol/customer-idle-days": 0,
    "services/supplier/donated-space": 8 * GB,
}


class Settings(kit.Settings):
    """What suppliers, customers and peers read."""

    def __init__(self) -> None:
        super().__init__(SETTINGS)


class Me(Person):
    """The local identity; ``awaited`` is what a recovered one waits for."""

    held_master = None

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.awaited: set[str] = set()
        self.changed: Signal[[]] = Signal()

    def awaits(self, part: str) -> bool:
        return part in self.awaited

    def lost(self, part: str) -> None:
        self.awaited.add(part)

    def came_back(self, part: str) -> None:
        self.awaited.discard(part)
        self.changed.emit()

    def start_over(self) -> None:
        self.came_back(FAMILY)

    def sign(self, kind, body=None):
        return super().sign(kind) if body is None else self.device.sign_record(kind, body)


@define(eq=False)
class Supplier:
    """A peer that gives contracts; `mood` says how."""

    person: Person
    mood: str = "kind"
    room: int = 100 * GB
    up: bool = True
    promised: int = 0
    requests: int = 0
    cancelled: int = 0
    ended: int = 0
    family: Family | None = None
    family_signed: Signed | None = None
    wished: dict | None = None
    leaves: int | None = None
    dossier: bytes = b""
    too_early: int = 0
    """How often it is asked about spares before it knows the question."""
    offers: int = 0
    """How often it was asked to be one."""
    stands_in: int | None = None
    contract_id: bytes = b""
    charged: int | None = None
    """What it counts, where it promises no more than is earned by that."""

    @property
    def fingerprint(self) -> bytes:
        return self.person.fingerprint

    def offered(self):
        """It is asked to stand in, if need be."""
        if self.too_early:
            self.too_early -= 1
            return fail(BitDustError("unknown-command", "the service is not there yet"))
        self.offers += 1
        return fail(BitDustError("no-space", "no room")) if self.mood == "full" else succeed(Reply({}))

    def answer(self, me: Person, command, fields, payload):
        if self.mood == "silent":
            return Deferred()
        if command == Command.IDENTITY:
            return succeed(Reply({}))
        if command == Command.REQUEST_SERVICE:
            return self.contract(me, fields)
        if command == Command.CANCEL_SERVICE and self.mood == "broken":
            return fail(BitDustError("no-answer", "the line broke"))
        if command == Command.CANCEL_SERVICE:
            self.cancelled += 1
            self.ended += "end" in fields
            return succeed(Reply({"until": 0}))
        if command == Command.CONTACTS and self.mood == "deaf":
            return fail(BitDustError("no-space", "there is no room for records"))
        if command == Command.CONTACTS:
            return self.keep(Signed.from_bytes(payload, Family.KIND))
        if fields.get("kind") == "spare-offer":
            return self.offered()
        if fields.get("kind") == "spares" and self.too_early:
            self.too_early -= 1
            return fail(BitDustError("unknown-command", "no service of this node answers"))
        if fields.get("kind") == "spares":
            return succeed(Reply({}, self.dossier)) if self.dossier else fail(BitDustError("no-contract", "none"))
        if fields.get("kind") == "spare-status":
            return self.status(me)
        if command == Command.RETRIEVE:
            return succeed(Reply({"kind": "family"}, self.family_signed.to_bytes()))
        raise AssertionError(command)

    def status(self, me: Person):
        """How it stands in."""
        if self.stands_in is None:
            return fail(BitDustError("no-contract", "nothing of yours is kept here"))
        fields = {"room": 1000, "position": self.stands_in, "n": 4}
        made = Contract(self.fingerprint[:16], me.fingerprint, self.fingerprint, since=START, **fields)
        return succeed(Reply({"state": "WHOLE", "contract": self.person.sign(made).to_bytes()}))

    def contract(self, me: Person, fields):
        self.requests += 1
        self.wished = dict(fields)
        asked = fields["room"]
        if "contract" not in fields and self.promised:
            asked = min(asked, self.promised)
        earned = FIRST + 2 * self.charged if self.charged is not None else self.room
        if self.mood == "full" or asked > min(self.room, max(earned, self.promised)):
            return fail(BitDustError("no-space", "there is no room"))
        if self.mood == "rejecting":
            return fail(BitDustError("not-allowed", "you were rejected"))
        if self.mood == "wordless":
            return succeed(Reply({}))
        if self.mood == "starting":
            return fail(BitDustError("unknown-command", "no service of this node answers"))
        if self.mood == "broken":
            return fail(BitDustError("no-answer", "the line broke"))
        promised = Contract(
            contract=self.contract_id or fields.get("contract") or self.fingerprint[:16],
            customer=me.fingerprint,
            supplier=self.fingerprint,
            room=asked // (2 if self.mood == "stingy" else 1),
            position=fields["position"],
            n=fields["n"],
            since=START,
        )
        self.promised = promised.room
        signer = Person("mallory") if self.mood == "forger" else self.person
        leaves = {"leaves": self.leaves} if self.leaves is not None else {}
        return succeed(Reply({"contract": signer.sign(promised).to_bytes(), **leaves}))

    def keep(self, signed: Signed):
        family = Family.from_body(signed.body)
        if self.family is not None and family.revision < self.family.revision:
            return fail(BitDustError("stale", "a newer one is kept"))
        self.family, self.family_signed = family, signed
        return succeed(Reply({"revision": family.revision}))


class Town(StoredAsSaid):
    """One customer, its suppliers, and everything between them."""

    def __init__(self, folder: Path, suppliers: int = 6) -> None:
        super().__init__()
        self.folder = folder
        (folder / "metadata").mkdir(parents=True, exist_ok=True)
        self.clock = GridClock()
        self.settings = Settings()
        self.events = Events()
        self.me = Me("customer")
        self.people = {self.me.fingerprint: self.me}
        self.suppliers: dict[bytes, Supplier] = {}
        for number in range(suppliers):
            self.add(f"supplier-{number}")
        self.sessions: set[bytes] = set()
        self.watchers: list = []
        self.asked_dht: list[frozenset] = []
        self.in_dht: list[Family] = []
        self.dht_error: Exception | None = None
        self.addresses: dict[bytes, str] = {}
        self.sent: list[tuple] = []
        self.answers: list[Answer] = []
        self.asked_for_family: list[tuple] = []
        self.living()

    def living(self) -> None:
        """Everything that a restart makes anew."""
        numbers = itertools.count()
        self.registry = Registry(self.clock, lambda: START + self.clock.seconds())
        self.world = SimpleNamespace(
            run_in_thread=maybeDeferred,
            clock=self.clock,
            home=self.folder,
            wall=lambda: START + self.clock.seconds(),
            entropy=lambda length: (next(numbers) % 251).to_bytes(1, "big") * length,
        )
        self.around = Connected(
            world=self.world, settings=self.settings, events=self.events, registry=self.registry, budget=None,
            me=self.me, identities=self, sessions=self, outbox=self,
        )  # fmt: skip
        self.presence = Presence(self.around)
        room = self.room = SuppliersRoom(self.around, self.presence, self.to_dht)
        room.hiring.candidates = room.finding.sources = room.mandates.candidates = self
        room.hiring.pieces = room.replacements.pieces = room.resizing.packs = room.lost.audits = self
        room.hiring.customers = room.requests.customers = self
        check_wires(vars(room).values())
        room.load()
        self.family, self.book, self.departures, self.absences = room.family, room.book, room.departures, room.absences
        self.publication, self.hiring, self.replacements = room.publication, room.hiring, room.replacements
        self.requests = room.requests

    def start(self) -> None:
        """Connect the family and complete it."""
        self.room.open()
        self.hiring.start()

    def shown(self) -> list[SupplierShown]:
        """The family, place by place."""
        return self.room.roster.suppliers()

    def online(self) -> int:
        """How many members are CONNECTED."""
        return len(self.room.connectors.connected())

    def add(self, name: str) -> Supplier:
        person = Person(name)
        self.people[person.fingerprint] = person
        supplier = self.suppliers[person.fingerprint] = Supplier(person)
        return supplier

    def supplier(self, number: int) -> Supplier:
        return list(self.suppliers.values())[number]

    def stop(self) -> None:
        self.room.close()
        self.presence.stop()

    # what other rooms know

    def get(self, fingerprint):
        person = self.people.get(fingerprint)
        return person.document if person is not None else None

    def keep(self, document) -> None:
        """All of them are known for good."""

    def is_proven(self, fingerprint) -> bool:
        """Their names were all looked up."""
        return True

    def in_dht_revisions(self) -> list[int]:
        return [family.revision for family in self.in_dht]

    hinted_revision = 0
    hinted_suppliers = ()

    def ask_for_family(self, suppliers, at_large, take, beneath=False):
        self.asked_for_family.append((sorted(suppliers), at_large))
        for answer in self.answers:
            take(answer)
        return succeed(None)

    def random_supplier(self, exclude):
        self.asked_dht.append(exclude)
        for supplier in self.suppliers.values():
            if supplier.fingerprint not in exclude and supplier.up:
                return succeed(Candidate(supplier.fingerprint, (f"tcp://{supplier.person.name}:1",)))
        return succeed(None)

    def identify(self, idurl):
        for person in self.people.values():
            if person.document.idurl == idurl:
                return succeed(person.fingerprint)
        return fail(BitDustError("not-found", f"nobody is at {idurl}"))

    def to_dht(self, family, signed):
        if self.dht_error is not None:
            return fail(self.dht_error)
        self.in_dht.append(Family.from_body(signed.body))
        return succeed(None)

    # the sessions

    def known_addresses(self, fingerprint) -> list[str]:
        return []

    def session_with(self, fingerprint):
        address = self.addresses.get(fingerprint)
        return SimpleNamespace(address=address) if address is not None else None

    def connected(self, fingerprint) -> bool:
        return fingerprint in self.sessions

    def session_to(self, fingerprint):
        supplier = self.suppliers.get(fingerprint)
        if supplier is None or not supplier.up:
            return fail(BitDustError("no-answer", "nobody is there"))
        self.connect(fingerprint)
        return succeed(SimpleNamespace(peer=SimpleNamespace(fingerprint=fingerprint)))

    def dial(self, address, expect):
        return self.session_to(expect)

    def on_session(self, watcher):
        self.watchers.append(watcher)
        return lambda: self.watchers.remove(watcher)

    def connect(self, fingerprint) -> None:
        if fingerprint not in self.sessions:
            self.sessions.add(fingerprint)
            self._tell(fingerprint, True)

    def cut(self, fingerprint) -> None:
        """The session ends."""
        if fingerprint in self.sessions:
            self.sessions.discard(fingerprint)
            self._tell(fingerprint, False)

    def kill(self, supplier: Supplier) -> None:
        supplier.up = False
        self.cut(supplier.fingerprint)

    def _tell(self, fingerprint, up) -> None:
        session = SimpleNamespace(peer=SimpleNamespace(fingerprint=fingerprint))
        for watcher in list(self.watchers):
            watcher(session, up)

    # the outbox

    def send(self, to, command, fields, payload=None, *, deadline, max_answer=0):
        self.sent.append((to, command))
        if to not in self.sessions:
            met = self.session_to(to)
            return met.addCallback(lambda _: self.suppliers[to].answer(self.me, command, fields, payload))
        return self.suppliers[to].answer(self.me, command, fields, payload)
