"""A disk that breaks at one change; `python -m tests.grid.crash SCENARIO` breaks each of them in every way."""

import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.files import write_safely
from bitdust.testing.faulty_disk import CREATE, Change, FaultyDisks
from tests.grid.chaos import promises
from tests.grid.crash import running
from tests.grid.crash.power import Unsynced

RUN_SECONDS = 300


class CrashTests(SynchronousTestCase):
    def test_a_sample_of_all_points(self) -> None:
        """Whatever a node does to its disk may be the last thing, or fail: nothing is lost, nothing is stuck."""
        command = [sys.executable, "-m", "tests.grid.crash", "sample", "8"]
        around = os.environ | {"PYTHONHASHSEED": "0"}
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=RUN_SECONDS, check=False, env=around
        )
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)

    def test_a_loss_is_seen(self) -> None:
        """A run in which a file is changed on its way back fails."""
        real = promises.read
        with mock.patch.object(promises, "read", lambda path: None if "back" in path.parts else real(path)):
            why, _, _ = running.run("upload")
        self.assertIn("came back as something else", why)


class PowerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()
        self.unsynced = Unsynced()
        self.disks = FaultyDisks(sees_all_syncs=True)
        self.disks.watch(self.home, self.see)

    def see(self, change: Change) -> None:
        self.unsynced.see(change)

    def there(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.home.iterdir()}

    def test_what_was_synced_stays(self) -> None:
        """A file that was written by the rule of the house is there after a power cut."""
        with self.disks.installed():
            write_safely(self.home / "file", b"first")
            write_safely(self.home / "file", b"second")
        self.unsynced.cut()
        self.assertEqual(self.there(), {"file": b"second"})

    def test_what_was_not_synced_goes(self) -> None:
        """A new file, a new name and a removal without a sync are taken back."""
        for name in ("renamed", "removed", "written"):
            (self.home / name).write_bytes(name.encode())
        with self.disks.installed():
            (self.home / "renamed").replace(self.home / "other")
            (self.home / "removed").unlink()
            self.unsynced.see(Change(CREATE, self.home / "new"))
            (self.home / "new").write_bytes(b"new")
            self.unsynced.see(Change(CREATE, self.home / "written"))
            (self.home / "written").write_bytes(b"more")
        self.unsynced.cut()
        self.assertEqual(self.there(), {name: name.encode() for name in ("renamed", "removed", "written")})
