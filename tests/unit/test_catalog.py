"""The catalog's log: whatever the order of arrival, one catalog; entries that say nonsense are refused."""

import hashlib
import os
import random
import sqlite3
from pathlib import Path
from types import SimpleNamespace

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.sealing import TAG, seal_entry
from bitdust.formats.log_entry import (
    LEAST_CLASS,
    MAX_PACKED,
    OLDEST,
    VERSION,
    Content,
    Entry,
    LogName,
    check_chain,
    class_of,
    hash_of,
    seal,
)  # fmt: skip
from bitdust.formats.operations import OPS, batches, item_op, tombstone_op, version_ops
from bitdust.storage.catalog.catalog import Catalog, LogKeys, append_ops, insert_entry
from bitdust.storage.catalog.database import set_meta
from bitdust.storage.catalog.paths import by_path, fresh_version, next_path_id, version_at
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import new_version
from tests.unit.supplier_kit import START, now

OWNER = hashlib.sha256(b"owner").digest()
SECRET = b"s" * 32
LOG = LogName(OWNER, None, b"d" * 8)


def open_catalog(case) -> Catalog:
    world = SimpleNamespace(wall=lambda: START, run_in_thread=maybeDeferred)
    catalog = Catalog(world, Path(case.mktemp()) / "catalog.db")
    now(catalog.open())
    case.addCleanup(catalog.drop)
    return catalog


def rows(catalog: Catalog) -> dict:
    """Everything that follows from the log, without what only says when it came."""
    read = catalog.read
    return {
        "items": sorted(read.execute("SELECT path, parent, name, type, key, dead, label FROM items")),
        "versions": sorted(read.execute("SELECT path, version, size, extents, dead FROM versions")),
        "gone": sorted(read.execute("SELECT * FROM gone")),
        "packs": sorted(read.execute("SELECT pack, state FROM packs")),
        "tombstones": sorted(read.execute("SELECT name, lamport, device FROM tombstones")),
    }


def append(catalog: Catalog, keys: LogKeys, ops):
    """Write operations, or what a function over the database says, to the log of a device."""
    return catalog.change(lambda database: append_ops(database, keys, ops(database) if callable(ops) else ops, START))


class Device:
    """One device that writes a log of its own."""

    def __init__(self, number: int) -> None:
        self.id = bytes([number]) * 8
        self.number = number
        self.entries: list[tuple[Entry, Content]] = []
        self.previous = bytes(32)

    def say(self, lamport: int, ops: list) -> None:
        content = Content(lamport, START * 1000, ops)
        unsealed = Entry(OWNER, self.id, len(self.entries) + 1, self.previous, 1, b"")
        entry = seal(unsealed, SECRET, content)
        self.previous = hash_of(entry.to_bytes())
        self.entries.append((entry, content))


def a_life(seed: int) -> list[Device]:
    """Two devices that make, change and delete items, sometimes the same ones, each knowing little of the other."""
    chance = random.Random(seed)
    devices = [Device(0), Device(1)]
    paths = ["0", "0/0", "0/1", "1.1", "1.1/0", "2"]
    for lamport in range(1, 14):
        device = chance.choice(devices)
        path = chance.choice(paths)
        parent = path.rpartition("/")[0]
        version = new_version(START + lamport, device.number)
        choice = chance.randrange(6)
        if choice <= 1:
            kind = "folder" if path in ("0", "1.1") else "file"
            device.say(lamport, [item_op(path, parent, path.replace("/", "-").encode(), kind, "master", 0)])
        elif choice <= 3:
            device.say(lamport, version_ops(path, version, lamport, 0o644, 0, []))
        elif choice == 4:
            device.say(lamport, [tombstone_op([path], [], lamport)])
        else:
            device.say(lamport, [{"op": "label", "path": path, "label": f"label {lamport}"}])
    return devices


