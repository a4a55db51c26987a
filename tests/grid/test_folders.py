"""Folders on whole nodes in memory: found, proved, exchanged and written, on one clock."""

import errno
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred

from bitdust.folders import config, exchange, secrets
from bitdust.folders.journal import Journal
from bitdust.folders.packing import pack
from bitdust.folders.portions import Portion
from bitdust.folders.records import origin_of
from bitdust.folders.secrets import Secret
from bitdust.testing.grid import GridNode
from bitdust.wire.errors import BitDustError
from tests.grid.test_friends import PeopleCase
from tests.unit.folder_kit import Replica

SOON = 30.0
PORT = 7771


def tree_of(root: Path) -> dict[str, bytes | None]:
    """Every path below a folder with its content, None for folders; without the folder's own place."""
    found: dict[str, bytes | None] = {}
    for path in sorted(root.rglob("*")):
        relative = str(path.relative_to(root))
        if relative.split("/", maxsplit=1)[0] != ".sync":
            found[relative] = None if path.is_dir() and not path.is_symlink() else path.read_bytes()
    return found


class FolderCase(PeopleCase):
    """People with one folder each."""

    def root(self, node: GridNode) -> Path:
        return (self.base / f"{node.name}-folder").absolute()

    def share(self, node: GridNode, secret: Secret, *hosts: GridNode, **preferences: int) -> None:
        """Have a folder in sync, with other nodes as known hosts."""
        self.root(node).mkdir(exist_ok=True)
        folders = node.rooms.folders
        self.grid.wait(folders.add(self.root(node), secret))
        self.grid.wait(folders.set_hosts(secret.text, [f"{host.address}:{PORT}" for host in hosts]))
        self.grid.wait(folders.set_preferences(secret.text, {"use_hosts": int(bool(hosts))} | preferences))

    def touch(self, node: GridNode) -> None:
        """The system reports that something was changed."""
        node.node.world.watcher.touch(self.root(node))

    def write(self, node: GridNode, name: str, data: bytes) -> None:
        path = self.root(node) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        node.node.world.watcher.touch(path)

    def same(self, *nodes: GridNode) -> bool:
        trees = [tree_of(self.root(node)) for node in nodes]
        return all(tree == trees[0] for tree in trees)


