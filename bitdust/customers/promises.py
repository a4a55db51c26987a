"""How much room is promised to whom: little to who comes, more to who fills it, and nothing for ever to who does not.

A key costs nothing, and hardly more does an address. So all strangers of a network together are promised what a single
one of them would be: an eighth of what is donated, or twice what they have filled and the first part besides.
"""

import sqlite3
from collections.abc import Sequence
from typing import Protocol

from bitdust.wire.errors import BitDustError
from bitdust.wire.sizes import in_words

DAY = 86_400
SMALLEST = 1024 * 1024
"""Bytes: a contract about less costs more than it is worth."""
FIRST = 64 * 1024 * 1024
"""Bytes that anybody may have beyond twice of what it has filled, while they are free."""
SHARE = 8
"""A newcomer may have an eighth of what is free, where that is more; and a network an eighth of what is donated."""


class Promise(Protocol):
    """What is promised to one customer."""

    @property
    def customer(self) -> bytes: ...

    @property
    def network(self) -> str: ...

    @property
    def room(self) -> int: ...

    @property
    def charged(self) -> int: ...

    @property
    def allotted(self) -> int: ...


class Asked(Protocol):
    """What a customer asks for."""

    @property
    def room(self) -> int: ...

    @property
    def is_vouched(self) -> bool: ...

    @property
    def network(self) -> str: ...


def check_room(asked: Asked, old: Promise | None, others: Sequence[Promise], donated: int, disk: int) -> None:
    """Raises ``no-space`` with the reason, where a promise cannot be made or become so large. ``disk`` is bytes that
    may still be written."""
    room, wish = asked.room, f"{in_words(asked.room)} were asked for"
    if old is None and room < SMALLEST:
        raise BitDustError("no-space", f"{wish}, but {in_words(SMALLEST)} is the smallest room")
    if old is not None and room <= old.allotted:
        return
    free = max(0, donated - sum(one.allotted for one in others))
    if room > free:
        raise BitDustError("no-space", f"{wish} and {in_words(free)} of {in_words(donated)} are free")
    charged = old.charged if old is not None else 0
    most = max(_earned(charged), free // SHARE)
    if room > most and not asked.is_vouched:
        raise BitDustError("no-space", f"{wish}; {in_words(most)} can be promised until more of it is filled")
    if asked.network and not asked.is_vouched:
        _check_network(room, charged, [one for one in others if one.network == asked.network], donated)
    if room - charged > disk:
        raise BitDustError("no-space", f"{wish} and the disk has {in_words(disk)} left")


def _check_network(room: int, charged: int, others: Sequence[Promise], donated: int) -> None:
    most = max(_earned(charged + sum(one.charged for one in others)), donated // SHARE)
    promised = sum(one.allotted for one in others)
    if promised + room > most:
        text = f"{in_words(room)} were asked for; your network has {in_words(promised)} of {in_words(most)} for it"
        raise BitDustError("no-space", f"{text}, until more of it is filled")


def _earned(charged: int) -> int:
    return FIRST + 2 * charged


def lapse(database: sqlite3.Connection, promises: Sequence[Promise], since: int) -> int:
    """Promise no more what was promised before ``since`` and is not filled; how many promises became smaller."""
    smaller = 0
    for one in promises:
        room = _earned(one.charged) if one.charged else SMALLEST
        if one.room > room:
            changed = database.execute(
                "UPDATE contracts SET room=? WHERE customer=? AND promised<=?", (room, one.customer, since)
            )
            smaller += changed.rowcount
    return smaller
