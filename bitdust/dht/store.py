"""Records kept for others, own records to publish again, and contacts for the next start: SQLite, one file.

Write-ahead log with ``synchronous=NORMAL``: a killed process loses nothing; a power cut may lose the last moments. That
is enough here, because nineteen other nodes keep the same record and its owner publishes it again every hour.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import frozen
from twisted.logger import Logger

from bitdust.dht.contact import Contact
from bitdust.dht.holdings import Entry, Holdings
from bitdust.dht.records import DEBUG, IPNS, NICKNAME, OFFER, POSITIONED, PROVIDER, DHTRecord
from bitdust.disk.commit import roll_back
from bitdust.wire.encoding import WireError
from bitdust.wire.revisions import check_near

MAX_RECORDS = 50_000
MAX_BYTES = 64 * 1024 * 1024
MAX_PER_OWNER = 64
MAX_PROVIDED = 256
"""Provider records of one owner, which are counted by themselves: they keep nothing else of his out. So are offers."""
MAX_PER_WRITER = 16
"""Of debugging records, which have no owner: so many of each device that wrote them."""
COUNTED = ("identity", "family")
"""Types whose revisions count acts; those of others are sequences and times."""
SHARES = {
    "identity": 0.17, "family": 0.2, "head": 0.3, "addresses": 0.14, "prekeys": 0.03, NICKNAME: 0.03, PROVIDER: 0.05,
    OFFER: 0.03, IPNS: 0.04,
    DEBUG: 0.01,
}  # fmt: skip
"""What part of all room each type can count on; while there is room it may have more. Debugging records may not."""
RESEALED = ("family", IPNS)
"""Types whose owner seals the same value again whenever it writes it: of one revision the longest-lived one counts."""
MAX_MET = 200
MET_DAYS = 30
"""A node that was not heard for longer is forgotten."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    key BLOB PRIMARY KEY, layer INTEGER NOT NULL, type TEXT NOT NULL, owner BLOB, revision INTEGER NOT NULL,
    expires INTEGER NOT NULL, mine INTEGER NOT NULL, data BLOB NOT NULL
) WITHOUT ROWID;
DROP TABLE IF EXISTS contacts;
CREATE TABLE IF NOT EXISTS met (
    key BLOB PRIMARY KEY, host TEXT NOT NULL, port INTEGER NOT NULL, layers INTEGER NOT NULL, heard INTEGER NOT NULL
) WITHOUT ROWID;
"""


@frozen
class Kept:
    """A record as it is here."""

    key: bytes
    layer: int
    mine: bool
    data: bytes


@frozen
class _Room:
    """What one more record takes."""

    records: int
    size: int


class RecordStore:
    """The local part of the table. ``path`` None keeps everything in memory."""

    log = Logger()

    def __init__(self, path: Path | None, own: int, max_records: int = MAX_RECORDS, max_bytes: int = MAX_BYTES) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._database = sqlite3.connect(":memory:" if path is None else path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.executescript(_SCHEMA)
        if path is not None:
            path.chmod(0o600)
        self._held = Holdings(own)
        rows = "SELECT key, type, owner, revision, expires, length(data), mine, layer FROM records"
        for key, kind, owner, revision, expires, size, mine, layer in self._database.execute(rows):
            self._held.put(key, Entry(kind, owner, revision, expires, size, bool(mine), layer))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __len__(self) -> int:
        return len(self._held.entries)

    @property
    def size(self) -> int:
        """Bytes of all records."""
        return self._held.size

    def items(self, layer: int) -> int:
        """How many records of a layer are here."""
        return self._held.layers[layer]

    def get(self, key: bytes, wall: float) -> bytes | None:
        """The bytes of a record that has not expired."""
        entry = self._held.entries.get(key)
        if entry is None or entry.expires <= wall:
            return None
        row = self._database.execute("SELECT data FROM records WHERE key = ?", (key,)).fetchone()
        return bytes(row[0]) if row else None

    def add(self, record: DHTRecord, data: bytes, layer: int, wall: float, mine: bool = False) -> bool:
        """Keep a checked record; False when the same or a longer-lived one of this revision is here already.

        Raises `WireError` ``stale`` (an older revision), ``conflict`` (the same revision, another value), ``taken``
        (somebody else has this position of a nickname or block), ``bad-field`` (one that leaps), ``no-space``,
        ``too-many``; what was kept stays.
        """
        key = record.key(layer)
        old = self._held.entries.get(key)
        if old is not None and old.expires > wall and not self._replaces(record, data, key, old):
            return False
        owner = _counted_for(record)
        if not mine:
            self._make_room(key, record, owner, len(data), wall)
        mine = mine or (old is not None and old.mine and old.revision == record.revision)
        entry = Entry(record.type, owner, record.revision, record.expires, len(data), mine, layer)
        self._database.execute(
            "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (key, layer, record.type, owner, record.revision, record.expires, mine, data),
        )
        self._held.put(key, entry)
        return True

    def _replaces(self, record: DHTRecord, data: bytes, key: bytes, old: Entry) -> bool:
        if record.type in POSITIONED and _counted_for(record) != old.owner:
            raise WireError("taken", f"somebody else has this position of the {record.type}")
        if record.revision != old.revision:
            if record.revision < old.revision:
                raise WireError("stale", "a newer revision of this record is here already")
            if record.type in COUNTED:
                check_near(record.revision, old.revision, f"this {record.type} record")
            return True
        row = self._database.execute("SELECT data FROM records WHERE key = ?", (key,)).fetchone()
        if record.type not in RESEALED and DHTRecord.from_bytes(bytes(row[0])).value != record.value:
            raise WireError("conflict", "another value of the same revision is here already")
        return record.expires > old.expires

    def revision(self, key: bytes) -> int | None:
        """The revision that is kept under a key."""
        entry = self._held.entries.get(key)
        return entry.revision if entry else None

    def _make_room(self, key: bytes, record: DHTRecord, owner: bytes | None, size: int, wall: float) -> None:
        old = self._held.entries.get(key)
        most = {DEBUG: MAX_PER_WRITER, PROVIDER: MAX_PROVIDED, OFFER: MAX_PROVIDED}.get(record.type, MAX_PER_OWNER)
        if old is None and owner is not None and self._held.owners[owner] >= most:
            raise WireError("too-many", f"{most} records of this owner are here already")
        more = _Room(int(old is None), size - (old.size if old is not None else 0))
        if record.type == DEBUG and old is None and self._is_over(DEBUG, more):
            self.expire(wall)
            if self._is_over(DEBUG, more):
                raise WireError("no-space", "there is no more room for debugging records")
        if self._full(more):
            self.expire(wall)
        while self._full(more):
            self.remove(self._victim(key, record.type, more))

    def _victim(self, key: bytes, kind: str, more: "_Room") -> bytes:
        """What goes for a record: of a type that has more than its share, whichever is the farthest of that.

        A type within its share pushes out what others have beyond theirs, however near; one that has its share makes
        room for itself alone. Raises `WireError` ``no-space``.
        """
        taken = kind if self._is_over(kind, more) else self._largest(but=kind)
        farthest = self._held.farthest(taken, key)
        if farthest is None or (taken == kind and self._held.distance(farthest) <= self._held.distance(key)):
            raise WireError("no-space", "there is no more room for records as far from here as this one")
        return farthest

    def _largest(self, but: str) -> str:
        """The other type that is farthest beyond its share and can give something; itself where there is none."""
        others = [kind for kind in SHARES if kind != but and self._used(kind) > 1]
        giving = [kind for kind in others if self._held.farthest(kind, b"") is not None]
        return max(giving, key=self._used, default=but)

    def _used(self, kind: str) -> float:
        records = self._held.records[kind] / self._max_records
        return max(records, self._held.sizes[kind] / self._max_bytes) / SHARES[kind]

    def _is_over(self, kind: str, more: "_Room") -> bool:
        most = max(1, int(self._max_records * SHARES[kind]))
        records, size = self._held.records[kind] + more.records, self._held.sizes[kind] + more.size
        return records > most or size > self._max_bytes * SHARES[kind]

    def _full(self, more: "_Room") -> bool:
        return len(self) + more.records > self._max_records or self.size + more.size > self._max_bytes

    def remove(self, key: bytes) -> None:
        """Forget a record."""
        self._database.execute("DELETE FROM records WHERE key = ?", (key,))
        self._held.drop(key)

    def expire(self, wall: float) -> None:
        """Forget what has had its time; where the disk takes no change, the next time does."""
        try:
            for key in self._held.expired(wall):
                self.remove(key)
        except sqlite3.Error as error:
            self.log.warn("expired DHT records could not be removed: {error}", error=error)

    def listing(self) -> list[tuple[bytes, int, bool]]:
        """(key, layer, mine) of all records."""
        return [(key, entry.layer, entry.mine) for key, entry in self._held.entries.items()]

    def all(self) -> Iterator[Kept]:
        """All records, read one by one."""
        for key, layer, mine, data in self._database.execute("SELECT key, layer, mine, data FROM records"):
            yield Kept(bytes(key), layer, bool(mine), bytes(data))

    def save_contacts(self, contacts: Iterable[Contact], wall: float) -> None:
        """Remember contacts that live now; of more than 200, and of those not heard for 30 days, the others go.

        Who is away keeps its place meanwhile: after a partition it is the way back to the other half.
        """
        rows = [(contact.key, contact.host, contact.port, contact.layers, int(wall)) for contact in contacts]
        try:
            self._database.execute("BEGIN")
            self._database.executemany("INSERT OR REPLACE INTO met VALUES (?, ?, ?, ?, ?)", rows)
            self._database.execute("DELETE FROM met WHERE heard < ?", (int(wall) - MET_DAYS * 86_400,))
            self._database.execute(
                "DELETE FROM met WHERE key NOT IN (SELECT key FROM met ORDER BY heard DESC, key LIMIT ?)", (MAX_MET,)
            )
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            # They are a help for the next start: a full disk must not stop this node, which knows them now.
            self.log.warn("who was met cannot be written down: {error}", error=error)
            roll_back(self._database)

    def contacts(self) -> list[Contact]:
        """Contacts of before, those that were heard last first; none of them is proven now."""
        rows = self._database.execute("SELECT key, host, port, layers FROM met ORDER BY heard DESC, key")
        return [Contact(bytes(key), host, port, layers) for key, host, port, layers in rows]


def _counted_for(record: DHTRecord) -> bytes | None:
    """By whom a record is counted."""
    owner = record.fingerprint or record.device
    return record.type.encode() + owner if record.type in (PROVIDER, OFFER) and owner is not None else owner
