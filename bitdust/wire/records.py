"""Value types that cross layers and hosts, each with its kind, its fields and its limits.

Every record is a frozen value with ``to_body()`` (canonical CBOR) and ``from_body()`` (raises `WireError`). Signed ones
travel in `bitdust.wire.signed.Signed` under their ``KIND``.
"""

from typing import Any, ClassVar

from attrs import asdict, frozen

from bitdust.wire.encoding import WireError, encode
from bitdust.wire.mandate import FIELDS as MANDATE
from bitdust.wire.mandate import Mandate
from bitdust.wire.schema import Bytes, Choice, Int, ListOf, Optional, Schema, Struct, Text, parse

MAX_SUPPLIERS = 64
MIN_SUPPLIERS = 2
MAX_ROOTS = 32
MAX_ALSO = 8
ECC_CODE = "isa_l_rs_cauchy"
SCHEME_VERSION = 2
MAX_ADDRESSES = 8
MAX_COVERED = 64
ADDRESS = Text(300)


class Record:
    """Shared by all records: encoding by the attrs fields, checking by ``FIELDS``."""

    KIND: ClassVar[str]
    FIELDS: ClassVar[dict[str, Schema]]
    LIMIT: ClassVar[int] = 16 * 1024

    def to_body(self) -> bytes:
        """Canonical bytes; fields that are None are left out."""
        return encode({name: value for name, value in asdict(self).items() if value is not None})  # type: ignore[arg-type]

    @classmethod
    def parse_fields(cls, data: bytes) -> dict[str, Any]:
        """The checked map of a body."""
        return parse(data, Struct(cls.FIELDS), cls.LIMIT, cls.KIND)


