"""Two nodes wrote under one device key, because a home was copied: the one that was not heard takes another key.

Entries that one supplier took from the one and others from the other one are said again too: nothing that is written
behind the last entry that both have could ever be safe. What it said has path ids that the other one may have given out
as well. So its entries are taken back, the items that they made get path ids of the new device, and everything is said
once more under its key. That a fork was found is written down first: a node that is killed on the way goes on at its
next start. The person is told, who may not have made that copy.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred

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
from bitdust.storage.ports import Ports
from bitdust.surroundings import Connected
from bitdust.wire.encoding import decode, encode

FORKED, COPIED = "device-forked", "device-copied"
_NOTHING_NEW = ("snapshot", "earlier")
_TABLES = ("items", "versions", "version_packs", "gone", "seen", "labels")


@frozen
class Copied:
    """Another program has written under the key of ``device``, as was found at ``time`` (seconds since the epoch).

    ``is_open``: this one has no key of its own yet.
    """

    device: bytes
    time: int
    is_open: bool


class DeviceFork:
    """I move what nobody has heard of this node to a device key of its own."""

    def __init__(self, around: Connected, writer: LogWriter, ports: Ports) -> None:
        self._me: Me = around.me
        self._events = around.events
        self._wall = around.world.wall
        self._writer = writer
        self._ports = ports
        self._parting = Parting(around.me, writer.catalog, LogRequests(writer.logs, ports), ports.family)
        self._is_comparing = False

    @property
    def is_open(self) -> bool:
        """Whether a fork was found and is not over yet."""
        return meta(self._writer.catalog.read, FORKED) is not None

    @property
    def copied(self) -> Copied | None:
        """The last one that was found."""
        data = meta(self._writer.catalog.read, COPIED)
        value: Any = decode(data, 100) if data is not None else None
        return Copied(value[0], value[1], self.is_open) if value is not None else None

    async def look(self, logs: Iterable[KeyLog], is_shown: bool = False) -> bool:
        """Compare what suppliers show of this device's logs with what is here; whether another node has written under
        its key, which ``is_shown`` says is known: then that is written down, and gone on with."""
        device = self._me.device.id
        if self._is_comparing or self.is_open:
            return False
        self._is_comparing = True
        try:
            heard = {one: await self._shared(one) for one in logs}
        finally:
            self._is_comparing = False
        is_found = is_shown or any(shared is not None for shared in heard.values())
        if not is_found or self.is_open or device != self._me.device.id:
            return False
        for one in heard:
            one.holdings.forget_head(device)
        known = {one.key: one.holdings.highest(device) if shared is None else shared for one, shared in heard.items()}
        await self._found(device, known)
        return True

    async def _shared(self, one: KeyLog) -> int | None:
        """The last entry of a log that this node and all who show another one behind it have; None for nobody."""
        family = self._ports.family()
        online = [who for who in family.holders if self._ports.is_online(who)] if family is not None else []
        found = [await self._parting.last_shared(one.key, who) for who in online]
        return min((shared for shared in found if shared is not None), default=None)

    def _found(self, device: bytes, heard: Mapping[str, int]) -> "Deferred[Any]":
        """Another node has written under this device's key; ``heard`` says by key up to which entry I was heard."""
        note = encode({"device": device, "heard": [[key, sequence] for key, sequence in sorted(heard.items())]})
        told = encode([device, int(self._wall())])

        def write(database: sqlite3.Connection) -> None:
            set_meta(database, FORKED, note)
            set_meta(database, COPIED, told)

        self._events.send("device-copied", {"device_id": device.hex()})
        return self._writer.catalog.change(write).addCallback(lambda _: self.resume())

    def resume(self) -> "Deferred[Any]":
        """Go on with what was found; fires when it is said again."""
        note: Any = decode(meta(self._writer.catalog.read, FORKED) or b"", 64 * 1024)
        device, heard = note["device"], dict(note["heard"])
        if self._me.device.id == device:
            self._ports.device_is_taken()
        number, logs = self._me.device_number, self._writer.logs

        def again(database: sqlite3.Connection) -> list[Op]:
            return take_back(database, logs, device, heard, number)

        return self._writer.write(again, lambda database: database.execute("DELETE FROM meta WHERE name=?", (FORKED,)))


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
