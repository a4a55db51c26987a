"""Typed settings over one file."""

import errno
import fcntl
import json
import logging
import os
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import bitdust
from bitdust.config import store
from bitdust.config.schema import default_schema
from bitdust.config.settings import Settings
from bitdust.config.store import MAX_FILE, SettingsFile
from bitdust.config.types import Option, SettingError, parse_bool, parse_int, parse_size, show_size
from bitdust.identity import proxy
from tests.unit.test_docs import service_classes

SCHEMA = {
    option.key: option
    for option in (
        Option("a/flag", "bool", False, "flag", "help"),
        Option("a/number", "int", 5, "number", "help", 1, 10, "days"),
        Option("a/port", "port", 80, "port", "help"),
        Option("a/room", "size", 4 * 1024**2, "room", "help", 1024, 1024**3),
        Option("b/choice", "int", 2, "choice", "help", choices=(2, 4)),
        Option("b/folder", "dir", "", "folder", "help"),
        Option("b/line", "str", "", "line", "help"),
        Option("b/secret", "password", "", "secret", "help"),
        Option("b/fixed", "str", "x", "fixed", "help", read_only=True),
        Option("c", "text", "", "text", "help"),
    )
}


class SettingsTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()) / "config"
        self.path = self.folder / "settings.json"

    def settings(self) -> Settings:
        return Settings(self.folder, SCHEMA)

    def file(self, text: str | bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def stored(self) -> Any:
        return json.loads(self.path.read_text()) if self.path.exists() else None

    def refused(self, code: str, call: Any, *args: Any) -> str:
        error = self.assertRaises(SettingError, call, *args)
        self.assertEqual(error.code, code)
        return str(error)


class TypeTests(SettingsTestCase):
    """What each type takes, from the command line and from JSON."""

    GOOD = (
        ("a/flag", "true", True),
        ("a/flag", " Yes ", True),
        ("a/flag", 1, True),
        ("a/flag", "off", False),
        ("a/flag", False, False),
        ("a/number", "10", 10),
        ("a/number", 1, 1),
        ("a/port", 0, 0),
        ("a/port", "65535", 65535),
        ("a/room", "64 KB", 65536),
        ("a/room", "1.5mb", 1572864),
        ("a/room", 2048, 2048),
        ("a/room", "1GiB", 1024**3),
        ("a/room", "5000 bytes", 5000),
        ("b/choice", "4", 4),
        ("b/folder", "/srv//x/", "/srv/x"),
        ("b/folder", "", ""),
        ("b/line", " host ", "host"),
        ("b/line", 127, "127"),
        ("b/secret", " a b ", " a b "),
        ("c", "a\nb", "a\nb"),
        ("c", ["a", "b"], "a,b"),
    )
    BAD = (
        ("a/flag", "perhaps"),
        ("a/flag", 2),
        ("a/flag", None),
        ("a/number", 0),
        ("a/number", "11"),
        ("a/number", "1.5"),
        ("a/number", True),
        ("a/number", "٣"),
        ("a/number", []),
        ("a/port", 65536),
        ("a/port", -1),
        ("a/room", "1023"),
        ("a/room", "2 GB"),
        ("a/room", "-1 MB"),
        ("a/room", "4 MX"),
        ("a/room", "MB"),
        ("a/room", True),
        ("b/choice", 3),
        ("b/folder", "relative/path"),
        ("b/folder", "/a\0b"),
        ("b/line", "a\nb"),
        ("b/line", "x" * 4097),
        ("b/line", None),
        ("b/line", {"a": 1}),
        ("b/line", True),
        ("b/secret", "a\nb"),
        ("c", "\x1b[2J"),
        ("c", "\ud800"),
        ("c", "x" * 65537),
    )

    def test_good_values(self) -> None:
        """Each is taken, and a new start reads the same value."""
        for key, value, typed in self.GOOD:
            self.settings().set(key, value)
            found = self.settings().get(key)
            self.assertEqual((key, found, type(found)), (key, typed, type(typed)))

    def test_bad_values(self) -> None:
        """Each is refused by an error that names the key, and changes nothing."""
        known = self.settings()
        for key, value in self.BAD:
            self.assertIn(key, self.refused("bad-value", known.set, key, value))
            self.assertEqual((known.get(key), self.stored()), (SCHEMA[key].default, None))

    def test_the_error_says_what_is_allowed(self) -> None:
        """A number out of range is told the range, a size its units, a choice the choices."""
        known = self.settings()
        self.assertIn("1 to 10", self.refused("bad-value", known.set, "a/number", 11))
        self.assertIn("1 KB to 1 GB", self.refused("bad-value", known.set, "a/room", "2 GB"))
        self.assertIn("64 KB, 4 MB", self.refused("bad-value", known.set, "a/room", "much"))
        self.assertIn("2, 4", self.refused("bad-value", known.set, "b/choice", 3))

    def test_long_values_are_not_repeated(self) -> None:
        """An error does not repeat a long value, nor a password at all."""
        self.assertLess(len(self.refused("bad-value", self.settings().set, "a/number", "9" * 10**5)), 300)
        self.assertNotIn("hunter2", self.refused("bad-value", self.settings().set, "b/secret", "hunter2\n\n2"))

    def test_home_in_a_folder(self) -> None:
        """``~`` in a folder is the user's home."""
        self.patch(os, "environ", {"HOME": "/home/alice"})
        self.settings().set("b/folder", "~/data")
        self.assertEqual(self.settings().get("b/folder"), "/home/alice/data")

    @given(st.integers(0, 10**17))
    def test_sizes_are_exact(self, size: int) -> None:
        """A size that is shown and read again is the same, to the byte."""
        self.assertEqual((parse_size(show_size(size)), parse_size(size)), (size, size))

    @given(st.integers(0, 10**6), st.integers(0, 999999), st.sampled_from(["", "k", "M", "gb", "TiB", " KB"]))
    def test_fractions_of_sizes(self, whole: int, part: int, unit: str) -> None:
        """A decimal fraction is cut to whole bytes without an error of floating point."""
        power = " kmgt".index((unit.strip()[:1] or " ").lower())
        exact = (whole * 10**6 + part) * 1024**power // 10**6
        self.assertEqual(parse_size(f"{whole}.{part:06}{unit}"), exact)

    @given(st.integers(-(10**17), 10**17))
    def test_numbers(self, number: int) -> None:
        """Every whole number is read from text and from JSON."""
        self.assertEqual((parse_int(number), parse_int(f" {number} "), parse_int(f"{number:_}")), (number,) * 3)

    @given(
        st.sampled_from(sorted(SCHEMA)),
        st.text() | st.none() | st.booleans() | st.integers() | st.floats() | st.lists(st.text(), max_size=3),
    )
    def test_any_value(self, key: str, value: Any) -> None:
        """Any value is refused with a code, or becomes one that reads back as itself from the file and from text."""
        option = SCHEMA[key]
        try:
            parsed = option.parse(value)
        except SettingError as error:
            self.assertEqual(error.code, "bad-value")
            return
        self.assertEqual(option.parse(json.loads(json.dumps(option.stored(parsed)))), parsed)
        self.assertEqual(option.parse(parsed), parsed)

    @given(st.text())
    def test_any_text_for_a_flag(self, text: str) -> None:
        """Text is true, false, or refused."""
        try:
            self.assertIn(parse_bool(text), (True, False))
        except SettingError as error:
            self.assertEqual(error.code, "bad-value")


class GetAndSetTests(SettingsTestCase):
    """Reading and changing."""

    def test_defaults(self) -> None:
        """Without a file every setting has its default, and reading writes nothing."""
        known = self.settings()
        self.assertEqual({key: known.get(key) for key in SCHEMA}, {key: o.default for key, o in SCHEMA.items()})
        self.assertEqual((known.keys(), self.folder.exists()), (list(SCHEMA), False))

    def test_only_differences_are_stored(self) -> None:
        """The file holds what differs from the defaults, readable; setting the default again takes it out."""
        known = self.settings()
        self.assertEqual(known.set("a/number", 7), 5)
        known.set("a/room", 1024**2)
        self.assertEqual(self.stored(), {"a/number": 7, "a/room": "1 MB"})
        self.assertEqual(known.set("a/number", 5), 7)
        self.assertEqual(known.reset("a/room"), 1024**2)
        self.assertEqual((self.stored(), known.is_default("a/room")), ({}, True))

    def test_private(self) -> None:
        """Only the owner reads the folder and the files in it."""
        self.settings().set("a/number", 7)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (self.folder, *self.folder.iterdir())}
        self.assertEqual(modes, {"config": 0o700, "settings.json": 0o600, ".lock": 0o600})

    def test_unknown_keys(self) -> None:
        """A key that does not exist is refused, whatever is asked of it."""
        known = self.settings()
        for call in (known.get, known.get_text, known.reset, known.describe, known.option):
            self.refused("unknown-setting", call, "a/none")
        self.refused("unknown-setting", known.set, "a/none", 1)
        self.assertNotIn("a/none", known)

    def test_slashes_around_a_key(self) -> None:
        """A key may be written with slashes around it."""
        known = self.settings()
        known.set("/a/number/", 7)
        self.assertEqual((known.get("a/number"), known.get("/a/number")), (7, 7))

    def test_read_only(self) -> None:
        """A read-only setting cannot be changed."""
        self.refused("read-only", self.settings().set, "b/fixed", "y")

    def test_as_text(self) -> None:
        """Text is as the command line prints it; a password is not shown."""
        known = self.settings()
        known.set("b/secret", "hunter2")
        known.set("a/flag", True)
        texts = [known.get_text(key) for key in ("a/flag", "a/number", "a/room", "b/secret", "b/line")]
        self.assertEqual(texts, ["true", "5", "4 MB", "***", ""])

    def test_describe(self) -> None:
        """The description has what the API promises; help and limits come when asked for."""
        known = self.settings()
        self.assertEqual(
            known.describe("a/room"),
            {
                "key": "a/room",
                "value": "4 MB",
                "type": "disk space",
                "label": "room",
                "readonly": False,
                "default": "4 MB",
            },
        )
        full = known.describe("a/number", include_info=True)
        self.assertEqual((full["info"], full["min"], full["max"], full["unit"]), ("help", 1, 10, "days"))
        self.assertEqual(known.describe("b/choice", include_info=True)["possible_values"], [2, 4])

    def test_a_password_is_never_described(self) -> None:
        """Neither its value nor its length is in the description; the program still gets it."""
        known = self.settings()
        self.assertEqual(known.describe("b/secret")["value"], "")
        known.set("b/secret", "hunter2")
        self.assertEqual((known.describe("b/secret", True)["value"], known.get("b/secret")), ("***", "hunter2"))

    def test_children(self) -> None:
        """Folders of settings show what lies one level below them."""
        known = self.settings()
        self.assertEqual(known.children("a"), ["a/flag", "a/number", "a/port", "a/room"])
        self.assertEqual((known.children(""), known.children("nothing")), (["a", "b", "c"], []))


