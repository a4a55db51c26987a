"""What a node writes about itself."""

import errno
import io
import json
import logging
import os
import re
import stat
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import LogBeginner, Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from bitdust.cli.processes import wait_for
from bitdust.log import start_event_log, start_logging
from bitdust.log.entry import as_text, plain, utc
from bitdust.log.eventlog import line
from bitdust.log.exceptions import ExceptionFiles
from bitdust.log.redaction import HIDDEN, redact
from bitdust.log.rotation import MAX_ENTRY, Room, RotatingFile

SECRET = "tr0ub4dor"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK\n-----END RSA PRIVATE KEY-----"


@frozen
class Happened:
    id: str
    data: dict[str, Any]
    time: float = 1795233600.5
    seq: int = 1


class Terminal(io.StringIO):
    def __init__(self, is_terminal: bool = True) -> None:
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class RedactionTests(SynchronousTestCase):
    """Secrets never reach a log."""

    FORMS = (
        "GET /?api_secret={}&x=1",
        "GET /?a={}",
        "GET /?events=none&ticket={}",
        "{{'ticket': '{}', 'seconds': 30}}",
        "api_secret: {}",
        "{{'api_secret': '{}', 'x': 1}}",
        '{{"api_secret": "{}"}}',
        '{{"kwargs": "{{\\"api_secret\\": \\"{}\\"}}"}}',
        "Headers({{b'api_secret': [b'{}']}})",
        "(b'api_secret', b'{}')",
        "recover(passphrase=b'{}')",
        "passphrase: {}",
        "PASSWORD={}",
        '{{"new_passphrase": "{}"}}',
    )

    def test_every_form_of_a_secret_is_hidden(self) -> None:
        """The secret is not in the text, whatever stood around it."""
        for form in self.FORMS:
            text = redact(form.format(SECRET))
            self.assertNotIn(SECRET, text)
            self.assertIn(HIDDEN, text, form)

    def test_passphrases_with_blanks_and_quotes(self) -> None:
        """No part of a passphrase that holds blanks or quotes is left."""
        for words in (
            "passphrase=correct horse",
            json.dumps({"passphrase": 'correct" horse'}),
            "password='correct\\' horse",
        ):
            self.assertNotIn("horse", redact(words))

    def test_private_keys_are_hidden(self) -> None:
        """A private key is hidden, alone, inside JSON, and when its end is missing; what stands around it stays."""
        for text in (f"x {PEM} y", json.dumps({"key": PEM, "other": "y"})):
            shown = redact(text)
            self.assertNotIn("MIIEow", shown)
            self.assertIn("y", shown[-4:])
        self.assertNotIn("IBAAK", redact(PEM[:45]))

    def test_json_stays_json(self) -> None:
        """A JSON object whose secrets are hidden can still be read."""
        shown = redact(json.dumps({"api_secret": SECRET, "passphrase": "a b", "size": 3}))
        self.assertEqual(json.loads(shown), {"api_secret": HIDDEN, "passphrase": HIDDEN, "size": 3})

    def test_ordinary_text_stays(self) -> None:
        """What holds no secret is not touched."""
        for text in (
            "the secret life of an api",
            "interface/api/auth-secret-enabled: true",
            "-----BEGIN PUBLIC KEY-----",
        ):
            self.assertEqual(redact(text), text)

    @given(st.text(max_size=20), st.text(max_size=20))
    def test_any_surroundings(self, before: str, after: str) -> None:
        """No text around a secret brings it back."""
        self.assertNotIn(SECRET, redact(f"{before}&api_secret={SECRET}&{after}").replace(before, ""))

    @given(st.text(alphabet="\\\"'\nab", max_size=30))
    def test_any_passphrase_in_json(self, words: str) -> None:
        """A passphrase of any characters is hidden in JSON, and the field after it stays."""
        shown = redact(json.dumps({"passphrase": "zz" + words, "after": 1}))
        self.assertEqual(json.loads(shown), {"passphrase": HIDDEN, "after": 1})


