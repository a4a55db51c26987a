"""Families of other lives that were joined with mine, as long as what they hold may not be known here.

Whoever started over made a family and a catalog that knew nothing of the former ones. When the former family turns up,
both records become one, and some suppliers of each family leave their places. What those of the other life hold stands
in their logs alone: until these are read, nobody is let go, and no size of a family is given up; and after that each of
them stays until it has listed its pieces, or another one has all that can belong to its place.

Where too few of a life can ever be read its suppliers are waited for as long as contracts last, and no longer: who was
away for so long need not have anything any more.

The file is JSON: ``lives``, the newest first, each with its signed ``record`` in hex, whether it was ``read``,
``until`` when its suppliers are waited for, in seconds since the epoch, 0 while that is not known, ``guests``, in hex,
those who stand beside mine for it alone, null for a record that was joined with mine, nobody for one that another
device of mine wrote and this one follows, ``strangers`` whom that one named and who were no holders before, null where
nobody knows that, whether guests are ``aside``: they have had no room yet, have stepped aside for others, or have
fallen out of a record that counts now; ``since`` when they have their room, or wait for it, in seconds since the epoch,
0 before anybody has looked, who of them, in hex, was ``heard``, with whom a person has ``ended`` it, and which
strangers were ``placed``: they have had a place of mine; and ``digest``, the SHA-256 of these as they are written.
There is a copy of it, because nobody else can say any more whom to wait for. A file of the first format, a list of
records, is read as one of which nothing was read; in one of the second, which has neither ``guests`` nor ``aside``,
nobody is known to be a guest, in one of the third nobody to be a stranger, in one of the fourth, which has neither
``since`` nor ``heard``, all begin to stand or to wait when it is read, and nobody was heard, in one of the fifth, which
has no ``ended``, nothing was ended, and in one of the sixth, which has no ``placed``, nobody is known to have had a
place.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.logger import Logger

from bitdust.crypt.files import remove_safely, write_safely
from bitdust.suppliers.family_before import MAX_RECORD
from bitdust.suppliers.life import TERM, UNREADABLE, Life, Reading, Unread, left_of, unread
from bitdust.suppliers.turns import Turn, next_turn
from bitdust.wire.records import MAX_ALSO, Family
from bitdust.wire.signed import Signed

MOST = 32
MAX_FILE = 5 * MOST * MAX_RECORD
"""Bytes of the largest records in hex, and of whom they name at most, once in each list of a life."""


class OtherLives:
    """I remember their records on the disk, until all that they hold is known."""

    log = Logger()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._copy = path.with_name(path.name + ".copy")
        self._lives: list[Life] | None = None
        self._is_whole = True
        self._failure: OSError | None = None

    def note(
        self,
        signed: Signed,
        until: int = 0,
        guests: Iterable[bytes] | None = None,
        strangers: Iterable[bytes] | None = None,
    ) -> bool:
        """A record is about to be joined with mine, or its suppliers to be ``guests``, waited for until a moment; one
        that is followed has none, but perhaps ``strangers``.

        Where there is no room one that counts takes that of guests; False where none is left. One that is followed is
        so in any case: there everybody is waited for, instead of two. Of guests that were noted before the names and
        the moment stay, and while they are not aside what was read of them too. Raises `OSError`.
        """
        record, named = signed.to_bytes().hex(), None if guests is None else set(guests)
        before = next((known for known in self._known() if known.record == record), None)
        if named is not None and before is not None:
            if before.guests is None:
                return True  # one that counts is waited for as it was
            named.update(before.guests)
        life = Life(record, until=until, guests=_sorted(named), strangers=_sorted(strangers))
        if named is not None and before is not None:
            stands, until = not before.is_aside, min(before.until or until, until or before.until)
            life = evolve(life, until=until, strangers=life.strangers or before.strangers, heard=before.heard)
            life = evolve(life.without(before.ended), ended=before.ended)
            life = evolve(life, is_read=before.is_read and stands, since=before.since if stands else 0)
        covered = [known for known in self._known() if known.record == record or life.covers(known)]
        if life.strangers:
            life = evolve(life, strangers=_sorted(who for one in (life, *covered) for who in one.strangers or ()))
            life = evolve(life, placed=_sorted(who for one in covered for who in one.placed) or ())
        others = [known for known in self._known() if known not in covered]
        if len(others) == MOST and not named:
            last = next((one for one in sorted(others, key=_was_heard) if one.guests), None)
            others = [one for one in others if one is not last]
        if len(others) == MOST and guests is not None and not named:
            life, others = UNREADABLE, [one for one in others if one.record][: MOST - 1]
        if len(others) == MOST:
            return False
        self._write([life, *others])
        return True

    def wait(self, signed: Signed, until: int, guests: Iterable[bytes]) -> bool:
        """A record names guests for whom there is no room: they get it in turn, and wait until a moment. False where
        there is no room for the record either. Raises `OSError`."""
        record = signed.to_bytes().hex()
        before = next((known for known in self._known() if known.record == record), None)
        if before is not None and before.guests != ():
            return True
        others = [known for known in self._known() if known is not before]
        if len(others) == MOST:
            return False
        self._write([Life(record, until=until, guests=_sorted(guests), is_aside=True), *others])
        return True

    def next_turn(self, mine: Family, reading: Reading | None) -> Turn:
        """Who stands beside mine from now on; without a ``reading`` nobody gives up a room for one who waits."""
        return next_turn(mine, self._known(), self.in_the_way(mine), reading)

    def give_turn(self, turn: Turn, until: int) -> None:
        """Those who come have their room now, and go to the front; for one who never had one before a month begins,
        which ends at a moment. Raises `OSError`."""
        left = [turn.after(one, until) for one in self._known()]
        self._write(sorted(left, key=lambda one: not turn.brings(one)))

    def doubt(self, is_revoked: Callable[[bytes], bool], mine: Family, until: int) -> None:
        """Records were followed of devices that are revoked now: strangers of them who stand beside mine are guests
        from now on, and nobody waits for them after a moment. Raises `OSError`."""
        noted, beside = self._known(), {*mine.holders} - {*mine.suppliers}
        before = [one.with_placed(mine) for one in noted]
        doubtful = [one for one in before if one.guests == () and one.strangers and is_revoked(one.device)]
        known = [one.doubted(beside, until) if one in doubtful else one for one in before]
        if known != noted:
            self._write(known)

    def guests(self, is_aside: bool = False) -> list[Life]:
        """Those whose suppliers are guests; who was taken last comes first, and is the first to give way."""
        return [one for one in self._known() if one.guests is not None and one.is_aside == is_aside]

    def are_aside(self) -> bool:
        """Whether guests have stepped aside, who come back when there is room, or whose end is yet to come."""
        return any(one.is_aside for one in self._known())

    def step_aside(self, lives: Collection[Life]) -> None:
        """Nobody waits for these before they are noted again. Raises `OSError`."""
        if lives:
            self._write([evolve(one, is_aside=one.is_aside or one in lives) for one in self._known()])

    def end(self, suppliers: Collection[bytes]) -> None:
        """A person ends it with these: guests among them do not come back, nor does a life that has no others. Raises
        `OSError`."""
        known = self._known()
        rest = [one.without_ended(suppliers) for one in known]
        left = [now for one, now in zip(known, rest, strict=True) if now.guests or not one.guests]
        if left != known:
            self._write(left)

    def who_step_aside(self, is_enough: Callable[..., bool], *records: Family) -> list[Life] | None:
        """As few guests as have to, those first who came last; None where it is not enough that all do."""
        aside, guests = self.guests(is_aside=True), sorted((one for one in self.guests() if one.guests), key=_was_heard)
        tries = [[], *([*aside, *guests[:count]] for count in range(len(guests) + 1))]
        return next((going for going in tries if is_enough(*(self.without(going, one) for one in records))), None)

    def in_the_way(self, family: Family, n: int = 0) -> list[Life]:
        """Those whose guests have places that the family is to have, or ``n`` are to be."""
        wanted = slice(family.n, max(n, family.size_to_come))
        there = {*family.seats[wanted]}
        going = [one for one in self._known() if there.intersection(one.guests or ())]
        return going if family.seats[wanted] != self.without(going, family).seats[wanted] else []

    def without(self, going: Collection[Life], family: Family) -> Family:
        """A record without those who stand there for these lives alone."""
        return left_of(family, going, [one for one in self._known() if not one.is_aside])

    def has_room(self, family: Family) -> bool:
        """Whether one more can leave a place beside those who do, if guests step aside; some of them free no place."""
        return self.who_step_aside(_has_room, family) is not None

    def with_room(self, family: Family) -> Family | None:
        """A record with a place for one more who leaves, for which guests step aside; None where there is none. Raises
        `OSError`."""
        going = self.who_step_aside(_has_room, family)
        if going is None:
            return None
        left = self.without(going, family)
        self.step_aside(going)
        return left

    def forget(self, life: Life) -> None:
        """Nobody waits for it any more. Raises `OSError`."""
        self._write([one for one in self._known() if one != life])

    def look(self, reading: Reading, holders: Collection[bytes], mine: Family | None = None) -> None:
        """Note what is known by now; ``holders`` can be asked. Whoever goes afterwards is not waited for again; guests
        who are gone before they were read have stepped aside, and those who have a place of ``mine`` are no guests.
        Raises `OSError`."""
        before, latest = self._known(), int(reading.latest())
        longest = latest + TERM if latest else 0
        known = [one.looked_at(reading, holders) for one in before]
        known = [one.with_placed(mine).without_mine(mine, latest) for one in known] if mine is not None else known
        known = [evolve(one, is_aside=one.is_aside or one.is_away(holders)) for one in known]
        read = [
            evolve(one, is_read=not one.is_unread(reading, holders), until=one.until or longest)
            for one in known
            if not one.is_aside
        ]
        left = [one for one in read if not (one.is_done(reading, holders) or one.is_over(reading))]
        left += [one for one in known if one.is_aside and not one.is_past(reading)]
        if left != before or not self._is_whole:
            self._write(left)

    def are_unread(self, reading: Reading, holders: Collection[bytes]) -> bool:
        """Whether something that was safe in another life may not be known here; ``holders`` can be asked."""
        return any(one.is_unread(reading, holders) for one in self._known())

    def is_unlisted(self, supplier: bytes, reading: Reading) -> bool:
        """Whether a supplier of another life may have pieces that it has not listed yet; of one that waits for its turn
        also while its logs are not read."""
        known = [one for one in self._known() if one.has(supplier) and not one.is_past(reading)]
        is_unread = any(one.is_aside for one in known) and not reading.has_read(supplier)
        return bool(known) and (is_unread or not reading.has_listed(supplier))

    def waits_for(self, supplier: bytes) -> bool:
        """Whether a life that waits for its turn has a supplier, with whom nobody has ended it: it may hold what is not
        known before that."""
        waiting = [one for one in self._known() if one.is_aside and supplier not in one.ended]
        return any(one.has(supplier) for one in waiting)

    def unread(self, reading: Reading, holders: Collection[bytes]) -> list[Unread]:
        """Those of which something that was safe may not be known here."""
        return [unread(one, reading, holders) for one in self._known() if one.is_unread(reading, holders)]

    def has(self, supplier: bytes, besides: Collection[Life] = ()) -> bool:
        """Whether a supplier is one of another life of which not all is known here, ``besides`` these."""
        return any(one.has(supplier) for one in self._known() if not one.is_aside and one not in besides)

    def _known(self) -> list[Life]:
        """The newest first; where neither file can be read, one that says nothing. Where the disk does not give them
        now it is asked again, and nothing is written over them."""
        if self._lives is None:
            self._failure = None
            first, copy = (self._load(path) for path in (self._path, self._copy))
            known = first if first is not None else copy
            if known is None:
                known = [UNREADABLE] if self._failure or self._path.exists() or self._copy.exists() else []
                if self._failure:
                    return known
            self._lives = known
            self._is_whole = first == copy
        return self._lives

    def _load(self, path: Path) -> list[Life] | None:
        """What one of the files says; None where it says nothing that counts."""
        try:
            with path.open("rb") as stream:
                return _parsed(json.loads(stream.read(MAX_FILE)))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            self.log.warn("{path} cannot be read: {error}", path=path, error=error)
            self._failure = error if isinstance(error, OSError) else self._failure
            return None

    def _write(self, lives: list[Life]) -> None:
        """The copy is written first and goes last: of two files that differ the first one says what is true."""
        if self._lives is None and self._failure is not None:
            raise self._failure
        if lives:
            rows = [_row(one) for one in lives]
            data = json.dumps({"lives": rows, "digest": _digest(rows)}).encode()
            write_safely(self._copy, data)
            write_safely(self._path, data)
        else:
            remove_safely(self._path)
            remove_safely(self._copy)
        self._lives, self._is_whole = lives, True


def _sorted(people: Iterable[bytes] | None) -> tuple[bytes, ...] | None:
    return None if people is None else tuple(sorted(set(people)))


def _row(life: Life) -> dict[str, Any]:
    people = {name: getattr(life, name) for name in ("guests", "strangers", "heard", "ended", "placed")}
    shown = {name: None if some is None else [who.hex() for who in some] for name, some in people.items()}
    turn = {"aside": life.is_aside, "since": life.since}
    return {"record": life.record, "read": life.is_read, "until": life.until} | turn | shown


def _digest(rows: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _parsed(value: Any) -> list[Life]:
    """Raises `ValueError`, `TypeError`, `KeyError` for what is no such file, or is damaged."""
    if isinstance(value, list):
        return [Life(str(record)) for record in value]
    rows = value["lives"]
    if value["digest"] != _digest(rows):
        raise ValueError("its digest is another one")
    return [_life(row) for row in rows]


def _life(row: Any) -> Life:
    until = int(row.get("until", 0))
    guests, strangers = row.get("guests", [] if until else None), row.get("strangers")
    is_aside, since = bool(row.get("aside")), int(row.get("since", 0))
    heard, ended, placed = (_named(row.get(name, ())) or () for name in ("heard", "ended", "placed"))
    named = _named(guests), is_aside, _named(strangers)
    return Life(str(row["record"]), bool(row["read"]), until, *named, since, heard, ended, placed)


def _named(people: Any) -> tuple[bytes, ...] | None:
    return None if people is None else tuple(map(bytes.fromhex, people))


def _was_heard(life: Life) -> bool:
    return bool(life.heard)


def _has_room(family: Family) -> bool:
    return len(family.also or ()) < MAX_ALSO
