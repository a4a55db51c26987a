"""Since when suppliers of another life of mine are away: after a month nobody waits for what they have not listed."""

import sqlite3
from typing import Any

from bitdust.replication import members
from bitdust.storage.catalog.calendar import Calendar
from bitdust.storage.catalog.database import meta, set_meta
from bitdust.storage.keeping.disposal import OTHERS_DELAY
from bitdust.storage.ports import Ports
from bitdust.wire.encoding import decode, encode

_NAME = "silent-since"
_MOST_BYTES = 65_536


class Silence:
    """I keep in the catalog since when each of them is away, by observed time.

    A clock that is a month ahead for a day makes nobody gone, and whoever is there begins anew. Time in which this node
    does not reach enough of its own suppliers does not count: perhaps it reaches nobody."""

    def __init__(self, calendar: Calendar, ports: Ports) -> None:
        self._calendar = calendar
        self._ports = ports
        self._since: dict[bytes, float] = {}
        self._noted: float | None = None

    def load(self, database: sqlite3.Connection) -> None:
        """What the disk says."""
        data = meta(database, _NAME)
        value: Any = decode(data, _MOST_BYTES) if data is not None else []
        self._since = {bytes(who): float(since) for who, since in value}

    def note(self, database: sqlite3.Connection) -> None:
        """Inside a transaction: keep who is away."""
        if not self._calendar.is_begun:
            return
        now = float(int(self._calendar.stamp()))
        away = [who for who in self._ports.of_other_lives() if not self._ports.is_online(who)]
        missed = now - self._noted if self._noted is not None and not self._reaches_enough() else 0.0
        since = {who: min(now, self._since.get(who, now) + missed) for who in away}
        self._noted = now
        if since != self._since:
            self._since = since
            set_meta(database, _NAME, encode([[who, int(begun)] for who, begun in sorted(since.items())]))

    def _reaches_enough(self) -> bool:
        family = self._ports.family()
        return family is not None and sum(map(self._ports.is_online, members(family))) >= family.k

    def is_over(self, supplier: bytes) -> bool:
        """Whether a supplier has been away for a month, as far as this node has seen, and is so now."""
        since = self._since.get(supplier)
        if since is None or self._ports.is_online(supplier):
            return False
        return self._calendar.now() - since >= OTHERS_DELAY / 1000
