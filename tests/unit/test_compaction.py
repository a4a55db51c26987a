"""The log says itself anew: nothing that lives is lost, what is dead is forgotten, a crash at any moment is normal."""

import shutil

from twisted.trial.unittest import SynchronousTestCase

from bitdust.formats.log_entry import Entry, LogName, head_of
from bitdust.formats.operations import item_op, tombstone_op
from bitdust.storage.catalog.catalog import Catalog, LogKeys, begin_of, insert_entry
from bitdust.storage.log import compaction, snapshot
from bitdust.storage.log.compaction import begin_with, log_bytes, pending_snapshot
from bitdust.storage.log.snapshot import snapshot_ops, write_snapshot
from bitdust.wire.encoding import WireError
from bitdust.wire.records import MAX_COVERED, Head
from tests.unit.storage_kit import Node, network, random_file, stop_quietly
from tests.unit.supplier_kit import START, now
from tests.unit.test_catalog import OWNER, SECRET, Device, a_life, open_catalog, rows

ALL = 2**60
"""A moment after everything."""


def filled(case, devices: list[Device]) -> Catalog:
    """A catalog that has read these logs."""
    catalog = open_catalog(case)
    for device in devices:
        for entry, content in device.entries:
            now(catalog.change(lambda database, e=entry, c=content: insert_entry(database, "master", e, c)))
    return catalog


def compacted(catalog: Catalog, dead_before: int) -> list[Entry]:
    """The entries of a snapshot that device 9 has written."""
    keys = LogKeys(OWNER, "master", None, bytes([9]) * 8, 1, SECRET)
    first, last = now(catalog.change(lambda database: write_snapshot(database, keys, dead_before, START)))
    return [Entry.parse(catalog.entry("master", keys.device, number) or b"") for number in range(first, last + 1)]


def read_again(case, entries: list[Entry]) -> Catalog:
    """A catalog that has read nothing but a snapshot."""
    catalog = open_catalog(case)
    for entry in entries:
        now(catalog.change(lambda database, e=entry: insert_entry(database, "master", e, e.open([SECRET]))))
    return catalog


def living(catalog: Catalog) -> tuple[list, list]:
    """Items and versions that are seen."""
    found = rows(catalog)
    return [row for row in found["items"] if not row[5]], [row for row in found["versions"] if not row[-1]]


