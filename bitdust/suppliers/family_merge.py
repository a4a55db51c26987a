"""Two devices of mine changed the family at the same time: one record of both, in which nobody who may hold pieces is
forgotten without need. Both devices come to the same one, whichever learns of the other first.
"""

from collections.abc import Collection, Iterable, Sequence

from attrs import evolve, frozen

from bitdust.wire.records import MAX_ALSO, MAX_SUPPLIERS, Family

Seats = list[bytes | None]
Also = tuple[tuple[int, bytes], ...]
"""Places, and who leaves them when those have left who stand beside their suppliers now."""


@frozen
class SizeChange:
    """What a family record says of another size: how many places it is to have, who has those beyond it, and the size
    of the smallest family whose packs may be left."""

    wanted: int | None = None
    beyond: tuple[bytes | None, ...] = ()
    former: int | None = None

    @classmethod
    def of(cls, family: Family) -> "SizeChange":
        """That of a record."""
        return cls(family.wanted, tuple(family.beyond or ()), family.former)


@frozen
class Places:
    """What a family record says of its places."""

    suppliers: Seats
    addresses: list[str | None]
    leaving: Seats
    change: SizeChange = SizeChange()
    also: Also = ()

    @classmethod
    def of(cls, family: Family) -> "Places":
        """Those of a record, with lists where it leaves them out."""
        none = [None] * family.n
        addresses, leaving = list(family.addresses or none), list(family.leaving or none)
        return cls(list(family.suppliers), addresses, leaving, SizeChange.of(family), also_of(family))

    def says_the_same(self, other: "Places") -> bool:
        """Whether the same suppliers have and leave the same places, and the same size is wanted."""
        return all(getattr(self, name) == getattr(other, name) for name in ("suppliers", "leaving", "change", "also"))

    def leave_enough(self, *records: Family) -> bool:
        """Whether of those who have places in each record, and of those who leave some, so many are left that what they
        hold can be put together; nobody is forgotten because so many wait for their turn to leave."""
        left = self._holders()
        if len(self.also) == MAX_ALSO and not self.name_all(*records):
            return False
        groups = [(one.k, group) for one in records for group in (one.suppliers, one.leaving or ())]
        known = [(k, {who for who in group if who is not None}) for k, group in groups]
        return all(len(group & left) >= min(k, len(group)) for k, group in known)

    def name_all(self, *records: Family) -> bool:
        """Whether nobody is forgotten who holds something by one of these records."""
        return all(self._holders().issuperset(one.holders) for one in records)

    def _holders(self) -> set[bytes | None]:
        return {*self.suppliers, *self.leaving, *self.change.beyond, *(who for _, who in self.also)}

    def seats(self, number: int) -> tuple[Seats, Seats]:
        """Who has and who leaves so many places, in the family and beyond it."""
        suppliers, nobody = [*self.suppliers, *self.change.beyond], [None] * number
        return (suppliers + nobody)[:number], (self.leaving + nobody)[:number]


def merged(one: Family, other: Family) -> Places:
    """The places of two records.

    A place that one record has moved on from, where the other still names who leaves, goes to the successor; otherwise
    one of two suppliers has it, and the other one leaves it and keeps what it has. Of two sizes the larger one counts:
    what is to be smaller gets there in its time.
    """
    ours, theirs = Places.of(one), Places.of(other)
    addresses = dict(zip([*theirs.suppliers, *ours.suppliers], [*theirs.addresses, *ours.addresses], strict=True))
    suppliers: Seats = []
    leaving: Seats = []
    also: list[tuple[int, bytes]] = []
    number, n = max(len(one.seats), len(other.seats)), max(one.n, other.n)
    known = sorted({*ours.also, *theirs.also})
    for place, seats in enumerate(zip(*ours.seats(number), *theirs.seats(number), strict=True)):
        mine, left, yours, gone = seats
        who = next((best for best in _in_order(mine, left, yours, gone) if best not in suppliers), None)
        suppliers.append(who)
        others = [holder for at, holder in known if at == place]
        holders = [one for one in (*_sorted(left, gone), *_sorted(mine, yours), *others) if one != who]
        leaving.append(holders[0] if holders else None)
        also += [(place, holder) for holder in holders[1:] if place < n]
    change = _change(one, other, n, suppliers[n:])
    suppliers = suppliers[:n]
    leaving, later = in_turn(suppliers, leaving[:n], also)
    return Places(suppliers, [addresses.get(who) for who in suppliers], leaving, change, later)


def also_of(family: Family) -> Also:
    """Places and those who leave them when the first ones have left."""
    return tuple((one["place"], one["supplier"]) for one in family.also or ())


def in_turn(suppliers: Seats, leaving: Seats, also: Iterable[tuple[int, bytes]]) -> tuple[Seats, Also]:
    """Who leaves each place first, and who does later; nobody leaves who has a place, or leaves one twice.

    A record has room for so many: those that came last go without having told what they have.
    """
    first = [None if who in suppliers else who for who in leaving]
    later: list[tuple[int, bytes]] = []
    for place, who in also:
        if place < len(first) and who not in suppliers and who != first[place] and (place, who) not in later:
            if first[place] is None:
                first[place] = who
            else:
                later.append((place, who))
    return first, tuple(sorted(later[:MAX_ALSO], key=lambda one: one[0]))