class EntryTests(SynchronousTestCase):
    """One entry of the log."""

    def test_looks(self) -> None:
        """An entry has its UTC time, level, origin and text."""
        event = {
            "log_time": 1795233600.5,
            "log_level": LogLevel.warn,
            "log_namespace": "n",
            "log_format": "{a}",
            "a": 1,
        }
        self.assertEqual(as_text(event), "2026-11-21T04:00:00.500Z warn     n: 1")

    def test_no_second_line_can_be_forged(self) -> None:
        """A line end inside an entry is followed by a tab, and no control character gets through."""
        event = {"log_time": 0.0, "log_level": LogLevel.info, "log_format": "{a}", "a": "x\n1970 fake\r\x1b[2J"}
        self.assertEqual(as_text(event).split("\n")[1], "\t1970 fake\\x0d\\x1b[2J")

    @given(st.text())
    def test_plain_text_has_no_control_characters(self, text: str) -> None:
        """Whatever a peer sends, a terminal that shows the log is not steered by it."""
        self.assertIsNone(re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", plain(text)))

    def test_time(self) -> None:
        """Times are UTC with milliseconds."""
        self.assertEqual(utc(0), "1970-01-01T00:00:00.000Z")


class RotationTests(SynchronousTestCase):
    """A log file stays bounded."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "x.log"

    def paper(self, max_bytes: int = 100, files: int = 3) -> RotatingFile:
        paper = RotatingFile(self.path, Room(lambda: max_bytes, lambda: files))
        self.addCleanup(paper.close)
        return paper

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def test_number_and_size_of_files_are_bounded(self) -> None:
        """After any number of entries there are so many files, none too large, and the newest entries are kept."""
        paper = self.paper()
        for number in range(100):
            paper.write(f"{number:09}")
        self.assertEqual(self.names(), ["x.log", "x.log.1", "x.log.2"])
        self.assertLessEqual(max(path.stat().st_size for path in self.folder.iterdir()), 100)
        kept = "".join((self.folder / name).read_text() for name in ("x.log.2", "x.log.1", "x.log"))
        self.assertEqual(kept.split(), [f"{number:09}" for number in range(70, 100)])

    def test_one_file(self) -> None:
        """With one file the full one makes room for a new one."""
        paper = self.paper(20, 1)
        for number in range(9):
            paper.write(f"{number:09}")
        self.assertEqual((self.names(), self.path.read_text().split()), (["x.log"], ["000000008"]))

    def test_room_may_change(self) -> None:
        """Smaller and fewer files count from the next rotation on; what there is no room for any more goes."""
        room = [100, 5]
        paper = RotatingFile(self.path, Room(lambda: room[0], lambda: room[1]))
        self.addCleanup(paper.close)
        for number in range(100):
            paper.write(f"{number:09}")
        self.assertEqual(len(self.names()), 5)
        room[:] = [30, 2]
        for number in range(10):
            paper.write(f"{number:09}")
        self.assertEqual(self.names(), ["x.log", "x.log.1"])
        self.assertLessEqual(self.path.stat().st_size, 30)

    def test_what_was_cut_off_is_a_line_of_its_own(self) -> None:
        """After a crash or a full disk in the middle of an entry, the next entry begins a new line."""
        self.path.write_text("whole\nhalf an ent")
        paper = self.paper()
        paper.write("next")
        self.assertEqual(self.path.read_text(), "whole\nhalf an ent\nnext\n")
        write = os.write

        def fills_up(file: int, data: bytes) -> int:
            if len(data) < len("torn\n"):
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(file, bytes(data[:3]))

        with mock.patch("bitdust.log.rotation.os.write", fills_up):
            paper.write("torn")
        paper.write("last")
        self.assertEqual(
            self.path.read_text().splitlines()[-3:],
            ["tor", "(1 entries were lost: the disk did not take them)", "last"],
        )

    def test_a_disk_that_fills_up(self) -> None:
        """Where the system itself takes nothing more, the program goes on; when it does again, the loss is told."""
        program = (
            "import resource, signal, sys; from pathlib import Path; from bitdust.log.rotation import RotatingFile\n"
            "paper = RotatingFile(Path(sys.argv[1])); most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, most))\n"
            "for number in range(100): paper.write(f'{number:09} ' + 'x' * 80)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)); paper.write('there is room again')\n"
        )
        subprocess.run([sys.executable, "-c", program, str(self.path)], check=True)
        lines = self.path.read_text().splitlines()
        self.assertEqual(lines[:10], [f"{number:09} " + "x" * 80 for number in range(10)])
        self.assertEqual(lines[-2:], ["(90 entries were lost: the disk did not take them)", "there is room again"])
        self.assertLessEqual(len(lines), 13)

    def test_killed_in_the_middle(self) -> None:
        """A process that is killed while it writes and rotates leaves whole lines, and a log that goes on."""
        program = (
            "import sys; from pathlib import Path; from bitdust.log.rotation import Room, RotatingFile\n"
            "paper = RotatingFile(Path(sys.argv[1]), Room(lambda: 5000, lambda: 4))\n"
            "for number in range(10**9): paper.write(f'{number:09} ' + 'x' * 80)"
        )
        writing = subprocess.Popen([sys.executable, "-c", program, str(self.path)])
        wait_for(lambda: len(self.names()) == 4, "four files", 20)
        writing.kill()
        writing.wait()
        paper = self.paper(5000, 4)
        paper.write("after")
        lines = [line for name in reversed(self.names()) for line in (self.folder / name).read_text().splitlines()]
        self.assertEqual(lines.pop(), "after")
        self.assertLessEqual(sum(re.fullmatch("[0-9]{9} x{80}", line) is None for line in lines), 1)
        numbers = [int(line[:9]) for line in lines[:-1]]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))
        self.assertLessEqual(len(self.names()), 4)

    def test_a_later_run_goes_on(self) -> None:
        """What an earlier run wrote stays and counts."""
        self.path.write_text("before\n")
        self.paper().write("after")
        self.assertEqual(self.path.read_text(), "before\nafter\n")

    def test_private(self) -> None:
        """Only the owner reads a log, even one that was open to others before."""
        self.path.write_text("")
        self.path.chmod(0o644)
        paper = self.paper(10)
        paper.write("12345678")
        paper.write("12345678")
        self.assertEqual([mode(path) for path in sorted(self.folder.iterdir())], [0o600, 0o600])

    def test_long_entries_are_cut(self) -> None:
        """One entry takes at most 64 KiB."""
        self.paper(10**6).write("ä" * MAX_ENTRY)
        self.assertLess(self.path.stat().st_size, MAX_ENTRY + 20)

    def test_any_text_can_be_written(self) -> None:
        """Text that is no UTF-8, such as half of a surrogate pair, is written with escapes."""
        self.paper().write("\ud800")
        self.assertEqual(self.path.read_text(), "\\ud800\n")

    def test_a_full_disk_stops_nothing(self) -> None:
        """Entries that the disk does not take are counted, and told when it takes some again."""
        paper = self.paper()
        full = OSError(errno.ENOSPC, "No space left on device")
        with mock.patch("bitdust.log.rotation.os.write", side_effect=full):
            paper.write("one")
            paper.write("two")
        paper.write("three")
        self.assertEqual(self.path.read_text(), "(2 entries were lost: the disk did not take them)\nthree\n")

    def test_a_symbolic_link_is_not_followed(self) -> None:
        """A link in place of the log does not make us write elsewhere."""
        target = self.folder / "elsewhere"
        target.write_text("mine")
        self.path.symlink_to(target.name)
        self.paper().write("x")
        self.assertEqual(target.read_text(), "mine")


class ExceptionFileTests(SynchronousTestCase):
    """One file an unexpected exception."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def critical(self, text: str = "failed", **more: Any) -> dict[str, Any]:
        return {"log_time": 1795233600.0, "log_level": LogLevel.critical, "log_format": text} | more

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def test_one_file_each(self) -> None:
        """Two exceptions in the same second make two files with UTC time and number, which only the owner reads."""
        keep = ExceptionFiles(self.folder)
        keep(self.critical())
        keep(self.critical())
        self.assertEqual(self.names(), ["exception_20261121T040000_1.log", "exception_20261121T040000_2.log"])
        self.assertEqual({mode(path) for path in self.folder.iterdir()}, {0o600})

    def test_traceback_without_secrets(self) -> None:
        """The file holds the traceback, and hides what the exception told."""
        keep = ExceptionFiles(self.folder)
        keep(self.critical("x", log_failure=Failure(ValueError(f"api_secret={SECRET}"))))
        text = (self.folder / self.names()[0]).read_text()
        self.assertIn("ValueError", text)
        self.assertNotIn(SECRET, text)

    def test_less_than_critical_leaves_no_file(self) -> None:
        """Warnings and errors that were expected make no file."""
        ExceptionFiles(self.folder)({"log_level": LogLevel.error, "log_format": "known"})
        self.assertEqual(self.names(), [])

    def test_the_oldest_goes(self) -> None:
        """There are never more than so many files, those of earlier runs included; the newest stay."""
        for number in range(3):
            path = self.folder / f"exception_2020_{number}.log"
            path.write_text("")
            os.utime(path, (number, number))
        keep = ExceptionFiles(self.folder, 3)
        keep(self.critical())
        keep(self.critical())
        self.assertEqual(self.names()[0], "exception_2020_2.log")
        self.assertEqual(len(self.names()), 3)

    def test_numbers_of_an_earlier_run_are_not_reused(self) -> None:
        """A file of an earlier run in the same second is not overwritten."""
        (self.folder / "exception_20261121T040000_1.log").write_text("before")
        ExceptionFiles(self.folder)(self.critical())
        self.assertEqual((self.folder / "exception_20261121T040000_1.log").read_text(), "before")
        self.assertEqual(len(self.names()), 2)

    def test_a_missing_folder_stops_nothing(self) -> None:
        """An exception is no reason for another one."""
        keep = ExceptionFiles(self.folder)
        self.folder.rmdir()
        keep(self.critical())
        self.assertFalse(self.folder.exists())


class StartTests(SynchronousTestCase):
    """The daemon's log as a whole."""

    def setUp(self) -> None:
        self.home = Path(self.mktemp())
        self.publisher = LogPublisher()
        self.log = Logger("test", observer=self.publisher)

    def start(self, debug_level: Any = 0, to_terminal: bool = False, **more: Any) -> Any:
        streams = mock.Mock(stdout=io.StringIO(), stderr=io.StringIO())
        beginner = LogBeginner(self.publisher, io.StringIO(), streams, mock.Mock(wraps=warnings))
        stop = start_logging(
            self.home, debug_level, to_terminal, beginner=beginner, publisher=self.publisher, environment={}, **more
        )
        self.addCleanup(stop)
        return stop

    def text(self) -> str:
        path = self.home / "logs" / "stdout.log"
        return path.read_text() if path.exists() else ""

    def test_what_is_logged_is_on_paper(self) -> None:
        """An entry is in stdout.log, without its secrets, in a private folder."""
        self.start()
        self.log.info("called with {query}", query=f"?api_secret={SECRET}")
        self.assertIn(f"test: called with ?api_secret={HIDDEN}\n", self.text())
        self.assertEqual((mode(self.home / "logs"), mode(self.home / "logs/stdout.log")), (0o700, 0o600))

    def test_papers(self) -> None:
        """An entry for a paper of its own is there and not in stdout.log; an unknown paper is the ordinary one."""
        self.start()
        self.log.info("moved with {query}", paper="automats", query=f"?api_secret={SECRET}")
        self.log.info("elsewhere", paper="no such")
        self.assertIn(f"moved with ?api_secret={HIDDEN}\n", (self.home / "logs/automats.log").read_text())
        self.assertNotIn("moved", self.text())
        self.assertIn("elsewhere", self.text())

    def test_what_came_before_the_start_is_not_lost(self) -> None:
        """Entries from before the log was started are written when it starts."""
        streams = mock.Mock(stdout=io.StringIO(), stderr=io.StringIO())
        beginner = LogBeginner(self.publisher, io.StringIO(), streams, mock.Mock(wraps=warnings))
        self.log.info("early")
        stop = start_logging(self.home, 0, False, beginner=beginner, publisher=self.publisher)
        self.addCleanup(stop)
        self.assertIn("early", self.text())

    def test_debug_level(self) -> None:
        """Debug entries are left out at level 0, and a level that changes counts at once."""
        levels = [0]
        self.start(lambda: levels[0])
        self.log.debug("first")
        levels[0] = 1
        self.log.debug("second")
        self.assertNotIn("first", self.text())
        self.assertIn("second", self.text())

    def test_debugged_rooms(self) -> None:
        """Debug entries of rooms that are named are logged at level 0, too; those of others are not."""
        rooms = ["dht"]
        self.start(0, debug_rooms=lambda: rooms[0])
        for name in ("bitdust.dht.node.DHTNode", "bitdust.ipfs.room", "dht"):
            Logger(name, observer=self.publisher).debug("from {name}", name=name)
        rooms[0] = "disk,ipfs"
        Logger("bitdust.ipfs.room", observer=self.publisher).debug("later")
        self.assertIn("from bitdust.dht", self.text())
        self.assertIn("later", self.text())
        self.assertNotIn("from bitdust.ipfs", self.text())
        self.assertNotIn("from dht", self.text())

    def test_chatter(self) -> None:
        """What Twisted says of every connection is left out at level 0; its warnings are not."""
        self.start(0)
        log = Logger("twisted.web.client._HTTP11ClientFactory", observer=self.publisher)
        log.info("Starting factory")
        log.warn("something is odd")
        self.assertNotIn("Starting factory", self.text())
        self.assertIn("something is odd", self.text())

    def test_failures_leave_a_file(self) -> None:
        """A logged failure is in stdout.log and in a file of its own."""
        self.start(4)
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            self.log.failure("unexpected")
        self.assertEqual(len(list((self.home / "logs").glob("exception_*.log"))), 1)
        self.assertIn("ZeroDivisionError", self.text())

    def test_stop(self) -> None:
        """After the stop nothing more is written."""
        stop = self.start()
        self.log.info("one")
        stop()
        self.log.info("two")
        self.assertNotIn("two", self.text())

    def test_modules_below_twisted_are_heard(self) -> None:
        """Python's logging gets to paper, an exception told there gets a file, and after the stop nothing does."""
        before = list(logging.getLogger().handlers)
        stop = self.start()
        below = logging.getLogger("bitdust.below")
        below.warning("%d%% {strange}", 3)
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            below.exception("broke")
        stop()
        self.assertIn("warn     bitdust.below: 3% {strange}\n", self.text())
        self.assertIn("ZeroDivisionError", self.text())
        self.assertEqual(logging.getLogger().handlers, before)
        self.assertEqual(len(list((self.home / "logs").glob("exception_*.log"))), 1)

    def shown(self, environment: dict[str, str], is_terminal: bool = True) -> str:
        terminal = Terminal(is_terminal)
        streams = mock.Mock(stdout=io.StringIO(), stderr=io.StringIO())
        beginner = LogBeginner(self.publisher, io.StringIO(), streams, mock.Mock(wraps=warnings))
        stop = start_logging(
            self.home, 0, True, terminal=terminal, environment=environment, beginner=beginner, publisher=self.publisher
        )
        self.log.warn("careful")
        stop()
        return terminal.getvalue()

    def test_colours(self) -> None:
        """A warning has a colour on a terminal, unless BITDUST_LOG_USE_COLORS=0 or it is no terminal."""
        self.assertIn("\x1b[33m", self.shown({}))
        self.assertNotIn("\x1b", self.shown({"BITDUST_LOG_USE_COLORS": "0"}))
        self.assertNotIn("\x1b", self.shown({}, is_terminal=False))

    def test_a_closed_terminal_stops_nothing(self) -> None:
        """When the terminal is gone the file still gets the entry."""
        terminal = Terminal()
        self.start(0, True, terminal=terminal)
        terminal.close()
        self.log.info("alone")
        self.assertIn("alone", self.text())


class EventLogTests(SynchronousTestCase):
    """``event.log``: one line an event."""

    def test_lines(self) -> None:
        """Each event is one line of time, id and data, until the stop."""
        told: list[Any] = []

        class Stream:
            def subscribe(self, callback: Any) -> Any:
                told.append(callback)
                return told.clear

        home = Path(self.mktemp())
        stop = start_event_log(home, Stream())
        told[0](Happened("identity-url-changed", {"new_idurl": "http://b/alice.xml"}))
        told[0](Happened("my-identity-rotate-complete", {}))
        stop()
        self.assertEqual(
            (home / "logs/event.log").read_text(),
            '2026-11-21T04:00:00.500Z identity-url-changed {"new_idurl": "http://b/alice.xml"}\n'
            "2026-11-21T04:00:00.500Z my-identity-rotate-complete {}\n",
        )
        self.assertEqual((told, mode(home / "logs/event.log")), ([], 0o600))

    @settings(max_examples=50)
    @given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
    def test_any_data_is_one_line(self, data: dict[str, Any]) -> None:
        """Data of any characters makes one line without control characters."""
        shown = line(Happened("x", data))
        self.assertIsNone(re.search(r"[\x00-\x1f]", shown))

    def test_secrets_are_hidden(self) -> None:
        """The event log is redacted too."""
        self.assertNotIn(SECRET, line(Happened("x", {"passphrase": SECRET})))
