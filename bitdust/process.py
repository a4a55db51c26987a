"""The process of a node: the reactor, signals, logs, and the word to the service manager; a node knows none of them."""

import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.python.failure import Failure

from bitdust.budget import measure
from bitdust.heap import HeapRounds, keep_for_good, share_one_heap
from bitdust.identity.home_lock import find_passphrase
from bitdust.last_resort import begin_again, end_within, leave
from bitdust.log.eventlog import start_event_log
from bitdust.log.rotation import Room
from bitdust.log.start import start_logging
from bitdust.node import RESTART, Node
from bitdust.notify import ServiceManager
from bitdust.wire.errors import BitDustError
from bitdust.world import real_world, running_time

LAST_RESORT = 0.7
"""Seconds more for threads that still read or write; nothing that they would leave behind counts before its end."""


def main(home: Path, foreground: bool) -> int:
    """Run a node until it is told to stop; the exit code, `RESTART` when it wants to be started again."""
    from twisted.internet import reactor  # noqa: PLC0415 - the one place where the global reactor is taken

    share_one_heap()
    real: Any = reactor
    # Twisted takes the machine's clock, which is set: back, and all timers wait for it; ahead, and all things are old.
    real.seconds = running_time
    measured = measure()
    try:
        node = Node(
            real_world(real, home),
            measured.budget(),
            lambda: find_passphrase(setting("personal/passphrase-file"), os.environ),
        )
    except BitDustError as error:
        print(f"BitDust cannot start: {error}", file=sys.stderr)
        return 1
    setting = node.settings.get
    room = Room(lambda: setting("logs/file-size"), lambda: setting("logs/files"))
    stop_logging = start_logging(
        home,
        lambda: setting("logs/debug-level"),
        foreground,
        debug_rooms=lambda: setting("logs/debug-rooms"),
        room=room,
    )
    stop_events = start_event_log(home, node.events, room)

    for warning in measured.warnings():
        Node.log.warn("{warning}", warning=warning)

    def failed(failure: Failure) -> None:
        print(f"BitDust cannot start: {failure.getErrorMessage()}", file=sys.stderr)
        Node.log.failure("the node could not start", failure)
        node.exit_code = 1
        maybeDeferred(node.shutdown).addBoth(lambda _: real.stop())

    manager = ServiceManager(real, os.environ)
    heap = HeapRounds(real, node.world.run_in_thread)
    node.ready.connect(manager.ready)
    node.ready.connect(keep_for_good)
    node.ready.connect(heap.start)
    node.stopping.connect(manager.stopping)

    def stopped() -> None:
        manager.close()
        heap.stop()
        end_within(LAST_RESORT, begin_again if node.exit_code == RESTART else partial(leave, node.exit_code))
        real.stop()

    node.stopped.connect(stopped)
    for number in (signal.SIGTERM, signal.SIGINT):
        real.callWhenRunning(signal.signal, number, lambda *_: real.callFromThread(node.stop, False))
    real.callWhenRunning(lambda: node.start().addErrback(failed))
    real.run(installSignalHandlers=False)
    stop_events()
    stop_logging()
    return node.exit_code
