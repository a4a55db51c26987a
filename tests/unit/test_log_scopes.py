"""A log for each key: whoever is given one key's secrets reads that key's items and learns nothing of the others."""

from pathlib import Path

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.keyring import MASTER, RingKey
from bitdust.crypt.scope import scope_of
from bitdust.formats.log_entry import Content, Entry, LogName, check_chain, seal
from bitdust.formats.operations import earlier_op, item_op, tombstone_op, version_ops
from bitdust.storage.catalog.catalog import Catalog, insert_entry, lamport, revision_of
from bitdust.storage.log.access import SharedLogs
from bitdust.storage.log.recovery import LogRecovery
from bitdust.storage.log.routing import Router
from bitdust.storage.log.seen import read_head
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import new_version
from tests.unit.storage_kit import Node, network, random_file, stop_quietly
from tests.unit.supplier_kit import START, log_of, now
from tests.unit.test_catalog import OWNER, SECRET, open_catalog, rows

SHARE = "wedding"
SCOPES = {MASTER: None, SHARE: b"w" * 16}


class ScopeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.node.me.key_ring.add(RingKey(SHARE, "photos for all guests"))
        self.key_id = f"{SHARE}${self.node.me.document.global_id}"
        for remote in ("secret plans", f"{self.key_id}:cake"):
            self.node.upload(self.local(remote), remote)
        self.node.pass_time(1)

    def local(self, remote: str) -> Path:
        path = self.base / remote.rpartition(":")[2]
        random_file(path, 300_000)
        return path

    def store(self, number: int = 0):
        return self.around.suppliers[number].shop.store

    def log_of(self, key: str, number: int = 0) -> list[bytes]:
        """Entries of a key that one supplier holds."""
        owner, device = self.node.me.fingerprint, self.node.me.device.id
        return log_of(self.store(number), owner, device, 1, self.scope(key) or b"")

    def scope(self, key: str) -> bytes | None:
        return self.node.storage.core.log_writer.logs.scopes(key)[0]

    def shared(self) -> SharedLogs:
        """What a guest is given."""
        me = self.node.me
        scopes = {SHARE: [self.scope(SHARE)]}
        return SharedLogs(me.document, me.fingerprint, scopes, {SHARE: dict(me.key_ring.get(SHARE).secrets)})

    def test_each_key_has_its_log(self) -> None:
        """Operations about a share's items are in the share's log alone, at every supplier."""
        secrets = {key: self.node.me.key_ring.secrets(key, 1) for key in (MASTER, SHARE)}
        for number in range(4):
            for key, name, other in ((MASTER, b"secret plans", b"cake"), (SHARE, b"cake", b"secret plans")):
                said = [op for data in self.log_of(key, number) for op in Entry.parse(data).open(secrets[key]).ops]
                names = [op["name"] for op in said if op["op"] == "item"]
                self.assertEqual(names, [name])
                self.assertNotIn(other, repr(said).encode())
                self.assertEqual({op["key"] for op in said if "key" in op}, {key})
                self.assertIn("version", [op["op"] for op in said])

    def test_a_guest_cannot_open_the_others(self) -> None:
        """The secret of a share opens no entry of another key, not even one that is passed off as the share's."""
        secret = self.node.me.key_ring.secrets(SHARE, 1)
        owner, device = self.node.me.fingerprint, self.node.me.device.id
        for data in self.log_of(MASTER):
            self.assertNotIn(b"secret plans", data)
            self.assertRaises(WireError, Entry.parse(data).open, secret)
            with self.assertRaises(WireError):
                check_chain([data], LogName(owner, self.scope(SHARE), device), None)
        for data in self.log_of(SHARE):
            self.assertRaises(WireError, Entry.parse(data).open, self.node.me.key_ring.secrets(MASTER, 1))

    def test_a_guest_reads_the_share(self) -> None:
        """From suppliers' answers and the share's secret alone comes a catalog with the share's items and no others."""
        catalog, logs = open_catalog(self), self.shared()
        owner = self.node.me.fingerprint
        heads = [read_head(data, logs, b"s" * 32) for data in self.store().heads(owner, self.scope(SHARE))]
        self.assertEqual([(seen.proven, seen.head.scope) for seen in heads], [(True, self.scope(SHARE))])

        def fetch(supplier: bytes, log: LogName, first: int):
            return maybeDeferred(log_of, self.store(), log.owner, log.device, first, log.scope or b"")

        merged = now(Deferred.fromCoroutine(LogRecovery(catalog, logs, SHARE, fetch).recover(heads)))
        self.assertEqual(merged.missing, [])
        self.assertEqual([row[2] for row in rows(catalog)["items"]], [b"cake"])
        self.assertEqual(len(rows(catalog)["versions"]), 1)
        self.assertEqual(catalog.known_keys(), [SHARE])
        self.assertRaises(BitDustError, logs.secrets, MASTER, 1)

    def test_tags_say_nothing(self) -> None:
        """The master key has no tag; that of another key is made with a secret, and stays whatever secrets come."""
        self.assertIsNone(self.scope(MASTER))
        ring = self.node.me.key_ring
        before = self.scope(SHARE)
        self.assertEqual(before, scope_of(ring.get(MASTER).first, SHARE))
        ring.keys[SHARE].secrets[2] = (b"2" * 32,)
        ring.keys[MASTER].secrets[0] = (b"3" * 32,)
        self.assertEqual(self.scope(SHARE), before)
        self.assertRaises(BitDustError, self.shared().scopes, "other")

    def test_all_come_back(self) -> None:
        """A node with the master key alone has the files of every key again, and each log goes on where it was."""
        ends = {key: len(self.log_of(key)) for key in (MASTER, SHARE)}
        self.node.kill()
        again = Node(self.base / "again", self.around, before=self.node).start()
        self.addCleanup(stop_quietly, again)
        self.assertEqual(sorted(row["path"] for row in again.rows()), ["cake", "secret plans"])
        again.upload(self.local("more"), f"{self.key_id}:more")
        again.pass_time(1)
        catalog = again.storage.core.catalog
        self.assertEqual(len(catalog.devices(SHARE)), 2)
        self.assertEqual({key: len(self.log_of(key)) for key in ends}, ends)

    def test_a_share_is_safe_by_its_own_log(self) -> None:
        """A version under a share is called reliable by the holders of the share's entry."""
        query = "SELECT device, sequence FROM versions WHERE key=?"
        device, sequence = self.node.storage.core.catalog.read.execute(query, (SHARE,)).fetchone()
        replicas = self.node.storage.core.log_replicas
        self.assertEqual(replicas.holders(SHARE, bytes(device), sequence), 4)
        self.assertEqual(replicas.holders(SHARE, bytes(device), sequence + 1), 0)
        self.assertEqual(replicas.holders("nobody's", bytes(device), 1), 0)
        row = self.node.info(f"{self.key_id}:cake")
        self.assertEqual(row["versions"][0]["reliable"], "100%")

    def test_deleting_one_of_each(self) -> None:
        """What is deleted under a share is told in the share's log, and its pieces go from the suppliers."""
        self.node.delete(f"{self.key_id}:cake")
        self.node.pass_time(60)
        self.assertEqual([row["path"] for row in self.node.rows()], ["secret plans"])
        said = [op for data in self.log_of(SHARE) for op in
                Entry.parse(data).open(self.node.me.key_ring.secrets(SHARE, 1)).ops]  # fmt: skip
        self.assertIn("tombstone", [op["op"] for op in said])
        self.assertEqual([supplier.pieces() for supplier in self.around.suppliers], [1, 1, 1, 1])


