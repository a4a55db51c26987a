"""Methods of 2016 over a real storage: what each refuses, and with which code; and what the documents do not print."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.api.call import perform
from bitdust.api.methods import TABLE
from bitdust.budget import Budget
from bitdust.customers.store import SupplierStore
from bitdust.space import MeasuredFolders, Space
from bitdust.storage.log.access import OwnLogs
from bitdust.storage.log.renewal import take_back
from bitdust.storage.upload import jobs as uploads
from bitdust.transport.outbox import NoAnswer
from bitdust.wire.errors import BitDustError
from tests.api.fakes import Anything, FakeContext
from tests.api.test_nouns import NounCase
from tests.unit.storage_kit import network, random_file

NOBODY = "F20200101000000000-0"


class ClassicCase(SynchronousTestCase):
    """A customer with four suppliers, and a home folder with files."""

    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.home = self.base.absolute() / "Users" / "v"
        self.context = FakeContext(self.node.clock, self.mktemp())
        self.context.storage, self.context.me = self.node.storage, self.node.me
        folders = MeasuredFolders(self.base, self.base, self.base)
        used = self.node.storage.used_and_per_supplier
        store = SupplierStore(SimpleNamespace(
            world=self.context.world, settings=self.context.settings, budget=Budget(), me=self.node.me
        ), self.base / "customers")  # fmt: skip
        self.context.space = Space(self.context, folders, store, used, lambda: None)
        for row in TABLE:
            if row.service:
                self.context.driver.states[row.service] = ("ON", "")
        self.context.suppliers = Anything(list=list)
        self.large = random_file(self.home / "Documents" / "large.bin", 400_000)
        random_file(self.home / "Documents" / "deep" / "small.txt", 100)
        (self.home / "link").symlink_to("Documents")

    def ask(self, name: str, **arguments: Any) -> dict[str, Any]:
        row = TABLE.named(name, "2016")
        assert row is not None, name
        asking: Deferred[dict[str, Any]] = perform(self.context, row, arguments)
        return self.node.wait(asking)

    def call(self, name: str, **arguments: Any) -> Any:
        envelope = self.ask(name, **arguments)
        self.assertEqual(envelope["status"], "OK", envelope)
        return envelope["result"]

    def code(self, name: str, **arguments: Any) -> str:
        envelope = self.ask(name, **arguments)
        self.assertEqual(envelope["status"], "ERROR", envelope)
        self.assertTrue(envelope["errors"][0])
        return str(envelope["code"])

    def finish(self) -> None:
        """Let uploads and downloads come to their end, and what was acknowledged be noted."""
        for _ in range(200):
            if not (self.call("backups_running") or self.call("backups_queue") or self.call("restores_running")):
                self.node.pass_time(1)
                return
            self.node.pass_time(0.5)
        self.fail("uploads or downloads do not end")

    def upload(self, path: Path, **arguments: Any) -> str:
        """The path id of what was uploaded."""
        envelope = self.ask("backup_start_path", path=str(path), **arguments)
        self.assertEqual(envelope["status"], "OK", envelope)
        self.finish()
        return str(envelope["id"])

    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["path"]: row for row in self.call("backups_list")}


class AddingTests(ClassicCase):
    def test_folders_above_are_made_once(self) -> None:
        """A file brings all folders above it; another one of the same folder goes into the same one."""
        self.call("backup_file_add", filepath=str(self.home / "Documents" / "large.bin"))
        self.call("backup_file_add", filepath=str(self.home / "Documents" / "deep" / "small.txt"))
        rows = self.rows()
        ids = [rows[str(path)]["id"] for path in (self.home, self.home / "Documents", self.home / "Documents" / "deep")]
        self.assertEqual(ids[1], f"{ids[0]}/0")
        self.assertEqual(ids[2], f"{ids[1]}/1")
        self.assertEqual(rows[str(self.home / "Documents" / "large.bin")]["id"], f"{ids[1]}/0")
        self.assertEqual(rows[str(self.home)]["type"], "parent")

    def test_refusals(self) -> None:
        """Paths that are not absolute, not there, of another kind, or in the catalog already; and unknown keys."""
        documents, missing = str(self.home / "Documents"), str(self.home / "nothing")
        file = f"{documents}/large.bin"
        for name, argument, right, wrong_kind in (
            ("backup_file_add", "filepath", file, documents),
            ("backup_dir_add", "dirpath", documents, file),
            ("backup_tree_add", "dirpath", documents, file),
        ):
            for given, code in ((wrong_kind, "wrong-type"), (missing, "no-such-file"), ("a/b", "bad-path")):
                self.assertEqual(self.code(name, **{argument: given}), code, name)
            self.assertEqual(self.code(name), "bad-argument")
            self.assertEqual(self.code(name, **{argument: right}, key_id="no-such-key"), "key-not-found")
            self.assertEqual(self.code(name, **{argument: right}, key_id="master$eve@id.example"), "not-found")
        self.assertEqual(self.code("backup_tree_add", dirpath="/.."), "bad-path")
        self.assertEqual(self.code("backup_dir_add", dirpath="/"), "bad-path")
        self.assertEqual(self.code("backup_dir_make", dirpath="/a/../b"), "bad-path")
        self.assertEqual(self.call("backups_list"), [])
        for _ in range(2):
            self.call("backup_tree_add", dirpath=documents)
        self.assertEqual(self.code("backup_dir_add", dirpath=documents), "exists")
        self.assertEqual(self.code("backup_dir_make", dirpath=documents), "exists")
        self.assertEqual(self.code("backup_file_add", filepath=file), "exists")

    def test_a_tree_twice(self) -> None:
        """What is in the catalog already keeps its place; only what is new is counted."""
        documents = self.home / "Documents"
        self.assertRegex(self.call("backup_tree_add", dirpath=str(documents)), r"^[1-9]\d* items")
        before = self.rows()
        random_file(documents / "deep" / "new.txt", 10)
        self.assertTrue(self.call("backup_tree_add", dirpath=str(documents)).startswith("1 items were added"))
        after = self.rows()
        self.assertEqual(set(after) - set(before), {str(documents / "deep" / "new.txt")})
        self.assertEqual(
            {path: after[path]["id"] for path in before}, {path: row["id"] for path, row in before.items()}
        )

    def test_names_that_are_no_text(self) -> None:
        """A tree with names that are no UTF-8 is added, uploaded and restored under the same names."""
        folder = os.fsencode(self.home / "Documents" / "deep")
        with open(os.path.join(folder, b"latin-\xe9"), "wb") as stream:
            stream.write(b"bytes")
        self.call("backup_tree_add", dirpath=os.fsdecode(folder))
        ident = next(row["id"] for path, row in self.rows().items() if path.endswith("latin-\\xe9"))
        self.call("backup_start_id", pathID=ident)
        self.finish()
        target = self.base.absolute() / "back"
        self.call("restore_single", pathID_or_backupID_or_localPath=ident, destinationPath=str(target))
        self.finish()
        self.assertEqual(os.listdir(os.fsencode(target)), [b"latin-\xe9"])

    def test_mapping(self) -> None:
        """A mapped place has its own name, must be new, and is found by the local path."""
        source = str(self.home / "Documents" / "large.bin")
        envelope = self.ask("backup_map_path", path=source, mount_path="backups/of/large")
        ident = envelope["id"]
        self.assertEqual(envelope["result"], [f"new file was added: {ident}, local path is {source}"])
        self.assertEqual(self.rows()[source]["id"], ident)
        for place, code in (("backups/of/large", "exists"), ("", "bad-name"), ("a/../b", "bad-name")):
            self.assertEqual(self.code("backup_map_path", path=source, mount_path=place), code)
            self.assertEqual(self.code("backup_start_path", path=source, mount_path=place), code)
        self.assertEqual(self.code("backup_map_path", path="/no/such", mount_path="x"), "no-such-file")
        self.assertEqual(
            self.call("backup_delete_path", localPath=source), f"item {ident} was deleted from remote peers"
        )

    def test_other_keys(self) -> None:
        """Under another key the same local path has another place, and the answer names the key."""
        made = self.ask("key_create", key_id="travels", key_size=2048)["result"][0]
        self.assertEqual((made["alias"], made["size"]), ("travels", 2048))
        source = str(self.home / "Documents" / "large.bin")
        first = self.ask("backup_file_add", filepath=source)
        second = self.ask("backup_file_add", filepath=source, key_id=made["key_id"])
        self.assertEqual(second["key_id"], made["key_id"])
        self.assertNotEqual(first["result"], second["result"])
        self.assertEqual(self.code("key_create", key_id="travels"), "key-exists")
        self.assertEqual(self.code("key_create", key_id="a b"), "bad-key-id")


class UploadTests(ClassicCase):
    def test_refusals(self) -> None:
        """Unknown ids, places without a local path, files that are gone, too few suppliers, and the same twice."""
        for wrong, code in (("9/9", "not-found"), ("text", "bad-name"), (f"0/{NOBODY}", "not-found"), ("", "bad-name")):
            self.assertEqual(self.code("backup_start_id", pathID=wrong), code, wrong)
        self.node.create("virtual")
        virtual = self.rows()["/virtual"]["id"]
        self.assertEqual(self.code("backup_start_id", pathID=virtual), "no-local-path")
        self.assertEqual(self.code("backup_start_path", path=str(self.home / "nothing")), "no-such-file")
        self.assertEqual(self.code("backup_start_path", path="x"), "bad-path")
        gone = random_file(self.home / "gone", 10) and str(self.home / "gone")
        self.call("backup_file_add", filepath=gone)
        os.unlink(gone)
        self.assertEqual(self.code("backup_start_id", pathID=self.rows()[gone]["id"]), "no-such-file")
        for supplier in self.around.suppliers:
            supplier.mode = "away"
        before = self.rows()
        self.assertEqual(self.code("backup_start_path", path=str(self.home / "Documents")), "too-few-suppliers")
        self.assertEqual(self.rows(), before)

    def test_waiting_and_running(self) -> None:
        """Waiting uploads are cancelled, running ones aborted, neither by the other's method, nor what does neither."""
        self.patch(uploads, "MOST_RUNNING", 1)
        for supplier in self.around.suppliers:
            supplier.mode = "frozen"
        first, second = self.home / "Documents" / "large.bin", self.home / "Documents" / "deep"
        ids = [self.ask("backup_start_path", path=str(path))["id"] for path in (first, second)]
        self.assertEqual(self.code("backup_start_id", pathID=ids[1]), "already-scheduled")
        (running,), (waiting,) = self.call("backups_running"), self.call("backups_queue")
        self.assertEqual((running["backup_id"].rpartition("/")[0], waiting["path_id"]), tuple(ids))
        self.assertEqual(waiting["local_path"], f"{second}/")
        self.assertEqual(self.code("backup_cancel_pending", path_id=ids[0]), "not-found")
        self.assertEqual(self.code("backup_abort_running", backup_id=ids[1]), "not-found")
        self.assertEqual(self.code("backup_abort_running", backup_id=f"{ids[0]}/{NOBODY}"), "not-found")
        for name in ("backup_cancel_pending", "backup_abort_running"):
            argument = TABLE.named(name).params[0].name
            self.assertEqual(self.code(name, **{argument: "some text"}), "bad-name")
        self.call("backup_cancel_pending", path_id=ids[1])
        self.call("backup_abort_running", backup_id=ids[0])
        self.assertEqual((self.call("backups_running"), self.call("backups_queue")), ([], []))

    def test_uploads_of_the_current_api_are_known(self) -> None:
        """An item that was uploaded under another name is found by its local path, and uploaded again from there."""
        source = self.home / "Documents"
        self.node.upload(source, "papers")
        rows = self.rows()
        self.assertEqual(rows[str(source)]["type"], "dir")
        small = source / "deep" / "small.txt"
        small.write_text("changed since")
        self.call("backup_start_id", pathID=rows[str(small)]["id"])
        self.finish()
        versions = [row for row in self.call("backups_id_list") if row["path"] == str(small)]
        self.assertEqual([row["size"] for row in versions], ["100 bytes", "13 bytes"])

    def test_only_what_suppliers_hold_is_uploaded(self) -> None:
        """`backups_id_list` leaves out versions of which too few pieces were acknowledged."""
        for supplier in self.around.suppliers[1:]:
            supplier.mode = "full"
        self.ask("backup_start_path", path=str(self.home / "Documents" / "large.bin"))
        self.node.pass_time(10)
        self.assertEqual(self.call("backups_id_list"), [])
        for supplier in self.around.suppliers:
            supplier.mode = "fine"
        self.node.pass_time(400)
        self.assertEqual(len(self.call("backups_id_list")), 1)


