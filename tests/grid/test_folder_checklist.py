"""Folders on whole nodes: cases of the survival checklist that need a network, a restart or the list of folders."""

from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.defer import gatherResults
from twisted.logger import formatEvent, globalLogPublisher

from bitdust.folders import secrets
from bitdust.folders.port import PREFERENCES
from bitdust.folders.secrets import Secret
from bitdust.testing.datagrams import MemoryUDPPort
from bitdust.testing.grid import GridNode
from bitdust.testing.network import MemoryHost
from bitdust.wire.errors import BitDustError
from tests.grid.test_folders import PORT, SOON, FolderCase, tree_of
from tests.grid.test_pin_backup import noise

ALONE = {"services/entangled-dht/enabled": False, "services/identity-propagate/known-servers": ""}
OFF = {name: 0 for name in PREFERENCES if name.startswith(("search", "use_")) and name != "use_sync_trash"}


def secret_of(number: int) -> Secret:
    return secrets.make("A", lambda size: bytes([number]) * size)


class ListTests(FolderCase):
    """One node, and what its person wishes."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.grid.add_stranger("alice", **ALONE)
        self.alice.start()
        self.secret = secret_of(1)

    def place(self, name: str) -> Path:
        path = (self.base / "places" / name).absolute()
        path.mkdir(parents=True, exist_ok=True)
        return path

    def code(self, call: Any) -> str:
        with self.assertRaises(BitDustError) as caught:
            self.grid.wait(call())
        return str(caught.exception.code)

    def test_case_34_one_in_another(self) -> None:
        """A folder within another one, or around it, is refused, also by a link; what is there stays."""
        folders = self.alice.rooms.folders
        self.grid.wait(folders.add(self.place("a/b"), self.secret))
        (self.base / "places" / "link").symlink_to(self.place("a/b"))
        for inside in ("a", "a/b/c", "link/c"):
            self.place(inside)
            where = (self.base / "places" / inside).absolute()
            self.assertEqual(self.code(lambda where=where: folders.add(where, secret_of(2))), "nested-folder")
        self.assertEqual([row.directory for row in folders.folders()], [self.place("a/b")])

    def test_case_65_at_once(self) -> None:
        """Changes that come at once are done one after the other: all that were answered are kept."""
        folders = self.alice.rooms.folders
        adding = [folders.add(self.place(f"f{number}"), secret_of(number)) for number in range(1, 9)]
        twice = folders.add(self.place("f1"), secret_of(9))
        twice.addErrback(lambda failure: failure.value.code)
        self.grid.wait(gatherResults(adding))
        self.assertEqual(self.grid.wait(twice), "already-added")
        texts = [secret_of(number).text for number in range(1, 9)]
        wishes = [folders.set_preferences(text, {"use_dht": 1}) for text in texts]
        wishes += [folders.set_hosts(text, [f"host{number}:7771"]) for number, text in enumerate(texts)]
        wishes += [folders.pause(text) for text in texts[:3]] + [folders.resume(texts[0]), folders.remove(texts[7])]
        self.grid.wait(gatherResults(wishes))
        kept = type(folders.book)(self.alice.home / "folders", self.alice.rooms.identity.me).all()
        self.assertEqual([one.text for one in kept], texts[:7])
        self.assertEqual([one.paused for one in kept], [False, True, True, False, False, False, False])
        self.assertTrue(all(one.wants("use_dht") for one in kept))
        self.assertEqual([one.hosts for one in kept], [[f"host{number}:7771"] for number in range(7)])

    def test_case_67_restart(self) -> None:
        """Folders, preferences, hosts, limits, what was paused and what was chosen survive the end of the process."""
        folders, text = self.alice.rooms.folders, self.secret.text
        root = self.place("a")
        (root / "chosen").write_bytes(b"x")
        self.grid.wait(folders.add(root, self.secret, True))
        self.grid.wait(folders.add(self.place("b"), secret_of(2)))
        self.grid.wait(folders.rescan(text))
        self.grid.wait(folders.choose(text, "chosen", True))
        self.grid.wait(folders.set_preferences(text, {"use_dht": 1, "use_sync_trash": 0}))
        self.grid.wait(folders.set_hosts(text, ["nas:7771"]))
        self.grid.wait(folders.pause(secret_of(2).text))
        folders.set_limits(text, 5, 7)
        self.alice.crash()
        alice = self.alice.again("10.0.9.2")
        self.grid.until(lambda: alice.is_on("folder_sync"), 60, "the next process")
        again = alice.rooms.folders
        self.grid.until(lambda: again.find(text).files == 1, 60, "the count")
        self.assertEqual([(row.secret, row.paused) for row in again.folders()],
                         [(text, False), (secret_of(2).text, True)])  # fmt: skip
        wished = {"selective_sync": 1, "use_dht": 1, "use_sync_trash": 0}
        self.assertEqual(again.preferences(text), dict(PREFERENCES) | wished)
        self.assertEqual((again.hosts(text), again.limits(text)), (["nas:7771"], (5, 7)))
        (row,) = self.grid.wait(again.files(text, ""))
        self.assertEqual((row.name, row.download), ("chosen", True))

    def test_case_69_secrets_stay(self) -> None:
        """No secret is in a line of a log, in the name of a machine, or in an error."""
        lines: list[str] = []

        def observe(event: Any) -> None:
            lines.append(formatEvent(event) + repr(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        folders = self.alice.rooms.folders
        self.grid.wait(folders.add(self.place("a"), self.secret))
        self.place("a").joinpath("x").write_bytes(b"x")
        self.grid.wait(folders.rescan(self.secret.text))
        with self.assertRaises(BitDustError) as caught:
            self.grid.wait(folders.add(self.place("b"), self.secret))
        said = [*lines, str(caught.exception), repr(folders.book.all()), *map(str, self.alice.node.registry)]
        for secret in (self.secret, *self.secret.weaker()):
            self.assertEqual([line for line in said if secret.text in line or secret.body.hex() in line], [])
        self.grid.wait(folders.remove(self.secret.text))


class PeersTests(FolderCase):
    """Several nodes without names."""

    def nodes(self, *names: str) -> list[GridNode]:
        found = [self.grid.add_stranger(name, **ALONE) for name in names]
        for node in found:
            node.start()
        return found

    def test_case_58_many_and_one_that_flaps(self) -> None:
        """Several folders at several peers come to the same, though one of them comes and goes every five seconds."""
        alice, bob, carol = self.nodes("alice", "bob", "carol")
        roots: dict[tuple[str, int], Path] = {}
        for number in range(1, 5):
            for node in (alice, bob, carol):
                root = roots[node.name, number] = (self.base / f"{node.name}-{number}").absolute()
                root.mkdir()
                (root / f"of-{node.name}").write_bytes(noise(f"{node.name} {number}", 50_000))
                text = secret_of(number).text
                self.grid.wait(node.rooms.folders.add(root, secret_of(number)))
                hosts = [f"{other.address}:{PORT}" for other in (alice, bob) if other is not node]
                self.grid.wait(node.rooms.folders.set_hosts(text, hosts))
                self.grid.wait(node.rooms.folders.set_preferences(text, {"use_hosts": 1}))
        for away in (True, False) * 3:
            self.grid.network.cut = lambda one, other, away=away: away and carol.address in (one, other)
            self.grid.run(5)
        wanted = {f"of-{name}" for name in ("alice", "bob", "carol")}

        def are_same() -> bool:
            return all(set(tree_of(root)) == wanted for root in roots.values())

        self.grid.until(are_same, 120, "the same everywhere")
        self.assertEqual(len({str(sorted(tree_of(root).items())) for root in roots.values()}), 4)

    def test_case_59_nothing_leaves(self) -> None:
        """With all ways of finding peers off no packet leaves a host, known hosts or not; by these alone it works."""
        alice, bob = self.nodes("alice", "bob")
        called: list[str] = []
        client, write = MemoryHost.client, MemoryUDPPort.write

        def dialled(host: MemoryHost, name: str, *rest: Any, **more: Any) -> Any:
            if not name.startswith("127."):
                called.append(name)
            return client(host, name, *rest, **more)

        def sent(port: MemoryUDPPort, data: bytes, address: tuple[str, int]) -> None:
            if port.getHost().host in (alice.address, bob.address) and not address[0].startswith("127."):
                called.append(address[0])
            write(port, data, address)

        with mock.patch.object(MemoryHost, "client", dialled), mock.patch.object(MemoryUDPPort, "write", sent):
            self.share(alice, secret_of(1), **OFF)
            self.share(bob, secret_of(1), alice, **OFF)
            self.hang_up(alice, bob)
            called.clear()
            self.write(alice, "a", b"for nobody")
            self.grid.run(700, 0.5)
            self.assertEqual((called, tree_of(self.root(bob))), ([], {}))
            self.grid.wait(bob.rooms.folders.set_preferences(secret_of(1).text, {"use_hosts": 1}))
            self.grid.until(lambda: self.same(alice, bob), SOON, "the file")
            self.assertEqual(set(called), {alice.address})

    def hang_up(self, *nodes: GridNode) -> None:
        for node in nodes:
            for session in list(node.rooms.around.sessions.sessions()):
                session.close("the test")
        self.grid.run(2)

    def test_case_66_the_end_on_the_way(self) -> None:
        """A node that is stopped while a file comes ends in order, and leaves no half of it under its name; the next
        process brings the rest."""
        alice, bob = self.nodes("alice", "bob")
        self.grid.network.bandwidth = 200_000
        self.share(alice, secret_of(1))
        self.share(bob, secret_of(1), alice)
        self.write(alice, "a", noise("a", 1_000_000))
        part = self.root(bob) / ".sync" / "tmp"
        self.grid.until(lambda: any(part.glob("*-*")), SOON, "the beginning")
        bob.stop()
        self.assertFalse((self.root(bob) / "a").exists())
        bob = bob.again("10.0.9.3")
        self.grid.until(lambda: self.same(alice, bob), 60, "the rest")
        self.assertEqual(list(part.glob("*-*")), [])
