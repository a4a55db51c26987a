"""The dialect of BitTorrent Sync without sockets: calls, answers key by key, errors, and who is let in."""

import base64
import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.config.settings import Settings
from bitdust.folders.port import EntryRow, PeerRow
from bitdust.folders.secrets import parse
from bitdust.web.btsync.arguments import MAX_FIELDS, MAX_QUERY, BadQuery, read
from bitdust.web.btsync.credentials import Credentials, Known, matches_hash
from bitdust.web.btsync.dialect import BtsyncDialect
from bitdust.web.btsync.guard import BtsyncGuard
from bitdust.web.btsync.methods import THE_SEVENTEEN, all_methods
from bitdust.web.btsync.port import PERMITTED, BtsyncNode
from bitdust.web.btsync.preferences import PREFERENCES
from bitdust.web.btsync.table import Method, Methods
from bitdust.web.dialect import Head, Reply
from bitdust.web.guard import FAILURES
from bitdust.web.programs import Programs
from tests.btsync_seed.printed import RECORDED, Printed, differences, printed
from tests.stand_ins import FoldersAsSaid

A, B = "AHRAXZOGOMZ7B7VIFL5JK7VRH5URQVHMA", "B3MF5NHDCWI6JTVUU2R3LYMQDAK2QCEXG"
D, F = "DZ4PN4GAEBSHBEOGDLVKQS5DIKXPCCGTE", "FMZXEH4PWSA62N7LAJNHJV57O42X5PEFS"
E = "E" + F[1:] + "ZHBBS5BN7BNVPNNHF4LFVFREXQ"
HOST = {b"Host": [b"127.0.0.1:8888"]}
SHA_512 = "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/"
"""Of ``password``, as crypt(3) makes it."""


class Talk:
    """One request, and its answer."""

    def __init__(self, dialect: BtsyncDialect, query: str, path: str = "/api", verb: bytes = b"GET", **headers: bytes):
        given = HOST | {name.replace("_", "-").encode(): [value] for name, value in headers.items()}
        given = {name: value for name, value in given.items() if value != [b""]}
        self.head = Head(verb, path.encode(), query.encode(), b"HTTP/1.1", given, 0, 0.0)
        self.reply: Reply | None = None
        sink = dialect.begin(self)
        if isinstance(sink, Reply):
            self.reply = sink
        else:
            sink.received(b"")
            sink.finished()

    def answer(self, reply: Reply) -> None:
        self.reply = reply


class BtsyncCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.base = Path(self.mktemp()).absolute()
        self.base.mkdir()
        self.settings = Settings(self.base / "config")
        self.folders = FoldersAsSaid()
        self.stops: list[str] = []
        self.clock = Clock()
        self.known = Known("")
        self.origins: list[str] = []
        self.dialect = self.dialect_of()

    def dialect_of(self, answers: bool = True, needed: bool = False) -> BtsyncDialect:
        node = BtsyncNode(self.folders, self.settings, os.urandom, lambda: self.stops.append("stop"))
        programs = Programs(lambda: self.origins, lambda: ["nas.example"])
        guard = BtsyncGuard(programs, Credentials.on(self.clock, lambda: self.known, needed))
        return BtsyncDialect(node, all_methods(), guard, answers)

    def status(self, query: str = "method=get_os", path: str = "/api", verb: bytes = b"GET", **headers: bytes) -> int:
        talk = Talk(self.dialect, query, path, verb, **headers)
        assert talk.reply is not None
        return talk.reply.status

    def asked(self, query: str) -> Any:
        talk = Talk(self.dialect, query)
        assert talk.reply is not None and isinstance(talk.reply.body, bytes)
        self.assertEqual(talk.reply.status, 200, query)
        self.assertIn(b"application/json", talk.reply.headers)
        return json.loads(talk.reply.body)

    def ask(self, method: str, **arguments: Any) -> Any:
        return self.asked(urlencode({"method": method} | arguments))

    def folder(self, secret: str = A, name: str = "photos", **more: Any) -> Path:
        """A folder that was added."""
        path = self.base / name
        path.mkdir()
        self.assertEqual(self.ask("add_folder", dir=path, secret=secret, **more), {"error": 0, "result": 0})
        return path


