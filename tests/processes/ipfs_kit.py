"""A real daemon that answers clients of IPFS."""

import warnings
from pathlib import Path
from typing import Any

import ipfshttpclient
from click.testing import CliRunner
from twisted.trial.unittest import TestCase

from bitdust.cli.main import cli
from bitdust.cli.processes import NO_CUSTOMER, NO_SUPPLIER, QUIET, NodeProcess, wait_for
from bitdust.config.settings import Settings
from tests.processes.test_websocket import NOWHERE

ON = {
    "services/block-store/enabled": True,
    "services/ipfs/enabled": True,
    "services/ipfs/api-port": 0,
    "services/ipfs/gateway-port": 0,
}


def client_address(port: int) -> str:
    """As the client takes it."""
    return f"/ip4/127.0.0.1/tcp/{port}/http"


class IpfsCase(TestCase):
    maxDiff = None
    """A node of its own, with IPFS on; ``client`` is the one that is installed."""

    timeout = 120

    def setUp(self) -> None:
        self.base = Path(self.mktemp()).absolute()
        self.node = NodeProcess("node", self.base / "home")
        settings = Settings(self.node.home / "config")
        for key, value in (QUIET | NO_CUSTOMER | NO_SUPPLIER | NOWHERE | ON).items():
            settings.set(key, value)
        self.addCleanup(self.node.stop)

    def start(self) -> None:
        """Start the node, and connect to the port that it has taken."""
        self.node.start()
        wait_for(lambda: self.status()["state"] == "ON", "the service ipfs", 60)
        self.port = self.status()["port"]
        warnings.simplefilter("ignore")
        self.client = ipfshttpclient.connect(client_address(self.port), session=True)

    def status(self) -> dict[str, Any]:
        return self.node.client.call("ipfs_status")

    def cli(self, *words: str, code: int = 0, **options: Any) -> str:
        """What `bitdust ipfs` prints before it ends with a code."""
        result = CliRunner().invoke(cli, ["--appdir", str(self.node.home), "ipfs", *words], **options)
        self.assertEqual(result.exit_code, code, result.output)
        return f"{result.output}{result.exception}" if code else result.output
