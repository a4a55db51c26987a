"""A customer's catalog logs and their heads, as a supplier keeps them.

There is one log for each scope and device (`bitdust.crypt.scope`; an empty scope is the owner's own), and each is a
chain of its own. The supplier reads no catalog: it checks that each entry's ``previous`` is the hash of the entry
before, that a head is signed and reached by the chain, and that nothing older replaces anything newer.
"""

import sqlite3

from attrs import frozen

from bitdust.customers.database import NO_SCOPE
from bitdust.customers.grants import charge, discharge
from bitdust.customers.quota import most_log, usage
from bitdust.formats.log_entry import ENTRY, MAX_ENTRY, MAX_HEADS, NOTHING_BEFORE, hash_of
from bitdust.wire.capability import Capability
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Head
from bitdust.wire.schema import parse
from bitdust.wire.signed import Signed

_UP_TO = "customer=? AND scope=? AND device=? AND sequence<=?"
HEAD_OVERHEAD = 5
"""Bytes of CBOR before each head of a list, at most."""


@frozen
class ReceivedEntry:
    """The open part of a log entry, and its bytes."""

    owner: bytes
    scope: bytes
    device: bytes
    sequence: int
    previous: bytes
    data: bytes

    @classmethod
    def parse(cls, data: bytes) -> "ReceivedEntry":
        """Raises `WireError`."""
        value = parse(data, ENTRY, MAX_ENTRY, "log entry")
        scope = value.get("scope") or NO_SCOPE
        return cls(value["owner"], scope, value["device"], value["sequence"], value["previous"], data)

    @property
    def chain(self) -> tuple[bytes, bytes, bytes]:
        """Which log it belongs to: the parameters of every statement about one."""
        return (self.owner, self.scope, self.device)

    @property
    def hash(self) -> bytes:
        return hash_of(self.data)


def append(
    database: sqlite3.Connection,
    entry: ReceivedEntry,
    head: Head,
    signed_head: bytes,
    grant: Capability | None = None,
    due: int = 0,
) -> int:
    """Add one entry and, when the chain reaches it, the head; the result is the last sequence held.

    What the head's snapshot stands for is forgotten when it is ``due``, or at once for 0: a device that was stolen may
    say so, and is not believed where it was revoked until then. An entry that is already there is no error. Raises
    `BitDustError` ``conflict`` with ``sequence`` and ``hash`` of what is held, ``no-contract``, ``no-space``; under a
    ``grant`` what `bitdust.customers.grants.charge` raises too.
    """
    room = usage(database, entry.owner, after_notice=True).room
    sequence, held = last(database, *entry.chain)
    if 0 < entry.sequence <= sequence:
        _same(database, entry, sequence, held)
    else:
        begins = head.first == entry.sequence or (not sequence and _begins_here(database, entry))
        if not begins and (entry.sequence != sequence + 1 or entry.previous != held):
            raise _conflict("the entry does not follow the last one that is held", sequence, held)
        _insert(database, entry, room)
        if grant is not None:
            charge(database, grant, len(entry.data))
        sequence = entry.sequence
    _advance_head(database, entry, head, signed_head, due, grant)
    return sequence


def last(database: sqlite3.Connection, owner: bytes, scope: bytes, device: bytes) -> tuple[int, bytes]:
    """Sequence and hash of the last entry of one log; 0 and zeros when there is none.

    A log whose entries all stand in a snapshot goes on where its head says. One of which nothing is left here begins
    with its beginning: whoever took any later entry for it would report as kept what is gone.
    """
    row = database.execute(
        "SELECT sequence, hash FROM log WHERE customer=? AND scope=? AND device=? ORDER BY sequence DESC LIMIT 1",
        (owner, scope, device),
    ).fetchone()
    if row is not None:
        return (row[0], row[1])
    found = _signed_heads(database, owner, scope)
    mine = next((head for head, _ in found if head.device == device), None)
    is_covered = mine is not None and mine.sequence <= _covered(found, device)
    return (mine.sequence, mine.hash) if mine is not None and is_covered else (0, NOTHING_BEFORE)


