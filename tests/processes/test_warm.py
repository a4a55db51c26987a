"""Daemons that begin as forks are such as `launch` starts."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bitdust.cli import daemon
from bitdust.cli.processes import QUIET, NodeProcess, StepFailed


class WarmTests(SynchronousTestCase):
    def setUp(self) -> None:
        base = Path(tempfile.mkdtemp(prefix="bitdust-test-"))
        self.addCleanup(shutil.rmtree, base, ignore_errors=True)
        self.node = NodeProcess("alone", base / "alone")
        self.node.configure(QUIET)
        self.addCleanup(self.node.stop)

    def facts(self) -> tuple[object, ...]:
        """Session, folder, and where its words go."""
        files = [Path(f"/proc/{self.node.pid}/fd/{number}").resolve() for number in range(3)]
        return os.getsid(self.node.pid) == self.node.pid, Path(f"/proc/{self.node.pid}/cwd").resolve(), files

    def test_as_launched(self) -> None:
        """Session, folder and files are the same either way, and each is a process of its own that can be killed."""
        self.node.start()
        forked, pid = self.facts(), self.node.pid
        self.node.kill()
        self.patch(daemon, "subprocess", subprocess)
        self.node.start()
        self.assertEqual(forked, self.facts())
        self.assertNotEqual(pid, self.node.pid)

    def test_what_does_not_start(self) -> None:
        """Its words come from its log, and the end of the process is noticed."""
        (self.node.home / "config").mkdir(exist_ok=True)
        for path in (self.node.home / "config").iterdir():
            path.write_text("no = settings = at all")
        error = self.assertRaises(StepFailed, self.node.start)
        self.assertIn("BitDust cannot start", str(error))
