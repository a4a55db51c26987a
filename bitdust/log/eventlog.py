"""``logs/event.log``: the node's event stream on paper, one line an event: time, event id, data as JSON."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from bitdust.crypt.files import make_private_folder
from bitdust.log.entry import plain, utc
from bitdust.log.redaction import redact
from bitdust.log.rotation import Room, RotatingFile


class Happened(Protocol):
    """One event; ``time`` in seconds since 1970."""

    @property
    def id(self) -> str:
        """Its name."""

    @property
    def data(self) -> dict[str, Any]:
        """What it tells."""

    @property
    def time(self) -> float:
        """When."""


class Stream(Protocol):
    """Where events come from."""

    def subscribe(self, callback: Callable[[Any], None]) -> Callable[[], None]:
        """Be told of every event; gives a remover."""


def start_event_log(home: Path, events: Stream, room: Room | None = None) -> Callable[[], None]:
    """Write every event of the stream to ``<home>/logs/event.log`` until the returned call."""
    make_private_folder(home / "logs")
    paper = RotatingFile(home / "logs" / "event.log", room)
    forget = events.subscribe(lambda event: paper.write(line(event)))

    def stop() -> None:
        forget()
        paper.close()

    return stop


def line(event: Happened) -> str:
    """One event as one line."""
    return plain(redact(f"{utc(event.time)} {event.id} {json.dumps(event.data, ensure_ascii=False)}"))
