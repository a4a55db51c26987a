"""Disks that fail in the middle of a restored tree: what can come back does, and the rest is named."""

import errno
import os
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from bitdust.disk import syncing
from bitdust.storage.restore.tree import PART_PREFIX
from bitdust.wire.errors import BitDustError
from tests.unit.storage_kit import network, random_file

EIO = OSError(errno.EIO, "Input/output error")


class FailingDiskTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.target = self.base / "back"
        self.folder = self.base / "folder"
        self.data = {name: random_file(self.folder / name, 90_000) for name in ("a", "b", "sub/c")}
        (self.folder / "link").symlink_to("a")
        self.node.upload(self.folder, "folder")
        self.node.pass_time(1)

    def failing(self, name: str, wanted: str):
        """A function of ``os`` that fails for one file or folder."""
        original = getattr(os, name)

        def call(*arguments, **options):
            if any(argument == os.fsencode(wanted) for argument in arguments):
                raise EIO
            return original(*arguments, **options)

        return patch(f"os.{name}", call)

    def back(self) -> list[str]:
        found = [path.relative_to(self.target / "folder") for path in self.target.rglob("*") if not path.is_dir()]
        return sorted(str(path) for path in found if not os.fsencode(path.name).startswith(PART_PREFIX))

    def test_one_file_cannot_get_its_name(self) -> None:
        """A file whose name the disk refuses is a problem of its own; the others come back whole."""
        with self.failing("rename", "b"):
            result = self.node.download("folder", self.target)
        self.assertEqual([(one["path"], one["reason"]) for one in result["problems"]], [("folder/b", EIO.strerror)])
        self.assertEqual(self.back(), ["a", "link", "sub/c"])
        self.assertEqual((self.target / "folder" / "sub" / "c").read_bytes(), self.data["sub/c"])

    def test_a_second_try_brings_what_was_refused(self) -> None:
        """What could not be named is in a growing file, and comes back with the next download."""
        with self.failing("rename", "b"):
            self.node.download("folder", self.target)
        result = self.node.download("folder", self.target)
        self.assertEqual((result["problems"], self.back()), ([], ["a", "b", "link", "sub/c"]))
        self.assertEqual((self.target / "folder" / "b").read_bytes(), self.data["b"])

    def test_a_folder_that_cannot_be_made(self) -> None:
        """Files of a folder that cannot be made are named; what is beside it comes back."""
        with self.failing("mkdir", "sub"):
            result = self.node.download("folder", self.target)
        self.assertIn("folder/sub/c", {one["path"] for one in result["problems"]})
        self.assertEqual(self.back(), ["a", "b", "link"])

    def test_a_link_that_cannot_be_made(self) -> None:
        """A link that the disk refuses is a problem of its own."""
        with patch("os.symlink", side_effect=EIO):
            result = self.node.download("folder", self.target)
        self.assertEqual([one["path"] for one in result["problems"]], ["folder/link"])
        self.assertEqual(self.back(), ["a", "b", "sub/c"])

    def test_nothing_can_be_synced(self) -> None:
        """Where the disk takes nothing for good, no file gets a name: half of it could be gone after a power cut."""
        with patch.object(syncing, "_SYNCFS", None), patch("os.fsync", side_effect=EIO):
            error = self.assertRaises(BitDustError, self.node.download, "folder", self.target)
        self.assertIn("3 of 3 files did not come back", str(error))
        self.assertEqual(self.back(), ["link"])

    def test_one_file_alone(self) -> None:
        """A download of a single file that the disk refuses fails with the reason."""
        with self.failing("rename", "a"):
            error = self.assertRaises(BitDustError, self.node.download, "folder/a", self.target)
        self.assertEqual(error.code, "incomplete")
        self.assertIn(str(EIO.strerror), str(error))
