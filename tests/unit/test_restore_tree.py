"""Writing what comes back: what is in the way, what the disk refuses, and that only whole files get their names."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from bitdust.disk import syncing
from bitdust.disk.reserve import Reserve
from bitdust.formats.extras import NO_EXTRAS
from bitdust.storage.catalog.paths import Item, Version
from bitdust.storage.options import Wishes
from bitdust.storage.restore import files as files_module
from bitdust.storage.restore import tree as tree_module
from bitdust.storage.restore.attributes import dress
from bitdust.storage.restore.files import FilesWriter, write_all
from bitdust.storage.restore.plan import FileWork, Run
from bitdust.storage.restore.tree import Blocked, Destination, Tree
from bitdust.wire.errors import BitDustError

MTIME = 1_700_000_000_123_456_789
FULL = OSError(errno.ENOSPC, "No space left on device")
BROKEN = OSError(errno.EIO, "Input/output error")


def dressed(descriptor: int) -> None:
    """What the folder of a version gets."""
    dress(descriptor, Version("0", "F1", 0, 0o755, MTIME, None), NO_EXTRAS, Wishes())


class DiskCase(SynchronousTestCase):
    """A destination, something outside it, and no descriptor left open."""

    def setUp(self) -> None:
        base = Path(self.mktemp()).absolute()
        self.outside = base / "outside"
        self.outside.mkdir(parents=True)
        self.root = base / "root"
        self.tree = Tree(os.fsencode(self.root))
        self.tree.prepare()
        self.open_before = self.descriptors()

    def tearDown(self) -> None:
        self.assertEqual(self.descriptors(), self.open_before)

    def descriptors(self) -> int:
        return len(os.listdir("/proc/self/fd"))

    def fails(self, name: str, error: OSError, times: int = 1) -> None:
        """The next calls of a function of the system fail."""
        real, left = getattr(os, name), times

        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            if left:
                left -= 1
                raise error
            return real(*arguments, **options)

        self.patch(os, name, call)

    def refused(self, code: str, call: Callable[..., Any], *arguments: Any) -> str:
        error = self.assertRaises(BitDustError, call, *arguments)
        self.assertEqual(error.code, code)
        return str(error)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.root.rglob("*"))


class TreeTests(DiskCase):
    def grow(self, data: bytes = b"new", name: bytes = b"part", folders: tuple[bytes, ...] = ()) -> int:
        descriptor = self.tree.open_part(folders, name)
        os.write(descriptor, data)
        self.addCleanup(os.close, descriptor)
        return descriptor

    def test_destination(self) -> None:
        """The destination is made with the folders above it; a file cannot be one."""
        deep = self.root / "a" / "b"
        Tree(os.fsencode(deep)).prepare()
        self.assertTrue(deep.is_dir())
        (self.root / "file").write_text("")
        for bad in ("file", "file/below"):
            tree = Tree(os.fsencode(self.root / bad))
            self.assertIn("cannot be used as a folder", self.refused("bad-path", tree.prepare))

    def test_kinds(self) -> None:
        """What lies at a place is a file, a folder, a link, something else, or nothing."""
        (self.root / "file").write_text("")
        (self.root / "folder").mkdir()
        (self.root / "link").symlink_to("nowhere")
        os.mkfifo(self.root / "pipe")
        kinds = [self.tree.kind(Destination((), name)) for name in (b"file", b"folder", b"link", b"pipe", b"none")]
        self.assertEqual(kinds, ["file", "folder", "link", "other", None])
        self.assertIsNone(self.tree.kind(Destination((b"none", b"below"), b"none")))
        self.refused("blocked", self.tree.kind, Destination((b"file",), b"below"))
        self.refused("blocked", self.tree.kind, Destination((), b"n" * 300))

    def test_links_are_not_followed(self) -> None:
        """A link on the way leads nothing out of the tree, and is named."""
        (self.root / "way").symlink_to(self.outside)
        place = Destination((b"way",), b"name")
        for call, arguments in (
            (self.tree.open_part, ((b"way",), b"part")),
            (self.tree.make_folder, ((b"way", b"below"),)),
            (self.tree.make_link, (place, b"target", MTIME, b"part")),
            (self.tree.finish_folder, ((b"way",), dressed)),
            (self.tree.kind, (place,)),
        ):
            self.assertIn("way lies in the way", self.refused("blocked", call, *arguments))
        self.tree.remove_part((b"way",), b"part")
        self.assertEqual(list(self.outside.iterdir()), [])

    def test_growing_file_goes_on(self) -> None:
        """A growing file keeps what an earlier try has brought; other things of its name are refused."""
        (self.root / "part").write_bytes(b"before")
        os.close(self.tree.open_part((), b"part"))
        self.assertEqual((self.root / "part").read_bytes(), b"before")
        os.mkfifo(self.root / "pipe")
        (self.root / "link").symlink_to(self.outside / "new")
        (self.root / "folder").mkdir()
        for name in (b"pipe", b"link", b"folder"):
            self.refused("blocked", self.tree.open_part, (), name)
        self.assertFalse((self.outside / "new").exists())

    def test_older_file_stays(self) -> None:
        """When the disk refuses the new name the older file stays."""
        (self.root / "name").write_bytes(b"old")
        place = Destination((), b"name")
        self.grow()
        self.fails("rename", BROKEN)
        self.refused("blocked", self.tree.give_name, place, b"part")
        self.assertEqual((self.root / "name").read_bytes(), b"old")
        self.tree.give_name(place, b"part")
        self.assertEqual((self.root / "name").read_bytes(), b"new")

    def test_folder_in_the_way(self) -> None:
        """A folder is never replaced by a file or a link."""
        (self.root / "name").mkdir()
        place = Destination((), b"name")
        self.grow()
        self.assertIn("a folder of this name", self.refused("blocked", self.tree.give_name, place, b"part"))
        self.refused("blocked", self.tree.make_link, place, b"target", MTIME, b"other")
        self.assertEqual(self.names(), ["name", "part"])

    def test_folders_that_are_kept_open(self) -> None:
        """Folders that are kept open are walked to once, whatever takes their place, and closed at the end."""
        self.patch(tree_module, "MOST_OPEN", 3)
        with self.tree.keeping():
            os.close(self.tree.open_part((b"a", b"b"), b"one"))
            (self.root / "a").rename(self.root / "moved")
            (self.root / "a").symlink_to(self.outside)
            os.close(self.tree.open_part((b"a", b"b"), b"two"))
            with self.tree.folder((b"a", b"b")) as first, self.tree.folder((b"a", b"b", b"c")) as second:
                self.assertNotEqual(first, second)
            for name in (b"1", b"2", b"3", b"4"):
                self.tree.make_folder((name,))
            self.refused("blocked", self.tree.open_part, (b"a", b"b"), b"three")
        self.assertEqual(self.descriptors(), self.open_before)
        self.assertEqual(list(self.outside.iterdir()), [])
        self.assertEqual(sorted(os.listdir(self.root / "moved" / "b")), ["c", "one", "two"])

    def test_links(self) -> None:
        """A link is made as text and replaces an older one; a disk that refuses leaves nothing half-made."""
        place = Destination((b"folder",), b"link")
        for target in (b"../one", b"../two"):
            self.tree.make_link(place, target, MTIME, b"part")
            self.assertEqual(os.readlink(self.root / "folder" / "link"), os.fsdecode(target))
        self.assertEqual((self.root / "folder" / "link").lstat().st_mtime_ns, MTIME)
        failures = (("symlink", FULL, "disk-full"), ("utime", BROKEN, "blocked"), ("rename", BROKEN, "blocked"))
        for step, error, code in failures:
            self.fails(step, error)
            self.refused(code, self.tree.make_link, place, b"three", MTIME, b"part")
            self.assertEqual(self.names(), ["folder", "link"])
        self.assertEqual(os.readlink(self.root / "folder" / "link"), "../two")

    def test_folders(self) -> None:
        """Folders are private while they are filled, and get mode and time at the end, if these are known."""
        self.tree.make_folder((b"a", b"b"))
        self.tree.make_folder((b"a", b"b"))
        self.assertEqual(stat.S_IMODE((self.root / "a" / "b").stat().st_mode), 0o700)
        self.tree.finish_folder((b"a", b"b"), dressed)
        status = (self.root / "a" / "b").stat()
        self.assertEqual((stat.S_IMODE(status.st_mode), status.st_mtime_ns), (0o755, MTIME))
        self.tree.finish_folder((b"a",), lambda descriptor: None)
        self.assertEqual(stat.S_IMODE((self.root / "a").stat().st_mode), 0o700)

    def test_folders_that_fail(self) -> None:
        """A folder that the disk refuses is an error with its name."""
        self.fails("mkdir", FULL)
        self.assertIn("at a/b", self.refused("disk-full", self.tree.make_folder, (b"a", b"b")))
        self.fails("fchmod", BROKEN)
        self.refused("blocked", self.tree.finish_folder, (b"a",), dressed)
        self.fails("fsync", BROKEN)
        self.refused("blocked", self.tree.sync_folder, (b"a",))

    def test_removing_is_quiet(self) -> None:
        """A growing file that is not there, or in no folder, needs no removing."""
        self.grow()
        for folders, name in (((), b"part"), ((), b"part"), ((b"none",), b"part")):
            self.tree.remove_part(folders, name)
        self.assertEqual(self.names(), [])


class FakePack:
    """Gives chunks of one byte, repeated."""

    def run(self, first: int, count: int) -> Iterator[bytes]:
        """Each chunk is ten times its number."""
        return (bytes((number % 256,)) * 10 for number in range(first, first + count))


class FilesTests(DiskCase):
    def setUp(self) -> None:
        super().setUp()
        self.free = 1 << 30
        reserve = Reserve(lambda: 0, lambda path: self)
        self.writer = FilesWriter(self.tree, "replace", reserve)
        self.total = 1 << 40

    def work(self, name: bytes, chunks: int = 3) -> FileWork:
        item = Item(name.decode(), "", name, "file", "master", 0)
        version = Version(name.decode(), "F1", 10 * chunks, 0o644, MTIME, None)
        return FileWork(item, version, Destination((), name), [Run(b"pack", 0, (10,) * chunks, 0)])

    def write(self, *works: FileWork) -> list[tuple[int, str]]:
        done = self.writer.write(FakePack(), [(work, run) for work in works for run in work.runs])
        return [(one.size, one.reason) for one in done]

    def test_written(self) -> None:
        """A file whose runs are written is finished with the size of its version."""
        work = self.work(b"a", files_module.MOST_VECTORS + 3)
        self.assertEqual(self.write(work), [(10 * (files_module.MOST_VECTORS + 3), "")])
        self.assertEqual(self.writer.finish([work]), [])
        data = (self.root / "a").read_bytes()
        self.assertEqual(data, b"".join(FakePack().run(0, files_module.MOST_VECTORS + 3)))

    def test_one_sync_for_many(self) -> None:
        """Files have mode and time and are on the disk, by one sync for all of them, before any of them gets a name."""
        works = [self.work(b"%d" % number) for number in range(6)]
        for work in works:
            (self.root / work.place.text).write_bytes(b"old")
        self.write(*works)
        steps = self.watched("fsync", "rename", "fchmod")
        self.patch(self.tree, "sync", lambda: (steps.append("sync"), True)[1])
        self.assertEqual(self.writer.finish(works), [])
        self.assertEqual(steps, ["fchmod"] * 6 + ["sync"] + ["rename"] * 6)
        status = (self.root / "0").stat()
        self.assertEqual((stat.S_IMODE(status.st_mode), status.st_mtime_ns), (0o644, MTIME))
        self.assertEqual(len(self.names()), 6)

    def watched(self, *names: str) -> list[str]:
        """Calls of the system, in order."""
        steps: list[str] = []
        for name in names:
            real = getattr(os, name)
            self.patch(os, name, lambda *a, _n=name, _r=real, **o: (steps.append(_n), _r(*a, **o))[1])
        return steps

    def test_a_file_that_nobody_may_read(self) -> None:
        """A file whose mode lets not even its owner open it comes to the disk with its last bytes."""
        work = self.work(b"a")
        work = FileWork(work.item, evolve(work.version, mode=0o200), work.place, work.runs, 1)
        steps = self.watched("fchmod", "fsync", "rename")
        self.write(work)
        self.assertEqual(steps, ["fchmod", "fsync"])
        self.patch(self.tree, "open_part", lambda *arguments: self.fail("it cannot be opened"))
        self.assertEqual(self.writer.finish([work]), [])
        self.assertEqual((steps, self.names()), (["fchmod", "fsync", "rename"], ["a"]))

    def test_few_files_and_a_system_that_cannot(self) -> None:
        """A few files, and all of them where the one sync is not there or fails, are synced one by one."""
        self.patch(self.tree, "sync", lambda: False)
        for count in (1, 6):
            works = [self.work(b"%d of %d" % (number, count)) for number in range(count)]
            self.write(*works)
            steps = self.watched("fsync", "rename")
            self.assertEqual(self.writer.finish(works), [])
            self.assertEqual(steps, ["fsync"] * count + ["rename"] * count)

    def test_a_file_that_did_not_reach_the_disk(self) -> None:
        """When the one sync fails, each file is asked, and the one that could not be written keeps its older state."""
        self.patch(syncing, "_SYNCFS", lambda descriptor: -1)
        works = [self.work(b"%d" % number) for number in range(6)]
        (self.root / "0").write_bytes(b"old")
        self.write(*works)
        self.fails("fsync", BROKEN)
        (problem,) = self.writer.finish(works)
        self.assertEqual(problem.file, works[0])
        self.assertEqual((self.root / "0").read_bytes(), b"old")
        self.assertEqual([work.is_named for work in works], [False] + [True] * 5)

    def test_a_part_that_cannot_be_written_any_more(self) -> None:
        """A growing file that got a read-only mode before a crash is brought again."""
        work = self.work(b"a")
        self.write(work)
        real = os.open

        def refuse(path: Any, flags: int, *rest: Any, **more: Any) -> int:
            if path == work.part:
                raise PermissionError(errno.EACCES, "Permission denied")
            return real(path, flags, *rest, **more)

        self.patch(os, "open", refuse)
        self.assertEqual(self.writer.survey([work], None, None), [])  # type: ignore[arg-type]
        self.assertEqual((len(work.runs), self.names()), (1, []))

    def test_older_try_was_longer(self) -> None:
        """What an earlier try left behind the end is cut off."""
        work = self.work(b"a")
        (self.root / os.fsdecode(work.part)).write_bytes(b"x" * 100)
        self.write(work)
        self.writer.finish([work])
        self.assertEqual((self.root / "a").stat().st_size, 30)

    def test_disk_fails_in_one_file(self) -> None:
        """A file that the disk refuses is told with the reason, and the others are written."""
        first, second = self.work(b"a"), self.work(b"b")
        self.fails("pwritev", BROKEN)
        self.assertEqual(self.write(first, second), [(0, "Input/output error"), (30, "")])

    def test_disk_is_full(self) -> None:
        """A full disk ends the whole restore, whether the system says so or the reserve."""
        self.fails("pwritev", FULL)
        self.refused("disk-full", self.write, self.work(b"a"))
        self.free = 29
        self.assertIn("does not fit", self.refused("disk-full", self.write, self.work(b"a")))

    def test_finishing_fails(self) -> None:
        """A file that cannot be cut to its size or get its name is a problem of its own."""
        first, second = self.work(b"a"), self.work(b"b")
        self.write(first, second)
        (self.root / os.fsdecode(first.part)).write_bytes(b"x" * 100)
        self.fails("ftruncate", BROKEN)
        (problem,) = self.writer.finish([first, second])
        self.assertEqual((problem.file, problem.reason), (first, "Input/output error"))
        self.assertTrue((self.root / "b").exists())

    def test_growing_files_go(self) -> None:
        """Growing files are taken away together."""
        works = [self.work(b"a"), self.work(b"b")]
        self.write(*works)
        self.writer.remove_parts(works)
        self.assertEqual(self.names(), [])

    def test_short_writes(self) -> None:
        """A system that writes only a part is asked for the rest."""
        path = self.root / "short"
        real_vectors, real = os.pwritev, os.pwrite
        self.patch(os, "pwritev", lambda fd, parts, at: real_vectors(fd, [parts[0][:3]], at))
        self.patch(os, "pwrite", lambda fd, data, at: real(fd, data[:4], at))
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
        try:
            self.assertEqual(write_all(descriptor, [b"01234", b"56789", b"abc"], 2), 13)
        finally:
            os.close(descriptor)
        self.assertEqual(path.read_bytes(), b"\0\x000123456789abc")


class BlockedTests(SynchronousTestCase):
    def test_it_is_one_entry(self) -> None:
        """What blocks one entry has a code of its own, and the reason for a text."""
        self.assertEqual((Blocked("why").code, str(Blocked("why"))), ("blocked", "why"))
