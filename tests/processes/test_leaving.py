"""Giving up an identity on a real node: it starts again as nobody, and comes back from what was put aside."""

from pathlib import Path
from typing import Any

from bitdust.cli.client import ApiError
from bitdust.cli.processes import NO_CUSTOMER, NodeProcess, wait_for
from tests.processes.test_main_job import ProcessTests


class EraseTests(ProcessTests):
    def nobody(self, node: NodeProcess, before: int) -> bool:
        """Whether the node runs again, in a fresh process image, without an identity."""
        if node.client.call("process_health") is None:
            return False
        try:
            node.client.call("identity_get")
        except ApiError as error:
            return error.code == "no-identity"
        return False

    def erase(self, node: NodeProcess, **arguments: Any) -> dict[str, Any]:
        told: dict[str, Any] = node.client.call("identity_erase", **arguments)
        wait_for(lambda: self.nobody(node, node.pid), "the node without an identity")
        return told

    def test_erased_and_recovered(self) -> None:
        """What `identity_erase` puts aside is enough to recover; with the private key nothing private is left."""
        node = self.network.node("alice")
        self.network.others.append(node)
        node.configure(self.network.joining | NO_CUSTOMER)
        node.start()
        node.cli("identity", "create", "alice")
        fingerprint = node.client.call("identity_get")["fingerprint"]
        told = self.erase(node)
        self.assertIn("127.0.0.1", told["elsewhere"][0])
        self.assertEqual(node.service("supplier")["state"], "NOT_INSTALLED")
        node.cli("identity", "recover", str(Path(told["former"]) / "keyfile"))
        self.assertEqual(node.client.call("identity_get")["fingerprint"], fingerprint)
        node.cli("identity", "erase", "--private-key", "--yes")
        wait_for(lambda: self.nobody(node, node.pid), "the node without an identity")
        self.assertFalse((node.home / "metadata" / "mykeyfile").exists())
        self.assertEqual(len(list((node.home / "former").iterdir())), 1)
        node.stop()
