"""From what a person typed to items of the catalog, and which version of each is meant."""

import sqlite3
from collections.abc import Collection, Iterator
from typing import Any

from attrs import frozen

from bitdust.storage.catalog.database import CatalogError, meta, set_meta
from bitdust.wire.names import LATEST, BadName, RemotePath, is_path_id, new_version, shown, split_version, version_time

MASTER = "master"
_ITEM = "path, parent, name, type, key, time, label"


@frozen
class Item:
    """One place in the catalog; ``parent`` is empty at the top, ``time`` is milliseconds since the epoch."""

    path: str
    parent: str
    name: bytes
    kind: str
    key: str
    time: int
    label: str = ""

    @property
    def text(self) -> str:
        """The name for people; bytes that are no UTF-8 are shown as \\xNN."""
        return shown(self.name)


@frozen
class Target:
    """What a remote path names: an item, or with ``item`` None all of a key's catalog; perhaps one version of it.

    ``owner`` is the global id of the catalog's owner where that is somebody else.
    """

    key: str
    item: Item | None
    version: str | None = None
    owner: str = ""


def key_alias(remote: RemotePath, my_names: Collection[str]) -> str:
    """The alias of a key of mine. Raises `CatalogError` ``not-found`` for somebody else's."""
    if remote.key is None:
        return MASTER
    if remote.key.owner not in my_names:
        raise not_found(str(remote), f"{remote.key.owner} is somebody else")
    return remote.key.alias


def not_found(path: str, why: str = "") -> CatalogError:
    """The phrase that existing clients look for."""
    return CatalogError("not-found", f"{path!r} was not found in the catalog" + (f": {why}" if why else ""))


def find(database: sqlite3.Connection, text: str, my_names: Collection[str]) -> Target:
    """Path, path id, or either with ``/version``. Raises `CatalogError` ``not-found``, `BadName`."""
    remote = RemotePath.parse(text)
    key = key_alias(remote, my_names)
    path, version = split_version(remote.path)
    if path == "" and version is None:
        return Target(key, None)
    item = by_path(database, key, path)
    if item is None and version is not None:
        item, version = by_path(database, key, remote.path), None
    if item is None and is_path_id(path):
        item = by_id(database, path)
    if item is None:
        raise not_found(text)
    if version is not None and not has_version(database, item, version):
        raise not_found(text, "there is no such version")
    return Target(item.key, item, version)


def parse_id(text: str) -> tuple[str, str | None]:
    """Path id and version of ``0/0/1`` or ``0/0/1/F20261121034159123-0``, whatever key stands before it.

    Raises `BitDustError` ``bad-name``."""
    path, version = split_version(RemotePath.parse(text).path)
    if not is_path_id(path):
        raise BadName(f"{text[:100]!r} is neither a path id such as 0/0/1 nor one followed by a version")
    return path, version


def find_id(database: sqlite3.Connection, text: str) -> Target:
    """The item with a path id, and the version if one is named. Raises `CatalogError` ``not-found``, `BadName`."""
    path, version = parse_id(text)
    item = by_id(database, path)
    if item is None:
        raise not_found(text)
    if version is not None and not has_version(database, item, version):
        raise not_found(text, "there is no such version")
    return Target(item.key, item, version)


def by_id(database: sqlite3.Connection, path_id: str) -> Item | None:
    """The living item with this path id, or the one that its versions were moved to: two devices had made a place."""
    row = database.execute(f"SELECT {_ITEM} FROM items WHERE path=? AND dead=0", (path_id,)).fetchone()
    return Item(*row) if row is not None else _moved_to(database, path_id)


def _moved_to(database: sqlite3.Connection, path_id: str) -> Item | None:
    row = database.execute(
        "SELECT n.path, n.parent, n.name, n.type, n.key, n.time, n.label FROM items o JOIN items n ON n.parent=o.parent"
        " AND n.name=o.name AND n.key=o.key AND n.type=o.type WHERE o.path=? AND o.dead=1 AND n.dead=0 AND EXISTS"
        " (SELECT 1 FROM versions v JOIN versions w ON w.path=n.path AND w.version=v.version WHERE v.path=o.path)",
        (path_id,),
    ).fetchone()
    return Item(*row) if row is not None else None


def by_path(database: sqlite3.Connection, key: str, path: str) -> Item | None:
    """The living item with this path; where there are two of a name, the one that was made last."""
    candidates: list[Item | None] = [None]
    for part in path.split("/"):
        name = os_name(part)
        candidates = [item for parent in candidates for item in named(database, parent, key, name)]
    return candidates[0] if candidates else None


def os_name(text: str) -> bytes:
    """A typed name as bytes; ``\\xNN`` stays what it is, names that are no UTF-8 are reached by their path ids."""
    return text.encode()


def named(database: sqlite3.Connection, parent: Item | None, key: str, name: bytes) -> list[Item]:
    """Living items of this name in a folder, or at the top of a key's catalog; the newest first."""
    rows = database.execute(
        f"SELECT {_ITEM} FROM items WHERE parent=? AND name=? AND key=? AND dead=0 ORDER BY lamport DESC, device DESC",
        (parent.path if parent else "", name, key),
    )
    return [Item(*row) for row in rows]


def children(database: sqlite3.Connection, parent: str, key: str | None = None) -> list[Item]:
    """Living items directly in a folder, by name."""
    rows = database.execute(
        f"SELECT {_ITEM} FROM items WHERE parent=? AND dead=0 ORDER BY name, lamport, device", (parent,)
    )
    return [item for item in (Item(*row) for row in rows) if key is None or item.key == key]


