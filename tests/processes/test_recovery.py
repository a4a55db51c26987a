"""Coming back on real processes, while half of the suppliers and the ID server swallow every byte."""

import os
import shutil
import signal
import time

from bitdust.cli.processes import NodeProcess
from tests.processes.test_main_job import ProcessTests

QUICKLY = 10.0


class FrozenTests(ProcessTests):
    def freeze(self, node: NodeProcess) -> None:
        os.kill(node.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, node.pid, signal.SIGCONT)

    def test_half_of_the_suppliers_are_frozen(self) -> None:
        """From the key file to a storage that gives files back takes less than ten seconds."""
        self.network.add_suppliers(4)
        customer = self.network.add_customer("alice", 4)
        local = self.base / "file"
        local.write_bytes(os.urandom(300_000))
        customer.client.call("file_create", remote_path="file")
        customer.client.call("file_upload_start", local_path=str(local), remote_path="file", wait_result=True)
        key_file = self.base / "alice.key"
        customer.client.call("identity_backup", destination_filepath=str(key_file))
        customer.kill()
        shutil.rmtree(customer.home)
        for frozen in (*self.network.suppliers[:2], self.network.seed):
            self.freeze(frozen)
        again = self.network.node("alice-again")
        self.network.others.append(again)
        again.start()
        began = time.monotonic()
        again.client.call("identity_recover", private_key_local_file=str(key_file), join_network=True)
        again.wait_for_service("my_data")
        self.assertLess(time.monotonic() - began, QUICKLY)
        target = self.base / "restored"
        again.client.call("file_download_start", remote_path="file", destination_path=str(target), wait_result=True)
        self.assertEqual((target / "file").read_bytes(), local.read_bytes())
        self.assertEqual(list((again.home / "logs").glob("exception_*")), [])