class SeedTests(BtsyncCase):
    """Seed 003, line by line."""

    def test_every_method_of_the_page_is_there(self) -> None:
        """The table has the seventeen methods of the page, and what is not of them is called ``ext_``."""
        names = all_methods().names()
        self.assertEqual([one.name for one in printed()], list(THE_SEVENTEEN))
        self.assertEqual(set(THE_SEVENTEEN) - set(names), set())
        self.assertTrue(all(name.startswith("ext_") for name in set(names) - set(THE_SEVENTEEN)))

    def test_every_line(self) -> None:
        """Each printed call, with its optional arguments and without, is answered with exactly the printed keys."""
        self.folder(D, "chosen", selective_sync=1)
        self.folders.entries[D, ""] = self.folders.entries[D, "images"] = [
            EntryRow("images", "folder"),
            EntryRow("index.html", "file", "created", 2726, 1, 1, True),
        ]
        self.folders.near = [PeerRow("ARRdk5XANMb7RmQqEDfEZE-k5aI=", "GT-I9500", upload=22455367417)]
        filled = {"(secret)": D, "(path)": "images", "param1": "use_dht=1", "param2": "lang=-1"}
        for one in printed():
            for number, query in enumerate(self.lines(one, filled)):
                answer = self.asked(query)
                self.assertTrue(answer, query)
                if one.name == "get_secrets" and number == 0:
                    self.assertEqual(set(answer), {"read_write", "read_only"})
                    continue
                self.assertEqual(differences(one.answer, answer, one.name), "", query)
        self.assertEqual(self.ask("remove_folder", secret=D), {"error": 0})
        self.assertEqual(self.stops, ["stop"])

    def lines(self, one: Printed, filled: dict[str, str]) -> list[str]:
        """A printed call as it is asked here; what adds a folder needs a new one each time, removing comes last."""
        if one.name == "remove_folder":
            return []
        if one.name == "set_file_prefs":
            filled = filled | {"(path)": "images/index.html"}
        if one.name != "add_folder":
            return list(one.queries(filled))
        found = []
        for name in ("one", "two"):
            (self.base / name).mkdir()
            secrets = self.ask("get_secrets")
            lines = list(one.queries({"(folderPath)": str(self.base / name), "(secret)": secrets["read_write"]}))
            found.append(lines[len(found)])
        return found

    def test_what_is_recorded_beside_the_page(self) -> None:
        """Only three answers have keys beyond the page, which the vendor's own daemon was recorded to send."""
        self.assertEqual(sorted(RECORDED), ["add_folder", "get_folder_prefs", "set_folder_prefs"])


