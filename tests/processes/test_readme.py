"""The network of the README, by hand on one machine: its commands work as they are printed, in their order."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bitdust.cli.processes import NodeProcess
from tests.lifeline import MARK

ROOT = Path(__file__).resolve().parents[2]
HOMES = ("seed", "bob", "carol", "alice", "alice-again")


def free_port(kind: socket.SocketKind) -> int:
    """A port that nobody has now."""
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class ReadmeTests(SynchronousTestCase):
    timeout = 180

    def setUp(self) -> None:
        self.home = Path(self.mktemp()).resolve()
        (self.home / "bin").mkdir(parents=True)
        program = self.home / "bin" / "bitdust"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bitdust "$@"\n')
        program.chmod(0o755)
        self.addCleanup(self.stop_all)

    def stop_all(self) -> None:
        for name in HOMES:
            home = self.home / "try" / name
            if home.is_dir():
                NodeProcess(name, home).stop()

    def test_by_hand(self) -> None:
        """A seed, two suppliers and a customer; what is lost comes back from the key file."""
        text = (ROOT / "README.md").read_text(encoding="utf-8")
        (script,) = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
        for port, kind in (("8084", socket.SOCK_STREAM), ("14441", socket.SOCK_DGRAM)):
            script = script.replace(port, str(free_port(kind)))
        environment = {
            "HOME": str(self.home), "PATH": f"{self.home / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8", "USER": "you", MARK: os.environ.get(MARK, ""),
        }  # fmt: skip
        done = subprocess.run(
            ["sh", "-eu"], input=script, text=True, capture_output=True, check=False, cwd=self.home,
            env=environment, timeout=170,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, f"{done.stdout}\n{done.stderr}")
        self.assertIn("everything is back", done.stdout)
        self.assertEqual(len(re.findall(r"100% +100% +precious", done.stdout)), 2, done.stdout)
        self.assertNotIn("Traceback", done.stderr)