class WatcherTests(SettingsTestCase):
    """Change notifications."""

    def setUp(self) -> None:
        super().setUp()
        self.known = self.settings()
        self.told: list[Any] = []

    def tell(self, *change: Any) -> None:
        self.told.append(change)

    def test_told_of_a_change(self) -> None:
        """Key, old and new value, once, after it is on the disk."""
        self.known.on_change("a/", lambda key, old, new: self.tell(key, old, new, self.stored()))
        self.known.set("a/number", "7")
        self.assertEqual(self.told, [("a/number", 5, 7, {"a/number": 7})])

    def test_only_the_prefix(self) -> None:
        """A watcher of other keys hears nothing."""
        self.known.on_change("b", self.tell)
        self.known.set("a/number", 7)
        self.assertEqual(self.told, [])

    def test_an_unchanged_value(self) -> None:
        """Writing what is there already is silent: no notification, no new file."""
        self.known.set("a/room", "2 MB")
        self.known.on_change("", self.tell)
        before = self.path.stat().st_ino
        self.known.set("a/room", 2 * 1024**2)
        self.assertEqual((self.told, self.path.stat().st_ino), ([], before))

    def test_remover(self) -> None:
        """A removed watcher hears nothing; removing it twice leaves another one of the same kind."""
        first = self.known.on_change("", self.tell)
        self.known.on_change("", self.tell)
        first()
        first()
        self.known.set("a/number", 7)
        self.assertEqual(len(self.told), 1)

    def test_a_watcher_that_raises(self) -> None:
        """It is logged; the value is stored and the others are told."""

        def broken(*change: Any) -> None:
            raise ZeroDivisionError

        self.known.on_change("", broken)
        self.known.on_change("", self.tell)
        with mock.patch.object(logging.getLogger("bitdust.config.settings"), "exception") as logged:
            self.known.set("a/number", 7)
        self.assertEqual((len(self.told), logged.call_count, self.stored()), (1, 1, {"a/number": 7}))

    def test_nothing_is_told_when_it_cannot_be_saved(self) -> None:
        """A full disk gives a clear error; value, file and watchers stay as they were."""
        self.known.set("a/number", 6)
        self.known.on_change("", self.tell)
        full = OSError(errno.ENOSPC, "No space left on device")
        with mock.patch.object(store, "write_safely", side_effect=full):
            text = self.refused("cannot-save", self.known.set, "a/number", 7)
        self.assertIn("No space left", text)
        self.assertEqual((self.told, self.known.get("a/number"), self.stored()), ([], 6, {"a/number": 6}))