class RestoreTests(ClassicCase):
    def test_back_to_where_it_was(self) -> None:
        """By path id, version and local path; without a destination a file goes back over what is there."""
        source = self.home / "Documents" / "large.bin"
        ident = self.upload(source)
        (backup,) = [row["backupid"] for row in self.call("backups_id_list") if row["path"] == str(source)]
        for name in (ident, backup, str(source)):
            source.write_bytes(b"spoiled")
            told = self.call("restore_single", pathID_or_backupID_or_localPath=name)
            self.assertEqual(told, f"downloading of version {backup} has been started to {source.parent}/")
            self.finish()
            self.assertEqual(source.read_bytes(), self.large, name)

    def test_a_mapped_place_goes_back_under_its_local_name(self) -> None:
        """Without a destination the local name counts, with one the name in the catalog; also for folders."""
        folder = self.home / "Documents"
        ident = self.upload(folder, mount_path="papers")
        (folder / "large.bin").unlink()
        self.call("restore_single", pathID_or_backupID_or_localPath=ident)
        self.finish()
        self.assertEqual((folder / "large.bin").read_bytes(), self.large)
        self.assertFalse((self.home / "papers").exists())
        self.call("restore_single", pathID_or_backupID_or_localPath=ident, destinationPath=str(self.home))
        self.finish()
        self.assertEqual((self.home / "papers" / "large.bin").read_bytes(), self.large)

    def test_a_restore_in_place_goes_on_after_a_stop(self) -> None:
        """A restart in the middle does not forget the local name."""
        source = self.home / "Documents" / "large.bin"
        ident = self.upload(source, mount_path="other-name")
        source.unlink()
        for supplier in self.around.suppliers:
            supplier.mode = "frozen"
        self.call("restore_single", pathID_or_backupID_or_localPath=ident)
        self.node.stop()
        for supplier in self.around.suppliers:
            supplier.mode = "fine"
        self.node.start()
        self.finish()
        self.assertEqual(source.read_bytes(), self.large)

    def test_a_folder_that_holds_others(self) -> None:
        """A folder that was never uploaded itself brings back what is in it."""
        self.upload(self.home / "Documents" / "large.bin")
        ident = self.rows()[str(self.home)]["id"]
        target = self.base.absolute() / "back"
        told = self.call("restore_single", pathID_or_backupID_or_localPath=ident, destinationPath=str(target))
        self.assertEqual(told, f"downloading of item {ident} has been started to {target}/")
        self.finish()
        self.assertEqual((target / "v" / "Documents" / "large.bin").read_bytes(), self.large)

    def test_refusals(self) -> None:
        """Unknown names of all three forms, a bad destination, and giving up what does not run."""
        ident = self.upload(self.home / "Documents" / "large.bin")
        single = "pathID_or_backupID_or_localPath"
        for wrong, code in (
            ("9/9", "not-found"), (f"{ident}/{NOBODY}", "not-found"), (str(self.home / "link"), "not-found"),
            ("some text", "bad-name"), ("/a/../b", "bad-path"), ("/", "not-found"),
        ):  # fmt: skip
            self.assertEqual(self.code("restore_single", **{single: wrong}), code, wrong)
        self.assertEqual(self.code("restore_single", **{single: ident}, destinationPath="here"), "bad-path")
        self.assertEqual(self.code("restore_single"), "bad-argument")
        self.assertEqual(self.code("restore_abort", backup_id=ident), "not-found")
        self.assertEqual(self.code("restore_abort", backup_id="9"), "not-found")
        self.assertEqual(self.code("restore_abort", backup_id="all"), "bad-name")


