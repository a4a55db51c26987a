"""Optional fields that are null, which no honest node writes: they are as if they were not there, or are refused."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.keyring import MASTER, KeyRing, RingKey
from bitdust.crypt.ratchet.session import Sessions
from bitdust.crypt.shares import GivenShare, Grant
from bitdust.customers.healing.book import CaseFile
from bitdust.customers.logs import ReceivedEntry
from bitdust.dht.records import DHTRecord
from bitdust.dht.sealed_family import SealedFamily
from bitdust.formats.log_entry import Entry
from bitdust.formats.log_packet import LogPacket
from bitdust.formats.orders import Decision, DeleteOrder
from bitdust.formats.proof import LeafProof, parse_proofs, to_bytes
from bitdust.people.keys.offer import KeyWord
from bitdust.transport.hello import Hello
from bitdust.wire import records
from bitdust.wire.capability import Capability, Revocation, Right, ShownCapability
from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.envelopes import Envelope
from bitdust.wire.healing import Dossier, SpareCertificate, SpareVote
from bitdust.wire.messages import Message
from bitdust.wire.nicknames import Nickname
from bitdust.wire.packet import Command, Packet
from bitdust.wire.prekeys import Prekeys
from tests.unit.supplier_kit import Person as Customer
from tests.unit.supplier_kit import Shop
from tests.unit.test_crypt_shares import share
from tests.vectors.make import PATH

READERS = (
    Packet.from_bytes, KeyRing.from_bytes, Sessions.from_bytes, DHTRecord.from_bytes, SealedFamily.from_body,
    Entry.parse, ReceivedEntry.parse, LogPacket.parse, Decision.parse, parse_proofs, Hello.from_bytes,
    KeyWord.from_body, CaseFile.from_bytes, Envelope.from_bytes, Message.from_body, Prekeys.from_body,
    Nickname.from_body, Capability.from_body, ShownCapability.from_bytes, Revocation.from_body, SpareVote.from_body,
    SpareCertificate.from_bytes, Dossier.from_bytes, lambda data: DeleteOrder.parse(data, bytes(8)),
    *(getattr(records, name).from_body for name in (
        "PackRecord", "Contract", "ContractEnd", "Family", "Head", "DeviceAddresses", "DeviceCertificate"
    )),
)  # fmt: skip


def full_ring() -> KeyRing:
    """Every optional field is there."""
    grant = Grant(b"g" * 16, b"f" * 32, (Right.WRITE,), 0, 1, 2**40, True, frozenset((b"d" * 32,)), {b"d" * 8: 3})
    key = RingKey("share_1", "label", private="P", public="Q", edits=2, pairs=frozenset((("p", "q"),)), grants=(grant,))
    ring = KeyRing()
    for one in (RingKey(MASTER, secrets={1: (b"s" * 32,)}, retired=frozenset((b"s" * 32,))), key):
        ring.add(one)
        ring.ensure_secret(one.key_id, lambda size: b"e" * size, 1)
    given: GivenShare = share()
    ring.shares = {given.place: evolve(given, members=(b"m" * 32,), current=max(given.secrets), erased=True)}
    return ring


def seeds() -> Iterator[Any]:
    """All test vectors, and what is inside them."""
    found = [base64.b64decode(row["bytes"]) for row in json.loads(PATH.read_text())]
    found += [full_ring().to_bytes(), to_bytes([LeafProof(b"l", (b"p" * 32,), ""), LeafProof(b"", (), "damaged")])]
    for data in found:
        try:
            value = decode(data, len(data))
        except WireError:
            continue
        if isinstance(value, dict | list):
            yield value
            found += [one for one in inner(value) if isinstance(one, bytes) and len(one) > 8]


def inner(value: Any) -> Iterator[Any]:
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield one
        yield from inner(one)


def nulled(value: Any) -> Iterator[Any]:
    """The value once for each field, without that."""
    if isinstance(value, dict):
        for name, held in value.items():
            yield value | {name: None}
            for one in nulled(held):
                yield value | {name: one}
    elif isinstance(value, list):
        for number, held in enumerate(value[:3]):
            for one in (None, *nulled(held)):
                yield [*value[:number], one, *value[number + 1 :]]


class SupplierTests(SynchronousTestCase):
    def test_optional_fields_of_commands(self) -> None:
        """A customer that says null is answered as one that says nothing."""
        shop, alice = Shop(Path(self.mktemp()).resolve()), Customer("alice")
        shop.open()
        self.addCleanup(shop.crash)
        shop.hire(alice)
        shop.ask(alice, Command.DATA, "keyring", alice.ring(1).to_bytes())
        contract = shop.store.contract_of(alice.fingerprint).contract.contract
        ended = shop.ask(
            alice, Command.CANCEL_SERVICE, "service_supplier", service="service_supplier", contract=contract, end=None
        )
        self.assertGreater(ended.fields["until"], 0)
        self.assertEqual(shop.ask(alice, Command.RETRIEVE, "keyring", back=None).command, Command.DATA)


class NullTests(SynchronousTestCase):
    def test_every_field_of_every_format(self) -> None:
        """Whatever is null, a reader says what is wrong, or reads it and can write it again."""
        tried = 0
        for value in seeds():
            data = encode(value)
            if len(data) > 10_000:
                continue
            readers = [read for read in READERS if self.reads(read, data) is not None]
            for one in nulled(value):
                for read in readers:
                    tried += 1
                    self.reads(read, encode(one))
        self.assertGreater(tried, 300)

    def reads(self, read: Any, data: bytes) -> Any:
        try:
            return read(data)
        except WireError:
            return None

    def test_rings_are_merged(self) -> None:
        """A ring in which a field is null is one like all others."""
        value = decode(full_ring().to_bytes(), 100_000)
        read = 0
        for one in nulled(value):
            ring = self.reads(KeyRing.from_bytes, encode(one))
            if ring is not None:
                read += 1
                mine = full_ring()
                mine.merge(ring)
                self.assertEqual(KeyRing.from_bytes(mine.to_bytes()).to_bytes(), mine.to_bytes())
        self.assertGreater(read, 5)
