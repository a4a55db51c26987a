"""What a test run started ends with it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.lifeline import MARK

ROOT = Path(__file__).resolve().parents[2]
RUN = """
import os, subprocess, sys
import tests
left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(left.pid, flush=True)
{end}
"""


def lives(pid: int) -> bool:
    """Not so for one that only waits to be asked how it ended: whoever inherits an orphan may not ask."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class LifelineTests(SynchronousTestCase):
    def run_and_end(self, end: str) -> tuple[int, str, int]:
        """Exit code and last words of a run that leaves a process behind, after its watcher has ended; that process."""
        if not Path("/proc/self/environ").exists():
            raise SkipTest("this machine does not show processes in /proc")
        program = RUN.format(end=end)
        environment = {name: value for name, value in os.environ.items() if name != MARK}
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment | {"PYTHONPATH": str(ROOT)},
                              capture_output=True, text=True, check=False)  # fmt: skip
        return done.returncode, done.stderr, int(done.stdout)

    def test_a_killed_run_leaves_nothing_behind(self) -> None:
        """A process that left the group of its run is gone when the run was killed without warning."""
        code, _, pid = self.run_and_end("os.kill(os.getpid(), 9)")
        self.assertEqual(code, -signal.SIGKILL)
        self.assertFalse(lives(pid))

    def test_an_orderly_run_is_told(self) -> None:
        """What is left behind at the end of a run is named and ended; what ends by itself in time is not."""
        code, said, pid = self.run_and_end("")
        self.assertEqual(code, 0)
        self.assertIn(f"left behind and ended {pid}: ", said)
        self.assertFalse(lives(pid))
        self.assertEqual(self.run_and_end("left.kill(); left.wait()")[:2], (0, ""))
