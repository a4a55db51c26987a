"""Where a run keeps the homes of its nodes: in memory, where that does all that a disk does.

Nodes sync whatever they write, so that on a disk a run waits for a good part of its time.
"""

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 4_000_000_000
"""Bytes that must be free; a run needs less than a quarter of them."""
PREFIX = "bitdust-tests-"


def suits(place: Path) -> bool:
    """Whether there is room, programs may be started, and files have attributes of users."""
    try:
        facts = os.statvfs(place)
        with tempfile.NamedTemporaryFile(dir=place) as probe:
            os.setxattr(probe.name, "user.probe", b"1")
    except (OSError, AttributeError):
        return False
    return facts.f_bavail * facts.f_frsize >= ROOM and not facts.f_flag & os.ST_NOEXEC


def begin() -> Path:
    """A folder for this run; from now on it is where temporary files go. What runs that are over have left goes."""
    given = os.environ.get("TMPDIR")
    place = Path(given) if given else MEMORY if suits(MEMORY) else Path(tempfile.gettempdir())
    for left in place.glob(f"{PREFIX}*"):
        if not is_running(left.name.removeprefix(PREFIX)):
            shutil.rmtree(left, ignore_errors=True)
    folder = place / f"{PREFIX}{os.getpid()}"
    folder.mkdir(mode=0o700)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    return folder


def is_running(pid: str) -> bool:
    """Whether there is such a process; where that is not known, there is."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OSError):
        return True
    return True