class FolderTests(BtsyncCase):
    def test_folders(self) -> None:
        """Folders are listed as integers and text, an encrypted-only one as one that may be read."""
        path = self.folder()
        keeper = self.folder(F, "kept")
        self.folders.rows[A] = evolve(self.folders.rows[A], files=3, size=9, indexing=True, problem="folder-gone")
        shown = {
            "dir": str(path),
            "error": 100,
            "files": 3,
            "indexing": 1,
            "secret": A,
            "size": 9,
            "type": "read_write",
        }
        kept = {"dir": str(keeper), "error": 0, "files": 0, "indexing": 0, "secret": F, "size": 0, "type": "read_only"}
        self.assertEqual(self.ask("get_folders"), [shown, kept])
        self.assertEqual(self.ask("get_folders", secret=F), [kept])
        self.assertEqual(self.ask("get_folders", secret=B), [])
        self.assertEqual(self.ask("get_folders", secret="nonsense"), [])

    def test_what_add_folder_refuses(self) -> None:
        """A missing directory, one that is known, a secret that is none: each with its number, and nothing is added."""
        path = self.folder()
        missing = {"error": 2, "message": "Specify all the required parameters for add_folder."}
        closed = {"result": 100, "message": "Can't open the destination folder."}
        self.assertEqual(self.ask("add_folder"), missing)
        self.assertEqual(self.ask("add_folder", dir=""), missing)
        for odd in (self.base / "nothing", "photos", "~/photos", "/a\0b"):
            self.assertEqual(self.ask("add_folder", dir=odd), closed)
        known = {"result": 200, "message": "Selected folder is already added to BitTorrent Sync."}
        self.assertEqual(self.ask("add_folder", dir=path, secret=D), known)
        self.assertEqual(self.ask("add_folder", dir=self.base, secret=A), known)
        text = "This secret is invalid.\nPlease generate a new secret or enter your shared folder secret."
        for odd in ("nonsense", A[:-1], "C" + A[1:], "A" * 1000):
            self.assertEqual(self.ask("add_folder", dir=self.base, secret=odd), {"result": 201, "message": text})
        self.settings.set(PERMITTED, f"{path}\n{self.base / 'others'}")
        refused = {"result": 108, "message": "Access to destination folder not permitted."}
        self.assertEqual(self.ask("add_folder", dir=self.base, secret=D), refused)
        self.assertEqual(self.ask("add_folder", dir=f"{path}/../../", secret=D), refused)
        self.assertEqual(len(self.folders.rows), 1)

    def test_an_exact_answer(self) -> None:
        """A setting has add_folder answer exactly as the vendor's daemon did."""
        self.settings.set("services/btsync/add-folder-reply", "wire")
        self.assertEqual(self.ask("add_folder", dir=self.base), {"result": 0})

    def test_a_new_folder_gets_a_secret(self) -> None:
        """Without a secret, or with an empty one, a new one is made."""
        self.asked(
            urlencode({"method": "add_folder", "dir": self.base, "secret": "", "selective_sync": "0", "force": 1})
        )
        (row,) = self.ask("get_folders")
        self.assertEqual(parse(row["secret"]).kind, "A")
        self.assertEqual(self.ask("get_folder_prefs", secret=row["secret"])["selective_sync"], 0)

    def test_removing(self) -> None:
        """A removed folder keeps its files; a secret that no folder has is error 1 without words."""
        path = self.folder()
        (path / "file").write_text("here")
        self.assertEqual(self.ask("remove_folder", secret=B), {"error": 1})
        self.assertEqual(self.ask("remove_folder", secret=A), {"error": 0})
        self.assertEqual((path / "file").read_text(), "here")
        self.assertEqual(self.ask("get_folders"), [])

    def test_unknown_folders(self) -> None:
        """Methods of one folder answer an empty list or object for a secret that no folder has, and 2 for none."""
        for name in ("get_files", "get_folder_peers"):
            self.assertEqual(self.ask(name, secret=B), [])
        for name in ("get_folder_prefs", "set_folder_prefs", "get_folder_hosts", "set_folder_hosts"):
            self.assertEqual(self.ask(name, secret=B, hosts="a:1"), {})
        self.assertEqual(self.ask("set_file_prefs", secret=B, path="a", download=1), [])
        for name in ("get_files", "set_file_prefs", "get_folder_peers", "get_folder_prefs", "set_folder_prefs"):
            text = f"Specify all the required parameters for {name}."
            self.assertEqual(self.ask(name), {"error": 2, "message": text})
        for name in ("remove_folder", "get_folder_hosts", "set_folder_hosts"):
            self.assertEqual(self.ask(name)["error"], 2)

    def test_preferences_of_a_folder(self) -> None:
        """Seven preferences with their defaults; those that are given change, whatever else is given does not count."""
        self.folder()
        usual = {
            "search_lan": 1, "selective_sync": 0, "use_dht": 0, "use_hosts": 0, "use_relay_server": 1,
            "use_sync_trash": 1, "use_tracker": 1,
        }  # fmt: skip
        self.assertEqual(self.ask("get_folder_prefs", secret=A), usual)
        changed = self.ask(
            "set_folder_prefs", secret=A, use_dht="true", search_lan=0, use_hosts="perhaps", colour="red"
        )
        self.assertEqual(changed, usual | {"use_dht": 1, "search_lan": 0})
        self.ask("set_folder_prefs", secret=A, overwrite_changes=1)
        self.assertNotIn("overwrite_changes", self.folders.chosen[A])
        self.folder(B, "read")
        self.assertEqual(self.ask("set_folder_prefs", secret=B, overwrite_changes=1), usual)
        self.assertEqual(self.folders.chosen[B]["overwrite_changes"], 1)

    def test_hosts(self) -> None:
        """Hosts are replaced, given with commas or again and again; none clears them, odd ones are left out."""
        self.folder()
        self.assertEqual(self.ask("get_folder_hosts", secret=A), {"hosts": []})
        self.assertEqual(
            self.ask("set_folder_hosts", secret=A, hosts="a:1,b.example:65535"), {"hosts": ["a:1", "b.example:65535"]}
        )
        again = self.asked(f"method=set_folder_hosts&secret={A}&hosts=c:3&hosts=%5B::1%5D:4&host=d:5")
        self.assertEqual(again, {"hosts": ["c:3", "[::1]:4", "d:5"]})
        odd = "a,b:,:1,c:0,d:65536,e:x,f g:1,h:\u0661,i:1"
        self.assertEqual(self.ask("set_folder_hosts", secret=A, hosts=odd), {"hosts": ["i:1"]})
        self.assertEqual(self.ask("set_folder_hosts", secret=A), {"hosts": []})


