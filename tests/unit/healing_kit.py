"""A family whose owner is away: its members, its spares, and what they sign."""

from attrs import evolve

from bitdust.crypt.spare_votes import Bench
from bitdust.wire.healing import SpareCertificate, SpareVote
from bitdust.wire.mandate import Mandate
from bitdust.wire.records import Family
from tests.unit.supplier_kit import DAY, START, FakeDevice, Person

AFTER = 7 * DAY


class Council:
    """A family of ``n`` with some spares; everybody is a person with one device."""

    def __init__(self, n: int = 6, spares: int = 3, most: int = 3) -> None:
        self.owner = Person("owner")
        self.members = [Person(f"member-{number}") for number in range(n)]
        self.spares = [Person(f"spare-{number}") for number in range(spares)]
        self.people = {one.fingerprint: one for one in (self.owner, *self.members, *self.spares)}
        listed = [one.fingerprint for one in self.spares]
        mandate = Mandate(AFTER, listed, most, 2**30, b"n" * 16, START + 730 * DAY)
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