class ForeignWordsTests(SynchronousTestCase):
    """What one key's log says of another key's items counts for nothing."""

    def say(self, catalog: Catalog, key: str, sequence: int, ops: list, lamport: int | None = None) -> None:
        content = Content(lamport or sequence, START * 1000, ops)
        entry = seal(Entry(OWNER, b"d" * 8, sequence, bytes(32), 1, b"", SCOPES[key]), SECRET, content)
        now(catalog.change(lambda database: insert_entry(database, key, entry, content)))

    def attack(self) -> list:
        version = new_version(START + 9, 0)
        return [
            item_op("1", "", b"moved in", "file", MASTER, 0),
            *version_ops("0", version, 99, 0o777, 0, []),
            {"op": "label", "path": "0", "label": "mine now"},
            {"op": "gone", "path": "0", "version": version},
            tombstone_op(["0", f"0/{new_version(START, 0)}"], [], 5),
        ]

    def own(self) -> list:
        return [
            item_op("0", "", b"diary", "file", MASTER, 0),
            *version_ops("0", new_version(START, 0), 5, 0o600, 0, []),
        ]

    def test_a_writer_of_a_share_changes_nothing_else(self) -> None:
        """Versions, labels, deletions and items that a share's log claims elsewhere count for nothing, in any order."""
        untouched = open_catalog(self)
        self.say(untouched, MASTER, 1, self.own())
        for first, second in ((MASTER, SHARE), (SHARE, MASTER)):
            catalog = open_catalog(self)
            for key in (first, second):
                self.say(catalog, key, 1, self.own() if key == MASTER else self.attack(), 1 if key == MASTER else 50)
            self.assertEqual(rows(catalog), rows(untouched), first)

    def test_each_key_counts_by_itself(self) -> None:
        """The order of one key's entries says nothing of how much was written under another."""
        catalog = open_catalog(self)
        self.say(catalog, MASTER, 1, self.own(), 700)
        self.say(catalog, SHARE, 1, [item_op("1", "", b"cake", "file", SHARE, 0)])
        self.assertEqual((lamport(catalog.read, MASTER), lamport(catalog.read, SHARE)), (700, 1))
        self.assertEqual(revision_of(catalog.read), 701)


class RouterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.catalog = open_catalog(self)
        database = self.catalog._writer
        for path, key in (("0", MASTER), ("1", SHARE)):
            database.execute(
                "INSERT INTO items(path, parent, name, type, key, lamport, device, time)"
                " VALUES(?, '', ?, 'file', ?, 1, x'', 0)",
                (path, path.encode(), key),
            )
        self.router = Router(database)

    def test_items_that_are_made_in_the_same_write(self) -> None:
        """A version of an item that is only about to be made goes where the item goes."""
        version = version_ops("5", new_version(START, 0), 1, 0, 0, [])
        self.router.add([item_op("5", "", b"new", "file", SHARE, 0), *version])
        self.assertEqual(list(self.router.found), [SHARE])

    def test_a_deletion_of_several_keys_is_divided(self) -> None:
        """Names under two keys become two tombstones; what is not known belongs to the master key."""
        version = f"1/{new_version(START, 0)}"
        self.router.add([tombstone_op(["0", "1", version, "77"], [b"p" * 16], 5)])
        self.assertEqual(
            self.router.found,
            {MASTER: [tombstone_op(["0", "77"], [b"p" * 16], 5)], SHARE: [tombstone_op(["1", version], [], 5)]},
        )

    def test_what_was_said_before_is_divided_too(self) -> None:
        """Operations that are said again keep their place of the order, each in its key's log."""
        label = {"op": "label", "path": "0", "label": "x"}
        item = item_op("1", "", b"1", "file", SHARE, 0)
        self.router.add([earlier_op(3, b"d" * 8, 0, [label, item])])
        self.assertEqual(
            self.router.found,
            {MASTER: [earlier_op(3, b"d" * 8, 0, [label])], SHARE: [earlier_op(3, b"d" * 8, 0, [item])]},
        )
