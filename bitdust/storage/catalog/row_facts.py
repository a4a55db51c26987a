"""What rows of items are made of, read for many items with one statement each.

Every statement finds its rows by an index, so that a list costs what it shows and not what the catalog holds.
"""

import json
import os
import sqlite3
from collections.abc import Sequence

from attrs import define, field, frozen

from bitdust.storage.catalog.paths import order_of
from bitdust.wire.names import shown

MOST_KEPT = 20_000
"""Folders whose figures are kept; what is more is added up again."""
_NOWHERE = "(?>0 AND packs.n<>? AND EXISTS (SELECT 1 FROM nowhere w WHERE w.pack=packs.pack))"
"""SQL about a row of ``packs``: whether it is of another size and can be had from nowhere."""
_PATHS = "(SELECT value FROM json_each(?))"


@frozen
class StoredVersion:
    """What a row tells of a version; ``mtime`` in nanoseconds."""

    version: str
    size: int
    mtime: int
    device: bytes
    sequence: int


@frozen
class Below:
    """Of all that is below a folder: bytes of the newest versions up to one, and which version is the newest."""

    size: int
    newest: str


@frozen
class Safety:
    """Of all pieces of a version: how many are acknowledged, and how it stands with the weakest of its packs.

    ``surest`` and ``fewest`` are the share and number of pieces that count there, without those of suppliers that are
    doubted; ``doubted`` is how many those are in all packs. ``recoding`` packs are for another number of suppliers, and
    ``leaving`` pieces at suppliers that leave; ``nowhere`` counts those of the former that cannot be had.
    """

    packs: int
    acked: int
    due: int
    weakest: float
    surest: float
    fewest: int
    doubted: int = 0
    recoding: int = 0
    leaving: int = 0
    nowhere: int = 0


@frozen
class Changing:
    """What is about to change: packs that are not for ``size`` suppliers are coded again (0: any size is right), and
    pieces at suppliers that are ``leaving`` move to others."""

    size: int = 0
    leaving: frozenset[bytes] = frozenset()


STEADY = Changing()
NO_PACKS = Safety(0, 0, 0, 1.0, 1.0, 0)


@define
class FolderFigures:
    """What was added up for whole folders; good for one state of the catalog, and only so many of them."""

    sizes: dict[tuple[str, str], Below] = field(factory=dict)
    safeties: dict[str, Safety] = field(factory=dict)


@frozen
class FolderLocation:
    """The names above the items of a folder, and where the folder is on this machine if that is known."""

    above: str
    source: bytes | None


