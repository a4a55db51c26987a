"""Which log an operation belongs to: that of the key under which its item or pack is stored."""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator

from bitdust.crypt.keyring import MASTER
from bitdust.formats.operations import Op, earlier_op, tombstone_op
from bitdust.wire.names import split_version

OpsByKey = dict[str, list[Op]]


class Router:
    """I divide operations by keys, inside a transaction. Items of operations before count as known.

    What belongs to nothing that is known goes to the master key's log, which nobody but the owner reads. ``check``
    raises for keys to whose logs nothing can be written now.
    """

    def __init__(
        self, database: sqlite3.Connection, check: Callable[[Collection[str]], None] = lambda keys: None
    ) -> None:
        self._database = database
        self._check = check
        self._made: dict[str, str] = {}
        self.found: OpsByKey = {}

    def add(self, ops: Iterable[Op]) -> None:
        """Divide these too, all or none; `found` keeps their order within each key."""
        parts = [part for op in ops for part in self._parts(op)]
        self._check(dict.fromkeys(key for key, _ in parts))
        for key, part in parts:
            self.found.setdefault(key, []).append(part)

    def _parts(self, op: Op) -> Iterator[tuple[str, Op]]:
        if op["op"] == "tombstone":
            yield from self._tombstones(op)
        elif op["op"] == "earlier":
            inner = Router(self._database)
            inner._made = self._made
            inner.add(op["ops"])
            for key, ops in inner.found.items():
                yield key, earlier_op(op["lamport"], op["device"], op["sequence"], ops)
        elif op["op"] == "move":
            yield self._key_of_pack(op["pack"]), op
        elif "key" in op:
            if op["op"] == "item":
                self._made[op["path"]] = op["key"]
            yield op["key"], op
        else:
            yield self._key_of(op["path"]), op

    def _tombstones(self, op: Op) -> Iterator[tuple[str, Op]]:
        names: dict[str, list[str]] = {}
        packs: dict[str, list[bytes]] = {}
        for name in op["names"]:
            names.setdefault(self._key_of(split_version(name)[0]), []).append(name)
        for pack in op["packs"]:
            packs.setdefault(self._key_of_pack(pack), []).append(pack)
        places: dict[str, list[str]] = {}
        for path in op.get("places") or ():
            places.setdefault(self._key_of(path), []).append(path)
        for key in dict.fromkeys([*names, *packs, *places]):
            yield key, tombstone_op(names.get(key, []), packs.get(key, []), op["time"], places.get(key, []))

    def _key_of(self, path: str) -> str:
        made = self._made.get(path)
        return made if made is not None else self._first("SELECT key FROM items WHERE path=?", path)

    def _key_of_pack(self, pack: bytes) -> str:
        return self._first("SELECT key FROM packs WHERE pack=?", pack)

    def _first(self, query: str, value: str | bytes) -> str:
        row = self._database.execute(query, (value,)).fetchone()
        return str(row[0]) if row is not None else MASTER
