"""Durable writes that fail, stop half-way, or are the last that a process did.

While `FaultyDisks.installed` holds, every call by which the program changes a disk is asked about first: opening for
writing, writing, syncing, renaming, removing, and what SQLite commits, or what it does to its files. It sees them in
`os`, `sqlite3` and below SQLite, so that no code of the program needs to know. Folders are watched one by one: each
belongs to one process, and what happens to one does not touch the others.
"""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from unittest import mock

from attrs import define, field, frozen

from bitdust.testing.sqlite_files import Broken, files

CREATE, WRITE, SYNC, RENAME, REMOVE, COMMIT = "create", "write", "sync", "rename", "remove", "commit"
CHANGES = (CREATE, WRITE, SYNC, RENAME, REMOVE, COMMIT)

CHANGING = ("INSERT", "UPDATE", "DELETE", "REPLAC")
"""How a statement begins that is committed by itself where no transaction is open."""


T = TypeVar("T")


@frozen
class Change:
    """One thing that is about to be done to a disk: which of `CHANGES`, to what, with how many bytes, and for a rename
    what it is called until then."""

    kind: str
    path: Path
    size: int = 0
    source: Path | None = None


@frozen
class Fault:
    """What comes of a change: ``done`` is the share of it that reaches the disk before ``error`` is raised.

    Only bytes that are written come in parts; everything else is done when the share is 1. ``then`` is called between
    the change and the error: where the process ends with it, its databases are let go there.
    """

    error: BaseException
    done: float = 0.0
    then: Callable[[], None] | None = None

    def come(self, change: Callable[[], object]) -> NoReturn:
        """Let the change be done, or not, and raise the error."""
        if self.done >= 1:
            change()
        if self.then is not None:
            self.then()
        raise self.error


class Crash(BaseException):
    """The process ends here. Nothing that runs afterwards reaches the disk."""


Judge = Callable[[Change], Fault | None]


def refuse(change: Change) -> Fault:
    """The judge of a disk whose process is gone."""
    return Fault(Crash(f"{change.kind} of {change.path} by a process that is gone"))


@define(eq=False)
class _Watched:
    judge: Judge
    connections: "list[FaultyConnection]" = field(factory=list)