class DeletingTests(ClassicCase):
    def test_versions_and_items(self) -> None:
        """One version goes, then the item, with all that is below it; what is not there is refused."""
        source = self.home / "Documents" / "large.bin"
        ident = self.upload(source)
        source.write_bytes(b"second")
        self.call("backup_start_id", pathID=ident)
        self.finish()
        first, second = (row["backupid"] for row in self.call("backups_id_list") if row["path"] == str(source))
        self.assertEqual(
            self.call("backup_delete_id", pathID_or_backupID=first), f"version {first} was deleted from remote peers"
        )
        self.assertEqual(self.code("backup_delete_id", pathID_or_backupID=first), "not-found")
        self.assertEqual([one["version"] for one in self.rows()[str(source)]["versions"]], [second.rpartition("/")[2]])
        top = self.rows()[str(self.home)]["id"]
        self.assertEqual(
            self.call("backup_delete_id", pathID_or_backupID=top), f"item {top} was deleted from remote peers"
        )
        self.assertNotIn(str(source), self.rows())
        for wrong, code in (("9/9", "not-found"), ("", "bad-name"), ("x:y", "bad-name")):
            self.assertEqual(self.code("backup_delete_id", pathID_or_backupID=wrong), code)
        for wrong, code in ((str(source), "not-found"), ("large.bin", "bad-path")):
            self.assertEqual(self.code("backup_delete_path", localPath=wrong), code)

    def test_local_copies(self) -> None:
        """Pieces that suppliers have go from this disk; those that wait for one stay, and the backup stays whole."""
        self.node.settings.set("services/backups/keep-local-copies-enabled", True)
        self.around.suppliers[3].mode = "full"
        source = self.home / "Documents" / "large.bin"
        self.ask("backup_start_path", path=str(source))
        self.node.pass_time(20)
        (backup,) = [row["backupid"] for row in self.call("backups_id_list") if row["path"] == str(source)]
        envelope = self.ask("backup_delete_local", backupID=backup)
        self.assertRegex(envelope["result"], "^3 files were removed with total size of ")
        self.assertIn("1 pieces stay", envelope["message"])
        self.around.suppliers[3].mode = "fine"
        self.node.pass_time(400)
        self.assertEqual(self.around.suppliers[3].pieces(), self.around.suppliers[0].pieces())
        for wrong, code in ((backup.rpartition("/")[0], "bad-name"), (f"9/{NOBODY}", "not-found"), ("x", "bad-name")):
            self.assertEqual(self.code("backup_delete_local", backupID=wrong), code)

    def test_a_deleted_place_is_forgotten(self) -> None:
        """A place that was deleted does not tell any more where it lay, and can be made again."""
        source = str(self.home / "Documents")
        self.call("backup_tree_add", dirpath=source)
        self.call("backup_delete_path", localPath=source)
        left = self.node.storage.core.catalog.read.execute("SELECT source FROM local_paths").fetchall()
        self.assertNotIn(os.fsencode(source), [bytes(row[0]) for row in left])
        self.call("backup_tree_add", dirpath=source)
        self.assertIn(source, self.rows())


