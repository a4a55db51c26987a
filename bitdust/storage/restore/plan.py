"""What a restore brings back: the entries of one moment of the catalog, and which packs hold their bytes."""

import contextlib
import sqlite3
from collections import deque
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from attrs import define, field, frozen
from cbor2 import loads

from bitdust.formats.extras import NO_EXTRAS, Extras
from bitdust.storage.catalog.apply import extents_of
from bitdust.storage.catalog.database import CatalogError
from bitdust.storage.catalog.extras import extras_of
from bitdust.storage.catalog.moves import current
from bitdust.storage.catalog.paths import Item, Target, Version, children, path_of, version_at, versions
from bitdust.storage.catalog.whereabouts import HAS_ENOUGH, GivenUp
from bitdust.storage.restore.tree import CHANGED, LEADS_ELSEWHERE, LEFT_OUT, OLDER, Destination, Parts, part_name
from bitdust.wire.names import is_entry_name, shown
from bitdust.wire.sizes import in_words

SWOLLEN = 64
"""Where not all fits, versions that say they are so many times as large as what is stored for them are left out."""


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
    """One file: ``left`` counts the runs that are not in it yet; ``is_named``: it is whole, and where it belongs.

    Of files with equal ``twin``, which are names of one file, one is the ``leader`` of the others, whose names are
    linked to it when it is there with its ``identity`` (device and inode). ``told`` is what could not be put on the
    growing file beside its bytes, None while nothing was. ``is_swollen``: it says that it is far larger than what is
    stored for it.
    """

    item: Item
    version: Version
    place: Destination
    runs: list[Run]
    left: int = 0
    is_named: bool = False
    extras: Extras = NO_EXTRAS
    twin: tuple[Any, ...] | None = None
    leader: "FileWork | None" = None
    identity: tuple[int, int] | None = None
    told: list[str] | None = None
    is_synced: bool = False
    is_swollen: bool = False
    part: bytes = field(init=False)
    """The name under which it grows."""

    @part.default
    def _part(self) -> bytes:
        return part_name(self.item.path, self.version.version)


@frozen
class LinkWork:
    """One link, ``depth`` folders deep in its tree."""

    item: Item
    version: Version
    place: Destination
    depth: int
    extras: Extras = NO_EXTRAS


@frozen
class FolderWork:
    """One folder; without a version its mode and time are not known."""

    parts: Parts
    version: Version | None
    extras: Extras = NO_EXTRAS

    @property
    def text(self) -> str:
        """Its path for people."""
        return shown(b"/".join(self.parts))


@define
class RestorePlan:
    """Everything in the order of the tree, folders before what is in them. ``given_up`` says of versions that were
    asked for by name why they cannot be had."""

    folders: list[FolderWork] = field(factory=list)
    files: list[FileWork] = field(factory=list)
    links: list[LinkWork] = field(factory=list)
    problems: list[dict[str, str]] = field(factory=list)
    given_up: list[str] = field(factory=list)
    total: int = 0
    version: str = ""


