"""`bitdust sync`: what it asks of the node, and what it prints."""

import os
from pathlib import Path
from typing import Any

from bitdust.cli import asking, sync, sync_progress
from bitdust.cli.sync_progress import is_equal, outcome
from tests.unit.test_btsync import A, B, D, E, F
from tests.unit.test_cli_calls import NodeCase

ID = "f4e2b00ce04ffac5"
PEER = {"id": "x" * 28, "name": "laptop", "connection": "direct", "synced": 1, "download": 0, "upload": 0}
ROW = {
    "id": ID, "directory": "/home/alice/photos", "kind": "read-write", "writable": True, "files": 3, "size": 5 << 20,
    "indexing": False, "paused": False, "peers": 1, "problem": "", "problem_text": "", "watched": "",
}  # fmt: skip


class SyncCase(NodeCase):
    def setUp(self) -> None:
        super().setUp()
        self.photos = self.home / "photos"
        self.photos.mkdir()
        self.place = os.path.realpath(self.photos)
        self.patch(sync_progress, "LOOK_EVERY", 0.0)
        for method in ("folder_add", "folder_info", "folder_pause", "folder_resume", "folder_rescan", "folder_remove"):
            self.answers[method] = {"result": ROW}

    def lists(self, method: str, *rows: Any) -> None:
        self.answers[method] = {"result": list(rows)}


class FolderTests(SyncCase):
    def test_create(self) -> None:
        """A new folder prints the secret that lets others write alone on its line, and as a QR code."""
        self.answers["folder_secrets"] = {"read_write": D, "read_only": E, "encryption": F}
        made = ("folder_add", {"directory": self.place, "encrypted": True}), ("folder_secrets", {"folder": ID})
        printed = self.asks(f"sync create {self.photos} --encrypted", *made)
        self.assertEqual(printed.splitlines()[-1], D)
        self.assertIn("\u2588", self.cli("sync", "create", str(self.photos), "--qr").output)
        self.prints_json(f"sync create {self.photos}", ROW | {"secrets": self.answers["folder_secrets"]})
        self.refuses("sync create /no/such/folder", "does not exist", code=2)

    def test_add(self) -> None:
        """The secret comes from standard input or a file, never from the command line; known peers are told."""
        added = ("folder_add", {"directory": self.place, "secret": A, "selective": False})
        self.assertIn("is kept in sync", self.asks(f"sync add {self.photos}", added, input=f"{A}\n"))
        file = self.home / "secret"
        file.write_text(f"{B}\n")
        file.chmod(0o600)
        known = {"folder": ID, "preferences": {"use_hosts": 1}, "hosts": ["a:1", "b:2"]}
        calls = (
            ("folder_add", {"directory": self.place, "secret": B, "selective": True}), ("folder_preferences_set", known)
        )  # fmt: skip
        self.asks(f"sync add {self.photos} --secret-file {file} --selective --host a:1 --host b:2", *calls)
        self.refuses(f"sync add {self.photos} {A}", "unexpected extra argument", code=2)
        self.assertNotIn(A, self.cli("sync", "add", str(self.photos), input=f"{A}\n").output)

    def test_list(self) -> None:
        """One line a folder with its state; nothing is a hint."""
        rows = [ROW, ROW | {"paused": True}, ROW | {"problem": "folder-gone"}, ROW | {"indexing": True}]
        self.lists("folders_list", *rows)
        printed = self.asks("sync", ("folders_list", {}))
        for text in ("/home/alice/photos", "5 MB", "paused", "folder-gone", "indexing", "ok"):
            self.assertIn(text, printed)
        self.prints_json("sync ls", rows)
        self.lists("folders_list")
        self.assertIn("bitdust sync create", self.cli("sync").output)

    def test_what_is_said(self) -> None:
        """Each command hands a folder over as its id or whole path, and says what came of it."""
        for words, method in (
            ("pause", "folder_pause"),
            ("resume", "folder_resume"),
            ("rescan", "folder_rescan"),
            ("rm", "folder_remove"),
        ):
            for given, asked in ((ID, ID), (str(self.photos), self.place), (f"{self.photos}/../photos", self.place)):
                printed = self.asks(f"sync {words} {given}", (method, {"folder": asked}))
                self.assertIn("/home/alice/photos", printed)
            self.prints_json(f"sync {words} {ID}", ROW)

    def test_secret(self) -> None:
        """All secrets, or one alone for scripts; one that cannot be told is an error, and a code can be scanned."""
        self.answers["folder_secrets"] = {"read_only": E, "encryption": F}
        printed = self.asks(f"sync secret {ID}", ("folder_secrets", {"folder": ID}))
        self.assertEqual(printed.split(), ["read-only:", E, "encryption:", F])
        self.assertEqual(self.cli("sync", "secret", ID, "encryption").output, f"{F}\n")
        self.refuses(f"sync secret {ID} read-write", "no read-write secret")
        self.prints_json(f"sync secret {ID} read-only", {"read_only": E})
        self.prints_json(f"sync secret {ID}", self.answers["folder_secrets"])
        self.assertIn("\u2588", self.cli("sync", "secret", ID, "read-only", "--qr").output)

    def test_peers(self) -> None:
        """Who is in touch, and how much is still to move."""
        self.lists("folder_peers", PEER, PEER | {"synced": 0, "download": 5 << 20})
        printed = self.asks(f"sync peers {ID}", ("folder_peers", {"folder": ID}))
        for text in ("laptop", "direct", "5 MB"):
            self.assertIn(text, printed)
        self.prints_json(f"sync peers {ID}", self.answers["folder_peers"]["result"])


