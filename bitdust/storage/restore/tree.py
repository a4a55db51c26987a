"""Writing what comes back: below one folder of the user, and never through a link that is in the way.

Every step below the destination goes by descriptor and without following links (``openat`` with ``O_NOFOLLOW``), so a
link that somebody put there cannot lead a restore out of its tree. A file grows under a name of its own and takes the
place of an older one only when it is whole, checked and on the disk. Many files are brought to the disk by one sync.
"""

import contextlib
import errno
import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import define, field, frozen

from bitdust.disk.disk import NO_FILES, is_full, own_disk_error
from bitdust.disk.syncing import sync_file_system
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import is_entry_name, shown

PART_PREFIX = b".bitdust-"
MOST_OPEN = 32
"""Folders that are kept open while many files are written."""
Parts = tuple[bytes, ...]


LEFT_OUT, CHANGED, KEPT, OLDER = "left-out", "changed", "kept", "older-version"
"""What became of an entry with which something is wrong; what was there already is kept where that was wished."""
LEADS_ELSEWHERE = "its name leads elsewhere, and is not used"


class Blocked(BitDustError):
    """One entry cannot be restored where it belongs; the others can."""

    def __init__(self, reason: str, what: str = LEFT_OUT) -> None:
        super().__init__("blocked", reason)
        self.what = what


@frozen
class Destination:
    """Where an entry goes: the folders below the destination, and its name."""

    folders: Parts
    name: bytes

    @property
    def path(self) -> bytes:
        return b"/".join((*self.folders, self.name))

    @property
    def text(self) -> str:
        return shown(self.path)


def part_name(path_id: str, version: str) -> bytes:
    """The name under which a file grows: the same on every try, so that a later one goes on where this one ended."""
    return PART_PREFIX + hashlib.sha256(f"{path_id}/{version}".encode()).hexdigest()[:24].encode() + b".part"


def _need_name(name: bytes) -> None:
    """The last look before a name reaches the disk. Raises `Blocked`."""
    if not is_entry_name(name):
        raise Blocked(LEADS_ELSEWHERE)


def trouble(error: OSError, what: str) -> BitDustError:
    """A disk's error in words; only a full disk ends a whole restore."""
    if is_full(error):
        return BitDustError("disk-full", f"the disk is full at {what}; make room and try again")
    return Blocked(error.strerror or str(error))


@define
class _Kept:
    """Folders that are open, and those that were looked for in vain; ``busy`` counts those in use."""

    descriptors: dict[Parts, int] = field(factory=dict)
    missing: set[Parts] = field(factory=set)
    busy: int = 0

    def close(self) -> None:
        """All of them."""
        while self.descriptors:
            os.close(self.descriptors.popitem()[1])


def _nothing(folder: int) -> None:
    """More is not to be done with a link."""