class FileTests(SettingsTestCase):
    """The file, as people and other processes leave it."""

    def test_broken_files(self) -> None:
        """Each is refused with the file's name, the line where it is known, and what to do; it stays as it is."""
        for text, words in (
            ('{\n  "a/number": 7,\n  "a/flag": ,\n}', "line 3: it is not JSON"),
            ('{\n  "a/number": 7,\n\n  "a/port": "http"\n}', "line 4: a/port"),
            ('{"a/number": 7, "a/number": 8}', "'a/number' stands there twice"),
            ("[]", "line 1: it is not a JSON object"),
            ("", "line 1: it is not JSON"),
            (b'{\n"c": "\xff"}', "line 2: it is not UTF-8"),
            ('{"a/number": NaN}', "NaN"),
            ("[" * 100_000, "broken"),
            (" " * (MAX_FILE + 1), "larger than"),
        ):
            self.file(text)
            before = self.path.read_bytes()
            told = self.refused("broken-settings", self.settings)
            self.assertIn(str(self.path), told)
            self.assertIn("mend it, or move it away", told)
            if words != "broken":
                self.assertIn(words, told)
            self.assertEqual(self.path.read_bytes(), before)

    def test_an_unreadable_file(self) -> None:
        """A folder in place of the file is told as such."""
        self.path.mkdir(parents=True)
        self.assertIn("directory", self.refused("broken-settings", self.settings))

    def test_broken_while_we_run(self) -> None:
        """A file that somebody breaks meanwhile is neither overwritten nor taken over."""
        known = self.settings()
        known.set("a/number", 7)
        self.file('{"a/number": 7')
        self.refused("broken-settings", known.set, "a/port", 81)
        self.refused("broken-settings", known.refresh)
        self.assertEqual((self.path.read_text(), known.get("a/number"), known.get("a/port")), ('{"a/number": 7', 7, 80))

    def test_unknown_keys_are_kept(self) -> None:
        """Keys of another version are reported, and still there after a change."""
        self.file('{"new/thing": {"x": [1]}, "a/number": 7}')
        with self.assertLogs("bitdust.config.settings", "WARNING") as logged:
            known = self.settings()
        self.assertIn("new/thing", logged.output[0])
        known.set("a/number", 8)
        self.assertEqual((known.unknown(), self.stored()), (["new/thing"], {"new/thing": {"x": [1]}, "a/number": 8}))

    def test_changes_of_another_process_are_kept(self) -> None:
        """Two processes that change different settings do not undo each other, and each learns of the other's."""
        first, second = self.settings(), self.settings()
        told: list[Any] = []
        first.on_change("", lambda *change: told.append(change))
        second.set("a/number", 7)
        first.set("a/port", 81)
        self.assertEqual(self.stored(), {"a/number": 7, "a/port": 81})
        self.assertEqual(told, [("a/number", 5, 7), ("a/port", 80, 81)])

    def test_what_another_process_changed_can_be_changed_back(self) -> None:
        """The value that we remember is no reason to leave another one in the file."""
        first, second = self.settings(), self.settings()
        second.set("a/number", 7)
        first.set("a/number", 5)
        self.assertEqual(self.stored(), {})

    def test_refresh(self) -> None:
        """A file edited by hand is taken over when asked, and its changes are told."""
        known = self.settings()
        told: list[Any] = []
        known.on_change("a/", lambda *change: told.append(change))
        self.file('{"a/room": "8 MB", "c": "x"}')
        known.refresh()
        self.assertEqual((told, known.get("c")), ([("a/room", 4 * 1024**2, 8 * 1024**2)], "x"))

    def test_many_writers(self) -> None:
        """Of many changes at once, none is lost."""
        schema = {f"k{n}": Option(f"k{n}", "int", 0, "", "") for n in range(8)}
        writers = [
            threading.Thread(target=Settings(self.folder, schema).set, args=(key, number))
            for number, key in enumerate(schema, 1)
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        self.assertEqual(self.stored(), {key: number for number, key in enumerate(schema, 1)})

    def test_a_lock_that_is_held(self) -> None:
        """When another process does not give the lock back we say so after a while, instead of waiting for ever."""
        known = self.settings()
        known.set("a/number", 7)
        with open(self.folder / ".lock") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            with mock.patch.object(store.time, "sleep") as slept:
                self.refused("settings-busy", known.set, "a/number", 8)
        self.assertEqual((slept.call_count, self.stored()), (store.LOCK_TRIES, {"a/number": 7}))
        known.set("a/number", 8)

    def test_too_much(self) -> None:
        """What would make the file too large to be read again is not written."""
        schema = {f"k{n}": Option(f"k{n}", "text", "", "", "") for n in range(4)}
        known = Settings(self.folder, schema)
        wide = "\N{GRINNING FACE}" * 60_000
        known.set("k0", wide)
        self.refused("too-large", known.set, "k1", wide)
        self.assertEqual(Settings(self.folder, schema).get("k0"), wide)

    def test_leftovers_go(self) -> None:
        """What a killed writer left is removed by the next change."""
        self.folder.mkdir(parents=True)
        (self.folder / ".part-1-settings.json").write_text("half")
        self.settings().set("a/number", 7)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), [".lock", "settings.json"])

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=200) | st.text(alphabet='{}[]":,0123456789 \n\\aetfnulrs/', max_size=200).map(str.encode))
    def test_any_file(self, data: bytes) -> None:
        """Any bytes are read as settings or refused by the one error; they are never changed by reading."""
        self.file(data)
        logging.disable(logging.CRITICAL)
        try:
            known = self.settings()
        except SettingError as error:
            self.assertEqual(error.code, "broken-settings")
        else:
            self.assertIsInstance(json.loads(data), dict)
            self.assertIn(known.get("a/number"), range(1, 11))
        finally:
            logging.disable(logging.NOTSET)
        self.assertEqual(self.path.read_bytes(), data)

    @settings(max_examples=50, deadline=None)
    @given(st.data())
    def test_every_flipped_byte(self, data: st.DataObject) -> None:
        """A good file with one byte changed is read as settings within their limits, or refused by the one error."""
        good = bytearray(b'{\n  "a/number": 7,\n  "a/room": "8 MB",\n  "b/choice": 4\n}\n')
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
        self.file(bytes(good))
        logging.disable(logging.CRITICAL)
        try:
            known = self.settings()
        except SettingError as error:
            self.assertEqual(error.code, "broken-settings")
        else:
            for key, option in SCHEMA.items():
                self.assertEqual(option.parse(known.get(key)), known.get(key))
        finally:
            logging.disable(logging.NOTSET)

    def test_line_of_a_key(self) -> None:
        """The line is found by the key as JSON writes it."""
        self.file('{\n"a": 1,\n"b": 2}')
        contents = SettingsFile(self.path).read()
        self.assertEqual((contents.line_of("b"), contents.line_of("c")), (3, None))


