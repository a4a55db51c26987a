"""Two real daemons: what one has added the unmodified client reads at the other, and both take part in a topic."""

import base64
import os
import warnings
from typing import Any

import ipfshttpclient

from bitdust.cli.processes import NO_CUSTOMER, NO_SUPPLIER, NodeProcess, wait_for
from tests.processes.ipfs_kit import ON, client_address
from tests.processes.test_main_job import ProcessTests

EVERYBODY = {"services/ipfs/share-with": "everybody"}


class NodesTests(ProcessTests):
    def configured(self, settings: dict[str, Any]) -> dict[str, str]:
        return {key: str(value).lower() for key, value in settings.items()}

    def client(self, node: NodeProcess) -> Any:
        """Of the port that the node has taken."""
        wait_for(lambda: node.client.call("ipfs_status")["state"] == "ON", "the service ipfs", 60)
        warnings.simplefilter("ignore")
        return ipfshttpclient.connect(client_address(node.client.call("ipfs_status")["port"]), session=True)

    def test_between_two(self) -> None:
        """`swarm/connect`, then `cat` of 3 MB that are elsewhere; a topic brings what the other says."""
        node = self.network.node("bob")
        self.network.others.append(node)
        node.configure(self.network.joining | NO_CUSTOMER | NO_SUPPLIER | self.configured(ON))
        node.start()
        node.become("bob")
        servers = "services/identity-propagate/known-servers"
        self.network.seed.client.call("config_set", key=servers, value=self.network.joining[servers])
        self.network.seed.become("alice")
        for key, value in self.configured(ON | EVERYBODY).items():
            self.network.seed.client.call("config_set", key=key, value=value)
        alice, bob = self.client(self.network.seed), self.client(node)
        data = os.urandom(3_000_000)
        cid = alice.add_bytes(data)
        addresses = [one for one in alice.id()["Addresses"] if one.startswith("/ip4/")]
        told = bob.swarm.connect(addresses[0])
        self.assertEqual(told, {"Strings": [f"connect {alice.id()['ID']} success"]})
        self.assertEqual(bob.cat(cid), data)
        self.assertEqual(bob.cat(cid, offset=2_999_990, length=5), data[-10:-5])
        self.assertIn(bob.id()["ID"], [row["Peer"] for row in alice.swarm.peers()["Peers"]])
        self.assertGreaterEqual(bob.bitswap.stat()["BlocksReceived"], 12)
        with bob.pubsub.subscribe("news") as messages, alice.pubsub.subscribe("news"):
            wait_for(lambda: alice.pubsub.peers("news")["Strings"], "the neighbour", 20)
            alice.pubsub.publish("news", "hello")
            message = next(iter(messages))
        self.assertEqual(base64.b64decode(message["data"]), b"hello")
        self.assertEqual(message["topicIDs"], ["news"])
