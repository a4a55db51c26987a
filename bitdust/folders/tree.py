"""The files of one folder, reached from its root by descriptors alone: no link is followed on the way, whoever puts one
there meanwhile.

Everything below ``.sync`` is the folder's own: ``ID`` marks it, ``tmp`` has what is not complete yet, ``Archive``
former versions. My functions block and raise `OSError`.
"""

import contextlib
import ctypes
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from bitdust.crypt.files import write_all
from bitdust.folders.items import Local
from bitdust.folders.paths import HOUSEKEEPING, parent, parents
from bitdust.folders.records import FILE, FOLDER, LINK

ID, TEMPORARY, ARCHIVE = f"{HOUSEKEEPING}/ID", f"{HOUSEKEEPING}/tmp", f"{HOUSEKEEPING}/Archive"
BLIND = f"{HOUSEKEEPING}/chunks"
RACY = 2_000_000_000
"""Nanoseconds in which some file systems cannot tell two changes apart."""
SYNCS = 8
"""Threads that wait for the disk."""
MOST_OPEN = 64
"""Folders that are kept open until they are synced together."""
_NO_REPLACE, _EXCHANGE = 1, 2
_UNKNOWN = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Special(OSError):
    """A pipe, a socket or a device: nothing that could be synchronised."""


class Missing(OSError):
    """The folder itself is not there, or is not this one: its mark is gone, as where a disk is not mounted."""


def _load() -> "ctypes._NamedFuncPointer | None":
    return getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)


_RENAMEAT2 = _load()


def _rename(source: int, old: str, target: int, new: str, flag: int) -> bool:
    """renameat2(2); False where the system or the file system has none."""
    if _RENAMEAT2 is None:
        return False
    if _RENAMEAT2(source, os.fsencode(old), target, os.fsencode(new), flag) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNKNOWN:
        return False
    raise OSError(code, os.strerror(code), new)


def kind_of(mode: int) -> str:
    """What a mode is of. Raises `Special`."""
    for test, kind in ((stat.S_ISREG, FILE), (stat.S_ISDIR, FOLDER), (stat.S_ISLNK, LINK)):
        if test(mode):
            return kind
    raise Special(errno.EINVAL, "neither file, folder nor link")


def local_of(path: str, state: os.stat_result, content: bytes = b"", racy: bool = False) -> Local:
    """What a status tells of a path. Raises `Special`."""
    kind = kind_of(state.st_mode)
    size = state.st_size if kind == FILE else 0
    executable = kind == FILE and bool(state.st_mode & stat.S_IXUSR)
    return Local(path, kind, size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino, executable, content, racy)


def sync_all(descriptors: Iterable[int]) -> None:
    """All of these are on the disk. Several threads ask for it, because the file system then writes its own journal
    once for many; each takes the next one."""
    waiting = list(descriptors)
    if len(waiting) < 2:
        _sync_each(iter(waiting))
        return
    count, left = min(SYNCS, len(waiting)), iter(waiting)
    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(_sync_each, left) for _ in range(count)]:
            done.result()


def _sync_each(descriptors: Iterator[int]) -> None:
    for one in descriptors:
        os.fsync(one)


