"""What this node has seen and signed about each family that it belongs to: ``metadata/healing/<customer>``, CBOR.

A vote is on the disk before it is given: whoever forgets its votes could vote twice. A file that is damaged counts as
empty. That is safe, because the time for which somebody was watched is lost with it: before the node votes again, every
vote that it may have forgotten is over.
"""

from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from twisted.logger import Logger

from bitdust.crypt.files import make_private_folder, remove_leftovers, remove_safely, write_safely
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.healing import MAX_CERTIFICATE, MAX_VOTE, MOST_CERTIFICATES, SpareCertificate, SpareVote
from bitdust.wire.schema import Bytes, Int, ListOf, Struct, parse

VERSION = 1
MAX_FILE = 8 * 1024 * 1024
MOST = 3 * 64
_FILE = Struct(
    {
        "version": Int(VERSION, VERSION),
        "owner_seen": Int(),
        "seen": ListOf(Struct({"who": Bytes(32), "seen": Int(), "watched": Int()}), MOST),
        "votes": ListOf(Bytes(1, MAX_VOTE), MOST),
        "certificates": ListOf(Bytes(1, MAX_CERTIFICATE), MOST_CERTIFICATES),
    }
)


@frozen
class Sighting:
    """When a member was there (seconds since the epoch), and for how many seconds it was watched being away."""

    seen: int
    watched: int = 0


@define
class CaseFile:
    """One family. ``votes`` are my newest, by place; ``certificates`` the newest known of each place."""

    owner_seen: int = 0
    seen: dict[bytes, Sighting] = field(factory=dict)
    votes: dict[int, bytes] = field(factory=dict)
    certificates: list[SpareCertificate] = field(factory=list)

    def to_bytes(self) -> bytes:
        """Canonical CBOR. Of a family that changed often, those who were seen last: more could not be read again."""
        seen = sorted(sorted(self.seen.items(), key=lambda pair: -pair[1].seen)[:MOST])
        value: dict[str, Any] = {
            "version": VERSION,
            "owner_seen": self.owner_seen,
            "seen": [{"who": who, "seen": one.seen, "watched": one.watched} for who, one in seen],
            "votes": [vote for _, vote in sorted(self.votes.items())],
            "certificates": [certificate.to_bytes() for certificate in self.certificates],
        }
        return encode(value)

    @classmethod
    def from_bytes(cls, data: bytes) -> "CaseFile":
        """Raises `WireError`."""
        value = parse(data, _FILE, MAX_FILE, "case file")
        return cls(
            value["owner_seen"],
            {one["who"]: Sighting(one["seen"], one["watched"]) for one in value["seen"]},
            {SpareVote.read(vote)[0].place: vote for vote in value["votes"]},
            [SpareCertificate.from_bytes(one) for one in value["certificates"]],
        )

    def vote(self, place: int) -> SpareVote | None:
        """My newest vote about a place."""
        found = self.votes.get(place)
        return SpareVote.read(found)[0] if found is not None else None


class HealingBook:
    """I keep one file a customer."""

    log = Logger()

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[bytes, CaseFile] = {}

    def load(self) -> None:
        """Read what earlier runs kept."""
        make_private_folder(self._folder)
        remove_leftovers(self._folder)
        self._files = {}
        for path in self._folder.glob("[0-9a-f]" * 64):
            try:
                self._files[bytes.fromhex(path.name)] = CaseFile.from_bytes(path.read_bytes())
            except WireError as error:
                self.log.warn("{path} is damaged and counts as empty: {error}", path=path.name, error=error)

    def of(self, customer: bytes) -> CaseFile:
        """The file of a customer; a change is kept by `save`."""
        return self._files.setdefault(customer, CaseFile())

    def customers(self) -> list[bytes]:
        """Whose families have files here."""
        return sorted(self._files)

    def save(self, customer: bytes) -> None:
        """On the disk when this returns."""
        make_private_folder(self._folder)
        write_safely(self._folder / customer.hex(), self.of(customer).to_bytes())

    def forget(self, customer: bytes) -> None:
        """This customer is one no more."""
        self._files.pop(customer, None)
        remove_safely(self._folder / customer.hex())
