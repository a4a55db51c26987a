"""Folders on whole nodes in memory: found, proved, exchanged and written, on one clock."""

from pathlib import Path

from bitdust.folders import secrets
from bitdust.folders.secrets import Secret
from bitdust.testing.grid import GridNode
from tests.grid.test_friends import PeopleCase

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