class Facts:
    """I read from one connection; what many rows share is read once. Pieces of ``doubted`` suppliers do not count as
    sure; while there is no such supplier, and none is leaving, nothing is read of single pieces."""

    def __init__(
        self,
        database: sqlite3.Connection,
        figures: FolderFigures,
        doubted: frozenset[bytes] = frozenset(),
        changing: Changing = STEADY,
    ) -> None:
        self._database = database
        self._figures = figures
        self._places = {"": FolderLocation("", None)}
        self._orders: dict[str, tuple[float, str]] = {}
        self._pieces: dict[bytes, tuple[int, int, int, int, int]] = {}
        self._doubted = tuple(sorted(doubted))
        self._doubts = doubts_of(len(self._doubted))
        self._size, self._sizes = changing.size, (changing.size, changing.size)
        self._leaving = tuple(sorted(changing.leaving))
        self._left = doubts_of(len(self._leaving))

    # of many items

    def versions(self, paths: Sequence[str]) -> dict[str, list[StoredVersion]]:
        """Living versions by path, the oldest first."""
        found: dict[str, list[StoredVersion]] = {}
        for path, *version in self._database.execute(
            f"SELECT path, version, size, mtime, device, sequence FROM versions WHERE path IN {_PATHS} AND dead=0",
            (json.dumps(paths),),
        ):
            found.setdefault(path, []).append(StoredVersion(*version))
        for several in found.values():
            if len(several) > 1:
                several.sort(key=self._order)
        return found

    def _order(self, version: StoredVersion) -> tuple[float, str]:
        order = self._orders.get(version.version)
        if order is None:
            order = self._orders[version.version] = order_of(version.version)
        return order

    def sources(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Where items are on this machine, of those that have a row of their own for it."""
        rows = self._database.execute(
            f"SELECT path, source FROM local_paths WHERE path IN {_PATHS}", (json.dumps(paths),)
        )
        return {path: bytes(source) for path, source in rows}

    def with_children(self, paths: Sequence[str]) -> set[str]:
        """Those that hold something living."""
        rows = self._database.execute(
            "SELECT value FROM json_each(?) WHERE EXISTS(SELECT 1 FROM items WHERE parent=value AND dead=0)",
            (json.dumps(paths),),
        )
        return {path for (path,) in rows}

    def left(self, paths: Sequence[str]) -> set[str]:
        """Those that were seen to be gone from their source at some time."""
        rows = self._database.execute(f"SELECT path FROM gone WHERE path IN {_PATHS}", (json.dumps(paths),))
        return {path for (path,) in rows}

    def packs(self, paths: Sequence[str]) -> dict[tuple[str, str], tuple[bytes, ...]]:
        """The packs of each version that has any."""
        found: dict[tuple[str, str], list[bytes]] = {}
        rows = self._database.execute(
            f"SELECT path, version, pack FROM version_packs WHERE path IN {_PATHS}", (json.dumps(paths),)
        )
        for path, version, pack in rows:
            found.setdefault((path, version), []).append(pack)
        return {one: tuple(several) for one, several in found.items()}

    # of folders

    def place(self, path: str) -> FolderLocation:
        """Of what is in a folder; the folders above it are read once."""
        unknown: list[tuple[str, bytes]] = []
        while path not in self._places:
            row = self._database.execute("SELECT parent, name FROM items WHERE path=?", (path,)).fetchone()
            if row is None:
                self._places[path] = FolderLocation("", self.sources([path]).get(path))
                break
            unknown.append((path, row[1]))
            path = row[0]
        place = self._places[path]
        known = self.sources([one for one, _ in unknown]) if unknown else {}
        for one, name in reversed(unknown):
            source = known.get(one)
            if source is None and place.source is not None:
                source = os.path.join(place.source, name)
            place = self._places[one] = FolderLocation(f"{place.above}{shown(name)}/", source)
        return place

    def below(self, path: str, until: str) -> Below:
        """Of the newest versions up to one of all files in a folder; names of versions begin with F."""
        found = self._figures.sizes.get((path, until))
        if found is None:
            row = self._database.execute(
                "SELECT coalesce(sum(size), 0), coalesce(max(newest), '') FROM (SELECT size, max(version) AS newest"
                " FROM versions WHERE dead=0 AND path>? AND path<? AND version<=? GROUP BY path)",
                (f"{path}/", f"{path}0", until),
            ).fetchone()
            found = Below(*row)
            if len(self._figures.sizes) < MOST_KEPT:
                self._figures.sizes[path, until] = found
        return found

    def safety_below(self, path: str) -> Safety:
        """Of all packs that hold anything in a folder."""
        found = self._figures.safeties.get(path)
        if found is None:
            row = self._database.execute(
                "SELECT count(*), coalesce(sum(acked), 0), coalesce(sum(n), 0), coalesce(min(acked * 1.0 / n), 1.0),"
                " coalesce(min((acked - doubts) * 1.0 / n), 1.0), coalesce(min(acked - doubts), 0),"
                " coalesce(sum(doubts), 0), coalesce(sum(?>0 AND n<>?), 0), coalesce(sum(parting), 0),"
                " coalesce(sum(lacking), 0)"
                f" FROM (SELECT acked, n, {self._doubts} AS doubts, {self._left} AS parting, {_NOWHERE} AS lacking"
                " FROM packs"
                " WHERE pack IN (SELECT DISTINCT pack FROM version_packs WHERE path>? AND path<?))",
                (*self._sizes, *self._doubted, *self._leaving, *self._sizes, f"{path}/", f"{path}0"),
            ).fetchone()
            found = Safety(*row)
            if len(self._figures.safeties) < MOST_KEPT:
                self._figures.safeties[path] = found
        return found

    # of packs

    def safety(self, packs: tuple[bytes, ...]) -> Safety:
        """Of the packs of one version; those that are not known count for nothing."""
        known = [found for found in map(self._pack, packs) if found is not None]
        if not known:
            return NO_PACKS
        acked, sure = sum(one for one, *_ in known), [one - doubts for one, doubts, *_ in known]
        weakest = min(one / n for one, _, n, *_ in known)
        surest = min((one - doubts) / n for one, doubts, n, *_ in known)
        recoding = sum(n != self._size for _, _, n, *_ in known) if self._size else 0
        due, leaving, nowhere = (sum(one[column] for one in known) for column in (2, 3, 4))
        doubted = acked - sum(sure)
        return Safety(len(known), acked, due, weakest, surest, min(sure), doubted, recoding, leaving, nowhere)

    def _pack(self, pack: bytes) -> tuple[int, int, int, int, int] | None:
        found = self._pieces.get(pack)
        if found is None:
            if len(self._pieces) >= MOST_KEPT:
                self._pieces.clear()
            query = f"SELECT acked, {self._doubts}, n, {self._left}, {_NOWHERE} FROM packs WHERE pack=?"
            values = (*self._doubted, *self._leaving, *self._sizes, pack)
            found = self._database.execute(query, values).fetchone()
            if found is not None:
                self._pieces[pack] = found
        return found


def doubts_of(doubted: int) -> str:
    """SQL: how many pieces of a row of ``packs`` were acknowledged by certain suppliers, given so many."""
    if not doubted:
        return "0"
    names = ", ".join("?" * doubted)
    return f"(SELECT count(*) FROM pieces s WHERE s.pack=packs.pack AND s.state=1 AND s.supplier IN ({names}))"
