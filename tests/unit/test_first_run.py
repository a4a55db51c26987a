"""`bitdust init`, reminders, locking and refusals at the command line, without a node."""

import json
import os
from pathlib import Path
from typing import Any

from click.testing import Result
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.cli import asking, backup, first_run, locking, reminder
from bitdust.cli import init as init_module
from bitdust.cli.client import ApiError
from bitdust.cli.family import HiringWatch
from bitdust.cli.main import Session
from bitdust.config.home import FORMAT
from tests.unit.test_cli import run
from tests.unit.test_home import content, home_of_format_1

ANSWERS = ["alice", "1 GB", "2 GB", "7", "id.example:8084", "seed.example:14441"]
WHO = {"global_id": "alice@id.example", "idurl": "http://id.example/alice.xml", "backup_checked": None}


class FakeNode:
    """What a running node would answer."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.errors: dict[str, list[ApiError]] = {}
        self.identity = "none"
        self.checked: float | None = None

    def call(self, method: str, **arguments: Any) -> Any:
        self.calls.append((method, arguments))
        if self.errors.get(method):
            raise self.errors[method].pop(0)
        return getattr(self, method)(**arguments)

    def process_health(self) -> Any:
        return {"identity": self.identity}

    def identity_create(self, username: str, join_network: bool) -> Any:
        self.identity = "ready"
        (self.home / "metadata").mkdir(exist_ok=True)
        (self.home / "metadata" / "localidentity").write_text("<identity/>")
        return WHO

    def identity_get(self) -> Any:
        return WHO | {"backup_checked": self.checked}

    def identity_backup(self, passphrase: str = "") -> Any:
        return {"result": f"-----BEGIN PRIVATE KEY-----{'ENCRYPTED' * bool(passphrase)}"}

    def identity_backup_check(
        self, source_filepath: str, private_key_source: str, renew: str, passphrase: str = ""
    ) -> Any:
        counts = not Path(source_filepath).is_relative_to(self.home)
        self.checked = 1.0 if counts else self.checked
        return {"counts": counts, "encrypted": bool(passphrase)}

    def identity_lock(self, passphrase: str) -> Any:
        return {"locked": True}

    def identity_unlock(self, passphrase: str, permanently: bool) -> Any:
        return WHO


class InitCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        self.target = Path(self.mktemp()).absolute()
        self.node = FakeNode(self.home)
        self.patch(Session, "call", lambda session, method, **arguments: self.node.call(method, **arguments))
        self.patch(Session, "envelope", lambda session, method, **arguments: self.family())
        self.patch(init_module, "launch", lambda base: None)
        self.clock = Clock()
        self.patch(
            init_module, "HiringWatch", lambda session, say: HiringWatch(session, say, self.clock.seconds, self.sleep)
        )
        self.hired: list[int] = [7]
        self.beside: dict[str, str] = {}

    def family(self) -> dict[str, Any]:
        """A place more is taken whenever it is looked at, as `hired` says."""
        count = self.hired.pop(0) if len(self.hired) > 1 else self.hired[0]
        rows = [{"fingerprint": "ab" if place < count else "", "beyond": False} for place in range(7)]
        return {"result": rows if count >= 0 else [], **self.beside}

    def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def somebody(self, there: bool = True) -> None:
        for module in (asking, first_run, init_module, locking):
            self.patch(module, "somebody_is_there", lambda: there)

    def init(self, *words: str, lines: list[str] | None = None, code: int = 0) -> Result:
        result = run(str(self.home), "init", *words, input="".join(f"{line}\n" for line in lines or []))
        self.assertEqual(result.exit_code, code, result.output)
        return result

    def setting(self, key: str) -> str:
        return run(str(self.home), "get", key).stdout.strip()

    def settings(self) -> list[str]:
        names = ("GIVES", "GIVEN", "NEEDED", "SUPPLIERS", "SERVERS", "SEEDS")
        return [self.setting(getattr(first_run, name)) for name in names]

    def methods(self) -> list[str]:
        return [method for method, _ in self.node.calls]


class FamilyTests(InitCase):
    WORDS = ("--yes", "--name", "alice", "--no-give", "--need", "1 GB", "--known-servers", ANSWERS[4], "--seeds",
             ANSWERS[5], "--no-backup")  # fmt: skip

    def test_it_waits_until_all_are_hired(self) -> None:
        """At the end it says how far hiring has come, and whether the family heals by itself."""
        self.hired = [-1, 0, 2, 2, 7]
        self.beside = {"healing": "a family of 3 does not heal by itself"}
        output = self.init(*self.WORDS).output
        steps = [output.index(part) for part in ("0 of 7", "2 of 7", "7 of 7", "note: a family of 3", "ready.")]
        self.assertEqual((steps, output.count("2 of 7")), (sorted(steps), 1))
        self.assertLess(self.clock.seconds(), 5)

    def test_nobody_waits_for_ever(self) -> None:
        """Where nobody comes for a while, or hiring takes long, it ends with the reason and says where to look."""
        self.hired, self.beside = [1], {"waits_for": "nobody else is known"}
        output = self.init(*self.WORDS).output
        for part in ("1 of 7", "(nobody else is known)", "bitdust supplier list", "ready."):
            self.assertIn(part, output)
        self.assertLess(self.clock.seconds(), 25)
        self.hired = [count for count in range(6) for _ in range(30)]
        self.init(*self.WORDS)
        self.assertLess(self.clock.seconds(), 90)

    def test_without_waiting(self) -> None:
        """Nothing is asked of suppliers with --no-wait, or where this node is no customer."""
        self.patch(Session, "envelope", lambda session, method, **arguments: self.fail(method))
        self.init(*self.WORDS, "--no-wait")
        run(str(self.home), "set", "services/customer/enabled", "false")
        self.init(*self.WORDS)

    def test_a_person_that_does_not_wait(self) -> None:
        """Ctrl-C ends the waiting alone: everything is set up."""

        def sleep(seconds: float) -> None:
            raise KeyboardInterrupt

        self.hired = [1]
        self.patch(self, "sleep", sleep)
        self.assertIn("ready.", self.init(*self.WORDS).output)


class PromptTests(InitCase):
    def test_all_answers(self) -> None:
        """Every answer is written, the identity is made, and the backup is written privately and read back."""
        self.somebody()
        result = self.init(lines=[*ANSWERS, str(self.target), "secret", "secret"])
        self.assertEqual(self.settings(), ["yes", "1 GB", "2 GB", "7", "id.example:8084", "seed.example:14441"])
        self.assertEqual(
            self.methods(), ["process_health", "identity_create", "identity_backup", "identity_backup_check"]
        )
        self.assertEqual(self.node.calls[-1][1]["private_key_source"], self.target.read_text())
        self.assertEqual(self.node.calls[-1][1]["renew"], "once")
        self.assertEqual(self.target.stat().st_mode & 0o777, 0o600)
        self.assertNotIn("secret", result.output)
        self.assertIn("same disk", result.output)

    def test_a_passphrase_for_the_home(self) -> None:
        """While the private key is in the home without one it is offered first; scripts go on as they are."""
        self.somebody()
        made, offer = self.node.identity_create, "Passphrase for the keys in this home"

        def create(**arguments: Any) -> Any:
            found = made(**arguments)
            (self.home / "metadata" / "mykeyfile").write_text("-----BEGIN RSA PRIVATE KEY-----")
            return found

        self.node.identity_create = create
        result = self.init(lines=[*ANSWERS, "long enough", "long enough", str(self.target), ""])
        self.assertIn(offer, result.output)
        order = [method for method in self.methods() if method in ("identity_lock", "identity_backup")]
        self.assertEqual(order, ["identity_lock", "identity_backup"])
        (self.home / "metadata" / "mykeyfile").write_text("-----BEGIN BITDUST ENCRYPTED PRIVATE KEY-----")
        self.assertNotIn(offer, self.init("--yes").output)

    def test_wrong_answers(self) -> None:
        """A wrong answer is refused with its reason, and the question comes again; nothing of it is written."""
        self.somebody()
        lines = [
            "Al",
            "a",
            "alice",
            "x",
            "1 MB",
            "1000 TB",
            "1 GB",
            "1 MB",
            "2 GB",
            "1",
            "65",
            "four",
            "7",
            "id.example",
            "id.example:99999",
            ANSWERS[4],
            "seed",
            ANSWERS[5],
            "/no/such/folder/file",
            "",
        ]
        output = self.init(lines=lines).output
        for reason in ("3 to 20", "not in the range", "disk has only", "not of the form host:port", "no folder"):
            self.assertIn(reason, output)
        self.assertEqual(self.settings(), ["yes", "1 GB", "2 GB", "7", *ANSWERS[4:]])

    def test_cut_off_at_each_prompt(self) -> None:
        """Ctrl-C at any prompt keeps what was answered; the next run asks the rest, and only that."""
        self.somebody()
        lines = [*ANSWERS, str(self.target), ""]
        for stop in range(len(lines)):
            self.home, self.target = Path(self.mktemp()).absolute(), Path(self.mktemp()).absolute()
            self.node = FakeNode(self.home)
            lines[-2] = str(self.target)
            self.assertIn("go on with: bitdust init", self.init(lines=lines[:stop], code=1).output)
            asked_again = 6 if stop == 7 else stop  # the backup's two questions are one step
            self.init(lines=[*lines[asked_again:], ""])
            self.assertEqual(self.settings(), ["yes", "1 GB", "2 GB", "7", *ANSWERS[4:]])
            self.assertTrue(self.target.exists())
            self.assertEqual(self.methods().count("identity_create"), 1)

    def test_giving_nothing(self) -> None:
        """Who gives no space gives none: the service is off."""
        self.somebody()
        self.init(lines=["alice", "0", *ANSWERS[2:], ""])
        self.assertEqual(self.settings()[0], "no")

    def test_needing_nothing(self) -> None:
        """Who keeps no files with others hires nobody, is asked for no number of suppliers, and hears what comes."""
        words = [word for word in FamilyTests.WORDS if word not in ("--need", "1 GB")]
        output = self.init(*words, "--no-need").output
        self.assertEqual(self.setting(first_run.CUSTOMER), "no")
        self.assertIn("ready. Write to people: bitdust friend add ID", output)
        self.assertNotIn("are hired", output)

    def test_name_taken(self) -> None:
        """A taken name is told, another one is asked for, and nothing else again."""
        self.somebody()
        self.node.errors["identity_create"] = [ApiError("name-taken", "the name alice is taken")]
        output = self.init(lines=[*ANSWERS, "alice2", ""]).output
        self.assertIn("the name alice is taken", output)
        names = [arguments["username"] for method, arguments in self.node.calls if method == "identity_create"]
        self.assertEqual(names, ["alice", "alice2"])

    def test_no_server(self) -> None:
        """Where no ID server answers, it says how to name one, and a run with one goes on without questions."""
        self.somebody()
        self.node.errors["identity_create"] = [ApiError("network-connection-error", "network connection error")]
        output = self.init(lines=[*ANSWERS[:4], "", ""], code=1).output
        self.assertIn("bitdust init --known-servers HOST:PORT", output)
        self.init("--known-servers", "id.example:8084", lines=[""])
        self.assertEqual(self.settings()[4], "id.example:8084")

    def test_another_backup(self) -> None:
        """A file that --backup names and that is not there is written although a copy was checked; one is kept."""
        words = ["--yes", "--name", "alice", "--no-give", "--need", "1 GB", "--suppliers", "4"]
        words += ["--known-servers", ANSWERS[4], "--seeds", ANSWERS[5], "--no-passphrase", "--backup"]
        self.somebody(False)
        self.init(*words, str(self.target))
        first = self.target.read_text()
        second = Path(self.mktemp()).absolute()
        self.init(*words, str(second))
        self.assertEqual(second.read_text(), first)
        self.assertIn("cannot be written", self.init(*words, "/no/such/folder/file", code=1).output)
        self.node.calls.clear()
        self.init(*words, str(self.target))
        self.assertNotIn("identity_backup", self.methods())

    def test_backup_later(self) -> None:
        """Without a backup the next run asks for it again, and a checked one is not asked for."""
        self.somebody()
        self.assertIn("you will be reminded", self.init(lines=[*ANSWERS, ""]).output)
        self.init(lines=[str(self.target), ""])
        self.assertEqual(self.node.checked, 1.0)
        self.node.calls.clear()
        self.init()
        self.assertNotIn("identity_backup", self.methods())

    def test_backup_in_the_home(self) -> None:
        """A key file in the home is written, and it is said that this is no backup."""
        self.somebody()
        output = self.init(lines=[*ANSWERS, str(self.home / "alice.key"), ""]).output
        self.assertIn("lies in the home folder", output)
        self.assertIsNone(self.node.checked)


class ScriptTests(InitCase):
    WORDS = ("--name", "alice", "--give", "1 GB", "--need", "2 GB", "--suppliers", "7")

    def test_missing_answers_are_named(self) -> None:
        """A script that leaves something open ends with 2, all of it is named, and nothing was changed."""
        result = self.init(code=2)
        for flag in ("--name", "--give", "--need", "--suppliers", "--backup", "--passphrase-file"):
            self.assertIn(flag, result.output)
        self.assertFalse((self.home / "config").exists())
        self.assertEqual(self.methods(), [])
        result = self.init("--yes", code=2)
        self.assertIn("--give SIZE or --no-give", result.output)
        self.assertNotIn("--need", result.output)
        locked = self.init(*self.WORDS, "--no-backup", "--encrypt-home-key", code=2)
        self.assertIn("--home-passphrase-file", locked.output)

    def test_wrong_answers_are_usage(self) -> None:
        """A wrong value in an option ends with 2 and names the option."""
        for flag, value in (("--name", "Al"), ("--give", "1 MB"), ("--suppliers", "1"), ("--known-servers", "host")):
            words = {"--name": "alice", "--give": "1 GB", "--suppliers": "7"} | {flag: value}
            result = self.init("--yes", "--no-backup", *(word for pair in words.items() for word in pair), code=2)
            self.assertIn(f"{flag}", result.output)
        for words in (
            ["--give", "1 GB", "--no-give"],
            ["--backup", "x", "--no-backup"],
            ["--passphrase-file", "-", "--home-passphrase-file", "-"],
        ):
            self.init(*words, code=2)

    def test_a_script(self) -> None:
        """With all answers there is no question, and secrets come from files and standard input."""
        word = Path(self.mktemp())
        word.write_text("correct horse\nnot this\n")
        word.chmod(0o600)
        words = ("--backup", str(self.target), "--passphrase-file", "-", "--home-passphrase-file", str(word))
        self.init(*self.WORDS, *words, lines=["by stdin"])
        told = dict(self.node.calls)
        self.assertEqual(told["identity_backup"], {"passphrase": "by stdin"})
        self.assertEqual(told["identity_lock"], {"passphrase": "correct horse"})

    def test_json(self) -> None:
        """For programs there is one JSON object on standard output."""
        result = run(str(self.home), "--json", "init", *self.WORDS, "--backup", str(self.target), "--no-passphrase")
        told = json.loads(result.stdout)
        self.assertEqual((told["global_id"], told["backup"]["counts"]), ("alice@id.example", True))

    def test_existing_file(self) -> None:
        """A file that is there is never replaced, and the next run goes on with another name."""
        self.target.write_text("precious")
        words = (*self.WORDS, "--no-passphrase")
        self.assertIn("exists", self.init(*words, "--backup", str(self.target), code=1).output)
        self.assertEqual(self.target.read_text(), "precious")
        self.init("--backup", str(self.target) + "2", "--no-passphrase")
        self.assertEqual(self.methods().count("identity_create"), 1)


class LockCommandTests(InitCase):
    def test_unlock(self) -> None:
        """A wrong passphrase is told and asked for again, three times, after the pause; a script gets one try."""
        waited: list[float] = []
        self.somebody()
        wrong = ApiError("wrong-passphrase", "this passphrase does not open")
        self.node.errors["identity_unlock"] = [wrong, wrong]
        result = run(str(self.home), "unlock", input="one\ntwo\nthree\n")
        self.assertEqual((result.exit_code, result.output.count("does not open")), (0, 2), result.output)
        self.patch(locking.time, "sleep", waited.append)
        pause = ApiError("too-many-tries", "wait 2 s", {"seconds": 2})
        self.node.errors["identity_unlock"] = [wrong, pause]
        self.assertEqual(run(str(self.home), "unlock", input="one\ntwo\n").exit_code, 0)
        self.assertEqual((waited, self.node.calls[-1][1]["passphrase"]), ([2.0], "two"))
        self.node.errors["identity_unlock"] = [wrong] * 3
        self.assertEqual(run(str(self.home), "unlock", input="one\ntwo\nthree\nfour\n").exit_code, 1)
        self.somebody(False)
        self.node.errors["identity_unlock"] = [wrong]
        self.assertEqual(run(str(self.home), "unlock", "--passphrase-file", "-", input="one\ntwo\n").exit_code, 1)
        self.assertEqual(run(str(self.home), "unlock").exit_code, 2)

    def test_lock(self) -> None:
        """The new passphrase is asked for twice and never shown; a short one is refused."""
        self.somebody()
        typed = ["short", "long enough", "other word", "long enough", "long enough", ""]
        result = run(str(self.home), "identity", "lock", input="\n".join(typed))
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertNotIn("long enough", result.output)
        self.assertEqual(self.node.calls, [("identity_lock", {"passphrase": "long enough"})])
        result = run(str(self.home), "identity", "lock", "--remove", input="long enough\n")
        self.assertEqual(self.node.calls[-1], ("identity_unlock", {"passphrase": "long enough", "permanently": True}))


class ReminderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(self.mktemp())
        (self.home / "metadata").mkdir(parents=True)
        (self.home / "metadata" / "localidentity").write_text("<identity/>")

    def said(self, *words: str, **env: str) -> bool:
        result = run(str(self.home), *words, env=env)
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertNotIn("reminder", result.stdout)
        return "reminder: " in result.stderr

    def again(self) -> None:
        """Some hours later."""
        os.utime(self.home / "metadata" / "reminded", (0, 0))

    def test_now_and_then(self) -> None:
        """A command says it on standard error, once in some hours, never with --json, until a copy was checked."""
        self.assertFalse(self.said("--json", "get", "suppliers"))
        self.assertTrue(self.said("get", "suppliers"))
        self.assertFalse(self.said("get", "suppliers"))
        self.again()
        self.assertFalse(self.said("get", "suppliers", **{reminder.SILENCE: "1"}))
        self.assertFalse(self.said("version"))
        self.assertTrue(self.said("get", "suppliers"))
        self.again()
        (self.home / "metadata" / "backup").write_text('{"fingerprint": "ab", "checked": 5.0}')
        self.assertFalse(self.said("get", "suppliers"))

    def test_nobody(self) -> None:
        """Without an identity there is nothing to say."""
        (self.home / "metadata" / "localidentity").unlink()
        self.assertFalse(self.said("get", "suppliers"))


class NewerHomeTests(SynchronousTestCase):
    def test_commands_touch_nothing(self) -> None:
        """`start`, `daemon`, `set` and `init` end with 1 on a home of a newer program and leave every byte."""
        home = home_of_format_1(Path(self.mktemp()), "9\nBitDust 9.1\n")
        before = content(home)
        for words in (["start"], ["daemon"], ["set", "suppliers", "7"], ["init", "--yes"]):
            result = run(str(home), *words)
            self.assertEqual(result.exit_code, 1, result.output)
            for word in ("format 9", "BitDust 9.1", f"format {FORMAT}"):
                self.assertIn(word, result.output)
        self.assertEqual(content(home), before)


class KeyFileTests(SynchronousTestCase):
    def test_not_written(self) -> None:
        """A key file that cannot be written leaves nothing behind and says which."""
        folder = Path(self.mktemp())
        folder.mkdir()
        for target in (folder / "no" / "file", folder):
            error = self.assertRaises(ApiError, backup.write_key_file, target, "text", True)
            self.assertIn(str(target), str(error))
        self.assertEqual(list(folder.iterdir()), [])
