"""Many catalogs in one storage: a path of another owner leads to that owner's catalog where it is open, and is read."""

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.keyring import RingKey
from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.log.access import SharedLogs
from bitdust.storage.log.held_up import HeldUp
from bitdust.storage.log.missing import Missing
from bitdust.storage.log.recovery import LogRecovery, Merged
from bitdust.storage.log.seen import Heard
from bitdust.storage.shared import catalog
from bitdust.storage.shared.catalog import Shared, SharedCatalog
from bitdust.storage.shared.guest import GuestOutbox, GuestPorts
from bitdust.storage.shared.pen import GuestLogs
from bitdust.storage.upload.jobs import Uploads
from bitdust.wire.capability import Capability, Right, ShownCapability
from bitdust.wire.encoding import decode, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from tests.unit.storage_kit import Node, Reply, network, random_file
from tests.unit.supplier_kit import DAY, START, Person

SHARE = "wedding"
ALICE = "alice@id.example"
BOB = "bob@id.example"
GUEST = Person("bob")


class Guest:
    """The way from Bob to the suppliers of Alice, who judge by the capability that he shows."""

    def __init__(self, alice: Node) -> None:
        self.alice = alice
        self.away = False
        self.gate = succeed(None)

    def connected(self, fingerprint: bytes) -> bool:
        return not self.away

    def send(self, to, command, fields, payload=None, *, owner, capability, **terms):
        if self.away:
            return fail(BitDustError("no-answer", "nobody is there"))
        shop = next(one for one in self.alice.around.suppliers if one.fingerprint == to).shop
        rest = {name: value for name, value in fields.items() if name != "kind"}
        said = shop.ask(GUEST, command, fields.get("kind", ""), owner=owner, capability=capability, **rest)
        if said.command is Command.FAIL:
            return fail(BitDustError(said.fields["code"], said.fields["text"]))
        reply = Reply(said.fields, said.bytes if said.payload is not None else b"")
        answered: Deferred = Deferred()
        self.gate.addCallback(lambda _: answered.callback(reply))
        return answered


class CatalogsCase(SynchronousTestCase):
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

    def shared(self, *rights: Right) -> SharedCatalog:
        me, logs = self.alice.me, self.alice.storage.core.log_writer.logs
        (scope,) = logs.scopes(SHARE)
        given = {SHARE: dict(me.key_ring.get(SHARE).secrets)}
        access = SharedLogs(me.document, me.fingerprint, {SHARE: [scope]}, given)
        self.guest = Guest(self.alice)
        nobody = SimpleNamespace(get=lambda who: None)
        around = SimpleNamespace(outbox=self.guest, sessions=self.guest, identities=nobody)
        grant = Capability(b"c" * 16, me.fingerprint, GUEST.fingerprint, rights or (Right.READ,), 0, START + DAY, scope)
        shown = ShownCapability.of(me.sign(Capability.KIND, grant.to_body())).to_bytes()
        family = self.alice.family()
        ports = GuestPorts(around, me.fingerprint, lambda: family, lambda: [shown])
        return SharedCatalog(self.bob.connected, Shared(SHARE, me.fingerprint, lambda: [ALICE], lambda: access, ports))

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