@frozen
class Scheme(Record):
    """How a sealed pack becomes pieces: Reed-Solomon ``k`` of ``n`` over segments of ``segment`` bytes.

    ``version`` counts the ways to code, to name chunks and to build roots; 2 is the first with BLAKE3.
    Each segment is coded by itself; its ``n`` fragments have ``ceil(length / k)`` bytes, zero padded. A piece is the
    concatenation of its fragments over all segments.
    """

    KIND: ClassVar[str] = "scheme"
    FIELDS: ClassVar[dict[str, Schema]] = {
        "version": Int(SCHEME_VERSION, SCHEME_VERSION),
        "code": Choice((ECC_CODE,)),
        "word": Int(8, 8),
        "k": Int(1, MAX_SUPPLIERS),
        "n": Int(MIN_SUPPLIERS, MAX_SUPPLIERS),
        "segment": Int(64 * 1024, 16 * 1024 * 1024),
    }

    k: int
    n: int
    segment: int = 1024 * 1024
    code: str = ECC_CODE
    word: int = 8
    version: int = SCHEME_VERSION

    @property
    def name(self) -> str:
        """``ecc/4x4`` as users see it: a family of n suppliers."""
        return f"ecc/{self.n}x{self.n}"

    @classmethod
    def for_family(cls, suppliers: int) -> "Scheme":
        """Any half of the suppliers, rounded up, gives everything back."""
        return cls(k=(suppliers + 1) // 2, n=suppliers)

    def piece_size(self, sealed: int) -> int:
        """Bytes of one piece of a sealed pack of ``sealed`` bytes."""
        whole, rest = divmod(sealed, self.segment)
        return whole * -(-self.segment // self.k) + -(-rest // self.k)


@frozen
class PackRecord(Record):
    """What a supplier may know of a pack: enough to check, audit and rebuild a piece, nothing of its content.

    ``size`` is the sealed pack's length in bytes, ``roots`` the Merkle root (`bitdust.crypt.merkle`) of each piece.
    ``scope`` is the tag of the key that it belongs to (`bitdust.crypt.scope`), left out for the master key.
    """

    KIND: ClassVar[str] = "pack"
    FIELDS: ClassVar[dict[str, Schema]] = {
        "owner": Bytes(32),
        "pack": Bytes(16),
        "size": Int(1, 64 * 1024 * 1024),
        "scheme": Struct(Scheme.FIELDS),
        "roots": ListOf(Bytes(32), MAX_SUPPLIERS, MIN_SUPPLIERS),
        "scope": Optional(Bytes(16)),
    }

    owner: bytes
    pack: bytes
    size: int
    scheme: Scheme
    roots: list[bytes]
    scope: bytes | None = None

    @classmethod
    def from_body(cls, data: bytes) -> "PackRecord":
        """Raises `WireError`."""
        value = cls.parse_fields(data)
        scheme = value["scheme"] = Scheme(**value["scheme"])
        if scheme.k >= scheme.n or len(value["roots"]) != scheme.n:
            text = f"pack: {len(value['roots'])} roots where the scheme is {scheme.k} of {scheme.n}"
            raise WireError("bad-field", text)
        return cls(**value)

    @property
    def piece_size(self) -> int:
        return self.scheme.piece_size(self.size)


@frozen
class PieceRef:
    """Piece number ``index`` of a pack."""

    pack: bytes
    index: int


@frozen
class Contract(Record):
    """A supplier's signed promise: ``room`` bytes for ``term`` days from ``since`` (seconds since the epoch).

    Nothing is deleted before ``term`` plus ``grace`` days, whatever else happens; any contact renews the term.
    """

    KIND: ClassVar[str] = "contract"
    FIELDS: ClassVar[dict[str, Schema]] = {
        "contract": Bytes(16),
        "customer": Bytes(32),
        "supplier": Bytes(32),
        "room": Int(0, 2**60),
        "position": Int(0, MAX_SUPPLIERS - 1),
        "n": Int(MIN_SUPPLIERS, MAX_SUPPLIERS),
        "since": Int(),
        "term": Int(1, 3660),
        "grace": Int(0, 3660),
    }

    contract: bytes
    customer: bytes
    supplier: bytes
    room: int
    position: int
    n: int
    since: int
    term: int = 365
    grace: int = 90

    @classmethod
    def from_body(cls, data: bytes) -> "Contract":
        """Raises `WireError`."""
        contract = cls(**cls.parse_fields(data))
        if contract.position >= contract.n:
            raise WireError("bad-field", f"contract: there is no position {contract.position} among {contract.n}")
        return contract


@frozen
class ContractEnd(Record):
    """The customer's signed word that a contract is over and that everything of it may be erased."""

    KIND: ClassVar[str] = "contract-end"
    FIELDS: ClassVar[dict[str, Schema]] = {"contract": Bytes(16), "customer": Bytes(32), "supplier": Bytes(32)}

    contract: bytes
    customer: bytes
    supplier: bytes

    @classmethod
    def from_body(cls, data: bytes) -> "ContractEnd":
        """Raises `WireError`."""
        return cls(**cls.parse_fields(data))


@frozen
class Family(Record):
    """Who keeps a customer's pieces, signed by the customer's device; the highest ``revision`` wins.

    ``suppliers`` holds ``n`` fingerprints by position, None for an empty place; ``addresses`` is a hint of one
    ``tcp://host:port`` each, left out where the record would outgrow a DHT record. ``leaving`` names by position who
    had the place before and still holds its pieces until the new supplier has them; it is left out where nobody is.
    Where a place has changed hands several times ``also`` has further ones who leave it, and wait for their turn.

    A family that changes its size has further optional fields: ``wanted`` is the size that it is to have, ``beyond``
    who has the places from ``n`` on, of a larger family to come or of a former one whose packs are not moved yet, and
    ``former`` the size of the smallest family whose packs may be left. A place is the same in all of these sizes, so
    piece number i of any pack belongs to place i.
    ``mandate`` is what its members may do while the customer is away. ``roots`` names the devices that hired a first
    family: of two records that differ in them neither was written by somebody who knew the other one.
    """

    KIND: ClassVar[str] = "family"
    FIELDS: ClassVar[dict[str, Schema]] = {
        "customer": Bytes(32),
        "revision": Int(1),
        "k": Int(1, MAX_SUPPLIERS),
        "n": Int(MIN_SUPPLIERS, MAX_SUPPLIERS),
        "time": Int(),
        "suppliers": ListOf(Optional(Bytes(32)), MAX_SUPPLIERS, MIN_SUPPLIERS),
        "addresses": Optional(ListOf(Optional(ADDRESS), MAX_SUPPLIERS)),
        "leaving": Optional(ListOf(Optional(Bytes(32)), MAX_SUPPLIERS)),
        "also": Optional(ListOf(Struct({"place": Int(0, MAX_SUPPLIERS - 1), "supplier": Bytes(32)}), MAX_ALSO)),
        "wanted": Optional(Int(MIN_SUPPLIERS, MAX_SUPPLIERS)),
        "beyond": Optional(ListOf(Optional(Bytes(32)), MAX_SUPPLIERS)),
        "former": Optional(Int(MIN_SUPPLIERS, MAX_SUPPLIERS)),
        "mandate": Optional(Struct(MANDATE)),
        "roots": Optional(ListOf(Bytes(8), MAX_ROOTS)),
    }

    customer: bytes
    revision: int
    k: int
    n: int
    time: int
    suppliers: list[bytes | None]
    addresses: list[str | None] | None = None
    leaving: list[bytes | None] | None = None
    wanted: int | None = None
    beyond: list[bytes | None] | None = None
    former: int | None = None
    mandate: Mandate | None = None
    roots: list[bytes] | None = None
    also: list[dict[str, Any]] | None = None

    @classmethod
    def from_body(cls, data: bytes) -> "Family":
        """Raises `WireError`."""
        value = cls.parse_fields(data)
        if value.get("mandate") is not None:
            value["mandate"] = Mandate.checked(value["mandate"], value["n"])
        family = cls(**value)
        for name in ("suppliers", "addresses", "leaving"):
            if value.get(name) is not None and len(value[name]) != family.n:
                raise WireError("bad-field", f"family: {len(value[name])} of {name} where n is {family.n}")
        if any(one["place"] >= family.n for one in family.also or ()) or len(family.seats) > MAX_SUPPLIERS:
            raise WireError("bad-field", f"family: more places than {family.n}, or than {MAX_SUPPLIERS} in all")
        if family.k >= family.n:
            raise WireError("bad-field", f"family: {family.k} of {family.n} is no scheme")
        return family

    @property
    def ecc_map(self) -> str:
        """``ecc/4x4`` as users see it."""
        return f"ecc/{self.n}x{self.n}"

    @property
    def complete(self) -> bool:
        """True when no place is empty."""
        return None not in self.suppliers

    @property
    def departing(self) -> list[bytes]:
        """Those who left a place, have no other one, and still hold pieces; in order of their places."""
        left = [who for place in range(self.n) for who in self.leavers(place)]
        return [who for who in dict.fromkeys(left) if who not in self.suppliers]

    def leavers(self, place: int) -> list[bytes]:
        """Who left a place and still holds its pieces, the one first whose turn it is."""
        first = self.leaving[place : place + 1] if self.leaving is not None else []
        return [who for who in first if who] + [one["supplier"] for one in self.also or () if one["place"] == place]

    def holders_of(self, place: int) -> list[bytes]:
        """Everybody who may hold pieces of a place: who has it, and those who leave it."""
        return [who for who in (self.suppliers[place], *self.leavers(place)) if who is not None]

    def left_by(self, supplier: bytes) -> list[int]:
        """The places that a supplier leaves."""
        return [place for place in range(self.n) if supplier in self.leavers(place)]

    @property
    def seats(self) -> list[bytes | None]:
        """Who has which place, in the family and beyond it."""
        return [*self.suppliers, *(self.beyond or ())]

    @property
    def size_to_come(self) -> int:
        """How many places the family has when it is as it is wanted."""
        return self.wanted or self.n

    @property
    def is_changing(self) -> bool:
        """Whether another size is wanted, or packs of another size may be left."""
        return self.wanted is not None or self.former is not None or bool(self.beyond)

    @property
    def holders(self) -> list[bytes]:
        """Everybody who may hold pieces: suppliers by position, those beyond the family, then those who leave."""
        there = [who for who in self.seats if who is not None]
        return there + [who for who in self.departing if who not in there]


@frozen
class Head(Record):
    """The end of a catalog log, of which each key has one for each device.

    ``hash`` is the last entry's, ``sequence`` counts entries from 1.

    After a compaction ``first`` is the entry with which the log begins now, and ``covers`` names up to which entry the
    logs of other devices are told by it as well; what is older need not be kept. ``scope`` is the tag of the key whose
    log it is, left out for the master key.
    """

    KIND: ClassVar[str] = "head"
    FIELDS: ClassVar[dict[str, Schema]] = {
        "owner": Bytes(32),
        "device": Bytes(8),
        "sequence": Int(0),
        "hash": Bytes(32),
        "time": Int(),
        "first": Optional(Int(1)),
        "covers": Optional(ListOf(Struct({"device": Bytes(8), "sequence": Int(1)}), MAX_COVERED)),
        "scope": Optional(Bytes(16)),
    }

    owner: bytes
    device: bytes
    sequence: int
    hash: bytes
    time: int
    first: int | None = None
    covers: list[dict[str, Any]] | None = None
    scope: bytes | None = None

    @classmethod
    def from_body(cls, data: bytes) -> "Head":
        """Raises `WireError`."""
        head = cls(**cls.parse_fields(data))
        if head.first is not None and head.first > head.sequence:
            raise WireError("bad-field", f"head: the log begins with {head.first} and ends with {head.sequence}")
        return head

    @property
    def subject(self) -> bytes:
        """Under which name the DHT keeps it."""
        return self.owner + (self.scope or b"") + self.device


@frozen
class DeviceAddresses(Record):
    """Where a device listens: ``tcp://host:port``; the newest ``time`` (milliseconds) wins."""

    KIND: ClassVar[str] = "addresses"
    FIELDS: ClassVar[dict[str, Schema]] = {
        "owner": Bytes(32),
        "device": Bytes(8),
        "addresses": ListOf(ADDRESS, MAX_ADDRESSES),
        "time": Int(),
    }

    owner: bytes
    device: bytes
    addresses: list[str]
    time: int

    @classmethod
    def from_body(cls, data: bytes) -> "DeviceAddresses":
        return cls(**cls.parse_fields(data))


@frozen
class DeviceCertificate(Record):
    """The owner's RSA key says that this Ed25519 key is its device; lets anyone check a record without the document."""

    KIND: ClassVar[str] = "device"
    FIELDS: ClassVar[dict[str, Schema]] = {
        "owner": Bytes(32),
        "key": Bytes(32),
        "number": Int(0, 65535),
        "signature": Bytes(128, 1024),
    }

    owner: bytes
    key: bytes
    number: int
    signature: bytes

    @classmethod
    def from_body(cls, data: bytes) -> "DeviceCertificate":
        return cls(**cls.parse_fields(data))

    def message(self) -> bytes:
        """What the RSA key signs."""
        return b"BitDust device 1\0" + encode({"owner": self.owner, "key": self.key, "number": self.number})
