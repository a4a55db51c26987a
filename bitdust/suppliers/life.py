"""One family of another life that was joined with mine, or is followed, and how much of it was read here."""

from collections.abc import Collection, Iterable
from itertools import chain
from typing import Protocol

from attrs import evolve, field, frozen

from bitdust.suppliers.family_before import DAY, MAX_RECORD, family_of
from bitdust.suppliers.family_merge import without
from bitdust.wire.records import MAX_SUPPLIERS, Family, Scheme
from bitdust.wire.signed import Signed

TERM = 458 * DAY
"""Seconds for which suppliers keep what they have of somebody who does not come."""
GUEST_DAYS = 30
"""Days for which suppliers are waited for whom a device has named that was revoked since: it may have made them up."""
TURN = DAY
"""Seconds for which a life has its room, though nobody of it is heard and another one waits."""


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
    stand beside mine for it alone, and have stepped aside or not; None where a device that counts has signed it. Of one
    that is followed ``strangers`` were no holders before; None where nobody knows that. Guests have their room, or wait
    for it, ``since`` a moment, 0 before anybody has looked; those who were ``heard`` have listed logs of mine. A person
    has ``ended`` it with some, who do not come back. Strangers who were ``placed`` have had a place of mine since."""

    record: str
    is_read: bool = False
    until: int = 0
    guests: tuple[bytes, ...] | None = None
    is_aside: bool = False
    strangers: tuple[bytes, ...] | None = None
    since: int = 0
    heard: tuple[bytes, ...] = ()
    ended: tuple[bytes, ...] = ()
    placed: tuple[bytes, ...] = ()
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

    def without(self, suppliers: Collection[bytes | None]) -> "Life":
        """One of which these are no guests."""
        return evolve(self, guests=tuple(who for who in self.guests if who not in suppliers)) if self.guests else self

    def without_mine(self, mine: Family, latest: int) -> "Life":
        """The same when those are no guests any more who have got a place of mine, or one to come while it was aside:
        what they leave later is mine. One without guests needs no room, and is waited for like one that has it, as soon
        as it is known how late it is at most."""
        left = self.without(mine.seats[: max(mine.n, mine.size_to_come)] if self.is_aside else mine.suppliers)
        if left.guests != () or not left.is_aside or not latest:
            return left
        end = latest + GUEST_DAYS * DAY
        return evolve(left, is_aside=False, until=min(left.until or end, end))

    @property
    def device(self) -> bytes:
        """Who has signed it; nobody where it cannot be read."""
        return Signed.from_bytes(bytes.fromhex(self.record), Family.KIND, MAX_RECORD).device if self.family else b""

    def with_placed(self, mine: Family) -> "Life":
        """The same with those strangers remembered who have a place of mine now: what they leave later is mine."""
        placed = {*self.placed, *(who for who in self.strangers or () if who in mine.suppliers)}
        return evolve(self, placed=tuple(sorted(placed))) if len(placed) > len(self.placed) else self

    def doubted(self, beside: Collection[bytes], until: int) -> "Life":
        """The same where whoever has signed it may have made it up: strangers who stand ``beside`` mine are guests, but
        for those who have had a place of mine."""
        guests = tuple(who for who in self.strangers or () if who in beside and who not in self.placed)
        return evolve(self, guests=guests, until=min(self.until or until, until))

    def without_ended(self, suppliers: Collection[bytes]) -> "Life":
        """One with which a person has ended it as far as these are concerned, where it has guests."""
        if not self.guests:
            return self
        return evolve(self.without(suppliers), ended=tuple(sorted({*self.ended, *filter(self.has, suppliers)})))

    @property
    def to_stand(self) -> Family | None:
        """The record as it names those who are to stand beside mine; None where nobody can read it."""
        family = self.family
        if family is None:
            return None
        others = {*family.holders} - {*(self.guests or ())} if self.strangers else {*self.ended}
        return evolve(without(family, others), suppliers=[None if who in others else who for who in family.suppliers])

    def looked_at(self, reading: Reading, holders: Collection[bytes]) -> "Life":
        """The same with what is known by now of its guests: who lists logs of mine, and since when they stand or wait.
        A clock that was ahead keeps nobody waiting."""
        if not self.guests:
            return self
        asked = [who for who in self.guests if who in holders and not self.is_aside]
        latest = int(reading.latest())
        since = min(self.since or latest, latest) if latest else self.since
        heard = tuple(sorted({*self.heard, *filter(reading.names_others, asked)}))
        is_new = (since, heard) != (self.since, self.heard)
        return evolve(self, since=since, heard=heard) if is_new else self

    def gives_way_to(self, other: "Life") -> bool:
        """Whether it is of guests of whom nobody was heard whom another one does not name: those stay by that one."""
        return bool(self.guests) and not self.is_aside and all(map(other.has, self.heard))

    def has_had_its_turn(self, reading: Reading) -> bool:
        """Whether it has had its room for so long that it is for the next one to have it."""
        return bool(self.since) and reading.is_past(self.since + TURN)

    def has_unread_strangers(self, reading: Reading, holders: Collection[bytes]) -> bool:
        """Whether strangers of a record that is followed were not read. Nobody here knows which of them belong to one
        life, nor how many of that are enough, so each counts; after a month as many do as of a family of that size."""
        waits = self.guests == () and not (self.until and reading.is_past(self.until - TERM + GUEST_DAYS * DAY))
        return waits and not all(map(reading.has_read, self._strangers_of(holders)))

    def _strangers_of(self, holders: Collection[bytes]) -> list[bytes]:
        return [who for who in self.strangers or () if who in holders]

    def is_unread(self, reading: Reading, holders: Collection[bytes]) -> bool:
        """Whether something that was safe in it may not be known here, and is waited for; ``holders`` can be asked."""
        if self.is_read or self.is_over(reading):
            return False
        return self.has_unread_strangers(reading, holders) or not is_read(self.family, reading, holders)

    def covers(self, other: "Life") -> bool:
        """Whether both are of records of one device that this one has followed, and whoever is waited for by the other
        one is by this one too, as long at least. Those of another device may be of no thief."""
        if self.guests != () or other.guests != () or self.family is None or other.family is None:
            return False
        is_alike = self.device == other.device and bool(self.strangers) == bool(other.strangers)
        is_enough = _needed(self.family, self.family.holders) >= _needed(other.family, other.family.holders)
        return is_alike and is_enough and {*other.family.holders} <= {*self.family.holders}

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


def left_of(family: Family, going: Collection[Life], standing: Iterable[Life]) -> Family:
    """A record without those who stand there for lives alone that go; ``standing`` are all that have their room."""
    leave, stay = {who for one in going for who in one.guests or ()}, [one for one in standing if one not in going]
    return without(family, {who for who in leave if not any(one.has(who) for one in stay)})


def is_read(family: Family | None, reading: Reading, holders: Collection[bytes]) -> bool:
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
    larger = _needed(family, holders) - _telling([*places, *beyond], reading)
    return max(family.k - _telling(places, reading), larger)


def _needed(family: Family, holders: Collection[bytes]) -> int:
    """How many places have to be read, with those of a larger family that was, vacant ones too. Guests stand at the
    last places that a record can have: where there are any, nobody knows that size, and each who is there counts."""
    size = len(family.seats) if len(family.seats) < MAX_SUPPLIERS else family.n + len(_beyond(family, holders))
    if family.former is None or size == family.n:
        return family.k
    return max(family.k, Scheme.for_family(min(size, MAX_SUPPLIERS)).k)


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


def unread(life: Life, reading: Reading, holders: Collection[bytes]) -> Unread:
    silent = [who for who in holders if life.has(who) and not reading.has_read(who)]
    needed = _lacking(life.family, reading, holders) if life.family is not None else len(silent)
    if life.has_unread_strangers(reading, holders):
        needed = max(needed, sum(who in silent for who in life.strangers or ()))
    return Unread(silent, min(needed, len(silent)), life.until)
