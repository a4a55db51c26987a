"""The hash table and the sessions of whole nodes, as clients of IPFS see and use them."""

import json

from tests.grid.ipfs_kit import EVERYBODY, IpfsNodesCase, some_bytes

PROVIDE = {"services/ipfs/provide": "roots"}


class RoutingTests(IpfsNodesCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice, self.bob = self.ipfs("alice", **EVERYBODY, **PROVIDE), self.ipfs("bob")
        for node in (self.alice, self.bob):
            self.grid.until(node.rooms.dht.node.knows_others, 60, "the hash table")

    def ids(self, rows: list) -> set[str]:
        return {one["ID"] for row in rows for one in row["Responses"]}

    def test_a_record_leads_to_a_file(self) -> None:
        """What is pinned at a node that says so in the hash table is read by another, which was told nobody."""
        data = some_bytes(600_000)
        cid = self.adds(self.alice, data)
        self.grid.until(lambda: self.machine(self.alice).state == "RESTING", 60, "the record")
        self.assertEqual(self.ids(self.asks(self.bob, "dht/findprovs", cid)), {self.peer(self.alice)})
        self.assertEqual(self.asks(self.bob, "cat", cid), data)
        self.assertEqual(self.asks(self.bob, "dht/findprovs", self.adds(self.bob, b"mine")), [])

    def machine(self, node):
        return self.room(node).nodes.providing.machine

    def test_said_on_purpose(self) -> None:
        """A block of which nothing is said is said by `dht/provide`, by several people, and not where it is not."""
        cid = self.adds(self.bob, b"the same")
        self.assertEqual(self.asks(self.alice, "dht/findprovs", cid), [])
        (row,) = self.asks(self.bob, "dht/provide", cid)
        self.assertEqual((row["ID"], row["Extra"]), (self.peer(self.bob), cid))
        self.assertIn("cannot provide", self.refused(self.alice, "dht/provide", cid))
        self.assertEqual(self.adds(self.alice, b"the same"), cid)
        self.grid.until(lambda: self.machine(self.alice).state == "RESTING", 60, "the record")
        found = self.asks(self.bob, "routing/findprovs", cid)
        self.assertEqual(self.ids(found), {self.peer(self.bob), self.peer(self.alice)})
        self.assertEqual(len(self.asks(self.bob, "dht/findprovs", cid, num_providers=1)), 1)

    def test_nodes_see_no_cid(self) -> None:
        """Who keeps the record sees a keyed hash of the CID, and nothing of the CID itself."""
        cid = self.adds(self.alice, b"secret")
        self.grid.until(lambda: self.machine(self.alice).state == "RESTING", 60, "the record")
        kept = json.dumps(self.bob.rooms.dht.node.local_records(), default=repr)
        self.assertIn("provider", kept)
        self.assertNotIn(cid, kept)

    def test_peers(self) -> None:
        """A peer is found by its id, connected to by it, and asked for signs of life; what is nowhere is told."""
        peer = self.peer(self.alice)
        found = self.asks(self.bob, "dht/findpeer", peer)
        self.assertEqual(found["Type"], 2)
        (row,) = found["Responses"]
        self.assertEqual(row["ID"], peer)
        self.assertEqual(f"{row['Addrs'][0]}/p2p/{peer}", self.address(self.alice))
        self.assertIn(peer, self.ids(self.asks(self.bob, "dht/query", peer)))
        told = self.asks(self.bob, "swarm/connect", f"/p2p/{peer}")
        self.assertEqual(told, {"Strings": [f"connect {peer} success"]})
        self.assertIn(peer, [row["Peer"] for row in self.asks(self.bob, "swarm/peers")["Peers"]])
        self.assertIn(peer, self.asks(self.bob, "swarm/addrs")["Addrs"])
        rows = self.asks(self.bob, "ping", peer, count=3)
        self.assertEqual([row["Success"] for row in rows], [True] * 5)
        self.assertEqual(rows[0]["Text"], f"PING {peer}.")
        self.assertGreater(rows[2]["Time"], 1_000_000)
        self.assertIn("Average latency", rows[-1]["Text"])
        nobody = "12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf"
        self.assertIn("not found", self.refused(self.bob, "dht/findpeer", nobody))
        self.assertFalse(self.asks(self.bob, "ping", nobody)[-1]["Success"])
        self.assertIn("can't ping self", self.refused(self.bob, "ping", self.peer(self.bob)))
        self.assertIn("dial to self", self.refused(self.bob, "swarm/connect", self.address(self.bob)))

    def test_wrong_peer(self) -> None:
        """Where somebody else answers than the address names, the session ends and nobody is asked."""
        wrong = self.address(self.alice).replace(self.peer(self.alice), self.peer(self.bob)[:-4] + "aaaa")
        self.refused(self.bob, "swarm/connect", wrong)
        other = "12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf"
        address = self.address(self.alice).replace(self.peer(self.alice), other)
        self.assertIn("another peer", self.refused(self.bob, "swarm/connect", address))
        self.assertEqual(self.asks(self.bob, "bitswap/stat")["Peers"], [])

    def test_disconnect(self) -> None:
        """Who is disconnected is connected no more, and asked no more."""
        self.connects(self.bob, self.alice)
        self.assertEqual(self.asks(self.bob, "bitswap/stat")["Peers"], [self.peer(self.alice)])
        peer = self.peer(self.alice)
        told = self.asks(self.bob, "swarm/disconnect", self.address(self.alice))
        self.assertEqual(told, {"Strings": [f"disconnect {peer} success"]})
        self.grid.run(1)
        self.assertEqual(self.asks(self.bob, "bitswap/stat")["Peers"], [])
        self.assertIn("failure", self.asks(self.bob, "swarm/disconnect", f"/p2p/{peer}")["Strings"][0])

    def test_refused_networks(self) -> None:
        """A filter ends sessions with its network and lets none begin, either way; without it they begin again."""
        self.connects(self.bob, self.alice)
        one = f"/ip4/{self.alice.address}/ipcidr/32"
        letters = list(one)
        self.assertEqual(self.asks(self.bob, "swarm/filters/add", one, *letters), {"Strings": [one]})
        self.assertEqual(self.asks(self.bob, "swarm/filters"), {"Strings": [one]})
        self.grid.run(1)
        self.assertNotIn(self.peer(self.alice), json.dumps(self.asks(self.bob, "swarm/peers")))
        self.assertIn("refuses", self.refused(self.bob, "swarm/connect", self.address(self.alice)))
        self.refused(self.alice, "swarm/connect", self.address(self.bob))
        self.assertIn("no filter", self.refused(self.bob, "swarm/filters/add", "/ip6/10.0.0.0/ipcidr/8"))
        self.asks(self.bob, "swarm/filters/rm", one)
        self.connects(self.bob, self.alice)

    def test_bootstrap(self) -> None:
        """The list is that of the setting; who is added is asked at once, who is removed no more."""
        before = self.asks(self.bob, "bootstrap")["Peers"]
        self.assertEqual(before, ["/ip4/10.0.0.1/udp/14441"])
        added = "/ip4/10.0.0.9/tcp/4001/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
        self.assertEqual(self.asks(self.bob, "bootstrap/add", added), {"Peers": [added]})
        self.assertEqual(self.asks(self.bob, "bootstrap/list")["Peers"], [*before, "/ip4/10.0.0.9/udp/4001"])
        self.assertEqual(self.asks(self.bob, "bootstrap/rm", added), {"Peers": [added]})
        self.assertEqual(self.asks(self.bob, "bootstrap/rm/all"), {"Peers": before})
        self.assertEqual(self.asks(self.bob, "bootstrap")["Peers"], [])
        self.assertEqual(self.asks(self.bob, "bootstrap/add/default"), {"Peers": []})
        self.refused(self.bob, "bootstrap/add", "/p2p/" + self.peer(self.alice))
        self.refused(self.bob, "bootstrap/add")

    def test_what_nobody_has(self) -> None:
        """A block that nobody has is told soon, with patience in the time that was given, offline at once."""
        cid = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
        self.connects(self.bob, self.alice)
        self.assertIn("not found", self.refused(self.bob, "cat", cid, offline=True))
        asked = self.grid.network.datagrams
        for path, argument in (
            ("dht/findprovs", cid),
            ("dht/findpeer", self.peer(self.alice)),
            ("dht/query", self.peer(self.alice)),
            ("dht/provide", cid),
            ("routing/findprovs", cid),
            ("ping", self.peer(self.alice)),
            ("swarm/connect", self.address(self.alice)),
            ("pubsub/pub", "topic"),
            ("bitswap/reprovide", ""),
        ):
            self.assertIn("online mode", self.refused(self.bob, path, argument, offline=True))
        self.assertEqual(self.grid.network.datagrams, asked)
        began = self.grid.clock.seconds()
        self.assertIn("not found", self.refused(self.bob, "cat", cid))
        self.assertLess(self.grid.clock.seconds() - began, 10)
        began = self.grid.clock.seconds()
        self.assertIn("deadline exceeded", self.refused(self.bob, "cat", cid, timeout="20s"))
        self.assertLess(abs(self.grid.clock.seconds() - began - 20), 0.5)
        self.assertEqual(self.asks(self.bob, "bitswap/wantlist")["Keys"], [])
