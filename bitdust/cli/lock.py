"""``<home>/processid``: the number of the running process, locked by it for life."""

import fcntl
import os
import time
from pathlib import Path

LOOKS = 5
PAUSE = 0.02


class AlreadyRunning(Exception):
    """Another process has this home folder."""


class ProcessLock:
    """Held by the node's process; the system gives it back when the process ends, however it ends."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self._path = path

    @classmethod
    def acquire(cls, home: Path) -> "ProcessLock":
        """Raises `AlreadyRunning` when another process has it."""
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = home / "processid"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _locked(descriptor):
            pid = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise AlreadyRunning(
                f"main BitDust process already started (process {pid}) in {home}; "
                "stop it with: bitdust stop, or use another folder: bitdust --appdir DIR"
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        return cls(descriptor, path)

    def release(self) -> None:
        """Give it back."""
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)


def _locked(descriptor: int) -> bool:
    """Try for a moment: somebody who only looks holds the lock for an instant."""
    for _ in range(LOOKS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(PAUSE)
        else:
            return True
    return False


def running_pid(home: Path) -> int | None:
    """The process that has this home folder, or None; 0 where it has not told its number yet, or tells it no more. A
    number that a dead process left behind counts for nothing."""
    for look in range(LOOKS):
        found = _holder(home)
        if found != 0 or look == LOOKS - 1:
            break
        time.sleep(PAUSE)
    return found


def _holder(home: Path) -> int | None:
    try:
        descriptor = os.open(home / "processid", os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
        return int(text) if text.isascii() and text.isdigit() else 0
    finally:
        os.close(descriptor)
    return None
