"""A family whose owner is away: its members, its spares, and what they sign."""

from functools import partial
from types import SimpleNamespace

from attrs import evolve
from twisted.internet.defer import fail, maybeDeferred, succeed

from bitdust.crypt.spare_votes import Bench
from bitdust.customers.healing.room import Healing
from bitdust.customers.rows import SupplierRows
from bitdust.customers.store import SupplierStore
from bitdust.signal import Signal
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.healing import SpareCertificate, SpareVote
from bitdust.wire.mandate import Mandate
from bitdust.wire.packet import Command
from bitdust.wire.records import Family
from bitdust.wire.table import Request
from tests.unit.kit import Reply
from tests.unit.supplier_kit import (
    DAY,
    MIB,
    START,
    Bytes,
    FakeDevice,
    Pack,
    Person,
    Shop,
    Supplier,
    now,
)

AFTER = 7 * DAY


class Council:
    """A family of ``n`` with some spares; everybody is a person with one device."""

    def __init__(self, n: int = 6, spares: int = 3, most: int = 3) -> None:
        self.owner = Person("owner")
        self.members = [Person(f"member-{number}") for number in range(n)]
        self.spares = [Person(f"spare-{number}") for number in range(spares)]
        self.people = {one.fingerprint: one for one in (self.owner, *self.members, *self.spares)}
        listed = [one.fingerprint for one in self.spares]
        mandate = Mandate(AFTER, listed, most, 10 * MIB, b"n" * 16, START + 730 * DAY)
        suppliers = [one.fingerprint for one in self.members]
        self.family = Family(self.owner.fingerprint, 5, (n + 1) // 2, n, START, suppliers, mandate=mandate)

    def signed_family(self) -> bytes:
        return self.owner.sign(self.family).to_bytes()

    def document(self, fingerprint: bytes):
        person = self.people.get(fingerprint)
        return person.document if person is not None else None

    def bench(self, now: float | None = START) -> Bench:
        return Bench(self.family, self.document, now)

    def vote(self, seat: int, place: int = 0, spare: int = 0, signer: Person | None = None, **changes) -> bytes:
        """The vote of a place's supplier, signed."""
        voter = self.members[seat % len(self.members)]
        vote = SpareVote(
            customer=self.owner.fingerprint,
            revision=self.family.revision,
            place=place,
            gone=self.members[place % len(self.members)].fingerprint,
            spare=self.spares[spare].fingerprint,
            voter=voter.fingerprint,
            seat=seat,
            since=START - AFTER,
            time=START,
            ends=START + AFTER,
        )
        return (signer or voter).sign(evolve(vote, **changes)).to_bytes()

    def certificate(self, *seats: int, place: int = 0, spare: int = 0, **changes) -> SpareCertificate:
        """What these seats sign together."""
        return SpareCertificate.of([self.vote(seat, place, spare, **changes) for seat in seats])

    def majority(self, place: int = 0, spare: int = 0, **changes) -> SpareCertificate:
        """The certificate of as few seats as are enough."""
        seats = [seat for seat in range(self.family.n) if seat != place][: self.family.n // 2 + 1]
        return self.certificate(*seats, place=place, spare=spare, **changes)

    def revoke(self, person: Person) -> None:
        """This person's device is stolen."""
        person.document.devices[person.device.id] = FakeDevice(person.device.public, revoked=1)


class Presence:
    """Whether the owner is there."""

    def __init__(self) -> None:
        self.online = False
        self.changed: Signal = Signal()

    def is_online(self, who: bytes) -> bool:
        return self.online


class FakeParser:
    """Reads the documents of a village by their bytes."""

    def __init__(self, people: dict) -> None:
        self.people = people

    def parse(self, xml: bytes):
        found = [one.document for one in self.people.values() if one.document.xml == xml]
        if not found:
            raise WireError("malformed", "this is no document of the village")
        return found[0]


class House(Shop):
    """A node of a village: a supplier that belongs to families, or may."""

    def __init__(self, village: "Village", person: Person, folder) -> None:
        super().__init__(folder / "pieces")
        self.village = village
        self.person = person
        self.me = Supplier(person.name)
        self.documents = {one.fingerprint: one.document for one in village.council.people.values()}
        self.identities = SimpleNamespace(
            get=self.document_of, accept=lambda document: "", keep=lambda document: None, hold=lambda document: None,
            is_proven=lambda who: False,
        )  # fmt: skip
        self.world.home = folder
        self.settings.values["services/customer-family/healing-rate"] = MIB
        self.outbox = SimpleNamespace(send=self.send)
        self.is_up = True
        self.store = SupplierStore(self, folder / "pieces", small=0)
        self.living()

    def living(self) -> None:
        """Everything that a restart makes anew."""
        self.presence = Presence()
        self.healing = Healing(self, self.store, self.presence)
        self.healing.rebuilds.maker = self.village
        rows = SupplierRows(self, self.store, self.notices, self.healing.claims)
        rows.family_stored.connect(self.healing.refresh)
        found = [*rows.rows(), *self.healing.rows.rows()]
        self.table = {(row.command, row.kind): row for row in found}

    @property
    def fingerprint(self) -> bytes:
        return self.person.fingerprint

    @property
    def councils(self):
        return self.healing.councils

    def send(self, to, command, fields, payload=None, *, deadline, max_answer=0, owner=None, capability=None):
        """What goes out comes in at the other house, at once."""
        self.village.sent.append((self.person.name, fields.get("kind"), to))
        house = self.village.houses.get(to)
        if house is None or not house.is_up or not self.is_up or {self.fingerprint, to} in self.village.cuts:
            return fail(BitDustError("no-answer", "nobody is there"))
        if command == Command.IDENTITY:
            return succeed(Reply({}))
        return house.handle(self.person, command, fields, payload or b"", owner=owner, capability=capability)

    def handle(self, peer: Person, command, fields, payload: bytes, owner=None, capability=None):
        """The answer to a packet."""
        kind = fields.get("kind") if command != Command.LIST_FILES else None
        request = Request(
            SimpleNamespace(fingerprint=peer.fingerprint, document=peer.document, device=peer.device.id),
            SimpleNamespace(
                size=len(payload), owner=owner or peer.fingerprint, capability=capability, fields=fields
            ),
            Bytes(payload),
        )  # fmt: skip
        row = self.table[command, kind]
        try:
            row.fields.check(dict(fields), "fields")
            if capability is not None:
                row.authorise(request)
        except BitDustError as error:
            return fail(error)
        return maybeDeferred(row.handler, request).addCallback(self._reply).addCallback(partial(self.lie, fields))

    def lie(self, fields, reply: Reply) -> Reply:
        """What goes out in the place of the answer; a test may set another."""
        return reply

    def _reply(self, answer):
        payload = answer.payload
        if payload is not None and not isinstance(payload, bytes):
            payload = now(maybeDeferred(payload.read, 0, payload.size))
        return Reply(dict(answer.fields), payload or b"")


class Village:
    """An owner that is away, the members of its family, and its spares, each in a house of its own."""

    def __init__(self, folder, n: int = 4, spares: int = 2, most: int = 2, packs: int = 3) -> None:
        self.council = Council(n, spares, most)
        self.owner = self.council.owner
        self.sent: list[tuple] = []
        self.cuts: list[set] = []
        people = [*self.council.members, *self.council.spares]
        self.houses = {one.fingerprint: House(self, one, folder / one.name) for one in people}
        self.packs = {pack.id: pack for pack in (Pack(self.owner, number, 100_000) for number in range(packs))}
        for house in self.houses.values():
            house.folder.mkdir(parents=True)
            (house.world.home / "metadata").mkdir()
            house.open()
        for place, member in enumerate(self.council.members):
            self._move_in(self.houses[member.fingerprint], place)

    def _move_in(self, house: House, place: int) -> None:
        owner = self.owner
        house.healing.start()
        assert house.hire(owner, position=place, n=self.council.family.n).code is None
        record = self.council.signed_family()
        assert house.ask(owner, Command.CONTACTS, "family", record, space="family").code is None
        for pack in self.packs.values():
            assert house.put(owner, pack, place).code is None
        ring = owner.ring(1).to_bytes()
        assert house.ask(owner, Command.DATA, "keyring", ring).code is None
        for entry in owner.log(3):
            assert house.log(owner, entry).code is None

    def start_spares(self) -> None:
        """The services of the spares are on."""
        for spare in self.council.spares:
            self.houses[spare.fingerprint].healing.start()

    def member(self, number: int) -> House:
        return self.houses[self.council.members[number].fingerprint]

    def spare(self, number: int) -> House:
        return self.houses[self.council.spares[number].fingerprint]

    def make(self, record, pieces, index: int) -> bytes:
        """How a piece is made: these packs were never coded."""
        pack = self.packs[record.pack]
        assert all(pack.pieces[number] == data for number, data in pieces.items())
        assert len(pieces) == record.scheme.k
        return pack.pieces[index]

    def pass_time(self, seconds: float, step: float = 7200.0) -> None:
        """Everybody's clock goes on."""
        passed = 0.0
        while passed < seconds:
            for house in self.houses.values():
                house.now += step
            for house in self.houses.values():
                house.clock.advance(step)
            passed += step

    def stop(self) -> None:
        for house in self.houses.values():
            house.healing.stop()
            house.close()
