"""A keeper's segments are put in order, a portion at a time: other work of the folder goes on in between.

`Tidying.mend` compares them with the journal. What is not there any more leaves the journal, so that it is fetched
again; what is there and was forgotten, because a power cut took the last transactions back, is known again.
`Tidying.collect` removes what no record names, copies segments that have much of that, and moves chunks that are in
files of their own. Nothing is removed before the journal's word that it is not needed is on the disk.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from twisted.logger import Logger

from bitdust.folders.blind import FORMER, ROWS, Blind, Kept, former_place, note, portion, spot_of
from bitdust.folders.database import durably
from bitdust.folders.journal import DAY, Journal
from bitdust.folders.keys import sealed_name
from bitdust.folders.segments import HEAD, LONGEST, MAGIC, SegmentReader, Spot, name_of
from bitdust.folders.tree import BLIND, Tree

DOUBTED = 64
"""Chunks that are read in one, to see whether they are still there."""
COPIED = 8 * 1024 * 1024
"""Bytes that are copied in one portion."""
LENT = 2 * COPIED
"""Bytes of the disk's reserve that copies may take until what they are of is removed: more than one segment needs."""
REMOVED = 64
"""Segments that are removed in one."""
NEEDED_NO_MORE = (
    "SELECT name, size, segment FROM kept WHERE name>? AND name<=?"
    " AND NOT EXISTS (SELECT 1 FROM pieces WHERE name=kept.name)"
)
"""Both tables in the order of names: the other way round each look would be at another place of the disk."""
WAITING = "waiting"
"""The fact of the journal that says how long it waits for records that may have been forgotten: milliseconds."""
STEP = 3600.0
"""Seconds that pass at most between two looks, whatever the clock says: it may have been set in between."""
MOST_STUCK = 10_000
"""Files that are remembered as not to be removed."""
Places = list[tuple[bytes, Spot]]
_FOLDER, _FILE = re.compile("[0-9a-f]{2}"), re.compile("[0-9a-f]{30}")


