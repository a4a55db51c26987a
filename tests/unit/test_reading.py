"""Looking at a local folder and reading its files, while the disk fails and others change what is there."""

import errno
import os
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.formats.operations import MOST_CHUNKS
from bitdust.storage.options import Wishes
from bitdust.storage.packs.packer import Packer, StorageKey
from bitdust.storage.upload import reader as reader_module
from bitdust.storage.upload import scan as scan_module
from bitdust.storage.upload.attributes import Whole
from bitdust.storage.upload.reader import FilesReader, ReadingThread, Step, Work
from bitdust.storage.upload.scan import Skipped, find, total_size, walk
from bitdust.wire.errors import BitDustError
from tests.unit.test_catalog import open_catalog


def scan(path: bytes) -> tuple[SimpleNamespace, list[Skipped]]:
    """A path and everything below it as one tree."""
    root, report = find(path), []
    nodes = {root.path: SimpleNamespace(found=root, name=root.name, kind=root.kind, target=root.target, children=[])}
    for listing in walk(root) if root.kind == "folder" else ():
        report += listing.skipped
        nodes[listing.folder.path].complete = listing.folder.complete
        for entry in listing.entries:
            node = SimpleNamespace(name=entry.name, kind=entry.kind, target=entry.target, children=[], found=entry)
            nodes[listing.folder.path].children.append(node)
            nodes[entry.path] = node
    return nodes[root.path], report


BROKEN = OSError(errno.EIO, "Input/output error")


class FolderCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = Path(self.mktemp()).absolute()
        self.root.mkdir()
        self.path = os.fsencode(self.root)

    def write(self, name: str, data: bytes = b"data") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def fails_at(self, name: str, path: Path, error: OSError) -> None:
        """A function of the system fails for one path."""
        real = getattr(os, name)

        def call(given: Any, *arguments: Any, **options: Any) -> Any:
            if given == os.fsencode(path):
                raise error
            return real(given, *arguments, **options)

        self.patch(os, name, call)


class ScanTests(FolderCase):
    def scan(self) -> tuple[SimpleNamespace, dict[str, str]]:
        """What is found, and what was left out: reasons by the names of files."""
        found, report = scan(self.path)
        return found, {os.path.basename(row["path"]): row["reason"] for row in report}

    def refused(self, code: str, path: bytes | None = None) -> str:
        error = self.assertRaises(BitDustError, scan, self.path if path is None else path)
        self.assertEqual(error.code, code)
        return str(error)

    def test_kinds(self) -> None:
        """Files, folders and links are found in the order of their names; a link is text and is not followed."""
        self.write("b/inner", b"12345")
        self.write("a", b"123")
        (self.root / "c").symlink_to("b")
        found, left_out = self.scan()
        self.assertEqual([(child.name, child.kind) for child in found.children],
                         [(b"a", "file"), (b"b", "folder"), (b"c", "link")])  # fmt: skip
        self.assertEqual([child.name for child in found.children[1].children], [b"inner"])
        self.assertEqual((found.children[2].target, found.children[2].children), (b"b", []))
        self.assertEqual((total_size(found.found), left_out), (8, {}))

    def test_what_is_no_file(self) -> None:
        """Pipes and the like are reported and left out; alone they are nothing to store."""
        os.mkfifo(self.root / "pipe")
        self.write("file")
        found, left_out = self.scan()
        self.assertEqual(([child.name for child in found.children], list(left_out)), ([b"file"], ["pipe"]))
        self.assertTrue(found.complete)
        self.refused("bad-path", os.fsencode(self.root / "pipe"))

    def test_nothing_there(self) -> None:
        """A path that does not exist, or that leads through a file, is said."""
        self.write("file")
        for name in ("none", "file/below"):
            self.assertIn("does not exist", self.refused("no-such-file", os.fsencode(self.root / name)))

    def test_top_cannot_be_read(self) -> None:
        """When the named path itself cannot be read there is no upload."""
        self.fails_at("listdir", self.root, BROKEN)
        self.assertIn("Input/output error", self.refused("unreadable"))
        path = self.write("file")
        self.patch(os, "access", lambda path, mode: False)
        self.assertIn("permission denied", self.refused("unreadable", os.fsencode(path)))
        self.fails_at("lstat", path, PermissionError(errno.EACCES, "Permission denied"))
        self.assertIn("Permission denied", self.refused("unreadable", os.fsencode(path)))

    def test_folder_that_cannot_be_listed(self) -> None:
        """A folder below that cannot be listed is incomplete: what is known of it must not count as deleted."""
        self.write("good/file")
        self.write("bad/file")
        self.fails_at("listdir", self.root / "bad", BROKEN)
        found, left_out = self.scan()
        bad, good = found.children
        self.assertEqual((found.complete, bad.complete, good.complete), (True, False, True))
        self.assertEqual((bad.children, left_out), ([], {"bad": "Input/output error"}))

    def test_entry_that_cannot_be_looked_at(self) -> None:
        """An entry that cannot be looked at makes its folder incomplete, and the others are found, at the top too."""
        bad = self.write("bad")
        self.write("good")
        self.fails_at("lstat", bad, BROKEN)
        found, left_out = self.scan()
        self.assertEqual([child.name for child in found.children], [b"good"])
        self.assertEqual((found.complete, left_out), (False, {"bad": "Input/output error"}))

    def test_entry_that_vanishes(self) -> None:
        """An entry that vanishes between list and look was deleted: nothing is reported."""
        gone = self.write("gone")
        self.write("good")
        self.fails_at("lstat", gone, FileNotFoundError(errno.ENOENT, "No such file or directory"))
        found, left_out = self.scan()
        self.assertEqual(([child.name for child in found.children], found.complete, left_out), ([b"good"], True, {}))

    def test_link_that_vanishes(self) -> None:
        """A link may vanish after it was looked at, or be unreadable."""
        self.write("good")
        (self.root / "link").symlink_to("nowhere")
        self.fails_at("readlink", self.root / "link", BROKEN)
        self.assertEqual(self.scan()[1], {"link": "Input/output error"})

    def test_too_deep(self) -> None:
        """Folders below the greatest depth are reported; an empty one may be there."""
        self.patch(scan_module, "MAX_PATH_DEPTH", 3)
        self.write("1/2/file")
        (self.root / "1" / "2" / "3").mkdir()
        _, left_out = self.scan()
        self.assertEqual(list(left_out), ["2"])
        self.assertIn("folders deep", left_out["2"])

    def test_names_of_any_bytes(self) -> None:
        """A name that is no UTF-8 is found as it is, and shown in a report as text."""
        odd = self.path + b"/\xff\xfe"
        os.mkfifo(odd)
        _, report = scan(self.path)
        self.assertEqual(report[0]["path"].rpartition("/")[2], "\\xff\\xfe")