class RecoveredTests(ClassicCase):
    """A node that does not know where its items lie: it was recovered, and the local table is empty."""

    def setUp(self) -> None:
        super().setUp()
        self.source = self.home / "Documents" / "large.bin"
        self.ident = self.upload(self.source)
        mapped = str(self.home / "Documents" / "deep" / "small.txt")
        self.logo = self.ask("backup_map_path", path=mapped, mount_path="small.txt")["id"]
        catalog = self.node.storage.core.catalog
        self.node.wait(catalog.change(lambda database: database.execute("DELETE FROM local_paths")))

    def test_mirrored_paths_tell(self) -> None:
        """A mirrored path is shown and found by the catalog's own path; a mapped one has none."""
        rows = self.rows()
        self.assertEqual((rows[str(self.source)]["id"], rows["/small.txt"]["id"]), (self.ident, self.logo))
        self.assertEqual(self.code("backup_start_id", pathID=self.ident), "no-local-path")
        self.context.settings.set("paths/restore", str(self.base.absolute() / "back"))
        self.call("restore_single", pathID_or_backupID_or_localPath=str(self.source))
        self.finish()
        self.assertEqual((self.base / "back" / "large.bin").read_bytes(), self.large)
        self.call("backup_delete_path", localPath=str(self.source))
        self.assertNotIn(str(self.source), self.rows())

    def test_uploading_again_makes_it_known(self) -> None:
        """`backup_start_path` finds the same place again, and from then on the place knows where it lies."""
        self.assertEqual(self.upload(self.source), self.ident)
        self.call("backup_start_id", pathID=self.ident)
        self.finish()

    def test_a_place_that_stands_for_another_path_is_not_meant(self) -> None:
        """An item at the mirrored path that is known to stand for another file is not found by that path."""
        place, other = str(self.home / "mirrored"), random_file(self.home / "other", 10) and self.home / "other"
        self.call("backup_map_path", path=str(other), mount_path=place)
        self.assertEqual(self.code("backup_delete_path", localPath=place), "not-found")
        self.assertIn(str(other), self.rows())


