"""Blocks between nodes: who is told a peer, or is a friend, reads what that one has added."""

from tests.grid.ipfs_kit import EVERYBODY, IpfsNodesCase, some_bytes


class ExchangeTests(IpfsNodesCase):
    def test_told_peer(self) -> None:
        """Who connects to a node that shares with everybody reads a file that was added there."""
        alice, bob = self.ipfs("alice", **EVERYBODY), self.ipfs("bob")
        data = some_bytes(3_000_000)
        cid = self.adds(alice, data)
        self.assertIn("not found", self.refused(bob, "cat", cid))
        self.connects(bob, alice)
        self.assertEqual(self.asks(bob, "cat", cid), data)
        alice.kill()
        self.assertEqual(self.asks(bob, "cat", cid, offline=True), data)
