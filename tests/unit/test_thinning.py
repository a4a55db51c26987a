"""Nothing is lost by uploading again: an empty source, a folder that has shrunk, and old versions over the months."""

import os
import shutil
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.writers import number_of
from bitdust.storage.keeping.old_versions import old_names
from bitdust.storage.keeping.retention import Rules
from bitdust.storage.upload.options import UploadOptions
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import new_version, version_time
from tests.unit.storage_kit import Node, network, random_file

DAY = 86_400


class StoredFolder(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.folder = self.base / "folder"
        self.contents = {name: random_file(self.folder / name, 3000) for name in ("a", "b", "c", "d")}
        self.first = self.node.upload(self.folder, "folder")["version"]

    def upload(self, **allowed: bool):
        task = self.node.begin_upload(self.folder, "folder", UploadOptions(**allowed))
        return self.node.wait(task.completion)

    def refused(self, code: str, **allowed: bool) -> BitDustError:
        error = self.assertRaises(BitDustError, self.upload, **allowed)
        self.assertEqual(error.code, code)
        return error

    def versions(self, path: str) -> list[dict]:
        return self.node.info(path)["versions"]

    def clean(self) -> None:
        self.node.storage.sync()
        self.node.pass_time(10)


class GuestTests(StoredFolder):
    def test_each_has_a_count_of_its_own(self) -> None:
        """However many versions a guest brings, the owner's last one stays, and so does the guest's; an item that both
        have versions of is not forgotten when one of them says that it is gone."""
        path, now = self.node.info("folder/a")["path_id"], version_time(self.first) + 100 * DAY
        number = number_of(b"guests", 0)
        theirs = [new_version(now - count * DAY, number) for count in (4, 3, 2)]

        def bring(database):
            rows = database.execute("SELECT * FROM versions WHERE path=?", (path,)).fetchall()
            for version in theirs:
                row = (path, version, *rows[0][2:])
                database.execute(f"INSERT INTO versions VALUES({', '.join('?' * len(row))})", row)

        catalog = self.node.storage.core.catalog
        self.node.wait(catalog.change(bring))
        rules = Rules(1, 0, 0, 0, 30.0 * DAY)
        found = list(old_names(catalog.read, [path], rules, now + 50 * DAY))
        self.assertEqual(found, [f"{path}/{version}" for version in theirs[:2]])
        gone = (path, new_version(now - DAY, number), "master")
        self.node.wait(catalog.change(lambda database: database.execute("INSERT INTO gone VALUES(?, ?, ?)", gone)))
        self.assertNotIn(path, list(old_names(catalog.read, [path], rules, now + 50 * DAY)))


class LossTests(StoredFolder):
    def test_an_empty_source(self) -> None:
        """A folder that is empty where files were stored from is refused, however often, and nothing is lost by it."""
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        for _ in range(3):
            error = self.refused("empty-source", allow_drop=True)
        self.assertEqual((error.details["known"], error.details["dropped_bytes"]), (4, 12_000))
        self.clean()
        self.node.download("folder", self.base / "back")
        for name, data in self.contents.items():
            self.assertEqual((self.base / "back" / "folder" / name).read_bytes(), data)

    def test_an_empty_source_that_is_meant(self) -> None:
        """With the person's word the folder is empty from then on, and its files stay in the history for 30 days."""
        self.node.settings.set("services/backups/max-copies", 1)
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        for _ in range(3):
            self.upload(allow_empty=True)
        self.assertEqual(self.node.rows("folder"), [])
        self.node.clock.advance(29 * DAY)
        self.clean()
        self.node.download(f"folder/{self.first}", self.base / "back")
        self.assertEqual(len(os.listdir(self.base / "back" / "folder")), 4)

    def test_a_vanished_source(self) -> None:
        """A folder, or a file in it, that is not there is refused by name; what was stored from it comes back."""
        shutil.rmtree(self.folder)
        for source, remote in ((self.folder, "folder"), (self.folder / "a", "folder/a")):
            error = self.assertRaises(BitDustError, self.begin, source, remote)
            self.assertEqual((error.code, str(source) in str(error)), ("no-such-file", True))
        self.assertEqual(len(self.versions("folder")), 1)
        self.clean()
        self.node.download("folder", self.base / "back")
        for name, data in self.contents.items():
            self.assertEqual((self.base / "back" / "folder" / name).read_bytes(), data)

    def begin(self, source: Path, remote: str):
        return self.node.wait(Deferred.fromCoroutine(self.node.storage.upload(str(source), remote)))

    def test_only_empty_folders(self) -> None:
        """A folder in which only folders are left is empty."""
        shutil.rmtree(self.folder)
        (self.folder / "lost+found").mkdir(parents=True)
        self.refused("empty-source")
        self.assertEqual([row["name"] for row in self.node.rows("folder")], ["a", "b", "c", "d"])

    def test_more_than_half(self) -> None:
        """Where most files are gone it is asked first, with the figures; half of them is not most."""
        (self.folder / "a").unlink()
        (self.folder / "b").unlink()
        self.upload()
        (self.folder / "c").unlink()
        (self.folder / "d").rename(self.base / "away")
        random_file(self.folder / "e", 10)
        error = self.refused("would-drop", allow_empty=True)
        self.assertEqual((error.details["dropped"], error.details["known"]), (2, 2))
        self.assertEqual({row["name"] for row in self.node.rows("folder")}, {"c", "d"})
        self.upload(allow_drop=True)
        self.assertEqual({row["name"] for row in self.node.rows("folder")}, {"e"})

    def test_most_of_the_bytes(self) -> None:
        """One of five files is most of the folder when it is the large one."""
        random_file(self.folder / "large", 100_000)
        self.upload()
        (self.folder / "large").unlink()
        self.assertEqual(self.refused("would-drop").details["dropped_bytes"], 100_000)

    def test_renamed_files_are_not_gone(self) -> None:
        """What has only got another name inside of the folder is not dropped."""
        (self.folder / "inner").mkdir()
        for name in self.contents:
            (self.folder / name).rename(self.folder / "inner" / name)
        self.upload()
        self.assertEqual(len(self.node.rows("folder")), 5)

    def test_a_file_that_was_emptied(self) -> None:
        """An empty file in place of a full one is refused in the same way, where it is uploaded by itself."""
        path = self.base / "single"
        random_file(path, 5000)
        self.node.upload(path, "single")
        path.write_bytes(b"")
        error = self.assertRaises(BitDustError, self.node.upload, path, "single")
        self.assertEqual(error.code, "empty-source")

    def test_what_was_allowed_is_kept_over_a_crash(self) -> None:
        """A job that goes on after a crash may do what its person allowed."""
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        for supplier in self.around.suppliers:
            supplier.mode = "frozen"
        self.node.begin_upload(self.folder, "folder", UploadOptions(allow_empty=True))
        self.node.kill()
        for supplier in self.around.suppliers:
            supplier.mode = "fine"
        node = Node(self.node.home, self.around, self.node.clock).start()
        self.addCleanup(node.stop)
        node.pass_time(30)
        self.assertEqual(node.rows("folder"), [])
        left = node.storage.core.catalog.read.execute("SELECT count(*) FROM upload_options").fetchone()
        self.assertEqual(left, (0,))


class ThinningTests(StoredFolder):
    def change(self, name: str) -> str:
        random_file(self.folder / name, 3000)
        return self.upload()["version"]

    def test_nothing_young_goes(self) -> None:
        """With one copy to keep, thirty versions of a day are all there a month later, and say why."""
        self.node.settings.set("services/backups/max-copies", 1)
        for _ in range(29):
            self.change("a")
            self.node.clock.advance(2900)
        self.node.clock.advance(28 * DAY)
        self.clean()
        self.assertEqual(len(self.versions("folder/a")), 30)
        self.assertEqual(self.versions("folder/a")[0]["kept"], ["undo"])
        self.assertEqual(self.versions("folder/a")[-1]["kept"][0], "current")

    def test_old_ones_go(self) -> None:
        """What cannot be undone any more and is the newest of no day, week or month goes, with its pieces."""
        for name in ("daily", "weekly", "monthly"):
            self.node.settings.set(f"services/backups/{name}-copies", 1)
        self.node.settings.set("services/backups/max-copies", 1)
        for _ in range(4):
            self.change("a")
        self.clean()
        before = self.around.suppliers[0].pieces()
        self.node.clock.advance(40 * DAY)
        last = self.change("a")
        self.node.clock.advance(31 * DAY)
        for _ in range(2):
            self.clean()
        self.assertEqual([row["version"] for row in self.versions("folder/a")], [last])
        self.assertLess(self.around.suppliers[0].pieces(), before + 1)
        self.node.download("folder", self.base / "back")
        self.assertEqual(len(os.listdir(self.base / "back" / "folder")), 4)

    def test_a_clock_that_is_a_year_ahead(self) -> None:
        """A clock that leaps a year, before a start or after it, lets nothing go that is young."""
        self.node.settings.set("services/backups/max-copies", 1)
        for _ in range(3):
            self.change("a")
        self.clean()
        right = self.node.world.wall
        self.node.world.wall = lambda: right() + 365 * DAY
        self.clean()
        self.node.stop()
        node = Node(self.node.home, self.around, self.node.clock)
        node.world.wall = self.node.world.wall
        node.start()
        self.addCleanup(node.stop)
        node.clock.advance(3 * DAY)
        node.storage.sync()
        node.pass_time(10)
        self.assertEqual(len(node.info("folder/a")["versions"]), 4)

    def test_a_clock_that_is_a_year_behind(self) -> None:
        """A version that is made then is the newest all the same."""
        right = self.node.world.wall
        self.clean()
        self.node.world.wall = lambda: right() - 365 * DAY
        made = self.change("a")
        self.node.world.wall = right
        self.clean()
        self.assertEqual(self.versions("folder/a")[-1]["version"], made)
        self.node.download("folder", self.base / "back")
        self.assertEqual((self.base / "back" / "folder" / "a").read_bytes(), (self.folder / "a").read_bytes())

    def test_a_file_that_left_goes_with_the_versions_that_show_it(self) -> None:
        """A file that left its folder long ago is forgotten when no version of the folder has it."""
        for name in ("daily", "weekly", "monthly"):
            self.node.settings.set(f"services/backups/{name}-copies", 0)
        self.node.settings.set("services/backups/max-copies", 1)
        (self.folder / "d").unlink()
        gone = self.node.info("folder/d")["path_id"]
        self.upload()
        self.clean()
        self.assertEqual(len(self.versions(gone)), 1)
        self.node.clock.advance(31 * DAY)
        self.clean()
        self.assertRaises(BitDustError, self.node.info, gone)
        self.assertEqual(len(self.node.rows("folder")), 3)