def _signed_heads(database: sqlite3.Connection, owner: bytes, scope: bytes | None) -> list[tuple[Head, bytes]]:
    rows = database.execute(
        "SELECT signed FROM heads WHERE customer=? AND scope=coalesce(?, scope) ORDER BY scope, device", (owner, scope)
    )
    return [(Head.from_body(Signed.from_bytes(signed, Head.KIND).body), signed) for (signed,) in rows]


def _covered(heads: list[tuple[Head, bytes]], device: bytes) -> int:
    """Up to which entry the snapshots of other devices stand for a device's log."""
    told = [one for head, _ in heads if head.device != device for one in head.covers or ()]
    return max((one["sequence"] for one in told if one["device"] == device), default=0)


def _begins_here(database: sqlite3.Connection, entry: ReceivedEntry) -> bool:
    """Whether another log that is here to its end has a snapshot of all that was before an entry.

    The head of a log whose device wrote no more since others made that snapshot does not say so itself.
    """
    found = _signed_heads(database, entry.owner, entry.scope)
    kept = [one for one in found if _is_here(database, one[0])]
    return entry.sequence <= _covered(kept, entry.device) + 1


def _is_here(database: sqlite3.Connection, head: Head) -> bool:
    """Whether the entry that a head names is here."""
    return last(database, head.owner, head.scope or NO_SCOPE, head.device)[0] >= head.sequence


def _same(database: sqlite3.Connection, entry: ReceivedEntry, sequence: int, held: bytes) -> None:
    row = database.execute(
        "SELECT hash FROM log WHERE customer=? AND scope=? AND device=? AND sequence=?", (*entry.chain, entry.sequence)
    ).fetchone()
    if row is None or row[0] != entry.hash:
        raise _conflict("another entry is held under this sequence", sequence, held)


def _insert(database: sqlite3.Connection, entry: ReceivedEntry, room: int) -> None:
    (log_bytes,) = database.execute("SELECT log_bytes FROM customers WHERE fingerprint=?", (entry.owner,)).fetchone()
    allowed = most_log(room) * (2 if _is_covered(database, entry.owner) else 1)
    if log_bytes + len(entry.data) > allowed:
        raise BitDustError("no-space", f"the catalog log has {log_bytes} bytes of {allowed} that are allowed")
    database.execute("INSERT INTO log VALUES(?, ?, ?, ?, ?, ?)", (*entry.chain, entry.sequence, entry.hash, entry.data))
    database.execute(
        "UPDATE customers SET log_bytes = log_bytes + ? WHERE fingerprint=?", (len(entry.data), entry.owner)
    )


def _advance_head(
    database: sqlite3.Connection,
    entry: ReceivedEntry,
    head: Head,
    signed_head: bytes,
    due: int,
    grant: Capability | None,
) -> None:
    if head.sequence != entry.sequence:
        return
    if head.hash != entry.hash:
        raise BitDustError("bad-signature", "the head names another hash than the entry has")
    row = database.execute(
        "SELECT sequence FROM heads WHERE customer=? AND scope=? AND device=?", entry.chain
    ).fetchone()
    if row is None or row[0] < head.sequence or (row[0] == head.sequence and _is_vouched(head, signed_head)):
        _need_room_for_head(database, entry, signed_head)
        database.execute(
            "INSERT OR REPLACE INTO heads VALUES(?, ?, ?, ?, ?)", (*entry.chain, head.sequence, signed_head)
        )
        if grant is not None and head.first is not None:
            _shorten(database, entry, head.first, grant)
        else:
            _cover(database, entry, head, Signed.from_bytes(signed_head, Head.KIND).device, due)


def _shorten(database: sqlite3.Connection, entry: ReceivedEntry, first: int, grant: Capability) -> None:
    """Who was let in forgets what it has said itself: at once, and there is room under its capability again."""
    freed, items = _forget(database, (*entry.chain, first - 1))
    discharge(database, entry.owner, grant.id, freed, items)


