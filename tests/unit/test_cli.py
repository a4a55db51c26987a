"""The command line, without a node: help, settings, the process lock, what is printed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from bitdust.api.methods import TABLE
from bitdust.cli import lock as lock_module
from bitdust.cli.calls import parse_argument
from bitdust.cli.client import ApiClient, NotRunning
from bitdust.cli.lock import AlreadyRunning, ProcessLock, running_pid
from bitdust.cli.main import ALIASES, COMMANDS, cli, main
from bitdust.cli.output import age, in_commands, printable, size, text
from bitdust.cli.settings import SHORT_NAMES


def run(home: str, *words: str, **options: Any) -> Result:
    """One command as the console script runs it, with the exit code that a shell would see."""

    @click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
    @click.argument("rest", nargs=-1, type=click.UNPROCESSED)
    def script(rest: tuple[str, ...]) -> None:
        before, sys.argv = sys.argv, ["bitdust", "--appdir", home, *rest]
        try:
            main()
        finally:
            sys.argv = before

    return CliRunner().invoke(script, list(words), **options)


class HelpTests(SynchronousTestCase):
    def test_every_command_loads(self) -> None:
        """Each name of the table is a command with help, and each alias leads to one."""
        context = click.Context(cli)
        for name in COMMANDS:
            command = cli.get_command(context, name)
            assert command is not None
            self.assertTrue(command.help, name)
            for inner in getattr(command, "commands", {}).values():
                self.assertTrue(inner.help, f"{name} {inner.name}")
        self.assertFalse(set(ALIASES.values()) - set(COMMANDS))
        self.assertFalse(set(ALIASES) & set(COMMANDS))

    def test_help_loads_no_twisted(self) -> None:
        """Help and simple commands import neither Twisted nor the API."""
        code = (
            "import sys; from bitdust.cli.main import cli\n"
            "for words in (['--help'], ['help', 'file', 'upload'], ['version']):\n"
            "    cli.main(words, standalone_mode=False)\n"
            "import bitdust.cli.files, bitdust.cli.identity, bitdust.cli.settings, bitdust.cli.daemon\n"
            "loaded = [name for name in sys.modules if name.split('.')[0] in ('twisted', 'rich', 'cryptography')]\n"
            "assert not loaded, loaded"
        )
        root = str(Path(__file__).resolve().parents[2])
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=root)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("identity", done.stdout)

    def test_what_the_system_refuses(self) -> None:
        """A folder that cannot be made or read ends a command with 1 and a line that names it, not with a traceback."""
        home = Path(self.mktemp()).absolute()
        home.mkdir()
        (home / "logs").write_text("a file where a folder should be")
        for folder, reason in ((home, "File exists"), (Path("/dev/null/x"), "Not a directory")):
            result = run(str(folder), "daemon")
            told = result.output.splitlines()[-1]
            self.assertEqual((result.exit_code, told), (1, f"error: {folder / 'logs'}: {reason}"), result.output)

    def test_wrong_usage(self) -> None:
        """Unknown commands and missing arguments end with 2 and say what is right."""
        for words in (["dance"], ["set", "suppliers"], ["file", "upload"], ["api", "process_health", "novalue"]):
            result = run(self.mktemp(), *words)
            self.assertEqual(result.exit_code, 2, words)
        for line, meant in (("supplir", "supplier"), ("identity sever", "server"), ("file list --flt", "--flat")):
            self.assertIn(meant, run(self.mktemp(), *line.split()).output, line)

    def test_json_errors(self) -> None:
        """With --json, wherever it stands, a refusal is JSON with its code, and nothing is mixed into the output."""
        for words in (["--json", "id"], ["id", "--json"], ["file", "--json", "list"]):
            result = run(self.mktemp(), *words)
            answer = json.loads(result.stderr)
            self.assertEqual((result.exit_code, answer["status"], answer["code"]), (1, "ERROR", "not-running"))
            self.assertEqual(result.stdout, "")
        self.assertEqual(list(json.loads(run(self.mktemp(), "version", "--json").stdout)), ["version"])

    def test_words_of_older_scripts(self) -> None:
        """Commands under the names that scripts know lead to a command with help."""
        for line in (
            "reconnect", "rejoin", "connect", "dir create", "dir rm", "key copy", "key backup", "identity server",
            "identity bk", "file cancel upload x", "file progress download", "machines list", "service on", "sendid",
        ):  # fmt: skip
            self.assertEqual(run(self.mktemp(), *line.split(), "--help").exit_code, 0, line)
        self.assertIn("services/supplier/donated-space", run(self.mktemp(), "help", "settings").output)


class SettingsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = self.mktemp()

    def test_chain(self) -> None:
        """Settings written while nothing runs are there for the next reader, one file, by short and long names."""
        self.assertEqual(run(self.home, "set", "suppliers", "7").exit_code, 0)
        self.assertEqual(run(self.home, "set", "services/supplier/donated-space", "2 GB").exit_code, 0)
        self.assertEqual(run(self.home, "get", "services/customer/suppliers-number").output.strip(), "7")
        self.assertEqual(run(self.home, "config", "donated").output.strip(), "2 GB")
        stored = json.loads((Path(self.home) / "config" / "settings.json").read_text())
        self.assertEqual(set(stored), {"services/customer/suppliers-number", "services/supplier/donated-space"})

    def test_short_names(self) -> None:
        """Every short name that scripts use is that of a setting."""
        for name in SHORT_NAMES:
            self.assertEqual(run(self.home, "get", name).exit_code, 0, name)
        for name in ("max-block-size", "keep-local-data", "udp", "udp-port", "proxy"):
            self.assertIn(name, SHORT_NAMES)

    def test_list_and_folders(self) -> None:
        """`set list` shows all settings, `get` of a folder those inside."""
        self.assertIn("services/employer/candidates", run(self.home, "set", "list").output)

    def test_settings_that_nothing_reads_are_not_listed(self) -> None:
        """What is only accepted from older scripts is left out of the list, and shown when it is asked for by name."""
        self.assertNotIn("proxy-server", run(self.home, "config", "list").output)
        explained = run(self.home, "get", "services/proxy-server/enabled", "--info").output
        self.assertIn("nothing in this version", explained)
        inside = run(self.home, "get", "logs").output
        self.assertIn("logs/debug-level", inside)
        self.assertNotIn("services/", inside)
        rows = json.loads(run(self.home, "--json", "get", "logs/debug-level").output)
        self.assertEqual((rows[0]["key"], rows[0]["value"]), ("logs/debug-level", 0))

    def test_refusals(self) -> None:
        """Unknown keys and wrong values end with 1 and a sentence; nothing is written."""
        for words in (["get", "no/such"], ["set", "no/such", "1"], ["set", "logs/debug-level", "much"]):
            result = run(self.home, *words)
            self.assertEqual(result.exit_code, 1, words)
            self.assertIn("error: ", result.output)
        self.assertFalse((Path(self.home) / "config" / "settings.json").exists())

    def test_negative_values(self) -> None:
        """A value that begins with a dash is a value."""
        self.assertIn("error: ", run(self.home, "set", "logs/debug-level", "-1").output)

    def test_broken_file(self) -> None:
        """A settings file that is broken is named, and left as it is."""
        folder = Path(self.home) / "config"
        folder.mkdir(parents=True)
        (folder / "settings.json").write_text("{")
        result = run(self.home, "get", "suppliers")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("settings.json", result.output)
        self.assertEqual((folder / "settings.json").read_text(), "{")


class NotRunningTests(SynchronousTestCase):
    def test_says_how_to_start(self) -> None:
        """Commands that need the node say how to start it, and end with 1."""
        for words in (["services"], ["file", "list"], ["identity"], ["api", "process_health"], ["ping", "a@b.example"]):
            result = run(self.mktemp(), *words)
            self.assertEqual(result.exit_code, 1, words)
            self.assertRegex(result.output, "start it with: bitdust --appdir .* daemon")

    def test_stop_in_json(self) -> None:
        """With --json a stop answers with one document, also when there is nothing to stop."""
        answer = json.loads(run(self.mktemp(), "stop", "--json").output)
        self.assertEqual(answer, {"message": "BitDust is not running at the moment", "stopped": False})

    def test_stop(self) -> None:
        """`stop` without a node says so and is no error."""
        result = run(self.mktemp(), "stop")
        self.assertEqual((result.exit_code, result.output), (0, "BitDust is not running at the moment\n"))

    def test_home_from_environment(self) -> None:
        """BITDUST_HOME names the home folder."""
        home = self.mktemp()
        result = CliRunner().invoke(cli, ["set", "suppliers", "7"], env={"BITDUST_HOME": home})
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertTrue((Path(home) / "config").is_dir())

    def test_ports_of_a_dead_node(self) -> None:
        """A port file that a killed node left behind is not believed: somebody else may have the port."""
        home = Path(self.mktemp())
        (home / "metadata").mkdir(parents=True)
        (home / "metadata" / "apiports").write_text('{"rest": 1}')
        (home / "processid").write_text(str(os.getpid()))
        self.assertRaises(NotRunning, ApiClient(home).call, "process_health")

    def test_a_node_that_starts(self) -> None:
        """A process that has the home and no API yet is waited for, not started a second time."""
        home = Path(self.mktemp())
        lock = ProcessLock.acquire(home)
        self.addCleanup(lock.release)
        error = self.assertRaises(NotRunning, ApiClient(home).call, "process_health")
        self.assertEqual(error.code, "not-running")
        self.assertIn("has not opened its API", str(error))


class LockTests(SynchronousTestCase):
    def test_one_process_a_home(self) -> None:
        """A second process on the same home is refused with what to do; the number is readable meanwhile."""
        home = Path(self.mktemp())
        lock = ProcessLock.acquire(home)
        self.assertEqual(running_pid(home), os.getpid())
        error = self.assertRaises(AlreadyRunning, ProcessLock.acquire, home)
        self.assertIn("bitdust stop", str(error))
        lock.release()
        self.assertIsNone(running_pid(home))
        ProcessLock.acquire(home).release()

    def test_no_number_yet(self) -> None:
        """A process that has the home and has not told its number yet is waited for a moment; number 0, which to the
        system is a whole process group, is never sent a signal."""
        home = Path(self.mktemp())
        lock = ProcessLock.acquire(home)
        self.addCleanup(lock.release)
        (home / "processid").write_text("")
        self.patch(lock_module.time, "sleep", lambda seconds: (home / "processid").write_text(str(os.getpid())))
        self.assertEqual(running_pid(home), os.getpid())
        (home / "processid").write_text("")
        self.patch(lock_module.time, "sleep", lambda seconds: None)
        self.assertEqual(running_pid(home), 0)
        self.patch(os, "kill", lambda *_: self.fail("a signal was sent"))
        result = run(str(home), "stop")
        self.assertEqual(result.exit_code, 1, result.output)
        self.assertIn("try again in a moment", result.output)

    def test_dead_process(self) -> None:
        """The number of a process that is gone counts for nothing, even if another process has it now."""
        home = Path(self.mktemp())
        home.mkdir()
        (home / "processid").write_text(str(os.getpid()))
        self.assertIsNone(running_pid(home))

    def test_second_start(self) -> None:
        """`start` and `daemon` on a home that is in use say so."""
        home = self.mktemp()
        lock = ProcessLock.acquire(Path(home))
        result = run(home, "start")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("main BitDust process already started", result.output)
        result = run(home, "daemon")
        self.assertEqual((result.exit_code, result.output), (0, "main BitDust process already started\n"))
        lock.release()


class ArgumentTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """Text stays text, braces and := are JSON, @ reads a file."""
        path = self.mktemp()
        Path(path).write_text("secret\n")
        for argument, expected in (
            ("key=a=b", ("key", "a=b")),
            ("key=12", ("key", "12")),
            ('key={"a": 1}', ("key", {"a": 1})),
            ("key:=12", ("key", 12)),
            ("key:=null", ("key", None)),
            (f"key=@{path}", ("key", "secret\n")),
            ("key=", ("key", "")),
        ):
            self.assertEqual(parse_argument(argument), expected)
        for wrong in ("key", "=x", "k y=x", "key:={", "key={", "key=@/no/such/file"):
            self.assertRaises(click.UsageError, parse_argument, wrong)


class OutputTests(SynchronousTestCase):
    def test_methods_in_texts(self) -> None:
        """Where a text of the node says which method helps, the command line says which command does."""
        package = Path(in_commands.__code__.co_filename).parent.parent
        texts = [path.read_text() for path in package.rglob("*.py") if path.parent.name != "cli"]
        named = {found for text in texts for found in re.findall(r'; see ([a-z]+(?:_[a-z]+)+)"', text)}
        self.assertIn("keys_list", named)
        for method in named:
            self.assertIsNotNone(TABLE.named(method), method)
            _, *words = in_commands(method).split()
            self.assertEqual(run("nowhere", *words, "--help").exit_code, 0, method)

    def test_words(self) -> None:
        """Values are told in few words."""
        self.assertEqual([text(None), text(True), text([]), text(["a", 1])], ["-", "yes", "-", "a, 1"])
        self.assertEqual([size(0), size(4 << 20), size(1536)], ["0 bytes", "4 MB", "1.5 KB"])
        self.assertEqual(age(None), "-")

    @given(st.text())
    def test_terminal_is_safe(self, name: str) -> None:
        """Whatever a name holds, what is printed cannot move the cursor or ring the bell."""
        shown = printable(name)
        self.assertTrue(all(character.isprintable() for character in shown))
        shown.encode()
