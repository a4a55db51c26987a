"""When the logs of each device were last compared with what suppliers list, and were known to their ends.

By key it is kept as well since when something that counts is not read: what stands there may build on anything that is
given up meanwhile.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from attrs import evolve, field, frozen

from bitdust.crypt.keyring import MASTER
from bitdust.storage.catalog.calendar import Calendar
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import meta, meta_rows, set_meta
from bitdust.storage.log.access import LogAccess
from bitdust.storage.log.held_up import HeldUp
from bitdust.storage.log.missing import losses
from bitdust.storage.log.seen import Heard, SeenHead
from bitdust.wire.encoding import encode
from bitdust.wire.records import Family

COMPARED, BEHIND, READ = "compared", "compared-behind", "compared-read"
ASTRAY = 3_600
"""Seconds by which what was noted may be later than now: beyond that the clock was wrong then."""
TOLD_FOR = 25 * 86_400
"""Seconds for which snapshots surely repeat deletions; the compaction leaves them out after thirty days."""
GUEST_WAIT = 30 * 86_400
"""Seconds for which the log of a guest is waited for that cannot be read."""
FRESH = 3_600
"""Seconds after which what the last comparison could not read may have come: all is compared each few minutes."""
MAX_NOTE, MAX_READ = 64 * 1024, 1024 * 1024
MOST_WAITED = 32
"""Those with logs under a key that are not read whom the note names."""
MOST_BEHIND = 2048
"""Devices that the note names; one row has 22 bytes at most."""
_IS = 1
"""What is noted of a key that is not read in place of since when, where that is not known, and was by former versions.
"""


@frozen
class _OfKey:
    """When all logs of a key were read, and since when something is not, 0 where all is; by whom, since when, whom
    former versions did not name."""

    read: int = 0
    since: int = 0
    waited: list[tuple[bytes, int]] = field(factory=list)


_NEVER = _OfKey()


class Compared:
    """I remember that for all devices together, and for those apart of whose logs something lacks."""

    def __init__(self, catalog: Catalog, calendar: Calendar) -> None:
        self._catalog = catalog
        self._calendar = calendar

    def was_here(self, device: bytes) -> bool:
        """Whether all of a device's logs was read so lately that no snapshot has left out deletions which this node has
        not read.

        Then it goes on from the snapshot, and keeps what it knows: a stolen device may have written that.
        """
        last, behind = _noted(self._catalog.read)
        moment, now = behind.get(device, last), self._calendar.stamp()
        return bool(moment) and moment <= now + ASTRAY and now < moment + TOLD_FOR

    async def note_read(self, keys: Collection[str], unread: Mapping[str, Collection[bytes]]) -> None:
        """All logs of these keys were compared; of those that are ``unread`` something that counts is not known, which
        these people, or devices of the owner's, have written. Each is waited for since a moment of its own, and the
        latest of these counts."""
        now = int(self._calendar.now())

        def note(database: sqlite3.Connection) -> None:
            known = _read(database)
            rows: dict[str, list[Any]] = {key: [now, 0] for key in keys}
            for key, people in unread.items():
                before = known.get(key, _NEVER)
                there = {one: since for one, since in before.waited if since > _IS}
                chosen = sorted((one not in there, one) for one in people)[:MOST_WAITED]
                waited = {one: there.get(one, max(now, _IS)) for _, one in chosen}
                rows[key] = [before.read, max(waited.values(), default=_IS), [*waited.items()]]
            set_meta(database, READ, encode([[key, *rows[key]] for key in sorted(keys)]))

        await self._catalog.change_quietly(note)

    def read_at(self) -> dict[str, int]:
        """By key when last all of its logs that counts was known here, in seconds of observed time.

        What was given up thirty days before that is not built on by anything that is unheard."""
        now = int(self._calendar.now())
        return {key: min(one.read, now) for key, one in _read(self._catalog.read).items()}

    def unread_keys(self) -> frozenset[str]:
        """Keys of whose logs the last comparison has not read all that counts."""
        return frozenset(key for key, one in _read(self._catalog.read).items() if one.since)

    def waits_for(self, key: str, person: bytes) -> bool:
        """Whether something that counts of what a guest has written under a key is not read, and is waited for."""
        one = _read(self._catalog.read).get(key, _NEVER)
        since = dict(one.waited).get(person)
        if since is None:  # the note has no room for more
            return bool(one.since) and len(one.waited) >= MOST_WAITED
        return since <= _IS or since > int(self._calendar.now()) - GUEST_WAIT

    def given_up_keys(self) -> frozenset[str]:
        """Those of them of which nobody waits any more: only a guest's log is not read there, since a month. It writes
        what it likes, and would keep everybody where they are. None before all was compared after a pause: it may have
        come meanwhile."""
        rows, now = _read(self._catalog.read), int(self._calendar.now())
        all_keys = rows.get(MASTER, _NEVER)
        if all_keys.since or now - all_keys.read > FRESH:  # what a device of the owner's has written concerns each key
            return frozenset()
        return frozenset(key for key, one in rows.items() if _IS < one.since <= now - GUEST_WAIT)

    def all_read_at(self) -> int:
        """When last all logs that are waited for were known here, in seconds of observed time; 0: never."""
        given_up = self.given_up_keys()
        return min((moment for key, moment in self.read_at().items() if key not in given_up), default=0)

    @property
    def is_waited(self) -> bool:
        """Whether something is not read that is waited for."""
        return bool(self.unread_keys() - self.given_up_keys())


def unread(
    catalog: Catalog, access: LogAccess, heard: Heard, family: Family | None, held_up: Iterable[HeldUp]
) -> dict[str, set[bytes]]:
    """Keys of whose logs something that counts is not known, and who has written it: it is held up, or is not given and
    was safe, perhaps.

    Where it is in the log of a device of the owner's, that is every key; a guest builds on packs of its own key alone,
    and is one however many devices it has: it may spoil the log of another one each month. What was given up, and what
    a device has written after its end, does not count.
    """
    lost, found = losses(catalog.read), dict[str, set[bytes]]()
    heard = Heard(heard.suppliers, {key: list(_counted(access, heads)) for key, heads in heard.heads.items()})
    lacking = [
        (key, seen.head.device)
        for key, heads in heard.heads.items()
        for seen in heads
        if seen.end > max(catalog.end(key, seen.head.device).sequence, lost.get((key, seen.head.device), 0))
        and heard.may_be_safe(family, key, seen.head.device, seen.end)
    ]
    lacking += [(one.key, one.device) for one in held_up if one.key in heard.heads]
    for key, device in lacking:
        guests = [guest for scope in access.scopes(key) if (guest := access.guest(scope, device)) is not None]
        people = {who for guest in guests for who in guest.holders} or {device}
        for one in [key] if guests else heard.heads:
            found.setdefault(one, set()).update(people)
    return found


def _counted(access: LogAccess, heads: Iterable[SeenHead]) -> Iterator[SeenHead]:
    """Heads with what counts of each, or may count when the owner's newest document is here.

    Where that has no room for all former devices, one that it does not name is one of those, which nobody can read.
    """
    forgets = bool(access.document.forgot_until)
    for seen in heads:
        is_known = forgets or seen.head.scope is not None or access.device(seen.signer) is not None
        yield seen if is_known else evolve(seen, end=seen.head.sequence)


def note_compared(
    database: sqlite3.Connection, moment: int, lacking: Collection[bytes], named: Collection[bytes]
) -> None:
    """Inside a transaction: all was compared, in seconds since 1970; of the logs of these devices something lacks.

    The note has limits: those of them that are ``named`` by the owner are always in it, then those that were before.
    """
    last, behind = _noted(database)

    def before(device: bytes) -> int:
        known = behind.get(device, last)
        return known if known <= moment + ASTRAY else 0

    chosen = sorted(lacking, key=lambda device: (device not in named, device not in behind, device))[:MOST_BEHIND]
    set_meta(database, COMPARED, b"%d" % moment)
    set_meta(database, BEHIND, encode([[device, before(device)] for device in sorted(chosen)]))


def forget_compared(database: sqlite3.Connection) -> None:
    """Inside a transaction: nothing of what was compared is here any more."""
    database.execute("DELETE FROM meta WHERE name IN (?, ?, ?)", (COMPARED, BEHIND, READ))


def _noted(database: sqlite3.Connection) -> tuple[int, dict[bytes, int]]:
    """When all was compared, and for devices of whose logs something lacked when that was not so yet. Where the note
    cannot be read nothing was compared."""
    rows = meta_rows(database, BEHIND, MAX_NOTE)
    if rows is None:
        return 0, {}
    return int(meta(database, COMPARED) or b"0"), dict(rows)


def _read(database: sqlite3.Connection) -> Mapping[str, _OfKey]:
    """What is noted of keys. Where the note cannot be read nothing was read."""
    rows = meta_rows(database, READ, MAX_READ) or []
    return {key: _OfKey(*row[:3]) for key, *row in rows}