def _is_vouched(head: Head, signed_head: bytes) -> bool:
    """Whether another device of the owner's signed it, in place of one that counts no more."""
    return Signed.from_bytes(signed_head, Head.KIND).device != head.device


def _need_room_for_head(database: sqlite3.Connection, entry: ReceivedEntry, signed_head: bytes) -> None:
    """Every scope has logs of its own, and its heads are listed in one answer: raises ``no-space`` when it is full."""
    (others,) = database.execute(
        "SELECT coalesce(sum(length(signed) + ?2), 0) FROM heads WHERE customer=?1 AND NOT (scope=?3 AND device=?4)",
        (entry.owner, HEAD_OVERHEAD, entry.scope, entry.device),
    ).fetchone()
    if others + len(signed_head) + 2 * HEAD_OVERHEAD > MAX_HEADS:
        raise BitDustError("no-space", f"the heads of your logs take {others} bytes of {MAX_HEADS} already")


def _is_covered(database: sqlite3.Connection, owner: bytes) -> bool:
    """Whether something is to be forgotten: until then there may be twice as much."""
    return database.execute("SELECT 1 FROM covered WHERE customer=? LIMIT 1", (owner,)).fetchone() is not None


def _cover(database: sqlite3.Connection, entry: ReceivedEntry, head: Head, by: bytes, due: int) -> None:
    """The log is here from its beginning to its end: what its snapshot stands for need not be kept any more."""
    last_of = {covered["device"]: covered["sequence"] for covered in head.covers or ()}
    if head.first is not None:
        last_of[head.device] = head.first - 1
    for device, sequence in last_of.items():
        where = (entry.owner, entry.scope, device, sequence)
        if not due:
            _forget(database, where)
        elif database.execute(f"SELECT 1 FROM log WHERE {_UP_TO} LIMIT 1", where).fetchone() is not None:
            database.execute(
                "INSERT INTO covered VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET sequence=excluded.sequence,"
                " due=excluded.due WHERE excluded.sequence>covered.sequence",
                (*where[:3], by, sequence, due),
            )


def _forget(database: sqlite3.Connection, where: tuple[bytes, bytes, bytes, int]) -> tuple[int, int]:
    """Bytes and number of the entries that are forgotten."""
    query = f"SELECT coalesce(sum(length(entry)), 0), count(*) FROM log WHERE {_UP_TO}"
    freed, items = database.execute(query, where).fetchone()
    if items:
        database.execute(f"DELETE FROM log WHERE {_UP_TO}", where)
        database.execute("UPDATE customers SET log_bytes = log_bytes - ? WHERE fingerprint=?", (freed, where[0]))
    return freed, items


def covered_by(database: sqlite3.Connection, now: int) -> list[tuple[bytes, bytes]]:
    """Customers, and devices of theirs, whose snapshots stand for entries that are due to be forgotten."""
    rows = database.execute("SELECT DISTINCT customer, by FROM covered WHERE due<=?", (now,))
    return [(bytes(customer), bytes(device)) for customer, device in rows]


def forget_covered(database: sqlite3.Connection, customer: bytes, by: bytes, now: int, counts: bool) -> None:
    """Inside a transaction: forget what is due, if the device that said so ``counts`` still; else keep it."""
    rows = database.execute(
        "DELETE FROM covered WHERE customer=? AND by=? AND due<=? RETURNING scope, device, sequence",
        (customer, by, now),
    ).fetchall()
    for scope, device, sequence in rows if counts else ():
        _forget(database, (customer, bytes(scope), bytes(device), sequence))


def _conflict(text: str, sequence: int, held: bytes) -> BitDustError:
    return BitDustError("conflict", text, sequence=sequence, hash=held)


def heads(database: sqlite3.Connection, owner: bytes, scope: bytes | None = None) -> list[bytes]:
    """The newest signed head of each log, or of each log of one ``scope``, whose entry is here."""
    return [signed for head, signed in _signed_heads(database, owner, scope) if _is_here(database, head)]
