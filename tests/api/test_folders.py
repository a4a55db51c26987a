"""Methods about folders that are kept in sync, and about the API of their older clients."""

from pathlib import Path
from typing import Any

from attrs import evolve

from bitdust.api.methods import TABLE
from bitdust.folders.port import EntryRow, PeerRow
from bitdust.folders.secrets import parse
from bitdust.web.btsync.port import ADDRESS
from tests.api.test_nouns import NounCase
from tests.unit.test_btsync import A, B, D, E, F

ID = parse(A).folder_id.hex()[:16]


class FolderCase(NounCase):
    def setUp(self) -> None:
        super().setUp()
        self.context.driver.states |= {"folder_sync": ("OFF", ""), "btsync": ("OFF", "")}
        self.base = Path(self.mktemp()).absolute()
        self.photos = self.base / "photos"
        self.photos.mkdir(parents=True)
        self.folders = self.context.folders

    def add(self, secret: str = A, **more: Any) -> dict[str, Any]:
        return dict(self.result("folder_add", directory=str(self.photos), secret=secret, **more))


class FolderTests(FolderCase):
    def test_adding(self) -> None:
        """The service is started, the folder is shown without its secret, and an event tells of it."""
        told: list[Any] = []
        self.context.events.subscribe(told.append, "folder-added")
        row = self.add()
        self.clock.advance(0)
        expected = {
            "id": ID, "directory": str(self.photos), "kind": "read-write", "writable": True, "files": 0, "size": 0,
            "indexing": False, "paused": False, "peers": 0, "problem": "", "problem_text": "", "watched": "",
        }  # fmt: skip
        self.assertEqual(row, expected)
        self.assertEqual(self.context.driver.log, [("start", "folder_sync")])
        self.assertEqual(
            [event.data for event in told], [{"id": ID, "directory": str(self.photos), "kind": "read-write"}]
        )
        self.assertEqual(self.result("folders_list"), [expected])

    def test_new_folders(self) -> None:
        """Without a secret a new folder is made, for keepers too where that is wanted."""
        for encrypted, kinds in ((False, "AB"), (True, "DEF")):
            row = self.add("", encrypted=encrypted)
            secrets = self.result("folder_secrets", folder=row["id"])
            self.assertEqual(sorted(text[0] for text in secrets.values()), list(kinds))
            self.result("folder_remove", folder=row["id"])

    def test_what_is_refused(self) -> None:
        """Each reason has its code, and no refusal starts anything or shows a secret."""
        self.assertEqual(self.code("folder_add", directory=str(self.base / "x")), "no-folder")
        self.assertEqual(self.code("folder_add", directory="photos"), "bad-argument")
        self.assertEqual(self.code("folder_add", directory=str(self.photos), secret=A[:-1]), "bad-secret")
        self.assertEqual(self.context.driver.log, [])
        self.add()
        self.assertEqual(self.code("folder_add", directory=str(self.photos)), "already-added")
        for row in TABLE:
            if row.name.startswith("folder_") and "folder" in row.names():
                given = {"folder": "nothing", "path": "a", "version": "1", "rules": [], "preferences": {}, "wanted": 1}
                given = {name: value for name, value in given.items() if name in row.names()}
                self.assertEqual(self.code(row.name, **given), "no-such-folder", row.name)

    def test_names_of_a_folder(self) -> None:
        """It is named by its id or by where it is, also through a link."""
        self.add()
        link = self.base / "link"
        link.symlink_to(self.photos)
        for name in (ID, str(self.photos), f"{self.photos}/", str(link)):
            self.assertEqual(self.result("folder_info", folder=name)["id"], ID)

    def test_removing(self) -> None:
        """It is forgotten, an event tells of it, and its files stay."""
        self.add()
        (self.photos / "a").write_text("here")
        self.assertEqual(self.result("folder_remove", folder=ID)["id"], ID)
        self.assertEqual(self.result("folders_list"), [])
        self.assertEqual((self.photos / "a").read_text(), "here")

    def test_secrets(self) -> None:
        """Exactly those that can be told from the one that is here."""
        for secret, known in (
            (A, {"read_write": A, "read_only": B}),
            (E, {"read_only": E, "encryption": F}),
            (D, {"read_write": D, "read_only": E, "encryption": F}),
        ):
            row = self.add(secret)
            self.assertEqual(self.result("folder_secrets", folder=row["id"]), known)
            self.result("folder_remove", folder=row["id"])

    def test_only_here(self) -> None:
        """Devices that were let in neither add folders nor see secrets."""
        for name in ("folder_add", "folder_secrets", "btsync_enable"):
            row = TABLE.named(name)
            assert row is not None
            self.assertTrue(row.only_here, name)

    def test_pausing(self) -> None:
        """The answer shows the folder as it is then."""
        self.add()
        self.assertTrue(self.result("folder_pause", folder=ID)["paused"])
        self.assertFalse(self.result("folder_resume", folder=ID)["paused"])
        self.result("folder_rescan", folder=ID)
        self.assertEqual([one[0] for one in self.folders.asked], ["pause", "resume", "rescan"])

    def test_a_problem(self) -> None:
        """What keeps a folder from being in sync is told by a code and in words."""
        self.add()
        self.folders.rows[A] = evolve(self.folders.rows[A], problem="folder-gone", problem_text="it is gone")
        row = self.result("folder_info", folder=ID)
        self.assertEqual((row["problem"], row["problem_text"]), ("folder-gone", "it is gone"))


