"""Writes ``vectors.json``: each format's bytes and what they mean, from the fixed keys in this folder.

``python -m tests.vectors.make``. The same bytes come out every time: RSA-PSS signatures get a salt made of what they
sign (any salt is valid, RFC 8017, section 8.1), and compressed parts are zstd frames of one plain block (RFC 8878).
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from attrs import asdict, evolve, has

from bitdust.blocks import packs
from bitdust.crypt import keyfile
from bitdust.crypt.capabilities import proven
from bitdust.crypt.device import certify
from bitdust.crypt.keyfile import HeadHint, Hints, KeyFile, SupplierHint
from bitdust.crypt.keyring import KeyRing, RingKey
from bitdust.crypt.master import MasterKey
from bitdust.crypt.merkle import root
from bitdust.crypt.scope import scope_of
from bitdust.crypt.sealing import chunk_name, index_key, seal_entry, seal_pack
from bitdust.crypt.shares import GivenShare, Grant
from bitdust.crypt.writers import Writer
from bitdust.dht.ids import node_id
from bitdust.dht.records import DHTRecord, Owner, make_record
from bitdust.formats.log_entry import NOTHING_BEFORE, Content, Entry, hash_of
from bitdust.formats.log_packet import LogPacket, SmallPiece
from bitdust.formats.operations import item_op, pack_op, tombstone_op, version_ops
from bitdust.identity.document import Device, IdentityDocument
from bitdust.ipld import dagpb
from bitdust.ipld.cid import Block, Cid
from bitdust.shares.offer import write_offer
from bitdust.storage.packs.erasure import Coder
from bitdust.transport.hello import Hello
from bitdust.wire.broadcast import Broadcast
from bitdust.wire.capability import Capability, Revocation, Right, ShownCapability
from bitdust.wire.encoding import encode
from bitdust.wire.keepers import Keepers
from bitdust.wire.names import IDURL
from bitdust.wire.packet import Command, Packet
from bitdust.wire.records import Contract, DeviceAddresses, Family, Head, PackRecord, Scheme
from bitdust.wire.signed import Signed
from tests.vectors.keys import FOLDER, device, master

PATH = FOLDER / "vectors.json"
WALL = 1_800_000_000
SECRET = hashlib.sha256(b"BitDust test storage secret").digest()
PASSPHRASE = b"correct horse"
PACK_ID = bytes(range(16))
SOURCE = IDURL.parse("http://id.example:8084/alice.xml")
Vector = dict[str, Any]


def shown(value: Any) -> Any:
    """A value as JSON: bytes become ``{"hex": …}``, records maps of their fields."""
    if isinstance(value, bytes | memoryview):
        return {"hex": bytes(value).hex()}
    if isinstance(value, str | IDURL):
        return str(value)
    if has(type(value)):
        return shown(asdict(value, recurse=False, filter=lambda field, _: not field.name.startswith("_")))
    if isinstance(value, dict):
        return {name: shown(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown(item) for item in value]
    return value


def pss_sign(key: MasterKey, data: bytes) -> bytes:
    """RSASSA-PSS (RFC 8017, sections 8.1.1 and 9.1.1) with SHA-256 and the salt SHA-256("salt" ‖ data)."""
    numbers = key._key.private_numbers()
    modulus, bits = numbers.public_numbers.n, numbers.public_numbers.n.bit_length() - 1
    length = -(-bits // 8)
    salt = hashlib.sha256(b"salt" + data).digest()
    digest = hashlib.sha256(bytes(8) + hashlib.sha256(data).digest() + salt).digest()
    block = bytes(length - 66) + b"\1" + salt
    mask = b"".join(hashlib.sha256(digest + number.to_bytes(4, "big")).digest() for number in range(length // 32 + 1))
    masked = bytearray(left ^ right for left, right in zip(block, mask, strict=False))
    masked[0] &= 0xFF >> (8 * length - bits)
    number = int.from_bytes(bytes(masked) + digest + b"\xbc", "big")
    return pow(number, numbers.d, modulus).to_bytes(-(-modulus.bit_length() // 8), "big")


def counted(size: int) -> bytes:
    """Instead of random bytes."""
    return hashlib.sha256(b"random %d" % size).digest()[:size]


@contextmanager
def fixed_chance() -> Iterator[None]:
    """Signatures and nonces that are the same every time."""
    with mock.patch.object(MasterKey, "sign", pss_sign), mock.patch.object(keyfile.os, "urandom", counted):
        yield


def frame(data: bytes, repeat: int = 1) -> bytes:
    """A zstd frame (RFC 8878, section 3.1.1) of one raw block, or of one byte that is repeated."""
    size = len(data) * repeat
    lengths = b"\x60" + (size - 256).to_bytes(2, "little") if size >= 256 else b"\x20" + bytes((size,))
    block = (size << 3) | (0b011 if repeat > 1 else 0b001)
    return b"\x28\xb5\x2f\xfd" + lengths + block.to_bytes(3, "little") + data


def vector(name: str, data: bytes, value: Any, **more: Any) -> Vector:
    """One row of the file."""
    return {"name": name, "bytes": base64.b64encode(data).decode(), "value": shown(value), **shown(more)}


def document() -> IdentityDocument:
    """Alice's."""
    devices = (Device(0, 1, device().public), Device(1, 2, device("second").public, 3, 17))
    return IdentityDocument.create(master(), (SOURCE,), 3, devices, WALL)