class OrderTests(SynchronousTestCase):
    def test_the_order_of_arrival_does_not_matter(self) -> None:
        """Entries of two devices give the same catalog in whatever order the two logs come in."""
        for seed in range(40):
            devices = a_life(seed)
            results = []
            for order in range(4):
                catalog = open_catalog(self)
                chance = random.Random(order)
                left = [list(device.entries) for device in devices]

                def arrive(database, left=left, chance=chance) -> None:
                    while any(left):
                        log = chance.choice([entries for entries in left if entries])
                        entry, content = log.pop(0)
                        insert_entry(database, "master", entry, content)

                now(catalog.change(arrive))
                results.append(rows(catalog))
                catalog.drop()
            self.assertTrue(all(result == results[0] for result in results), f"seed {seed}")

    def test_an_entry_twice_changes_nothing(self) -> None:
        """An entry that is known already is not applied again."""
        catalog = open_catalog(self)
        for entry, content in a_life(3)[0].entries * 2:
            now(catalog.change(lambda database, e=entry, c=content: insert_entry(database, "master", e, c)))
        once = open_catalog(self)
        for entry, content in a_life(3)[0].entries:
            now(once.change(lambda database, e=entry, c=content: insert_entry(database, "master", e, c)))
        self.assertEqual(rows(catalog), rows(once))


class LogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.catalog = open_catalog(self)
        self.keys = LogKeys(OWNER, "master", None, b"d" * 8, 1, SECRET)

    def test_a_log_is_a_chain(self) -> None:
        """Every entry names the hash of the one before; changed, left out, or of another owner it is refused."""
        for number in range(4):
            now(append(self.catalog, self.keys, [item_op(str(number), "", b"x", "file", "master", 0)]))
        entries = [self.catalog.entry("master", b"d" * 8, sequence) for sequence in range(1, 5)]
        self.assertEqual(len(check_chain(entries, LOG, None)), 4)
        for bad in (entries[:1] + entries[2:], entries[::-1], [entries[0], entries[0]]):
            with self.assertRaises(WireError):
                check_chain(bad, LOG, (0, bytes(32)))
        with self.assertRaises(WireError):
            check_chain(entries, LogName(hashlib.sha256(b"other").digest(), LOG.scope, LOG.device), None)
        broken = entries[1][:-1] + bytes([entries[1][-1] ^ 1])
        with self.assertRaises(WireError):
            Entry.parse(broken).open([SECRET])

    def test_its_ends_are_read_once_between_two_changes(self) -> None:
        """Where logs begin and end is read again after a change, and only then."""

        def seen() -> tuple:
            first, end = self.catalog.first_sequence("master", b"d" * 8), self.catalog.end("master", b"d" * 8)
            return self.catalog.devices("master"), first, end.sequence

        def forget_the_first(database) -> None:
            database.execute("DELETE FROM entries WHERE sequence=1")

        ops = [item_op("0", "", b"x", "file", "master", 0)]
        self.assertEqual(seen(), ([], 1, 0))
        now(append(self.catalog, self.keys, ops))
        now(append(self.catalog, self.keys, ops))
        self.assertEqual(seen(), ([b"d" * 8], 1, 2))
        asked: list[str] = []
        self.catalog.read.set_trace_callback(asked.append)
        self.assertEqual(seen(), ([b"d" * 8], 1, 2))
        self.assertEqual(asked, [])
        now(self.catalog.change(forget_the_first))
        self.assertEqual(seen(), ([b"d" * 8], 2, 2))

    def test_versions_of_entries(self) -> None:
        """An entry of a former version is read and stays as it is; one of a later version is refused."""
        content = Content(1, START * 1000, [item_op("0", "", b"a", "file", "master", 0)])
        for version in range(OLDEST, VERSION + 1):
            sealed = seal(Entry(b"o" * 32, b"d" * 8, 1, bytes(32), 1, b"", version=version), SECRET, content)
            again = Entry.parse(sealed.to_bytes())
            self.assertEqual((again.version, again.open([SECRET])), (version, content))
            self.assertEqual(again.to_bytes(), sealed.to_bytes())
        later = Entry(b"o" * 32, b"d" * 8, 1, bytes(32), 1, b"", version=VERSION + 1).to_bytes()
        self.assertIn("version", str(self.assertRaises(WireError, Entry.parse, later)))

    def test_sizes_are_classes(self) -> None:
        """An entry is as long as any other of its class, whatever it says: a class is a power of two, or Padmé's."""
        bare = Entry(b"o" * 32, b"d" * 8, 1, bytes(32), 1, b"")
        sizes = set()
        for length in range(1, 120, 7):
            name = os.urandom(length).hex().encode()
            content = Content(1, START, [item_op("0", "", name, "file", "master", 0)])
            sizes.add(len(seal(bare, SECRET, content).sealed))
        self.assertEqual(sizes, {LEAST_CLASS + TAG})
        classes = [class_of(size) for size in range(1, MAX_PACKED, 37)]
        self.assertEqual(classes, sorted(classes))
        self.assertLess(len(set(classes)), 200)
        for size in (512, 513, 8192, 8193, 100_000, MAX_PACKED):
            self.assertTrue(size <= class_of(size) <= min(2 * size, MAX_PACKED), size)

    def test_what_is_not_padded(self) -> None:
        """Content that is shorter than it says, or is filled up with anything but zeros, is refused."""
        bare = Entry(b"o" * 32, b"d" * 8, 1, bytes(32), 1, b"")
        for padded in (b"", b"\0\0", b"\0\0\0\5zstd", b"\0\0\0\4zstd\0\1"):
            sealed = evolve(bare, sealed=seal_entry(SECRET, bare.info, 1, bare.aad(), padded))
            self.assertEqual(self.assertRaises(WireError, sealed.open, [SECRET]).code, "malformed")

    def test_nobody_reads_it_without_the_secret(self) -> None:
        """An entry opens under its own secret, device and sequence alone."""
        now(append(self.catalog, self.keys, [item_op("0", "", b"secret name", "file", "master", 0)]))
        data = self.catalog.entry("master", b"d" * 8, 1)
        self.assertNotIn(b"secret name", data)
        with self.assertRaises(WireError):
            Entry.parse(data).open([b"t" * 32])

    def test_many_operations_become_many_entries(self) -> None:
        """Operations that do not fit one entry go on in the next; none is lost, each entry stays under 1 MiB."""
        ops = [item_op(str(number), "", b"n" * 200, "file", "master", 0) for number in range(9000)]
        last = now(append(self.catalog, self.keys, ops))
        self.assertGreater(last, 1)
        sizes = [len(self.catalog.entry("master", b"d" * 8, sequence)) for sequence in range(1, last + 1)]
        self.assertLess(max(sizes), 1024 * 1024)
        (count,) = self.catalog.read.execute("SELECT count(*) FROM items").fetchone()
        self.assertEqual(count, 9000)

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=300))
    def test_any_bytes(self, data: bytes) -> None:
        """Any bytes in the place of an entry are refused as `WireError`."""
        with self.assertRaises(WireError):
            Entry.parse(data)

    def test_operations_have_limits(self) -> None:
        """Unknown operations, foreign fields, bad paths and numbers out of range are refused."""
        good = item_op("0/1", "0", b"name", "file", "master", 5)
        OPS.check([good], "ops")
        for change in (
            {"op": "format-disk"}, {"path": "0/../1"}, {"path": "/0"}, {"name": b""}, {"name": b"x" * 300},
            {"type": "device"}, {"time": "now"}, {"extra": 1},
        ):  # fmt: skip
            with self.assertRaises(WireError, msg=str(change)):
                OPS.check([good | change], "ops")

    def test_batches_keep_the_order(self) -> None:
        """Batches of operations are those operations, in their order."""
        ops = [item_op(str(number), "", b"x" * (number % 200 + 1), "file", "master", 0) for number in range(8000)]
        self.assertEqual([op for batch in batches(ops) for op in batch], ops)
        self.assertTrue(all(len(encode(batch)) < 800 * 1024 for batch in batches(ops)))