class ContentTests(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.add(D, selective=True)
        self.here = parse(D).folder_id.hex()[:16]

    def ask(self, name: str, **arguments: Any) -> Any:
        return self.result(name, folder=self.here, **arguments)

    def test_files(self) -> None:
        """Files are shown, and chosen where only some are wanted."""
        self.folders.entries[D, "docs"] = [EntryRow("a", "file", "created", 5, 0, 1, False)]
        (row,) = self.ask("folder_files", path="/docs/")
        self.assertEqual((row["name"], row["download"]), ("a", False))
        self.assertTrue(self.ask("folder_choose", path="docs/a")["download"])
        self.assertEqual(self.code("folder_choose", folder=self.here, path="docs/b"), "not-found")

    def test_peers(self) -> None:
        """Who is in touch."""
        self.folders.near = [PeerRow("x" * 28, "laptop", download=5)]
        self.assertEqual(self.ask("folder_peers")[0]["name"], "laptop")

    def test_preferences(self) -> None:
        """They change by name, with 0 or 1; hosts are replaced or cleared."""
        self.assertEqual(self.ask("folder_preferences")["selective_sync"], 1)
        changed = self.ask("folder_preferences_set", preferences={"use_dht": 1}, hosts="a:1,b:2")
        self.assertEqual((changed["use_dht"], changed["hosts"]), (1, ["a:1", "b:2"]))
        self.assertEqual(self.ask("folder_preferences_set", hosts=[])["hosts"], [])
        for odd in ([], {"use_dht": 2}, {"use_dht": "yes"}, "x"):
            self.assertEqual(self.code("folder_preferences_set", folder=self.here, preferences=odd), "bad-argument")

    def test_what_was(self) -> None:
        """Conflicts, changes and versions are shown, and a version is brought back."""
        self.assertEqual(self.ask("folder_conflicts")[0]["original"], "a.txt")
        self.assertEqual(self.ask("folder_history", path="/docs/")[0]["path"], "docs")
        self.assertEqual(self.ask("folder_versions", path="a")[0]["version"], "1")
        self.ask("folder_restore", path="/a", version="1")
        self.assertEqual(self.ask("folder_deletes_confirm"), {"deleted": 7})
        self.assertEqual(self.folders.asked, [("restore", D, "a", "1"), ("confirm", D)])

    def test_limits(self) -> None:
        """Limits of one folder are shown and replaced; 0 is none, and what is no number is refused."""
        self.assertEqual(self.ask("folder_limits"), {"download_limit": 0, "upload_limit": 0})
        wanted = {"download_limit": 50, "upload_limit": 7}
        self.assertEqual(self.ask("folder_limits_set", **wanted), wanted)
        self.assertEqual(self.ask("folder_limits_set", upload_limit=9), {"download_limit": 0, "upload_limit": 9})
        self.assertEqual(self.code("folder_limits_set", folder=self.here, upload_limit=-1), "bad-argument")

    def test_suppliers(self) -> None:
        """Suppliers keep a folder where that is wanted, and what they hold is listed and brought back."""
        self.assertEqual(self.ask("folder_suppliers")["state"], "off")
        self.assertEqual(self.ask("folder_suppliers_set", wanted=True)["left"], 6)
        self.assertTrue(self.ask("folder_suppliers")["wanted"])
        (kept,) = self.result("folders_kept")
        self.assertEqual((kept["name"], kept["secret"]), ("photos", "D"))
        self.assertEqual(self.code("folder_bring_back", id=kept["id"], directory="photos"), "bad-argument")
        self.assertEqual(self.code("folder_bring_back", id=kept["id"], directory="/no/such"), "no-folder")
        self.folders.has_suppliers = False
        self.assertEqual(self.code("folder_suppliers_set", folder=self.here, wanted=True), "no-suppliers")

    def test_rules(self) -> None:
        """Rules are a list of texts."""
        self.assertEqual(self.ask("folder_ignore_set", rules=["*.tmp"]), ["*.tmp"])
        self.assertEqual(self.ask("folder_ignore"), ["*.tmp"])
        for odd in ("*.tmp", [1], {"a": 1}):
            self.assertEqual(self.code("folder_ignore_set", folder=self.here, rules=odd), "bad-argument")


class BtsyncTests(FolderCase):
    def test_switching(self) -> None:
        """It is switched on and off; its address is told while it is on."""
        self.assertEqual(self.result("btsync_status")["address"], "")
        self.context.btsync.port = 8888
        self.assertEqual(self.result("btsync_enable")["address"], "http://127.0.0.1:8888/api")
        self.context.settings.set(ADDRESS, "::1")
        self.assertEqual(self.result("btsync_status")["address"], "http://[::1]:8888/api")
        self.context.btsync.port = 0
        self.assertEqual(self.result("btsync_disable")["port"], 0)
        self.assertEqual(self.context.driver.log, [("start", "btsync"), ("stop", "btsync")])
