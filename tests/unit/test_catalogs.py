"""Many catalogs in one storage: a path of another owner leads to that owner's catalog where it is open, and is read."""

from types import SimpleNamespace

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.keyring import RingKey
from bitdust.storage.catalogs import Shared, SharedCatalog
from bitdust.storage.log.access import SharedLogs
from bitdust.storage.log.requests import LogRequests
from bitdust.wire.encoding import encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from tests.unit.storage_kit import Node, Reply, network, random_file

SHARE = "wedding"
ALICE = "alice@id.example"
BOB = "bob@id.example"
SHOWN = b"a capability"


class Guest:
    """The way from Bob to the suppliers of Alice: they give what belongs to one scope, to who shows a capability."""

    def __init__(self, alice: Node, scope: bytes | None) -> None:
        self.alice = alice
        self.scope = scope
        self.away = False

    @property
    def outbox(self) -> "Guest":
        return self

    def send(self, to, command, fields, payload=None, *, deadline, max_answer, owner, capability):
        assert (command, owner, capability) == (Command.RETRIEVE, self.alice.me.fingerprint, SHOWN)
        if self.away:
            return fail(BitDustError("no-answer", "nobody is there"))
        store = next(one for one in self.alice.around.suppliers if one.fingerprint == to).shop.store
        if fields["kind"] == "heads":
            return succeed(Reply({}, encode(store.heads(owner, self.scope))))
        if fields.get("scope") != self.scope:
            return fail(BitDustError("not-allowed", "another scope"))
        found = store.entries(owner, fields["device"], fields["first"], fields["most"], self.scope)
        return succeed(Reply({}, found.read(0, found.size)))


class ManyCatalogsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, around, self.alice = network(self)
        self.alice.me.key_ring.add(RingKey(SHARE, "photos for all guests"))
        for remote in ("secret plans", f"{SHARE}${ALICE}:cake"):
            self.store(remote)
        self.alice.pass_time(1)
        self.suppliers = [one.fingerprint for one in around.suppliers]
        _, _, self.bob = network(self)
        self.bob.storage._ports.my_names = lambda: [BOB]
        self.bob.create("diary")

    def store(self, remote: str) -> None:
        path = self.base / remote.rpartition(":")[2]
        random_file(path, 3000)
        self.alice.upload(path, remote)

    def shared(self) -> SharedCatalog:
        me, logs = self.alice.me, self.alice.storage.core.log_writer.logs
        (scope,) = logs.scopes(SHARE)
        given = {SHARE: dict(me.key_ring.get(SHARE).secrets)}
        access = SharedLogs(me.document, me.fingerprint, {SHARE: [scope]}, given)
        self.guest = Guest(self.alice, scope)
        shared = Shared(ALICE, "http://id.example/alice.xml", access, LogRequests(access, self.guest, SHOWN))
        return SharedCatalog(self.bob.world, self.bob.home, shared)

    def open(self) -> SharedCatalog:
        shared = self.shared()
        self.now(self.bob.storage.catalogs.add(shared))
        self.now(shared.pull(self.suppliers))
        return shared

    def now(self, coroutine):
        return self.bob.wait(Deferred.fromCoroutine(coroutine))

    def code(self, call, *arguments) -> str:
        with self.assertRaises(BitDustError) as caught:
            result = call(*arguments)
            if hasattr(result, "send"):
                self.now(result)
        return caught.exception.code

    def test_nothing_is_open(self) -> None:
        """A path of an owner whose catalog is not open is refused as ever."""
        with self.assertRaises(BitDustError) as caught:
            self.bob.info(f"{SHARE}${ALICE}:cake")
        self.assertEqual(caught.exception.code, "not-found")
        self.assertIn(f"{ALICE} is somebody else", str(caught.exception))

    def test_lists_and_rows(self) -> None:
        """The shared catalog is listed and described under its owner's name; mine is as it was."""
        self.open()
        self.assertEqual(self.bob.storage.catalogs.owners(), [ALICE])
        everything = self.bob.rows(f"{SHARE}${ALICE}:")
        self.assertEqual([row["remote_path"] for row in everything], [f"{SHARE}${ALICE}:cake"])
        by_key = self.now(self.bob.storage.list(None, f"{SHARE}${ALICE}", True, True, True))
        self.assertEqual([(row["path"], row["customer"], row["uploads"]) for row in by_key],
                         [("cake", ALICE, {"running": [], "pending": []})])  # fmt: skip
        row = self.bob.info(f"{SHARE}${ALICE}:cake")
        self.assertEqual((row["size"], row["global_id"], len(row["versions"])), (3000, ALICE, 1))
        self.assertEqual(self.bob.storage.exists(f"{SHARE}${ALICE}:cake"), row["path_id"])
        self.assertIsNone(self.bob.storage.exists(f"{SHARE}${ALICE}:bread"))
        self.assertEqual([row["path"] for row in self.bob.rows()], ["diary"])
        target = self.bob.storage.find(f"{SHARE}${ALICE}:cake")
        self.assertEqual((target.owner, self.bob.storage.versions(target)), (ALICE, [row["latest"]]))
        by_id = self.bob.storage.find_id(f"{SHARE}${ALICE}:{row['path_id']}")
        self.assertEqual(by_id.item, target.item)

    def test_other_keys_stay_hidden(self) -> None:
        """Of the owner's other keys there is nothing, neither to list nor to find."""
        self.open()
        self.assertEqual(self.code(self.bob.info, f"master${ALICE}:secret plans"), "not-found")
        self.assertEqual(self.bob.rows(f"master${ALICE}:"), [])

    def test_it_is_only_read(self) -> None:
        """Whatever would change something there is refused, and changes nothing here."""
        self.open()
        storage, path = self.bob.storage, f"{SHARE}${ALICE}:cake"
        local = str(self.base / "cake")
        self.assertEqual(self.code(storage.create, f"{SHARE}${ALICE}:more", False, True, None), "not-allowed")
        self.assertEqual(self.code(storage.delete, path), "not-allowed")
        self.assertEqual(self.code(storage.upload, local, path), "not-allowed")
        self.assertEqual(self.code(storage.stop_upload, path), "not-allowed")
        self.assertEqual(self.code(storage.download, path, str(self.base / "back"), "replace"), "not-allowed")
        self.assertEqual([row["path"] for row in self.bob.rows()], ["diary"])
        self.assertEqual(storage.core.catalog.known_keys(), ["master"])

    def test_it_grows(self) -> None:
        """What the owner adds comes with the next pull; suppliers that are away take nothing from what is known."""
        shared = self.open()
        self.store(f"{SHARE}${ALICE}:dance")
        self.alice.pass_time(1)
        self.guest.away = True
        self.now(shared.pull(self.suppliers))
        self.assertEqual(len(self.bob.rows(f"{SHARE}${ALICE}:")), 1)
        self.guest.away = False
        (merged,) = self.now(shared.pull(self.suppliers))
        self.assertEqual((merged.missing, merged.entries > 0), ([], True))
        self.assertEqual([row["path"] for row in self.bob.rows(f"{SHARE}${ALICE}:")], ["cake", "dance"])

    def test_open_and_closed(self) -> None:
        """It is opened once; closed, its paths are refused again, and its file is read at the next opening."""
        self.open()
        target = self.bob.storage.find(f"{SHARE}${ALICE}:cake")
        self.assertEqual(self.code(self.bob.storage.catalogs.add, self.shared()), "exists")
        self.now(self.bob.storage.catalogs.remove(ALICE))
        self.now(self.bob.storage.catalogs.remove(ALICE))
        self.assertEqual(self.code(self.bob.info, f"{SHARE}${ALICE}:cake"), "not-found")
        self.assertEqual(self.code(self.bob.storage.versions, target), "not-found")
        self.now(self.bob.storage.catalogs.add(self.shared()))
        self.assertEqual([row["path"] for row in self.bob.rows(f"{SHARE}${ALICE}:")], ["cake"])

    def test_a_file_that_is_no_catalog(self) -> None:
        """A damaged one is refused and is not open afterwards."""
        folder = self.bob.home / "catalogs"
        folder.mkdir()
        (folder / f"{self.alice.me.fingerprint.hex()}.db").write_bytes(b"no database at all " * 100)
        self.assertEqual(self.code(self.bob.storage.catalogs.add, self.shared()), "damaged-catalog")
        self.assertEqual(self.bob.storage.catalogs.owners(), [])

    def test_the_end_of_the_storage_closes_all(self) -> None:
        """No file stays open behind a storage that was closed."""
        shared = self.open()
        self.bob.stop()
        self.assertFalse(shared.catalog.is_open)
        self.assertEqual(self.bob.storage.catalogs.owners(), [])


class OwnerTests(SynchronousTestCase):
    def test_rows_of_a_share_say_what_is_known(self) -> None:
        """How many suppliers hold an entry is known to its owner alone."""
        access = SimpleNamespace(owner=b"o" * 32)
        shared = Shared(ALICE, "http://id.example/alice.xml", access, None)
        self.assertEqual((shared.owner().holders(SHARE, b"d", 1), list(shared.names())), (0, [ALICE]))
