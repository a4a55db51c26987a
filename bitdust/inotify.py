"""What Linux itself reports of files: inotify(7), a thread for each watched folder, which sleeps while nothing changes.

Events gather for a moment before they are read, so that ten thousand of them are few reports. What is in a new folder
is listed when the watch on it is there, since it may have been made before; of a folder that leaves, watches go too.
Where the system's queue has overflowed the whole folder is watched anew, and reported as such.

The thread finds the folders below as well, since there may be thousands of them. What was changed in one between the
opening and the watch on it is known by the time of its change, and reported when all are watched.
"""

import contextlib
import ctypes
import errno
import os
import select
import struct
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

MODIFY, ATTRIB, CLOSE_WRITE = 0x2, 0x4, 0x8
MOVED_FROM, MOVED_TO, CREATE, DELETE, DELETE_SELF, MOVE_SELF = 0x40, 0x80, 0x100, 0x200, 0x400, 0x800
OVERFLOW, IGNORED, IS_FOLDER = 0x4000, 0x8000, 0x40000000
_ONLY_FOLDERS, _NO_LINKS = 0x01000000, 0x02000000
_WANTED = MODIFY | ATTRIB | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF | MOVE_SELF
_MASK = _WANTED | _ONLY_FOLDERS | _NO_LINKS
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG)
"""A folder that went before it could be watched, that nobody may look into, or whose path is too long to be synced."""
_HEAD = struct.Struct("iIII")
MOMENT = 0.05
"""Seconds in which events gather."""
_ONCE = 256 * 1024
SECOND = 10**9
GRAIN = SECOND // 20
"""Nanoseconds by which a file system's time may be behind the clock."""
ROUGH_GRAIN = 2 * SECOND
"""The same of those that know whole seconds only."""
Report = Callable[[Collection[bytes]], object]
Broken = Callable[[Exception], object]


def _load() -> "ctypes.CDLL | None":
    library = ctypes.CDLL(None, use_errno=True)
    return library if hasattr(library, "inotify_init1") else None


LIBRARY = _load()


