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
device of mine wrote and this one follows, and whether these have stepped ``aside`` for others, or have fallen out of a
record that counts now; and ``digest``, the SHA-256 of these as they are written. There is a copy of it, because nobody
else can say any more whom to wait for. A file of the first format, a list of records, is read as one of which nothing
was read, and in one of the second, which has neither ``guests`` nor ``aside``, nobody is known to be a guest.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from attrs import evolve, field, frozen
from twisted.logger import Logger

from bitdust.crypt.files import remove_safely, write_safely
from bitdust.suppliers.family_before import MAX_RECORD, family_of
from bitdust.suppliers.family_merge import without
from bitdust.wire.records import MAX_SUPPLIERS, Family, Scheme
from bitdust.wire.signed import Signed

MOST = 32
TERM = 458 * 86_400
"""Seconds for which suppliers keep what they have of somebody who does not come."""
MAX_FILE = 2 * MOST * MAX_RECORD + 8192


class Reading(Protocol):
    """What is known of what suppliers hold, and how late it is; all of it is False where nothing can be said now."""

    def is_past(self, moment: float, /) -> bool:
        """Whether a moment, in seconds since the epoch, is over for certain, however the wall clock leaps."""

    def latest(self) -> float:
        """How late it may be at most, in seconds since the epoch; 0 where that cannot be said."""

    def has_read(self, supplier: bytes, /) -> bool:
        """Whether a supplier has said what logs of mine it holds, and all of them are known here."""

    def names_others(self, supplier: bytes, /) -> bool:
        """Whether a supplier lists the log of another device than this one: one without its disk lists none."""

    def has_listed(self, supplier: bytes, /) -> bool:
        """Whether a supplier has listed its pieces since the last entries of others came."""


@frozen
class Life:
    """The record of one, in hex, and whether all that was safe in it is known here; ``family`` is what the record says,
    None where nobody can read it. Its suppliers are waited for until a moment, 0 while that is not known. ``guests``
    stand beside mine for it alone, and have stepped aside or not; None where a device that counts has signed it."""

    record: str
    is_read: bool = False
    until: int = 0
    guests: tuple[bytes, ...] | None = None
    is_aside: bool = False
    family: Family | None = field(init=False)

    @family.default
    def _family(self) -> Family | None:
        return family_of(self.record)

    def is_done(self, reading: Reading, holders: Collection[bytes]) -> bool:
        """Whether it is read, and each of its suppliers has listed its pieces."""
        return self.is_read and all(map(reading.has_listed, filter(self.has, holders)))

    def has(self, supplier: bytes) -> bool:
        """Whether a supplier is one of it, as far as anybody can say."""
        return self.family is None or supplier in self.family.holders

    def without(self, suppliers: Collection[bytes]) -> "Life":
        """One of which these are no guests."""
        return evolve(self, guests=tuple(who for who in self.guests if who not in suppliers)) if self.guests else self

    def covers(self, other: "Life") -> bool:
        """Whether both are of records that this device has followed, and whoever is waited for by the other one is by
        this one too."""
        if self.guests != () or other.guests != () or self.family is None or other.family is None:
            return False
        return {*other.family.holders} <= {*self.family.holders}

    def is_away(self, holders: Collection[bytes]) -> bool:
        """Whether another record counts now in which too few of its guests stand to say what it has stored."""
        guests = self.guests or ()
        enough = min(self.family.k if self.family is not None else 1, len(guests))
        return not self.is_read and len({*guests} & {*holders}) < enough

    def is_over(self, reading: Reading) -> bool:
        """Whether nobody waits for it any more, or not now."""
        return self.is_aside or self.is_past(reading)

    def is_past(self, reading: Reading) -> bool:
        """Whether its end has come."""
        return bool(self.until) and reading.is_past(self.until)


@frozen
class Unread:
    """A life of which something that was safe may not be known here: who was not read, how many places are needed of
    them, and until when they are waited for, in seconds since the epoch; 0 while that is not known."""

    silent: list[bytes]
    needed: int
    until: int


UNREADABLE = Life("")
"""One of which nothing can be said."""


