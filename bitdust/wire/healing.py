"""What members of a family say and show to each other while its owner is away; ``docs/formats.md``, section 8.

A vote is one member's signed word that a supplier has been gone for too long and that a spare may take its place. A
certificate is a bundle of votes that all say the same. A dossier is what lets anybody judge it: the owner's family
record, the certificates of its places, and the identity documents of all who signed.
"""

from typing import Any, ClassVar

from attrs import frozen

from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.mandate import MOST_LISTED
from bitdust.wire.records import MAX_SUPPLIERS, Record
from bitdust.wire.schema import Bytes, Int, ListOf, Optional, Schema, Struct, parse
from bitdust.wire.signed import Signed

VERSION = 1
WITH_INSTEAD = 2
"""The version of a vote in the place of one for another spare; others are of version 1."""
MAX_VOTE = 1024
MAX_CERTIFICATE = MAX_SUPPLIERS * MAX_VOTE
MAX_DOSSIER = 4 * 1024 * 1024
MOST_CERTIFICATES = 2 * MAX_SUPPLIERS
MOST_IDENTITIES = 3 * MAX_SUPPLIERS


@frozen
class Terms:
    """What a vote is about: who is gone from which place of which family, and who is to stand in."""

    customer: bytes
    revision: int
    place: int
    gone: bytes
    spare: bytes


@frozen
class SpareVote(Record):
    """``voter`` has the place ``seat``, and has not met ``gone`` since ``since``; it counts until ``ends``.

    Times are in seconds since the epoch. ``instead`` names those who stood in at the place before, or were voted for,
    and have been gone for too long as well.
    """

    KIND: ClassVar[str] = "spare-vote"
    LIMIT: ClassVar[int] = 896
    FIELDS: ClassVar[dict[str, Schema]] = {
        "version": Int(VERSION, WITH_INSTEAD),
        "customer": Bytes(32),
        "revision": Int(1),
        "place": Int(0, MAX_SUPPLIERS - 1),
        "gone": Bytes(32),
        "spare": Bytes(32),
        "voter": Bytes(32),
        "seat": Int(0, MAX_SUPPLIERS - 1),
        "since": Int(),
        "time": Int(),
        "ends": Int(),
        "instead": Optional(ListOf(Bytes(32), MOST_LISTED, 1)),
    }

    customer: bytes
    revision: int
    place: int
    gone: bytes
    spare: bytes
    voter: bytes
    seat: int
    since: int
    time: int
    ends: int
    instead: list[bytes] | None = None
    version: int = VERSION

    @classmethod
    def from_body(cls, data: bytes) -> "SpareVote":
        """Raises `WireError`."""
        vote = cls(**cls.parse_fields(data))
        if vote.instead is not None and vote.version < WITH_INSTEAD:
            raise WireError("bad-field", f"a vote of version {vote.version} is in nobody's place")
        return vote

    @classmethod
    def read(cls, data: bytes) -> "tuple[SpareVote, Signed]":
        """A signed vote; its signature is not checked here. Raises `WireError`."""
        signed = Signed.from_bytes(data, cls.KIND, MAX_VOTE)
        return cls.from_body(signed.body), signed

    @property
    def terms(self) -> Terms:
        """What it is about."""
        return Terms(self.customer, self.revision, self.place, self.gone, self.spare)


@frozen
class SpareCertificate:
    """Votes that say the same, by different members; whether they are enough is for `bitdust.crypt.spare_votes`."""

    votes: tuple[SpareVote, ...]
    signed: tuple[Signed, ...]

    @classmethod
    def of(cls, votes: list[bytes]) -> "SpareCertificate":
        """Raises `WireError`."""
        read = [SpareVote.read(data) for data in votes]
        if not read or len({vote.terms for vote, _ in read}) != 1:
            raise WireError("bad-field", "the votes of a certificate are not about the same")
        read.sort(key=lambda pair: pair[0].seat)
        return cls(tuple(vote for vote, _ in read), tuple(signed for _, signed in read))

    @classmethod
    def from_bytes(cls, data: bytes) -> "SpareCertificate":
        """Raises `WireError`."""
        value = decode(data, MAX_CERTIFICATE, max_items=MAX_SUPPLIERS + 1)
        ListOf(Bytes(1, MAX_VOTE), MAX_SUPPLIERS, 1).check(value, "certificate")
        return cls.of(value)

    def to_bytes(self) -> bytes:
        """Canonical CBOR list of the signed votes, in order of their seats."""
        return encode([signed.to_bytes() for signed in self.signed])

    @property
    def terms(self) -> Terms:
        """What all votes are about."""
        return self.votes[0].terms

    @property
    def instead(self) -> frozenset[bytes]:
        """Spares of whom every voter says that they are gone."""
        return frozenset.intersection(*(frozenset(vote.instead or ()) for vote in self.votes))

    @property
    def time(self) -> int:
        """When the last vote was given."""
        return max(vote.time for vote in self.votes)

    @property
    def ends(self) -> int:
        """Until when all of its votes count."""
        return min(vote.ends for vote in self.votes)


_DOSSIER = Struct(
    {
        "version": Int(VERSION, VERSION),
        "family": Bytes(1, 32 * 1024),
        "identities": ListOf(Bytes(1, 32 * 1024), MOST_IDENTITIES),
        "certificates": ListOf(Bytes(1, MAX_CERTIFICATE), MOST_CERTIFICATES),
    }
)


@frozen
class Dossier:
    """A signed family record, identity documents, and certificates, all as bytes that prove themselves."""

    family: bytes
    identities: list[bytes]
    certificates: list[bytes]

    def to_bytes(self) -> bytes:
        """Canonical CBOR."""
        value: dict[str, Any] = {
            "version": VERSION,
            "family": self.family,
            "identities": self.identities,
            "certificates": self.certificates,
        }
        return encode(value)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Dossier":
        """Raises `WireError`."""
        value = parse(data, _DOSSIER, MAX_DOSSIER, "dossier")
        return cls(value["family"], value["identities"], value["certificates"])


@frozen
class SpareClaim:
    """What a spare shows in the place of a capability: for whom, and at which place, it reads."""

    KIND: ClassVar[str] = "spare"

    customer: bytes
    place: int

    def to_bytes(self) -> bytes:
        """Canonical CBOR list of kind, customer and place."""
        return encode([self.KIND, self.customer, self.place])

    @classmethod
    def find(cls, data: bytes | None) -> "SpareClaim | None":
        """The claim that a packet shows; None where it shows none. Raises `WireError` for bytes that are nothing."""
        value = decode(data, 4096, max_items=8) if data is not None else None
        if type(value) is not list or len(value) != 3 or value[0] != cls.KIND:
            return None
        Bytes(32).check(value[1], "claim[1]")
        Int(0, MAX_SUPPLIERS - 1).check(value[2], "claim[2]")
        return cls(value[1], value[2])
