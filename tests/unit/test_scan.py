"""Reading local folders: folder by folder, sorted, what cannot be read is reported where it is."""

import os
import socket
import tracemalloc
from pathlib import Path
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from bitdust.storage.upload import scan as scan_module
from bitdust.storage.upload.scan import Found, Listing, files, find, next_listings, walk
from bitdust.wire.errors import BitDustError


class ScanTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base = Path(self.mktemp()).resolve()
        for path in ("a/one", "a/two", "b/c/deep", "top", "z/last"):
            (self.base / path).parent.mkdir(parents=True, exist_ok=True)
            (self.base / path).write_text(path)
        self.root = os.fsencode(self.base)

    def listings(self) -> list[Listing]:
        return list(walk(find(self.root)))

    def everything(self) -> list[Found]:
        return [entry for listing in self.listings() for entry in listing.entries]

    def names(self, listing: Listing) -> tuple[str, list[str]]:
        folder = os.path.relpath(os.fsdecode(listing.folder.path), self.base)
        return folder, [os.fsdecode(entry.name) for entry in listing.entries]

    def refused(self, path: Path) -> tuple[str, str]:
        error = self.assertRaises(BitDustError, lambda: list(walk(find(os.fsencode(path)))))
        return error.code, str(error)

    def test_folder_by_folder(self) -> None:
        """Each folder comes before what is inside it, entries are sorted by name, and siblings come in order."""
        expected = [
            (".", ["a", "b", "top", "z"]),
            ("a", ["one", "two"]),
            ("b", ["c"]),
            ("b/c", ["deep"]),
            ("z", ["last"]),
        ]
        self.assertEqual([self.names(listing) for listing in self.listings()], expected)

    def test_lazily(self) -> None:
        """A folder is listed when its turn comes, not before: what changes meanwhile is seen as it is then."""
        walking = walk(find(self.root))
        next(walking)
        (self.base / "z" / "new").write_text("")
        self.assertEqual(self.names(list(walking)[-1]), ("z", ["last", "new"]))

    def test_kinds(self) -> None:
        """Links are noted and not followed; a socket is reported and left out."""
        (self.base / "link").symlink_to("/etc")
        with socket.socket(socket.AF_UNIX) as server:
            here = os.getcwd()
            os.chdir(self.base)
            self.addCleanup(os.chdir, here)
            server.bind("socket")
        first = self.listings()[0]
        link = next(entry for entry in first.entries if entry.name == b"link")
        self.assertEqual((link.kind, link.target), ("link", b"/etc"))
        told = ["neither a file nor a folder nor a link", "a link to '/etc', which leads out of the folder"]
        self.assertEqual([one["reason"].partition(":")[0] for one in first.skipped], told)
        self.assertTrue(first.folder.complete)

    def test_a_folder_that_cannot_be_listed(self) -> None:
        """It is reported in its own listing and is not complete; the others are read."""
        real = os.listdir

        def listdir(path: bytes) -> list[bytes]:
            if path.endswith(b"/b"):
                raise PermissionError(13, "Permission denied")
            return real(path)

        with mock.patch.object(scan_module.os, "listdir", listdir):
            listings = self.listings()
        found = {self.names(listing)[0]: (listing.folder.complete, listing.skipped) for listing in listings}
        left_out = {"path": str(self.base / "b"), "reason": "Permission denied", "code": "left-out"}
        self.assertEqual(found["b"], (False, [left_out]))
        self.assertEqual([name for name, (complete, _) in found.items() if complete], [".", "a", "z"])

    def test_an_entry_that_cannot_be_read(self) -> None:
        """It is reported, and its folder is not complete; one that has just gone is nothing at all."""
        real = os.lstat

        def lstat(path: bytes) -> os.stat_result:
            if path.endswith(b"/one"):
                raise OSError(5, "Input/output error")
            if path.endswith(b"/two"):
                raise FileNotFoundError(2, "gone")
            return real(path)

        with mock.patch.object(scan_module.os, "lstat", lstat):
            listing = self.listings()[1]
        self.assertEqual((listing.entries, listing.folder.complete), ([], False))
        self.assertEqual([one["reason"] for one in listing.skipped], ["Input/output error"])

    def test_the_root(self) -> None:
        """A root that is not there, cannot be listed, or is nothing that can be stored is refused."""
        self.assertEqual(self.refused(self.base / "nowhere")[0], "no-such-file")
        self.assertEqual(self.refused(Path("/dev/null"))[0], "bad-path")
        with mock.patch.object(scan_module.os, "listdir", side_effect=PermissionError(13, "Permission denied")):
            code, text = self.refused(self.base)
        self.assertEqual((code, text), ("unreadable", f"{self.base} cannot be listed: Permission denied"))
        with mock.patch.object(scan_module.os, "access", return_value=False):
            self.assertEqual(self.refused(self.base / "top")[0], "unreadable")

    def test_too_deep(self) -> None:
        """Folders deeper than the catalog takes are reported, and are not read."""
        with mock.patch.object(scan_module, "MAX_PATH_DEPTH", 2):
            listings = self.listings()
        reasons = [one["reason"] for listing in listings for one in listing.skipped]
        self.assertEqual(reasons, ["more than 2 folders deep"] * 3)
        self.assertEqual(len(listings), 4)

    def test_taking_some(self) -> None:
        """Listings come in helpings of about so many entries, and then no more."""
        walking = walk(find(self.root))
        sizes = [len(next_listings(walking, 5)) for _ in range(4)]
        self.assertEqual(sizes, [1, 2, 2, 0])

    def test_files(self) -> None:
        """All files of a folder, or a file by itself; a link has none."""
        (self.base / "link").symlink_to("top")
        self.assertEqual([found.name for found in files(find(self.root))], [b"top", b"one", b"two", b"deep", b"last"])
        self.assertEqual([found.name for found in files(find(self.root + b"/top"))], [b"top"])
        self.assertEqual(list(files(find(self.root + b"/link"))), [])

    def test_memory(self) -> None:
        """A walk over a hundred folders needs a small part of the memory of their tree."""
        for number in range(100):
            folder = self.base / "many" / f"{number:03}"
            folder.mkdir(parents=True)
            for name in range(20):
                (folder / f"a file with a longer name {name}").touch()

        def peak(call) -> int:
            tracemalloc.start()
            try:
                kept = call()
                del kept
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

        tree = peak(lambda: [(found, os.fsdecode(found.path)) for found in self.everything()])
        walked = peak(lambda: sum(1 for _ in files(find(self.root))))
        self.assertLess(walked * 5, tree)