class OtherLives:
    """I remember their records on the disk, until all that they hold is known."""

    log = Logger()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._copy = path.with_name(path.name + ".copy")
        self._lives: list[Life] | None = None
        self._is_whole = True

    def note(self, signed: Signed, until: int = 0, guests: Iterable[bytes] | None = None) -> bool:
        """A record is about to be joined with mine, or its suppliers to be ``guests``, waited for until a moment.

        Where there is no room one that counts takes that of guests; False where none is left. Of guests that were noted
        before the names and the moment stay, and while they are not aside what was read of them too. Raises `OSError`.
        """
        record, named = signed.to_bytes().hex(), None if guests is None else set(guests)
        before = next((known for known in self._known() if known.record == record), None)
        if named is not None and before is not None:
            if before.guests is None:
                return True  # one that counts is waited for as it was
            named.update(before.guests)
        life = Life(record, until=until, guests=None if named is None else tuple(sorted(named)))
        if named is not None and before is not None:
            life = evolve(life, is_read=before.is_read and not before.is_aside, until=before.until or until)
        others = [known for known in self._known() if known.record != record and not life.covers(known)]
        if len(others) == MOST and guests is None:
            last = next((one for one in others if one.guests is not None), None)
            others = [one for one in others if one is not last]
        if len(others) == MOST:
            return False
        self._write([life, *others])
        return True

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
        rest = [one.without(suppliers) for one in known]
        left = [now for one, now in zip(known, rest, strict=True) if now.guests or not one.guests]
        if left != known:
            self._write(left)

    def who_step_aside(self, is_enough: Callable[..., bool], *records: Family) -> list[Life] | None:
        """As few guests as have to, those first who came last; None where it is not enough that all do."""
        aside, guests = self.guests(is_aside=True), [one for one in self.guests() if one.guests]
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
        leave = {who for one in going for who in one.guests or ()}
        return without(family, {who for who in leave if not self.has(who, besides=going)})

    def forget(self, life: Life) -> None:
        """Nobody waits for it any more. Raises `OSError`."""
        self._write([one for one in self._known() if one != life])

    def look(self, reading: Reading, holders: Collection[bytes]) -> None:
        """Note what is known by now; ``holders`` can be asked. Whoever goes afterwards is not waited for again; guests
        who are gone before they were read have stepped aside. Raises `OSError`."""
        before, latest = self._known(), int(reading.latest())
        longest = latest + TERM if latest else 0
        known = [evolve(one, is_aside=one.is_aside or one.is_away(holders)) for one in before]
        read = [
            evolve(one, is_read=not self._is_unread(one, reading, holders), until=one.until or longest)
            for one in known
            if not one.is_aside
        ]
        left = [one for one in read if not (one.is_done(reading, holders) or one.is_over(reading))]
        left += [one for one in known if one.is_aside and not one.is_past(reading)]
        if left != before or not self._is_whole:
            self._write(left)

    def are_unread(self, reading: Reading, holders: Collection[bytes]) -> bool:
        """Whether something that was safe in another life may not be known here; ``holders`` can be asked."""
        return any(self._is_unread(one, reading, holders) for one in self._known())

    def _is_unread(self, life: Life, reading: Reading, holders: Collection[bytes]) -> bool:
        return not (life.is_read or life.is_over(reading) or _is_read(life.family, reading, holders))

    def is_unlisted(self, supplier: bytes, reading: Reading) -> bool:
        """Whether a supplier of another life may have pieces that it has not listed yet."""
        known = [one for one in self._known() if not one.is_over(reading)]
        return any(one.has(supplier) for one in known) and not reading.has_listed(supplier)

    def unread(self, reading: Reading, holders: Collection[bytes]) -> list[Unread]:
        """Those of which something that was safe may not be known here."""
        return [_unread(one, reading, holders) for one in self._known() if self._is_unread(one, reading, holders)]

    def has(self, supplier: bytes, besides: Collection[Life] = ()) -> bool:
        """Whether a supplier is one of another life of which not all is known here, ``besides`` these."""
        return any(one.has(supplier) for one in self._known() if not one.is_aside and one not in besides)

    def _known(self) -> list[Life]:
        """The newest first; where neither file can be read, one that says nothing."""
        if self._lives is None:
            first, copy = (self._load(path) for path in (self._path, self._copy))
            nothing = [UNREADABLE] if self._path.exists() or self._copy.exists() else []
            self._lives = first if first is not None else copy if copy is not None else nothing
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
            return None

    def _write(self, lives: list[Life]) -> None:
        """The copy is written first and goes last: of two files that differ the first one says what is true."""
        if lives:
            rows = [_row(one) for one in lives]
            data = json.dumps({"lives": rows, "digest": _digest(rows)}).encode()
            write_safely(self._copy, data)
            write_safely(self._path, data)
        else:
            remove_safely(self._path)
            remove_safely(self._copy)
        self._lives, self._is_whole = lives, True


def _row(life: Life) -> dict[str, Any]:
    guests = None if life.guests is None else [who.hex() for who in life.guests]
    marks = {"read": life.is_read, "until": life.until, "aside": life.is_aside}
    return {"record": life.record, "guests": guests} | marks


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
    guests = row.get("guests", [] if until else None)
    named = None if guests is None else tuple(map(bytes.fromhex, guests))
    return Life(str(row["record"]), bool(row["read"]), until, named, bool(row.get("aside")))


def _is_read(family: Family | None, reading: Reading, holders: Collection[bytes]) -> bool:
    """Any k places of a family include one that holds each log that was safe; nobody waits for who is no holder.

    Who names no log but mine may have lost its disk: it counts where all have answered alike. While a family changes
    its size what was safe in the larger one counts as well.
    """
    if family is None:
        return all(map(reading.has_read, holders))
    asked = [*_places(family, holders), *_beyond(family, holders)]
    return all(map(reading.has_read, chain(*asked))) or _lacking(family, reading, holders) <= 0


def _lacking(family: Family, reading: Reading, holders: Collection[bytes]) -> int:
    """How many more places have to be read."""
    places, beyond = _places(family, holders), _beyond(family, holders)
    lacking = family.k - _telling(places, reading)
    if not beyond:
        return lacking
    larger = Scheme.for_family(min(family.n + len(beyond), MAX_SUPPLIERS)).k
    return max(lacking, larger - _telling([*places, *beyond], reading))


def _places(family: Family, holders: Collection[bytes]) -> list[list[bytes]]:
    """Of each place those who can be asked, where there is anybody."""
    known = map(family.holders_of, range(family.n))
    return [there for place in known if (there := [who for who in place if who in holders])]


def _beyond(family: Family, holders: Collection[bytes]) -> list[list[bytes]]:
    """The same of places of a larger family that was."""
    known = (family.beyond or ()) if family.former is not None else ()
    return [[who] for who in known if who is not None and who in holders]


def _telling(places: Iterable[Collection[bytes]], reading: Reading) -> int:
    """How many places were read, and tell of others than me."""
    read = [place for place in places if all(map(reading.has_read, place))]
    return sum(any(map(reading.names_others, place)) for place in read)


def _unread(life: Life, reading: Reading, holders: Collection[bytes]) -> Unread:
    silent = [who for who in holders if life.has(who) and not reading.has_read(who)]
    needed = _lacking(life.family, reading, holders) if life.family is not None else len(silent)
    return Unread(silent, min(needed, len(silent)), life.until)