class TwoNodesTests(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.secret = secrets.make("A", lambda size: bytes(range(size)))
        self.alice, self.bob = self.person("alice"), self.person("bob")
        self.share(self.alice, self.secret)
        self.share(self.bob, self.secret, self.alice)

    def arrives(self) -> None:
        self.grid.until(lambda: self.same(self.alice, self.bob), SOON, "the same tree")

    def test_files_arrive(self) -> None:
        """A file that is written at one node is at the other a moment later, and so is a change back."""
        self.write(self.alice, "letters/one.txt", b"hello" * 100)
        self.write(self.alice, "empty", b"")
        self.grid.until((self.root(self.bob) / "letters/one.txt").exists, SOON, "the file")
        self.arrives()
        self.write(self.bob, "letters/one.txt", b"an answer")
        self.grid.until(lambda: (self.root(self.alice) / "letters/one.txt").read_bytes() == b"an answer", SOON, "it")
        self.arrives()

    def test_what_was_left_out(self) -> None:
        """A record that was kept from a peer by mistake is told when it is seen that both do not know the same."""
        self.write(self.alice, "a", b"of alice")
        self.arrives()
        carol = Replica(self.base, "carol", self.secret)
        self.addCleanup(carol.close)
        carol.write("hidden", b"of carol")
        carol.scan()
        (alice,), (bob,) = (node.rooms.folders.open_folders() for node in (self.alice, self.bob))
        origin = origin_of(self.bob.rooms.identity.me.device.id, bob.store.journal.run)
        self.assertTrue(alice.store.journal.take(carol.store.journal.since(0).records, origin).changed)
        self.grid.run(5)
        self.assertNotEqual(alice.store.journal.digest(), bob.store.journal.digest())
        same = lambda: alice.store.journal.digest() == bob.store.journal.digest()  # noqa: E731
        self.grid.until(same, 1300, "the record")

    def pauses(self) -> list[float]:
        """How long Bob waits after a failure before it asks each of its peers."""
        (bob,) = self.bob.rooms.folders.open_folders()
        return [peer.pause() for peer in bob.peers.values()]

    def until_wary(self, answer: Callable[[Journal, int, bytes, int], tuple[Portion, bytes, bytes]]) -> int:
        """Let questions for records be answered so, until Bob asks ever more rarely; how often it has asked."""
        (alice,), (bob,) = (node.rooms.folders.open_folders() for node in (self.alice, self.bob))
        self.grid.until(lambda: bool(bob.peers) and bool(alice.peers), SOON, "a peer")
        asked = 0

        def counted(journal: Journal, after: int, origin: bytes, limit: int) -> tuple[Portion, bytes, bytes]:
            nonlocal asked
            asked += 1
            return answer(journal, after, origin, limit)

        with mock.patch.object(exchange, "_portion", counted):
            begun = self.grid.clock.seconds()
            self.write(self.alice, "a", b"x")
            self.grid.until(lambda: max(self.pauses(), default=0) > 100, 2000, "a long pause")
        self.assertGreater(self.grid.clock.seconds() - begun, 100)
        return asked

    def test_malformed_answers(self) -> None:
        """Whoever answers with what is no records is asked ever more rarely, whatever news it tells, and then again."""
        self.assertLess(self.until_wary(lambda *given: (Portion((), 0, False), b"", b"no zlib")), 30)
        self.grid.until(lambda: self.same(self.alice, self.bob), 4000, "the same tree")
        self.grid.until(lambda: self.pauses() == [5], 4000, "trust")

    def test_refused_records(self) -> None:
        """Whoever tells records that no writer has signed is asked ever more rarely, though there is nothing else, and
        then again; what it has told beside them is taken in."""
        good = exchange._portion

        def bad(journal: Journal, after: int, origin: bytes, limit: int) -> tuple[Portion, bytes, bytes]:
            portion, digest, _ = good(journal, after, origin, limit)
            forged = [bytes(64) + raw[64:] for raw in portion.records or journal.since(0).records]
            return evolve(portion, more=True), digest, pack([*portion.records[:1], *forged, *forged, *forged])

        self.assertLess(self.until_wary(bad), 60)
        self.assertTrue(self.same(self.alice, self.bob))
        self.write(self.alice, "b", b"y")
        self.grid.until(lambda: self.same(self.alice, self.bob), 4000, "the same tree")
        self.assertEqual(self.pauses(), [5])

    def test_case_50_wrong_secret(self) -> None:
        """Whoever knows where a folder is and holds another secret is no peer, and gets nothing."""
        carol = self.person("carol")
        self.share(carol, secrets.make("A", lambda size: bytes([7]) * size), self.alice)
        self.write(self.alice, "a", b"for bob alone")
        self.arrives()
        self.grid.run(15)
        self.assertEqual(tree_of(self.root(carol)), {})
        self.assertEqual([row.peers for row in carol.rooms.folders.folders()], [0])
        self.assertEqual([row.peers for row in self.alice.rooms.folders.folders()], [1])

    def test_pause(self) -> None:
        """A paused folder neither takes nor gives anything until it goes on; both changes are there then."""
        self.write(self.alice, "a", b"first")
        self.grid.until((self.root(self.bob) / "a").exists, SOON, "the file")
        self.grid.wait(self.bob.rooms.folders.pause(self.secret.text))
        self.write(self.alice, "a", b"second")
        self.write(self.bob, "b", b"of bob")
        self.grid.run(20)
        self.assertFalse(self.same(self.alice, self.bob))
        self.grid.wait(self.bob.rooms.folders.resume(self.secret.text))
        self.arrives()
        self.assertEqual(tree_of(self.root(self.alice)), {"a": b"second", "b": b"of bob"})

    def test_what_is_shown(self) -> None:
        """Rows say what is here, peers who else has it, and codes what is wrong with a question."""
        folders = self.alice.rooms.folders
        self.write(self.alice, "d/a", b"12345")
        self.grid.until((self.root(self.bob) / "d/a").exists, SOON, "the file")
        self.grid.until(lambda: folders.find(self.secret.text).files == 1, SOON, "the figures")
        row = folders.find(self.secret.weaker()[0].text)
        self.assertEqual((row.files, row.size, row.peers, row.problem, row.paused), (1, 5, 1, "", False))
        self.assertEqual(row.watched, "as the test reports them")
        (entry,) = self.grid.wait(folders.files(self.secret.text, "d"))
        self.assertEqual(
            (entry.name, entry.kind, entry.size, entry.have_pieces, entry.total_pieces), ("a", "file", 5, 1, 1)
        )
        (peer,) = folders.peers(self.secret.text)
        self.assertEqual((len(peer.id), peer.name, peer.download, peer.upload), (28, "bob", 0, 0))
        self.assertEqual(
            [change.path for change in self.grid.wait(folders.history(self.secret.text, "d", 10))][-1], "d"
        )
        for call, code in (
            (lambda: folders.preferences("A"), "no-such-folder"),
            (lambda: folders.set_hosts(self.secret.text, ["nowhere"]), "bad-host"),
            (lambda: folders.set_preferences(self.secret.text, {"x": 1}), "bad-preference"),
            (lambda: folders.choose(self.secret.text, "d/a", False), "not-selective"),
        ):
            with self.assertRaises(BitDustError) as caught:
                call()
            self.assertEqual(caught.exception.code, code)


class NamelessTests(FolderCase):
    """Two machines and a secret: no ID server, no supplier, no DHT."""

    def test_two_commands_each(self) -> None:
        """Nodes that are known by their keys alone find each other at a known host, and keep a folder the same."""
        secret = secrets.make("A", lambda size: bytes([9]) * size)
        alone = {"services/entangled-dht/enabled": False, "services/identity-propagate/known-servers": ""}
        alice, bob = (self.grid.add_stranger(name, **alone) for name in ("alice", "bob"))
        for node in (alice, bob):
            node.start()
        self.share(alice, secret)
        self.share(bob, secret, alice)
        self.write(alice, "a", b"no name is needed")
        self.grid.until((self.root(bob) / "a").exists, 60, "the file")
        me = alice.rooms.identity.me
        self.assertTrue(me.document.idurl.is_nowhere)
        self.assertEqual(me.document.idurl.host[:32], me.fingerprint.hex()[:32])


class LimitTests(FolderCase):
    def test_rates(self) -> None:
        """A folder comes no faster than the receiver lets it, nor than the sender does."""
        secret = secrets.make("A", lambda size: bytes(range(size)))
        near = {"services/folder-sync/limit-local-peers-enabled": True}
        alice, bob = self.person("alice", **near), self.person("bob", **near)
        alice.node.settings.set("services/folder-sync/upload-limit", 50)
        self.share(alice, secret)
        self.share(bob, secret, alice)
        self.write(alice, "a", bytes(range(256)) * 1600)
        begun = self.grid.clock.seconds()
        self.grid.until(lambda: self.same(alice, bob) and (self.root(bob) / "a").exists(), 60, "the file")
        self.assertGreater(self.grid.clock.seconds() - begun, 4)


class AddingTests(FolderCase):
    def test_nobody_waits_for_it(self) -> None:
        """Where there is no identity and making one fails, or nobody waits until it is made, nothing was added, and it
        can be added again; what was added meanwhile is added once."""
        node = self.grid.add("nobody")
        node.start()
        folders, secret = node.rooms.folders, secrets.make("A", lambda size: bytes(range(size)))
        self.root(node).mkdir()
        made: list[Deferred[None]] = []
        folders._become_somebody = lambda: made.append(Deferred()) or made[-1]
        given_up, failed, first, second = (folders.add(self.root(node), secret) for _ in range(4))
        given_up.addErrback(lambda failure: failure.trap(CancelledError))
        given_up.cancel()
        made[1].errback(OSError("the disk failed"))
        self.failureResultOf(failed, OSError)
        self.assertEqual(folders.folders(), [])
        made[2].callback(None)
        made[3].callback(None)
        self.assertEqual(self.grid.wait(first).directory, self.root(node))
        self.assertEqual(self.failureResultOf(second, BitDustError).value.code, "already-added")
        self.assertEqual(len(folders.folders()), 1)

    def test_nobody_waits_when_it_was_to_go(self) -> None:
        """A folder that was to go from suppliers, and is added again, is added when it does not go any more."""
        alice, secret = self.person("alice"), secrets.make("A", lambda size: bytes(range(size)))
        folders, gate = alice.rooms.folders, Deferred[bool]()
        self.root(alice).mkdir()
        folders.copies.holds = lambda made: gate
        adding = folders.add(self.root(alice), secret)
        adding.addErrback(lambda failure: failure.trap(CancelledError))
        adding.cancel()
        gate.callback(True)
        self.grid.wait(adding)
        (row,) = folders.folders()
        self.assertEqual((row.directory, folders.find(secret.text)), (self.root(alice), row))

    def test_it_was_to_go_and_cannot_be_added(self) -> None:
        """Where the disk takes nothing, or a process dies, a folder that was to go from suppliers goes, or is added."""
        alice, secret = self.person("alice"), secrets.make("A", lambda size: bytes(range(size)))
        folders, real = alice.rooms.folders, config.write_safely
        self.root(alice).mkdir()
        folders.book.add(config.FolderConfig(self.root(alice), secret.text, withdrawing=True, removed=True))
        folders._removed.open()
        for count in range(2):
            fails = [False] * count + [True] * 9
            self.patch(config, "write_safely", lambda *given: full() if fails.pop(0) else real(*given))  # noqa: B023
            folders.add(self.root(alice), secret).addErrback(lambda failure: failure.trap(OSError))
            self.grid.run(1, 0.1)
            self.patch(config, "write_safely", real)
            book = config.Book(folders.book.path.parent, folders._around.me)
            self.assertEqual(len(book.all()) + len(book.leaving()), 1)
            self.assertEqual(len(folders.book.leaving()), len(folders.copies._leaving))
        self.assertTrue(folders.find(secret.text))


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")