class Planner:
    """I read the catalog, in a thread. In place of a version that was ``given_up`` I take the newest that was not, and
    so for one that makes no sense, or would not fit on an empty disk of ``capacity`` bytes."""

    def __init__(
        self, database: sqlite3.Connection, given_up: GivenUp | None = None, capacity: int | None = None
    ) -> None:
        self._database = database
        self._given_up = given_up
        self._capacity = capacity
        self._packs: dict[bytes, _Pack] = {}
        self._current: dict[bytes, bytes] = {}
        self._bytes = 0
        self._refusal = "incomplete"
        self._waiting: list[tuple[str, Parts, int]] = []
        """Folders that are still to be visited, their places and how deep they are: any depth there is."""
        self.plan = RestorePlan()

    def make(self, target: Target, name: bytes | None = None) -> RestorePlan:
        """``name`` is that of an item at its destination, where it has another one than in the catalog.

        Raises `CatalogError` ``not-found`` when there is nothing to bring back, ``incomplete`` when it was given up,
        ``disk-full`` when it is too large for any disk like this one."""
        tops = [target.item] if target.item is not None else children(self._database, "", target.key)
        self._visit_all(tops, (), target.version, 0, name)
        while self._waiting:
            folder, parts, depth = self._waiting.pop()
            self._visit_all(children(self._database, folder), parts, target.version, depth)
        plan = self.plan
        if not (plan.files or plan.links or any(folder.version for folder in plan.folders)):
            if plan.problems:
                raise CatalogError(self._refusal, plan.problems[0]["reason"])
            shown = path_of(self._database, target.item) if target.item is not None else "the catalog"
            raise CatalogError("not-found", f"{shown!r} was not found in the catalog with any version: upload it first")
        return plan

    def _visit_all(
        self, items: list[Item], parts: Parts, version: str | None, depth: int, name: bytes | None = None
    ) -> None:
        """Items of one folder. What cannot have its own name there is told."""
        for item, own_name in _names(items):
            place = Destination(parts, name or own_name)
            if not is_entry_name(place.name):
                self._problem(Destination(parts, item.name), LEADS_ELSEWHERE, LEFT_OUT)
                continue
            if own_name != item.name and version_at(self._database, item.path, version) is not None:
                text = f"there are two of this name; this one is restored as {shown(own_name)}"
                self._problem(Destination(parts, item.name), text, CHANGED)
            self._visit(item, place, version, depth)

    def _problem(self, place: Destination, reason: str, code: str) -> None:
        self.plan.problems.append({"path": place.text, "reason": reason, "code": code})

    def _visit(self, item: Item, place: Destination, version: str | None, depth: int) -> None:
        found = self._chosen(item, place, version)
        if found is not None and (version is None or not self.plan.version):
            self.plan.version = max(self.plan.version, found.version)
        if item.kind == "folder":
            parts = (*place.folders, place.name)
            self.plan.folders.append(FolderWork(parts, found, self._extras(found)))
            self._waiting.append((item.path, parts, depth + 1))
        elif found is not None and found.target is not None:
            self.plan.links.append(LinkWork(item, found, place, max(0, depth - 1), self._extras(found)))
        elif found is not None:
            try:
                self._file(item, found, place)
            except CatalogError as error:
                self._refusal = error.code if error.code == "disk-full" else self._refusal
                self._instead(item, found, place, version, str(error))

    def _instead(self, item: Item, bad: Version, place: Destination, version: str | None, what: str) -> None:
        """A version that cannot be, as somebody makes it up, keeps back nothing else."""
        why = f"version {bad.version} {what}"
        before = [one for one in versions(self._database, item.path) if one.order < bad.order and one.target is None]
        for older in reversed(before) if version is None else ():
            with contextlib.suppress(CatalogError):
                if not self._is_given_up(older):
                    self._file(item, older, place)
                    self._problem(place, f"version {older.version} was taken; the newer {why}", OLDER)
                    self.plan.problems[-1] |= {"version": older.version, "newest": bad.version}
                    return
        self._problem(place, why, LEFT_OUT)

    def _chosen(self, item: Item, place: Destination, version: str | None) -> Version | None:
        """The version that is meant, or the newest before it that can be had; which one is told."""
        found = version_at(self._database, item.path, version)
        if found is None or not self._is_given_up(found):
            return found
        before = [one for one in versions(self._database, item.path) if one.order < found.order]
        taken = next((one for one in reversed(before) if not self._is_given_up(one)), None)
        why = f"version {found.version} cannot be had: too few pieces of it have ever come to suppliers, or are left"
        if version is not None or taken is None:
            more = f"; version {taken.version} can" if taken is not None else "; there is no version before it"
            self._problem(place, why + more, LEFT_OUT)
            self.plan.given_up += [f"{place.text}: {why}{more}"] if version is not None else []
            return None
        self._problem(place, f"version {taken.version} was taken; the newer {why}", OLDER)
        self.plan.problems[-1] |= {"version": taken.version, "newest": found.version}
        return taken

    def _is_given_up(self, version: Version) -> bool:
        return self._given_up is not None and self._given_up.has(self._database, version.path, version.version)

    def _extras(self, version: Version | None) -> Extras:
        return extras_of(self._database, version.path, version.version) if version is not None else NO_EXTRAS

    def _file(self, item: Item, version: Version, place: Destination) -> None:
        """Raises `CatalogError` for a version that cannot be, which is looked at before it takes memory."""
        extras = self._extras(version)
        extents = self._extents(version)
        size = sum(self._of(pack).size_of(first, count) for pack, first, count in extents)
        stored = sum(self._of(pack).size for pack in {pack for pack, _, _ in extents})
        if size + sum(length for _, length in extras.holes) != version.size:
            raise CatalogError("damaged-catalog", "is not as long as its chunks")
        is_swollen = size > SWOLLEN * stored
        capacity = self._capacity
        if capacity is not None and size + (self._bytes if is_swollen else 0) > capacity:
            raise CatalogError("disk-full", f"has {in_words(size)}, for which this disk is too small")
        self._bytes += size
        runs = list(self._runs(extents, deque(extras.holes)))
        work = FileWork(item, version, place, runs, len(runs), extras=extras, is_swollen=is_swollen)
        if extras.links is not None:
            work.twin = (extras.links, version.size, version.mode, version.mtime, hash(tuple(runs)))
        self.plan.files.append(work)
        self.plan.total += version.size

    def _extents(self, version: Version) -> list[tuple[bytes, int, int]]:
        """Pack, first chunk and count, of the packs that hold the chunks now."""
        row = self._database.execute(
            "SELECT extents FROM versions WHERE path=? AND version=?", (version.path, version.version)
        ).fetchone()
        found = []
        for named, first, count in extents_of(row[0]):
            pack = self._current.get(named) or self._current.setdefault(named, current(self._database, named))
            found.append((pack, first, count))
        return found

    def _runs(self, extents: list[tuple[bytes, int, int]], holes: deque[tuple[int, int]]) -> Iterator[Run]:
        offset = 0
        for pack, first, count in extents:
            run = Run(pack, first, tuple(self._of(pack).lengths[first : first + count]), offset)
            if not holes:
                yield run
                offset += run.size
                continue
            for part in parted(run, holes):
                yield part
                offset = part.offset + part.size

    def _of(self, pack: bytes) -> "_Pack":
        known = self._packs.get(pack)
        if known is None:
            query = f"SELECT lengths, CASE WHEN {HAS_ENOUGH} THEN size ELSE 0 END FROM packs p WHERE pack=?"
            row = self._database.execute(query, (pack,)).fetchone()
            known = self._packs[pack] = _Pack(loads(row[0]), row[1]) if row is not None else _Pack([], 0)
        return known


