"""What a node knows of a folder, and what it has seen of it on its disk; see `bitdust.folders.database` for the tables.

My methods block, and are called in the folder's one thread of the journal; each is one transaction. What happens to a
path is decided here: a change on the disk follows the version that the disk has shown (its base), never one that has
come meanwhile, so that what was written without knowing each other is seen as such.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve

from bitdust.disk.commit import roll_back
from bitdust.folders.database import open_database
from bitdust.folders.deciding import Versioned, decide, heads_with
from bitdust.folders.items import Items, Local
from bitdust.folders.keys import FolderKeys
from bitdust.folders.paths import to_bytes
from bitdust.folders.portions import Portion, Taken
from bitdust.folders.records import NODE, Entry, Record, read, write
from bitdust.folders.vectors import MOST_WRITERS, Vector, following
from bitdust.wire.encoding import WireError
from bitdust.wire.schema import U63

MOST_HEADS = 16
"""Versions of one path that stand side by side where nobody here may decide."""
LIMIT = 256 * 1024
"""Bytes of records that go out together, or one record that is larger."""
DIGEST = 16
RUN, MOST_RUNS = 8, 1000
"""Bytes that name a run; runs that are told apart."""
DAY = 86_400
MOST_PEERS, GONE_AFTER = 1000, 30
"""Devices that are remembered, and days after which one that was not here gives way to another."""
MOST_FORGOTTEN = 10_000
"""Deletions at a time."""
NOTHING = Entry("", "file", deleted=True)


class Journal:
    """I am opened by `open` and closed by `close`. ``wall`` is seconds since the epoch."""

    def __init__(
        self, path: Path, keys: FolderKeys, wall: Callable[[], float], entropy: Callable[[int], bytes]
    ) -> None:
        self._path = path
        self.keys = keys
        self._wall = wall
        self._entropy = entropy
        self._database: sqlite3.Connection | None = None
        self.epoch = self.node = b""
        self.run = entropy(RUN)
        """Which time it is that this journal is open: what it has told since then, it will not forget."""
        self._sum: int | None = None
        """Of the digests of all heads, where this transaction has changed it."""
        self.last = 0
        """The number of the newest head."""
        self._newest: dict[bytes, int] = {}
        """The same of those that each run has told; made here, or told before this run, are those of no run."""
        self.refused = 0
        self._told: dict[bytes, int] = {}

    # opening

    def open(self) -> None:
        """Raises `BitDustError` ``disk-full``, ``disk-error``, ``newer-index``."""
        database = open_database(self._path)
        self._database, self.items = database, Items(database)
        with self.change():
            self.epoch = self.fact("epoch", lambda: self._entropy(16))
            self.node = self.fact("node", lambda: self._entropy(NODE))
            known = self.fact("public", lambda: self.keys.public or b"")
            if known and self.keys.public is None:
                self.keys.learn_public(known)
            self._begin_numbers(database)
            self._find_last()
            self._newest = {b"": self.last}

    def _begin_numbers(self, database: sqlite3.Connection) -> None:
        """Numbers go on at the microsecond of now: a journal that was brought back from a copy gives none twice."""
        now = int(self._wall() * 1_000_000)
        if not database.execute("UPDATE sqlite_sequence SET seq=max(seq, ?) WHERE name='heads'", (now,)).rowcount:
            database.execute("INSERT INTO sqlite_sequence(name, seq) VALUES('heads', ?)", (now,))

    def close(self) -> None:
        """May be called twice."""
        database, self._database = self._database, None
        if database is not None:
            database.close()

    @property
    def database(self) -> sqlite3.Connection:
        """The connection."""
        if self._database is None:
            raise RuntimeError("the journal is closed")
        return self._database

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        database = self.database
        database.execute("BEGIN IMMEDIATE")
        self._sum = None
        try:
            yield database
            if self._sum is not None:
                self.note("digest", (self._sum % 2 ** (8 * DIGEST)).to_bytes(DIGEST, "big"))
        except BaseException:
            roll_back(database)
            raise
        database.execute("COMMIT")

    def fact(self, name: str, first: Callable[[], bytes] = bytes) -> bytes:
        """A fact of the journal; ``first`` makes it where there is none. Within `change`."""
        row = self.database.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
        if row is not None and row[0]:
            return bytes(row[0])
        value = first()
        self.note(name, value)
        return value

    def note(self, name: str, value: bytes) -> None:
        """Write a fact down. Within `change`."""
        self.database.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", (name, value))

    def learn_public(self, public: bytes) -> bool:
        """A peer has shown the writers' key; whether it is."""
        with self.change():
            if not self.keys.learn_public(public):
                return False
            self.note("public", public)
        return True

    def _find_last(self) -> None:
        (self.last,) = self.database.execute("SELECT coalesce(max(seq), 0) FROM heads").fetchone()

    def newest_for(self, whose: bytes) -> int:
        """The number of the newest head that has another origin; see `origin_of`."""
        known = list(self._newest.items())
        return max(number for origin, number in known if not origin or origin != whose)

    # heads

    def heads(self, ident: bytes) -> list[Record]:
        """Versions of a path that count."""
        rows = self.database.execute("SELECT raw FROM heads WHERE id=? ORDER BY seq", (ident,))
        return [read(raw) for (raw,) in rows]

    def _store(self, ident: bytes, old: Sequence[Record], new: Sequence[Record], origin: bytes) -> None:
        kept = {record.raw for record in new}
        known = {record.raw for record in old}
        if self._sum is None:
            self._sum = int.from_bytes(self.fact("digest"), "big")
        for record in old:
            if record.raw not in kept:
                self.database.execute("DELETE FROM heads WHERE id=? AND raw=?", (ident, record.raw))
                self._sum -= int.from_bytes(record.digest, "big")
        for record in new:
            if record.raw not in known:
                row = (ident, record.raw, origin)
                stored = self.database.execute("INSERT INTO heads(id, raw, origin) VALUES(?, ?, ?)", row)
                self._newest[origin if len(self._newest) < MOST_RUNS else b""] = stored.lastrowid or 0
                self._sum += int.from_bytes(record.digest, "big")

    def digest(self) -> bytes:
        """16 bytes that are the same at all who know the same heads."""
        row = self.database.execute("SELECT value FROM meta WHERE name='digest'").fetchone()
        return bytes(row[0]) if row is not None and row[0] else bytes(DIGEST)

    def since(self, number: int, limit: int = LIMIT, without: bytes = b"") -> Portion:
        """Heads that were stored here after a number, but those ``without`` is the origin of; see `origin_of`."""
        found: list[bytes] = []
        size, upto = 0, number
        rows = self.database.execute(
            "SELECT seq, raw FROM heads WHERE seq>? AND (origin=x'' OR origin<>?) ORDER BY seq", (number, without)
        )
        for seq, raw in rows:
            if found and size + len(raw) > limit:
                return Portion(tuple(found), upto, True)
            found.append(raw)
            size, upto = size + len(raw) + 4, seq
        return Portion(tuple(found), max(number, self.last), False)

    # what comes from peers

    def take(self, raws: Iterable[bytes], origin: bytes = b"") -> Taken:
        """Records, and who has told them; see `origin_of`. Bad ones are counted, and dropped: nobody gets them here."""
        changed, problem, refused, brought = 0, "", 0, 0
        with self.change():
            for raw in raws:
                brought += 1
                try:
                    record = read(raw, self.keys)
                    changed += self._merge(record, origin=origin)
                except WireError as error:
                    refused, problem = refused + 1, str(error)
            if changed and self.keys.secret.may_read:
                self.items.brake(self.fact("confirmed") != b"")
            self._find_last()
        self.refused += refused
        return Taken(changed, refused, problem, brought)

    def _merge(self, record: Record, entry: Entry | None = None, origin: bytes = b"") -> int:
        """Make a record known; ``entry`` is what readers see in it. Whether anything is new."""
        if not self.keys.secret.may_read:
            return self._merge_blind(record, origin)
        old = self.heads(record.id)
        heads = heads_with(old, record)
        if heads is None:
            return 0
        entry = entry or record.opened(self.keys)
        before = self._shown(old)
        copies: tuple[Versioned, ...] = ()
        if len(heads) == 1:
            winner = entry
        else:
            decision = decide([Versioned(head.opened(self.keys), head.vector) for head in heads])
            winner, copies = decision.winner.entry, decision.copies
            # Two that name more writers than a record can stand side by side, as for those who may not decide.
            if self.keys.secret.may_write and len(decision.winner.vector) <= MOST_WRITERS:
                heads = [write(winner, decision.winner.vector, self.keys)]
                origin = origin if heads[0].raw == record.raw else b""
        self._store(record.id, old, heads[-MOST_HEADS:], origin)
        self._show(record.id, before, winner)
        for copy in copies if self.keys.secret.may_write else ():
            self._merge(write(copy.entry, copy.vector, self.keys))
        return 1

    def _shown(self, heads: Sequence[Record]) -> Record | None:
        """The record whose entry counts; of several, where nobody may decide, the first."""
        return heads[0] if heads else None

    def _merge_blind(self, record: Record, origin: bytes) -> int:
        old = self.heads(record.id)
        heads = heads_with(old, record)
        if heads is None:
            return 0
        heads = heads[-MOST_HEADS:]
        self._store(record.id, old, heads, origin)
        self.database.execute("DELETE FROM pieces WHERE path=?", (record.id,))
        chunks = sorted({chunk for head in heads for chunk in head.chunks()})
        rows = [(name, record.id, number, length, b"") for number, (name, length) in enumerate(chunks)]
        self.database.executemany("INSERT INTO pieces VALUES(?, ?, ?, ?, ?)", rows)
        return 1

    def entry(self, heads: Sequence[Record]) -> Entry:
        """What readers are shown of a path with these heads."""
        versions = [Versioned(head.opened(self.keys), head.vector) for head in heads]
        return versions[0].entry if len(versions) == 1 else decide(versions).winner.entry

    def _show(self, ident: bytes, before: Record | None, winner: Entry) -> None:
        """The item follows its winner; what the disk shows until then is its base."""
        items = self.items
        was_due = items.is_due(ident)
        local = items.local(winner.path)
        due = not items.is_as(local, winner)
        if due and not was_due and before is not None:
            items.keep_base(ident, before.raw)
        items.put(ident, winner, due, int(self._wall()))
        if not due:
            items.drop_base(ident)

    # what is seen on the disk

    def notice(self, found: Iterable[tuple[Local, Entry]], overwrite: bool = False) -> Taken:
        """Files, folders and links that are new on the disk, or otherwise than they were seen last.

        ``overwrite``: of who may only read, what was changed here is to be as it was.
        """
        changed, unwritten = 0, dict[str, str]()
        with self.change():
            for local, entry in found:
                self.items.see(local, entry)
                changed += self._follow(entry, overwrite, unwritten)
            self._find_last()
        return Taken(changed, unwritten=unwritten)

    def miss(self, paths: Iterable[str], overwrite: bool = False) -> Taken:
        """Paths that were on the disk, and are not any more."""
        changed, unwritten = 0, dict[str, str]()
        with self.change():
            for path in paths:
                local = self.items.local(path)
                if local is None:
                    continue
                self.items.forget(path)
                changed += self._follow(Entry(path, local.kind, deleted=True), overwrite, unwritten)
            self._find_last()
        return Taken(changed, unwritten=unwritten)

    def _follow(self, seen: Entry, overwrite: bool, unwritten: dict[str, str]) -> int:
        """A writer's record of what was seen; whether there is one."""
        ident = self.keys.path_id(to_bytes(seen.path))
        item = self.items.get(ident)
        if item is not None and self.items.shows(item, seen):
            self.items.settle(ident)
            return 0
        if item is None and seen.deleted:
            return 0
        if not self.keys.secret.may_write:
            if overwrite and item is not None:
                self.items.mark(ident)
            return int(overwrite)
        old = self.heads(ident)
        if item is not None and (item.todo or not item.wanted):
            raw = self.items.base(ident)
        else:
            raw = old[0].raw if old else None
        base = read(raw) if raw is not None else None
        vector, writer = self._next(base.vector if base is not None else {}, old)
        former = base.opened(self.keys) if base is not None else NOTHING
        if Items.is_same(former, seen):
            return 0
        made = evolve(former.followed(seen), writer=writer, made=vector[writer])
        try:
            record = write(made, vector, self.keys)
            if item is not None and item.todo:
                self.items.keep_base(ident, record.raw, True)
            self._merge(record, made)
        except WireError as error:
            unwritten[seen.path] = str(error)
            return 0
        return 1

    def _next(self, vector: Vector, heads: Sequence[Record]) -> tuple[Vector, bytes]:
        """A version that follows, and comes before none of those that are known; and who counts in it: I, under another
        name from now on where somebody else has counted in mine to the end."""
        known = [vector, *(head.vector for head in heads)]
        if any(one.get(self.node, 0) >= U63 for one in known):
            self.node = self._entropy(NODE)
            self.note("node", self.node)
        return following(vector, known, self.node, int(self._wall() * 1000))

    def say(self, ident: bytes, shown: Entry) -> None:
        """This node's word of what a path is, after all that is known of it here. Within `change`."""
        heads = self.heads(ident)
        vector, writer = self._next(heads[0].vector, heads)
        made = self.entry(heads).followed(evolve(shown, writer=writer, made=vector[writer]))
        self._merge(write(made, vector, self.keys), made)
        self._find_last()

    # peers

    def known_of(self, device: bytes) -> tuple[bytes, int]:
        """Which life of a device's journal is known, and up to which number."""
        row = self.database.execute("SELECT epoch, seq FROM peers WHERE device=?", (device,)).fetchone()
        return (bytes(row[0]), row[1]) if row is not None else (bytes(16), 0)

    def note_told(self, device: bytes, upto: int) -> None:
        """A device knows what is here up to a number."""
        if self._told.get(device, 0) < upto and self._is_peer(device):
            self._told[device] = upto
            with self.change():
                self.note(f"told {device.hex()}", upto.to_bytes(8, "big"))

    def _is_peer(self, device: bytes) -> bool:
        return self.database.execute("SELECT 1 FROM peers WHERE device=?", (device,)).fetchone() is not None

    def forget_deletions(self, days: int, now: int) -> int:
        """Forget what was deleted so many days ago, as far as all devices know it that were here since; how many.

        Who comes back later is not told again, and tells nothing of its file before that is changed there.
        """
        if not days or not self.keys.secret.may_read:
            return 0
        since = now - days * DAY
        with self.change() as database:
            devices = database.execute("SELECT device FROM peers WHERE synced>=?", (since,)).fetchall()
            known = [int.from_bytes(self.fact(f"told {device.hex()}"), "big") for (device,) in devices]
            rows = database.execute(
                "SELECT id, seq FROM items JOIN heads USING(id) WHERE items.deleted AND NOT todo AND learnt<?"
                " GROUP BY id HAVING count(*)=1 AND max(seq)<=? LIMIT ?",
                (since, min(known, default=self.last), MOST_FORGOTTEN),
            ).fetchall()
            for ident, _ in rows:
                self._store(ident, self.heads(ident), [], b"")
                database.execute("DELETE FROM items WHERE id=?", (ident,))
                self.items.drop_base(ident)
        return len(rows)

    def note_peer(self, device: bytes, epoch: bytes, seq: int, name: str) -> None:
        """What a device has told is known here up to a number. Of more devices than a person has, those that come last
        are not written down: what they tell is asked for from the beginning each time."""
        with self.change() as database:
            if not self._is_peer(device):
                (many,) = database.execute("SELECT count(*) FROM peers").fetchone()
                gone = database.execute("SELECT device, synced FROM peers ORDER BY synced LIMIT 1").fetchone()
                if many >= MOST_PEERS and gone[1] > self._wall() - GONE_AFTER * DAY:
                    return
                if many >= MOST_PEERS:
                    database.execute("DELETE FROM peers WHERE device=?", gone[:1])
                    database.execute("DELETE FROM meta WHERE name=?", (f"told {gone[0].hex()}",))
            row = (device, epoch, seq, int(self._wall()), name)
            database.execute("INSERT OR REPLACE INTO peers VALUES(?, ?, ?, ?, ?)", row)