class Tree:
    """I am one folder on the disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._changed: dict[tuple[int, int], int] | None = None
        """Within `together`: descriptors of folders that are to be synced."""

    @contextmanager
    def together(self) -> Iterator[None]:
        """Folders that change within are synced at its end, each once. For the thread that changes the disk."""
        self._changed = {}
        try:
            yield
            sync_all(self._changed.values())
        finally:
            changed, self._changed = self._changed, None
            for one in changed.values():
                os.close(one)

    def sync(self, folder: int) -> None:
        """A folder that has changed is on the disk, now or at the end of `together`."""
        if self._changed is None:
            os.fsync(folder)
            return
        state = os.fstat(folder)
        place = (state.st_dev, state.st_ino)
        if place in self._changed:
            return
        if len(self._changed) < MOST_OPEN:
            self._changed[place] = os.dup(folder)
        else:
            os.fsync(folder)

    # the folder itself

    def mark(self, ident: bytes) -> None:
        """Make the folder's own place, with the mark by which it is known again. Another folder's mark is refused."""
        with self._open_root() as root:
            for name in (HOUSEKEEPING, TEMPORARY, ARCHIVE):
                self._make_folder(root, name)
            known = self._read_mark(root)
            if known == ident:
                return
            if known:
                raise FileExistsError(errno.EEXIST, "another synchronised folder", str(self.root))
            descriptor = os.open(ID, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=root)
            try:
                write_all(descriptor, ident)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        with self.folder(HOUSEKEEPING) as folder:
            os.fsync(folder)

    @staticmethod
    def _make_folder(root: int, name: str) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=root)

    def check(self, ident: bytes) -> None:
        """Raises `Missing` where the mark is not there."""
        try:
            with self._open_root() as root:
                found = self._read_mark(root)
        except OSError as error:
            raise Missing(error.errno, error.strerror, str(self.root)) from error
        if found != ident:
            raise Missing(errno.ENOENT, "its service files are missing; is its disk mounted?", str(self.root))

    @staticmethod
    def _read_mark(root: int) -> bytes:
        try:
            descriptor = os.open(ID, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root)
        except FileNotFoundError:
            return b""
        try:
            return os.read(descriptor, 64)
        finally:
            os.close(descriptor)

    @contextmanager
    def _open_root(self) -> Iterator[int]:
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    # ways in

    @contextmanager
    def folder(self, path: str, make: bool = False) -> Iterator[int]:
        """A descriptor of a folder below the root; with ``make`` those on the way are made where they are missing.

        Raises `OSError` where something on the way is a link or a file.
        """
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in path.split("/") if path else ():
                if make:
                    self._make_durably(descriptor, part)
                below = os.open(part, _DIRECTORY, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
            yield descriptor
        finally:
            os.close(descriptor)

    def _make_durably(self, descriptor: int, part: str) -> None:
        try:
            os.mkdir(part, 0o777, dir_fd=descriptor)
        except FileExistsError:
            return
        self.sync(descriptor)

    def make_folder(self, path: str) -> None:
        """Make a folder where it is missing; the one that it is in has to be there."""
        with self.beside(path) as (above, last):
            self._make_durably(above, last)

    @contextmanager
    def beside(self, path: str, make: bool = False) -> Iterator[tuple[int, str]]:
        """The folder that a path is in, and its last name."""
        above, _, last = path.rpartition("/")
        with self.folder(above, make) as folder:
            yield folder, last

    @contextmanager
    def file(self, path: str) -> Iterator[int]:
        """A descriptor of a regular file, for reading; no link, no pipe that would wait for a writer."""
        with self.beside(path) as (folder, last):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(last, flags, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Special(errno.EINVAL, "no file", path)
            yield descriptor
        finally:
            os.close(descriptor)

    def look(self, path: str) -> Local | None:
        """What is at a path, None for nothing. Raises `Special`."""
        try:
            with self.beside(path) as (folder, last):
                return local_of(path, os.lstat(last, dir_fd=folder))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                return None
            raise

    def takes_both(self) -> bool:
        """Whether the disk cannot tell upper and lower case apart."""
        with contextlib.suppress(OSError), self.folder("") as folder:
            os.lstat(HOUSEKEEPING.upper(), dir_fd=folder)
            return True
        return False

    def is_called(self, path: str) -> bool:
        """Whether what is at a path has just that name, and so have the folders that it is in: such a disk gives it
        under other names as well. Raises `OSError`."""
        for one in (*parents(path), path):
            with self.folder(parent(one)) as folder:
                if one.rpartition("/")[2] not in os.listdir(folder):
                    return False
        return True

    def size(self, path: str) -> int:
        """Of a file; -1 where there is none."""
        try:
            found = self.look(path)
        except OSError:
            return -1
        return found.size if found is not None and found.kind == FILE else -1

    def target(self, path: str) -> str:
        """Where a link leads."""
        with self.beside(path) as (folder, last):
            return os.readlink(last, dir_fd=folder)

    # changes

    def give_name(self, source: str, target: str) -> None:
        """Rename to a name that nobody has. Raises `FileExistsError`."""
        with self.beside(source) as (here, old), self.beside(target, make=True) as (there, new):
            if not _rename(here, old, there, new, _NO_REPLACE):
                os.link(old, new, src_dir_fd=here, dst_dir_fd=there, follow_symlinks=False)
                os.unlink(old, dir_fd=here)
            self.sync(there)

    def exchange(self, one: str, other: str) -> None:
        """What is at ``one`` is at ``other`` and the other way round, at once for all who look.

        Where the system cannot do that, what was at ``other`` is first put aside under a second name.
        """
        with self.beside(one) as (here, old), self.beside(other) as (there, new):
            if not _rename(here, old, there, new, _EXCHANGE):
                aside = f"{old}.aside"
                os.link(new, aside, src_dir_fd=there, dst_dir_fd=here, follow_symlinks=False)
                os.rename(old, new, src_dir_fd=here, dst_dir_fd=there)
                os.rename(aside, old, src_dir_fd=here, dst_dir_fd=here)
            self.sync(there)

    def remove(self, path: str) -> None:
        """Remove a file or link, if it is there."""
        with contextlib.suppress(FileNotFoundError), self.beside(path) as (folder, last):
            os.unlink(last, dir_fd=folder)

    def remove_folder(self, path: str) -> None:
        """Remove an empty folder. Raises `OSError` where it is not empty."""
        with self.beside(path) as (folder, last):
            os.rmdir(last, dir_fd=folder)
            self.sync(folder)

    def in_the_way(self, path: str) -> str:
        """The first part of a path that is there and no folder; empty where there is none."""
        for above in parents(path):
            found = self.look(above)
            if found is not None and found.kind != FOLDER:
                return above
        return ""
