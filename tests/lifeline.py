"""Whatever a test run starts ends with it, even when the run is killed.

Daemons leave their parent on purpose, so nothing ends them with a test that cannot clean up any more. A small process
that holds the other end of a pipe learns of the end of the run, however it came, and ends every process that has the
run's mark in its environment. It needs nothing of the program and, to find processes, ``/proc``.
"""

import atexit
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

MARK = "BITDUST_TEST_RUN"
GRACE = 2.0
"""Seconds in which what still runs at the orderly end of a run may end by itself."""
IN_ORDER = b"the run is over"


def begin() -> "subprocess.Popen[bytes] | None":
    """Mark this run and watch over it; who calls keeps the watcher. None inside a run that is marked already."""
    if MARK in os.environ:
        return None
    mark = uuid.uuid4().hex
    command = [sys.executable, "-S", "-E", __file__, mark]
    watcher = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
    os.environ[MARK] = mark
    atexit.register(end, watcher, os.getpid())
    return watcher


def end(watcher: "subprocess.Popen[bytes]", owner: int) -> None:
    """The run came to its end; not so in a process that was forked off it."""
    if os.getpid() == owner:
        watcher.communicate(IN_ORDER)


def marked(mark: str) -> Iterator[tuple[int, str]]:
    """Process id and command line of every process of the run."""
    wanted = f"{MARK}={mark}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # gone meanwhile, or another user's


def watch(mark: str) -> None:
    """Wait for the end of the run, then end its processes; those that stay after an orderly end are named."""
    in_order = sys.stdin.buffer.read() == IN_ORDER
    deadline = time.monotonic() + GRACE if in_order else 0.0
    told: set[int] = set()
    while left := list(marked(mark)):
        for pid, command in left if time.monotonic() >= deadline else ():
            if in_order and pid not in told:
                print(f"the test run left behind and ended {pid}: {command}", file=sys.stderr, flush=True)
            told.add(pid)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


if __name__ == "__main__":
    watch(sys.argv[1])