class StartedOverTests(CatalogsCase):
    def outdated(self, meanwhile: Any) -> SharedCatalog:
        """Suppliers say that all is to be read again, and something happens while they are asked."""
        shared, asked = self.open(), Deferred()

        async def is_outdated(recovery: Any, heads: Any, reader: Any) -> bool:
            await asked
            return True

        self.patch(LogRecovery, "is_outdated", is_outdated)
        self.patch(catalog, "note_outdated", meanwhile(shared))
        pulling = Deferred.fromCoroutine(shared.pull(self.suppliers))
        self.bob.pass_time(1)
        self.before_the_answer(shared)
        asked.callback(None)
        self.bob.wait(pulling)
        return shared

    def before_the_answer(self, shared: SharedCatalog) -> None:
        pass

    def test_something_was_stored_meanwhile(self) -> None:
        """What a guest has stored since suppliers were asked is not on them yet, so nothing starts over now."""
        noted = []
        self.before_the_answer = lambda shared: self.patch(type(shared.writing), "is_quiet", False)
        self.outdated(lambda shared: noted.append)
        self.assertEqual(noted, [])

    def test_nothing_is_stored_while_it_starts_over(self) -> None:
        """A catalog that is about to be read again takes nothing: it would be forgotten."""
        refused = []

        def meanwhile(shared: SharedCatalog) -> Any:
            return lambda database: refused.append(self.refused(shared.writing.check))

        shared = self.outdated(meanwhile)
        self.assertEqual(refused, ["keys-not-ready"])
        self.assertNotEqual(self.refused(shared.writing.check), "keys-not-ready")

    def hold(self, target: Any, name: str) -> "Deferred[None]":
        """This is done when the test says so."""
        real, gate = getattr(target, name), Deferred()

        async def held(*given: Any) -> None:
            await gate
            setattr(target, name, real)
            await real(*given)

        setattr(target, name, lambda *given: Deferred.fromCoroutine(held(*given)))
        return gate

    def works(self, shared: SharedCatalog) -> None:
        """It is read, and takes what the owner lets this node bring."""
        self.now(shared.pull(self.suppliers))
        self.assertEqual([row["path"] for row in self.bob.rows(f"{SHARE}${ALICE}:")], ["cake"])
        self.assertNotEqual(self.refused(shared.writing.check), "keys-not-ready")

    def begin_over(self, shared: SharedCatalog) -> "Deferred[Any]":
        async def is_outdated(recovery: Any, heads: Any, reader: Any) -> bool:
            LogRecovery.is_outdated = real
            return True

        real = LogRecovery.is_outdated
        self.patch(LogRecovery, "is_outdated", is_outdated)
        pulling = Deferred.fromCoroutine(shared.pull(self.suppliers))
        self.bob.pass_time(1)
        return pulling

    def test_nobody_waits_until_it_has_started_over(self) -> None:
        """A reading that is given up, since it has lasted for a minute, leaves no catalog that is closed."""
        for name in ("close", "open"):
            shared = self.open()
            gate = self.hold(shared.catalog, name)
            pulling = self.begin_over(shared)
            pulling.cancel()
            gate.callback(None)
            self.bob.pass_time(1)
            self.failureResultOf(pulling, CancelledError)
            self.assertTrue(shared.catalog.is_open)
            self.works(shared)
            self.now(self.bob.storage.catalogs.remove(*shared.place))

    def test_what_suppliers_hold(self) -> None:
        """It is written down at each reading, also after all was forgotten."""
        shared = self.open()
        query = "SELECT supplier, device, sequence FROM log_acks ORDER BY supplier"
        before = shared.catalog.read.execute(query).fetchall()
        self.assertEqual(len(before), 4)
        self.bob.wait(self.begin_over(shared))
        self.assertEqual(shared.catalog.read.execute(query).fetchall(), before)

    def test_it_cannot_be_opened_again(self) -> None:
        """A disk that fails when all is to be read again is asked again at the next reading."""
        for name in ("open", "change"):
            shared = self.open()
            real = getattr(shared.catalog, name)
            setattr(shared.catalog, name, lambda *given: fail(BitDustError("disk-full", "the disk is full")))
            pulling = self.begin_over(shared)
            setattr(shared.catalog, name, real)
            self.assertEqual(self.failureResultOf(pulling).value.code, "disk-full")
            self.works(shared)
            self.now(self.bob.storage.catalogs.remove(*shared.place))

    def test_it_is_closed_while_it_starts_over(self) -> None:
        """Then its file is closed in the end."""
        shared = self.open()
        gate = self.hold(shared.catalog, "open")
        pulling = self.begin_over(shared)
        pulling.addErrback(lambda _: None)
        removing = Deferred.fromCoroutine(self.bob.storage.catalogs.remove(*shared.place))
        pulling.cancel()
        gate.callback(None)
        self.bob.wait(removing)
        self.bob.pass_time(1)
        self.assertFalse(shared.catalog.is_open)
        self.assertEqual(self.code(shared.pull, self.suppliers), "catalog-closed")
        self.works(self.open())

    def test_it_is_closed_when_it_could_not_be_opened(self) -> None:
        """A reading that comes while it is closed does not open its file any more."""
        shared = self.open()
        real = shared.catalog.open
        shared.catalog.open = lambda: fail(BitDustError("disk-full", "the disk is full"))
        self.failureResultOf(self.begin_over(shared))
        shared.catalog.open = real
        gate = self.hold(shared.writing, "close")
        removing = Deferred.fromCoroutine(self.bob.storage.catalogs.remove(*shared.place))
        reading = Deferred.fromCoroutine(shared.pull(self.suppliers))
        gate.callback(None)
        self.bob.wait(removing)
        self.bob.pass_time(1)
        self.assertEqual(self.failureResultOf(reading).value.code, "catalog-closed")
        self.assertFalse(shared.catalog.is_open)

    def refused(self, call: Any) -> str:
        try:
            call()
        except BitDustError as error:
            return error.code
        return ""


