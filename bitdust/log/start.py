"""The daemon's logs: ``logs/stdout.log``, some for one matter, a file for each exception, and the terminal if any."""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from twisted.logger import (
    ILogObserver,
    LogBeginner,
    LogEvent,
    LogLevel,
    LogPublisher,
    globalLogBeginner,
    globalLogPublisher,
)
from zope.interface import provider

from bitdust.crypt.files import make_private_folder
from bitdust.log.bridge import Bridge
from bitdust.log.entry import as_text, coloured
from bitdust.log.exceptions import ExceptionFiles
from bitdust.log.rotation import Room, RotatingFile

PAPERS = ("api", "automats", "packet")
"""Logs of their own, ``logs/<name>.log``, for entries with a field ``paper`` of that name."""
COLOURS = "BITDUST_LOG_USE_COLORS"


def start_logging(
    home: Path,
    debug_level: int | Callable[[], int],
    to_terminal: bool,
    *,
    debug_rooms: Callable[[], str] = str,
    room: Room | None = None,
    terminal: TextIO = sys.stderr,
    environment: Mapping[str, str] = os.environ,
    beginner: LogBeginner = globalLogBeginner,
    publisher: LogPublisher = globalLogPublisher,
) -> Callable[[], None]:
    """Log what `twisted.logger` and Python's `logging` are told, until the returned call.

    ``debug_level`` 0 leaves out debug entries, and Twisted's own of each connection; a callable is asked each time, so
    that a changed setting counts at once. ``debug_rooms`` names rooms whose debug entries are logged all the same.
    """
    make_private_folder(home / "logs")
    paper = RotatingFile(home / "logs" / "stdout.log", room)
    papers = {name: RotatingFile(home / "logs" / f"{name}.log", room) for name in PAPERS}
    exceptions = ExceptionFiles(home / "logs")
    show = _shower(terminal, environment) if to_terminal else None
    level = debug_level if callable(debug_level) else lambda: debug_level

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        if level() <= 0 and _is_detail(event) and not _is_debugged(event, debug_rooms()):
            return
        papers.get(event.get("paper", ""), paper).write(as_text(event))
        exceptions(event)
        if show is not None:
            show(event)

    bridge = Bridge(publisher)

    def stop() -> None:
        logging.getLogger().removeHandler(bridge)
        publisher.removeObserver(observe)
        for one in (paper, *papers.values()):
            one.close()

    beginner.beginLoggingTo([observe], redirectStandardIO=False)
    logging.getLogger().addHandler(bridge)
    return stop


def _is_debugged(event: LogEvent, rooms: str) -> bool:
    """Whether the room that logs something is one of those."""
    package, _, rest = str(event.get("log_namespace")).partition(".")
    return package == "bitdust" and rest.partition(".")[0] in rooms.split(",")


def _is_detail(event: LogEvent) -> bool:
    """Debug entries, and what Twisted tells of every connection that it opens and closes."""
    known = event.get("log_level")
    chatter = known is LogLevel.info and str(event.get("log_namespace")).startswith("twisted.")
    return known is LogLevel.debug or chatter


def _shower(terminal: TextIO, environment: Mapping[str, str]) -> Callable[[LogEvent], None]:
    use_colours = environment.get(COLOURS, "1") != "0" and terminal.isatty()
    text = coloured if use_colours else as_text

    def show(event: LogEvent) -> None:
        try:
            print(text(event), file=terminal, flush=True)
        except (OSError, ValueError):
            """The terminal is gone; the file has the entry."""

    return show
