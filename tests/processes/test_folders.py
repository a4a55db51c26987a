"""Folders in sync between real daemons: by the command line, by the vendor's API, and over a kill."""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from twisted.trial.unittest import SynchronousTestCase

from bitdust.cli.client import ApiError
from bitdust.cli.processes import NO_CUSTOMER, NO_SUPPLIER, QUIET, NodeProcess, wait_for
from tests.processes.test_main_job import ProcessTests
from tests.processes.test_websocket import NOWHERE

SOON = 30.0
BTSYNC = {"services/btsync/api-port": "0"}


class FolderProcessTests(SynchronousTestCase):
    """Two daemons that know each other's address, without ID server, DHT or names."""

    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="bitdust-test-"))
        self.addCleanup(shutil.rmtree, self.base, ignore_errors=True)

    def person(self, name: str) -> NodeProcess:
        node = NodeProcess(name, self.base / name)
        node.configure(QUIET | NOWHERE | NO_CUSTOMER | NO_SUPPLIER | BTSYNC)
        self.addCleanup(node.stop)
        node.start()
        folder = self.folder(node)
        folder.mkdir()
        return node

    def folder(self, node: NodeProcess) -> Path:
        return self.base / f"{node.name}-folder"

    def address(self, node: NodeProcess) -> str:
        """Where a node's peers reach it."""
        rows = wait_for(lambda: node.client.call("network_status", tcp="1")["tcp"]["port"], "a port")
        return f"127.0.0.1:{rows}"

    def cli(self, node: NodeProcess, *words: str) -> Any:
        return json.loads(node.cli("--json", "sync", *words))

    def arrives(self, source: NodeProcess, target: NodeProcess, name: str, data: bytes) -> None:
        """What is written in one folder is in the other one soon."""
        path = self.folder(target) / name
        (self.folder(source) / name).write_bytes(data)
        wait_for(lambda: path.exists() and path.read_bytes() == data, f"{name} at {target.name}", SOON)

    def test_by_the_command_line(self) -> None:
        """Created at one and added at the other with its secret, a folder is the same at both, over a kill as well."""
        alice, bob = self.person("alice"), self.person("bob")
        (self.folder(alice) / "before").write_bytes(b"was there before")
        made = self.cli(alice, "create", str(self.folder(alice)))
        secret = self.base / "secret"
        secret.write_text(made["secrets"]["read_write"])
        secret.chmod(0o600)
        words = ("add", str(self.folder(bob)), "--secret-file", str(secret), "--host", self.address(alice))
        (row,) = self.cli(bob, *words, "--wait", "--timeout", str(SOON))
        self.assertEqual((row["equal"], row["id"]), (True, made["id"]))
        self.assertEqual((self.folder(bob) / "before").read_bytes(), b"was there before")
        self.arrives(alice, bob, "one", b"one" * 1000)
        self.arrives(bob, alice, "two", b"two" * 1000)
        bob.kill()
        (self.folder(alice) / "three").write_bytes(b"three")
        bob.start()
        wait_for((self.folder(bob) / "three").exists, "what was written meanwhile", SOON)
        self.assertIn("two", [one["path"] for one in self.cli(alice, "history", made["id"])])
        self.assertEqual(self.cli(bob, "remove", made["id"])["id"], made["id"])
        self.assertEqual(self.cli(bob, "list"), [])
        self.assertTrue((self.folder(bob) / "one").exists())

    def test_a_home_is_no_folder(self) -> None:
        """What holds the node's own home, or lies in it, is refused: its keys are in there."""
        alice = self.person("alice")
        api = VendorApi(alice)
        for place in (alice.home, self.base, alice.home / "logs", Path("/")):
            error = self.assertRaises(ApiError, alice.client.call, "folder_add", directory=str(place))
            self.assertEqual(error.code, "nested-folder")
            self.assertEqual(api.ask("add_folder", dir=place)["result"], 108)
        self.assertEqual(api.ask("get_folders"), [])

    def test_by_the_api(self) -> None:
        """The same by the vendor's API, with the secret of somebody who may read alone."""
        alice, bob = self.person("alice"), self.person("bob")
        one, other = VendorApi(alice), VendorApi(bob)
        secrets = one.ask("get_secrets")
        for api, node, secret in ((one, alice, secrets["read_write"]), (other, bob, secrets["read_only"])):
            self.assertEqual(api.ask("add_folder", dir=self.folder(node), secret=secret), {"error": 0, "result": 0})
        host = self.address(alice)
        self.assertEqual(other.ask("set_folder_hosts", secret=secrets["read_only"], hosts=host), {"hosts": [host]})
        self.assertEqual(other.ask("set_folder_prefs", secret=secrets["read_only"], use_hosts=1)["use_hosts"], 1)
        data = os.urandom(100_000)
        self.arrives(alice, bob, "photo", data)
        shown = {"name": "photo", "size": 100_000, "state": "created", "type": "file"}
        (file,) = wait_for(lambda: other.ask("get_files", secret=secrets["read_only"]), "the file")
        self.assertEqual({name: file[name] for name in shown}, shown)
        self.assertEqual(file["have_pieces"], file["total_pieces"])
        (peer,) = one.ask("get_folder_peers", secret=secrets["read_write"])
        self.assertEqual(len(peer["id"]), 28)
        (row,) = wait_for(lambda: [one for one in other.ask("get_folders") if one["files"]], "the count", SOON)
        self.assertEqual((row["type"], row["error"], row["files"], row["size"]), ("read_only", 0, 1, 100_000))
        self.assertEqual(other.ask("shutdown"), {"error": 0})
        wait_for(lambda: not other.node.pid or not Path(f"/proc/{other.node.pid}").exists(), "the end of bob", SOON)


