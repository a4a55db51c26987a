"""Two devices of mine changed the family at the same time: one record of both, in which nobody who may hold pieces is
forgotten without need. Both devices come to the same one, whichever learns of the other first.
"""

from attrs import frozen

from bitdust.wire.records import Family


@frozen
class Places:
    """What a family record says of its places."""

    suppliers: list[bytes | None]
    addresses: list[str | None]
    leaving: list[bytes | None]

    @classmethod
    def of(cls, family: Family) -> "Places":
        """Those of a record, with lists where it leaves them out."""
        none = [None] * family.n
        return cls(list(family.suppliers), list(family.addresses or none), list(family.leaving or none))

    def says_the_same(self, other: "Places") -> bool:
        """Whether the same suppliers have and leave the same places."""
        return (self.suppliers, self.leaving) == (other.suppliers, other.leaving)


def merged(one: Family, other: Family) -> Places:
    """The places of two records of one size.

    A place that one record has moved on from, where the other still names who leaves, goes to the successor; otherwise
    one of two suppliers has it, and the other one leaves it and keeps what it has.
    """
    ours, theirs = Places.of(one), Places.of(other)
    addresses = dict(zip([*theirs.suppliers, *ours.suppliers], [*theirs.addresses, *ours.addresses], strict=True))
    suppliers: list[bytes | None] = []
    leaving: list[bytes | None] = []
    for mine, left, yours, gone in zip(ours.suppliers, ours.leaving, theirs.suppliers, theirs.leaving, strict=True):
        who = next((best for best in _in_order(mine, left, yours, gone) if best not in suppliers), None)
        suppliers.append(who)
        holders = [holder for holder in (*_sorted(left, gone), *_sorted(mine, yours)) if holder != who]
        leaving.append(holders[0] if holders else None)
    leaving = [None if who in suppliers else who for who in leaving]
    return Places(suppliers, [addresses.get(who) for who in suppliers], leaving)


def _in_order(mine: bytes | None, left: bytes | None, yours: bytes | None, gone: bytes | None) -> list[bytes]:
    """Who should have a place, the best first."""
    chosen = _sorted(mine, yours)
    return sorted(chosen, key=lambda who: who in (left, gone))


def _sorted(*who: bytes | None) -> list[bytes]:
    return sorted({one for one in who if one is not None})
