"""Files with whole nodes in memory: what they are besides their bytes, and a source that has vanished."""

import os
import shutil

from bitdust.wire.errors import BitDustError
from tests.grid.test_main_job import GridCase

BLOCK = 64 * 1024


class FilesTests(GridCase):
    def test_kinds_survive_the_loss_of_the_machine(self) -> None:
        """Names of one file, holes, and what was left out: all of it is as it was, or told, on a recovered node."""
        self.add_suppliers(2)
        alice = self.add_customer(**{"services/customer/suppliers-number": 2})
        folder = self.base / "folder"
        folder.mkdir()
        self.file("folder/one", 200_000)
        os.link(folder / "one", folder / "two")
        with open(folder / "sparse", "wb") as stream:
            stream.seek(8 * BLOCK)
            stream.write(b"x" * BLOCK)
            stream.truncate(32 * BLOCK)
        (folder / "out").symlink_to("/etc/hostname")
        self.upload(alice, folder, "folder")
        again = self.recover(self.key_file(alice))
        task = self.run_now(again.rooms.storage.download("folder", str((self.base / "back").absolute()), "replace"))
        (problem,) = self.grid.wait(task.completion, 600)["problems"]
        self.assertEqual((problem["path"], problem["code"]), ("folder/out", "left-out"))
        back = self.base / "back" / "folder"
        self.assertEqual((back / "one").stat().st_ino, (back / "two").stat().st_ino)
        for name in ("two", "sparse"):
            self.assertEqual((back / name).read_bytes(), (folder / name).read_bytes())
        self.assertLessEqual((back / "sparse").stat().st_blocks, (folder / "sparse").stat().st_blocks)

    def test_a_disk_that_is_not_mounted(self) -> None:
        """Uploads of a folder that has become empty are refused, and everything comes back after any number of them."""
        self.add_suppliers(2)
        alice = self.add_customer(**{"services/customer/suppliers-number": 2, "services/backups/max-copies": 1})
        folder = self.base / "folder"
        folder.mkdir()
        data = {name: self.file(f"folder/{name}", 50_000)[1] for name in ("a", "b")}
        self.upload(alice, folder, "folder")
        shutil.rmtree(folder)
        folder.mkdir()
        for _ in range(3):
            error = self.assertRaises(BitDustError, self.upload, alice, folder, "folder")
            self.assertEqual((error.code, error.details["known"]), ("empty-source", 2))
            self.grid.run(60)
        self.download(alice, "folder", self.base / "back")
        for name, content in data.items():
            self.assertEqual((self.base / "back" / "folder" / name).read_bytes(), content)