class UnreadTests(CatalogsCase):
    def test_what_waits_while_a_log_is_not_read(self) -> None:
        """What may be built on by something that is held up, or is listed and not given, waits for its supplier."""
        shared, real = self.open(), LogRecovery.recover
        device, dead = b"d" * 8, (b"p" * 16, 0)

        def note(database: Any) -> None:
            pack = (dead[0], SHARE, 0, 10, b"", b"", b"", PackState.DEAD, 0, 4, 1, 0)
            database.execute(f"INSERT INTO packs VALUES({','.join('?' * len(pack))})", pack)
            database.execute("INSERT INTO pieces VALUES(?, ?, 10, ?, NULL, NULL)", (*dead, PieceState.WAITING))
            values = (dead[0].hex(), SHARE, 9, device, 9, 0)
            database.execute("INSERT INTO tombstones VALUES(?, ?, ?, ?, ?, ?)", values)

        def waiting() -> list[tuple[bytes, int]]:
            rows = shared.catalog.read.execute("SELECT pack, number FROM pieces WHERE pack=?", (dead[0],)).fetchall()
            return [(bytes(pack), number) for pack, number in rows]

        self.bob.wait(shared.catalog.change(note))
        self.patch(Heard, "may_be_safe", lambda *given: True)
        held_up = Merged(held_up={device: HeldUp(SHARE, device, 1, "")})
        for lacking in (held_up, Merged(missing=[Missing(device, 1, 2)])):

            async def recover(recovery: Any, heads: Any, reader: Any, lacking: Merged = lacking) -> Merged:
                await real(recovery, heads, reader)
                return lacking

            LogRecovery.recover = recover
            self.addCleanup(setattr, LogRecovery, "recover", real)
            self.now(shared.pull(self.suppliers))
            self.assertEqual(waiting(), [dead])
        LogRecovery.recover = real
        self.now(shared.pull(self.suppliers))
        self.assertEqual(waiting(), [])


