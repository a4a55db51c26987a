"""The end of the process when a thread does not come to its own: a disk that hangs must not hold the machine up."""

import os
import sys
import threading
from collections.abc import Callable


def end_within(seconds: float, end: Callable[[], None]) -> None:
    """Call ``end`` from a thread of its own, unless the process is gone by then."""
    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def leave(code: int) -> None:
    """End this process now; nothing is waited for, nothing is closed."""
    os._exit(code)


def begin_again() -> None:
    """Replace this process by a new one with the same command line."""
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
