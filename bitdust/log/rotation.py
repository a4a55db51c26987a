"""A log file that stays bounded and private, and never stands in the way of the program."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from attrs import frozen

MAX_BYTES = 10 * 1024 * 1024
MAX_FILES = 5
MAX_ENTRY = 64 * 1024


@frozen
class Room:
    """What a log may take: so many files of so many bytes. Asked at each entry: a new setting counts at once."""

    max_bytes: Callable[[], int] = lambda: MAX_BYTES
    files: Callable[[], int] = lambda: MAX_FILES


class RotatingFile:
    """I append entries to a file; when it is full I name it ``<name>.1``, and those that there is no room for go away.

    Entries come from any thread. When the disk takes nothing I count what is lost, and say so when it does again. What
    a crash or a full disk cut off stays a line of its own.
    """

    def __init__(self, path: Path, room: Room | None = None) -> None:
        self._path = path
        self._room = room or Room()
        self._lock = Lock()
        self._descriptor: int | None = None
        self._size = 0
        self._torn = False
        self._lost = 0

    def write(self, entry: str) -> None:
        """Append an entry and a line end; an entry over 64 KiB is cut."""
        data = entry.encode("utf-8", "backslashreplace")
        if len(data) > MAX_ENTRY:
            data = data[:MAX_ENTRY] + b" ... cut"
        with self._lock:
            try:
                self._append(self._report() + data + b"\n")
                self._lost = 0
            except OSError:
                self._lost += 1
                self._close()

    def close(self) -> None:
        """Close the file; a later entry opens it again."""
        with self._lock:
            self._close()

    def _report(self) -> bytes:
        return b"(%d entries were lost: the disk did not take them)\n" % self._lost if self._lost else b""

    def _append(self, data: bytes) -> None:
        descriptor = self._opened()
        if self._size and self._size + len(data) > self._room.max_bytes():
            self._rotate()
            descriptor = self._opened()
        rest = memoryview(b"\n" + data if self._torn else data)
        while rest:
            written = os.write(descriptor, rest)
            self._size += written
            rest = rest[written:]
        self._torn = False

    def _opened(self) -> int:
        if self._descriptor is None:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)
            os.fchmod(self._descriptor, 0o600)
            self._size = os.fstat(self._descriptor).st_size
            self._torn = self._size > 0 and os.pread(self._descriptor, 1, self._size - 1) != b"\n"
        return self._descriptor

    def _rotate(self) -> None:
        self._close()
        files = self._room.files()
        names = [self._path, *(self._path.with_name(f"{self._path.name}.{n}") for n in range(1, files))]
        for older, newer in reversed(list(zip(names[1:], names, strict=False))):
            with contextlib.suppress(FileNotFoundError):
                os.replace(newer, older)
        if files == 1:
            self._path.unlink(missing_ok=True)
        for path in self._path.parent.glob(f"{self._path.name}.*"):
            number = path.suffix.removeprefix(".")
            if number.isdigit() and int(number) >= files:
                path.unlink(missing_ok=True)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