class FileTests(BtsyncCase):
    def test_files(self) -> None:
        """Files have pieces and a size, folders a name alone; ``download`` is there in selective folders only."""
        self.folder()
        self.folders.entries[A, ""] = [EntryRow("sub", "folder"), EntryRow("a", "file", "created", 5, 0, 1)]
        self.folders.entries[A, "sub/b"] = []
        folder = {"name": "sub", "state": "created", "type": "folder"}
        file = {"name": "a", "state": "created", "type": "file", "size": 5, "have_pieces": 0, "total_pieces": 1}
        for path in ({}, {"path": "/"}, {"path": ""}):
            self.assertEqual(self.ask("get_files", secret=A, **path), [folder, file])
        self.assertEqual(self.ask("get_files", secret=A, path="/sub/b/"), [])
        self.assertEqual(self.ask("get_files", secret=A, path="nowhere"), [])
        self.assertEqual(self.ask("set_file_prefs", secret=A, path="a", download=0), [file])

    def test_choosing(self) -> None:
        """In a selective folder a file is chosen and let go; no path is an empty object, an unknown one nothing."""
        self.folder(D, "chosen", selective_sync=1)
        self.folders.entries[D, "sub"] = [EntryRow("a", "file", "created", 5, 0, 1, False)]
        (row,) = self.ask("set_file_prefs", secret=D, path="/sub/a", download=1)
        self.assertEqual(row["download"], 1)
        (row,) = self.ask("set_file_prefs", secret=D, path="sub/a", download="false")
        self.assertEqual(row["download"], 0)
        self.assertEqual(self.ask("set_file_prefs", secret=D, download=1), [{}])
        self.assertEqual(self.ask("set_file_prefs", secret=D, path="sub/c", download=1), [])

    def test_names_that_are_no_text(self) -> None:
        """A name of bytes that are no UTF-8 comes out as JSON, and goes in again as it came out of the disk."""
        self.folder()
        self.folders.entries[A, ""] = [EntryRow("caf\udce9 \u00e9\U0001f600", "file")]
        (row,) = self.ask("get_files", secret=A)
        self.assertEqual(row["name"], "caf\udce9 \u00e9\U0001f600")
        self.assertEqual(read(b"path=caf%E9").text("path"), "caf\udce9")


