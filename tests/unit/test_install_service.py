"""The node as a systemd service: its unit, the command that writes it, and what the node tells the manager."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

from click.testing import Result
from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from bitdust.cli import uninstall
from bitdust.cli.unit import BadPath, Unit
from bitdust.config.networks import Networks
from bitdust.notify import ServiceManager
from tests.unit.test_cli import run

SYSTEMCTL = """#!/bin/sh
echo "$*" >> "{log}"
case "$2" in is-active) exit 3 ;; esac
exit {code}
"""


class UnitTests(SynchronousTestCase):
    def test_systemd_reads_every_line(self) -> None:
        """systemd-analyze finds nothing to complain about in the unit."""
        if shutil.which("systemd-analyze") is None:
            raise SkipTest("there is no systemd-analyze here")
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        path = folder / "bitdust.service"
        path.write_text(Unit("/bin/sh", folder / 'a home with 50% "quotes" and $dollars', "/opt/a b").text())
        environment = os.environ | {"XDG_RUNTIME_DIR": str(folder)}
        command = ["systemd-analyze", "verify", "--user", "--man=no", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        ours = [line for line in (done.stdout + done.stderr).splitlines() if path.name in line]
        self.assertEqual((done.returncode, ours), (0, []))
        path.write_text(path.read_text() + "ExecStart=\nTypo=1\n")
        broken = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        self.assertIn("Typo", broken.stdout + broken.stderr)

    def test_paths_are_text(self) -> None:
        """Nothing in a path is read as a specifier, a variable or a second word; a line break is refused."""
        text = Unit("/opt/my %python", Path('/srv/$HOME/a "b" %h')).text()
        self.assertIn('ExecStart="/opt/my %%python" "-m" "bitdust"', text)
        self.assertIn('"/srv/$$HOME/a \\"b\\" %%h"', text)
        self.assertRaises(BadPath, Unit("/bin/python", Path("/srv/a\nExecStartPre=b")).text)


class InstallTests(SynchronousTestCase):
    def setUp(self) -> None:
        base = Path(self.mktemp()).absolute()
        self.home, self.config, self.log = base / "home", base / "config", base / "systemctl.log"
        self.programs = base / "bin"
        self.programs.mkdir(parents=True)
        self.path = self.config / "systemd" / "user" / "bitdust.service"
        self.patch(os, "environ", os.environ | {"XDG_CONFIG_HOME": str(self.config), "PATH": str(self.programs)})
        self.systemctl(0)

    def systemctl(self, code: int) -> None:
        """Let systemctl write down what it is asked, and end so."""
        program = self.programs / "systemctl"
        program.write_text(SYSTEMCTL.format(log=self.log, code=code))
        program.chmod(0o755)

    def install(self, *words: str) -> Result:
        return run(str(self.home), "install-service", *words)

    def asked(self) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if "show-environment" not in line]

    def test_print_changes_nothing(self) -> None:
        """--print shows the unit, with the home folder and no secret, and writes nothing."""
        result = self.install("--print")
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn(f'"--appdir" "{self.home}" "start"', result.output)
        self.assertIn("Restart=on-failure", result.output)
        self.assertNotIn("secret", result.output)
        self.assertFalse(self.config.exists())

    def test_install_and_remove(self) -> None:
        """The unit is written and enabled, --now starts it, again is the same; --remove stops it and takes it away."""
        self.assertEqual(self.install().exit_code, 0)
        self.assertEqual(self.asked(), ["--user daemon-reload", "--user enable bitdust.service"])
        result = self.install("--now")
        self.assertIn("the node is started", result.output)
        self.assertIn("loginctl enable-linger", result.output)
        self.assertEqual(self.asked()[-1], "--user enable --now bitdust.service")
        self.assertEqual(self.path.read_text(), self.install("--print").output)
        self.assertEqual(self.install("--remove").exit_code, 0)
        self.assertEqual(self.asked()[-2:], ["--user disable --now bitdust.service", "--user daemon-reload"])
        self.assertFalse(self.path.exists())
        self.assertIn("there is no unit", self.install("--remove").output)

    def test_two_homes_two_names(self) -> None:
        """A unit of another home is not overwritten; another name is."""
        self.install()
        other = run(str(self.home) + "-2", "install-service")
        self.assertEqual(other.exit_code, 1)
        self.assertIn("choose another name", other.output)
        self.assertEqual(run(str(self.home) + "-2", "install-service", "--name", "bitdust-2").exit_code, 0)

    def test_any_folder(self) -> None:
        """A folder whose name must be written otherwise in a unit is known again: by this command, and by uninstall."""
        home = Path(f'{self.home} 50% "of" $HOME\\x')
        for _ in range(2):
            done = run(str(home), "install-service")
            self.assertEqual(done.exit_code, 0, done.output)
        self.patch(uninstall, "_take_unit_away", lambda unit: unit.unlink())
        self.assertIn(str(self.path), run(str(home), "uninstall", "--yes").output)
        self.assertFalse(self.path.exists())

    def test_network_of_the_day(self) -> None:
        """The unit starts whichever network is selected when it starts, as `bitdust daemon` does."""
        definition = {"name": "village", "label": "Village", "maintainer": "us"}
        Networks(self.home).create(json.dumps(definition).encode())
        Networks(self.home).select("village")
        self.install()
        self.assertIn(f'"--appdir" "{self.home}" "start"', self.path.read_text())
        self.assertIn(str(self.path), run(str(self.home), "uninstall").output)

    def test_no_systemd(self) -> None:
        """Without systemctl, or without a manager of this user, it says what to do and writes nothing."""
        self.systemctl(1)
        refused = self.install("--now")
        self.assertEqual(refused.exit_code, 1)
        self.assertIn("systemd does not run for this user", refused.output)
        (self.programs / "systemctl").unlink()
        refused = self.install()
        self.assertIn("there is no systemd on this machine; start the node with `bitdust daemon`", refused.output)
        self.assertFalse(self.config.exists())

    def test_bad_words(self) -> None:
        """Options that exclude each other and names that are paths are wrong usage."""
        for words in (["--now", "--print"], ["--name", "../x"], ["--name", ""]):
            self.assertEqual(self.install(*words).exit_code, 2, words)


class NotifyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = f"{self.mktemp()}.socket"
        self.clock = Clock()
        self.socket: Any = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(self.path)
        self.socket.setblocking(False)

    def heard(self) -> list[bytes]:
        found = []
        while True:
            try:
                found.append(self.socket.recv(100))
            except BlockingIOError:
                return found

    def test_life(self) -> None:
        """Ready is said once, signs of life twice in the watchdog's time, and stopping at the end."""
        manager = ServiceManager(self.clock, {"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": "10000000"})
        self.assertEqual(self.heard(), [])
        manager.ready()
        self.assertEqual(self.heard(), [b"READY=1", b"WATCHDOG=1"])
        self.clock.pump([5, 5])
        self.assertEqual(self.heard(), [b"WATCHDOG=1", b"WATCHDOG=1"])
        manager.stopping()
        manager.close()
        self.assertEqual(self.heard(), [b"STOPPING=1"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nobody_listens(self) -> None:
        """Without a manager, with a watchdog of another process, or with a manager that is gone, all is silent."""
        for environment in (
            {},
            {"WATCHDOG_USEC": "1000000"},
            {"NOTIFY_SOCKET": "/nowhere/socket"},
            {"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"},
        ):
            ServiceManager(self.clock, environment).ready()
            self.assertEqual(self.clock.getDelayedCalls(), [])