class DeviceTests(ClassicCase):
    def test_places_follow_their_new_path_ids(self) -> None:
        """When a copied home makes this node say things again as another device, local paths follow."""
        self.call("backup_file_add", filepath=str(self.home / "Documents" / "large.bin"))
        catalog, me = self.node.storage.core.catalog, self.node.me

        def again(database: Any) -> None:
            take_back(database, OwnLogs(me), me.device.id, {}, 7)

        self.node.wait(catalog.change(again))
        moved = catalog.read.execute("SELECT path FROM local_paths").fetchall()
        self.assertTrue(moved and all(".7" in path for (path,) in moved), moved)


class FilemanagerTests(ClassicCase):
    def ask_mode(self, mode: Any, **params: Any) -> dict[str, Any]:
        return self.ask("filemanager", json_request={"params": {"mode": mode, **params}})

    def test_modes(self) -> None:
        """Each mode does what its alias does: upload, list, search, download, delete, stats."""
        source, target = self.home / "Documents" / "large.bin", self.base.absolute() / "back"
        self.assertEqual(self.ask_mode("upload", path=str(source), mount_path="files/large")["status"], "OK")
        self.finish()
        (folder,) = self.call("filemanager_list")
        (file,) = self.ask_mode("list", path="/files")["result"]
        self.assertEqual((folder["type"], file["type"], file["size"]), ("dir", "file", 400_000))
        self.assertEqual(self.call("filemanager_search", query="LARGE"), [file])
        self.assertEqual(self.ask_mode("search", query="nothing")["result"], [])
        for place in ("files/large", file["id"], f"{file['id']}/{file['versions'][0]}", str(source)):
            self.assertEqual(self.ask_mode("download", path=place, destination=str(target))["status"], "OK", place)
            self.finish()
            self.assertEqual((target / "large").read_bytes(), self.large)
        self.assertEqual(self.ask_mode("stats")["result"]["files_count"], 1)
        self.assertEqual(self.ask_mode("delete", path="files/large")["status"], "OK")
        self.assertEqual(self.ask_mode("stats")["result"]["files_count"], 0)

    def test_refusals(self) -> None:
        """A request that is no dictionary, an unknown mode, unknown and missing parameters, unknown places."""
        for wrong in ("text", [], 5, {"params": []}, {}, {"params": {}}):
            self.assertEqual(self.code("filemanager", json_request=wrong), "bad-argument", wrong)
        self.assertEqual(self.code("filemanager"), "bad-argument")
        for mode in ("format", 5, None, ["list"]):
            self.assertEqual(self.ask_mode(mode)["code"], "bad-argument")
        self.assertEqual(self.ask_mode("stats", colour=1)["code"], "bad-argument")
        self.assertEqual(self.ask_mode("search")["code"], "bad-argument")
        self.assertEqual(self.ask_mode("search", query="")["code"], "bad-argument")
        for mode in ("list", "download", "delete"):
            self.assertEqual(self.ask_mode(mode, path="no/such")["code"], "not-found")
            self.assertEqual(self.ask_mode(mode, path="a/../b")["code"], "bad-name")
        self.assertEqual(self.ask_mode("upload", path="relative")["code"], "bad-path")
        self.context.driver.states["backups"] = ("OFF", "its disk is away")
        self.assertEqual(self.ask_mode("delete", path="0")["code"], "service-off")


