"""Unmodified clients of the vendor's API against a real daemon that was started as the vendor's was."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from bitdust.cli.lock import running_pid
from bitdust.cli.processes import NO_CUSTOMER, NO_SUPPLIER, QUIET, NodeProcess, wait_for
from bitdust.web.btsync.methods import THE_SEVENTEEN
from tests.btsync_seed import clients
from tests.btsync_seed.printed import differences, printed
from tests.processes.test_websocket import NOWHERE
from tests.unit.test_btsync import B

ROOT = Path(__file__).parents[2]
HOST = "192.168.1.1:4567"
EXPECTED = {one.name: one.answer for one in printed()}
CONFIG = """\
{
    // as the vendor's page has it, in another place
    "storage_path" : "%s",
    "device_name" : "box", /* with a name */
    "pid_file" : "btsync.pid",
    "webui" : {
        "listen" : "127.0.0.1:0",
        "login" : "api",
        "password" : "secret",
        "api_key" : "xxx",
    },
}
"""


class VendorCase(SynchronousTestCase):
    """A daemon of `bitdust btsync --config FILE`, gone again after the test."""

    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="bitdust-test-"))
        self.addCleanup(shutil.rmtree, self.base, ignore_errors=True)
        self.node = NodeProcess("node", self.base / "storage")
        self.node.configure(QUIET | NO_CUSTOMER | NO_SUPPLIER | NOWHERE)
        self.folder = self.base / "folder"
        self.folder.mkdir()
        self.config = self.base / "sync.conf"
        self.config.write_text(CONFIG % self.node.home)
        self.addCleanup(self.node.stop)

    def btsync(self, *words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "bitdust", "btsync", "--config", str(self.config), *words]
        return subprocess.run(
            command, cwd=self.base, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self) -> int:
        """Start it; the number of the port that it took."""
        done = self.btsync()
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        return int(wait_for(lambda: self.node.client.call("btsync_status")["port"], "the port of the API"))

    def run_client(self, command: list[str], **more: str) -> dict[str, Any]:
        done = subprocess.run(
            command, env=os.environ | more, cwd=self.base, check=False, capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return dict(json.loads(done.stdout))

    def check(self, found: dict[str, Any], names: set[str]) -> None:
        """Every answer has exactly the keys that the vendor's page prints, or was recorded to have."""
        self.assertEqual(names - found.keys(), set())
        wrong = {name: differences(EXPECTED[name], found[name], name) for name in names}
        self.assertEqual({name: text for name, text in wrong.items() if text}, {})
        wait_for(lambda: running_pid(self.node.home) is None, "the end of the process after shutdown", 60)


class ClientTests(VendorCase):
    def test_the_client_of_python(self) -> None:
        """Every method of `pybtsync` gets its answer; two of them fail in the client itself before they ask."""
        if not clients.PYTHON_FOLDER.is_dir():
            raise SkipTest(clients.MISSING_PYTHON)
        script = str(ROOT / "tests" / "btsync_seed" / "every_method.py")
        words = [str(self.start()), str(self.folder), HOST]
        found = self.run_client([sys.executable, script, *words], PYTHONPATH=str(clients.PYTHON_FOLDER))
        own_faults = {"set_prefs", "set_folder_prefs"}
        self.assertEqual({found[name].partition(":")[0] for name in own_faults}, {"RuntimeError"})
        self.assertEqual(found["refused"], "Exception: Specify all the required parameters for add_folder.")
        self.check(shapes(found), set(THE_SEVENTEEN) - own_faults)

    def test_the_client_of_node(self) -> None:
        """Every method of `bittorrent-sync` gets its answer, and errors come to it as errors."""
        module = clients.JAVASCRIPT_FOLDER / "node_modules" / "bittorrent-sync"
        if not module.is_dir() or shutil.which("node") is None:
            raise SkipTest(clients.MISSING_JAVASCRIPT)
        script = str(ROOT / "tests" / "btsync_seed" / "every_method.js")
        words = [str(module), str(self.start()), str(self.folder), HOST]
        came = self.run_client(["node", "--no-deprecation", script, *words])
        found = {re.sub("([A-Z])", lambda letter: "_" + letter[1].lower(), name): one for name, one in came.items()}
        told = {name: found[name]["failed"] for name in ("nothing given", "no folder", "no secret", "removed before")}
        self.assertEqual(
            told,
            {
                "nothing given": "2: Specify all the required parameters for add_folder.",
                "no folder": "100: Can't open the destination folder.",
                "no secret": "3: Invalid secret.",
                "removed before": "1: undefined",
            },
        )
        self.assertEqual(found["set_folder_prefs"]["use_dht"], 1)
        self.assertEqual(found["set_prefs"]["lang"], -1)
        self.assertEqual(found["set_folder_hosts"], {"hosts": [HOST]})
        self.check(found, set(THE_SEVENTEEN))


def shapes(found: dict[str, Any]) -> dict[str, Any]:
    """Answers as they came over the wire, where the client hands out one value of them."""
    names = {name: next(iter(EXPECTED[name])) for name in EXPECTED if isinstance(EXPECTED[name], dict)}
    return {
        name: {names[name]: value} if name in names and not isinstance(value, dict) else value
        for name, value in found.items()
    }


class DaemonTests(VendorCase):
    def test_as_the_vendors_daemon(self) -> None:
        """It takes the vendor's file, has its folders, and writes its number where that says; only one may run."""
        shared = {"secret": B, "dir": "folder", "known_hosts": [HOST]}
        self.config.write_text(
            self.config.read_text().rstrip("}\n") + f'  "shared_folders": [{json.dumps(shared)}],\n}}'
        )
        self.start()
        self.assertEqual(int((self.base / "btsync.pid").read_text()), running_pid(self.node.home))
        self.assertEqual(self.node.client.call("config_get", key="services/folder-sync/device-name")[0]["value"], "box")
        (row,) = [one for one in self.node.client.call("folders_list") if one["directory"] == str(self.folder)]
        self.assertEqual(self.node.client.call("folder_secrets", folder=row["id"]), {"read_only": B})
        self.assertEqual(self.node.client.call("folder_preferences", folder=row["id"])["hosts"], [HOST])
        again = self.btsync()
        self.assertEqual(again.returncode, 1)
        self.assertIn("a node runs with", again.stdout)

    def test_in_the_foreground(self) -> None:
        """With --nodaemon it stays, and ends when it is asked to, as its API asks it too."""
        command = [sys.executable, "-m", "bitdust", "btsync", "--config", str(self.config), "--nodaemon"]
        nothing = subprocess.DEVNULL
        around = os.environ | {"PYTHONPATH": str(ROOT)}
        running = subprocess.Popen(command, cwd=self.base, env=around, stdin=nothing, stdout=nothing, stderr=nothing)
        self.addCleanup(running.kill)
        pid_file = self.base / "btsync.pid"
        wait_for(pid_file.exists, "the number of the process", 60)
        self.assertNotEqual(int(pid_file.read_text()), running.pid)
        running.terminate()
        self.assertEqual(running.wait(60), 0)
        self.assertEqual((pid_file.exists(), running_pid(self.node.home)), (False, None))
