"""Operations become rows. Every rule here gives the same rows in whichever order the operations come.

Items, versions, packs and ``gone`` only ever appear. A tombstone hides what was written before it, by (lamport,
device); what another device wrote later, not knowing of the tombstone, comes back into view together with the folders
above it: two devices that disagree keep the data. So does what is said once more, later than its tombstone.

The log of a key tells of the items under that key alone. What it says of others is passed over: whoever may write one
key's log changes nothing elsewhere.
"""

import sqlite3
from collections.abc import Iterable
from typing import Any

from attrs import frozen

from bitdust.crypt.writers import Marks
from bitdust.formats.operations import Op, record_of
from bitdust.storage.catalog.database import PackState, set_base
from bitdust.storage.catalog.extras import note_extras
from bitdust.storage.catalog.guests import is_guests, of_guest
from bitdust.storage.catalog.held import Place, hold_item, hold_late, hold_pack, hold_version, let_go, note_late
from bitdust.storage.catalog.moves import current, is_moved, link_packs, note_move
from bitdust.storage.catalog.pack_rows import bury_pack, insert_pack, is_given_up, keep_pack
from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.names import split_version

MAX_EXTENTS = 256 * 1024 * 1024
_ITEMS = 100_000_000
PLACE = "/~"
"""Behind the path id of an item: the name of a tombstone that leaves its versions."""


@frozen
class Stamp:
    """Whose operation it is, under which key, and where it stands in the one order of all entries of that key.

    ``learnt`` is when it came from a supplier, in milliseconds; 0 for what this node says itself.
    """

    owner: bytes
    key: str
    lamport: int
    device: bytes
    sequence: int
    learnt: int = 0
    writer: bytes = b""
    """The device that wrote the entry, where that is not the one whose words it repeats."""
    guest: Marks | None = None
    """Of whom it is, where that is not the owner of the catalog."""

    @property
    def order(self) -> tuple[int, bytes]:
        return (self.lamport, self.device)

    @property
    def place(self) -> Place:
        return Place(self.lamport, self.device, self.writer or self.device, self.learnt)


def apply_all(database: sqlite3.Connection, ops: Iterable[Op], stamp: Stamp) -> None:
    """Apply the operations of one entry inside the caller's transaction."""
    for op in ops if stamp.guest is None else of_guest(ops, stamp.guest):
        if op.get("key", stamp.key) == stamp.key:
            _APPLY[op["op"]](database, op, stamp)


def _is_ours(database: sqlite3.Connection, path: str, stamp: Stamp) -> bool:
    """Whether an item belongs to the key of an operation, or is not known yet."""
    row = database.execute("SELECT key FROM items WHERE path=?", (path,)).fetchone()
    return row is None or row[0] == stamp.key


def _apply_pack(database: sqlite3.Connection, op: Op, stamp: Stamp) -> None:
    record = record_of(op, stamp.owner)
    insert_pack(
        database, record.pack, op["key"], op["epoch"], record.to_body(), op["names"], op["lengths"], record.size,
        record.scheme.n, PackState.HELD, stamp.sequence, 0, stamp.guest is not None or bool(op.get("guest")),
    )  # fmt: skip
    database.execute("UPDATE packs SET logged=1 WHERE pack=? AND key=?", (record.pack, stamp.key))
    if is_moved(database, record.pack) or is_given_up(database, record.pack):
        bury_pack(database, record.pack)