def below(database: sqlite3.Connection, item: Item) -> Iterator[Item]:
    """The item and everything below it, folders before what is in them."""
    waiting = [item]
    while waiting:
        current = waiting.pop()
        yield current
        if current.kind == "folder":
            waiting.extend(reversed(children(database, current.path)))


def path_above(database: sqlite3.Connection, item: Item) -> str:
    """The names from the top down to the folder of the item, with a slash behind each."""
    parts: list[str] = []
    parent = item.parent
    while parent:
        row = database.execute("SELECT parent, name FROM items WHERE path=?", (parent,)).fetchone()
        if row is None:
            break
        parts.append(shown(row[1]) + "/")
        parent = row[0]
    return "".join(reversed(parts))


def path_of(database: sqlite3.Connection, item: Item) -> str:
    """The names from the top down to the item."""
    return path_above(database, item) + item.text


def names_of(database: sqlite3.Connection, item: Item, global_id: str) -> dict[str, Any]:
    """Fields that every answer about an item has."""
    return names_below(path_above(database, item), item, global_id)


def names_below(above: str, item: Item, global_id: str) -> dict[str, Any]:
    """The same where the names above it are known."""
    path = above + item.text
    key_id = f"{item.key}${global_id}"
    return {"remote_path": f"{key_id}:{path}", "key_id": key_id, "path": path, "path_id": item.path}


def has_version(database: sqlite3.Connection, item: Item, version: str) -> bool:
    """Whether this item, or anything below it, was stored under a version."""
    below_it = (f"{item.path}/", f"{item.path}0")
    query = "SELECT 1 FROM versions WHERE version=? AND dead=0 AND (path=? OR (path>? AND path<?)) LIMIT 1"
    return database.execute(query, (version, item.path, *below_it)).fetchone() is not None


@frozen
class Version:
    """One version of one item; ``mtime`` in nanoseconds."""

    path: str
    version: str
    size: int
    mode: int
    mtime: int
    target: bytes | None
    device: bytes = b""
    sequence: int = 0

    @property
    def order(self) -> tuple[float, str]:
        return order_of(self.version)


def order_of(version: str) -> tuple[float, str]:
    """Versions sort by their time, then by their device."""
    return (version_time(version), version)


def versions(database: sqlite3.Connection, path: str) -> list[Version]:
    """Living versions of an item, the oldest first."""
    rows = database.execute(
        "SELECT path, version, size, mode, mtime, target, device, sequence FROM versions WHERE path=? AND dead=0",
        (path,),
    )
    found = [Version(*row) for row in rows]
    return found if len(found) < 2 else sorted(found, key=lambda version: version.order)


def version_at(database: sqlite3.Connection, path: str, version: str | None) -> Version | None:
    """The newest version that is not newer than ``version`` and not gone by then; None where there is none."""
    limit = order_of(version) if version is not None else None
    fitting = [found for found in versions(database, path) if limit is None or found.order <= limit]
    if not fitting:
        return None
    gone = [order_of(row[0]) for row in database.execute("SELECT version FROM gone WHERE path=?", (path,))]
    if any((limit is None or moment <= limit) and moment >= fitting[-1].order for moment in gone):
        return None
    return fitting[-1]


def next_path_id(database: sqlite3.Connection, parent: str, device_number: int) -> str:
    """A path id that no device has used or will: counters are kept, and dead items still count."""
    name = f"next-id:{parent}"
    counter = int(meta(database, name) or b"-1") + 1
    suffix = f".{device_number}" if device_number else ""
    prefix = f"{parent}/" if parent else ""
    while database.execute("SELECT 1 FROM items WHERE path=?", (f"{prefix}{counter}{suffix}",)).fetchone():
        counter += 1
    set_meta(database, name, b"%d" % counter)
    return f"{prefix}{counter}{suffix}"


_MOMENTS = ("versions", "gone")
_WHICH = ("path=:path", "path>:from AND path<:to")


def fresh_version(database: sqlite3.Connection, wall: float, device_number: int, path: str) -> str:
    """A version name that this device has not used: later than its last one, and than all that is known of the item
    and of what is below it, by a millisecond at least. Whoever made those may have had a clock that was ahead. Where
    nothing can be later, because somebody has taken the end of time, it is one of now."""
    last, now = round(float(meta(database, "last-version") or b"0")), round(wall * 1000)
    moment = max(now, last + 1, _newest_moment(database, path) + 1)
    if moment >= LATEST * 1000:
        moment = max(now, last + 1) if last + 1 < LATEST * 1000 else now
    set_meta(database, "last-version", b"%d" % moment)
    return new_version((moment + 0.5) / 1000, device_number)


def _newest_moment(database: sqlite3.Connection, path: str) -> int:
    """When the newest version of an item or of anything below it was made, or it was last gone: milliseconds, or 0."""
    parts = [f"SELECT max(version) newest FROM {table} WHERE {which}" for table in _MOMENTS for which in _WHICH]
    query = f"SELECT max(newest) FROM ({' UNION ALL '.join(parts)})"
    (newest,) = database.execute(query, {"path": path, "from": f"{path}/", "to": f"{path}0"}).fetchone()
    return round(version_time(newest) * 1000) if newest is not None else 0