class FaultyDisks:
    """I decide over the disks of many processes in this one."""

    def __init__(self, sees_all: bool = False, sees_relative: bool = False) -> None:
        """``sees_all``: syncs of folders and of files that were opened for reading are asked about, too, and what
        SQLite does to its files in place of what it commits."""
        self._sees_all = sees_all
        self._sees_relative = sees_relative
        self._broken: Fault | None = None
        self._folders: dict[str, _Watched] = {}
        self._descriptors: dict[int, str] = {}
        self._real: dict[str, Callable[..., Any]] = {}

    def watch(self, folder: Path, judge: Judge) -> None:
        """From now on ask about every change below a folder."""
        before = self._folders.get(str(folder))
        self._folders[str(folder)] = _Watched(judge, before.connections if before is not None else [])

    def leave(self, folder: Path) -> None:
        """The process of a folder is gone: what it had not committed is undone, its databases are let go."""
        watched = self._folders.get(str(folder))
        if watched is not None:
            self._folders[str(folder)] = _Watched(refuse)
            for connection in watched.connections:
                connection.let_go()

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """Whatever is done within comes from somewhere else: no disk is asked."""
        folders, self._folders = self._folders, {}
        try:
            yield
        finally:
            self._folders = folders

    def _of(self, path: str) -> _Watched | None:
        end = path.find("/", 1)
        while end > 0:
            watched = self._folders.get(path[:end])
            if watched is not None:
                return watched
            end = path.find("/", end + 1)
        return None

    def _ask(self, kind: str, path: str, size: int = 0, source: Path | None = None) -> Fault | None:
        watched = self._of(path)
        return watched.judge(Change(kind, Path(path), size, source)) if watched is not None else None

    def _meet(self, kind: str, path: object, change: Callable[[], Any], source: Path | None = None) -> Any:
        name = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
        fault = self._ask(kind, str(name), source=source)
        if fault is not None:
            fault.come(change)
        return change()

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """While this holds, the disks can fail."""
        names = ("open", "dup", "write", "ftruncate", "close", "fsync", "rename", "replace", "unlink")
        self._real = {name: getattr(os, name) for name in names}
        with contextlib.ExitStack() as stack:
            for name in names:
                stack.enter_context(mock.patch.object(os, name, getattr(self, f"_{name}")))
            connect = sqlite3.connect
            stack.enter_context(mock.patch.object(sqlite3, "connect", self._connecting(connect)))
            if self._sees_all:
                stack.enter_context(files().asking(self._ask_for_sqlite))
            yield

    def meet_rename(self, here: int, old: str, there: int, new: str, change: Callable[[], Any]) -> Any:
        """Something gets a new name by a call that is none of `os`; folders are descriptors."""
        return self._meet(RENAME, _whole(new, there), change, Path(_whole(old, here)))

    # os

    def _known(self, path: Any, descriptor: int | None) -> Any:
        """What a name is, seen from a folder; None where that is not looked at."""
        if descriptor is None:
            return path
        return _whole(path, descriptor) if self._sees_relative else None

    def _open(self, path: Any, flags: int, *args: Any, **named: Any) -> int:
        changes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        open_it = partial(self._real["open"], path, flags, *args, **named)
        path = self._known(path, named.get("dir_fd"))
        descriptor: int = self._meet(CREATE, path, open_it) if changes and path is not None else open_it()
        name = f"{path}/" if flags & os.O_DIRECTORY else str(path)
        is_seen = (changes or self._sees_all) and path is not None
        if is_seen and isinstance(path, str | os.PathLike) and self._of(name) is not None:
            self._descriptors[descriptor] = name
        else:
            self._descriptors.pop(descriptor, None)
        return descriptor

    def _dup(self, descriptor: int) -> int:
        same: int = self._real["dup"](descriptor)
        self._descriptors.pop(same, None)
        if descriptor in self._descriptors:
            self._descriptors[same] = self._descriptors[descriptor]
        return same

    def _close(self, descriptor: int) -> None:
        self._descriptors.pop(descriptor, None)
        self._real["close"](descriptor)

    def _write(self, descriptor: int, data: Any) -> int:
        path = self._descriptors.get(descriptor)
        fault = self._ask(WRITE, path, len(data)) if path is not None else None
        if fault is not None:
            self._real["write"](descriptor, bytes(data)[: int(len(data) * fault.done)])
            fault.come(int)
        return int(self._real["write"](descriptor, data))

    def _ftruncate(self, descriptor: int, length: int) -> None:
        path = self._descriptors.get(descriptor)
        cut = partial(self._real["ftruncate"], descriptor, length)
        _ = self._meet(WRITE, path, cut) if path is not None else cut()

    def _fsync(self, descriptor: int) -> None:
        path = self._descriptors.get(descriptor)
        if path is not None:
            self._meet(SYNC, path, int)
        # Nothing survives a test that is not in the system's cache: the wait for the disk is spared.

    def _rename(self, old: Any, new: Any, **named: Any) -> None:
        self._renamed(partial(self._real["rename"], old, new, **named), old, new, **named)

    def _replace(self, old: Any, new: Any, **named: Any) -> None:
        self._renamed(partial(self._real["replace"], old, new, **named), old, new, **named)

    def _renamed(
        self,
        change: Callable[[], Any],
        old: Any,
        new: Any,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
    ) -> None:
        source, target = self._known(old, src_dir_fd), self._known(new, dst_dir_fd)
        _ = self._meet(RENAME, target, change, Path(source)) if source and target else change()

    def _unlink(self, path: Any, **named: Any) -> None:
        change = partial(self._real["unlink"], path, **named)
        known = self._known(path, named.get("dir_fd"))
        _ = self._meet(REMOVE, known, change) if known is not None else change()

    # sqlite3

    def _connecting(self, connect: Callable[..., Any]) -> Callable[..., Any]:
        def connecting(path: Any, *args: Any, **named: Any) -> Any:
            watched = self._of(str(path))
            if watched is None:
                return connect(path, *args, **named)
            try:
                connection = connect(path, *args, **{**named, "factory": FaultyConnection})
            finally:
                self.end_if_broken()
            connection.watched(self, str(path))
            watched.connections.append(connection)
            return connection

        return connecting

    def meet_commit(self, path: str, commit: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        """A transaction is about to be committed."""
        cursor: sqlite3.Cursor = commit() if self._sees_all else self._meet(COMMIT, path, commit)
        return cursor

    def _ask_for_sqlite(self, kind: str, path: str, size: int) -> Broken | None:
        """SQLite is about to change a file. The process cannot end amid its code: that comes when it returns."""
        fault = Fault(Crash(path)) if self._broken is not None else self._ask(kind, path, size)
        if fault is None:
            return None
        if fault.then is not None:
            self._broken = fault
        return Broken(fault.done, getattr(fault.error, "errno", 0) == errno.ENOSPC)

    def end_if_broken(self) -> None:
        """SQLite has returned: whoever dies dies now."""
        fault, self._broken = self._broken, None
        if fault is not None and fault.then is not None:
            fault.then()
            raise fault.error


class FaultyConnection(sqlite3.Connection):
    """A connection whose COMMIT may fail, and so may what is committed by itself."""

    _disks: FaultyDisks | None = None
    _path = ""

    def watched(self, disks: FaultyDisks, path: str) -> None:
        """Ask before each COMMIT."""
        self._disks, self._path = disks, path

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        """See `sqlite3.Connection`."""
        word = sql.lstrip()[:6].upper()
        execute = partial(super().execute, sql, *args)
        if self._disks is not None and (word == "COMMIT" or word in CHANGING and not self.in_transaction):
            return self._through(partial(self._disks.meet_commit, self._path, execute))
        return self._through(execute)

    def executemany(self, sql: str, rows: Any, /) -> sqlite3.Cursor:
        """See `sqlite3.Connection`."""
        return self._through(partial(super().executemany, sql, rows))

    def executescript(self, script: str, /) -> sqlite3.Cursor:
        """See `sqlite3.Connection`."""
        return self._through(partial(super().executescript, script))

    def close(self) -> None:
        """See `sqlite3.Connection`."""
        self._through(super().close)

    def _through(self, call: Callable[[], T]) -> T:
        try:
            return call()
        finally:
            if self._disks is not None:
                self._disks.end_if_broken()

    def let_go(self) -> None:
        """As the system does it for a process that is gone."""
        with contextlib.suppress(sqlite3.Error):
            self.rollback()
            self.close()


_TEXTS = {
    sqlite3.SQLITE_FULL: "database or disk is full",
    sqlite3.SQLITE_IOERR: "disk I/O error",
    sqlite3.SQLITE_READONLY: "attempt to write a readonly database",
    sqlite3.SQLITE_CANTOPEN: "unable to open database file",
}


def _whole(path: Any, descriptor: int) -> str:
    """A name in a folder that is open."""
    return os.path.join(os.readlink(f"/proc/self/fd/{descriptor}"), os.fsdecode(path))


def sqlite_error(code: int) -> sqlite3.OperationalError:
    """What SQLite raises on a disk that is full (`sqlite3.SQLITE_FULL`), fails (``IOERR``), or can be read only."""
    error = sqlite3.OperationalError(_TEXTS[code & 0xFF])
    error.sqlite_errorcode = code
    return error