def _apply_item(database: sqlite3.Connection, op: Op, stamp: Stamp) -> None:
    if stamp.guest is not None and not _is_ours(database, op["parent"], stamp):
        return
    made = database.execute(
        "INSERT OR IGNORE INTO items(path, parent, name, type, key, lamport, device, time)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
        (op["path"], op["parent"], op["name"], op["type"], op["key"], stamp.lamport, stamp.device, op["time"]),
    )
    if made.rowcount:
        _drop_foreign(database, op["path"], op["type"] == "folder", stamp)
    elif _is_ours(database, op["path"], stamp):
        database.execute(
            "UPDATE items SET lamport=:lamport, device=:device WHERE path=:path"
            " AND (lamport<:lamport OR (lamport=:lamport AND device<:device))",
            {"path": op["path"], "lamport": stamp.lamport, "device": stamp.device},
        )
    row = _buried(database, op["path"])
    if row is not None:
        database.execute("UPDATE items SET dead_lamport=?, dead_device=? WHERE path=?", (*row, op["path"]))
        if (row[0], bytes(row[1])) < stamp.order:
            let_go(database, op["path"], "")
        elif made.rowcount:
            hold_late(database, op["path"], "", stamp.learnt)
    label = database.execute("SELECT label FROM labels WHERE path=?", (op["path"],)).fetchone()
    if label is not None:
        database.execute("UPDATE items SET label=? WHERE path=?", (label[0], op["path"]))
    _refresh(database, op["path"])
    _refresh(database, op["parent"])


def _buried(database: sqlite3.Connection, path: str) -> tuple[int, bytes] | None:
    """Where in the order of all entries the last tombstone of an item stands."""
    row: tuple[int, bytes] | None = database.execute(
        "SELECT lamport, device FROM tombstones WHERE name IN (?, ?) ORDER BY lamport DESC, device DESC LIMIT 1",
        (path, f"{path}{PLACE}"),
    ).fetchone()
    return row


def _drop_foreign(database: sqlite3.Connection, path: str, is_folder: bool, stamp: Stamp) -> None:
    """What logs of other keys said of an item before it was known whose it is."""
    for table in ("versions", "gone", "labels"):
        database.execute(f"DELETE FROM {table} WHERE path=? AND key<>?", (path, stamp.key))
    if is_folder:
        query = "SELECT path FROM items WHERE path>? AND path<? AND key<>?"
        inside = database.execute(query, (f"{path}/", f"{path}0", stamp.key)).fetchall()
        database.executemany("DELETE FROM items WHERE path=?", [one for one in inside if is_guests(one[0])])
    database.execute(
        "DELETE FROM tombstones WHERE (name=? OR (name>=? AND name<?)) AND key<>?",
        (path, f"{path}/F", f"{path}/G", stamp.key),
    )


def _apply_version(database: sqlite3.Connection, op: Op, stamp: Stamp) -> None:
    path, version, extents = op["path"], op["version"], op.get("extents") or []
    if not _is_ours(database, path, stamp):
        return
    if op.get("start"):
        row = database.execute("SELECT extents FROM versions WHERE path=? AND version=?", (path, version)).fetchone()
        known = extents_of(row[0]) if row is not None else []
        if len(known) != op["start"]:
            return
        whole = encode(known + extents)
        database.execute("UPDATE versions SET extents=? WHERE path=? AND version=?", (whole, path, version))
    else:
        dead = _is_dead(database, path, version, stamp)
        made = database.execute(
            "INSERT OR IGNORE INTO versions VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (path, version, stamp.key, op["size"], op["mode"], op["mtime"], op.get("target"), encode(extents),
             stamp.lamport, stamp.device, stamp.sequence, dead),
        )  # fmt: skip
        if made.rowcount:
            note_late(database, path, version, stamp.learnt)
        else:
            _say_again(database, path, version, dead, stamp)
        if made.rowcount and dead:
            hold_late(database, path, version, stamp.learnt)
        if op.get("extras"):
            note_extras(database, path, version, op["extras"])
    for pack in link_packs(database, path, version, extents):
        keep_pack(database, pack)
    _refresh(database, path)


