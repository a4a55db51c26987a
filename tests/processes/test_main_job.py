"""The main job on real processes, sockets and files: back up, lose suppliers and the home, come back, resume."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from bitdust.cli.client import ApiError
from bitdust.cli.demo import differences, snapshot
from bitdust.cli.processes import NodeProcess, ProcessNetwork, wait_for

MB = 1_000_000


def make_folder(folder: Path) -> None:
    """Nested folders, names of raw bytes, modes, times, links, an empty file, and a file of several packs."""
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "large.bin").write_bytes(os.urandom(9 * MB))
    (folder / "deep" / "empty").write_bytes(b"")
    (folder / "deep" / "er" / "text.txt").write_text("same words " * 10_000)
    with open(os.path.join(os.fsencode(folder), b"latin-\xe9"), "wb") as stream:
        stream.write(b"a name that is no UTF-8")
    (folder / "deep" / "er" / "link").symlink_to("text.txt")
    (folder / "large.bin").chmod(0o640)
    os.utime(folder / "deep" / "empty", ns=(1_500_000_000_123_456_789, 1_500_000_000_123_456_789))
    os.utime(folder / "deep", ns=(1_600_000_000_000_000_001, 1_600_000_000_000_000_001))


def sent_bytes(node: NodeProcess) -> int:
    return int(node.client.call("packets_stats")["out"]["bytes"])


class ProcessTests(SynchronousTestCase):
    """A private network on this machine, gone again after the test."""

    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="bitdust-test-"))
        self.addCleanup(shutil.rmtree, self.base, ignore_errors=True)
        self.network = ProcessNetwork(self.base)
        self.addCleanup(self.network.close)
        self.network.start_seed()


class MainJobTests(ProcessTests):
    def upload(self, node: NodeProcess, local: Path, remote: str) -> Any:
        node.client.call("file_create", remote_path=remote, as_folder=local.is_dir(), exist_ok=True)
        return node.client.call("file_upload_start", local_path=str(local), remote_path=remote, wait_result=True)

    def test_resumes_after_kill(self) -> None:
        """An upload that was killed in its middle goes on by itself and does not send again what suppliers keep."""
        self.network.add_suppliers(4)
        node = self.network.add_customer("bob", 4)
        local = self.base / "resumed.bin"
        local.write_bytes(os.urandom(60 * MB))
        node.client.call("file_create", remote_path="resumed.bin")
        node.client.call("file_upload_start", local_path=str(local), remote_path="resumed.bin")
        wait_for(lambda: sent_bytes(node) > 30 * MB, "the middle of the upload")
        before = sent_bytes(node)
        node.kill()
        node.start()
        wait_for(lambda: self.reliable(node, "resumed.bin") == "100%", "the end of the upload")
        after = sent_bytes(node)
        self.assertLess(before + after, 120 * MB + 40 * MB)
        target = self.base / "resumed"
        node.client.call(
            "file_download_start", remote_path="resumed.bin", destination_path=str(target), wait_result=True
        )
        self.assertEqual((target / "resumed.bin").read_bytes(), local.read_bytes())
        node.stop()

    def reliable(self, node: NodeProcess, path: str) -> str:
        versions = node.client.call("file_info", remote_path=path)["versions"]
        return str(versions[-1]["reliable"]) if versions else ""

    def test_everything_comes_back(self) -> None:
        """With two of four suppliers and the home gone, a node with default settings and the key file restores all."""
        self.network.add_suppliers(4)
        customer = self.network.add_customer("alice", 4)
        folder = self.base / "precious"
        make_folder(folder)
        before = snapshot(folder)
        self.upload(customer, folder, "precious")
        key_file = self.base / "alice.key"
        customer.client.call("identity_backup", destination_filepath=str(key_file))
        self.assertEqual(key_file.stat().st_mode & 0o777, 0o600)
        for victim in self.network.suppliers[:2]:
            victim.kill()
        customer.kill()
        shutil.rmtree(customer.home)
        again = self.network.node("alice-again")
        self.network.others.append(again)
        again.start()
        again.client.call("identity_recover", private_key_local_file=str(key_file))
        again.wait_for_service("my_data")
        settings = again.home / "config" / "settings.json"
        written = settings.read_text() if settings.exists() else ""
        for word in ("known-nodes", "known-servers", "candidates"):
            self.assertNotIn(word, written)
        target = self.base / "restored"
        again.client.call(
            "file_download_start", remote_path="precious", destination_path=str(target), wait_result=True
        )
        self.assertEqual(differences(before, snapshot(target / "precious")), [])
        self.assertEqual(list((again.home / "logs").glob("exception_*")), [])


class DaemonTests(ProcessTests):
    def test_second_daemon_is_refused(self) -> None:
        """A second daemon on the same home says that one runs already and changes nothing."""
        seed = self.network.seed
        pid = seed.pid
        self.assertIn("main BitDust process already started", seed.cli("daemon"))
        self.assertEqual(seed.pid, pid)

    def test_stops_and_starts_again(self) -> None:
        """`bitdust stop` returns when the process is gone, and the daemon starts again on the same home."""
        node = self.network.seed
        node.stop()
        self.assertEqual(node.pid, 0)
        self.assertRaises(ApiError, node.client.call, "process_health")
        node.start()
