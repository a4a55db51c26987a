"""The DHT's local records: what is kept, what is refused, and what goes when there is no more room."""

import random
import sqlite3
from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.dht.contact import Contact
from bitdust.dht.ids import number
from bitdust.dht.records import DEBUG, TYPES, DHTRecord
from bitdust.dht.store import MAX_MET, MAX_PER_OWNER, MAX_PER_WRITER, SHARES, RecordStore
from bitdust.testing.faulty_disk import COMMIT, Fault, FaultyDisks, sqlite_error
from bitdust.wire.encoding import WireError

NOW = 1000.0
OWN = number(bytes(20))


def record(
    subject: bytes | str = b"s" * 32, revision: int = 1, value: bytes = b"v", expires: int = 2000, kind: str = "head"
) -> DHTRecord:
    """A record as if it had been checked."""
    return DHTRecord(DEBUG if isinstance(subject, str) else kind, subject, revision, expires, value)


class StoreTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.random = random.Random(1)
        self.store = self.open()

    def open(self, path: Path | None = None, most: int = 100, most_bytes: int = 1 << 20) -> RecordStore:
        store = RecordStore(path, OWN, most, most_bytes)
        self.addCleanup(store.close)
        return store

    def add(self, one: DHTRecord, mine: bool = False, layer: int = 0, wall: float = NOW) -> bool:
        return self.store.add(one, one.to_bytes(), layer, wall, mine)

    def refused(self, code: str, one: DHTRecord) -> None:
        size = (len(self.store), self.store.size)
        self.assertEqual(self.assertRaises(WireError, self.add, one).code, code)
        self.assertEqual((len(self.store), self.store.size), size)

    def by_distance(self, count: int) -> list[DHTRecord]:
        """Records of different owners, the nearest to this node first."""
        records = [record(self.random.randbytes(32)) for _ in range(count)]
        return sorted(records, key=lambda one: number(one.key(0)) ^ OWN)

    def test_get(self) -> None:
        """A record is given as it came until it expires, and one that is not there is none."""
        self.assertTrue(self.add(record()))
        key = record().key(0)
        self.assertEqual(self.store.get(key, NOW), record().to_bytes())
        self.assertIsNone(self.store.get(key, 2000))
        self.assertIsNone(self.store.get(record(b"t" * 32).key(0), NOW))
        self.assertEqual((self.store.revision(key), self.store.revision(b"k" * 20)), (1, None))

    def test_layers(self) -> None:
        """The same record in two layers is kept under two keys and counted in each."""
        self.add(record())
        self.add(record(), layer=3)
        self.assertEqual([self.store.items(layer) for layer in (0, 1, 3)], [1, 0, 1])

    def test_every_type_has_a_share(self) -> None:
        """Whatever a node keeps can count on some of its room, and all shares together are the room."""
        self.assertEqual((set(SHARES), round(sum(SHARES.values()), 9)), (set(TYPES), 1.0))

    def test_newer_revision(self) -> None:
        """A newer revision replaces an older one, and an older one is refused."""
        self.add(record(revision=5, value=b"five"))
        self.assertTrue(self.add(record(revision=6, value=b"six")))
        self.refused("stale", record(revision=5, value=b"five"))
        self.assertEqual((len(self.store), self.store.size), (1, len(record(revision=6, value=b"six").to_bytes())))

    def test_a_leap(self) -> None:
        """Nobody writes the last revision of an identity or a family; a log's sequence, or a time, may go on far."""
        for kind, far in (("identity", False), ("family", False), ("head", True), ("addresses", True)):
            self.add(record(kind.encode(), kind=kind))
            if far:
                self.assertTrue(self.add(record(kind.encode(), 2**62, kind=kind)))
            else:
                self.refused("bad-field", record(kind.encode(), 1002, kind=kind))
                self.assertTrue(self.add(record(kind.encode(), 1001, kind=kind)))

    def test_same_revision(self) -> None:
        """The same revision may only live longer; with another value it is refused."""
        self.add(record())
        self.assertFalse(self.add(record()))
        self.assertFalse(self.add(record(expires=1500)))
        self.assertTrue(self.add(record(expires=3000)))
        self.refused("conflict", record(value=b"w"))
        self.assertIsNotNone(self.store.get(record().key(0), 2500))

    def test_expired_records_stand_in_nobodys_way(self) -> None:
        """What has expired is replaced by any revision."""
        self.add(record(revision=9))
        self.assertTrue(self.add(record(revision=1, value=b"new", expires=4000), wall=2500.0))
        self.assertEqual(self.store.revision(record().key(0)), 1)

    def test_many_of_one_owner(self) -> None:
        """One owner has a bounded number of records here; those that it has may be renewed."""
        owner = b"o" * 32
        for count in range(MAX_PER_OWNER):
            self.add(record(owner + count.to_bytes(4, "big")))
        self.refused("too-many", record(owner + b"more"))
        self.assertTrue(self.add(record(owner + (7).to_bytes(4, "big"), revision=2)))
        self.store.remove(record(owner + (7).to_bytes(4, "big")).key(0))
        self.assertTrue(self.add(record(owner + b"more")))

    def test_farther_records_make_room(self) -> None:
        """Where there is no more room the farthest record goes for a nearer one, and a farther one is refused."""
        near, *kept, far, farther = self.by_distance(6)
        self.store = self.open(most=4)
        for one in (*kept, far):
            self.add(one)
        self.refused("no-space", farther)
        self.assertTrue(self.add(near))
        self.assertIsNone(self.store.get(far.key(0), NOW))
        self.assertEqual(len(self.store), 4)

    def kept(self, kind: str) -> int:
        found = [DHTRecord.from_bytes(kept.data).type for kept in self.store.all()]
        return found.count(kind)

    def fill(self, kind: str, count: int, value: bytes = b"v") -> int:
        """Bring so many records of a type, each of another owner; how many were refused."""
        refused = 0
        for _ in range(count):
            try:
                self.add(record(self.random.randbytes(32), value=value, kind=kind))
            except WireError:
                refused += 1
        return refused

    def test_no_type_pushes_out_all_others(self) -> None:
        """A flood of one type takes what is free and what others have beyond their shares, and no more."""
        self.store = self.open(most=100)
        self.fill("identity", 60)
        self.fill("family", 15)
        self.fill("head", 500)
        self.assertEqual([self.kept(kind) for kind in ("identity", "family", "head")], [55, 15, 30])
        self.fill("addresses", 500)
        self.assertEqual(self.kept("family"), 15)
        self.assertEqual([self.kept(kind) for kind in ("identity", "head", "addresses")], [41, 30, 14])
        self.fill("identity", 500)
        self.assertEqual([self.kept(kind) for kind in ("identity", "family", "head", "addresses")], [41, 15, 30, 14])

    def test_no_type_pushes_out_all_others_by_its_bytes(self) -> None:
        """A few big records are as bad as many small ones."""
        self.store = self.open(most_bytes=50_000)
        self.fill("family", 10, bytes(900))
        self.fill("head", 90, bytes(3000))
        self.assertEqual(self.kept("family"), 10)
        self.assertLessEqual(self.store.size, 50_000)

    def test_records_that_grow(self) -> None:
        """A newer revision that is bigger takes room like any other: the farthest goes for it, never itself."""
        *near, far = self.by_distance(10)
        size = len(near[0].to_bytes())
        self.store = self.open(most_bytes=10 * size + 50)
        for one in (*near, far):
            self.add(one)
        for one in near[:3]:
            self.assertTrue(self.add(record(one.subject, revision=2, value=bytes(size))))
            self.assertLessEqual(self.store.size, 10 * size + 50)
        self.assertIsNone(self.store.get(far.key(0), NOW))
        self.assertIsNotNone(self.store.get(near[0].key(0), NOW))

    def test_what_is_counted_is_what_is_there(self) -> None:
        """After any additions, replacements, ends and removals the order and the counts are those of the records."""
        self.store = self.open(most=40, most_bytes=6000)
        subjects = [self.random.randbytes(32) for _ in range(60)]
        for step in range(600):
            kind = self.random.choice(("identity", "family", "head", "addresses"))
            one = record(
                self.random.choice(subjects), step + 1, bytes(self.random.randrange(90)),
                1000 + self.random.randrange(1, 900), kind,
            )  # fmt: skip
            try:
                self.add(one, mine=self.random.random() < 0.02, layer=step % 2, wall=NOW + step)
            except WireError as error:
                self.assertIn(error.code, ("no-space", "too-many"))
            if step % 50 == 0:
                self.store.expire(NOW + step)
        kept = list(self.store.all())
        records = [DHTRecord.from_bytes(one.data) for one in kept]
        self.assertEqual((len(self.store), self.store.size), (len(kept), sum(len(one.data) for one in kept)))
        layers = [one.layer for one in kept]
        self.assertEqual([self.store.items(layer) for layer in (0, 1)], [layers.count(layer) for layer in (0, 1)])
        self.store.expire(max(one.expires for one in records))
        self.assertEqual((len(self.store), self.store.size), (0, 0))

    def test_bytes_count_too(self) -> None:
        """Room is bytes as well as records."""
        near, far = self.by_distance(2)
        size = len(near.to_bytes())
        self.store = self.open(most_bytes=2 * size - 1)
        self.add(far)
        self.assertTrue(self.add(near))
        self.assertEqual((len(self.store), self.store.size), (1, size))

    def test_expired_records_go_first(self) -> None:
        """What has expired makes room before anything that lives."""
        near, far = self.by_distance(2)
        self.store = self.open(most=2)
        self.add(record(near.subject, expires=1100))
        self.add(record(far.subject, expires=3000))
        _, farther = self.by_distance(2)
        self.assertTrue(self.add(record(farther.subject, expires=3000), wall=1200.0))
        self.assertIsNotNone(self.store.get(far.key(0), 1200.0))

    def test_own_records_stay(self) -> None:
        """My own records never make room for those of others, and I may always keep one more."""
        near, mine, far = self.by_distance(3)
        self.store = self.open(most=1)
        self.add(far, mine=True)
        self.refused("no-space", near)
        self.assertTrue(self.add(mine, mine=True))
        self.assertEqual([kept.mine for kept in self.store.all()], [True, True])

    def test_renewed_by_somebody_else(self) -> None:
        """A record of mine that comes back from another node is still mine, a newer revision is theirs."""
        self.add(record(), mine=True)
        self.add(record(expires=3000))
        self.assertEqual([mine for _, _, mine in self.store.listing()], [True])
        self.add(record(revision=2))
        self.assertEqual([mine for _, _, mine in self.store.listing()], [False])

    def test_debugging_records_have_a_small_share(self) -> None:
        """Records without an owner get a hundredth of the room, so that nobody fills the store with them."""
        self.store = self.open(most=round(2 / SHARES[DEBUG]))
        for text in ("a", "b"):
            self.add(record(text))
        self.refused("no-space", record("c"))
        self.assertTrue(self.add(record("a", revision=2)))
        self.assertTrue(self.add(record("c", expires=4000), wall=2500.0))
        self.assertEqual(len(self.store), 1)

    def test_a_share_for_each_writer_of_debugging_records(self) -> None:
        """One device takes a part of that at most; others find room, and its own may be written again."""
        self.store = self.open(most=round(3 * MAX_PER_WRITER / SHARES[DEBUG]))
        for text in map(str, range(MAX_PER_WRITER)):
            self.add(evolve(record(text), device=b"w" * 32))
        self.refused("too-many", evolve(record("more"), device=b"w" * 32))
        self.assertTrue(self.add(evolve(record("1", revision=2), device=b"w" * 32)))
        self.assertTrue(self.add(evolve(record("more"), device=b"x" * 32)))

    def test_expire(self) -> None:
        """What has had its time is forgotten, with everything that was counted of it."""
        self.add(record(b"o" * 32, expires=1500))
        self.add(record("text", expires=1500))
        self.add(record(b"p" * 32, expires=2500))
        self.store.expire(2000)
        self.assertEqual((len(self.store), self.store.size), (1, len(record(b"p" * 32, expires=2500).to_bytes())))

    def test_restart(self) -> None:
        """After a restart the records are there, and count as they did."""
        path = Path(self.mktemp())
        self.store = self.open(path)
        self.add(record(b"o" * 32), mine=True)
        self.add(record("text"), layer=2)
        listing, size = self.store.listing(), self.store.size
        self.store.close()
        again = self.open(path)
        self.assertEqual((sorted(again.listing()), again.size), (sorted(listing), size))
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    def test_contacts(self) -> None:
        """Contacts are kept for the next start, those heard last first, and come back unproven; who is away stays."""
        self.meet(b"ab", NOW)
        self.meet(b"c", NOW + 1)
        kept, *away = self.store.contacts()
        self.assertEqual((kept.key, kept.address, kept.layers, kept.proven), (b"c" * 32, ("192.0.2.1", 99), 6, False))
        self.assertEqual([contact.key[:1] for contact in away], [b"a", b"b"])

    def meet(self, keys: bytes, wall: float, host: str = "192.0.2.1") -> None:
        contacts = [Contact(bytes((key,)) * 32, host, key, 6, proven=True) for key in keys]
        self.store.save_contacts(contacts, wall)

    def test_a_contact_that_moves(self) -> None:
        """One node has one address: that at which it was heard last."""
        self.meet(b"a", NOW)
        self.meet(b"a", NOW + 1, "192.0.2.2")
        self.assertEqual([contact.host for contact in self.store.contacts()], ["192.0.2.2"])

    def test_a_full_disk_stops_nothing(self) -> None:
        """Who was met is not written down then, records that expired stay; both are done when there is room."""
        folder = Path(self.mktemp())
        folder.mkdir()
        disks, faults = FaultyDisks(), [Fault(sqlite_error(sqlite3.SQLITE_FULL))]
        disks.watch(folder, lambda change: faults[0] if faults and change.kind == COMMIT else None)
        with disks.installed():
            store = RecordStore(folder / "dht.db", 0)
            self.addCleanup(store.close)
            met = [Contact(b"a" * 32, "192.0.2.1", 1, 6, proven=True)]
            store.save_contacts(met, 1.0)
            self.assertEqual(store.contacts(), [])
            faults.clear()
            store.save_contacts(met, 1.0)
            self.assertEqual([contact.host for contact in store.contacts()], ["192.0.2.1"])

    def test_contacts_are_bounded(self) -> None:
        """Of more than there is room for those stay that were heard last; after 30 days nobody stays unheard."""
        self.meet(bytes(range(1, 151)), NOW)
        self.meet(bytes(range(101, 251)), NOW + 1)
        kept = [contact.key[0] for contact in self.store.contacts()]
        self.assertEqual((len(kept), sorted(kept)[50:]), (MAX_MET, list(range(101, 251))))
        self.meet(b"a", NOW + 30 * 86_400 + 2)
        self.assertEqual([contact.key[:1] for contact in self.store.contacts()], [b"a"])