def _say_again(database: sqlite3.Connection, path: str, version: str, dead: bool, stamp: Stamp) -> None:
    """A version that is known was said once more; where that is later than before it counts from there."""
    said = database.execute(
        "UPDATE versions SET dead=:dead, lamport=:lamport, device=:device, sequence=:sequence"
        " WHERE path=:path AND version=:version AND (lamport<:lamport OR (lamport=:lamport AND device<:device))",
        {"path": path, "version": version, "dead": dead, "lamport": stamp.lamport, "device": stamp.device,
         "sequence": stamp.sequence},
    )  # fmt: skip
    if said.rowcount and not dead:
        let_go(database, path, version)


def _is_dead(database: sqlite3.Connection, path: str, version: str, stamp: Stamp) -> bool:
    rows = database.execute("SELECT lamport, device FROM tombstones WHERE name IN (?, ?)", (f"{path}/{version}", path))
    return any((lamport, bytes(device)) >= stamp.order for lamport, device in rows)


def _apply_gone(database: sqlite3.Connection, op: Op, stamp: Stamp) -> None:
    if _is_ours(database, op["path"], stamp):
        row = (op["path"], op["version"], stamp.key)
        if database.execute("INSERT OR IGNORE INTO gone VALUES(?, ?, ?)", row).rowcount:
            note_late(database, op["path"], op["version"], stamp.learnt)


def _apply_tombstone(database: sqlite3.Connection, op: Op, stamp: Stamp) -> None:
    for name in sorted(op["names"], key=lambda name: -name.count("/")):
        path, version = split_version(name)
        if not _is_ours(database, path, stamp) or not _note_tombstone(database, name, op["time"], stamp):
            continue
        if version is None:
            hold_item(database, path, stamp.place)
            database.execute(
                "UPDATE versions SET dead=1 WHERE path=? AND (lamport<? OR (lamport=? AND device<=?))",
                (path, stamp.lamport, stamp.lamport, stamp.device),
            )
            database.execute(
                "UPDATE items SET dead_lamport=?, dead_device=? WHERE path=?", (stamp.lamport, stamp.device, path)
            )
        elif _is_before(database, path, version, stamp):
            hold_version(database, path, version, stamp.place)
            database.execute("UPDATE versions SET dead=1 WHERE path=? AND version=?", (path, version))
        _refresh(database, path)
    for path in op.get("places") or ():
        if _is_ours(database, path, stamp) and _note_tombstone(database, f"{path}{PLACE}", op["time"], stamp):
            row = _buried(database, path)
            database.execute("UPDATE items SET dead_lamport=?, dead_device=? WHERE path=?", (*(row or ()), path))
            _refresh(database, path)
    for pack in op["packs"]:
        row = database.execute("SELECT key FROM packs WHERE pack=?", (pack,)).fetchone()
        if row is not None and row[0] != stamp.key:
            continue
        _note_tombstone(database, pack.hex(), op["time"], stamp)
        if is_given_up(database, pack):
            bury_pack(database, pack)


def _is_before(database: sqlite3.Connection, path: str, version: str, stamp: Stamp) -> bool:
    """Whether a version that is known was said last before a tombstone of it."""
    row = database.execute("SELECT lamport, device FROM versions WHERE path=? AND version=?", (path, version))
    return any((lamport, bytes(device)) <= stamp.order for lamport, device in row)


def _note_tombstone(database: sqlite3.Connection, name: str, time: int, stamp: Stamp) -> bool:
    """Keep the latest tombstone of a name; False when a later one is known."""
    row = database.execute("SELECT lamport, device FROM tombstones WHERE name=?", (name,)).fetchone()
    if row is not None and (row[0], bytes(row[1])) >= stamp.order:
        return False
    database.execute(
        "INSERT OR REPLACE INTO tombstones VALUES(?, ?, ?, ?, ?, ?)",
        (name, stamp.key, stamp.lamport, stamp.device, stamp.sequence, time),
    )
    return True


