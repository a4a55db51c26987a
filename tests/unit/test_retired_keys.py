"""All secrets of a key are retired, as where the ring of a revoked device alone had it: what is stored under it can be
deleted and moved all the same, and nothing of other keys waits for it."""

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.keyring import MASTER, KeyRing, RingKey
from bitdust.formats.log_entry import Entry
from bitdust.formats.operations import item_op, tombstone_op
from bitdust.wire.errors import BitDustError
from tests.unit.storage_kit import network, random_file

SHARE = "wedding"


class RetiredKeyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.ring = self.node.me.key_ring
        self.ring.add(RingKey(SHARE, "photos"))
        self.cake = f"{SHARE}${self.node.me.document.global_id}:cake"
        for remote in ("plans", self.cake):
            random_file(self.base / "local", 30_000)
            self.node.upload(self.base / "local", remote)
        self.node.pass_time(5)
        self.ring.keys[SHARE] = self.ring.get(SHARE).all_retired()

    @property
    def core(self):
        return self.node.storage.core

    def items(self) -> dict[str, str]:
        """Names of what is there, and as what it is known."""
        living = "SELECT CAST(name AS TEXT), path FROM items WHERE (lamport, device)>(dead_lamport, dead_device)"
        return dict(self.core.catalog.read.execute(living).fetchall())

    def usable(self, ring: KeyRing) -> list[tuple[int, bytes]]:
        return ring.keys[SHARE].usable

    def test_a_deletion(self) -> None:
        """It is written under a new secret, which is saved and brought to all suppliers with the log."""
        self.node.delete(self.cake)
        self.node.pass_time(5)
        self.assertEqual([*self.items()], ["plans"])
        self.assertEqual(len(self.usable(self.ring)), 1)
        self.assertEqual(len(self.ring.keys[SHARE].secrets), 2)
        self.assertTrue(self.core.key_ring_replicas.is_safe() and self.core.log_replicas.is_safe())

    def test_one_write_for_several_keys(self) -> None:
        """What is cleaned away of all keys at once goes, and nothing is made where nothing is written."""
        items = self.items()
        self.node.wait(self.core.log_writer.write([tombstone_op([items["plans"]], [], 1)]))
        self.assertEqual(self.usable(self.ring), [])
        random_file(self.base / "local", 30_000)
        self.node.upload(self.base / "local", "more")
        both = [items["cake"], self.items()["more"]]
        self.node.wait(self.core.log_writer.write(lambda database: [tombstone_op(both, [], 2)]))
        self.assertEqual(self.items(), {})

    def test_an_erased_key(self) -> None:
        """What is stored under it can still be deleted, and it stays erased."""
        self.ring.erase(SHARE)
        self.node.wait(self.core.log_writer.write([tombstone_op([self.items()["cake"]], [], 1)]))
        self.assertEqual(([*self.items()], SHARE in self.ring), (["plans"], False))
        with self.assertRaises(BitDustError):
            self.core.storage_key(SHARE)

    def test_a_ring_without_room(self) -> None:
        """Where no secret can be made that write alone is refused: those beside it, and behind it, are written."""
        writer, held = self.core.log_writer, list[tuple]()

        def refuse(key: str) -> None:
            raise BitDustError("too-many-keys", "there is no room for another storage secret")

        writer.make_secret = refuse
        change = writer.catalog.change
        writer.catalog.change = lambda call: held.append((call, Deferred())) or held[-1][1]
        first = writer.write([item_op("8", "", b"first", "file", MASTER, 0)])
        bad = writer.write([tombstone_op([self.items()["cake"]], [], 1)])
        good = writer.write([item_op("9", "", b"good", "file", MASTER, 0)])
        writer.catalog.change = change
        call, done = held[0]
        change(call).chainDeferred(done)
        self.node.pass_time(1)
        self.assertEqual(self.failureResultOf(bad, BitDustError).value.code, "too-many-keys")
        self.assertGreater(self.successResultOf(good), self.successResultOf(first))
        self.assertEqual({*self.items()}, {"plans", "cake", "first", "good"})

    def together(self, *writes: Any) -> "list[Deferred[int]]":
        """Write what comes into one transaction, behind another one."""
        writer, held = self.core.log_writer, list[tuple]()
        change = writer.catalog.change
        writer.catalog.change = lambda call: held.append((call, Deferred())) or held[-1][1]
        writer.write([item_op("8", "", b"first", "file", MASTER, 0)])
        written = [writer.write(one) for one in writes]
        writer.catalog.change = change
        call, done = held[0]
        change(call).chainDeferred(done)
        self.node.pass_time(1)
        return written

    def test_what_follows_in_one_batch(self) -> None:
        """Nothing overtakes a write for which a secret is to be made first."""
        made, gone = item_op("9", "", b"good", "file", SHARE, 0), tombstone_op(["9"], [], 1)
        written = self.together([made], [gone], [item_op("10", "", b"last", "file", MASTER, 0)])
        marks = list(map(self.successResultOf, written))
        self.assertEqual(marks, sorted(marks))
        self.assertEqual({*self.items()}, {"plans", "cake", "first", "last"})
        device = self.node.me.device.id
        entries = self.core.catalog.entries(SHARE, device, 1, 100)
        secrets = self.core.log_writer.logs.secrets
        said = [op for one in map(Entry.parse, entries) for op in one.open(secrets(SHARE, one.epoch)).ops]
        self.assertEqual([op["op"] for op in said[-2:]], ["item", "tombstone"])

    def test_a_disk_that_fills_amid_a_batch(self) -> None:
        """What was written before the disk took no more has its mark: it is written."""
        writer = self.core.log_writer

        def fill(key: str) -> None:
            self.ring.ensure_secret(key, bytes, self.node.me.device_number)
            self.patch(writer.catalog, "change", lambda call: fail(OSError("full")))

        writer.make_secret = fill
        good, bad = self.together(
            [item_op("9", "", b"good", "file", MASTER, 0)], [tombstone_op([self.items()["cake"]], [], 1)]
        )
        self.assertGreater(self.successResultOf(good), 0)
        self.failureResultOf(bad, OSError)
        self.assertEqual({*self.items()}, {"plans", "cake", "first", "good"})

    def test_mistakes(self) -> None:
        """Whatever goes wrong with a secret, or with what is to be written, fails that write and no other."""
        self.core.log_writer.make_secret = {}.__getitem__

        def mistaken(database: Any) -> Any:
            raise ZeroDivisionError

        bad, worse, good = self.together(
            [tombstone_op([self.items()["cake"]], [], 1)], mistaken, [item_op("9", "", b"good", "file", MASTER, 0)]
        )
        self.failureResultOf(bad, KeyError)
        self.failureResultOf(worse, ZeroDivisionError)
        self.assertGreater(self.successResultOf(good), 0)
        self.assertEqual({*self.items()}, {"plans", "cake", "first", "good"})

    def test_a_pack_that_was_not_logged(self) -> None:
        """It waits for its turn without keeping anybody from writing."""
        change = self.core.catalog.change
        self.node.wait(change(lambda database: database.execute("UPDATE packs SET logged=0 WHERE key=?", (SHARE,))))
        self.node.create("folder", folder=True)
        logged = "SELECT logged FROM packs WHERE key=?"
        self.assertEqual(self.core.catalog.read.execute(logged, (SHARE,)).fetchall(), [(0,)])
        self.node.delete(self.cake)
        self.assertEqual({*self.items()}, {"plans", "folder"})

    def test_a_log_that_is_to_be_shorter(self) -> None:
        """A snapshot is written under a new secret too."""
        self.node.pass_time(70)
        self.core.compactor.least_log = 1
        self.core.compactor.check()
        self.node.pass_time(60)
        self.assertEqual(len(self.usable(self.ring)), 1)