class ReadingTests(SynchronousTestCase):
    """Long readings, each over a connection of its own."""

    def setUp(self) -> None:
        self.catalog = open_catalog(self)
        self.opened: list = []
        opening = self.catalog.another_reader
        self.patch(self.catalog, "another_reader", lambda: self.opened.append(opening()) or self.opened[-1])

    def count(self, database) -> int:
        return database.execute("SELECT count(*) FROM meta WHERE name='new'").fetchone()[0]

    def write(self) -> None:
        now(self.catalog.change(lambda database: set_meta(database, "new", b"1")))

    def is_closed(self, database) -> bool:
        try:
            self.count(database)
        except sqlite3.ProgrammingError:
            return True
        return False

    def test_the_next_one_takes_the_same_connection(self) -> None:
        """A connection is kept for the next reading, which sees what was written meanwhile, until the end."""
        self.assertEqual(now(self.catalog.read_in_thread(self.count)), 0)
        self.write()
        self.assertEqual(now(self.catalog.read_in_thread(self.count)), 1)
        [only] = self.opened
        self.assertFalse(self.is_closed(only))
        self.catalog.drop()
        self.assertTrue(self.is_closed(only))

    def test_one_that_is_not_done_is_not_taken_again(self) -> None:
        """After an error, in a transaction, or when the catalog was closed meanwhile, a connection is let go."""

        def fails(database) -> None:
            self.left = database.execute("SELECT * FROM meta")
            raise ValueError("half-way")

        self.failureResultOf(self.catalog.read_in_thread(fails), ValueError)
        now(self.catalog.read_in_thread(lambda database: database.execute("BEGIN")))
        now(self.catalog.read_in_thread(lambda database: self.catalog.drop()))
        self.assertEqual((len(self.opened), all(map(self.is_closed, self.opened))), (3, True))

    def test_not_more_are_kept_than_read_at_a_time(self) -> None:
        """Of many readings at the same time two leave a connection."""

        def read(left: int):
            return lambda database: self.catalog.read_apart(read(left - 1)) if left else None

        self.catalog.read_apart(read(4))
        self.assertEqual(sorted(map(self.is_closed, self.opened)), [False, False, True, True, True])


class NamesTests(SynchronousTestCase):
    def test_versions_never_repeat_and_sort(self) -> None:
        """Versions made in one millisecond, or after the clock went back, are new and later (weakness 22)."""
        catalog = open_catalog(self)
        made: list[str] = []

        def make(database) -> None:
            for wall in (START, START, START, START - 3600, START + 1, START - 1):
                made.append(fresh_version(database, wall, 3, "0"))

        now(catalog.change(make))
        self.assertEqual(len(set(made)), len(made))
        self.assertEqual(made, sorted(made))

    def test_path_ids_never_repeat(self) -> None:
        """A path id is given once, also after its item was deleted."""
        catalog = open_catalog(self)
        keys = LogKeys(OWNER, "master", None, b"d" * 8, 1, SECRET)
        given_out: list[str] = []
        for _ in range(5):
            ops: list = []

            def make(database, ops=ops):
                path = next_path_id(database, "", 0)
                given_out.append(path)
                return [item_op(path, "", b"name", "file", "master", 0), tombstone_op([path], [], 1)]

            now(append(catalog, keys, make))
        self.assertEqual(given_out, ["0", "1", "2", "3", "4"])

    def test_what_left_its_folder_is_gone_from_then_on(self) -> None:
        """An item has the version of a moment, and none after it left its source."""
        catalog = open_catalog(self)
        keys = LogKeys(OWNER, "master", None, b"d" * 8, 1, SECRET)
        first, second, third = (new_version(START + number, 0) for number in range(3))
        now(append(catalog, keys, [item_op("0", "", b"f", "file", "master", 0), *version_ops("0", first, 1, 0, 0, [])]))
        now(append(catalog, keys, [{"op": "gone", "path": "0", "version": second}]))
        read = catalog.read
        self.assertEqual(version_at(read, "0", first).version, first)
        self.assertIsNone(version_at(read, "0", None))
        self.assertIsNone(version_at(read, "0", third))
        now(append(catalog, keys, version_ops("0", third, 1, 0, 0, [])))
        self.assertEqual(version_at(read, "0", None).version, third)
        self.assertEqual(by_path(read, "master", "f").path, "0")

    def test_a_refused_change_changes_nothing(self) -> None:
        """A change that raises leaves the catalog as it was, and others of its batch go on."""
        catalog = open_catalog(self)

        def bad(database):
            database.execute("INSERT INTO gone VALUES('0', 'x')")
            raise BitDustError("no", "no")

        self.failureResultOf(catalog.change(bad), BitDustError)
        self.assertEqual(catalog.read.execute("SELECT count(*) FROM gone").fetchone()[0], 0)