class FakePacker:
    """Gives every new chunk a place; ``full`` chunks go into one pack."""

    def __init__(self) -> None:
        self.places: dict[bytes, tuple[bytes, int]] = {}
        self.at: Callable[[], None] = lambda: None

    def place(self, key: Any, chunk: Any, database: Any, apart: bool = False) -> tuple[bytes, int, bool]:
        """Pack, number, and whether it is new."""
        self.at()
        data = bytes(chunk)
        new = data not in self.places
        if new:
            self.places[data] = (b"pack", len(self.places))
        return (*self.places[data], new)


class ReaderTests(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.packer = FakePacker()

    def reader(self, *names: str) -> FilesReader:
        works = [Work(name, os.fsencode(self.root / name), 0) for name in names]
        return FilesReader(self.packer, None, works, Wishes())

    def read(self, *names: str) -> Step:
        step = self.reader(*names).step(None)
        self.assertFalse(step.more)
        return step

    def reasons(self, step: Step) -> list[str]:
        return [row["reason"] for row in step.skipped]

    def test_read(self) -> None:
        """Files are read in order; bytes that are stored already are not new, and rows of chunks are one extent."""
        self.write("a", b"same")
        self.write("b", b"same")
        self.write("empty", b"")
        step = self.read("a", "b", "empty")
        self.assertEqual([(file.path, file.size, file.extents) for file in step.files],
                         [("a", 4, [[b"pack", 0, 1]]), ("b", 4, [[b"pack", 0, 1]]), ("empty", 0, [])])  # fmt: skip
        self.assertEqual((step.read, step.new, step.skipped), (8, 4, []))

    def test_windows(self) -> None:
        """One step reads about a window, in the middle of a file too, and says whether there is more."""
        self.patch(reader_module, "STEP_BYTES", 1 << 20)
        data = os.urandom(5 << 20)
        self.write("large", data)
        self.write("small")
        reader, read, steps = self.reader("large", "small"), 0, []
        while True:
            step = reader.step(None)
            read += step.read
            steps.append(step)
            if not step.more:
                break
        self.assertGreater(len(steps), 2)
        self.assertEqual(read, len(data) + 4)
        files = [file for step in steps for file in step.files]
        self.assertEqual([(file.path, file.size) for file in files], [("large", len(data)), ("small", 4)])
        self.assertEqual(sum(count for _, _, count in files[0].extents), len(self.packer.places) - 1)

    def test_many_small_files(self) -> None:
        """One step ends after a number of files, however small they are."""
        self.patch(reader_module, "STEP_FILES", 3)
        for number in range(4):
            self.write(str(number))
        reader = self.reader("0", "1", "2", "3")
        self.assertEqual([len(reader.step(None).files) for _ in range(2)], [3, 1])

    def test_gone(self) -> None:
        """Files that are gone, or that were replaced by something else, are reported, and the others are read."""
        self.write("good")
        (self.root / "folder").mkdir()
        os.mkfifo(self.root / "pipe")
        (self.root / "link").symlink_to("good")
        step = self.read("none", "folder", "pipe", "link", "good")
        self.assertEqual([file.path for file in step.files], ["good"])
        vanished, folder, pipe, link = self.reasons(step)
        self.assertIn("vanished", vanished)
        self.assertIn("directory", folder)
        self.assertIn("no plain file", pipe)
        self.assertIn("symbolic links", link)

    def test_disk_fails(self) -> None:
        """A file that the disk cannot read is reported with the reason, and the others are read."""
        self.write("bad")
        self.write("good")

        def broken(raw: Any, length: int) -> bytes:
            raise BROKEN

        self.patch(Whole, "read", broken)
        self.assertEqual(self.reasons(self.read("bad")), ["Input/output error"])

    def test_file_that_changes_once(self) -> None:
        """A file that changes while it is read is read again, and stored as it is then."""
        path = self.write("file", b"one")

        def change() -> None:
            self.packer.at = lambda: None
            path.write_bytes(b"three")

        self.packer.at = change
        step = self.read("file")
        (file,) = step.files
        self.assertEqual((file.size, file.changed, step.skipped), (5, False, []))

    def test_file_that_never_rests(self) -> None:
        """A file that changes each time is stored as it was read, which is reported, and is read again next time."""
        path = self.write("file", b"x")
        self.packer.at = lambda: path.open("ab").write(b"x") and None
        step = self.read("file")
        self.assertEqual((len(step.files), step.files[0].changed), (1, True))
        self.assertEqual(len(self.reasons(step)), 1)
        self.assertIn("changed while it was read", self.reasons(step)[0])

    def test_file_that_is_deleted_while_it_is_read(self) -> None:
        """A file whose name is gone when it was read has vanished."""
        path = self.write("file")
        self.packer.at = path.unlink
        step = self.read("file")
        self.assertEqual(step.files, [])
        self.assertIn("vanished", self.reasons(step)[0])

    def test_close(self) -> None:
        """A reader that is closed in the middle leaves no file open and reads nothing more."""
        self.patch(reader_module, "STEP_BYTES", 1)
        self.write("large", os.urandom(3 << 20))
        self.write("other")
        before = len(os.listdir("/proc/self/fd"))
        reader = self.reader("large", "other")
        self.assertTrue(reader.step(None).more)
        reader.close()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        step = reader.step(None)
        self.assertEqual((step.more, step.files), (False, []))


class ThreadTests(SynchronousTestCase):
    def test_one_connection(self) -> None:
        """All calls get one connection, which is opened by the first and closed at the end."""
        opened: list[sqlite3.Connection] = []

        def connect() -> sqlite3.Connection:
            opened.append(sqlite3.connect(":memory:"))
            return opened[-1]

        thread = ReadingThread(maybeDeferred, connect)
        self.assertEqual(opened, [])
        found = [self.successResultOf(thread.run(lambda database: database)) for _ in range(2)]
        self.assertEqual(found, [opened[0]] * 2)
        self.successResultOf(thread.close())
        self.assertRaises(sqlite3.ProgrammingError, opened[0].execute, "SELECT 1")

    def test_close_waits(self) -> None:
        """Closing waits for the call that runs; calls that have not begun are dropped."""
        working: Deferred[Any] = Deferred()
        thread = ReadingThread(lambda call, *arguments: working, lambda: sqlite3.connect(":memory:"))
        first, second = thread.run(lambda database: 1), thread.run(lambda database: 2)
        closed = thread.close()
        self.assertNoResult(closed)
        self.failureResultOf(second)
        working.callback(7)
        self.assertEqual(self.successResultOf(first), 7)
        self.successResultOf(closed)


class PackingTests(SynchronousTestCase):
    def test_the_size_of_a_pack_is_asked_for_once_a_pack(self) -> None:
        """A pack that was begun is full by the size that was wished for then; the next one by what is wished then."""
        sizes = [1024 * 1024, 512 * 1024]
        packer = Packer(os.urandom, lambda: sizes.pop(0))
        database = open_catalog(self).read
        key = StorageKey("master", 1, b"s" * 32)
        packs = [packer.place(key, os.urandom(100_000), database)[0] for _ in range(11)]
        self.assertEqual([packs.count(pack) for pack in dict.fromkeys(packs)], [8, 3])
        self.assertEqual((len(packer.take_full()), sizes), (2, []))

    def test_a_pack_has_no_more_chunks_than_its_row_can_name(self) -> None:
        """Very many tiny files are put into several packs, however large a pack may be."""
        packer = Packer(os.urandom, lambda: 16 * 1024 * 1024)
        database = open_catalog(self).read
        key = StorageKey("master", 1, b"s" * 32)
        packs = Counter(packer.place(key, b"%d" % number, database)[0] for number in range(MOST_CHUNKS + 1))
        self.assertEqual(sorted(packs.values()), [1, MOST_CHUNKS])
