"""What is to be kept and is in no segment yet: found below pins and roots, children before parents, by portions.

The walk goes nowhere below a block that is saved with everything below it, so what it costs depends on what is new.
"""

import sqlite3
from array import array
from collections import deque
from collections.abc import Iterable

from attrs import define, field, frozen

from bitdust.blocks.reach import IdSet
from bitdust.blocks.references import AHEAD, DEEPEST
from bitdust.blocks.values import Mode, State
from bitdust.ipld.cid import Cid
from bitdust.wire.errors import BitDustError

_COLUMNS = (
    "b.id, b.version, b.codec, b.multihash, b.size, b.state, s.whole,"
    " EXISTS (SELECT 1 FROM links k WHERE k.parent=b.id)"
)
_ONE = f"SELECT {_COLUMNS} FROM blocks b LEFT JOIN saved s ON s.block=b.id WHERE b.id=?"
_CHILDREN = (
    f"SELECT l.position, {_COLUMNS} FROM links l JOIN blocks b ON b.id=l.child LEFT JOIN saved s ON s.block=b.id"
    " WHERE l.parent=? AND l.position >= ? ORDER BY l.position LIMIT ?"
)
_PINS = (
    "SELECT p.block, p.mode FROM pins p LEFT JOIN saved s ON s.block=p.block"
    " WHERE p.told=0 AND (s.block IS NULL OR (p.mode=1 AND s.whole=0))"
)
_ROOTS = "SELECT r.block, 1 FROM roots r LEFT JOIN saved s ON s.block=r.block WHERE coalesce(s.whole, 0)=0"
Due = tuple[int, Mode]
"""Id of a block, and whether what is below it is meant as well."""


@frozen
class Unsaved:
    """A block that is in no segment, whether it has links, and the id of the pin or root above it."""

    cid: Cid
    size: int
    has_links: bool
    root: int


@frozen
class _Met:
    ident: int
    cid: Cid
    size: int
    state: State
    whole: int | None
    has_links: bool


@define
class _Level:
    met: _Met
    next: int = 0
    ahead: deque[_Met] = field(factory=deque)


def due(database: sqlite3.Connection, but: Iterable[int] = ()) -> list[Due]:
    """Pinned and named blocks that are not saved, or not with everything below them."""
    left_out = set(but)
    rows = [*database.execute(_PINS), *database.execute(_ROOTS)]
    return [(ident, Mode(mode)) for ident, mode in rows if ident not in left_out]


class Walk:
    """I look below some blocks. ``found`` is for who takes it; ``visited`` are ids of what has to be judged afterwards,
    children before parents; ``missing`` is what is not here, by CID."""

    def __init__(self, roots: Iterable[Due]) -> None:
        self._roots = deque(roots)
        self.roots = tuple(ident for ident, _ in self._roots)
        self._levels: list[_Level] = []
        self._seen = IdSet()
        self.found: list[Unsaved] = []
        self.size = 0
        self.visited = array("q")
        self.missing: dict[Cid, int] = {}
        """With the id of the pin or root above."""
        self._root = 0

    def go_on(self, database: sqlite3.Connection, steps: int, most: tuple[int, int]) -> bool:
        """Take some steps, until there are so many blocks, or bytes of them; whether that was all."""
        while steps and len(self.found) < most[0] and self.size < most[1]:
            if not self._levels and not self._next_root(database):
                return True
            if self._levels:
                self._step(database, self._levels[-1])
            steps -= 1
        return not self._levels and not self._roots

    def take(self) -> list[Unsaved]:
        """What was found since the last time."""
        found, self.found, self.size = self.found, [], 0
        return found

    def _next_root(self, database: sqlite3.Connection) -> bool:
        if not self._roots:
            return False
        self._root, mode = self._roots.popleft()
        row = database.execute(_ONE, (self._root,)).fetchone()
        if row is not None:
            met = _met(row)
            if mode is Mode.RECURSIVE:
                self._meet(met)
            elif met.whole is None and self._is_there(met):
                self._add(met)
                self.visited.append(met.ident)
        return True

    def _step(self, database: sqlite3.Connection, level: _Level) -> None:
        if not level.ahead:
            most = 1 + AHEAD // (10 + len(self._levels))
            rows = database.execute(_CHILDREN, (level.met.ident, level.next, most)).fetchall()
            level.ahead.extend(_met(row[1:]) for row in rows)
            level.next = rows[-1][0] + 1 if rows else level.next
        if level.ahead:
            self._meet(level.ahead.popleft())
            return
        self._levels.pop()
        self._leave(level.met)

    def _meet(self, met: _Met) -> None:
        if met.whole or not self._seen.add(met.ident) or not self._is_there(met):
            return
        if not met.has_links:
            self._leave(met)
            return
        if len(self._levels) >= DEEPEST:
            raise BitDustError("too-deep", f"block {met.cid} is more than {DEEPEST} links below what is pinned")
        self._levels.append(_Level(met))

    def _is_there(self, met: _Met) -> bool:
        if met.state is State.ABSENT and not met.cid.is_inline:
            self.missing.setdefault(met.cid, self._root)
            return False
        return True

    def _leave(self, met: _Met) -> None:
        """Everything below it was met."""
        if met.whole is None and not met.cid.is_inline:
            self._add(met)
        if met.has_links or met.whole is not None or met.cid.is_inline:
            self.visited.append(met.ident)

    def _add(self, met: _Met) -> None:
        self.found.append(Unsaved(met.cid, met.size, met.has_links, self._root))
        self.size += met.size


def _met(row: tuple[int, int, int, bytes, int, int, int | None, int]) -> _Met:
    ident, version, codec, multihash, size, state, whole, has_links = row
    return _Met(ident, Cid(version, codec, multihash), size, State(state), whole, bool(has_links))