def _apply_move(database: sqlite3.Connection, op: Op, stamp: Stamp) -> None:
    """Another pack takes the place of one, for all versions that name it, known already or not."""
    old, new = op["pack"], op["to"]
    rows = database.execute("SELECT 1 FROM packs WHERE pack IN (?, ?) AND key<>?", (old, new, stamp.key))
    place = (stamp.lamport, stamp.device, stamp.sequence)
    before = None if rows.fetchone() else note_move(database, old, new, stamp.key, place)
    if before is None:
        return
    versions = database.execute(
        "SELECT v.path, v.version, v.extents FROM version_packs x JOIN versions v ON v.path=x.path"
        " AND v.version=x.version WHERE x.pack=?",
        (before,),
    ).fetchall()
    database.execute("DELETE FROM version_packs WHERE pack=?", (before,))
    for path, version, extents in versions:
        link_packs(database, path, version, extents_of(extents))
    now = current(database, old)
    if now != before:
        hold_pack(database, before, old, stamp.place)
    if now != old:
        bury_pack(database, old)
    keep_pack(database, now, is_back=True)


def _apply_snapshot(database: sqlite3.Connection, op: Op, stamp: Stamp) -> None:
    """From here on nobody needs what the logs said up to these entries."""
    for head in op["heads"]:
        set_base(database, stamp.key, head["device"], head["sequence"], head["hash"])


def _apply_earlier(database: sqlite3.Connection, op: Op, stamp: Stamp) -> None:
    """What was said before counts as if it came from there."""
    said = Stamp(stamp.owner, stamp.key, op["lamport"], op["device"], op["sequence"], stamp.learnt, stamp.device)
    apply_all(database, op["ops"], said)


def _apply_label(database: sqlite3.Connection, op: Op, stamp: Stamp) -> None:
    """The latest label counts, whether its item is known already or comes later."""
    if not _is_ours(database, op["path"], stamp):
        return
    row = database.execute("SELECT lamport, device FROM labels WHERE path=?", (op["path"],)).fetchone()
    if row is not None and (row[0], bytes(row[1])) >= stamp.order:
        return
    database.execute(
        "INSERT OR REPLACE INTO labels VALUES(?, ?, ?, ?, ?)",
        (op["path"], stamp.key, op["label"], stamp.lamport, stamp.device),
    )
    database.execute("UPDATE items SET label=? WHERE path=?", (op["label"], op["path"]))


def _refresh(database: sqlite3.Connection, path: str) -> None:
    """Whether an item is out of view, and what that means for the folders above it."""
    while path:
        row = database.execute(
            "SELECT parent, dead_lamport, dead, (dead_lamport, dead_device)>=(lamport, device) FROM items WHERE path=?",
            (path,),
        ).fetchone()
        if row is None:
            return
        parent, buried, before, is_later = row
        dead = (
            buried >= 0
            and is_later
            and not (
                database.execute("SELECT 1 FROM versions WHERE path=? AND dead=0 LIMIT 1", (path,)).fetchone()
                or database.execute("SELECT 1 FROM items WHERE parent=? AND dead=0 LIMIT 1", (path,)).fetchone()
            )
        )
        if dead == bool(before):
            return
        database.execute("UPDATE items SET dead=? WHERE path=?", (dead, path))
        path = parent


def extents_of(data: bytes) -> list[list[Any]]:
    """The ``[pack, first chunk, count]`` of a version's row. Raises `WireError` for a damaged one."""
    value = decode(bytes(data), MAX_EXTENTS, _ITEMS)
    if type(value) is not list:
        raise WireError("malformed", "the extents of a version are damaged")
    return value


def _apply_message(database: sqlite3.Connection, op: Op, stamp: Stamp) -> None:
    """What people say to each other stands in the entries alone; see `bitdust.storage.shared.member_log`."""


_APPLY = {
    "pack": _apply_pack,
    "item": _apply_item,
    "version": _apply_version,
    "gone": _apply_gone,
    "tombstone": _apply_tombstone,
    "snapshot": _apply_snapshot,
    "earlier": _apply_earlier,
    "label": _apply_label,
    "move": _apply_move,
    "message": _apply_message,
}