class SecretTests(BtsyncCase):
    def test_what_follows_from_a_secret(self) -> None:
        """Exactly the keys that can be told from it are there."""
        for secret, known in (
            (A, {"read_write": A, "read_only": B}),
            (B, {"read_only": B}),
            (D, {"read_write": D, "read_only": E, "encryption": F}),
            (E, {"read_only": E, "encryption": F}),
            (F, {"encryption": F}),
        ):
            self.assertEqual(self.ask("get_secrets", secret=secret), known)

    def test_new_secrets(self) -> None:
        """New ones differ each time; of an encrypted folder under both names that the page has for it."""
        for kind, names in ((None, "AB"), ("encryption", "DEF"), ("encrypted", "DEF"), ("other", "AB")):
            given = {"type": kind} if kind else {}
            one, two = self.ask("get_secrets", **given), self.ask("get_secrets", **given)
            self.assertEqual(sorted(text[0] for text in one.values()), list(names))
            self.assertNotEqual(one, two)
            self.assertEqual([parse(text).kind for text in sorted(one.values())], list(names))

    def test_what_is_no_secret(self) -> None:
        """It is error 3."""
        for odd in ("nonsense", A.lower(), "G" + A[1:]):
            self.assertEqual(self.ask("get_secrets", secret=odd), {"error": 3, "message": "Invalid secret."})


class NodeTests(BtsyncCase):
    def test_preferences(self) -> None:
        """Seventeen preferences in the recorded types, always all of them."""
        found = self.ask("get_prefs")
        types = {name: type(value) for name, value in found.items()}
        digits = ("folder_rescan_interval", "max_file_size_diff_for_patching", "max_file_size_for_versioning",
                  "recv_buf_size", "send_buf_size", "sync_max_time_diff", "sync_trash_ttl")  # fmt: skip
        self.assertEqual({name for name, kind in types.items() if kind is str}, {*digits, "device_name"})
        self.assertEqual(set(types.values()), {str, int})
        self.assertEqual(len(found), 17)
        self.assertEqual(found["device_name"], self.folders.device_name())
        expected = {"folder_rescan_interval": "600", "lang": 28261, "sync_trash_ttl": "30", "disk_low_priority": 1}
        self.assertEqual({name: found[name] for name in expected}, expected)

    def test_changing_them(self) -> None:
        """Good values change theirs, whatever way truth is written; a bad one leaves it, an unknown one is ignored."""
        before = self.ask("get_prefs")
        changed = {
            "device_name": "\u00e9t\u00e9", "lang": -1, "use_upnp": 1, "disk_low_priority": 0, "upload_limit": 50,
            "sync_trash_ttl": "1", "folder_rescan_interval": "10",
        }  # fmt: skip
        after = self.ask("set_prefs", **(changed | {"use_upnp": "true", "colour": "red"}))
        self.assertEqual(after, before | changed | {"device_name": before["device_name"]})
        self.assertEqual(self.settings.get("services/folder-sync/device-name"), changed["device_name"])
        bad = {"use_upnp": "perhaps", "lang": "x", "upload_limit": -1, "listening_port": 70000, "send_buf_size": "0"}
        self.assertEqual(self.ask("set_prefs", **bad), after)
        self.assertEqual(Settings(self.base / "config").get("services/folder-sync/upload-limit"), 50)

    def test_every_preference_has_a_setting(self) -> None:
        """Each one is a setting of the node, and no two are the same one."""
        self.assertEqual(len({one.key for one in PREFERENCES}), 17)
        self.assertTrue(all(one.key in self.settings for one in PREFERENCES))

    def test_the_rest(self) -> None:
        """System, version and speed; the answer to a shutdown comes before the end."""
        self.assertIn(self.ask("get_os")["os"], ("linux", "mac"))
        self.assertTrue(re.fullmatch(r"1\.\d+\.\d+", self.ask("get_version")["version"]))
        self.assertEqual(self.ask("get_speed"), {"download": 0, "upload": 0})
        self.folders.moving = (61007, 5)
        self.assertEqual(self.ask("get_speed"), {"download": 61007, "upload": 5})
        self.assertEqual((self.ask("shutdown"), self.stops), ({"error": 0}, ["stop"]))


