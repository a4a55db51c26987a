"""Whose turn it is to stand beside my suppliers, of lives of which nobody can say whether they are true.

A device that was revoked has signed their records: it was stolen perhaps, and made them up. There is room for a few
only, and whoever does not exist never answers. So one of which nobody was heard for a day gives its room to the one
that waits longest, and waits then as the last of all. One of which somebody answers keeps it, but for one that names
all who were heard of it: a thief names true suppliers too, and those stand then for the true life as well.
"""

from collections.abc import Collection, Sequence

from attrs import Factory, define, evolve

from bitdust.suppliers.family_merge import beside, is_of_another_life
from bitdust.suppliers.life import Life, Reading, left_of
from bitdust.wire.records import Family


@define
class Turn:
    """My record as it is to be, the lives whose guests go, and those whose guests come, whom it names as guests; one
    that does both only gets other places. ``standing`` are all that have their room then."""

    family: Family
    standing: list[Life]
    going: list[Life] = Factory(list)
    coming: dict[str, frozenset[bytes]] = Factory(dict)

    @property
    def changes(self) -> bool:
        """Whether anybody goes or comes."""
        return bool(self.going or self.coming)

    def brings(self, life: Life) -> bool:
        """Whether the guests of a life come."""
        return life.record in self.coming

    def after(self, life: Life, until: int) -> Life:
        """A life as it is then. Whoever gets a room for the first time has waited for it until a later moment."""
        if not self.brings(life):
            return evolve(life, is_aside=True, since=0) if life in self.going else life
        guests = tuple(sorted(self.coming[life.record]))
        if not life.is_aside:
            return evolve(life, guests=guests)
        return evolve(
            life, guests=guests, is_aside=False, is_read=False, since=0, until=min(life.until or until, until)
        )

    def let_go(self, lives: Collection[Life]) -> None:
        """Nobody stands there for these any more."""
        self.family = left_of(self.family, lives, self.standing)
        self.standing = [one for one in self.standing if one not in lives]
        self.going += lives
        for one in lives:
            self.coming.pop(one.record, None)

    def room_for(self, life: Life, instead_of: Collection[Life] = ()) -> Family | None:
        """My record with the guests of a life when others have gone; None where there is no room for them."""
        theirs = life.to_stand
        return beside(left_of(self.family, instead_of, self.standing), theirs) if theirs is not None else None

    def as_few_as_have_to_go(self, life: Life, due: Sequence[Life]) -> list[Life]:
        """Those of these who make room for the guests of a life, and nobody else; the last ones stay first."""
        going = list(due)
        for one in reversed(due):
            others = [other for other in going if other is not one]
            going = others if self.room_for(life, others) is not None else going
        return going

    def seat(self, life: Life, instead_of: Collection[Life] = ()) -> bool:
        """Let the guests of a life come instead of others; True where there is room for them."""
        joined = self.room_for(life, instead_of)
        if joined is None:
            return False
        self.let_go(instead_of)
        self.coming[life.record] = frozenset({*(life.guests or ())} | ({*joined.holders} - {*self.family.holders}))
        self.family = joined
        self.standing.append(life)
        return True


def next_turn(mine: Family, lives: Sequence[Life], in_the_way: Sequence[Life], reading: Reading | None) -> Turn:
    """Who stands beside mine from now on; those ``in_the_way`` get other places, as far as there are some.

    Only the one that waits longest of those who can have a room takes one of another life, and until it can have it
    nobody else does: many small ones would keep a large one waiting for ever. What is free is for whoever fits in.
    """
    turn = Turn(mine, [one for one in lives if not one.is_aside])
    turn.let_go(in_the_way)
    waiting = [one for one in reversed(lives) if one.guests and (one.is_aside or one in in_the_way)]
    has_next = reading is None
    for life in sorted(waiting, key=lambda one: (not one.heard, one.since)):
        if not _is_to_come(turn.family, life) or turn.seat(life) or has_next or reading is None:
            continue
        silent = sorted((one for one in turn.standing if one.gives_way_to(life)), key=lambda one: one.since)
        due = [one for one in silent if one.has_had_its_turn(reading)]
        if not turn.seat(life, turn.as_few_as_have_to_go(life, due)):
            has_next = turn.room_for(life, silent) is not None
    return turn


def _is_to_come(mine: Family, life: Life) -> bool:
    """Whether mine was not joined with it meanwhile."""
    return bool(life.strangers) or (life.family is not None and is_of_another_life(mine, life.family))
