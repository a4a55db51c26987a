"""What this home has said under a device key that it has no more, and nobody heard, is said again under that of today.

Nobody but a device itself signs where its log ends. So what waits in the logs of a former device of this home would
wait for ever, whichever log it was for which the home took another key.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, succeed

from bitdust.formats.log_entry import Entry
from bitdust.formats.operations import Op
from bitdust.identity.me import Me
from bitdust.storage.catalog.database import meta, set_meta
from bitdust.storage.catalog.paths import next_path_id
from bitdust.storage.log.access import LogAccess
from bitdust.storage.log.parting import Parting
from bitdust.storage.log.replica import KeyLog
from bitdust.storage.log.requests import LogRequests
from bitdust.storage.log.writer import LogWriter
from bitdust.storage.ports import Holders

WRITER = "written-as"
"""Under which device key this home writes into a file; what it said under any other one is heard, or said again."""
_NOTHING_NEW = ("snapshot", "earlier")
_TABLES = ("items", "versions", "version_packs", "gone", "seen", "labels")


class Renewal:
    """I say it again. ``number`` ends the names that this device makes."""

    def __init__(
        self,
        me: Me,
        writer: LogWriter,
        holders: Holders,
        number: Callable[[], int],
    ) -> None:
        self._me = me
        self._writer = writer
        self._holders = holders
        self._number = number
        self._parting = Parting(me, writer.catalog, LogRequests(writer.logs, holders), holders.family)

    def begin(self) -> "Deferred[Any]":
        """Note who writes into a file in which nobody is noted."""
        device, catalog = self._me.device.id, self._writer.catalog
        if meta(catalog.read, WRITER) is not None:
            return succeed(None)
        return catalog.change_quietly(lambda database: set_meta(database, WRITER, device))

    @property
    def former(self) -> bytes | None:
        """The device as which this home has written, while not all is said again that it wrote."""
        writer = meta(self._writer.catalog.read, WRITER)
        return writer if writer != self._me.device.id else None

    async def heard(self, one: KeyLog, device: bytes) -> tuple[int, bool]:
        """Up to which entry a log of a device stays as it is, and whether another program has gone on behind that."""
        family = self._holders.family()
        online = [who for who in family.holders if self._holders.is_online(who)] if family is not None else []
        compared = [await self._parting.compare(one.key, device, who) for who in online]
        parted = [shared.last for shared in compared if shared is not None and shared.is_parted]
        ends = [shared.last for shared in compared if shared is not None and shared.last is not None]
        known = one.holdings.highest(device)
        if parted:
            return min((last for last in parted if last is not None), default=known), True
        return max(known, *ends) if ends else known, False

    async def run(self, logs: Iterable[KeyLog]) -> None:
        """Say again what nobody heard, where there is any; after a comparison. Raises `BitDustError`."""
        former = self.former
        if former is not None:
            await self.say_again(former, {one.key: (await self.heard(one, former))[0] for one in logs})

    def say_again(
        self, device: bytes, heard: Mapping[str, int], also: Callable[[sqlite3.Connection], Any] = lambda database: None
    ) -> "Deferred[int]":
        """What a former device has said behind what was ``heard`` of each key's log."""
        mine = self._me.device.id

        def again(database: sqlite3.Connection) -> list[Op]:
            return self._taken_back(database, device, heard)

        def done(database: sqlite3.Connection) -> None:
            set_meta(database, WRITER, mine)
            also(database)

        return self._writer.write(again, done)

    def _taken_back(self, database: sqlite3.Connection, device: bytes, heard: Mapping[str, int]) -> list[Op]:
        return take_back(database, self._writer.logs, device, heard, self._number())


def take_back(
    database: sqlite3.Connection, access: LogAccess, device: bytes, heard: Mapping[str, int], number: int
) -> list[Op]:
    """Inside a transaction: forget a device's entries that nobody heard; what they said, as device ``number``."""
    ops: list[Op] = []
    for key in access.readable_keys():
        behind = (key, device, heard.get(key, 0))
        rows = database.execute(
            "SELECT entry FROM entries WHERE key=? AND device=? AND sequence>? ORDER BY sequence", behind
        ).fetchall()
        database.execute("DELETE FROM entries WHERE key=? AND device=? AND sequence>?", behind)
        for (data,) in rows:
            entry = Entry.parse(bytes(data))
            content = entry.open(access.secrets(key, entry.epoch))
            ops += (op for op in content.ops if op["op"] not in _NOTHING_NEW)
    names = _new_names(database, ops, number)
    return [_renamed(op, names) for op in ops]


def _new_names(database: sqlite3.Connection, ops: list[Op], number: int) -> dict[str, str]:
    """Path ids of the items that these operations make, old to new; their rows go, and running jobs follow."""
    names: dict[str, str] = {}
    for op in ops:
        if op["op"] == "item" and op["path"] not in names:
            parent = names.get(op["parent"]) or str(op["parent"])
            names[op["path"]] = next_path_id(database, parent, number)
    for old, new in names.items():
        for table in _TABLES:
            database.execute(f"DELETE FROM {table} WHERE path=?", (old,))
        for table in ("uploads", "local_paths"):
            database.execute(f"UPDATE {table} SET path=? WHERE path=?", (new, old))
    return names


def _renamed(op: Op, names: dict[str, str]) -> Op:
    changed: dict[str, Any] = {field: names.get(op[field], op[field]) for field in ("path", "parent") if field in op}
    if "names" in op and op["op"] == "tombstone":
        changed["names"] = [_renamed_version(name, names) for name in op["names"]]
    return op | changed


def _renamed_version(name: str, names: dict[str, str]) -> str:
    """A path id, perhaps with ``/version`` behind it."""
    if name in names:
        return names[name]
    path, slash, version = name.rpartition("/")
    return f"{names[path]}{slash}{version}" if path in names else name