class ExtensionTests(BtsyncCase):
    def test_what_they_ask_for(self) -> None:
        """Each extension asks the room for what it is called, and answers what that told."""
        self.folder()
        self.assertEqual(self.ask("ext_pause_folder", secret=A), {"error": 0})
        self.assertEqual(
            self.ask("ext_get_folder_state", secret=A), {"paused": 1, "peers": 0, "problem": "", "problem_text": ""}
        )
        self.ask("ext_resume_folder", secret=A)
        self.ask("ext_rescan_folder", secret=A)
        self.ask("ext_restore_version", secret=A, path="/a.txt", version="1")
        self.assertEqual(self.ask("ext_confirm_deletes", secret=A), {"error": 0, "deleted": 7})
        self.assertEqual(self.ask("ext_get_conflicts", secret=A)[0]["original"], "a.txt")
        self.assertEqual(self.ask("ext_get_versions", secret=A, path="a.txt")[0]["version"], "1")
        self.assertEqual(len(self.ask("ext_get_history", secret=A, limit=0)), 0)
        self.assertEqual(self.ask("ext_get_history", secret=A, limit="many")[0]["what"], "changed")
        self.ask("ext_set_folder_limits", secret=A, download_limit=50, upload_limit="many")
        self.ask("ext_set_folder_limits", secret=A, upload_limit=7)
        self.assertEqual(self.ask("ext_get_folder_limits", secret=A), {"download_limit": 50, "upload_limit": 7})
        self.assertEqual(self.ask("ext_get_folder_suppliers", secret=A)["wanted"], 0)
        kept = self.ask("ext_set_folder_suppliers", secret=A, suppliers=1)
        self.assertEqual((kept["wanted"], kept["state"], kept["left"]), (1, "keeping", 6))
        self.folders.has_suppliers = False
        self.assertIn("no suppliers", self.ask("ext_set_folder_suppliers", secret=A, suppliers="true")["message"])
        self.assertEqual(self.ask("ext_set_folder_suppliers", secret=A)["error"], 2)
        self.ask("ext_set_ignore_rules", secret=A, rules="*.tmp\n/build")
        self.assertEqual(self.ask("ext_get_ignore_rules", secret=A), ["*.tmp", "/build"])
        self.assertEqual(
            [one[0] for one in self.folders.asked], ["pause", "resume", "rescan", "restore", "confirm", "rules"]
        )

    def test_without_a_folder(self) -> None:
        """They answer error 1 with words for a secret that no folder has, and 2 for what is missing."""
        for name in all_methods().names():
            if name.startswith("ext_"):
                self.assertEqual(self.ask(name, secret=B, path="a", version="1", suppliers=1)["error"], 1, name)
                self.assertEqual(self.ask(name)["error"], 2, name)
        self.folder()
        self.assertEqual(self.ask("ext_restore_version", secret=A, path="a")["error"], 2)
        self.assertEqual(self.folders.asked, [])