class HalfOpenedTests(CatalogsCase):
    """A share to which this node may bring something."""

    def setUp(self) -> None:
        super().setUp()
        self.may_write = True
        self.patch(GuestLogs, "may_write", lambda logs: self.may_write)

    def packs_are_opened(self, shared: SharedCatalog, result: Any) -> None:
        """What comes first, instead."""
        packs = shared.writing._packs
        real = packs.open

        async def opened(copies: Any) -> None:
            packs.open = real
            await result

        packs.open = opened

    def test_it_fails(self) -> None:
        """Where that which a crash has left cannot be looked at the share is closed again, whole."""
        shared = self.shared()
        self.packs_are_opened(shared, fail(BitDustError("disk-error", "the disk failed")))
        self.assertEqual(self.code(self.bob.storage.catalogs.add, shared), "disk-error")
        self.assertEqual((shared.catalog.is_open, list(self.bob.storage.catalogs.shared())), (False, []))

    def test_it_fails_later(self) -> None:
        """Where it cannot be looked at when the share was read it is at the next reading, and uploads go on then."""
        for result in (fail(BitDustError("disk-error", "the disk failed")), Deferred()):
            shared, self.may_write = self.shared(), False
            self.now(self.bob.storage.catalogs.add(shared))
            self.may_write = True
            self.packs_are_opened(shared, result)
            resumed: list[int] = []
            shared.writing.uploads.resume = lambda resumed=resumed: resumed.append(1)
            pulling = Deferred.fromCoroutine(shared.pull(self.suppliers))
            self.bob.pass_time(1)
            pulling.cancel()
            if not result.called:
                result.errback(BitDustError("disk-error", "the disk failed"))
            pulling.addErrback(lambda _: None)
            self.bob.wait(pulling)
            self.assertEqual(resumed, [])
            self.now(shared.pull(self.suppliers))
            self.assertEqual(resumed, [1])
            self.now(self.bob.storage.catalogs.remove(*shared.place))


    def test_it_may_write_since_a_moment(self) -> None:
        """What is brought before the next reading keeps the share from forgetting it."""
        shared, self.may_write = self.shared(), False
        self.now(self.bob.storage.catalogs.add(shared))
        self.assertTrue(shared.writing.is_quiet)
        self.may_write = True
        self.patch(Uploads, "is_quiet", property(lambda uploads: False))
        self.assertFalse(shared.writing.is_quiet)


