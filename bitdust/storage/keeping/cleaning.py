"""Letting go: deleted items, old versions and packs that nothing refers to are named in tombstones of the log.

A pack is named in a tombstone only while no upload could build on it.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import Protocol

from twisted.internet.defer import Deferred

from bitdust.formats.operations import Op, tombstone_op
from bitdust.storage.catalog.calendar import Calendar
from bitdust.storage.catalog.database import PackState
from bitdust.storage.catalog.held import NEEDED
from bitdust.storage.catalog.paths import Item, Target, below, versions
from bitdust.storage.catalog.rows import Row
from bitdust.storage.keeping.disposal import parts
from bitdust.storage.keeping.held_deletions import let_lapse
from bitdust.storage.keeping.old_versions import as_fields, explained, old_names, rules_of, suspects
from bitdust.storage.keeping.silence import Silence
from bitdust.storage.log.replicas import LogReplicas
from bitdust.storage.log.writer import LogWriter
from bitdust.surroundings import Connected
from bitdust.wire.names import split_version

AT_ONCE = 5000
ORPHAN_AGE = 86_400


class Builders(Protocol):
    """Who builds on packs; `bitdust.storage.upload.jobs.Uploads` is it."""

    @property
    def is_quiet(self) -> bool:
        """Whether no upload could be building on a pack."""


class Cleaner:
    """I decide what goes, and say so in the log."""

    def __init__(
        self, around: Connected, writer: LogWriter, replicas: LogReplicas, builders: Builders,
        calendars: tuple[Calendar, Silence],
    ) -> None:  # fmt: skip
        self._settings = around.settings
        self._writer = writer
        self._replicas = replicas
        self._builders = builders
        self._calendar, self._silence = calendars
        self._looked: tuple[int, int] | None = None
        self._awaited: tuple[int, Deferred[None]] | None = None
        replicas.acknowledged.connect(self._acknowledged)

    def delete(self, target: Target) -> "Deferred[int]":
        """Take an item, or one version of it, out of the catalog; fires when that is on this disk."""
        now = int(self._calendar.stamp() * 1000)

        def ops(database: sqlite3.Connection) -> list[Op]:
            if target.item is None:
                return []
            names = [*_versions_below(database, target.item, target.version)] if target.version else [
                item.path for item in below(database, target.item)
            ]  # fmt: skip
            return [tombstone_op(part, [], now) for part in parts(names, AT_ONCE)]

        return self._writer.write(ops)

    async def clean(self) -> None:
        """Old versions, and packs without use, are named in tombstones."""
        if self._replicas.knows_all and self._builders.is_quiet:
            await self._writer.catalog.change_quietly(self._calendar.note)
            await self._writer.catalog.change_quietly(self._silence.note)
            await let_lapse(self._writer.catalog, self._settings, self._calendar)
            await self._clean_versions()
            await self._until_safe(await self._write(self._unused))

    async def _clean_versions(self) -> None:
        """Where nothing was written since, an hour must pass before I look again."""
        catalog, rules = self._writer.catalog, rules_of(self._settings)
        looked = (catalog.revision, int(self._calendar.now() / 3600))
        if not rules.last or looked == self._looked:
            return

        def look(database: sqlite3.Connection) -> list[str]:
            return list(islice(old_names(database, suspects(database, rules, now), rules, now), AT_ONCE))

        now = self._calendar.now()
        found: list[str] = await catalog.read_in_thread(look)
        paths = list(dict.fromkeys(split_version(name)[0] for name in found))
        if found:
            await self._write(lambda database: (list(old_names(database, paths, rules, now)), []))
        self._looked = None if len(found) == AT_ONCE else looked

    def explain(self, item: Item, rows: Iterable[Row]) -> None:
        """Say in the rows of an item's versions why each stays."""
        judged = explained(self._writer.catalog.read, item, rules_of(self._settings), self._calendar.now())
        for row in rows:
            row.update(as_fields(judged.get(row["version"])))

    def _write(self, choose: "Callable[[sqlite3.Connection], tuple[list[str], list[bytes]]]") -> "Deferred[int]":
        now = int(self._calendar.stamp() * 1000)

        def ops(database: sqlite3.Connection) -> list[Op]:
            names, packs = choose(database) if self._builders.is_quiet else ([], [])
            return [tombstone_op(names, packs, now)] if names or packs else []

        return self._writer.write(ops)

    def _unused(self, database: sqlite3.Connection) -> tuple[list[str], list[bytes]]:
        orphans = self._calendar.now() - ORPHAN_AGE if self._replicas.is_alone() else None
        return [], unused_packs(database, orphans, self._replicas.others.guest_keys())

    def _until_safe(self, mark: int) -> "Deferred[None]":
        """Fires when enough suppliers hold my logs up to a mark; may be cancelled."""
        self._awaited = (mark, Deferred())
        self._acknowledged()
        return self._awaited[1]

    def _acknowledged(self) -> None:
        """A supplier holds more of my log than before."""
        if self._awaited is None:
            return
        mark, waiting = self._awaited
        if not waiting.called and self._replicas.is_logged(mark):
            waiting.callback(None)


def _versions_below(database: sqlite3.Connection, item: Item, version: str) -> Iterator[str]:
    for one in below(database, item):
        if any(known.version == version for known in versions(database, one.path)):
            yield f"{one.path}/{version}"


def unused_packs(
    database: sqlite3.Connection, orphans_before: float | None, guest_keys: Collection[str] = ()
) -> list[bytes]:
    """Packs whose versions are all dead; and, with a moment, older ones that no version ever came to need.

    Under ``guest_keys`` somebody may be building on them unheard.
    """
    query = (
        f"SELECT p.pack FROM packs p WHERE p.state=? AND p.logged=1 AND NOT {NEEDED}"
        " AND (EXISTS (SELECT 1 FROM version_packs v WHERE v.pack=p.pack)"
        " OR (p.time>0 AND p.time<? AND p.key NOT IN (SELECT value FROM json_each(?)))"
        " OR EXISTS (SELECT 1 FROM moves m WHERE m.new=p.pack)) LIMIT ?"
    )
    rows = database.execute(query, (PackState.HELD, orphans_before or 0, json.dumps(sorted(guest_keys)), AT_ONCE))
    return [bytes(row[0]) for row in rows]
