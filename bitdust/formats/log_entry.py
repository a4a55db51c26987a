"""Entries of the catalog's logs: a hash-chained, encrypted list for each key and device (``docs/formats.md``, section
7).

Each key of an owner has logs of its own, which tell of the items under that key and of nothing else: whoever is given
the key's storage secrets can read these, and learns no name under another key. Suppliers see owner, scope, device,
sequence and class of size of an entry, and that each names the hash of the one before; what it says is sealed.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import zstandard
from attrs import evolve, frozen

from bitdust.crypt.ring_room import MAX_NAME
from bitdust.crypt.sealing import open_entry, open_with_any, seal_entry
from bitdust.formats.operations import OPS, Op, check_names, without_traps
from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.records import Head
from bitdust.wire.schema import Bytes, Int, Optional, Struct, parse

VERSION, OLDEST, PADDED = 5, 2, 4
"""3: a version may have ``extras``. 4: the content is padded. 5: a tombstone may have
``places``, and a pack be that of a ``guest``. Older entries are read; what is unknown is refused."""
MAX_ENTRY = 1024 * 1024
MAX_PACKED = MAX_ENTRY - 2048
LEAST_CLASS, FINE_CLASSES = 512, 8192
"""Bytes of the smallest class of sizes, and where classes begin that lie closer than a factor of two."""
_LENGTH = 4
MAX_HEADS = 1024 * 1024
"""Bytes of the list of all heads that a supplier keeps of one owner, so that one answer holds it."""
MAX_PLAIN = 4 * 1024 * 1024
NOTHING_BEFORE = bytes(32)
_INFO = b"BitDust log 2"
ENTRY = Struct(
    {
        "version": Int(OLDEST, VERSION),
        "owner": Bytes(32),
        "device": Bytes(8),
        "sequence": Int(1),
        "previous": Bytes(32),
        "epoch": Int(1, MAX_NAME),
        "sealed": Bytes(0, MAX_ENTRY),
        "scope": Optional(Bytes(16)),
    }
)
_PLACE = Struct({name: ENTRY.fields[name] for name in ("owner", "device", "sequence", "previous", "scope")})
"""What every version says in the same way, so that older programs know that what a newer one wrote is in its place."""
_CONTENT = Struct({"lamport": Int(1), "time": Int(), "ops": OPS})


class NewerEntry(WireError):
    """An entry of a version that this program does not know."""


@frozen
class Content:
    """What an entry says. ``lamport`` orders entries of several devices, ``time`` is milliseconds for people."""

    lamport: int
    time: int
    ops: list[Op]


@frozen
class Entry:
    """One entry as it is stored and sent. ``scope`` is the tag of the key whose log it is, None for the master key."""

    owner: bytes
    device: bytes
    sequence: int
    previous: bytes
    epoch: int
    sealed: bytes
    scope: bytes | None = None
    version: int = VERSION

    @classmethod
    def parse(cls, data: bytes) -> "Entry":
        """Raises `WireError`, `NewerEntry` for one that only a newer program can read."""
        try:
            value = parse(data, ENTRY, MAX_ENTRY, "log entry")
        except WireError as error:
            version = _version_of(data)
            if version > VERSION:
                raise NewerEntry(error.code, f"a newer program has written it, in version {version}") from error
            raise
        return cls(**value)

    def _open_fields(self) -> dict[str, Any]:
        fields = {
            "version": self.version,
            "owner": self.owner,
            "device": self.device,
            "sequence": self.sequence,
            "previous": self.previous,
            "epoch": self.epoch,
        }
        return fields if self.scope is None else fields | {"scope": self.scope}

    @property
    def info(self) -> bytes:
        """What the sealing key of this log is derived with: no two logs share one."""
        return _INFO + (self.scope or b"") + self.device

    def aad(self) -> bytes:
        """What the seal holds fast besides the content."""
        return encode(self._open_fields())

    def to_bytes(self) -> bytes:
        """Canonical bytes; their hash names the entry."""
        return encode(self._open_fields() | {"sealed": self.sealed})

    def open(self, secrets: Sequence[bytes]) -> Content:
        """The content under one of the key's storage secrets of the name `epoch`. Raises `WireError`."""
        number, info, aad = self.sequence, self.info, self.aad()
        packed = open_with_any(secrets, lambda secret: open_entry(secret, info, number, aad, self.sealed))
        plain = _unpack(_without_padding(packed) if self.version >= PADDED else packed)
        value = parse(plain, _CONTENT, MAX_PLAIN, "log content", max_items=1_000_000)
        return Content(value["lamport"], value["time"], without_traps(value["ops"]))


def _version_of(data: bytes) -> int:
    """The version that an entry claims; 0 for what is none."""
    try:
        value: Any = decode(data, MAX_ENTRY)
    except WireError:
        return 0
    version = value.get("version") if type(value) is dict else 0
    return version if type(version) is int else 0