class SettingsTests(ClassicCase):
    def test_texts_and_types(self) -> None:
        """Values are texts; sizes, switches and numbers have the types of 2016."""
        for key, value, kind in (
            ("services/backups/keep-local-copies-enabled", "false", "boolean"),
            ("services/supplier/donated-space", "8 GB", "disk space"),
            ("services/customer/suppliers-number", "4", "positive integer"),
        ):
            (row,) = self.call("config_get", key=key)
            self.assertEqual((row["key"], row["type"]), (key, kind))
            self.assertEqual(row["value"], value)
        missing = [{"key": "no/such", "value": "5", "type": "unknown"}]
        self.assertEqual(self.call("config_get", key="no/such", default=5), missing)
        self.assertNotEqual(self.call("config_get", key="logs/debug-level", default=77)[0]["value"], "77")
        keys = [row["key"] for row in self.call("config_list", sort=True)]
        self.assertEqual(keys, sorted(keys))

    def test_refusals(self) -> None:
        """Unknown settings, values out of range, and a type that is not the setting's."""
        self.assertEqual(self.code("config_get", key="no/such"), "unknown-setting")
        self.assertEqual(self.code("config_get"), "bad-argument")
        self.assertEqual(self.code("config_set", key="no/such", value=1), "unknown-setting")
        self.assertEqual(self.code("config_set", key="logs/debug-level", value="much"), "bad-value")
        self.assertEqual(self.code("config_set", key="logs/debug-level", value="4", typ="boolean"), "bad-value")
        self.assertEqual(self.code("config_set", key="logs/debug-level"), "bad-argument")
        for typ in ("int", "positive integer"):
            (row,) = self.call("config_set", key="logs/debug-level", value="4", typ=typ)
            self.assertEqual(row["value"], "4")


