"""What this node has seen and signed about each family that it belongs to: ``metadata/healing/<customer>``, CBOR.

A vote is on the disk before it is given: whoever forgets its votes could vote twice. A file that is damaged counts as
empty. That is safe, because the time for which somebody was watched is lost with it: before the node votes again, every
vote that it may have forgotten is over. ``ended`` beside the files says when this node was a spare for the last time.

Whoever writes writes through the store's group commit: nothing here waits for the disk in the reactor.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.crypt.files import make_private_folder, remove_leftovers, remove_safely, write_safely
from bitdust.disk.commit import Job
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.healing import MAX_CERTIFICATE, MAX_VOTE, MOST_CERTIFICATES, SpareCertificate, SpareVote
from bitdust.wire.schema import Bytes, Int, ListOf, Struct, parse

VERSION = 1
MAX_FILE = 8 * 1024 * 1024
MOST = 3 * 64
ENDED = "ended"
MOST_ENDED = 10_000
"""Customers of whom it is remembered when they left; of more, the newest."""
_FILE = Struct(
    {
        "version": Int(VERSION, VERSION),
        "owner_seen": Int(),
        "seen": ListOf(Struct({"who": Bytes(32), "seen": Int(), "watched": Int()}), MOST),
        "votes": ListOf(Bytes(1, MAX_VOTE), MOST),
        "certificates": ListOf(Bytes(1, MAX_CERTIFICATE), MOST_CERTIFICATES),
    }
)
_ENDED = Struct(
    {
        "version": Int(VERSION, VERSION),
        "ended": ListOf(Struct({"customer": Bytes(32), "time": Int()}), MOST_ENDED),
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
    owner_written: int = 0

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


@frozen
class WriteFile(Job):
    """The batch's part of one file; None removes it."""

    path: Path
    data: bytes | None

    def prepare(self) -> None:
        """In a thread. Raises `OSError`."""
        if self.data is None:
            remove_safely(self.path)
            return
        make_private_folder(self.path.parent)
        write_safely(self.path, self.data)


class HealingBook:
    """I keep one file a customer; ``run`` brings a job to the disk."""

    log = Logger()

    def __init__(self, folder: Path, run: "Callable[[Job], Deferred[Any]]") -> None:
        self._folder = folder
        self._run = run
        self._files: dict[bytes, CaseFile] = {}
        self._ended: dict[bytes, int] = {}
        self._is_loaded = False

    def load(self) -> None:
        """Read what earlier runs kept; what this run knows is newer."""
        if self._is_loaded:
            return
        self._is_loaded = True
        make_private_folder(self._folder)
        remove_leftovers(self._folder)
        for path in self._folder.glob("[0-9a-f]" * 64):
            try:
                self._files[bytes.fromhex(path.name)] = CaseFile.from_bytes(path.read_bytes())
            except WireError as error:
                self.log.warn("{path} is damaged and counts as empty: {error}", path=path.name, error=error)
        self._load_ended()

    def _load_ended(self) -> None:
        path = self._folder / ENDED
        if not path.exists():
            return
        try:
            value = parse(path.read_bytes(), _ENDED, MAX_FILE, "ended")
        except WireError as error:
            self.log.warn("{path} is damaged and counts as empty: {error}", path=path.name, error=error)
            return
        self._ended = {one["customer"]: one["time"] for one in value["ended"]}

    def of(self, customer: bytes) -> CaseFile:
        """The file of a customer; a change is kept by `save`."""
        return self._files.setdefault(customer, CaseFile())

    def customers(self) -> list[bytes]:
        """Whose families have files here."""
        return sorted(self._files)

    def save(self, customer: bytes) -> "Deferred[Any]":
        """Fires when what is known now is on the disk; fails with a `BitDustError`."""
        return self._run(WriteFile(self._folder / customer.hex(), self.of(customer).to_bytes()))

    def note(self, customer: bytes) -> None:
        """`save` where nobody waits for it."""
        self.save(customer).addErrback(self._not_written)

    def _not_written(self, failure: Failure) -> None:
        self.log.warn("what is known of a family is not written: {why}", why=failure.value)

    def forget(self, customer: bytes) -> None:
        """This customer is one no more."""
        self._files.pop(customer, None)
        self._run(WriteFile(self._folder / customer.hex(), None)).addErrback(self._not_written)

    # who has left

    def ended(self, customer: bytes) -> int | None:
        """When this node was a spare of a customer for the last time, where it is one no more."""
        return self._ended.get(customer)

    def note_ended(self, customer: bytes, time: int) -> None:
        """It was until now."""
        newest = sorted((self._ended | {customer: time}).items(), key=lambda pair: -pair[1])[:MOST_ENDED]
        self._ended = dict(newest)
        rows = [{"customer": who, "time": when} for who, when in newest]
        data = encode({"version": VERSION, "ended": rows})
        self._run(WriteFile(self._folder / ENDED, data)).addErrback(self._not_written)
