"""Completion, the manual page, exit codes in the help, and taking all of it away again."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem
from click.testing import Result
from twisted.trial.unittest import SynchronousTestCase

from bitdust.cli import completion, manual, uninstall
from bitdust.cli.lock import ProcessLock
from bitdust.cli.main import COMMANDS, cli
from bitdust.cli.unit import Unit
from bitdust.customers.database import SCHEMA
from tests.unit.test_cli import run
from tests.unit.test_identity import GOOD

ROOT = Path(__file__).resolve().parents[2]


class PlacesCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        self.user = Path(self.mktemp()).absolute()
        for name, folder in (("XDG_DATA_HOME", "data"), ("XDG_CONFIG_HOME", "config")):
            self.patch(os, "environ", os.environ | {name: str(self.user / folder)})

    def bitdust(self, *words: str, code: int = 0, **options: Any) -> Result:
        result = run(str(self.home), *words, **options)
        self.assertEqual(result.exit_code, code, result.output)
        return result


class CompletionTests(PlacesCase):
    def test_scripts(self) -> None:
        """Each shell gets a script of click's that asks this program; installed, it lies where the shell looks."""
        for shell, path in completion.places().items():
            text = self.bitdust("completion", shell).output
            self.assertIn(completion.VARIABLE, text)
            self.bitdust("completion", shell, "--install")
            self.assertEqual(path.read_text(), text)
            self.assertEqual(path.stat().st_mode & 0o777, 0o644)
            self.bitdust("completion", shell, "--install")
        self.assertEqual(subprocess.run(["bash", "-n", completion.places()["bash"]], check=False).returncode, 0)

    def test_own_shell(self) -> None:
        """Without a name it is the user's shell; an unknown one is wrong usage."""
        self.assertIn("complete -o", self.bitdust("completion", env={"SHELL": "/usr/bin/bash"}).output)
        self.bitdust("completion", env={"SHELL": "/usr/bin/tcsh"}, code=2)

    def test_foreign_file(self) -> None:
        """A file that we did not write stays."""
        path = completion.places()["fish"]
        path.parent.mkdir(parents=True)
        path.write_text("mine")
        self.bitdust("completion", "fish", "--install", code=1)
        self.assertEqual(path.read_text(), "mine")

    def test_completes(self) -> None:
        """A real process completes commands, commands of groups, and options, and loads nothing for the first word."""

        def words(*typed: str) -> list[str]:
            env = os.environ | {
                "_BITDUST_COMPLETE": "bash_complete",
                "COMP_WORDS": " ".join(["bitdust", *typed]),
                "COMP_CWORD": str(len(typed)),
            }
            code = (
                "import sys; from bitdust.cli.main import cli\ntry: cli.main(prog_name='bitdust')\n"
                "finally: print('LOADED', *[name for name in sys.modules if name == 'bitdust.cli.files'])"
            )
            done = subprocess.run(
                [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False, cwd=ROOT
            )
            return done.stdout.split()

        self.assertEqual(words("unin"), ["plain,uninstall", "LOADED"])
        self.assertIn("plain,upload", words("file", "up"))
        self.assertIn("plain,--encrypt", words("identity", "backup", "--en"))

    def test_root_words(self) -> None:
        """The first word completes from the table, with its help."""
        found = cli.shell_complete(click.Context(cli), "ini")
        self.assertEqual(
            [(item.value, item.help) for item in found if isinstance(item, CompletionItem)],
            [("init", COMMANDS["init"][1])],
        )


class ManualTests(PlacesCase):
    def test_every_command(self) -> None:
        """Each command has its section, and no line of text is taken for a request."""
        page = manual.page()
        for name in COMMANDS:
            self.assertIn(f".SS bitdust {manual.roff(name)}", page)
        requests = {line.split()[0] for line in page.splitlines() if line.startswith((".", "'"))}
        self.assertEqual(requests - {'.\\"', ".TH", ".SH", ".SS", ".B", ".TP", ".PP", ".nf", ".fi"}, set())

    def test_roff(self) -> None:
        """Text with dots, dashes and backslashes in front stays text."""
        self.assertEqual(
            [manual.roff(text) for text in (".TH", "'x", "a\\b", "--all")], ["\\&.TH", "\\&'x", "a\\eb", "\\-\\-all"]
        )

    def test_install(self) -> None:
        """`man --install` writes the page where man looks."""
        self.bitdust("man", "--install")
        self.assertEqual(manual.place().read_text(), manual.page())


class ExitCodeTests(SynchronousTestCase):
    def test_in_every_help(self) -> None:
        """The help of every command, also inside groups, tells what its exit codes mean."""

        def check(command: click.Command, context: click.Context) -> None:
            self.assertIn("Exit codes: 0", command.get_help(context), context.command_path)
            for name, inner in getattr(command, "commands", {}).items():
                check(inner, click.Context(inner, info_name=name, parent=context))

        root = click.Context(cli, info_name="bitdust")
        for name in COMMANDS:
            command = cli.get_command(root, name)
            assert command is not None
            check(command, click.Context(command, info_name=name, parent=root))


class UninstallTests(PlacesCase):
    def setUp(self) -> None:
        super().setUp()
        (self.home / "metadata").mkdir(parents=True)
        (self.home / "metadata" / "localidentity").write_bytes(GOOD.xml)
        (self.home / "metadata" / "mykeyfile").write_text("key")
        self.name = GOOD.global_id
        self.bitdust("completion", "bash", "--install")
        self.bitdust("man", "--install")
        self.units = self.user / "config" / "systemd" / "user"
        self.units.mkdir(parents=True)
        for name, home in (("bitdust", self.home), ("other", self.home / "other")):
            (self.units / f"{name}.service").write_text(Unit("/usr/bin/python3", home).text())
        (self.units / "foreign.service").write_text(f'ExecStart="{self.home}"')
        self.patch(uninstall, "_take_unit_away", lambda unit: unit.unlink())

    def customers(self, count: int) -> None:
        with sqlite3.connect(self.home / "customers.db") as opened:
            opened.executescript(SCHEMA)
            for number in range(count):
                opened.execute(
                    "INSERT INTO contracts VALUES(?, x'00', 1, 0, 4, 0, 30, 30, 'active', 0, 0, 0, '')",
                    (bytes([number]),),
                )
        opened.close()

    def test_shows_first(self) -> None:
        """Where nobody can be asked it tells what would go and what stays, and changes nothing."""
        output = self.bitdust("uninstall").output
        for words in (
            "bitdust.service",
            str(completion.places()["bash"]),
            str(manual.place()),
            "Nothing was changed",
            f"the home folder {self.home}",
            "pip uninstall",
        ):
            self.assertIn(words, output)
        for words in ("other.service", "foreign.service"):
            self.assertNotIn(words, output)
        self.assertTrue(manual.place().exists())

    def test_removes(self) -> None:
        """With --yes what was installed goes; the home, other units and other files stay; twice is no error."""
        for _ in range(2):
            self.bitdust("uninstall", "--yes")
            self.assertFalse(manual.place().exists() or completion.places()["bash"].exists())
            self.assertEqual(sorted(path.name for path in self.units.iterdir()), ["foreign.service", "other.service"])
            self.assertEqual((self.home / "metadata" / "mykeyfile").read_text(), "key")

    def test_asks(self) -> None:
        """A person is asked, and no means no."""
        self.patch(uninstall, "somebody_is_there", lambda: True)
        self.bitdust("uninstall", input="n\n", code=1)
        self.assertTrue(manual.place().exists())
        self.bitdust("uninstall", input="y\n")
        self.assertFalse(manual.place().exists())

    def test_erase_home(self) -> None:
        """The home goes only for its name in full, and a missing backup is told before."""
        for wrong in ("", "alice", str(self.home), self.name.upper()):
            self.assertIn(self.name, self.bitdust("uninstall", "--yes", "--erase-home", wrong, code=2).output)
        self.assertIn("no copy of the key file", self.bitdust("uninstall", "--erase-home", self.name).output)
        self.assertTrue((self.home / "metadata" / "mykeyfile").exists())
        self.bitdust("uninstall", "--yes", "--erase-home", self.name)
        self.assertEqual([path.name for path in self.home.parent.glob(self.home.name + "*")], [])

    def test_other_networks(self) -> None:
        """A base folder that holds other networks' homes is not erased with the default one."""
        (self.home / "networks" / "test").mkdir(parents=True)
        self.assertIn("networks", self.bitdust("uninstall", "--yes", "--erase-home", self.name, code=1).output)
        self.assertTrue(self.home.exists())

    def test_customers(self) -> None:
        """While others' pieces lie here it refuses, with their number, unless it is told to abandon them."""
        self.customers(2)
        output = self.bitdust("uninstall", "--yes", code=1).output
        self.assertIn("2 customers", output)
        self.assertIn("bitdust supplier retire", output)
        self.assertTrue(manual.place().exists())
        self.bitdust("uninstall", "--yes", "--abandon-customers")
        self.assertFalse(manual.place().exists())

    def test_no_customers(self) -> None:
        """An empty book of customers is no hindrance, an unreadable one is."""
        self.customers(0)
        self.bitdust("uninstall", "--yes")
        (self.home / "customers.db").write_bytes(b"not a database, but long enough to be taken for one" * 100)
        self.assertIn("cannot be read", self.bitdust("uninstall", "--yes", code=1).output)

    def test_held_home(self) -> None:
        """A home that another process holds is not erased."""
        self.patch(uninstall, "running_pid", lambda home: None)
        lock = ProcessLock.acquire(self.home)
        self.bitdust("uninstall", "--yes", "--erase-home", self.name, code=1)
        self.assertTrue((self.home / "metadata" / "mykeyfile").exists())
        lock.release()

    def test_json(self) -> None:
        """For programs: what would go, and what went."""
        self.assertIn('"would_remove"', self.bitdust("--json", "uninstall").output)
        self.assertIn('"removed"', self.bitdust("--json", "uninstall", "--yes").output)