class SecretAloneProcessTests(ProcessTests):
    """A network of its own with ID server, seed and suppliers."""

    def sync(self, node: NodeProcess, *words: str) -> Any:
        return json.loads(node.cli("--json", "sync", *words))

    def test_owner_and_peers_are_lost(self) -> None:
        """A folder that suppliers keep comes back with the secret that reads it, to a new node without a name."""
        self.network.add_suppliers(2)
        alice = self.network.add_customer("alice", 2)
        before, after = self.base / "before", self.base / "after"
        before.mkdir()
        after.mkdir()
        files = {"song": os.urandom(2_000_000), "note": b"a short one"}
        for name, data in files.items():
            (before / name).write_bytes(data)
        made = self.sync(alice, "create", str(before))
        wait_for(lambda: alice.client.call("folder_info", folder=made["id"])["files"] == 2, "the files", SOON)
        alice.cli("sync", "suppliers", made["id"], "on")
        kept = lambda: self.sync(alice, "suppliers", made["id"])["state"] == "kept"  # noqa: E731
        wait_for(kept, "the folder at suppliers", 120)
        secret = self.base / "secret"
        secret.write_text(self.sync(alice, "secret", made["id"], "read-only")["read_only"])
        secret.chmod(0o600)
        alice.kill()
        shutil.rmtree(alice.home)
        shutil.rmtree(before)
        carol = self.network.node("carol")
        self.network.others.append(carol)
        nowhere = {"services/identity-propagate/known-servers": ""}
        carol.configure(self.network.joining | nowhere | NO_SUPPLIER | NO_CUSTOMER)
        carol.start()
        self.sync(carol, "add", str(after), "--secret-file", str(secret))
        back = lambda: {path.name: path.read_bytes() for path in after.iterdir() if path.is_file()} == files  # noqa: E731
        wait_for(back, "the files", 120)
        self.assertEqual(list((carol.home / "logs").glob("exception_*")), [])


class VendorApi:
    """What a client of the vendor's API asks, over HTTP."""

    def __init__(self, node: NodeProcess) -> None:
        self.node = node
        self.address = node.client.call("btsync_enable")["address"]

    def ask(self, method: str, **arguments: Any) -> Any:
        with urlopen(f"{self.address}?{urlencode({'method': method} | arguments)}", timeout=30) as answer:  # noqa: S310
            return json.load(answer)
