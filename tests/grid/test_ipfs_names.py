"""Names of IPNS between nodes: what one publishes others find, and nobody shows an old one."""

from twisted.internet.defer import Deferred

from bitdust.dht.ipns import blinded, packed
from bitdust.dht.records import IPNS, DHTRecord
from bitdust.ipfs.names.keys import SECOND
from bitdust.ipld.ipns import Record, make
from bitdust.outcome import outcome
from bitdust.testing.grid import GridNode
from tests.grid.ipfs_kit import EVERYBODY, IpfsNodesCase

HOUR = 3600


class NamesTests(IpfsNodesCase):
    def publishes(self, node: GridNode, data: bytes, **options: str) -> tuple[str, str]:
        """The name that leads to a new file, and its path."""
        path = f"/ipfs/{self.adds(node, data)}"
        row = self.asks(node, "name/publish", path, **options)
        self.assertEqual(row["Value"], path)
        return row["Name"], path

    def record(self, node: GridNode, value: str, sequence: int) -> bytes:
        """A record of that node's own name, as it would have signed it."""
        key = self.grid.wait(Deferred.fromCoroutine(self.room(node).keys.find("self")))
        assert key.key is not None
        now = int(node.node.world.wall())
        signed = make(key.key, Record(value.encode(), sequence, (now + HOUR) * SECOND, 0))
        return DHTRecord(IPNS, blinded(key.id), sequence, now + HOUR, packed(key.id, signed)).to_bytes()

    def test_found_by_others(self) -> None:
        """A name that one node has published leads another one to the file; a new value is found after it, and one that
        is older is kept by nobody and believed by nobody."""
        alice, bob, carol = (self.ipfs(name, **EVERYBODY) for name in ("alice", "bob", "carol"))
        name, path = self.publishes(alice, b"first")
        self.assertEqual(self.asks(bob, "name/resolve", name), {"Path": path})
        self.connects(bob, alice)
        self.assertEqual(self.asks(bob, "cat", f"/ipns/{name}"), b"first")
        _, newer = self.publishes(alice, b"second")
        self.assertEqual(self.asks(carol, "name/resolve", name), {"Path": newer})
        self.assertEqual(self.asks(bob, "name/resolve", name, nocache="true"), {"Path": newer})
        old = self.record(alice, path, 0)
        put = self.grid.wait(outcome(carol.rooms.dht.node.put_raw(old)))
        self.assertTrue(put.code == "stale" or put.value.refused.get("stale"), put)
        self.assertEqual(self.asks(carol, "name/resolve", name, nocache="true"), {"Path": newer})

    def test_kept_alive(self) -> None:
        """While its node lives a name is found for as long as that; once it is gone, for as long as it was signed."""
        often = {"services/ipfs/republish-hours": 1}
        alice, bob = (self.ipfs(name, **often) for name in ("alice", "bob"))
        name, path = self.publishes(alice, b"first", lifetime="61m")
        self.grid.pass_time(1.2 * HOUR)
        self.assertEqual(self.asks(bob, "name/resolve", name, nocache="true"), {"Path": path})
        alice.kill()
        self.grid.pass_time(1.2 * HOUR)
        self.assertIn("could not resolve name", self.refused(bob, "name/resolve", name, nocache="true"))