class ManyCatalogsTests(CatalogsCase):
    def test_nothing_is_open(self) -> None:
        """A path of an owner whose catalog is not open is refused as ever."""
        with self.assertRaises(BitDustError) as caught:
            self.bob.info(f"{SHARE}${ALICE}:cake")
        self.assertEqual(caught.exception.code, "not-found")
        self.assertIn(f"{ALICE} is somebody else", str(caught.exception))

    def test_lists_and_rows(self) -> None:
        """The shared catalog is listed and described under its owner's name; mine is as it was."""
        self.open()
        self.assertEqual([one.shared.key_id for one in self.bob.storage.catalogs.shared()], [f"{SHARE}${ALICE}"])
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
        self.assertEqual(self.code(self.bob.rows, f"master${ALICE}:"), "not-found")

    def test_it_is_only_read(self) -> None:
        """Whatever would change something there is refused, and changes nothing here."""
        self.open()
        storage, path = self.bob.storage, f"{SHARE}${ALICE}:cake"
        local = str(self.base / "cake")
        self.assertEqual(self.code(storage.create, f"{SHARE}${ALICE}:more", False, True, None), "not-allowed")
        self.assertEqual(self.code(storage.delete, path), "not-allowed")
        self.assertEqual(self.code(storage.upload, local, path), "not-allowed")
        self.assertEqual(self.code(storage.stop_upload, path), "not-allowed")
        self.assertEqual([row["path"] for row in self.bob.rows()], ["diary"])
        self.assertEqual(storage.core.catalog.known_keys(), ["master"])

    def test_files_come_back(self) -> None:
        """A file of the share is brought here from the owner's suppliers, byte for byte, with half of them away."""
        self.open()
        for supplier in self.alice.around.suppliers[:2]:
            supplier.mode = "away"
        self.bob.download(f"{SHARE}${ALICE}:cake", self.base / "back")
        self.assertEqual((self.base / "back" / "cake").read_bytes(), (self.base / "cake").read_bytes())
        self.guest.gate = Deferred()
        job = self.bob.begin_download(f"{SHARE}${ALICE}:", self.base / "all")
        (row,) = self.bob.storage.downloads()
        self.assertEqual((row["key_id"], row["eccmap"]), (f"{SHARE}${ALICE}", "ecc/4x4"))
        self.guest.gate.callback(None)
        self.bob.wait(job.completion, 60)
        self.assertEqual((self.base / "all" / "cake").read_bytes(), (self.base / "cake").read_bytes())

    def test_without_the_right(self) -> None:
        """Suppliers give nothing to who was not let in: nothing is listed, and the reason is in the log."""
        shared = self.shared(Right.LIST)
        self.now(self.bob.storage.catalogs.add(shared))
        (merged,) = self.now(shared.pull(self.suppliers))
        self.assertEqual((merged.entries, self.bob.rows(f"{SHARE}${ALICE}:")), (0, []))

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
        self.now(self.bob.storage.catalogs.remove(self.alice.me.fingerprint, SHARE))
        self.now(self.bob.storage.catalogs.remove(self.alice.me.fingerprint, SHARE))
        self.assertEqual(self.code(self.bob.info, f"{SHARE}${ALICE}:cake"), "not-found")
        self.assertEqual(self.code(self.bob.storage.versions, target), "not-found")
        self.now(self.bob.storage.catalogs.add(self.shared()))
        self.assertEqual([row["path"] for row in self.bob.rows(f"{SHARE}${ALICE}:")], ["cake"])

    def test_a_file_that_is_no_catalog(self) -> None:
        """A damaged one is refused and is not open afterwards."""
        folder = self.bob.home / "catalogs"
        folder.mkdir()
        (folder / f"{self.alice.me.fingerprint.hex()}-{SHARE}.db").write_bytes(b"no database at all " * 100)
        self.assertEqual(self.code(self.bob.storage.catalogs.add, self.shared()), "damaged-catalog")
        self.assertEqual(list(self.bob.storage.catalogs.shared()), [])

    def test_without_a_storage_of_ones_own(self) -> None:
        """While my storage is closed a share is read all the same, and my own catalog is not; then it is closed too."""
        shared = self.open()
        self.bob.stop()
        self.assertEqual([row["path"] for row in self.bob.rows(f"{SHARE}${ALICE}:")], ["cake"])
        self.assertEqual(self.code(self.bob.storage.find, "diary"), "catalog-closed")
        jobs = self.bob.storage.uploads(), self.bob.storage.downloads(), self.bob.storage.failed_uploads()
        self.assertEqual(jobs, ({"running": [], "pending": []}, [], []))
        self.now(self.bob.storage.catalogs.remove(*shared.place))
        self.assertFalse(shared.catalog.is_open)
        self.assertEqual(list(self.bob.storage.catalogs.shared()), [])

    def test_several_tags(self) -> None:
        """Of a key with several tags everything is found: each request shows the capability for what it is about."""
        under, tags = {}, (b"1" * 16, b"2" * 16)
        for tag in tags:
            grant = Capability(b"c" * 16, b"o" * 32, b"h" * 32, (Right.READ,), 0, START, tag)
            under[ShownCapability(grant.to_body(), b"", bytes(64)).to_bytes()] = tag
        asked = []

        def send(to, command, fields, payload=None, *, owner, capability):
            tag = under[capability]
            asked.append(tag)
            if fields.get("kind") == "piece" and tag == tags[0]:
                return fail(BitDustError("not-found", "not kept here"))
            pages = {tags[0]: [[b"a", 0, 1], [b"c", 0, 1]], tags[1]: [[b"b", 0, 1], [b"d", 0, 1]]}
            more = tag == tags[0]
            return succeed(Reply({"more": more}, encode([tag] if fields.get("kind") == "heads" else pages[tag])))

        outbox = GuestOutbox(SimpleNamespace(send=send), b"o" * 32, lambda: list(under))

        def ask(command, **fields):
            asked.clear()
            return self.successResultOf(outbox.send(b"s" * 32, command, fields))

        self.assertEqual(decode(ask(Command.RETRIEVE, kind="heads").payload, 100), list(tags))
        listed = ask(Command.LIST_FILES, after=b"", most=2)
        names = [row[0] for row in decode(listed.payload, 100)]
        self.assertEqual((names, listed.fields["more"]), ([b"a", b"b", b"c"], True))
        ask(Command.RETRIEVE, kind="log", scope=tags[1])
        self.assertEqual(asked, [tags[1]])
        ask(Command.RETRIEVE, kind="piece")
        self.assertEqual(asked, list(tags))