def seal(unsealed: Entry, secret: bytes, content: Content) -> Entry:
    """The entry with its content; raises `WireError` ``too-large``, or ``bad-field`` for a name that leads away."""
    check_names(content.ops)
    plain = encode({"lamport": content.lamport, "time": content.time, "ops": content.ops})
    packed = zstandard.ZstdCompressor(level=3).compress(plain)
    if len(plain) > MAX_PLAIN or len(packed) + _LENGTH > MAX_PACKED:
        raise WireError("too-large", "the operations do not fit one log entry")
    if unsealed.version >= PADDED:
        whole = len(packed).to_bytes(_LENGTH, "big") + packed
        packed = whole.ljust(class_of(len(whole)), b"\0")
    return evolve(unsealed, sealed=seal_entry(secret, unsealed.info, unsealed.sequence, unsealed.aad(), packed))


def class_of(size: int) -> int:
    """The class to which so many bytes are filled up: a power of two while that is small, then a twelfth more at most.

    Above 8 KiB it is Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files", 2019).
    """
    exponent = (size - 1).bit_length()
    if size <= FINE_CLASSES:
        return max(LEAST_CLASS, 1 << exponent)
    magnitude = size.bit_length() - 1
    step = 1 << (magnitude - magnitude.bit_length())
    return min(-(-size // step) * step, MAX_PACKED)


def _without_padding(padded: bytes) -> bytes:
    size = int.from_bytes(padded[:_LENGTH], "big")
    packed, rest = padded[_LENGTH : _LENGTH + size], padded[_LENGTH + size :]
    if len(packed) != size or rest.strip(b"\0"):
        raise WireError("malformed", "a log entry is not padded as it should be")
    return packed


def _unpack(packed: bytes) -> bytes:
    try:
        if not 0 <= zstandard.frame_content_size(packed) <= MAX_PLAIN:
            raise WireError("too-large", "a log entry unpacks to more than is allowed")
        return zstandard.ZstdDecompressor().decompress(packed, max_output_size=MAX_PLAIN)
    except zstandard.ZstdError as error:
        raise WireError("malformed", f"a log entry cannot be unpacked: {error}") from error


def hash_of(data: bytes) -> bytes:
    """The name of an entry: SHA-256 of its bytes."""
    return hashlib.sha256(data).digest()


@frozen
class LogName:
    """Which log: owner, the tag of one of its keys (None for the master key), and one device that writes there."""

    owner: bytes
    scope: bytes | None
    device: bytes


def check_chain(entries: list[bytes], log: LogName, after: tuple[int, bytes] | None) -> list[Entry]:
    """Parse entries of a log that should follow each other.

    ``after`` is sequence and hash of the entry before the first; None takes the first as it is (the start of a tail).
    Raises `WireError` ``broken-chain``.
    """
    return [link.readable() for link in _links(entries, log, after)]


@frozen
class Link:
    """An entry in its chain, and its bytes by number; in place of an ``entry`` that only a newer program can read there
    is the ``error``."""

    sequence: int
    previous: bytes
    hash: bytes
    size: int
    entry: Entry | None
    error: NewerEntry | None = None

    def readable(self) -> Entry:
        """The entry. Raises `NewerEntry`."""
        if self.entry is None:
            raise self.error or NewerEntry("malformed", "a newer program has written it")
        return self.entry


def chain_of(entries: list[bytes], log: LogName) -> list[Link]:
    """As many of them as are as they should be, of which there must be one. Raises as `check_chain` does."""
    found: list[Link] = []
    try:
        for link in _links(entries, log, None):
            found.append(link)
    except WireError:
        if not found:
            raise
    return found


def _links(entries: list[bytes], log: LogName, after: tuple[int, bytes] | None) -> Iterator[Link]:
    for data in entries:
        link, name = _link(data)
        if name != log:
            raise WireError("broken-chain", "an entry of another log")
        if after is not None and (link.sequence, link.previous) != (after[0] + 1, after[1]):
            raise WireError("broken-chain", f"entry {link.sequence} does not follow entry {after[0]}")
        after = (link.sequence, link.hash)
        yield link


def _link(data: bytes) -> tuple[Link, LogName]:
    try:
        entry = Entry.parse(data)
    except NewerEntry as error:
        return _newer_link(data, error)
    link = Link(entry.sequence, entry.previous, hash_of(data), len(data), entry)
    return link, LogName(entry.owner, entry.scope, entry.device)


def _newer_link(data: bytes, error: NewerEntry) -> tuple[Link, LogName]:
    """The place of an entry in its chain is told alike in all versions."""
    value: Any = decode(data, MAX_ENTRY)
    place = {name: value[name] for name in _PLACE.fields if name in value}
    try:
        _PLACE.check(place, "log entry")
    except WireError:
        raise error from None
    link = Link(place["sequence"], place["previous"], hash_of(data), len(data), None, error)
    return link, LogName(place["owner"], place.get("scope"), place["device"])


@frozen
class Begin:
    """Where a log begins since its last compaction, and up to where it tells the logs of other devices too."""

    first: int | None = None
    covers: list[dict[str, Any]] | None = None


def head_of(log: LogName, sequence: int, digest: bytes, wall: float, begin: Begin) -> Head:
    """The unsigned end of a log."""
    covers = begin.covers or None
    return Head(log.owner, log.device, sequence, digest, int(wall), begin.first, covers, log.scope)