class _Pack:
    """The lengths of a pack's chunks, and its sealed ``size``, 0 while not enough of it is known to be anywhere."""

    def __init__(self, lengths: list[int], size: int) -> None:
        self.lengths = lengths
        self.size = size
        self._starts = list(accumulate(lengths, initial=0))

    def size_of(self, first: int, count: int) -> int:
        """Bytes of chunks in a row. Raises `CatalogError` where the pack has not so many."""
        if not 0 <= first <= first + count < len(self._starts):
            raise CatalogError("damaged-catalog", "names chunks that the catalog does not know")
        return self._starts[first + count] - self._starts[first]


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


def parted(run: Run, holes: deque[tuple[int, int]]) -> Iterator[Run]:
    """A run as parts between holes, of which those before its offset were taken out; those inside are taken out."""
    lengths: list[int] = []
    first, start, position = run.first, run.offset, run.offset
    for number, length in enumerate(run.lengths, run.first):
        before = position
        position = leap(position, holes)
        if position != before:
            if lengths:
                yield Run(run.pack, first, tuple(lengths), start)
            first, start, lengths = number, position, []
        lengths.append(length)
        position += length
    yield Run(run.pack, first, tuple(lengths), start)


def leap(position: int, holes: deque[tuple[int, int]]) -> int:
    """Over the holes that begin here; no chunk reaches over one."""
    while holes and holes[0][0] <= position:
        offset, length = holes.popleft()
        position = max(position, offset + length)
    return position


def pair(files: list[FileWork]) -> None:
    """Of several names of one file the first is fetched, and leads the others, of which nothing is."""
    leaders: dict[tuple[Any, ...], FileWork] = {}
    for file in files:
        if file.twin is None:
            continue
        leader = leaders.setdefault(file.twin, file)
        if leader is not file:
            file.leader, file.runs, file.left = leader, [], 0


def pack_order(files: list[FileWork]) -> list[bytes]:
    """Each pack once, in the order in which files first need it."""
    return list(dict.fromkeys(run.pack for file in files for run in file.runs))