def signed(record: Any) -> Signed:
    """By Alice's device."""
    return device().sign_record(record.KIND, record.to_body())


def identity_vectors() -> Iterator[Vector]:
    alice = document()
    fields = {name: getattr(alice, name) for name in ("name", "sources", "revision", "date", "key", "devices")}
    yield vector("identity document", alice.xml, fields, fingerprint=alice.fingerprint, signed=alice.canonical)
    certificate = certify(master(), device().public, 0)
    yield vector("device certificate", certificate.to_body(), certificate, owner=master().public.spki)
    addresses = DeviceAddresses(alice.fingerprint, device().id, ["tcp://192.0.2.1:7771"], WALL * 1000)
    yield vector("device addresses", signed(addresses).to_bytes(), addresses, device=device().public)
    hello = Hello(alice.xml, device().id, signed(addresses).to_bytes(), "BitDust", 256, 2**20)
    yield vector("hello", hello.to_bytes(), hello)
    yield from dht_vectors(alice, addresses)


def dht_vectors(alice: IdentityDocument, addresses: DeviceAddresses) -> Iterator[Vector]:
    owner = Owner(alice.key, certify(master(), device().public, 0))
    expires, subject = WALL + 86_400, alice.fingerprint + device().id
    value = signed(addresses).to_bytes()
    records = (
        make_record("identity", alice.fingerprint, 3, expires, alice.xml, device(), None),
        make_record("addresses", subject, addresses.time, expires, value, device(), owner),
        make_record("skip_validation", "a key", WALL * 1000, WALL + 3600, b"a value", device(), None),
    )
    for record in records:
        yield vector(f"dht record {record.type}", record.to_bytes(), record, **dht_places(record))


def dht_places(record: DHTRecord) -> dict[str, Any]:
    return {"layer 0": record.key(0), "layer 3": record.key(3), "node id": node_id(device().public)}


def packet_vectors() -> Iterator[Vector]:
    body = b"a payload"
    packet = Packet(
        Command.DATA, b"i" * 16, document().fingerprint, document().fingerprint, master("other").fingerprint,
        WALL * 1000, {"kind": "piece", "index": 1}, len(body), b"a" * 16, hashlib.sha256(body).digest(),
    )  # fmt: skip
    yield vector("packet", packet.to_bytes(), packet)
    yield vector(
        "packet without answers and hash", (short := evolve(packet, answers=None, hash=None)).to_bytes(), short
    )


def record_vectors() -> Iterator[Vector]:
    owner, supplier = document().fingerprint, master("other").fingerprint
    family = Family(owner, 7, 2, 4, WALL, [supplier, None, None, supplier], ["tcp://192.0.2.1:7771", None, None, None])
    contract = Contract(b"c" * 16, owner, supplier, 2**30, 3, 4, WALL)
    for record in (family, evolve(family, addresses=None), contract):
        short = " without addresses" if record == evolve(family, addresses=None) else ""
        yield vector(f"{record.KIND} record{short}", signed(record).to_bytes(), record, device=device().public)
    leaving = {"leaving": [owner, None, None, None], "also": [{"place": 0, "supplier": supplier}]}
    size = {"wanted": 5, "beyond": [None, owner], "former": 2}
    several = evolve(family, suppliers=[None] * 4, addresses=None, roots=[b"r" * 8, b"s" * 8], **leaving, **size)
    yield vector("family record of several lives", signed(several).to_bytes(), several, device=device().public)
    yield from capability_vectors(owner, supplier)


