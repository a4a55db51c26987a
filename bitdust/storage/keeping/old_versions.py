"""Which versions of the catalog are old, by the rules of the settings; and why the others stay."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bitdust.config.settings import Settings
from bitdust.crypt.writers import DEVICES
from bitdust.storage.catalog.held import is_late
from bitdust.storage.catalog.paths import Item, Version, version_at, versions
from bitdust.storage.keeping.retention import DAY, Judged, Moment, Rules, judge, may_be_forgotten
from bitdust.wire.names import maker_of, new_version, version_time

AT_ONCE = 5000


def rules_of(settings: Settings) -> Rules:
    """The rules that the settings say."""
    last, daily, weekly, monthly, undo = (
        int(settings.get(f"services/backups/{name}"))
        for name in ("max-copies", "daily-copies", "weekly-copies", "monthly-copies", "undo-days")
    )
    return Rules(last, daily, weekly, monthly, undo * DAY)


def moments_of(database: sqlite3.Connection, path: str) -> list[Moment]:
    """The moments of one item, the oldest first; where it left twice without coming back, the first one counts."""
    rows = database.execute("SELECT version FROM gone WHERE path=?", (path,))
    found = [Moment(one.version, version_time(one.version)) for one in versions(database, path)]
    found += [Moment(version, version_time(version), True) for (version,) in rows]
    found.sort(key=lambda one: (one.time, one.name, one.is_gone))
    return [one for number, one in enumerate(found) if not one.is_gone or (number and not found[number - 1].is_gone)]


def explained(database: sqlite3.Connection, item: Item, rules: Rules, now: float) -> dict[str, Judged]:
    """By version of an item: why it stays."""
    return {one.name: one for one in _judged(moments_of(database, item.path), rules, now)}


def _judged(moments: Sequence[Moment], rules: Rules, now: float) -> list[Judged]:
    """Of several who bring versions each has its own count: nobody's old versions go because another brings many."""
    makers = [_maker(one.name) for one in moments]
    apart = ([one for one, maker in zip(moments, makers, strict=True) if maker == who] for who in sorted(set(makers)))
    return [judged for some in apart for judged in judge(some, rules, now)]


def _maker(version: str) -> int:
    """Who made a version: the owner, or which guest."""
    return maker_of(version) // DEVICES


def suspects(database: sqlite3.Connection, rules: Rules, now: float) -> list[str]:
    """Items with so many versions that one may be old, and items that left their source long ago; reads for long."""
    many = database.execute(
        "SELECT path FROM versions WHERE dead=0 GROUP BY path HAVING count(*)>?", (rules.last,)
    ).fetchall()
    long_ago = new_version(max(0.0, now - rules.undo), 0)
    left = database.execute(
        "SELECT DISTINCT g.path FROM gone g JOIN items i ON i.path=g.path WHERE i.dead=0 AND g.version<=?", (long_ago,)
    ).fetchall()
    return list(dict.fromkeys(path for (path,) in (*many, *left)))


def old_names(database: sqlite3.Connection, paths: Iterable[str], rules: Rules, now: float) -> Iterator[str]:
    """Of items that are suspected: versions that nothing keeps, and whole items that left long ago.

    Nothing of those of which something was heard late, for as long as things can be undone.
    """
    roots: dict[str, list[float]] = {}
    since = int((now - rules.undo) * 1000)
    for path in (one for one in paths if not is_late(database, one, since)):
        moments = moments_of(database, path)
        above = _root_of(database, path)
        if above not in roots:
            roots[above] = [version_time(one.version) for one in _kept(database, above, rules, now)]
        is_of_one = len({_maker(one.name) for one in moments}) == 1
        if (
            is_of_one
            and may_be_forgotten(moments, roots[above], rules, now)
            and version_at(database, path, None) is None
        ):
            yield path
        else:
            yield from (f"{path}/{one.name}" for one in _judged(moments, rules, now) if not one.reasons)


def _kept(database: sqlite3.Connection, path: str, rules: Rules, now: float) -> list[Version]:
    stays = {one.name for one in _judged(moments_of(database, path), rules, now) if one.reasons}
    return [one for one in versions(database, path) if one.version in stays]


def _root_of(database: sqlite3.Connection, path: str) -> str:
    """The topmost folder above an item that has versions: the one that is uploaded; empty where there is none."""
    root, parent = "", path.rpartition("/")[0]
    while parent:
        if database.execute("SELECT 1 FROM versions WHERE path=? AND dead=0 LIMIT 1", (parent,)).fetchone():
            root = parent
        parent = parent.rpartition("/")[0]
    return root


def as_fields(judged: Judged | None) -> dict[str, Any]:
    """The fields that an answer about a version has for it."""
    return {"kept": list(judged.reasons) if judged else [], "kept_until": judged.until if judged else None}
