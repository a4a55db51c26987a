"""Spares that do not answer, and on how many days: ``metadata/silences``, JSON of ``{fingerprint: [days, moment]}``.

A node that is switched off each night would else count anew each morning, and name for ever who is gone.
"""

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from bitdust.crypt.files import write_safely
from bitdust.suppliers.by_node import read_by_node

DAY = 86_400
MAX_FILE = 64 * 1024


class Silences:
    """I count each day once, by the wall clock; one that was set back begins a day anew, and counts none. A file that
    cannot be read counts as empty."""

    log = Logger()

    def __init__(self, path: Path, wall: Callable[[], float]) -> None:
        self._path = path
        self._wall = wall
        self._known: dict[bytes, tuple[int, int]] = {}
        self._saved: dict[bytes, tuple[int, int]] = {}

    def load(self) -> None:
        """Read what earlier runs have counted."""
        self._known = read_by_node(self._path, MAX_FILE, _read)
        self._saved = dict(self._known)

    def days(self, spare: bytes) -> int:
        """On how many days in a row it has not answered."""
        return self._known.get(spare, (0, 0))[0]

    def note(self, spare: bytes) -> None:
        """It does not answer: however often that is so, a day counts once."""
        now = int(self._wall())
        days, moment = self._known.get(spare, (0, now - DAY))
        if now - moment >= DAY:
            self._known[spare] = (days + 1, now)
        elif now < moment:  # what is ahead must not hold up the count until then
            self._known[spare] = (days, now)

    def forget(self, spare: bytes) -> None:
        """It has answered."""
        self._known.pop(spare, None)

    def save(self, named: Collection[bytes]) -> None:
        """Keep what is known of these. Where the disk does not take it, until the next start."""
        self._known = {who: row for who, row in self._known.items() if who in named}
        if self._known == self._saved:
            return
        try:
            write_safely(self._path, json.dumps({who.hex(): row for who, row in self._known.items()}).encode())
            self._saved = dict(self._known)
        except OSError as error:
            self.log.warn("who does not answer cannot be noted: {error}", error=error)


def _read(entry: Any) -> tuple[int, int]:
    """Raises `ValueError`, `TypeError`."""
    days, moment = entry
    return int(days), int(moment)
