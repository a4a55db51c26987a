"""Writing into other people's shares, between whole nodes."""

from bitdust.testing.grid import GridNode
from tests.grid.test_shares import SharesCase


class WritingTests(SharesCase):
    """Alice owns, Bob is let in to write."""

    def open(self, **arguments) -> str:
        key = self.create()
        self.grant(key, **arguments)
        self.api(self.bob, "share_open", key_id=key)
        return key

    def put(self, node: GridNode, key: str, name: str, size: int = 300_000) -> bytes:
        path, data = self.file(name, size)
        remote = f"{key}:{name}"
        self.api(node, "file_create", remote_path=remote, exist_ok=True)
        self.api(node, "file_upload_start", local_path=str(path.absolute()), remote_path=remote, wait_result=True)
        return data

    def sees(self, node: GridNode, key: str, *names: str) -> None:
        self.grid.until(lambda: self.names(node, key) == sorted(names), 60, f"{names} at {node.name}")

    def gets(self, node: GridNode, key: str, name: str, data: bytes) -> None:
        target = self.base / f"back-{node.name}"
        self.download(node, f"{key}:{name}", target)
        self.assertEqual((target / name).read_bytes(), data)

    def test_a_guest_brings_a_file(self) -> None:
        """What a guest uploads into a share is listed and brought back by its owner, and the other way round."""
        key = self.open()
        data = self.put(self.bob, key, "from bob")
        self.sees(self.alice, key, "from bob")
        self.gets(self.alice, key, "from bob", data)
        more = self.put(self.alice, key, "from alice")
        self.sees(self.bob, key, "from alice", "from bob")
        self.gets(self.bob, key, "from alice", more)
