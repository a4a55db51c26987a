"""Which blocks can be reached from some, in little memory: a bit for each, and a list of those that are still to be
looked at which has an upper end."""

import json
import sqlite3
from array import array
from collections.abc import Iterable, Iterator

BITS = 4096
"""Ids of one page of an `IdSet`."""
MOST_WAITING = 1 << 18
"""Ids that wait in a list; more of them wait as bits."""
TOGETHER = 500
"""Blocks whose links are asked for at once."""
_CHILDREN = "SELECT child FROM links WHERE parent IN (SELECT value FROM json_each(?))"


class IdSet:
    """A set of ids; those that stand close together cost a bit each."""

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}
        self._count = 0

    def add(self, ident: int) -> bool:
        """Whether it is news."""
        page = self._pages.get(ident // BITS)
        if page is None:
            page = self._pages[ident // BITS] = bytearray(BITS // 8)
        byte, bit = ident % BITS >> 3, 1 << (ident & 7)
        if page[byte] & bit:
            return False
        page[byte] |= bit
        self._count += 1
        return True

    def __contains__(self, ident: int) -> bool:
        page = self._pages.get(ident // BITS)
        return page is not None and bool(page[ident % BITS >> 3] & 1 << (ident & 7))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        for number in sorted(self._pages):
            page = self._pages[number]
            for byte, bits in enumerate(page):
                if bits:
                    first = number * BITS + byte * 8
                    yield from (first + bit for bit in range(8) if bits & 1 << bit)

    def clear(self) -> None:
        """Nothing is in it any more."""
        self._pages.clear()
        self._count = 0


class Waiting:
    """Ids that wait for their turn: the last ones in a list, too many of them as bits."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self._list = array("q")
        self._others = IdSet()

    def __len__(self) -> int:
        return len(self._list) + len(self._others)

    def put(self, ident: int) -> None:
        """It may be there twice."""
        if len(self._list) < self._most:
            self._list.append(ident)
        else:
            self._others.add(ident)

    def take(self, most: int) -> list[int]:
        """Some of them; none only where there are none."""
        if not self._list and len(self._others):
            others, self._others = self._others, IdSet()
            for ident in others:
                self.put(ident)
        taken = self._list[-most:].tolist()
        del self._list[-most:]
        return taken


class Reach:
    """What was reached, and what of it is to be looked at."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self.reached = IdSet()
        self._waiting = Waiting(most)

    def start(self, idents: Iterable[int]) -> None:
        """These are reached, and so is all below them."""
        for ident in idents:
            if self.reached.add(ident):
                self._waiting.put(ident)

    def again(self, idents: Iterable[int]) -> None:
        """As `start`; where one was looked at, it had not all of its links."""
        for ident in idents:
            self.reached.add(ident)
            self._waiting.put(ident)

    @property
    def is_done(self) -> bool:
        """Whether all of it was looked at."""
        return not len(self._waiting)

    def go_on(self, database: sqlite3.Connection, rounds: int) -> bool:
        """Look at some more, in a thread; whether that was all."""
        for _ in range(rounds):
            taken = self._waiting.take(TOGETHER)
            if not taken:
                break
            self.start(row[0] for row in database.execute(_CHILDREN, (json.dumps(taken),)))
        return self.is_done