OPERATORS = """
    interface/api/auth-secret-enabled logs/debug-level
    logs/{api-enabled,automat-events-enabled,automat-transitions-enabled,packet-enabled}
    services/gateway/p2p-timeout personal/private-key-size
    services/entangled-dht/{udp-port,known-nodes,attached-layers,enabled}
    services/identity-server/{host,web-port,tcp-port,enabled}
    services/identity-propagate/{known-servers,preferred-servers,min-servers,max-servers,automatic-rotate-enabled}
    services/identity-propagate/health-check-interval-seconds
    services/proxy-transport/{enabled,preferred-routers} services/proxy-server/enabled
    services/supplier/{enabled,donated-space} services/customer/{enabled,suppliers-number,needed-space}
    services/employer/{candidates,replace-critically-offline-enabled}
    services/backups/{block-size,max-copies,keep-local-copies-enabled,wait-suppliers-enabled}
    services/private-groups/{message-ack-timeout,broker-connect-timeout,preferred-brokers} services/network/enabled
    services/bismuth-blockchain/enabled services/ip-port-responder/enabled
    services/web-socket-router/{enabled,host,port}
"""
"""What scripts of older nodes set before they start one."""
FILLED_IN = re.compile(r'f"([a-z/-]*/[a-z-]*)\{\w+\}([a-z-]*)"')
"""Keys that the program puts together, as in ``f"services/backups/{name}"``."""


