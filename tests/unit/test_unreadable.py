"""What cannot be read now is not taken for deleted: what the catalog knows of it stays."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.unit.storage_kit import network, random_file


class UnreadableTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.folder = self.base / "folder"
        self.data = {name: random_file(self.folder / name, 1000) for name in ("a", "sub/b", "sub/c")}
        self.node.upload(self.folder, "folder")

    def fails(self, name: str, path: Path) -> None:
        """A function of the system fails for one path, until the test puts it right."""
        real = getattr(os, name)
        self.real = (name, real)

        def call(given: Any, *arguments: Any, **options: Any) -> Any:
            if os.fspath(given) in (os.fsencode(path), str(path)):
                raise OSError(errno.EIO, "Input/output error")
            return real(given, *arguments, **options)

        self.patch(os, name, call)

    def repair(self) -> None:
        self.patch(os, *self.real)

    def upload(self) -> list[str]:
        """What was left out."""
        problems = self.node.upload(self.folder, "folder")["problems"]
        return [os.path.basename(problem["path"]) for problem in problems]

    def paths(self) -> list[str]:
        return sorted(row["path"] for row in self.node.rows("folder") if row["type"] == "file")

    def comes_back(self, *names: str) -> None:
        target = self.base / "back"
        self.node.download("folder", target)
        found = {name: (target / "folder" / name).read_bytes() for name in names}
        self.assertEqual(found, {name: self.data[name] for name in names})
        shutil.rmtree(target)

    def test_folder_that_cannot_be_listed(self) -> None:
        """A folder that cannot be listed is reported, and what was stored of it stays in the newest version."""
        self.fails("listdir", self.folder / "sub")
        self.assertEqual(self.upload(), ["sub"])
        self.assertEqual(self.paths(), ["folder/a", "folder/sub/b", "folder/sub/c"])
        self.comes_back("a", "sub/b", "sub/c")

    def test_file_that_cannot_be_looked_at(self) -> None:
        """Beside a file that cannot be looked at nothing counts as deleted; once it can, what is gone is gone."""
        (self.folder / "sub" / "c").unlink()
        self.fails("lstat", self.folder / "sub" / "b")
        self.assertEqual(self.upload(), ["b"])
        self.comes_back("a", "sub/b", "sub/c")
        self.repair()
        self.assertEqual(self.upload(), [])
        self.assertEqual(self.paths(), ["folder/a", "folder/sub/b"])
        self.comes_back("a", "sub/b")

    def test_file_that_cannot_be_opened(self) -> None:
        """A file that cannot be read is reported, and its last version is the newest."""
        (self.folder / "a").write_bytes(b"changed")
        self.fails("open", self.folder / "a")
        self.assertEqual(self.upload(), ["a"])
        self.repair()
        self.comes_back("a", "sub/b")
