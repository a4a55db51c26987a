"""Two devices of mine changed the family at the same time: one record of both, in which nobody who may hold pieces is
forgotten without need. Both devices come to the same one, whichever learns of the other first.
"""

from attrs import frozen

from bitdust.wire.records import Family

Seats = list[bytes | None]


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

    @classmethod
    def of(cls, family: Family) -> "Places":
        """Those of a record, with lists where it leaves them out."""
        none = [None] * family.n
        addresses, leaving = list(family.addresses or none), list(family.leaving or none)
        return cls(list(family.suppliers), addresses, leaving, SizeChange.of(family))

    def says_the_same(self, other: "Places") -> bool:
        """Whether the same suppliers have and leave the same places, and the same size is wanted."""
        return (self.suppliers, self.leaving, self.change) == (other.suppliers, other.leaving, other.change)

    def leave_enough(self, *records: Family) -> bool:
        """Whether of those who have places in each record, and of those who leave some, so many are left that what they
        hold can be put together: a place has room for one who has it and one who leaves it."""
        left = {*self.suppliers, *self.leaving, *self.change.beyond}
        groups = [(one.k, group) for one in records for group in (one.suppliers, one.leaving or ())]
        known = [(k, {who for who in group if who is not None}) for k, group in groups]
        return all(len(group & left) >= min(k, len(group)) for k, group in known)

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
    number = max(len(one.seats), len(other.seats))
    for mine, left, yours, gone in zip(*ours.seats(number), *theirs.seats(number), strict=True):
        who = next((best for best in _in_order(mine, left, yours, gone) if best not in suppliers), None)
        suppliers.append(who)
        holders = [holder for holder in (*_sorted(left, gone), *_sorted(mine, yours)) if holder != who]
        leaving.append(holders[0] if holders else None)
    n = max(one.n, other.n)
    leaving = [None if who in suppliers else who for who in leaving[:n]]
    change = _change(one, other, n, suppliers[n:])
    return Places(suppliers[:n], [addresses.get(who) for who in suppliers[:n]], leaving, change)


def with_guests(mine: Family, theirs: Family) -> Places:
    """My places, with those of another record beside me as leaving, as far as there is room: what they hold is read and
    moved, and nobody of mine gives way to them."""
    ours = Places.of(mine)
    number = max(len(mine.seats), len(theirs.seats))
    suppliers, leaving = ours.seats(number)
    for place, holders in enumerate(zip(*Places.of(theirs).seats(number), strict=True)):
        guests = [who for who in holders if who is not None and who not in (*suppliers, *leaving)]
        if guests and place < mine.n:
            leaving[place] = leaving[place] or guests[0]
        elif guests:
            suppliers[place] = suppliers[place] or guests[0]
    sizes = [size for size in (mine.former, theirs.n if theirs.n != mine.n else None) if size is not None]
    beyond = tuple(suppliers[mine.n :])
    change = SizeChange(mine.wanted, beyond if any(beyond) else (), min([*sizes, mine.n]) if sizes else None)
    return Places(ours.suppliers, ours.addresses, leaving[: mine.n], change)


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
