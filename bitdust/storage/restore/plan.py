"""What a restore brings back: the entries of one moment of the catalog, and which packs hold their bytes."""

import sqlite3
from collections.abc import Iterator

from attrs import define, field, frozen
from cbor2 import loads

from bitdust.storage.catalog.apply import extents_of
from bitdust.storage.catalog.database import CatalogError
from bitdust.storage.catalog.moves import current
from bitdust.storage.catalog.paths import Item, Target, Version, children, path_of, version_at
from bitdust.storage.restore.tree import Destination, Parts, part_name


@frozen
class Run:
    """Chunks in a row of one pack, and where in the file they belong, in bytes."""

    pack: bytes
    first: int
    lengths: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        return sum(self.lengths)


@define(eq=False)
class FileWork:
    """One file: ``left`` counts the runs that are not in it yet; ``is_named``: it is whole, and where it belongs."""

    item: Item
    version: Version
    place: Destination
    runs: list[Run]
    left: int = 0
    is_named: bool = False

    @property
    def part(self) -> bytes:
        """The name under which it grows."""
        return part_name(self.item.path, self.version.version)


@frozen
class LinkWork:
    """One link, ``depth`` folders deep in its tree."""

    item: Item
    version: Version
    place: Destination
    depth: int


@frozen
class FolderWork:
    """One folder; without a version its mode and time are not known."""

    parts: Parts
    version: Version | None


@define
class RestorePlan:
    """Everything in the order of the tree, folders before what is in them."""

    folders: list[FolderWork] = field(factory=list)
    files: list[FileWork] = field(factory=list)
    links: list[LinkWork] = field(factory=list)
    problems: list[dict[str, str]] = field(factory=list)
    total: int = 0
    version: str = ""


class Planner:
    """I read the catalog, in a thread."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._lengths: dict[bytes, list[int]] = {}
        self._current: dict[bytes, bytes] = {}
        self.plan = RestorePlan()

    def make(self, target: Target, name: bytes | None = None) -> RestorePlan:
        """``name`` is that of an item at its destination, where it has another one than in the catalog.

        Raises `CatalogError` ``not-found`` when there is nothing to bring back."""
        tops = [target.item] if target.item is not None else children(self._database, "", target.key)
        for item, own_name in _names(tops):
            self._visit(item, Destination((), name or own_name), target.version, 0)
        plan = self.plan
        if not (plan.files or plan.links or any(folder.version for folder in plan.folders)):
            shown = path_of(self._database, target.item) if target.item is not None else "the catalog"
            raise CatalogError("not-found", f"{shown!r} was not found in the catalog with any version: upload it first")
        return plan

    def _visit(self, item: Item, place: Destination, version: str | None, depth: int) -> None:
        found = version_at(self._database, item.path, version)
        if found is not None and (version is None or not self.plan.version):
            self.plan.version = max(self.plan.version, found.version)
        if item.kind == "folder":
            parts = (*place.folders, place.name)
            self.plan.folders.append(FolderWork(parts, found))
            for child, name in _names(children(self._database, item.path)):
                self._visit(child, Destination(parts, name), version, depth + 1)
        elif found is not None and found.target is not None:
            self.plan.links.append(LinkWork(item, found, place, max(0, depth - 1)))
        elif found is not None:
            self._file(item, found, place)

    def _file(self, item: Item, version: Version, place: Destination) -> None:
        runs = list(self._runs(version))
        self.plan.files.append(FileWork(item, version, place, runs, len(runs)))
        self.plan.total += version.size

    def _runs(self, version: Version) -> Iterator[Run]:
        row = self._database.execute(
            "SELECT extents FROM versions WHERE path=? AND version=?", (version.path, version.version)
        ).fetchone()
        offset = 0
        for named, first, count in extents_of(row[0]):
            pack = self._current.get(named) or self._current.setdefault(named, current(self._database, named))
            run = Run(pack, first, tuple(self._of(pack)[first : first + count]), offset)
            if len(run.lengths) != count:
                raise CatalogError("damaged-catalog", f"version {version.path}/{version.version} names unknown chunks")
            offset += run.size
            yield run

    def _of(self, pack: bytes) -> list[int]:
        known = self._lengths.get(pack)
        if known is None:
            row = self._database.execute("SELECT lengths FROM packs WHERE pack=?", (pack,)).fetchone()
            known = self._lengths[pack] = loads(row[0]) if row is not None else []
        return known


def _names(items: list[Item]) -> list[tuple[Item, bytes]]:
    """Items of one folder with names of their own: of two with the same name, the later one keeps it."""
    taken: set[bytes] = set()
    named: list[tuple[Item, bytes]] = []
    for item in reversed(items):
        name = item.name
        if name in taken:
            name = name[:200] + b" (" + item.path.replace("/", "-").encode()[-50:] + b")"
        taken.add(name)
        named.append((item, name))
    return named[::-1]


def pack_order(files: list[FileWork]) -> list[bytes]:
    """Each pack once, in the order in which files first need it."""
    return list(dict.fromkeys(run.pack for file in files for run in file.runs))
