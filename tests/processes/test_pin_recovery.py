"""Pins on real processes: what a client of IPFS pins comes back from the key file, when the machine is gone."""

import io
import os
import shutil
import warnings
from typing import Any

import ipfshttpclient

from bitdust.cli.processes import QUIET, NodeProcess, wait_for
from tests.processes.ipfs_kit import client_address
from tests.processes.test_main_job import ProcessTests

ON = {
    "services/ipfs/api-port": "0",
    "services/ipfs/gateway-port": "0",
    "services/block-store/enabled": "true",
    "services/ipfs/enabled": "true",
}
"""All but the backup: what is pinned before that is switched on is brought to suppliers at once, not ten seconds
after the last change."""


class PinRecoveryTests(ProcessTests):
    def client(self, node: NodeProcess) -> Any:
        """The unmodified client of a node."""
        port = wait_for(lambda: node.client.call("ipfs_status")["port"], "the port of IPFS")
        warnings.simplefilter("ignore")
        client = ipfshttpclient.connect(client_address(port), session=True)
        self.addCleanup(client.close)
        return client

    def backed_up(self, node: NodeProcess) -> dict[str, bool]:
        return {row["cid"]: row["backed_up"] for row in node.client.call("ipfs_pins")}

    def test_pins_come_back(self) -> None:
        """A file and one with a name are backed up; after a kill, without the home, both are read from suppliers."""
        self.network.add_suppliers(2)
        alice = self.network.add_customer("alice", 2, ON)
        client = self.client(alice)
        data = os.urandom(700_000)
        path = self.base / "song"
        path.write_bytes(data)
        cid = client.add(str(path))["Hash"]
        client.pin.add(cid)
        client.files.write("/notes", io.BytesIO(b"to remember"), create=True)
        alice.client.call("ipfs_enable")
        wait_for(lambda: len(self.backed_up(alice)) == 2 and all(self.backed_up(alice).values()), "the backup of pins")
        key_file = self.base / "alice.key"
        alice.client.call("identity_backup", destination_filepath=str(key_file))
        alice.kill()
        shutil.rmtree(alice.home)
        again = self.network.node("alice-again")
        self.network.others.append(again)
        again.configure(QUIET | ON)
        again.start()
        again.client.call("identity_recover", private_key_local_file=str(key_file), join_network=True)
        again.client.call("ipfs_enable")
        again.wait_for_service("my_data")
        client = self.client(again)
        wait_for(lambda: cid in client.pin.ls(type="recursive")["Keys"], "the pins")
        self.assertEqual(again.client.call("ipfs_status")["blocks"], 0)
        self.assertEqual(client.cat(cid), data)
        self.assertEqual(client.files.read("/notes"), b"to remember")
        self.assertEqual(list(client.pin.verify(cid)), [])
        self.assertEqual(list((again.home / "logs").glob("exception_*")), [])
