"""What a service manager is told of this process: the datagrams of sd_notify(3), without its library."""

import contextlib
import os
import socket
from collections.abc import Mapping

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

READY, STOPPING, ALIVE = b"READY=1", b"STOPPING=1", b"WATCHDOG=1"


class ServiceManager:
    """Says nothing where nobody asked to hear it, that is without ``NOTIFY_SOCKET``. Never raises."""

    def __init__(self, clock: IReactorTime, environment: Mapping[str, str]) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self._pause = _watchdog_seconds(environment) / 2 if self._address else 0.0
        self._loop = LoopingCall(self._say, ALIVE)
        self._loop.clock = clock

    def ready(self) -> None:
        """The node answers; from now on it gives signs of life, as often as the manager wants to hear them."""
        self._say(READY)
        if self._pause and not self._loop.running:
            self._loop.start(self._pause)

    def stopping(self) -> None:
        """The node is about to end, and nobody starts it again."""
        self._say(STOPPING)

    def close(self) -> None:
        """No more signs of life."""
        if self._loop.running:
            self._loop.stop()

    def _say(self, state: bytes) -> None:
        if self._address:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.setblocking(False)
                out.sendto(state, self._address)


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    """Seconds of silence after which the manager kills this process, 0 when it does not watch (sd_watchdog_enabled)."""
    pid, microseconds = environment.get("WATCHDOG_PID", ""), environment.get("WATCHDOG_USEC", "")
    if not microseconds.isdigit() or (pid and pid != str(os.getpid())):
        return 0.0
    return int(microseconds) / 1e6