class SnapshotTests(SynchronousTestCase):
    def test_it_says_everything(self) -> None:
        """A catalog made of the snapshot alone is the one it was taken of, whatever the logs said."""
        for seed in range(12):
            catalog = filled(self, a_life(seed))
            entries = compacted(catalog, -1)
            again = read_again(self, entries)
            self.assertEqual(rows(again), rows(catalog), f"seed {seed}")
            self.assertEqual(list(snapshot_ops(again.read, "master")), list(snapshot_ops(catalog.read, "master")))
            for device in catalog.devices("master"):
                self.assertEqual(again.end("master", device), catalog.end("master", device))
            for one in (again, catalog):
                one.drop()

    def test_what_lives_stays(self) -> None:
        """Forgetting all that is dead changes nothing of what is seen, and the snapshot says just that."""
        for seed in range(12):
            catalog = filled(self, a_life(seed))
            seen = living(catalog)
            again = read_again(self, compacted(catalog, ALL))
            self.assertEqual(living(catalog), seen, f"seed {seed}")
            self.assertEqual(rows(again), rows(catalog))
            self.assertEqual([row for row in rows(again)["versions"] if row[-1]], [])
            for one in (again, catalog):
                one.drop()

    def test_who_knows_all_learns_nothing(self) -> None:
        """Read by one who has the whole logs, in any order, a snapshot changes no row."""
        for seed in range(8):
            catalog = filled(self, a_life(seed))
            before = rows(catalog)
            source = filled(self, a_life(seed))
            for entry in compacted(source, -1):
                now(catalog.change(lambda database, e=entry: insert_entry(database, "master", e, e.open([SECRET]))))
            self.assertEqual(rows(catalog), before, f"seed {seed}")
            for one in (source, catalog):
                one.drop()

    def test_many_rows_take_many_entries(self) -> None:
        """A large catalog goes into several entries, of which the first tells for what it stands."""
        device = Device(0)
        for lamport in range(1, 30):
            names = [f"{lamport}/{number}" for number in range(300)]
            device.say(lamport, [
                {"op": "item", "path": path, "parent": str(lamport), "name": bytes([lamport]) * 200, "type": "file",
                 "key": "master", "time": 0} for path in names
            ])  # fmt: skip
        entries = compacted(filled(self, [device]), ALL)
        self.assertGreater(len(entries), 2)
        opening = entries[0].open([SECRET]).ops[0]
        self.assertEqual([(head["device"], head["sequence"]) for head in opening["heads"]], [(device.id, 29)])


    def test_many_devices(self) -> None:
        """It stands for the logs of as many devices as there are: guests of a share, and former ones."""
        devices = [Device(number) for number in range(10, 11 + 2 * MAX_COVERED)]
        for device in devices:
            device.say(1, [item_op(str(device.id[0]), "", device.id.hex().encode(), "file", "master", 0)])
        catalog = filled(self, devices)
        again = read_again(self, compacted(catalog, ALL))
        self.assertEqual(rows(again), rows(catalog))
        for device in devices:
            self.assertEqual(again.end("master", device.id), catalog.end("master", device.id))

    def test_a_head_that_names_as_many_as_it_can(self) -> None:
        """Of more devices it names those that it has named before, and then those of whom most is kept."""
        devices = [Device(number) for number in range(10, 12 + MAX_COVERED)]
        for number, device in enumerate(devices):
            for lamport in range(1 + number // MAX_COVERED):
                device.say(1 + lamport, [tombstone_op([], [], 0)])
        catalog = filled(self, devices)
        mine = bytes([9]) * 8
        covered = []
        for _ in range(2):
            first = compacted(catalog, ALL)[0].sequence
            now(catalog.change(lambda database, first=first: begin_with(database, "master", mine, first)))
            begin = begin_of(catalog.read, "master", mine)
            covered.append({one["device"] for one in begin.covers or ()})
            head = head_of(LogName(OWNER, None, mine), first, bytes(32), START, begin)
            self.assertEqual(Head.from_body(head.to_body()), head)
        self.assertEqual(len(covered[0]), MAX_COVERED)
        self.assertTrue({one.id for one in devices[-2:]} <= covered[0])
        self.assertEqual(covered[1], covered[0])


class CompactionCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.compact_early(self.node)

    def compact_early(self, node: Node) -> Node:
        node.storage.core.compactor.least_log = 3000
        return node

    def busy_life(self, node: Node, rounds: int = 6) -> dict[str, bytes]:
        """Files that change and go; what is there in the end."""
        left = {}
        for number in range(rounds):
            for name in ("changing", f"passing-{number}"):
                left[name] = random_file(self.base / name, 2000 + number)
                node.upload(self.base / name, name)
                node.pass_time(1)
            if number:
                node.delete(f"passing-{number - 1}")
                del left[f"passing-{number - 1}"]
        node.pass_time(400)
        return left

    def sequence(self, node: Node, meta_name: str = "") -> int:
        core = node.storage.core
        return core.catalog.first_sequence("master", node.me.device.id)

    def log_at(self, number: int) -> list[tuple[bytes, int]]:
        database = self.around.suppliers[number].shop.store._writer
        return [
            (bytes(device), sequence)
            for device, sequence in database.execute("SELECT device, sequence FROM log ORDER BY device, sequence")
        ]

    def assert_restored(self, left: dict[str, bytes], name: str = "fresh") -> Node:
        """A node that was given the keys alone sees and restores what is left."""
        fresh = Node(self.base / name, self.around, before=self.node)
        self.addCleanup(stop_quietly, fresh)
        fresh.start()
        self.assertTrue(fresh.storage.core.log_replicas.recovered)
        self.assertEqual([row["path"] for row in fresh.rows()], sorted(left))
        for path, data in left.items():
            fresh.download(path, self.base / f"{name}-back")
            self.assertEqual((self.base / f"{name}-back" / path).read_bytes(), data)
        return fresh


class CompactionTests(CompactionCase):
    def test_logs_get_shorter_everywhere(self) -> None:
        """After a busy life the log begins with a snapshot, here and at every supplier, which have the space again."""
        left = self.busy_life(self.node)
        first = self.sequence(self.node)
        self.assertGreater(first, 5)
        self.node.upload(self.base / "changing", "once-more")
        self.node.pass_time(1)
        left["once-more"] = left["changing"]
        for number, supplier in enumerate(self.around.suppliers):
            sequences = [sequence for _, sequence in self.log_at(number)]
            self.assertEqual(sequences, list(range(first, sequences[-1] + 1)))
            database = supplier.shop.store._writer
            (kept,) = database.execute("SELECT log_bytes FROM customers").fetchone()
            self.assertEqual(kept, database.execute("SELECT sum(length(entry)) FROM log").fetchone()[0])
        self.node.kill()
        shutil.rmtree(self.node.home)
        for supplier in self.around.suppliers[:2]:
            supplier.mode = "away"
        self.assert_restored(left)

    def test_the_log_stays_bounded(self) -> None:
        """However long a file goes on changing, the log is not longer than a few snapshots."""
        for _ in range(4):
            self.busy_life(self.node, 5)
        database = self.node.storage.core.catalog.read
        self.assertLess(log_bytes(database, "master", self.node.me.device.id), 12_000)

    def test_killed_between_the_steps(self) -> None:
        """Killed with a snapshot that not enough suppliers hold, the node sees it through at its next start."""
        left = self.busy_life(self.node, 3)
        for supplier in self.around.suppliers:
            supplier.mode = "away"
        core = self.node.storage.core
        now(core.catalog.change(core.compactor._machine("master")._port.write_now))
        device = self.node.me.device.id
        pending = pending_snapshot(core.catalog.read, "master", device)
        self.node.kill()
        for supplier in self.around.suppliers:
            supplier.mode = "fine"
        self.node = self.compact_early(Node(self.node.home, self.around, self.node.clock).start())
        self.addCleanup(stop_quietly, self.node)
        self.node.pass_time(60)
        self.assertIsNone(pending_snapshot(self.node.storage.core.catalog.read, "master", device))
        self.assertEqual(self.sequence(self.node), pending[0])
        self.node.kill()
        self.assert_restored(left)

    def test_nothing_is_forgotten_before_it_is_safe(self) -> None:
        """While too few suppliers hold the snapshot, the log before it stays, here and there."""
        self.node.storage.core.compactor.least_log = 10**9
        self.busy_life(self.node, 2)
        self.around.suppliers[0].mode = self.around.suppliers[1].mode = "away"
        core = self.node.storage.core
        before = self.log_at(2)
        now(core.catalog.change(core.compactor._machine("master")._port.write_now))
        core.log_replicas.new_entry()
        self.node.pass_time(100)
        self.assertIsNotNone(pending_snapshot(core.catalog.read, "master", self.node.me.device.id))
        self.assertEqual(self.sequence(self.node), 1)
        self.assertEqual(self.log_at(2)[: len(before)], before)

    def test_a_supplier_that_was_away_begins_anew(self) -> None:
        """A supplier that knows only old entries takes the snapshot in their place, and serves a recovery alone with
        another one."""
        self.around.suppliers[3].mode = "away"
        left = self.busy_life(self.node)
        first = self.sequence(self.node)
        self.assertGreater(first, 5)
        self.around.suppliers[3].mode = "fine"
        self.node.storage.core.suppliers_changed()
        self.node.upload(self.base / "changing", "once-more")
        left["once-more"] = left["changing"]
        self.node.pass_time(60)
        self.assertEqual({sequence >= first for _, sequence in self.log_at(3)}, {True})
        self.assertEqual(self.node.taken, 0)
        self.node.kill()
        for supplier in self.around.suppliers[:2]:
            supplier.mode = "away"
        self.assert_restored(left)


class OtherDevicesTests(CompactionCase):
    def second(self) -> Node:
        node = Node(self.base / "second", self.around, self.node.clock, before=self.node)
        self.addCleanup(stop_quietly, node)
        node.start()
        self.node.me.replace_document(node.me.document)
        return node

    def test_the_log_of_a_lost_machine_goes_too(self) -> None:
        """What the snapshot of a recovered node stands for is dropped of the lost machine's log as well."""
        left = self.busy_life(self.node, 3)
        lost = self.node.me.device.id
        self.node.kill()
        shutil.rmtree(self.node.home)
        fresh = self.compact_early(self.assert_restored(left))
        fresh.storage.core.compactor.least_log = 200
        left |= self.busy_life(fresh, 4)
        fresh.upload(self.base / "changing", "once-more")
        left["once-more"] = left["changing"]
        fresh.pass_time(100)
        for number in range(4):
            self.assertNotIn(lost, [device for device, _ in self.log_at(number)])
        self.node = fresh
        fresh.kill()
        del left["passing-2"]
        self.assert_restored(left, "third")

    def test_more_devices_than_a_head_can_name(self) -> None:
        """All that others have said is there for who comes back, once; a supplier that lost its disk gets it again."""
        self.patch(compaction, "MAX_COVERED", 1)
        self.patch(snapshot, "MAX_COVERED", 1)
        core, before = self.node.storage.core, self.node
        core.compactor.least_log = 10**9
        random_file(self.base / "file", 2000)
        self.node.upload(self.base / "file", "stored")
        for name in ("second", "third", "fourth"):
            other = Node(self.base / name, self.around, self.node.clock, before=before).start()
            other.pass_time(5)
            for number in range(2):
                other.create(f"{name}-{number}")
            other.pass_time(5)
            other.stop()
            before = other
        self.node.me.replace_document(before.me.document)
        core.log_replicas.pull_again()
        self.node.pass_time(5)
        for name in ("second", "third", "fourth"):
            self.node.delete(f"{name}-0")
        self.node.clock.advance(40 * 86_400)
        core.compactor.least_log = 200
        for number in range(8):
            self.node.create(f"mine-{number}")
            self.node.pass_time(200)
        names = [row["path"] for row in self.node.rows()]
        self.assertGreater(self.sequence(self.node), 1)
        self.assertEqual(len(begin_of(core.catalog.read, "master", self.node.me.device.id).covers or ()), 1)
        lost = self.around.suppliers[0]
        for table in ("log", "heads"):
            lost.shop.store._writer.execute(f"DELETE FROM {table}")
        core.log_replicas.pull_again()
        self.node.pass_time(30)
        self.assertTrue(core.log_replicas.is_held_by(lost.fingerprint))
        self.around.suppliers[1].mode = self.around.suppliers[2].mode = "away"
        again = Node(self.base / "fifth", self.around, self.node.clock, before=before).start()
        self.addCleanup(stop_quietly, again)
        again.pass_time(30)
        self.assertEqual([row["path"] for row in again.rows()], names)
        left = {f"{one}-1" for one in ("second", "third", "fourth")}
        self.assertEqual({*names}, left | {f"mine-{number}" for number in range(8)} | {"stored"})

    def test_deletions_are_told_for_a_month(self) -> None:
        """With another device about, a snapshot still tells of what was deleted in the last thirty days."""
        second = self.second()
        self.busy_life(self.node, 3)
        self.node.storage.core.compactor.least_log = 200
        self.node.pass_time(120)
        core = self.node.storage.core
        self.assertGreater(self.sequence(self.node), 1)
        names = [name for (name,) in core.catalog.read.execute("SELECT name FROM tombstones")]
        self.assertTrue(names)
        second.storage.sync()
        second.pass_time(30)
        self.assertEqual(second.outdated, 0 if second.storage.core.catalog.devices("master") == [] else second.outdated)

    def test_away_for_too_long(self) -> None:
        """A device that missed deletions which nobody tells any more says its own first, and then starts over."""
        left = self.busy_life(self.node, 2)
        second = self.second()
        for supplier in self.around.suppliers:
            supplier.mode = "away"
        second.create("mine")
        second.stop()
        for supplier in self.around.suppliers:
            supplier.mode = "fine"
        self.node.clock.advance(40 * 86_400)
        for path in left:
            self.node.delete(path)
        self.node.clock.advance(40 * 86_400)
        left = self.busy_life(self.node, 5)
        self.assertGreater(self.sequence(self.node), 1)
        again = Node(second.home, self.around, self.node.clock).start()
        self.addCleanup(stop_quietly, again)
        again.pass_time(60)
        self.assertEqual(again.outdated, 1)
        again.stop()
        again = Node(second.home, self.around, self.node.clock).start()
        self.addCleanup(stop_quietly, again)
        again.pass_time(60)
        self.assertEqual(again.outdated, 0)
        self.assertEqual([row["path"] for row in again.rows()], sorted({*left, "mine"}))
        for path, data in left.items():
            again.download(path, self.base / "back")
            self.assertEqual((self.base / "back" / path).read_bytes(), data)
        self.node.storage.sync()
        self.node.pass_time(30)
        self.assertEqual(living(self.node.storage.core.catalog), living(again.storage.core.catalog))


class HostileTests(CompactionCase):
    def test_a_beginning_that_is_no_snapshot(self) -> None:
        """A log that is served from its middle, without a snapshot there, is refused, and the loss is told."""
        self.node.storage.core.compactor.least_log = 10**9
        self.busy_life(self.node, 2)
        self.node.kill()
        for supplier in self.around.suppliers:
            supplier.shop.store._writer.execute("DELETE FROM log WHERE sequence<4")
        fresh = Node(self.base / "fresh", self.around, before=self.node)
        self.addCleanup(stop_quietly, fresh)
        fresh.start()
        self.assertFalse(fresh.storage.core.log_replicas.recovered)
        self.assertIn("missing", fresh.storage.core.log_replicas.reason)

    def test_heads_that_contradict_themselves(self) -> None:
        """A log cannot begin behind its end."""
        head = Head(OWNER, bytes(8), 4, bytes(32), START, 5)
        self.assertRaises(WireError, Head.from_body, head.to_body())
        self.assertEqual(Head.from_body(Head(OWNER, bytes(8), 5, bytes(32), START, 5).to_body()).first, 5)