def capability_vectors(owner: bytes, holder: bytes) -> Iterator[Vector]:
    tag = scope_of(SECRET, "share_1")
    yield vector("scope", tag, {"key id": "share_1"}, secret=SECRET)
    grant = Capability(b"g" * 16, owner, holder, (Right.READ, Right.WRITE), 2**20, WALL + 86_400, tag)
    shown_by_device = ShownCapability.of(signed(grant))
    yield vector("capability", shown_by_device.to_bytes(), grant, device=device().public)
    many = evolve(grant, holder=device("second").public, rights=(Right.READ, Right.LIST), quota=0, by_proof=True)
    shown = proven(ShownCapability.of(signed(many)).to_bytes(), device("second"), holder, device().public)
    yield vector("capability by proof", shown, many, supplier=holder, device=device().public)
    unsigned = ShownCapability(grant.to_body(), b"", b"")
    by_master = evolve(unsigned, signature=pss_sign(master(), unsigned.message()))
    yield vector("capability by the RSA key", by_master.to_bytes(), grant, owner=master().public.spki)
    revocation = Revocation(owner, grant.id)
    yield vector("revocation record", signed(revocation).to_bytes(), revocation, device=device().public)


def storage_vectors() -> Iterator[Vector]:
    contents = (b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(100)), b"a" * 5000)
    stored = (contents[0], frame(b"a", 5000))
    names = [chunk_name(index_key(SECRET), content) for content in contents]
    rows = [[names[i], len(contents[i]), len(stored[i]), i == 1] for i in range(2)]
    table = encode({"version": 2, "key": "master", "chunks": rows})
    plain = len(table).to_bytes(4, "big") + table + b"".join(stored)
    sealed = seal_pack(plain, SECRET, PACK_ID)
    yield vector("pack", plain, {"chunks": rows, "contents": contents}, secret=SECRET)
    yield vector("sealed pack", sealed, {"plain": plain}, secret=SECRET, pack=PACK_ID)
    scheme = Scheme.for_family(4)
    pieces = Coder(scheme.k, scheme.n).encode(sealed, scheme.segment)
    record = PackRecord(document().fingerprint, PACK_ID, len(sealed), scheme, [root(piece) for piece in pieces])
    yield vector("pack record", signed(record).to_bytes(), record, device=device().public)
    for index, piece in enumerate(pieces):
        yield vector(f"piece {index}", piece, {"index": index, "root": record.roots[index]})
    yield from log_vectors(pack_op(record, "master", 1, b"".join(names), [len(content) for content in contents]))


def log_vectors(pack: dict[str, Any]) -> Iterator[Vector]:
    owner, previous = document().fingerprint, NOTHING_BEFORE
    version = version_ops("0/1", "F20270115080000000-0", 8200, 0o644, WALL * 10**9, [[PACK_ID, 0, 2]])
    contents = (
        Content(1, WALL * 1000, [pack, item_op("0", "", b"docs", "folder", "master", WALL * 1000)]),
        Content(2, WALL * 1000 + 1, [item_op("0/1", "0", b"a.txt", "file", "master", WALL * 1000), *version]),
        Content(3, WALL * 1000 + 2, [tombstone_op(["0/1/F20270115080000000-0"], [], WALL * 1000, ["0/1"])]),
    )
    made: list[bytes] = []
    for sequence, content in enumerate(contents, 1):
        bare = Entry(owner, device().id, sequence, previous, 1, b"", version=2 + sequence)
        packed = frame(encode({"lamport": content.lamport, "time": content.time, "ops": content.ops}))
        if bare.version >= 4:
            packed = (len(packed).to_bytes(4, "big") + packed).ljust(512, b"\0")
        sealed = seal_entry(SECRET, b"BitDust log 2" + device().id, sequence, bare.aad(), packed)
        data = evolve(bare, sealed=sealed).to_bytes()
        previous = hash_of(data)
        yield vector(f"log entry {sequence}", data, content, secret=SECRET, hash=previous)
        made.append(data)
    rider = SmallPiece(1, b"a signed pack record", b"the bytes of a small piece")
    packet = LogPacket(tuple(made), (rider,))
    yield vector("log packet", packet.to_bytes(), packet)
    head = Head(owner, device().id, len(contents), previous, WALL)
    yield vector("head", signed(head).to_bytes(), head, device=device().public)
    begun = evolve(head, first=2, covers=[{"device": b"another1", "sequence": 7}])
    yield vector("head after a compaction", signed(begun).to_bytes(), begun, device=device().public)