def with_guests(mine: Family, theirs: Family) -> Places:
    """My places, with those of another record beside me as leaving, as far as there is room: what they hold is read and
    moved, and nobody of mine gives way to them.

    Those beyond my places, and those who wait for their turn there, get the last places that a record can have, and
    none that is wanted: nobody is hired by being read."""
    ours, also = Places.of(mine), list(also_of(mine))
    for place, holders in enumerate(zip(*Places.of(theirs).seats(mine.n), strict=True)):
        also += [(place, who) for who in holders if who is not None]
    there = {*mine.holders, *(who for _, who in also)}
    further = [who for who in theirs.holders if who not in there]
    beyond = with_last(mine, further)
    sizes = [size for size in (mine.former, theirs.n if theirs.n != mine.n else None) if size is not None]
    former = min([*sizes, mine.n]) if sizes or further else None
    leaving, later = in_turn(ours.suppliers, ours.leaving, also)
    return Places(ours.suppliers, ours.addresses, leaving, SizeChange(mine.wanted, beyond, former), later)


def beside(mine: Family, theirs: Family) -> Family | None:
    """My record `with_guests`; None where there is no room for all of them."""
    places = with_guests(mine, theirs)
    if not places.name_all(mine, theirs):
        return None
    also = [{"place": place, "supplier": who} for place, who in places.also]
    leaving = places.leaving if any(places.leaving) else None
    beyond = list(places.change.beyond) or None
    return evolve(mine, leaving=leaving, also=also or None, beyond=beyond, former=places.change.former)


def can_stand(mine: Family, theirs: Family) -> bool:
    """Whether those of another record have room beside me when nobody else does."""
    return beside(evolve(mine, leaving=None, also=None, beyond=None, former=None), theirs) is not None


def with_last(mine: Family, further: Sequence[bytes]) -> tuple[bytes | None, ...]:
    """Who is beyond my places, with these at the last places that are free, the first ones at the very last."""
    seats: Seats = [*mine.seats, *[None] * (MAX_SUPPLIERS - len(mine.seats))] if further else mine.seats
    free = [place for place in range(max(mine.n, mine.size_to_come), len(seats)) if seats[place] is None]
    for place, who in zip(reversed(free), further, strict=False):
        seats[place] = who
    return tuple(seats[mine.n :]) if any(seats[mine.n :]) else ()


def without(family: Family, guests: Collection[bytes]) -> Family:
    """A record in which these do not leave any place, and have none beyond the family."""
    kept = [None if who in guests else who for who in family.leaving or [None] * family.n]
    leaving, later = in_turn(family.suppliers, kept, (one for one in also_of(family) if one[1] not in guests))
    beyond = [None if who in guests else who for who in family.beyond or ()]
    also = [{"place": place, "supplier": who} for place, who in later]
    return evolve(
        family, leaving=leaving if any(leaving) else None, also=also or None, beyond=beyond if any(beyond) else None
    )


def _change(one: Family, other: Family, n: int, beyond: Seats) -> SizeChange:
    wanted = max(one.size_to_come, other.size_to_come)
    formers = [size for size in (one.former, other.former) if size is not None]
    formers += [min(one.n, other.n)] if one.n != other.n else []
    return SizeChange(wanted if wanted != n else None, tuple(beyond), min(formers, default=None))


def _in_order(mine: bytes | None, left: bytes | None, yours: bytes | None, gone: bytes | None) -> list[bytes]:
    """Who should have a place, the best first."""
    chosen = _sorted(mine, yours)
    return sorted(chosen, key=lambda who: who in (left, gone))


def _sorted(*who: bytes | None) -> list[bytes]:
    return sorted({one for one in who if one is not None})


def is_to_be_joined(mine: Family, theirs: Family) -> bool:
    """Whether a record lacks what mine goes back to, or was joined with another life by somebody who did not know of my
    last changes."""
    is_joined = set(theirs.roots or ()) > set(mine.roots or ()) and not set(mine.holders).issubset(theirs.holders)
    return is_of_another_life(mine, theirs) or (bool(mine.roots) and is_joined)


def is_joined(mine: Family, theirs: Family) -> bool:
    """Whether mine goes back to all that a record goes back to, and followed it."""
    return set(theirs.roots or ()).issubset(mine.roots or ()) and theirs.revision < mine.revision


def is_of_another_life(mine: Family, theirs: Family) -> bool:
    """Whether somebody wrote a record who did not know all that mine goes back to."""
    return bool(mine.roots and theirs.roots) and not set(mine.roots or ()).issubset(theirs.roots or ())


def brings_strangers(mine: Family, theirs: Family) -> bool:
    """Whether a newer record names some who may have what was stored in another life, or guests: who leaves a place and
    is new here, or whoever has one, where the record was joined with a life that mine was not."""
    leave = {*theirs.departing, *((theirs.beyond or ()) if theirs.former is not None else ())} - {None}
    return not (leave.issubset(mine.holders) and set(theirs.roots or ()).issubset(mine.roots or ()))
