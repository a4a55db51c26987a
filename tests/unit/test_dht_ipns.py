"""Names of IPNS in the hash table: whoever keeps one checks all that it says, and keeps no older one."""

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.dht.ipns import blinded, packed, unpacked
from bitdust.dht.messages import MAX_RECORD
from bitdust.dht.records import IPNS, MAX_TTL, Checker, DHTRecord, make_record
from bitdust.dht.store import RecordStore
from bitdust.ipld.ipns import Record, make, verify
from bitdust.ipld.keys import KeyKind, PrivateKey
from bitdust.ipld.peerid import PeerId
from bitdust.wire.encoding import WireError
from tests.vectors.keys import device

NOW = 1_800_000_000
SECOND = 1_000_000_000
LIFE = 86_400
VALUE = b"/ipfs/QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"


def _signed() -> bytes:
    """One good record."""
    key = PrivateKey.of_ed25519(bytes(range(32)))
    name = PeerId.of(key.public)
    signed = make(key, Record(VALUE, 5, (NOW + LIFE) * SECOND, 0))
    return make_record(IPNS, blinded(name), 5, NOW + LIFE, packed(name, signed), device(), None).to_bytes()


SIGNED = _signed()


class IpnsRecordTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.key = PrivateKey.generate()
        self.name = PeerId.of(self.key.public)

    def made(self, sequence: int = 5, life: int = LIFE, key: PrivateKey | None = None) -> DHTRecord:
        """A record as a node makes it."""
        key = key or self.key
        signed = make(key, Record(VALUE, sequence, (NOW + life) * SECOND, 0))
        name = PeerId.of(key.public)
        return make_record(IPNS, blinded(name), sequence, NOW + life, packed(name, signed), device(), None)

    def refused(self, code: str, record: DHTRecord, wall: float = NOW) -> None:
        error = self.assertRaises(WireError, Checker().check, record.to_bytes(), wall)
        self.assertEqual(error.code, code, str(error))

    def test_good(self) -> None:
        """A record of either kind of key proves itself, shows no device, and gives the name and what was signed."""
        for key in (self.key, PrivateKey.generate(KeyKind.RSA)):
            record = self.made(key=key)
            self.assertEqual(Checker().check(record.to_bytes(), NOW), record)
            self.assertEqual((record.owner, record.certificate, record.device), (None, None, None))
            name, signed = unpacked(record.value)
            self.assertEqual(name, PeerId.of(key.public))
            self.assertIn(VALUE, signed)

    def test_where_it_is(self) -> None:
        """Neither where it is nor its subject says the name."""
        record = self.made()
        self.assertEqual(len(record.subject), 32)
        self.assertNotIn(record.subject, bytes(self.name))
        self.assertNotEqual(blinded(self.name), blinded(PeerId.of(PrivateKey.generate().public)))

    def test_what_it_claims(self) -> None:
        """A record about another name, of another sequence, or that is to live longer than was signed is refused."""
        good, other = self.made(), PrivateKey.generate()
        name = PeerId.of(other.public)
        self.refused("bad-subject", evolve(good, subject=blinded(name)))
        self.refused("bad-subject", evolve(good, subject="a text"))
        self.refused("bad-subject", evolve(good, revision=6))
        self.refused("bad-expiry", evolve(good, expires=good.expires + 1))
        stolen = evolve(good, subject=blinded(name), value=packed(name, unpacked(good.value)[1]))
        self.refused("bad-signature", stolen)

    def test_what_it_is_made_of(self) -> None:
        """A record whose value is none, or that has an owner or a device, is refused."""
        good = self.made()
        for value in (b"", b"\xa0", good.value[:-1], packed(self.name, b"x"), good.value + b"\0"):
            self.assertRaises(WireError, Checker().check, evolve(good, value=value).to_bytes(), NOW)
        for part in ({"owner": b"x"}, {"certificate": b"x"}, {"device": bytes(32)}, {"signature": bytes(64)}):
            self.refused("bad-field", evolve(good, **part))

    def test_time(self) -> None:
        """What has ended is kept no more, and nothing is kept for longer than a month; who reads minds no time."""
        good = self.made()
        self.refused("expired", good, NOW + LIFE)
        self.refused("bad-expiry", self.made(life=MAX_TTL + LIFE))
        self.assertEqual(Checker().check(good.to_bytes(), NOW + 2 * LIFE, keeps=False), good)

    def test_size(self) -> None:
        """A record with a long path and the longest usual key fits; one that does not is refused where it is made."""
        key = PrivateKey.generate(KeyKind.RSA)
        name = PeerId.of(key.public)
        long = make(key, Record(b"/ipfs/" + b"x" * 1018, 1, (NOW + LIFE) * SECOND, 0))
        record = make_record(IPNS, blinded(name), 1, NOW + LIFE, packed(name, long), device(), None)
        self.assertLess(len(record.to_bytes()), MAX_RECORD)
        Checker().check(record.to_bytes(), NOW)
        too_long = make(key, Record(b"/ipfs/" + b"x" * 1600, 1, (NOW + LIFE) * SECOND, 0))
        record = make_record(IPNS, blinded(name), 1, NOW + LIFE, packed(name, too_long), device(), None)
        self.assertEqual(self.assertRaises(WireError, record.to_bytes).code, "too-large")

    def test_replayed(self) -> None:
        """A node that keeps a sequence refuses an older one; the same one, signed for longer, takes its place."""
        store = RecordStore(None, 0)
        self.addCleanup(store.close)
        old, new, longer = self.made(4), self.made(5), self.made(5, LIFE * 2)
        key = new.key(0)
        self.assertTrue(store.add(new, new.to_bytes(), 0, NOW))
        error = self.assertRaises(WireError, store.add, old, old.to_bytes(), 0, NOW)
        self.assertEqual(error.code, "stale")
        self.assertTrue(store.add(longer, longer.to_bytes(), 0, NOW))
        self.assertFalse(store.add(new, new.to_bytes(), 0, NOW))
        self.assertEqual(store.get(key, NOW), longer.to_bytes())

    @given(st.binary(max_size=300))
    @settings(max_examples=150, deadline=None)
    def test_any_bytes(self, value: bytes) -> None:
        """Any bytes in the place of a value are refused; nothing but that happens."""
        record = evolve(DHTRecord.from_bytes(SIGNED), value=value)
        self.assertRaises(WireError, Checker().check, record.to_bytes(), NOW)

    @given(st.integers(0, 100_000), st.integers(1, 255))
    @settings(max_examples=150, deadline=None)
    def test_any_change(self, place: int, change: int) -> None:
        """A value of which a byte was changed proves nothing, or what it proved before: the first signature of IPNS,
        which nobody believes, is the only part that the second one does not cover."""
        good = DHTRecord.from_bytes(SIGNED)
        value = bytearray(good.value)
        value[place % len(value)] ^= change
        try:
            changed = Checker().check(evolve(good, value=bytes(value)).to_bytes(), NOW)
        except WireError:
            return
        said = [verify(record, name, NOW) for name, record in map(unpacked, (good.value, changed.value))]
        self.assertEqual(*said)
