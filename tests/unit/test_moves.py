"""Packs that take the place of others: whatever the order of arrival, every version finds its bytes."""

import random
import sqlite3
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bitdust.formats.log_entry import Entry
from bitdust.formats.operations import item_op, move_op, pack_op, tombstone_op, version_ops
from bitdust.storage.catalog.catalog import LogKeys, append_ops, insert_entry
from bitdust.storage.catalog.database import FORMAT, PackState
from bitdust.storage.catalog.database import open_catalog as open_file
from bitdust.storage.catalog.moves import current
from bitdust.storage.log.snapshot import write_snapshot
from bitdust.storage.packs.packer import stored_place
from bitdust.wire.names import new_version
from bitdust.wire.records import PackRecord, Scheme
from tests.unit.supplier_kit import START, now
from tests.unit.test_catalog import OWNER, SECRET, Device, open_catalog

P, N, M, OTHER = (letter * 16 for letter in (b"p", b"n", b"m", b"o"))
CHUNK = b"c" * 16


def pack(name: bytes, n: int = 2) -> dict:
    scheme = Scheme.for_family(n)
    return pack_op(PackRecord(OWNER, name, 1000, scheme, [b"r" * 32] * n), "master", 1, CHUNK, [100])


def two_devices() -> list[Device]:
    """One makes a pack, moves it twice, and builds on it; the other moves it as well, and builds on it unheard."""
    one, other = Device(0), Device(1)
    one.say(1, [item_op("0", "", b"a", "file", "master", 0), pack(P)])
    one.say(2, version_ops("0", new_version(START, 0), 100, 0o644, 0, [[P, 0, 1]]))
    one.say(3, [pack(N, 4), move_op(P, N), tombstone_op([], [P], 3)])
    one.say(6, [pack(M, 7), move_op(N, M), tombstone_op([], [N], 6)])
    one.say(7, version_ops("0", new_version(START + 7, 0), 100, 0o644, 0, [[N, 0, 1]]))
    other.say(4, [item_op("1", "", b"b", "file", "master", 0), *version_ops(
        "1", new_version(START + 4, 1), 100, 0o644, 0, [[P, 0, 1], [OTHER, 0, 1]]
    )])  # fmt: skip
    other.say(5, [pack(OTHER, 4), move_op(P, OTHER), tombstone_op([], [P], 5)])
    return [one, other]


def facts(database: sqlite3.Connection) -> dict:
    return {
        "needs": sorted(database.execute("SELECT pack, path, version FROM version_packs")),
        "packs": sorted(database.execute("SELECT pack, state FROM packs")),
        "moves": sorted(database.execute("SELECT old, new, lamport, device FROM moves")),
    }


class MoveTests(SynchronousTestCase):
    def put(self, catalog, entry, content) -> None:
        now(catalog.change(lambda database: insert_entry(database, "master", entry, content)))

    def test_the_order_of_arrival_does_not_matter(self) -> None:
        """Two devices that move one pack, and build on it unheard, come to one catalog; what holds bytes lives."""
        results = []
        for order in range(12):
            catalog, chance = open_catalog(self), random.Random(order)
            left = [list(device.entries) for device in two_devices()]
            while any(left):
                self.put(catalog, *chance.choice([entries for entries in left if entries]).pop(0))
            results.append(facts(catalog.read))
            catalog.drop()
        self.assertTrue(all(result == results[0] for result in results), results)
        states = dict(results[0]["packs"])
        needed = {needed for needed, _, _ in results[0]["needs"]}
        self.assertEqual(needed, {OTHER, M})
        self.assertEqual([states[one] for one in (P, N, M, OTHER)], [PackState.DEAD] * 2 + [PackState.HELD] * 2)

    def test_a_snapshot_tells_the_same(self) -> None:
        """A catalog that is read from a snapshot finds all bytes, even where packs between are forgotten."""
        catalog = open_catalog(self)
        for device in two_devices():
            for entry, content in device.entries:
                self.put(catalog, entry, content)
        keys = LogKeys(OWNER, "master", None, b"d" * 8, 1, SECRET)
        late = (START + 1) * 1000
        first, last = now(catalog.change(lambda database: write_snapshot(database, keys, late, START)))
        self.assertIsNone(catalog.read.execute("SELECT 1 FROM packs WHERE pack=?", (P,)).fetchone())
        again = open_catalog(self)
        from_snapshot = Device(9)
        for sequence in range(first, last + 1):
            self.put(again, *self.opened(catalog.entry("master", b"d" * 8, sequence), from_snapshot))
        self.assertEqual(facts(again.read)["needs"], facts(catalog.read)["needs"])
        self.assertEqual(current(again.read, P), current(catalog.read, P))

    def opened(self, data: bytes, device: Device):
        entry = Entry.parse(data)
        return entry, entry.open([SECRET])

    def test_deduplication_follows(self) -> None:
        """A chunk of a pack that was moved is found in the new one, as soon as that has enough pieces."""
        catalog = open_catalog(self)
        keys = LogKeys(OWNER, "master", None, b"d" * 8, 1, SECRET)
        for ops in ([pack(P)], [pack(N, 4), move_op(P, N), tombstone_op([], [P], 1)]):
            now(catalog.change(lambda database, ops=ops: append_ops(database, keys, ops, START)))
        self.assertIsNone(stored_place(catalog.read, CHUNK))
        now(catalog.change(lambda database: database.execute("UPDATE packs SET acked=2 WHERE pack=?", (N,))))
        self.assertEqual(stored_place(catalog.read, CHUNK), (N, 0))

    def test_another_keys_log_moves_nothing(self) -> None:
        """Whoever writes one key's log moves no pack of another key, and a circle of moves is not closed."""
        catalog = open_catalog(self)
        master = LogKeys(OWNER, "master", None, b"d" * 8, 1, SECRET)
        photos = LogKeys(OWNER, "photos", b"s" * 16, b"d" * 8, 1, SECRET)
        for keys, ops in (
            (master, [pack(P), pack(N)]),
            (photos, [move_op(P, N)]),
            (master, [move_op(P, N)]),
            (master, [move_op(N, P)]),
        ):
            now(catalog.change(lambda database, keys=keys, ops=ops: append_ops(database, keys, ops, START)))
        self.assertEqual(catalog.read.execute("SELECT old, key FROM moves").fetchall(), [(P, "master")])
        self.assertEqual(current(catalog.read, N), N)

    def test_a_catalog_of_the_format_before(self) -> None:
        """A catalog without tables of moves is opened, and has them from then on."""
        catalog = open_catalog(self)
        path = catalog.read.execute("PRAGMA database_list").fetchone()[2]
        now(catalog.change(lambda database: database.execute("DROP TABLE moves")))
        catalog.drop()
        before = sqlite3.connect(path)
        before.execute("PRAGMA user_version=2")
        before.close()
        database = open_file(Path(path))
        self.assertEqual(database.execute("SELECT count(*) FROM moves").fetchone(), (0,))
        self.assertEqual(database.execute("PRAGMA user_version").fetchone(), (FORMAT,))
        database.close()
