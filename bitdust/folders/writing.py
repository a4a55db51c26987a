"""What peers have changed comes to the disk here, so that nothing that a person wrote meanwhile is lost.

A file is complete, checked and synced under a temporary name before it takes its place; it takes it only if what is
there is what was seen last, and in one step, so that nobody ever finds half of it or nothing. What it replaces goes to
the archive.
"""

import contextlib
import errno
import os
import stat

from bitdust.folders.archive import Archive
from bitdust.folders.items import Local
from bitdust.folders.paths import parent
from bitdust.folders.records import FILE, FOLDER, Entry
from bitdust.folders.tree import TEMPORARY, Tree, local_of


class Changed(OSError):
    """Something else is at a path than was seen there last: it is looked at before anything is done."""


class InTheWay(OSError):
    """A file or link is where a folder is to be."""


def part_of(ident: bytes, entry: Entry) -> str:
    """The temporary name of a file on its way: of the same file as the last time, what came then is found again."""
    return f"{TEMPORARY}/{ident.hex()}-{entry.content.hex()}"


class Part:
    """A file on its way. Chunks come in any order; where there is none it stays a hole."""

    def __init__(self, tree: Tree, name: str) -> None:
        self._tree = tree
        self.name = name

    def open(self) -> "int":
        """A descriptor for reading and writing."""
        with self._tree.beside(self.name) as (folder, last):
            return os.open(last, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)

    @staticmethod
    def write(descriptor: int, offset: int, chunk: bytes) -> None:
        """A chunk in its place; zeros beyond the end need none."""
        if not chunk.strip(b"\0") and offset >= os.fstat(descriptor).st_size:
            return
        written = os.pwrite(descriptor, chunk, offset)
        while written < len(chunk):
            written += os.pwrite(descriptor, chunk[written:], offset + written)

    @staticmethod
    def read(descriptor: int, offset: int, length: int) -> bytes:
        """What is there already."""
        return os.pread(descriptor, length, offset)

    @staticmethod
    def finish(descriptor: int, entry: Entry) -> None:
        """Length, mode and time are those of the entry. It is still to be synced."""
        os.truncate(descriptor, entry.size)
        mode = 0o666 & ~_umask()
        if entry.executable:
            mode |= (mode & 0o444) >> 2
        os.fchmod(descriptor, mode)
        os.utime(descriptor, ns=(entry.mtime, entry.mtime))


def _umask() -> int:
    return _UMASK


def _read_umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


_UMASK = _read_umask()


class Writer:
    """I change the disk. ``expected`` is what was seen at a path, None for nothing. My methods block."""

    def __init__(self, tree: Tree, archive: Archive) -> None:
        self._tree = tree
        self._archive = archive

    def place(self, name: str, entry: Entry, expected: Local | None) -> tuple[Local, str]:
        """A complete temporary file, or link, takes its place. What is there now, and where the former one is, if
        anywhere.

        Raises `Changed`, `InTheWay`, `OSError`.
        """
        blocked = self._tree.in_the_way(entry.path)
        if blocked:
            raise InTheWay(errno.ENOTDIR, "a file is where a folder is to be", blocked)
        former = ""
        if expected is None:
            try:
                self._tree.give_name(name, entry.path)
            except FileExistsError as error:
                raise Changed(errno.EEXIST, "something new is there", entry.path) from error
        elif expected.kind == FOLDER:
            self._tree.remove_folder(entry.path)
            self._tree.give_name(name, entry.path)
        else:
            self._exchange(name, entry.path, expected)
            former = self._archive.keep(name, entry.path)
        return self._seen(entry), former

    def _exchange(self, name: str, path: str, expected: Local) -> None:
        self._expect(path, expected)
        self._tree.exchange(name, path)
        old = self._tree.look(name)
        if old is None or not _same(old, expected):
            self._tree.exchange(name, path)
            raise Changed(errno.EAGAIN, "it was changed a moment ago", path)

    def _expect(self, path: str, expected: Local | None) -> None:
        found = self._tree.look(path)
        if (found is None) != (expected is None) or (
            found is not None and expected is not None and not _same(found, expected)
        ):
            raise Changed(errno.EAGAIN, "something else is there than was seen last", path)

    def _seen(self, entry: Entry) -> Local:
        with self._tree.beside(entry.path) as (folder, last):
            return local_of(entry.path, os.lstat(last, dir_fd=folder), entry.content)

    def make_link(self, entry: Entry, name: str) -> None:
        """A link under a temporary name; it is never followed."""
        self._tree.remove(name)
        with self._tree.beside(name) as (folder, last):
            os.symlink(entry.target, last, dir_fd=folder)
            os.utime(last, ns=(entry.mtime, entry.mtime), dir_fd=folder, follow_symlinks=False)

    def make_folder(self, entry: Entry, expected: Local | None) -> tuple[Local, str]:
        """A folder, and those above it; a file or link that was known there goes to the archive."""
        blocked = self._tree.in_the_way(entry.path)
        if blocked:
            raise InTheWay(errno.ENOTDIR, "a file is where a folder is to be", blocked)
        former = ""
        if expected is not None and expected.kind != FOLDER:
            former = self.remove(entry.path, expected)
        found = self._tree.look(entry.path)
        if found is not None and found.kind != FOLDER:
            raise Changed(errno.EEXIST, "something new is there", entry.path)
        with self._tree.folder(entry.path, make=True):
            pass
        return self._seen(entry), former

    def touch(self, entry: Entry, expected: Local) -> Local:
        """The content is there already: time and mode alone."""
        self._expect(entry.path, expected)
        with self._tree.file(entry.path) as descriptor:
            mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
            wanted = mode | (mode & 0o444) >> 2 if entry.executable else mode & ~0o111
            if wanted != mode:
                os.fchmod(descriptor, wanted)
            os.utime(descriptor, ns=(entry.mtime, entry.mtime))
            return local_of(entry.path, os.fstat(descriptor), entry.content)

    def remove(self, path: str, expected: Local, is_kept: bool = True) -> str:
        """What is deleted goes to the archive, where it is to be kept; where it is there. An empty folder goes at once.

        Raises `Changed`; `OSError` with ``ENOTEMPTY`` for a folder that has something in it.
        """
        self._expect(path, expected)
        if expected.kind == FOLDER:
            self._tree.remove_folder(path)
            return ""
        aside = f"{TEMPORARY}/removed-{expected.inode:x}"
        self._tree.remove(aside)
        self._tree.give_name(path, aside)
        with contextlib.suppress(FileNotFoundError), self._tree.folder(parent(path)) as folder:
            self._tree.sync(folder)
        found = self._tree.look(aside)
        if found is None or not _same(found, expected):
            self._tree.give_name(aside, path)
            raise Changed(errno.EAGAIN, "it was changed a moment ago", path)
        if is_kept:
            return self._archive.keep(aside, path)
        self._tree.remove(aside)
        return ""


def _same(found: Local, expected: Local) -> bool:
    """To rename is no change of a file, and changes its ctime; so does a mode."""
    if found.kind != expected.kind:
        return False
    if found.kind == FILE:
        return (found.size, found.mtime, found.inode) == (expected.size, expected.mtime, expected.inode)
    return True