class Tidying:
    """I work in the folder's thread; each step of what my methods give is one portion."""

    log = Logger()

    def __init__(self, tree: Tree, ident: bytes, journal: Journal, blind: Blind, wall: Callable[[], float]) -> None:
        self._tree = tree
        self._ident = ident
        self._journal = journal
        self._blind = blind
        self._wall = wall
        self._counted = wall()
        """Up to when waiting was counted."""
        self.is_waiting = False
        """Whether nothing is let go of at the moment, because records may come; what is left of that has to be counted
        at least each `STEP`."""
        self._idle_at = -1
        """How often the journal had changed when nothing was found to be done."""
        self._has_left = False
        """Whether something could not be read that is to move, or not be removed."""
        self.stuck: dict[str, str] = {}
        """Files that are needed no more and could not be removed the last time, and why."""
        self._borrowed = 0
        """Bytes of the reserve that copies have taken, and nothing was removed for yet."""

    # as it is on the disk

    def mend(self) -> Iterator[None]:
        """What has gone or is damaged leaves the journal; what it has forgotten is known again. Raises `OSError`,
        `bitdust.folders.tree.Missing`."""
        self._tree.check(self._ident)
        found = self._blind.segments.sizes()
        known = dict(self._journal.database.execute("SELECT number, size FROM segments"))
        self._let_go_of_lost(found, known)
        yield from self._let_go_of_doubted()
        for segment, length in sorted(found.items()):
            if length > known.get(segment, -1) and segment not in self._blind.segments.spoilt:
                with contextlib.suppress(OSError):
                    self._look_into(segment)
                yield

    def _let_go_of_lost(self, found: dict[int, int], known: dict[int, int]) -> None:
        """Chunks of segments that have gone, or were cut."""
        cut = [(found.get(one, 0), one) for one, size in known.items() if found.get(one, 0) < size]
        if cut:
            self._tree.check(self._ident)
            with self._journal.change() as database:
                database.executemany("DELETE FROM kept WHERE offset+size>? AND segment=?", cut)
                database.executemany("UPDATE segments SET size=? WHERE number=?", cut)
                database.execute("DELETE FROM segments WHERE size=0")

    def _let_go_of_doubted(self) -> Iterator[None]:
        """Those that somebody could not read."""
        doubted = self._blind.doubted
        for _ in range(0, len(doubted), DOUBTED):
            names = [doubted.pop() for _ in range(min(DOUBTED, len(doubted)))]
            self._let_go(name for name in names if self._has_gone(name))
            yield

    def _reader(self) -> Kept:
        return self._blind.kept(self._journal.database)

    def _has_gone(self, name: bytes) -> bool:
        """Whether a chunk is certainly not where the journal says."""
        with contextlib.suppress(OSError):
            return not self._looked_up(name)
        return False

    def _is_here(self, name: bytes) -> bool:
        """Whether a chunk can be read where the journal says."""
        with contextlib.suppress(OSError):
            return self._looked_up(name)
        return False

    def _looked_up(self, name: bytes) -> bool:
        spot = spot_of(self._journal.database, name)
        with self._reader() as kept:
            return spot is not None and kept.look(name, spot) is not None

    def _let_go(self, names: Iterable[bytes]) -> None:
        """These are not here any more. Raises `bitdust.folders.tree.Missing` where that is the whole folder."""
        rows = [(name,) for name in names]
        if rows:
            self._tree.check(self._ident)
            with self._journal.change() as database:
                database.executemany("DELETE FROM kept WHERE name=?", rows)

    def _look_into(self, segment: int) -> None:
        """Chunks behind what the journal knows of a segment."""
        row = self._journal.database.execute("SELECT size FROM segments WHERE number=?", (segment,)).fetchone()
        begin = row[0] if row is not None else len(MAGIC)
        reader = SegmentReader(self._tree, BLIND)
        with contextlib.closing(reader):
            head = reader.head(segment)
            if head != MAGIC and head.strip(b"\0") and not MAGIC.startswith(head):
                return
            found, end = [], begin
            has_records = head == MAGIC and next(reader.records(segment, begin), None) is not None
            if has_records:
                self._blind.segments.sync(segment, begin)
            for name, spot in reader.records(segment, begin) if has_records else ():
                end = spot.end
                if sealed_name(reader.read(spot)) == name and not self._is_here(name):
                    found.append((name, spot))
        if row is None or end > begin:
            with self._journal.change() as database:
                self._wait_for_records(name for name, _ in found)
                note(database, found)
                database.execute("INSERT OR REPLACE INTO segments VALUES(?, ?)", (segment, end))

    def _wait_for_records(self, names: Iterable[bytes]) -> None:
        """These were not known; where no record names one, it may have been forgotten as well, and come within a day.
        Within a transaction: the next process waits too."""
        if not all(map(self._is_named, names)):
            self._note_waiting(DAY * 1000)

    def _is_named(self, name: bytes) -> bool:
        """Whether a record names a chunk."""
        query = "SELECT 1 FROM pieces WHERE name=? LIMIT 1"
        return self._journal.database.execute(query, (name,)).fetchone() is not None

    def _may_be_named(self, name: bytes) -> bool:
        """Whether a record names a chunk that was not needed, and could not be removed; or may, which is waited for."""
        return self.is_waiting or self._is_named(name)

    def _note_waiting(self, left: int) -> None:
        self._journal.note(WAITING, left.to_bytes(8, "big"))

    def _waits(self, is_met: bool) -> bool:
        """Only time in which this node was on, and somebody was here, brings a record nearer."""
        before, self._counted = self._counted, self._wall()
        row = self._journal.database.execute("SELECT value FROM meta WHERE name=?", (WAITING,)).fetchone()
        left = int.from_bytes(row[0], "big") if row is not None else 0
        passed = round(min(max(0.0, self._counted - before), STEP) * 1000)
        if left and passed and is_met:
            left = max(0, left - passed)
            with self._journal.change():
                self._note_waiting(left)
        self.is_waiting = left > 0
        return self.is_waiting

    # as it is to be

    def collect(self, is_met: bool) -> Iterator[None]:
        """Remove what no record names any more, and put together what is left. ``is_met``: somebody is here who could
        tell records. Raises `OSError`, `BitDustError`."""
        changes = self._journal.database.total_changes
        if changes == self._idle_at:
            return
        self._has_left = False
        self._look_at_stuck()
        self._remove_spoilt()
        after: bytes | None = b""
        while after is not None and not self._waits(is_met):
            after = self._drop(after)
            yield
        empty, sparse = self._wasteful()
        for at in range(0, len(empty), REMOVED):
            self._remove(empty[at : at + REMOVED])
            yield
        for segment, live in sparse:
            self._blind.need_room(live, self._lent)
            yield from self._rewrite(segment)
        yield from self._move_former()
        if after is None and not self._has_left and self._journal.database.total_changes == changes:
            self._idle_at = changes

    def _look_at_stuck(self) -> None:
        for place in [place for place in self.stuck if self._tree.look(place) is None]:
            del self.stuck[place]

    def _remove_spoilt(self) -> None:
        """New segments in which nothing counts because they did not come to the disk."""
        spoilt = self._blind.segments.spoilt
        if not spoilt:
            return
        known = {number for (number,) in self._journal.database.execute("SELECT number FROM segments")}
        for one in sorted(spoilt - known):
            if self._has_removed(f"{BLIND}/{name_of(one)}", partial(self._blind.segments.remove, one)):
                spoilt.discard(one)

    def _has_removed(self, place: str, remove: Callable[[], None]) -> bool:
        """Whether a file has gone; one that stays is named in ``stuck``, and tried again with the next run."""
        try:
            remove()
        except OSError as error:
            self._has_left = True
            why = error.strerror or str(error)
            if place not in self.stuck and len(self.stuck) < MOST_STUCK:
                self.log.warn("{file} of a keeper is needed no more and cannot be removed: {why}", file=place, why=why)
                self.stuck[place] = why
            return False
        self.stuck.pop(place, None)
        return True

    def _drop(self, after: bytes) -> bytes | None:
        """Of the next chunks those that no record names any more; the last one that was looked at, None at the end."""
        database = self._journal.database
        last, others_follow = portion(database, "kept", after)
        rows = database.execute(NEEDED_NO_MORE, (after, last)).fetchall()
        if rows:
            self._let_go_of_unneeded(rows)
        return last if others_follow else None

    def _let_go_of_unneeded(self, rows: list[tuple[bytes, int, int]]) -> None:
        database = self._journal.database
        former = [(name, size) for name, size, segment in rows if segment == FORMER]
        with durably(database) if former else contextlib.nullcontext(), self._journal.change():
            database.executemany("DELETE FROM kept WHERE name=?", [(name,) for name, *_ in rows])
        left = self._remove_former(former)
        if left:
            with self._journal.change():
                database.executemany("INSERT OR IGNORE INTO kept(name, size) VALUES(?, ?)", left)

    def _wasteful(self) -> tuple[list[int], list[tuple[int, int]]]:
        """Segments without a chunk that is needed; those of which more than a quarter is not, and what a copy of each
        takes, the emptiest first: where there is hardly any room, what that frees is there for the next one."""
        rows = self._journal.database.execute(
            "SELECT number, segments.size, coalesce(sum(kept.size + ?), 0) AS live"
            " FROM segments LEFT JOIN kept ON segment=number GROUP BY number ORDER BY live, number",
            (HEAD.size,),
        ).fetchall()
        empty = [number for number, _, live in rows if not live]
        sparse = [(number, live) for number, size, live in rows if live and (size - len(MAGIC) - live) * 4 > size]
        return empty, [one for one in sparse if one[0] != self._blind.segments.open_one]

    def _remove(self, segments: Sequence[int]) -> None:
        """Remove those that still have no chunk that is needed. Of one that stays the journal knows again."""
        database = self._journal.database
        query = (
            "DELETE FROM segments WHERE number=? AND number NOT IN (SELECT segment FROM kept WHERE segment=number)"
            " RETURNING size"
        )
        with durably(database), self._journal.change():
            gone = [(one, size) for one in segments for (size,) in database.execute(query, (one,)).fetchall()]
        left = []
        for one, size in gone:
            if self._has_removed(f"{BLIND}/{name_of(one)}", partial(self._blind.segments.remove, one)):
                self._give_back(size)
            else:
                left.append((one, size))
        if left:
            with self._journal.change():
                database.executemany("INSERT OR IGNORE INTO segments VALUES(?, ?)", left)

    @property
    def _lent(self) -> int:
        """Bytes of the reserve that may be taken now."""
        return LENT - self._borrowed

    def _copy(self, chunks: list[tuple[bytes, bytes]]) -> None:
        """It takes room before it makes some: on a disk that may not be filled further nothing would ever be freed."""
        self._borrowed += self._blind.keep(chunks, self._lent)

    def _give_back(self, size: int) -> None:
        self._borrowed = max(0, self._borrowed - size)

    def _rewrite(self, segment: int) -> Iterator[None]:
        """Copy what is needed to the end of the last one. What cannot be read now stays, and its segment with it."""
        query = "SELECT name, offset, size FROM kept WHERE segment=? AND offset>? ORDER BY offset LIMIT ?"
        after = 0
        while rows := self._journal.database.execute(query, (segment, after, ROWS)).fetchall():
            part = _portion([(name, Spot(segment, offset, size)) for name, offset, size in rows])
            self._copy(self._read(part)[0])
            after = part[-1][1].offset
            yield
        self._remove([segment])

    def _read(self, places: Places) -> tuple[list[tuple[bytes, bytes]], set[bytes]]:
        """Chunks that can be read, and names of those that may be read another time. Others leave the journal."""
        chunks: list[tuple[bytes, bytes]] = []
        left: set[bytes] = set()
        gone: list[bytes] = []
        with self._reader() as kept:
            for name, spot in places:
                try:
                    data = kept.look(name, spot)
                except OSError:
                    left.add(name)
                    self._has_left = True
                    continue
                if data is None:
                    gone.append(name)
                else:
                    chunks.append((name, data))
        self._let_go(gone)
        return chunks, left

    # chunks in files of their own

    def _move_former(self) -> Iterator[None]:
        """Move them into segments; files and folders go afterwards."""
        for folder, _ in self._below(BLIND, _FOLDER):
            place = f"{BLIND}/{folder}"
            below = [(name, size) for name, size in self._below(place, _FILE) if size <= LONGEST]
            files = [(bytes.fromhex(folder + name), Spot(FORMER, 0, size)) for name, size in below]
            while files:
                part = _portion(files)
                self._move(part)
                del files[: len(part)]
                yield
            with contextlib.suppress(OSError):
                self._tree.remove_folder(place)
        query = "SELECT name FROM kept WHERE segment=? LIMIT ?"
        rows = self._journal.database.execute(query, (FORMER, ROWS)).fetchall()
        self._let_go(name for (name,) in rows if self._has_gone(name))

    def _below(self, place: str, pattern: re.Pattern[str]) -> list[tuple[str, int]]:
        """Files and folders of such names, and their sizes; nothing where there is no folder."""
        with contextlib.suppress(OSError), self._tree.folder(place) as folder, os.scandir(folder) as entries:
            found = [entry for entry in entries if pattern.fullmatch(entry.name)]
            return [(entry.name, entry.stat(follow_symlinks=False).st_size) for entry in found]
        return []

    def _move(self, places: Places) -> None:
        known = {name: spot_of(self._journal.database, name) for name, _ in places}
        former = [(name, spot) for name, spot in places if (known[name] or spot).segment == FORMER]
        here = [
            (name, spot) for name, spot in former if former_place(name) not in self.stuck or self._may_be_named(name)
        ]
        chunks, left = self._read(here)
        with self._journal.change():
            self._wait_for_records(name for name, _ in chunks if known[name] is None)
        with durably(self._journal.database):
            self._copy(chunks)
        self._remove_former((name, spot.size) for name, spot in places if name not in left)

    def _remove_former(self, chunks: Iterable[tuple[bytes, int]]) -> list[tuple[bytes, int]]:
        """Their names and sizes; those that stay."""
        left = []
        for name, size in chunks:
            place = former_place(name)
            if self._has_removed(place, partial(self._tree.remove, place)):
                self._give_back(size)
            else:
                left.append((name, size))
        return left


def _portion(places: Places) -> Places:
    """As many as are copied at once."""
    size = 0
    for count, (_, spot) in enumerate(places, 1):
        size += spot.size
        if size >= COPIED:
            return places[:count]
    return places