class PeopleTests(NounCase):
    """alice knows bob; her supplier at position 1 is somebody else."""

    def setUp(self) -> None:
        super().setUp()
        self.become_alice()
        self.answers: list[Any] = []
        self.context.gateway = Anything(outbox=Anything(send=lambda *_, **__: self.answers.pop(0)))
        rows = [
            {"fingerprint": "", "global_id": "", "idurl": ""},
            {"fingerprint": "ab" * 32, "global_id": "sam@x", "idurl": "http://x/sam.xml"},
        ]
        self.asked: list[Any] = []
        self.context.suppliers = Anything(list=lambda verbose=False: rows, leaving=list)
        self.context.replacement_requests = Anything(
            replace=lambda old, new: self.asked.append((old, new)), try_out=lambda old, new: succeed(None)
        )

    def older(self, name: str, **arguments: Any) -> dict[str, Any]:
        row = TABLE.named(name, "2016")
        assert row is not None
        return self.call_row(row, arguments)

    def test_ping(self) -> None:
        """Silence, a refusal, somebody unknown, a name that is none, and this node itself."""
        self.answers = [fail(NoAnswer("no address answers"))]
        envelope = self.older("ping", idurl="bob@id.example")
        self.assertEqual(envelope["code"], "no-answer")
        self.assertIn("no address answers", envelope["errors"][0])
        self.assertEqual(self.older("ping", idurl="no name")["code"], "bad-name")
        self.assertEqual(self.older("ping", idurl="bob@id.example", timeout=0)["code"], "bad-argument")
        self.assertEqual(self.older("ping", idurl="alice@id.example")["status"], "OK")
        row = TABLE.named("ping", "2016")
        self.answers = [Deferred()]
        asking = perform(self.context, row, {"idurl": "bob@id.example", "timeout": 3})
        self.clock.advance(3.1)
        self.assertEqual(self.successResultOf(asking)["code"], "no-answer")

    def test_replacing(self) -> None:
        """By position or name; an empty place, one that does not exist and nobody are refused."""
        for which in ("1", 1, "sam@x", "http://x/sam.xml"):
            self.assertEqual(self.older("supplier_replace", index_or_idurl=which)["status"], "OK")
        told = self.older("supplier_change", index_or_idurl="1", new_idurl="bob@id.example")["result"]
        self.assertEqual(told, "supplier will be replaced by http://id.example/bob.xml")
        self.assertEqual(self.asked, [(b"\xab" * 32, None)] * 4 + [(b"\xab" * 32, self.bob.fingerprint)])
        for name, more in (("supplier_replace", {}), ("supplier_change", {"new_idurl": "bob@id.example"})):
            self.assertEqual(self.older(name, index_or_idurl="0", **more)["code"], "not-found")
            self.assertEqual(self.older(name, index_or_idurl="9", **more)["code"], "not-found")
            self.assertEqual(self.older(name, **more)["code"], "bad-argument")
        self.assertEqual(self.older("supplier_change", index_or_idurl="1", new_idurl="?")["code"], "bad-name")
        full = BitDustError("no-space", "it is full")
        self.context.replacement_requests.try_out = lambda old, new: fail(full)
        answer = self.older("supplier_change", index_or_idurl="1", new_idurl="bob@id.example")
        self.assertEqual((answer["code"], len(self.asked)), ("no-space", 5))

    def test_services(self) -> None:
        """An unknown service is refused by each method."""
        for name in ("service_info", "service_start", "service_stop"):
            self.assertEqual(self.older(name, service_name="dancing")["code"], "not-found")
            self.assertEqual(self.older(name)["code"], "bad-argument")

    def test_show(self) -> None:
        """Whoever listens gets the event."""
        heard: list[str] = []
        self.context.events.subscribe(lambda event: heard.append(event.id))
        self.older("show")
        self.clock.advance(0)
        self.assertEqual(heard[-1:], ["show"])
