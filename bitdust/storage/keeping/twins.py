"""One place that two devices have made at the same time: it becomes one item with the versions of both.

The item that was made first stays, by (lamport, device, path id), and the versions of the other one are said again
under it, at their own places in the order of all entries; then the other one is empty and goes. Whoever does not know
of that yet and writes to it brings it back into view with what is new, and that is moved as well. Its path id goes on
to name the item that stays (`bitdust.storage.catalog.paths.by_id`).
"""

import sqlite3
from collections.abc import Iterator

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.formats.operations import Op, earlier_op, item_op, tombstone_op, version_ops
from bitdust.storage.catalog.apply import extents_of
from bitdust.storage.catalog.extras import extras_of
from bitdust.storage.catalog.paths import next_path_id
from bitdust.storage.keeping.cleaning import Builders
from bitdust.storage.log.replicas import LogReplicas
from bitdust.storage.log.writer import LogWriter
from bitdust.surroundings import Connected

LEFT_ALONE = 3_600_000
"""Milliseconds after which any device moves what the device that made it has not moved: it may be gone."""
AT_ONCE = 200
Place = tuple[str, bytes, str, str]


@frozen
class _Item:
    path: str
    lamport: int
    device: bytes
    time: int


def _living(database: sqlite3.Connection, place: Place) -> list[_Item]:
    """Items of one parent, name, key and type, the one that stays first."""
    rows = database.execute(
        "SELECT path, lamport, device, time FROM items WHERE parent=? AND name=? AND key=? AND type=? AND dead=0"
        " ORDER BY lamport, device, path",
        place,
    )
    return [_Item(path, lamport, bytes(device), time) for path, lamport, device, time in rows]


def shared_places(database: sqlite3.Connection) -> list[Place]:
    """Places of which there are several living items. It reads all items: for a thread."""
    return database.execute(
        "SELECT parent, name, key, type FROM items WHERE dead=0 GROUP BY parent, name, key, type HAVING count(*)>1"
        " LIMIT ?",
        (AT_ONCE,),
    ).fetchall()


@define
class Joining:
    """I make the operations that move one item into another, inside a transaction."""

    database: sqlite3.Connection
    number: int
    now: int
    ops: list[Op] = field(factory=list)
    moved: list[tuple[str, str]] = field(factory=list)
    """Path ids, old and new."""

    def join(self, place: Place, mine: bytes) -> None:
        """Move what this device has made, or what nobody has moved for long."""
        stays, *others = _living(self.database, place)
        for other in others:
            if other.device == mine or other.time <= self.now - LEFT_ALONE:
                self._move(other, stays.path, place[2])

    def _move(self, item: _Item, to: str, key: str) -> None:
        versions = list(self._versions(item.path, to))
        names = [f"{item.path}/{version}" for version in dict.fromkeys(version for version, _ in versions)]
        self.ops += [op for _, op in versions]
        for child, place in list(self._children(item.path, to)):
            there = _living(self.database, place)
            path = there[0].path if there else next_path_id(self.database, to, self.number)
            if not there:
                self.ops.append(item_op(path, to, place[1], place[3], place[2], child.time))
            self._move(child, path, place[2])
        if names:
            self.ops.append(tombstone_op(names, [], self.now))
        # At the item's own place in the order: it hides nothing that somebody has written to the item unheard.
        self.ops.append(earlier_op(item.lamport, item.device, 0, [tombstone_op([item.path], [], self.now)]))
        self.moved.append((item.path, to))

    def _children(self, path: str, to: str) -> Iterator[tuple[_Item, Place]]:
        rows = self.database.execute(
            "SELECT path, lamport, device, time, name, key, type FROM items WHERE parent=? AND dead=0", (path,)
        )
        for child, lamport, device, time, name, key, kind in rows:
            yield _Item(child, lamport, bytes(device), time), (to, bytes(name), key, kind)

    def _versions(self, path: str, to: str) -> Iterator[tuple[str, Op]]:
        rows = self.database.execute(
            "SELECT version, size, mode, mtime, extents, target, lamport, device, sequence FROM versions"
            " WHERE path=? AND dead=0",
            (path,),
        ).fetchall()
        buried = self.database.execute("SELECT lamport, device FROM tombstones WHERE name=?", (to,)).fetchone()
        for version, size, mode, mtime, extents, target, lamport, device, sequence in rows:
            link = None if target is None else bytes(target)
            known = None if link else extents_of(extents)
            for op in version_ops(to, version, size, mode, mtime, known, link, extras_of(self.database, path, version)):
                is_hidden = buried is not None and (buried[0], bytes(buried[1])) >= (lamport, bytes(device))
                yield version, op if is_hidden else earlier_op(lamport, bytes(device), sequence, [op])

    def follow(self) -> None:
        """What this disk knows of the sources of items."""
        for old, new in self.moved:
            self.database.execute("UPDATE OR IGNORE local_paths SET path=? WHERE path=?", (new, old))
            for table in ("local_paths", "seen"):
                self.database.execute(f"DELETE FROM {table} WHERE path=?", (old,))


class Twins:
    """I look after every comparison that brought something, while nothing is being uploaded."""

    log = Logger()

    def __init__(self, around: Connected, writer: LogWriter, replicas: LogReplicas, builders: Builders) -> None:
        self._world = around.world
        self._me = around.me
        self._writer = writer
        self._replicas = replicas
        self._builders = builders
        self._looked = -1
        self._is_looking = False
        replicas.merged.connect(self.look)

    def look(self) -> None:
        """Join what there is twice."""
        catalog, replicas = self._writer.catalog, self._replicas
        is_due = catalog.is_open and catalog.revision != self._looked and not self._is_looking
        if is_due and self._builders.is_quiet and replicas.knows_all and not replicas.is_alone_everywhere():
            self._is_looking = True
            looking: Deferred[None] = Deferred.fromCoroutine(self._look())
            looking.addErrback(lambda failure: self.log.warn("places were not joined: {why}", why=failure.value))
            looking.addBoth(lambda _: setattr(self, "_is_looking", False))

    async def _look(self) -> None:
        catalog = self._writer.catalog
        looked = catalog.revision
        places = await catalog.read_in_thread(shared_places)
        if places:
            await self._join(places)
        self._looked = looked

    def _join(self, places: list[Place]) -> "Deferred[int]":
        made: list[Joining] = []

        def ops(database: sqlite3.Connection) -> list[Op]:
            joining = Joining(database, self._me.device_number, int(self._world.wall() * 1000))
            for place in places if self._builders.is_quiet else ():
                if len(_living(database, place)) > 1:
                    joining.join(place, self._me.device.id)
            made[:] = [joining]  # what is written again is looked for again
            return joining.ops

        def follow(_: sqlite3.Connection) -> None:
            for joining in made:
                joining.follow()

        return self._writer.write(ops, follow)