class SchemaTests(SynchronousTestCase):
    """The settings of this program."""

    def test_defaults_are_allowed(self) -> None:
        """Each default is a value that its setting takes, also as the file would hold it."""
        for key, option in default_schema().items():
            self.assertEqual((key, option.parse(option.stored(option.default))), (key, option.default))

    def test_everything_is_explained(self) -> None:
        """Each setting has a label and a sentence of help, and keys are written in one style."""
        for key, option in default_schema().items():
            self.assertTrue(option.label and option.help.endswith("."), key)
            self.assertRegex(key, r"^[a-z0-9-]+(/[a-z0-9-]+){1,3}$")

    def test_scripts_of_older_nodes(self) -> None:
        """Every setting that operators of older nodes write is taken, and says so where nothing reads it."""
        known = default_schema()
        for group in OPERATORS.split():
            head, _, names = group.partition("{")
            for name in names.rstrip("}").split(",") if names else [""]:
                self.assertIn(head + name, known)
        self.assertIn("nothing in this version reads it", known["services/proxy-server/enabled"].help)

    def test_every_setting_is_read(self) -> None:
        """Each setting is named where it is read, whole or with a part filled in; those of older nodes are nowhere."""
        root = Path(bitdust.__file__).parent
        files = [path for path in root.rglob("*.py") if not path.name.endswith(("schema.py", "settings.py"))]
        texts = "\n".join(path.read_text(encoding="utf-8") for path in [*files, root / "config" / "settings.py"])
        filled = [re.escape(head) + "[a-z-]+" + re.escape(tail) for head, tail in FILLED_IN.findall(texts)]
        services = {f"services/{name.replace('_', '-')}" for name in service_classes()}
        for key, option in default_schema().items():
            folder, _, name = key.rpartition("/")
            read = f'"{key}"' in texts or any(re.fullmatch(pattern, key) for pattern in filled)
            read = read or (name == "enabled" and folder in services) or key.startswith(proxy.SETTINGS)
            self.assertEqual(read, not option.unread, key)

    def test_defaults_that_differ_from_the_originals(self) -> None:
        """The defaults of the design: safe, without limits of speed, nothing wiped by a timer."""
        defaults = {key: option.default for key, option in default_schema().items()}
        for key, value in (
            ("services/network/receive-limit", 0),
            ("services/network/send-limit", 0),
            ("services/identity-propagate/min-servers", 1),
            ("services/customer/needed-space", 4 * 1024**3),
            ("services/supplier/donated-space", 8 * 1024**3),
            ("services/customer/suppliers-number", 4),
            ("services/customer-patrol/customer-idle-days", 0),
            ("services/backups/block-size", 4 * 1024**2),
            ("services/backups/keep-local-copies-enabled", False),
            ("services/identity-server/enabled", False),
            ("services/identity-server/web-port", 8084),
            ("services/tcp-connections/tcp-port", 7771),
            ("interface/api/rest-http-port", 8180),
            ("interface/api/web-socket-port", 8280),
            ("interface/api/auth-secret-enabled", True),
            ("interface/api/allowed-hosts", ""),
            ("interface/api/allowed-origins", ""),
        ):
            self.assertEqual((key, defaults[key]), (key, value))

    def test_ranges(self) -> None:
        """Two to 64 suppliers, any number between; port 0 lets the system choose."""
        schema = default_schema()
        suppliers = schema["services/customer/suppliers-number"]
        self.assertEqual([suppliers.parse(number) for number in (2, 3, 5, 64)], [2, 3, 5, 64])
        for number in (1, 65):
            self.assertRaises(SettingError, suppliers.parse, number)
        self.assertEqual(schema["services/backups/block-size"].parse("10 KB"), 10 * 1024)
        self.assertEqual(schema["services/identity-propagate/health-check-interval-seconds"].parse(5), 5)
        for key, option in schema.items():
            if key.endswith("port"):
                self.assertEqual((key, option.type, option.parse(0)), (key, "port", 0))

    def test_no_twisted(self) -> None:
        """The command line reads settings without loading Twisted."""
        code = "import sys, bitdust.config.settings; sys.exit(any(name.startswith('twisted') for name in sys.modules))"
        root = Path(__file__).parents[2]
        self.assertEqual(subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode, 0)