class Tree:
    """I am the folder that things are restored into. All methods block and belong into a thread."""

    def __init__(self, destination: bytes) -> None:
        self.destination = destination
        self._local = threading.local()

    @contextlib.contextmanager
    def keeping(self) -> Iterator[None]:
        """Meanwhile folders that this thread has opened stay open: what is found in them is found in the same ones."""
        kept = self._local.kept = _Kept()
        try:
            yield
        finally:
            self._local.kept = None
            kept.close()

    def sync(self) -> bool:
        """Return when all that was written is on the disk; False where each file has to be asked for that by itself:
        where the system cannot do it, or could not write something, which then says of which file it is."""
        try:
            with self.folder(()) as descriptor:
                return sync_file_system(descriptor)
        except OSError:
            return False

    def prepare(self) -> None:
        """Make the destination. Raises `BitDustError` ``bad-path``."""
        try:
            os.makedirs(self.destination, exist_ok=True)
            descriptor = self._open_root()
        except OSError as error:
            if error.errno in NO_FILES:
                raise own_disk_error(error, Path(shown(self.destination))) from error
            text = f"{shown(self.destination)} cannot be used as a folder: {error.strerror or error}"
            raise BitDustError("bad-path", text) from error
        os.close(descriptor)

    def _open_root(self) -> int:
        return os.open(self.destination, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    @contextlib.contextmanager
    def folder(self, parts: Parts, make: bool = True) -> Iterator[int]:
        """A descriptor of a folder below. Raises `Blocked` when something else is there."""
        kept: _Kept | None = getattr(self._local, "kept", None)
        if kept is None:
            descriptor = self._walk(parts, make, _Kept())
            try:
                yield descriptor
            finally:
                os.close(descriptor)
            return
        if not kept.busy and len(kept.descriptors) >= MOST_OPEN:
            kept.close()
        if parts not in kept.descriptors:
            kept.descriptors[parts] = self._look(parts, make, kept)
        kept.busy += 1
        try:
            yield kept.descriptors[parts]
        finally:
            kept.busy -= 1

    def _look(self, parts: Parts, make: bool, kept: _Kept) -> int:
        """What is missing is looked for once, until something is made."""
        if make:
            kept.missing.clear()
        elif parts in kept.missing:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        try:
            return self._walk(parts, make, kept)
        except FileNotFoundError:
            kept.missing.add(parts)
            raise

    def _walk(self, parts: Parts, make: bool, kept: _Kept) -> int:
        """Step by step, from the nearest folder that is open."""
        known = next((parts[:end] for end in range(len(parts), 0, -1) if parts[:end] in kept.descriptors), ())
        descriptor = os.dup(kept.descriptors[known]) if known else self._open_root()
        try:
            for part in parts[len(known) :]:
                _need_name(part)
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, 0o700, dir_fd=descriptor)
                inner = self._step(descriptor, part)
                os.close(descriptor)
                descriptor = inner
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _step(self, descriptor: int, part: bytes) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return os.open(part, flags, dir_fd=descriptor)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                name = shown(part)
                raise Blocked(f"{name} lies in the way: it is a file or a link, not a folder") from error
            raise

    def kind(self, place: Destination) -> str | None:
        """What is there: ``file``, ``folder``, ``link``, ``other``, None for nothing. Raises `Blocked`."""
        try:
            with self.folder(place.folders, make=False) as descriptor:
                mode = os.stat(place.name, dir_fd=descriptor, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return None
        except OSError as error:
            raise trouble(error, place.text) from error
        for kind, test in (("file", stat.S_ISREG), ("folder", stat.S_ISDIR), ("link", stat.S_ISLNK)):
            if test(mode):
                return kind
        return "other"

    def changed(self, place: Destination) -> int:
        """When what is there was changed last, nanoseconds since the epoch. Raises `Blocked`."""
        try:
            with self.folder(place.folders, make=False) as descriptor:
                return os.stat(place.name, dir_fd=descriptor, follow_symlinks=False).st_mtime_ns
        except OSError as error:
            raise trouble(error, place.text) from error

    def open_part(self, folders: Parts, name: bytes, access: int = os.O_RDWR) -> int:
        """The growing file, with what an earlier try left in it. Raises `BitDustError`."""
        flags = access | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            with self.folder(folders) as descriptor:
                part = os.open(name, flags, 0o600, dir_fd=descriptor)
        except OSError as error:
            raise trouble(error, name.decode()) from error
        if not stat.S_ISREG(os.fstat(part).st_mode):
            os.close(part)
            raise Blocked("something else has the name under which the file would grow")
        return part

    def remove_part(self, folders: Parts, name: bytes) -> None:
        """Take a growing file away."""
        with contextlib.suppress(OSError, Blocked), self.folder(folders, make=False) as descriptor:
            os.unlink(name, dir_fd=descriptor)

    def give_name(self, place: Destination, part: bytes) -> None:
        """The file is whole and on the disk. Raises `BitDustError`."""
        _need_name(place.name)
        try:
            with self.folder(place.folders) as folder:
                os.rename(part, place.name, src_dir_fd=folder, dst_dir_fd=folder)
        except IsADirectoryError as error:
            raise Blocked("a folder of this name lies in the way") from error
        except OSError as error:
            raise trouble(error, place.text) from error

    def make_link(
        self, place: Destination, target: bytes, mtime: int, part: bytes, owned: Callable[[int], None] = _nothing
    ) -> None:
        """A link as text; ``owned`` gets the folder before it has its name. Raises `BitDustError`."""
        _need_name(place.name)
        self.remove_part(place.folders, part)
        try:
            with self.folder(place.folders) as folder:
                os.symlink(target, part, dir_fd=folder)
                owned(folder)
                os.utime(part, ns=(mtime, mtime), dir_fd=folder, follow_symlinks=False)
                os.rename(part, place.name, src_dir_fd=folder, dst_dir_fd=folder)
        except IsADirectoryError as error:
            self.remove_part(place.folders, part)
            raise Blocked("a folder of this name lies in the way") from error
        except OSError as error:
            self.remove_part(place.folders, part)
            raise trouble(error, place.text) from error

    def make_folder(self, parts: Parts) -> None:
        """A folder, and those above it. Raises `BitDustError`."""
        self._at(parts, lambda descriptor: None)

    def link(self, leader: Destination, identity: tuple[int, int], place: Destination, part: bytes) -> None:
        """Another name for a file that was restored before. Raises `OSError` where it cannot have one, and `Blocked`
        where something else has taken the place of that file: it may be anything."""
        self.remove_part(place.folders, part)
        with self.folder(leader.folders, make=False) as there, self.folder(place.folders) as here:
            os.link(leader.name, part, src_dir_fd=there, dst_dir_fd=here, follow_symlinks=False)
            status = os.stat(part, dir_fd=here, follow_symlinks=False)
            if (status.st_dev, status.st_ino) != identity:
                os.unlink(part, dir_fd=here)
                raise Blocked(f"{leader.text}, of which it is another name, has been replaced meanwhile")
        self.give_name(place, part)

    def open_named(self, place: Destination, identity: tuple[int, int]) -> int:
        """A file that was restored before, for reading. Raises `Blocked` where something else is there."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with self.folder(place.folders, make=False) as folder:
            descriptor = os.open(place.name, flags, dir_fd=folder)
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) != identity:
            os.close(descriptor)
            raise Blocked(f"{place.text} has been replaced meanwhile")
        return descriptor

    def finish_folder(self, parts: Parts, dress: Callable[[int], None]) -> None:
        """All is in it: its mode, time and the rest. Raises `BitDustError`."""
        self._at(parts, dress)

    def sync_folder(self, parts: Parts) -> None:
        """Its names, onto the disk. Raises `BitDustError`."""
        self._at(parts, os.fsync)

    def _at(self, parts: Parts, call: Callable[[int], None]) -> None:
        try:
            with self.folder(parts) as descriptor:
                call(descriptor)
        except OSError as error:
            raise trouble(error, shown(b"/".join(parts))) from error
