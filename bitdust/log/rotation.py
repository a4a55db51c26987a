"""A log file that stays bounded and private, and never stands in the way of the program."""

import contextlib
import os
from pathlib import Path
from threading import Lock

MAX_BYTES = 10 * 1024 * 1024
MAX_FILES = 5
MAX_ENTRY = 64 * 1024


class RotatingFile:
    """I append entries to a file; when it is full I name it ``<name>.1``, and the oldest of ``files`` goes away.

    Entries come from any thread. When the disk takes nothing I count what is lost, and say so when it does again.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES, files: int = MAX_FILES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._files = files
        self._lock = Lock()
        self._descriptor: int | None = None
        self._size = 0
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
        if self._size and self._size + len(data) > self._max_bytes:
            self._rotate()
            descriptor = self._opened()
        rest = memoryview(data)
        while rest:
            written = os.write(descriptor, rest)
            self._size += written
            rest = rest[written:]

    def _opened(self) -> int:
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)
            os.fchmod(self._descriptor, 0o600)
            self._size = os.fstat(self._descriptor).st_size
        return self._descriptor

    def _rotate(self) -> None:
        self._close()
        names = [self._path, *(self._path.with_name(f"{self._path.name}.{n}") for n in range(1, self._files))]
        for older, newer in reversed(list(zip(names[1:], names, strict=False))):
            with contextlib.suppress(FileNotFoundError):
                os.replace(newer, older)
        if self._files == 1:
            self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
