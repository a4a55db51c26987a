"""The first run with real processes: from an empty folder to an identity, a checked backup, and locked keys."""

import json
import os
import subprocess
import sys
from pathlib import Path

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from bitdust.cli.processes import NO_CUSTOMER, NO_SUPPLIER, NodeProcess, ProcessNetwork, wait_for
from bitdust.config.home import FORMAT


class FirstRunTests(TestCase):
    timeout = 180

    def setUp(self) -> None:
        self.base = Path(self.mktemp()).absolute()
        self.network = ProcessNetwork(self.base)
        self.addCleanup(deferToThread, self.network.close)

    async def test_first_run(self) -> None:
        """A script sets a node up; it is reminded until its backup counts; its keys are locked, wait, and open."""
        await deferToThread(self.first_run)

    def bitdust(self, node: NodeProcess, *words: str, env: dict[str, str] | None = None) -> tuple[int, str]:
        command = [sys.executable, "-m", "bitdust", "--appdir", str(node.home), *words]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=os.environ | (env or {})
        )
        return done.returncode, done.stdout + done.stderr

    def health(self, node: NodeProcess) -> str:
        return str(node.client.call("process_health")["identity"])

    def first_run(self) -> None:
        self.network.start_seed()
        node = self.network.node("alice")
        self.network.others.append(node)
        settings = dict(self.network.joining)
        servers = settings.pop("services/identity-propagate/known-servers")
        node.configure(settings | NO_CUSTOMER | NO_SUPPLIER)
        self.set_up(node, servers)
        self.locked(node)
        self.opened_by_file(node)
        self.newer_home(node)

    def set_up(self, node: NodeProcess, servers: str) -> None:
        key_file = self.base / "alice.key"
        code, output = self.bitdust(node, "init", "--yes", "--no-give", "--name", "alice", "--backup", str(key_file))
        self.assertEqual((code, "--known-servers HOST:PORT" in output), (1, True), output)
        code, output = self.bitdust(node, "init", "--yes", "--known-servers", servers, "--no-backup")
        self.assertEqual(code, 0, output)
        self.assertIn("reminder: ", self.bitdust(node, "services")[1])
        self.assertIsNone(node.client.call("identity_get")["backup_checked"])
        self.assertNotIn("backup-reminder", node.client.call("events_list"))
        node.stop()
        node.start()
        self.assertIn("backup-reminder", node.client.call("events_list"))
        inside = node.home / "alice.key"
        self.assertEqual(self.bitdust(node, "init", "--yes", "--backup", str(inside))[0], 0)
        self.assertIsNone(node.client.call("identity_get")["backup_checked"])
        self.assertEqual(self.bitdust(node, "init", "--yes", "--backup", str(key_file))[0], 0)
        self.assertGreater(node.client.call("identity_get")["backup_checked"], 0)
        self.assertEqual(self.bitdust(node, "identity", "check", str(key_file))[0], 0)

    def locked(self, node: NodeProcess) -> None:
        word = self.base / "word"
        word.write_text("correct horse\n")
        word.chmod(0o600)
        self.assertEqual(self.bitdust(node, "identity", "lock", "--passphrase-file", str(word))[0], 0)
        node.kill()
        node.start()
        self.assertEqual(self.health(node), "locked")
        self.assertIn("locked: run bitdust unlock", node.service("gateway")["reason"])
        self.assertIn("bitdust unlock", self.bitdust(node, "identity")[1])
        wrong = self.base / "wrong"
        wrong.write_text("wrong horse\n")
        wrong.chmod(0o600)
        self.assertEqual(self.bitdust(node, "unlock", "--passphrase-file", str(wrong))[0], 1)
        wait_for(lambda: self.bitdust(node, "unlock", "--passphrase-file", str(word))[0] == 0, "the pause", 20)
        self.assertEqual(self.health(node), "ready")
        node.wait_for_service("p2p_hookups")

    def opened_by_file(self, node: NodeProcess) -> None:
        node.cli("set", "personal/passphrase-file", str(self.base / "word"))
        node.stop()
        node.start()
        self.assertEqual(self.health(node), "ready")
        word = str(self.base / "word")
        self.assertEqual(self.bitdust(node, "identity", "unlock", "--permanently", "--passphrase-file", word)[0], 0)
        self.assertIn("BEGIN RSA PRIVATE KEY", (node.home / "metadata" / "mykeyfile").read_text())

    def newer_home(self, node: NodeProcess) -> None:
        node.stop()
        (node.home / "format").write_text(f"{FORMAT + 1}\nBitDust 99\n")
        code, output = self.bitdust(node, "daemon")
        self.assertEqual((code, "BitDust 99" in output), (1, True), output)
        (node.home / "format").unlink()  # as the oldest homes have it
        self.bitdust(node, "daemon")
        self.assertEqual(json.loads((node.home / "format").read_text().splitlines()[0]), FORMAT)
        self.assertTrue((node.home / "before-format-2" / "modes").exists())
        self.assertEqual(node.client.call("identity_get")["name"], "alice")
        self.assertEqual(node.client.call("events_list")["home-upgraded"], 1)