def events(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Watch, mask and name of each event."""
    at = 0
    while at < len(data):
        watch, mask, _, size = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        yield watch, mask, data[at : at + size].rstrip(b"\0")
        at += size


class FolderWatch:
    """One folder and all below it, save ``without``: names in it, not deeper.

    ``report`` is called in my thread, and ``broken`` where nothing can be reported any more, for instance because the
    system has no watch left. Raises `OSError` where there is not even one for the folder itself.
    """

    def __init__(
        self, folder: Path, without: Collection[str], report: Report, broken: Broken, library: Any = LIBRARY
    ) -> None:
        self._root = os.fsencode(folder)
        self._without = {os.fsencode(name) for name in without}
        self._report = report
        self._broken = broken
        self._library = library
        self._paths: dict[int, bytes] = {}
        self._watches: dict[bytes, int] = {}
        self._ended = Event()
        self._events = -1
        self._opened = time.time_ns()
        self._wake_read, self._wake_write = os.pipe()
        try:
            self._begin()
        except BaseException:
            self._close()
            raise
        self._thread = Thread(target=self._run, name="inotify", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Nothing is watched any more when it returns."""
        self._ended.set()
        os.write(self._wake_write, b"\0")
        self._thread.join()
        self._close()

    def _close(self) -> None:
        self._forget_all()
        for descriptor in (self._wake_read, self._wake_write):
            os.close(descriptor)

    def _forget_all(self) -> None:
        """Give all watches back."""
        descriptor, self._events = self._events, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _begin(self) -> None:
        """Watch the folder itself, with nothing that was known before."""
        self._forget_all()
        self._paths.clear()
        self._watches.clear()
        self._events = self._library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._events < 0:
            _raise()
        if not self._watch(self._root):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fsdecode(self._root))

    # which folders are watched

    def _watch(self, path: bytes) -> bool:
        """Whether it is watched now; not where it is gone already."""
        watch = self._library.inotify_add_watch(self._events, path, _MASK)
        if watch < 0:
            code = ctypes.get_errno()
            if code in _GONE:
                return False
            _raise()
        before = self._paths.get(watch)
        if before is not None and self._watches.get(before) == watch:
            del self._watches[before]  # it was moved while it was looked at
        self._paths[watch], self._watches[path] = path, watch
        return True

    def _watch_below(self, folder: bytes) -> Iterator[bytes]:
        """Watch every folder in one that is watched; what is in them, by and by."""
        waiting = [folder]
        while waiting and not self._ended.is_set():
            here = waiting.pop()
            for path, is_folder in self._in(here):
                if self._ended.is_set():
                    return
                if is_folder and self._watch(path):
                    waiting.append(path)
                yield path

    def _in(self, folder: bytes) -> list[tuple[bytes, bool]]:
        """What is in one, and whether it is a folder; less of it, where nobody wants to know any more."""
        found: list[tuple[bytes, bool]] = []
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if self._ended.is_set():
                    break
                if folder != self._root or entry.name not in self._without:
                    found.append((entry.path, entry.is_dir(follow_symlinks=False)))
        return found

    def _forget_below(self, folder: bytes) -> None:
        """It is somewhere else now, and so is all that was in it."""
        begin = folder + b"/"
        for path in [one for one in self._watches if one == folder or one.startswith(begin)]:
            watch = self._watches.pop(path)
            del self._paths[watch]
            self._library.inotify_rm_watch(self._events, watch)

    # what happens

    def _run(self) -> None:
        try:
            self._watch_all()
            while not self._ended.is_set():
                poll = select.poll()
                poll.register(self._events, select.POLLIN)
                poll.register(self._wake_read, select.POLLIN)
                poll.poll()
                if not self._ended.wait(MOMENT):
                    self._take(os.read(self._events, _ONCE))
        except Exception as error:  # noqa: BLE001 - whoever watches has another way
            self._forget_all()
            self._broken(error)

    def _watch_all(self) -> None:
        """Watch what is below the folder itself, and report what was changed meanwhile."""
        found = {path for path in self._watch_below(self._root) if changed_since(path, self._opened)}
        if found and not self._ended.is_set():
            self._report(found)

    def _take(self, data: bytes) -> None:
        found: set[bytes] = set()
        for watch, mask, name in events(data):
            if mask & OVERFLOW:
                self._begin()
                for _ in self._watch_below(self._root):
                    pass
                found = {self._root}
                break
            path = self._paths.get(watch)
            if path is None:
                continue
            if mask & IGNORED:
                del self._paths[watch]
                if self._watches.get(path) == watch:
                    del self._watches[path]
            elif name:
                self._named(path, mask, name, found)
            elif path == self._root and mask & (DELETE_SELF | MOVE_SELF):
                found.add(path)
        if found:
            self._report(found)

    def _named(self, folder: bytes, mask: int, name: bytes, found: set[bytes]) -> None:
        if folder == self._root and name in self._without:
            return
        path = folder + b"/" + name
        found.add(path)
        if not mask & IS_FOLDER:
            return
        if mask & MOVED_FROM:
            self._forget_below(path)
        elif mask & (MOVED_TO | CREATE) and self._watch(path):
            found.update(self._watch_below(path))


def changed_since(path: bytes, moment: int) -> bool:
    """Whether something was done to a path since a moment, in nanoseconds, as far as its file system can tell; what is
    not there was changed."""
    try:
        changed = os.lstat(path).st_ctime_ns
    except OSError:
        return True
    return changed >= moment - (GRAIN if changed % SECOND else ROUGH_GRAIN)


def _raise() -> None:
    code = ctypes.get_errno()
    text = "no watches are left" if code == errno.ENOSPC else os.strerror(code)
    raise OSError(code, text)
