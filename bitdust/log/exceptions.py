"""One file for each unexpected exception, so that a healthy run is one that left none."""

import contextlib
import os
from collections import deque
from pathlib import Path
from threading import Lock

from twisted.logger import LogEvent, LogLevel

from bitdust.log.entry import as_text, utc
from bitdust.log.rotation import MAX_ENTRY

MAX_FILES = 100
PREFIX = "exception_"


class ExceptionFiles:
    """I am a log observer: what is critical gets a file ``exception_<utc time>_<n>.log``; the oldest over 100 goes."""

    def __init__(self, folder: Path, files: int = MAX_FILES) -> None:
        self._folder = folder
        self._files = files
        self._lock = Lock()
        self._number = 0
        found = ((path.stat().st_mtime_ns, path) for path in folder.glob(f"{PREFIX}*.log"))
        self._kept = deque(path for _, path in sorted(found))

    def __call__(self, event: LogEvent) -> None:
        """Keep the entry if it is critical; a disk that takes nothing does not matter here, stdout.log says so."""
        if event.get("log_level") is not LogLevel.critical:
            return
        with self._lock, contextlib.suppress(OSError):
            self._make_room()
            self._keep(as_text(event).encode("utf-8", "backslashreplace")[:MAX_ENTRY], event.get("log_time") or 0.0)

    def _make_room(self) -> None:
        while len(self._kept) >= self._files:
            self._kept.popleft().unlink(missing_ok=True)

    def _keep(self, text: bytes, seconds: float) -> None:
        stamp = utc(seconds)[:19].replace("-", "").replace(":", "")
        while True:
            self._number += 1
            path = self._folder / f"{PREFIX}{stamp}_{self._number}.log"
            with contextlib.suppress(FileExistsError):
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                break
        self._kept.append(path)
        with open(descriptor, "wb") as stream:
            stream.write(text + b"\n")
