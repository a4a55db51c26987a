"""What SQLite does to its files, call by call: a layer under it that asks before each change.

SQLite reaches the disk through a table of functions, its VFS, and another one for each kind of file. Copies of them
take the place of the originals for good, because open databases go on using them. While somebody is to be asked, their
entries for making, writing, cutting off, syncing and removing a file lead here; else to the originals.
"""

import _sqlite3
import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from attrs import frozen

CREATING = 0x04
FULL, NOT_OPENED, NOT_WRITTEN, NOT_SYNCED, NOT_CUT, NOT_REMOVED = 13, 14, 778, 1034, 1546, 2570
_POINTER = ctypes.c_void_p
_OPEN = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, _POINTER, _POINTER, ctypes.c_int, _POINTER)
_REMOVE = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, _POINTER, ctypes.c_int)
_CLOSE = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER)
_WRITE = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, _POINTER, ctypes.c_int, ctypes.c_int64)
_CUT = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, ctypes.c_int64)
_SYNC = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, ctypes.c_int)


class _System(ctypes.Structure):
    """`sqlite3_vfs`: three figures, what is next, its name, data of its own, and sixteen functions."""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("version", "size", "longest")),
        *((name, _POINTER) for name in ("next", "name", "data", "open", "remove")),
        ("others", _POINTER * 14),
    ]


class _Methods(ctypes.Structure):
    """`sqlite3_io_methods`: what can be done to a file."""

    _fields_ = [
        ("version", ctypes.c_int),
        *((name, _POINTER) for name in ("close", "read", "write", "cut", "sync")),
        ("others", _POINTER * 13),
    ]


@frozen
class Broken:
    """How much of a change is done before it fails, and whether it is the room that it lacks."""

    done: float
    is_full: bool


Ask = Callable[[str, str, int], Broken | None]
"""SQLite is about to do something, a word of `bitdust.testing.faulty_disk`, to a file, with so many bytes."""
Change = tuple[str, str, int]


class SqliteFiles:
    """I am between SQLite and the disk; there is one of me."""

    def __init__(self) -> None:
        self._ask: Ask = lambda kind, path, size: None
        library = ctypes.CDLL(_sqlite3.__file__)
        library.sqlite3_vfs_find.restype = _POINTER
        library.sqlite3_vfs_find.argtypes = [ctypes.c_char_p]
        library.sqlite3_vfs_register.argtypes = [_POINTER, ctypes.c_int]
        self._below = library.sqlite3_vfs_find(None)
        self._real = _System.from_address(self._below)
        self._name = ctypes.create_string_buffer(b"asked")
        self._mine = _System.from_buffer_copy(self._real)
        self._mine.name = ctypes.addressof(self._name)
        self._paths: dict[int, str] = {}
        self._methods: dict[int, tuple[_Methods, _Methods]] = {}
        """By the address of a table of a file's functions: the copy that files get, and the original."""
        self._of_system = {"open": _OPEN(self._open), "remove": _REMOVE(self._remove)}
        self._of_file = {"close": _CLOSE(self._close), "write": _WRITE(self._write)}
        self._of_file |= {"cut": _CUT(self._cut), "sync": _SYNC(self._sync)}
        library.sqlite3_vfs_register(ctypes.addressof(self._mine), 1)

    @contextmanager
    def asking(self, ask: Ask) -> Iterator[None]:
        """While this holds, somebody is asked about every change of a database's files."""
        self._ask = ask
        self._lead(here=True)
        try:
            yield
        finally:
            self._lead(here=False)

    def _lead(self, here: bool) -> None:
        for copy, original in self._methods.values():
            lead(copy, self._of_file, original, here)
        lead(self._mine, self._of_system, self._real, here)

    def _meet(self, change: Change, code: int, do: Callable[[], int], some: Callable[[float], object]) -> int:
        broken = self._ask(*change)
        if broken is None:
            return do()
        if broken.done >= 1:
            do()
        elif broken.done:
            some(broken.done)
        return FULL if broken.is_full else code

    # of the system

    def _open(self, _: int, name: int | None, file: int, flags: int, found: int | None) -> int:
        path = ctypes.string_at(name).decode() if name else ""

        def do() -> int:
            code: int = _OPEN(self._real.open)(self._below, name, file, flags, found)
            methods = _POINTER.from_address(file)
            if code == 0 and path and methods.value:
                self._paths[file] = path
                methods.value = ctypes.addressof(self._copy(methods.value))
            return code

        if not path or not flags & CREATING or os.path.exists(path):
            return do()
        return self._meet(("create", path, 0), NOT_OPENED, do, bool)

    def _remove(self, _: int, name: int, synced: int) -> int:
        do = lambda: int(_REMOVE(self._real.remove)(self._below, name, synced))  # noqa: E731
        return self._meet(("remove", ctypes.string_at(name).decode(), 0), NOT_REMOVED, do, bool)

    def _copy(self, address: int) -> _Methods:
        if address not in self._methods:
            original = _Methods.from_address(address)
            copy = _Methods.from_buffer_copy(original)
            lead(copy, self._of_file, original, here=True)
            self._methods[address] = copy, original
            self._methods[ctypes.addressof(copy)] = copy, original
        return self._methods[address][0]

    def _behind(self, file: int) -> _Methods:
        return self._methods[_POINTER.from_address(file).value or 0][1]

    # of a file

    def _close(self, file: int) -> int:
        self._paths.pop(file, None)
        return int(_CLOSE(self._behind(file).close)(file))

    def _write(self, file: int, data: int, size: int, offset: int) -> int:
        write = _WRITE(self._behind(file).write)
        return self._meet(
            ("write", self._paths.get(file, ""), size),
            NOT_WRITTEN,
            lambda: int(write(file, data, size, offset)),
            lambda done: write(file, data, int(size * done), offset),
        )

    def _cut(self, file: int, size: int) -> int:
        cut = _CUT(self._behind(file).cut)
        return self._meet(("write", self._paths.get(file, ""), 0), NOT_CUT, lambda: int(cut(file, size)), bool)

    def _sync(self, file: int, flags: int) -> int:
        sync = _SYNC(self._behind(file).sync)
        return self._meet(("sync", self._paths.get(file, ""), 0), NOT_SYNCED, lambda: int(sync(file, flags)), bool)


@cache
def files() -> SqliteFiles:
    """The only one."""
    return SqliteFiles()


def lead(table: ctypes.Structure, mine: dict[str, Any], original: ctypes.Structure, here: bool) -> None:
    """Let functions of a table lead here or to the original."""
    for name, function in mine.items():
        setattr(table, name, ctypes.cast(function, _POINTER).value if here else getattr(original, name))
