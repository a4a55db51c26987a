"""The daemon as a real process: one a home, back after a kill, gone after a stop."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from bitdust.cli.client import ApiClient, ApiError
from bitdust.cli.daemon import wait_until
from bitdust.cli.lock import running_pid
from bitdust.config.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
QUIET = {
    "services/network/interface": "127.0.0.1",
    "services/tcp-connections/tcp-port": "0",
    "services/udp-datagrams/udp-port": "0",
    "services/entangled-dht/udp-port": "0",
    "interface/api/rest-http-port": "0",
    "interface/api/web-socket-port": "0",
}


class DaemonTests(TestCase):
    timeout = 120

    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        settings = Settings(self.home / "config")
        for key, value in QUIET.items():
            settings.set(key, value)

    def tearDown(self) -> None:
        pid = running_pid(self.home)
        if pid:
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: running_pid(self.home) is None, 10)

    def cli(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command, until nobody holds its output open any more."""
        command = [sys.executable, "-m", "bitdust", "--appdir", str(self.home), *words]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60, stdin=subprocess.DEVNULL
        )

    async def test_life(self) -> None:
        """Started once, restarted by the API, killed, started again, stopped; the output is closed each time."""
        await deferToThread(self.life)

    def life(self) -> None:
        first = self.cli("daemon")
        self.assertEqual((first.returncode, first.stdout), (0, "new BitDust process will be started in daemon mode\n"))
        self.assertEqual(self.cli("daemon").stdout, "main BitDust process already started\n")
        self.assertEqual(self.cli("start").returncode, 1)
        client = ApiClient(self.home)
        client.call("event_send", event_id="before-the-restart")
        self.assertEqual(client.call("process_restart"), {"restarted": True})
        self.assertTrue(wait_until(self.forgot_events, 20))
        os.kill(running_pid(self.home) or 0, signal.SIGKILL)
        self.assertTrue(wait_until(lambda: running_pid(self.home) is None, 10))
        self.assertEqual(self.cli("services").returncode, 1)
        self.assertEqual(self.cli("daemon").returncode, 0)
        self.assertTrue(self.answers())
        stopped = self.cli("stop")
        self.assertIn("found main BitDust process:", stopped.stdout)
        self.assertTrue(stopped.stdout.endswith("finished\n"))
        self.assertIsNone(running_pid(self.home))
        self.assertEqual(self.cli("stop").stdout, "BitDust is not running at the moment\n")

    def forgot_events(self) -> bool:
        """A new process answers: events live as long as their process."""
        try:
            return "before-the-restart" not in ApiClient(self.home).call("events_list")
        except ApiError:
            return False

    def answers(self) -> bool:
        return self.cli("api", "process_health").returncode == 0

    async def test_broken_settings(self) -> None:
        """A node that cannot start says why, with exit code 1, and leaves the file as it is."""
        path = self.home / "config" / "settings.json"
        path.write_text("{")
        result = await deferToThread(self.cli, "daemon")
        self.assertEqual(result.returncode, 1)
        self.assertIn(str(path), result.stderr)
        self.assertEqual(path.read_text(), "{")

    async def test_settings_that_somebody_else_writes(self) -> None:
        """A running node takes over what another process writes into its settings."""
        await deferToThread(self.followed)

    def followed(self) -> None:
        self.assertEqual(self.cli("daemon").returncode, 0)
        client = ApiClient(self.home)
        Settings(self.home / "config").set("logs/debug-level", 7)
        self.assertTrue(wait_until(lambda: client.call("config_get", key="logs/debug-level")[0]["value"] == 7, 70))