class RequestTests(BtsyncCase):
    def test_paths_and_verbs(self) -> None:
        """The API is asked with GET at /api, with a slash behind it or without."""
        self.assertEqual(self.status(), 200)
        self.assertEqual(self.status(path="/api/"), 200)
        for path in ("/", "/api/get_os", "/gui/", "/apis"):
            self.assertEqual(self.status(path=path), 404)
        for verb in (b"POST", b"PUT", b"HEAD", b"OPTIONS"):
            self.assertEqual(self.status(verb=verb), 405)

    def test_what_is_no_call(self) -> None:
        """No method, an unknown one, and a query that is too long are 400."""
        for query in ("", "method=", "method=get_everything", "method=GET_OS", "get_os", "x" * (MAX_QUERY + 1)):
            self.assertEqual(self.status(query), 400, query[:50])
        self.assertEqual(self.status("&".join(["a=b"] * (MAX_FIELDS + 1))), 400)

    def test_without_a_key(self) -> None:
        """Where the vendor's key is missing, every call is invalid."""
        self.dialect = self.dialect_of(answers=False)
        self.assertEqual([self.status(f"method={name}") for name in THE_SEVENTEEN], [400] * 17)
        self.assertEqual(self.stops, [])

    def test_stray_arguments(self) -> None:
        """What clients leak into a call does not matter; the last value of one that is there twice counts."""
        self.assertEqual(self.asked("method=nothing&method=get_os&self=%3Cobject+at+0x7f%3E&&=&x")["os"], "linux")

    def test_what_breaks(self) -> None:
        """A failure inside is an error object with status 200, and is logged."""

        async def broken(node: Any, given: Any) -> Any:
            raise ZeroDivisionError

        guard = BtsyncGuard(Programs(list, list), Credentials.on(self.clock, lambda: self.known))
        dialect = BtsyncDialect(None, Methods().add([Method("get_os", broken)]), guard)  # type: ignore[arg-type]
        talk = Talk(dialect, "method=get_os")
        assert talk.reply is not None and isinstance(talk.reply.body, bytes)
        self.assertEqual((talk.reply.status, json.loads(talk.reply.body)["error"]), (200, 1))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_two_rows_of_one_name(self) -> None:
        """A table does not take a name twice."""
        row = Method("x", None)  # type: ignore[arg-type]
        self.assertRaises(ValueError, Methods().add([row]).add, [row])

    @settings(max_examples=150, deadline=None)
    @given(st.binary(max_size=200))
    def test_case_64_any_query(self, query: bytes) -> None:
        """Any bytes are arguments or a bad query, never a failure."""
        try:
            found = read(query)
        except BadQuery:
            return
        self.assertTrue(all(values and all(values) for values in found.values.values()))

    @settings(max_examples=150, deadline=None)
    @given(
        st.sampled_from([name for name in all_methods().names() if name != "shutdown"]),
        st.dictionaries(
            st.sampled_from(("secret", "dir", "path", "hosts", "download", "type", "limit", "lang", "rules")),
            st.one_of(st.text(max_size=30), st.sampled_from((A, B, D, "/", "..", "\0", "1"))),
        ),
    )  # fmt: skip
    def test_case_64_any_arguments(self, name: str, arguments: dict[str, str]) -> None:
        """Every method answers JSON with status 200, whatever it is given."""
        pairs = {key: value.encode("utf-8", "surrogatepass") for key, value in arguments.items()}
        self.asked(urlencode({"method": name} | pairs))


