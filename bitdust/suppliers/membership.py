"""Changes of my family: each is one revision of the record, and every place that changes is reported."""

from collections.abc import Collection, Sequence

from attrs import evolve

from bitdust.events import Events
from bitdust.peers.shown import show_idurl
from bitdust.suppliers.family import MyFamily
from bitdust.suppliers.family_merge import Also, SizeChange, also_of
from bitdust.surroundings import Surroundings
from bitdust.wire.records import Family

Seat = tuple[bytes | None, str | None]
"""A supplier and its address, or nobody."""
VACANT: Seat = (None, None)


class Membership:
    """I write who has which place, and who had it before and still holds its pieces."""

    def __init__(self, around: Surroundings, family: MyFamily) -> None:
        self._events: Events = around.events
        self._identities = around.identities
        self._family = family

    def arrange(self, n: int, without: Collection[bytes]) -> None:
        """A record of ``n`` places without some suppliers; where ``n`` changes, those who stay move together."""
        seats = self._seats_without(without)
        if len(seats) == n:
            self._write(seats, self._former(), SizeChange())
            return
        stay = [seat for seat in seats if seat != VACANT]
        self._write((stay + [VACANT] * n)[:n], [], SizeChange())

    def remove(self, suppliers: Collection[bytes]) -> None:
        """Leave the places of these suppliers empty; those of them who had a place before do not stay beside it."""
        former = [None if who in suppliers else who for who in self._former()]
        change = self._change()
        beyond = tuple(None if who in suppliers else who for who in change.beyond)
        also = tuple(one for one in self._also() if one[1] not in suppliers)
        self._write(self._seats_without(suppliers), former, evolve(change, beyond=beyond), also)

    def give(self, position: int, supplier: bytes, address: str | None) -> bool:
        """Give a place to a new supplier; True when it has it.

        Whoever had it first stays beside it; beyond the family nobody does.

        Whoever has it now as well, where two lives have met: what each of them has may be nowhere else. Where there is
        no room for that nothing is given, since one of those who leave would be forgotten.
        """
        seats, former, also = self._seats_without(()), self._former(), self._also()
        if position >= len(seats):
            self._give_beyond(position - len(seats), supplier)
            return True
        who = seats[position][0]
        if who is not None and former[position] is not None and self._family.of_other_lives():
            family = self._family.with_room()
            if family is None:
                return False
            former, also = _leavers(family)
            also = (*also, (position, who))
        former[position] = former[position] or who
        seats[position] = (supplier, address)
        self._write(seats, former, also=also)
        return True

    def _give_beyond(self, number: int, supplier: bytes) -> None:
        change = self._change()
        beyond = [*change.beyond, *[None] * (number + 1 - len(change.beyond))]
        beyond[number] = supplier
        self._write(self._seats_without(()), self._former(), evolve(change, beyond=tuple(beyond)))

    def want(self, n: int) -> None:
        """The family is to get another size, once that can be. Who was hired for a place that is wanted no more, and
        keeps nothing yet, gets a vacant one that is."""
        seats, change = self._seats_without(()), self._change()
        beyond = _closer(change.beyond, n - len(seats)) if change.former is None else change.beyond
        wanted = n if n != len(seats) else None
        self._write(seats, self._former(), evolve(change, wanted=wanted, beyond=beyond))

    def resize(self, n: int) -> None:
        """The family has ``n`` places from now on, each of them where it was; the others are beyond it."""
        family = self._family.current
        if family is None:
            return
        seats: list[Seat] = [*self._seats_without(()), *((who, None) for who in family.beyond or ())]
        former = min(family.n, family.former or family.n)
        beyond = tuple(who for who, _ in seats[n:])
        self._write((seats + [VACANT] * n)[:n], (self._former() + [None] * n)[:n], SizeChange(None, beyond, former))

    def end_change(self, kept: int = 0) -> None:
        """No pack of another size is to be moved: who is beyond the family, and not to come, is needed no more; but
        those of the first ``kept`` places stay, who may have pieces of packs that can be had from nowhere."""
        family = self._family.current
        if family is None:
            return
        to_come, beyond = max(0, family.size_to_come - family.n), family.beyond or []
        stay = beyond[: max(to_come, kept - family.n)]
        former = (family.former or family.n) if any(stay[to_come:]) else None
        beyond = stay if former is not None else beyond[:to_come]
        self._write(self._seats_without(()), self._former(), SizeChange(family.wanted, tuple(beyond), former))

    def dismiss_former(self, position: int) -> None:
        """Whoever had a place before is needed no more."""
        former = self._former()
        former[position] = None
        self._write(self._seats_without(()), former)

    def _seats_without(self, suppliers: Collection[bytes]) -> list[Seat]:
        family = self._family.current
        if family is None:
            return []
        seats = zip(family.suppliers, family.addresses or [None] * family.n, strict=True)
        return [VACANT if seat[0] in suppliers else seat for seat in seats]

    def _former(self) -> list[bytes | None]:
        family = self._family.current
        return _leavers(family)[0] if family is not None else []

    def _also(self) -> Also:
        return also_of(self._family.current) if self._family.current is not None else ()

    def _change(self) -> SizeChange:
        family = self._family.current
        return SizeChange.of(family) if family is not None else SizeChange()

    def _write(
        self,
        seats: list[Seat],
        former: list[bytes | None],
        change: SizeChange | None = None,
        also: Also | None = None,
    ) -> None:
        before = list(self._family.current.suppliers) if self._family.current is not None else []
        who, where = [who for who, _ in seats], [address for _, address in seats]
        family = self._family.write(who, where, former, change, also=also)
        before = (before + [None] * family.n)[: family.n]
        for position, (old, new) in enumerate(zip(before, family.suppliers, strict=True)):
            if old != new:
                self._report(family, position, old, new)

    def _report(self, family: Family, position: int, old: bytes | None, new: bytes | None) -> None:
        data = {
            "old_idurl": self._idurl(old),
            "new_idurl": self._idurl(new),
            "position": position,
            "ecc_map": family.ecc_map,
            "family_snapshot": [self._idurl(who) for who in family.suppliers],
        }
        self._events.send("supplier-modified", data)

    def _idurl(self, supplier: bytes | None) -> str | None:
        return show_idurl(self._identities, supplier) if supplier is not None else None


def _leavers(family: Family) -> tuple[list[bytes | None], Also]:
    return list(family.leaving or [None] * family.n), also_of(family)


def _closer(beyond: Sequence[bytes | None], most: int) -> tuple[bytes | None, ...]:
    places, others = list(beyond[: max(0, most)]), [who for who in beyond[max(0, most) :] if who is not None]
    for place, who in enumerate(places):
        if who is None and others:
            places[place] = others.pop(0)
    return (*places, *others)
