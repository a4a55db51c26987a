"""Daemons of tests begin as forks of a process that has imported everything already: importing is most of their start.

What they are afterwards does not differ from what ``bitdust start --detached`` makes: each is a process of its own, in
a session of its own, with the environment, the folder and the files that `bitdust.cli.daemon.launch` gives it.
"""

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

from bitdust.cli import daemon
from bitdust.cli.main import main as cli_main

MOST = 1 << 20
"""Bytes of one order: command line and environment."""
_lock = threading.Lock()
_channel: socket.socket | None = None


class Forked:
    """A process as `subprocess.Popen` shows it, as far as `launch` looks."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        """None while it runs; how it ended is not known."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 1
        return None


class Warm:
    """Stands for the module `subprocess` in `bitdust.cli.daemon`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def Popen(self, words: list[str], *, stdout: Any, cwd: str, env: dict[str, str], **others: Any) -> Forked:  # noqa: N802
        """Start a daemon."""
        order = json.dumps({"words": words, "cwd": cwd, "env": env}).encode()
        with _lock:
            channel = _open()
            socket.send_fds(channel, [order], [stdout.fileno()])
            return Forked(int(channel.recv(64)))


def install() -> None:
    """From now on, in this process."""
    daemon.subprocess = Warm()  # type: ignore[assignment]


def _open() -> socket.socket:
    """The way to the process that forks; it ends when this one does."""
    global _channel  # noqa: PLW0603 - one for each process that tests
    if _channel is None:
        _channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for one in (_channel, theirs):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST)
        # As a file: the package of tests changes how keys are made, which daemons know nothing of.
        subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": daemon.PACKAGE},
        )  # fmt: skip
        theirs.close()
        atexit.register(_channel.close)
    return _channel


def serve(channel: socket.socket) -> dict[str, Any] | None:
    """Fork for every order; gives the order in each fork, None at the end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        data, files, _, _ = socket.recv_fds(channel, MOST, 1)
        if not data:
            return None
        pid = os.fork()
        if pid == 0:
            os.dup2(files[0], 1)
            os.dup2(files[0], 2)
            channel.close()
            os.close(files[0])
            order: dict[str, Any] = json.loads(data)
            return order
        os.close(files[0])
        channel.send(str(pid).encode())


def begin(order: dict[str, Any]) -> None:
    """Be what a new process with that command line and environment would be."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.orig_argv[:] = order["words"]
    sys.argv[:] = ["bitdust", *order["words"][3:]]
    cli_main()


def main() -> None:
    """Import what a daemon needs, and wait for orders."""
    sys.path.pop(0)
    gc.disable()
    from bitdust import process  # noqa: F401 - it imports everything

    gc.freeze()
    gc.enable()
    assert "twisted.internet.reactor" not in sys.modules, "each daemon has a reactor of its own"
    order = serve(socket.socket(fileno=int(sys.argv[1])))
    if order is not None:
        begin(order)


if __name__ == "__main__":
    main()
