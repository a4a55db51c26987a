"""What is below a block, link by link, in the order in which a reader of the tree would meet it; no block is read."""

import sqlite3
from collections import deque

from attrs import define, field, frozen

from bitdust.blocks.reach import IdSet
from bitdust.blocks.reading import Link, links
from bitdust.ipld.cid import RAW, Cid
from bitdust.wire.errors import BitDustError

DEEPEST = 100_000
AHEAD = 10_000
"""Links that are read ahead, shared out among the levels."""


@frozen
class Reference:
    """A link, and whose it is."""

    parent: Cid
    link: Link


@define
class _Level:
    cid: Cid
    ident: int
    next: int = 0
    ahead: deque[Link] = field(factory=deque)


class References:
    """I give the links below a block a portion at a time, ``deepest`` levels down, or without an end.

    ``unique`` gives each block once. Without it a tree in which blocks are shared is given as often as there are ways
    through it, which may be for ever: whoever asks takes portions for as long as they are wanted.
    """

    def __init__(self, cid: Cid, ident: int, deepest: int | None = None, unique: bool = False) -> None:
        self._levels = [_Level(cid, ident)]
        self._deepest = deepest
        self._seen = IdSet() if unique else None

    def page(self, database: sqlite3.Connection, most: int) -> list[Reference]:
        """The next links; none behind the last one. Raises ``too-deep``."""
        found: list[Reference] = []
        while self._levels and len(found) < most:
            level = self._levels[-1]
            if not level.ahead:
                self._read(database, level)
            if not level.ahead:
                self._levels.pop()
                continue
            link = level.ahead.popleft()
            if self._seen is not None and not self._seen.add(link.ident):
                continue
            found.append(Reference(level.cid, link))
            if link.cid.codec != RAW and (self._deepest is None or len(self._levels) < self._deepest):
                self._go_down(link)
        return found

    def _go_down(self, link: Link) -> None:
        if len(self._levels) >= DEEPEST:
            raise BitDustError("too-deep", f"block {link.cid} is more than {DEEPEST} links below {self._levels[0].cid}")
        self._levels.append(_Level(link.cid, link.ident))

    def _read(self, database: sqlite3.Connection, level: _Level) -> None:
        level.ahead.extend(links(database, level.ident, level.next, 1 + AHEAD // (10 + len(self._levels))))
        if level.ahead:
            level.next = level.ahead[-1].position + 1