class StatusTests(SyncCase):
    def test_in_words(self) -> None:
        """Where a folder stands is said in words, the most urgent thing first."""
        for row, peers, words in (
            ({"paused": True}, [], "paused"),
            ({"indexing": True}, [], "reading its files (3 so far)"),
            ({}, [PEER | {"download": 1 << 20, "upload": 2 << 20}], "1 MB to bring, 2 MB to send, 1 peers"),
            ({"problem": "disk-full"}, [PEER], "3 files, 5 MB: disk-full"),
            ({}, [PEER], "3 files, 5 MB, the same at 1 peers"),
            ({}, [PEER, PEER | {"synced": 0}], "3 files, 5 MB, compared with 2 peers"),
            ({}, [], "3 files, 5 MB, no peer is in touch"),
        ):
            self.assertEqual(outcome(ROW | row, peers), words)

    def test_the_same(self) -> None:
        """It is the same where a peer is in touch, and each of them has the same."""
        self.assertTrue(is_equal(ROW, [PEER]))
        for row, peers in ((ROW, []), (ROW | {"indexing": True}, [PEER]), (ROW, [PEER, PEER | {"synced": 0}])):
            self.assertFalse(is_equal(row, peers))

    def test_status(self) -> None:
        """One folder or all of them; a problem is told in words, and by the exit code; that the system reports nothing,
        so that a folder is compared now and then, in words alone."""
        self.lists("folder_peers", PEER)
        self.lists("folders_list", ROW)
        all_of_them = ("folders_list", {}), ("folder_peers", {"folder": ID})
        self.assertIn("the same at 1 peers", self.asks("sync status", *all_of_them))
        self.answers["folder_info"] = {"result": ROW | {"problem": "folder-gone", "problem_text": "it is gone"}}
        one = ("folder_info", {"folder": ID}), ("folder_peers", {"folder": ID})
        self.assertIn("it is gone", self.asks(f"sync status {ID}", *one, code=3))
        self.answers["folder_info"] = {"result": ROW | {"watched": "by a comparison every 60 s (no watches are left)"}}
        self.assertIn("noticed by a comparison every 60 s (no watches", self.asks(f"sync status {ID}", *one))
        self.answers["folder_info"] = {"result": ROW | {"watched": "as the system reports them"}}
        self.assertNotIn("noticed", self.asks(f"sync status {ID}", *one))
        self.lists("folders_list")
        self.assertIn("bitdust sync create", self.cli("sync", "status").output)

    def test_following(self) -> None:
        """Each change is printed once; it ends when it is the same, with 4 after the time, with 3 for a problem."""
        steps = iter([[], *[[PEER | {"synced": 0, "download": 7}]] * 2])
        self.answers["folder_peers"] = lambda _: {"result": next(steps, [PEER])}
        printed = self.cli("sync", "status", ID, "--follow").output
        lines = [line.rpartition("photos: ")[2] for line in printed.splitlines()]
        self.assertEqual(lines[0], "3 files, 5 MB, no peer is in touch")
        self.assertEqual((len(lines), lines[-1]), (3, "3 files, 5 MB, the same at 1 peers"))
        self.lists("folder_peers")
        self.cli("sync", "status", ID, "--follow", "--timeout", "0", code=4)
        self.answers["folder_info"] = {"result": ROW | {"problem": "disk-full", "problem_text": "the disk is full"}}
        self.assertIn("the disk is full", self.cli("sync", "status", ID, "-f", code=3).output)

    def test_add_and_wait(self) -> None:
        """Who adds a folder may wait until it is the same."""
        self.lists("folder_peers", PEER)
        printed = self.cli("sync", "add", str(self.photos), "--wait", input=f"{A}\n").output
        self.assertIn("the same at 1 peers", printed)

    def test_following_for_programs(self) -> None:
        """Programs get the end alone, as JSON."""
        self.lists("folder_peers", PEER)
        self.prints_json(f"sync status {ID} --follow", [ROW | {"peer_list": [PEER], "equal": True}])