def key_vectors() -> Iterator[Vector]:
    supplier = SupplierHint(master("other").fingerprint, ("tcp://192.0.2.1:7771",))
    head = HeadHint(device().id, 2, SECRET, PACK_ID)
    hints = Hints(3, ("seed.example:14441",), (supplier,), (head,))
    file = KeyFile((SOURCE,), master(), hints)
    value = {"idurls": file.idurls, "hints": hints, "fingerprint": master().fingerprint}
    yield vector("key file", file.write().encode(), value)
    yield vector("key file encrypted", file.write(PASSPHRASE).encode(), value, passphrase=PASSPHRASE.decode())
    with mock.patch.object(keyfile, "_BOX_VERSION", 1):
        first = file.write(PASSPHRASE).encode()
    yield vector("key file encrypted as in version 1", first, value, passphrase=PASSPHRASE.decode())
    ring = KeyRing()
    ring.add(RingKey("master", "my master key", secrets={1: (SECRET,)}))
    two, old = {1: (SECRET, bytes(32)), 2: (bytes(32),)}, frozenset((bytes(32),))
    ring.add(RingKey("docs", "for friends", private="a PEM", public="a PEM", secrets=two, retired=old))
    reading = Grant(PACK_ID, master("other").fingerprint, (Right.READ, Right.LIST), 0, WALL, WALL + 86_400)
    ring.grant("docs", reading)
    writing = evolve(reading, rights=(Right.READ, Right.LIST, Right.WRITE, Right.LOG), devices=frozenset([bytes(32)]))
    ring.grant("docs", evolve(writing, id=bytes(16), revoked=True, cut={b"device 1": 7}))
    ring.give(given_share(ring.get("docs")))
    yield vector("key ring", ring.to_bytes(), [key.as_map() for key in ring.keys.values()])
    offered = given_share(ring.get("docs"))
    yield vector("offer of a share", write_offer(offered, WALL), offered.as_map())


    group = given_share(ring.get("docs"))
    keepers = Keepers(master().fingerprint, "group_1", WALL * 1000, [master().fingerprint, SECRET], [PACK_ID])
    kept = device().sign_record(Keepers.KIND, keepers.to_body()).to_bytes()
    yield vector("keepers", kept, keepers)
    said = Broadcast(PACK_ID, master().fingerprint, WALL * 1000, b'{"msg":"hello"}')
    yield vector("broadcast", device().sign_record(Broadcast.KIND, said.to_body()).to_bytes(), said)
    members = {"members": (master().fingerprint, SECRET), "names": ("alice@id.example", ""), "current": 1}
    offered = evolve(group, alias="group_1", family=kept, **members)
    yield vector("offer of a group that members keep", write_offer(offered, WALL), offered.as_map())


def given_share(key: RingKey) -> GivenShare:
    """What somebody else is given of a key."""
    mine = master().fingerprint
    (scope,) = key.scopes
    grant = Capability(PACK_ID, mine, master("other").fingerprint, (Right.READ,), 0, WALL + 86_400, scope)
    shown_grant = ShownCapability.of(device().sign_record(Capability.KIND, grant.to_body())).to_bytes()
    family = Family(mine, 1, 1, 2, WALL, [SECRET, None])
    signed = device().sign_record(Family.KIND, family.to_body()).to_bytes()
    given = GivenShare(mine, "docs", "alice@id.example", "", WALL * 1000, key.secrets, (shown_grant,), signed, True)
    writer = Writer.of(PACK_ID, master("other").fingerprint, [device().public], None)
    return evolve(given, writers=(writer,), current=1)


def block_vectors() -> Iterator[Vector]:
    """A pack of the block store."""
    leaf = b"a block of bytes"
    node = dagpb.encode([dagpb.Link(Cid.of(leaf), "leaf", len(leaf))], b"\x08\x01")
    blocks = [Block(Cid.of(leaf), leaf), Block(Cid.v0(node), node)]
    data = packs.MAGIC + b"".join(part for block in blocks for part in packs.record(block))
    yield vector("pack of blocks", data, [{"cid": str(block.cid), "data": block.data} for block in blocks])


MAKERS: tuple[Callable[[], Iterator[Vector]], ...] = (
    identity_vectors,
    packet_vectors,
    record_vectors,
    storage_vectors,
    key_vectors,
    block_vectors,
)


def build() -> str:
    """The whole file."""
    with fixed_chance():
        return json.dumps([row for maker in MAKERS for row in maker()], indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(build())