class GuardTests(BtsyncCase):
    """Every change is a GET: what a page can make a browser send is refused."""

    def test_programs(self) -> None:
        """A program of this machine is let in, by its names and by addresses."""
        for host in (b"localhost:8888", b"127.0.0.1", b"[::1]:8888", b"nas.example", b"192.168.1.5:8888"):
            self.assertEqual(self.status(Host=host), 200, host)

    def test_case_68_other_hosts(self) -> None:
        """A name that was made to point here, no Host, or two of them are refused before anything is done."""
        for host in (b"evil.example", b"localhost.evil.example", b"", b"[", b"a b"):
            self.assertEqual(self.status("method=shutdown", Host=host), 403, host)
        self.assertEqual(self.stops, [])

    def test_case_68_pages(self) -> None:
        """A foreign page, a link on one, a picture in one, and an old browser that tells nothing are refused."""
        foreign = (
            {"Origin": b"https://evil.example"},
            {"Origin": b"null"},
            {"Referer": b"https://evil.example/x"},
            {"Origin": b"http://localhost", "Referer": b"https://evil.example/"},
            {"Sec_Fetch_Site": b"cross-site"},
            {"Sec_Fetch_Site": b"same-site"},
            {"User_Agent": b"Mozilla/5.0"},
            {"User_Agent": b"Mozilla/5.0", "Sec_Fetch_Site": b"cross-site", "Sec_Fetch_Mode": b"navigate"},
        )
        for headers in foreign:
            self.assertEqual(self.status("method=shutdown", **headers), 403, headers)
        self.assertEqual(self.stops, [])

    def test_what_a_person_types(self) -> None:
        """An address that a person types into a browser, and pages that he allowed, are let in."""
        self.assertEqual(self.status(User_Agent=b"Mozilla/5.0", Sec_Fetch_Site=b"none"), 200)
        self.assertEqual(self.status(Origin=b"http://127.0.0.1:3000"), 200)
        self.assertEqual(self.status(Referer=b"https://friend.example/x"), 403)
        self.origins.append("https://friend.example")
        self.assertEqual(self.status(Referer=b"https://friend.example/x", Sec_Fetch_Site=b"cross-site"), 200)

    def basic(self, text: str) -> bytes:
        return b"Basic " + base64.b64encode(text.encode())

    def test_credentials(self) -> None:
        """Name and password must be right; what is no Basic header is as good as none, and is asked for one."""
        self.known = Known("api", "secret")
        self.assertEqual(self.status(Authorization=self.basic("api:secret")), 200)
        wrong = (
            b"",
            b"Basic",
            b"Basic !!!",
            b"Bearer x",
            b"Basic " + b"A" * 9999,
            self.basic("api:other"),
            self.basic("api"),
        )
        for header in wrong:
            self.assertEqual(self.status("method=shutdown", Authorization=header), 401, header[:30])
        talk = Talk(self.dialect, "method=get_os")
        assert talk.reply is not None
        self.assertIn(b"WWW-Authenticate: Basic realm=", talk.reply.headers)
        self.assertEqual(self.stops, [])

    def test_trying_passwords(self) -> None:
        """Who tries many is told to wait, and the right one passes all the same."""
        self.known = Known("api", "secret")
        tried = [self.status(Authorization=self.basic(f"api:{number}")) for number in range(int(FAILURES) + 1)]
        self.assertEqual((tried[0], tried[-1]), (401, 429))
        self.assertEqual(self.status(Authorization=self.basic("api:secret")), 200)

    def test_a_hash(self) -> None:
        """A password may be known by its hash alone; what hashes another way, or is none, does not match."""
        self.known = Known("api", password_hash=SHA_512)
        for _ in range(2):
            self.assertEqual(self.status(Authorization=self.basic("api:password")), 200)
        self.assertEqual(self.status(Authorization=self.basic("api:other")), 401)
        self.assertEqual(self.status(Authorization=self.basic("root:password")), 401)
        self.assertFalse(matches_hash(b"pass\0word", SHA_512))
        for odd in ("", "*", "!", "*0"):
            self.assertFalse(matches_hash(b"password", odd), odd)

    def test_beyond_this_machine(self) -> None:
        """Where others reach the port, nobody is let in without a password, be it that none is set any more."""
        self.dialect = self.dialect_of(needed=True)
        for known in (Known(""), Known("api")):
            self.known = known
            self.assertEqual(self.status(Authorization=self.basic("api:")), 401)
        self.known = Known("api", "secret")
        self.assertEqual(self.status(Authorization=self.basic("api:secret")), 200)

    def test_case_69_nothing_shows_a_password(self) -> None:
        """What is known of a password is not printed."""
        self.assertNotIn("secret", repr(Known("api", "secret")))