class ContentTests(SyncCase):
    def test_conflicts(self) -> None:
        """Copies that were kept."""
        row = {"path": "a.Conflict-bob.txt", "original": "a.txt", "size": 5, "made": 1_800_000_000}
        self.lists("folder_conflicts", row)
        self.assertIn("a.Conflict-bob.txt", self.asks(f"sync conflicts {ID}", ("folder_conflicts", {"folder": ID})))
        self.prints_json(f"sync conflicts {ID}", [row])
        self.lists("folder_conflicts")
        self.assertIn("no conflicts", self.cli("sync", "conflicts", ID).output)

    def test_history(self) -> None:
        """Who changed what."""
        row = {"path": "a.txt", "what": "changed", "at": 1_800_000_000, "writer": "bob", "size": 5}
        self.lists("folder_history", row)
        wanted = {"folder": ID, "path": "docs", "limit": 5}
        self.assertIn("bob", self.asks(f"sync history {ID} docs -n 5", ("folder_history", wanted)))
        self.prints_json(f"sync log {ID}", [row])

    def test_restore(self) -> None:
        """The version that is named, or the latest that was put aside."""
        row = {"path": "a.txt", "version": "v2", "size": 5, "replaced": 1_800_000_000}
        self.lists("folder_versions", row, row | {"version": "v1"})
        self.answers["folder_restore"] = {"result": ROW}
        asked = {"folder": ID, "path": "a.txt"}
        self.assertIn("v1", self.asks(f"sync versions {ID} a.txt", ("folder_versions", asked)))
        self.prints_json(f"sync versions {ID} a.txt", self.answers["folder_versions"]["result"])
        self.asks(f"sync restore {ID} a.txt v1", ("folder_restore", asked | {"version": "v1"}))
        newest = ("folder_versions", asked), ("folder_restore", asked | {"version": "v2"})
        self.assertIn("v2", self.asks(f"sync restore {ID} a.txt", *newest))
        self.lists("folder_versions")
        self.refuses(f"sync restore {ID} a.txt", "no version")

    def test_ignore(self) -> None:
        """Rules are shown, added to those that are there, and taken away."""
        self.lists("folder_ignore", "*.tmp", "/build")
        self.answers["folder_ignore_set"] = lambda given: {"result": given["rules"]}
        shown = ("folder_ignore", {"folder": ID})
        self.assertEqual(self.asks(f"sync ignore {ID}", shown), "*.tmp\n/build\n")
        for words, rules in (("*.bak *.tmp", ["*.tmp", "/build", "*.bak"]), ("-r *.tmp", ["/build"])):
            self.asks(f"sync ignore {ID} {words}", shown, ("folder_ignore_set", {"folder": ID, "rules": rules}))
        self.prints_json(f"sync ignore {ID}", ["*.tmp", "/build"])
        self.lists("folder_ignore")
        self.assertIn("nothing is ignored", self.cli("sync", "ignore", ID).output)

    def test_limits(self) -> None:
        """Limits of a folder are shown; one that is not given stays."""
        self.answers["folder_limits"] = {"download_limit": 5, "upload_limit": 0}
        self.answers["folder_limits_set"] = {"download_limit": 5, "upload_limit": 7}
        shown = ("folder_limits", {"folder": ID})
        self.assertIn("download 5 KB/s", self.asks(f"sync limit {ID}", shown))
        changed = ("folder_limits_set", {"folder": ID, "download_limit": 5, "upload_limit": 7})
        self.assertIn("upload 7 KB/s", self.asks(f"sync limit {ID} --upload 7", shown, changed))
        self.answers["folder_limits"] = {"download_limit": 0, "upload_limit": 0}
        self.assertIn("no limit", self.cli("sync", "limit", ID).output)

    def test_suppliers(self) -> None:
        """They are switched on and off; what is there and what is not is told; what they hold is brought back."""
        row = {"wanted": True, "state": "keeping", "size": 5 << 20, "kept": 2 << 20, "left": 3 << 20, "told": 0}
        self.answers["folder_suppliers"] = self.answers["folder_suppliers_set"] = row | {"problem": ""}
        shown = self.asks(f"sync suppliers {ID} on", ("folder_suppliers_set", {"folder": ID, "wanted": True}))
        self.assertIn("2 MB of 5 MB at suppliers, 3 MB not yet; no list is there yet", shown)
        self.asks(f"sync suppliers {ID} off", ("folder_suppliers_set", {"folder": ID, "wanted": False}))
        self.answers["folder_suppliers"] = row | {"state": "kept", "told": 1, "problem": ""}
        self.assertIn("all of it", self.asks(f"sync suppliers {ID}", ("folder_suppliers", {"folder": ID})))
        self.answers["folder_suppliers"] = row | {"problem": "1 supplier can be reached"}
        self.assertIn("1 supplier can be reached", self.cli("sync", "suppliers", ID).output)
        self.answers["folder_suppliers"] = row | {"wanted": False, "state": "withdrawing", "problem": "none is there"}
        self.assertIn("not taken away from suppliers yet", self.cli("sync", "suppliers", ID).output)
        self.answers["folder_suppliers"] = row | {"wanted": False, "problem": ""}
        self.assertIn("not kept at suppliers", self.cli("sync", "suppliers", ID).output)
        self.lists("folders_kept", {"id": ID, "name": "photos", "secret": "D", "told": 1})
        self.assertIn("photos", self.asks("sync suppliers", ("folders_kept", {})))
        self.answers["folder_bring_back"] = ROW
        asked = ("folder_bring_back", {"id": ID, "directory": self.place})
        self.assertIn("comes back", self.asks(f"sync bring-back {ID} {self.photos}", asked))

    def test_confirm(self) -> None:
        """A mass deletion is asked about before it is carried out."""
        self.answers["folder_info"] = {"result": ROW | {"problem": "deletes-held", "problem_text": "200 files"}}
        self.answers["folder_deletes_confirm"] = {"deleted": 200}
        self.cli("sync", "confirm", ID, input="n\n", code=1)
        self.assertNotIn("folder_deletes_confirm", [name for name, _ in self.asked])
        self.assertIn("200 files are deleted", self.cli("sync", "confirm", ID, "--yes").output)

    def test_files_and_choosing(self) -> None:
        """What is in a folder, how much of it is here, and what is wanted."""
        row = {"name": "a", "kind": "file", "state": "created", "size": 5, "have_pieces": 1, "total_pieces": 4}
        self.lists(
            "folder_files", row | {"download": True}, row | {"kind": "folder", "total_pieces": 0, "download": None}
        )
        printed = self.asks(f"sync files {ID} docs", ("folder_files", {"folder": ID, "path": "docs"}))
        self.assertIn("25%", printed)
        self.prints_json(f"sync files {ID}", self.answers["folder_files"]["result"])
        for words, download in ((f"sync choose {ID} a", True), (f"sync choose {ID} a --let-go", False)):
            self.asks(words, ("folder_choose", {"folder": ID, "path": "a", "download": download}))

    def test_preferences(self) -> None:
        """They are shown, and changed by name; hosts are replaced or forgotten."""
        row = {"use_dht": 0, "hosts": []}
        self.answers["folder_preferences"] = self.answers["folder_preferences_set"] = {"result": row}
        self.prints_json(f"sync set {ID}", row)
        changed = {"folder": ID, "preferences": {"use_dht": 1, "search_lan": 0}}
        self.asks(f"sync set {ID} use_dht=1 search_lan=0", ("folder_preferences_set", changed))
        self.asks(f"sync set {ID} --host a:1", ("folder_preferences_set", {"folder": ID, "hosts": ["a:1"]}))
        self.asks(f"sync set {ID} --no-hosts", ("folder_preferences_set", {"folder": ID, "hosts": []}))
        self.refuses(f"sync set {ID} use_dht=2", "is not of the form", code=2)


class NobodyTests(SyncCase):
    def test_a_person_is_asked(self) -> None:
        """On a terminal the secret is asked for, unseen."""
        self.patch(asking, "somebody_is_there", lambda: True)
        self.patch(sync, "somebody_is_there", lambda: True)
        self.cli("sync", "add", str(self.photos), input=f" {A} \n")
        self.assertEqual(self.asked[0][1]["secret"], A)

    def test_names_of_folders(self) -> None:
        """What looks like a path is one; all else is an id."""
        self.assertEqual(sync.where(ID), ID)
        self.assertEqual(sync.where("~/x"), str(Path("~/x").expanduser().resolve()))
        self.assertEqual(sync.where("."), os.path.realpath("."))
