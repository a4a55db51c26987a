"""Going to another network and back with a real node."""

import json
from pathlib import Path

from bitdust.cli.client import ApiClient, ApiError
from bitdust.cli.processes import NO_CUSTOMER, NO_SUPPLIER, NodeProcess, StepFailed, wait_for
from tests.processes.test_main_job import ProcessTests


def on_network(node: NodeProcess, home: Path, name: str) -> bool:
    """Whether the node of this home answers, and is on that network."""
    return bool(ApiClient(home, timeout=10).call("network_configuration")["current_network"] == name)


class NetworksTests(ProcessTests):
    def test_there_and_back(self) -> None:
        """A network learnt from a file has an identity of its own; going back finds the first one; bad ones change
        nothing."""
        web = self.network.joining["services/identity-propagate/known-servers"]
        node = self.network.node("alice")
        self.network.others.append(node)
        node.configure(self.network.joining | NO_CUSTOMER | NO_SUPPLIER)
        node.start()
        node.cli("identity", "create", "alice")
        path = self.base / "village.json"
        path.write_text(json.dumps({"name": "village", "label": "Village", "maintainer": "Vera",
            "service_identity_propagate": {"known_servers": [
                {"host": "127.0.0.1", "http_port": int(web.split(":")[1])}]}}))  # fmt: skip
        self.assertRaises(StepFailed, node.cli, "network", "select", "village")
        self.assertRaises(StepFailed, node.cli, "network", "create", str(self.base / "nothing.json"))
        self.assertIn("village", node.cli("network", "create", str(path)))
        home = node.home / "networks" / "village"
        wait_for(lambda: on_network(node, home, "village"), "the node on its new network")
        self.assertRaises(ApiError, ApiClient(home).call, "identity_get")
        node.cli("identity", "create", "alicia")
        self.assertTrue(node.cli("id").startswith("alicia@"))
        self.assertIn("* village", node.cli("network", "list"))
        node.cli("network", "select", "default")
        wait_for(lambda: on_network(node, node.home, "default"), "the node on its first network")
        self.assertTrue(node.cli("id").startswith("alice@"))
        node.cli("stop")
        node.cli("network", "select", "village")
        node.cli("daemon")
        self.assertTrue(node.cli("id").startswith("alicia@"))
        node.cli("stop")
