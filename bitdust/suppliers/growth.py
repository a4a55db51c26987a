"""How much room I ask each supplier for: it grows with what is stored there, and never far beyond what I said I need.

The first contract is small, so that one supplier serves many. Every acknowledgement says how much of the room is
taken; where that is more than half, twice as much is asked for, long before anything is refused. What a supplier counts
is more than the bytes of pieces (records, blocks, logs), and what moves is kept twice for a while; so a contract may
have twice my share of the needed space.
"""

from twisted.internet.interfaces import IReactorTime

from bitdust.suppliers.contracts import ContractBook, Wish

FIRST = 64 * 1024 * 1024
"""Bytes that are asked for beyond twice of what is taken."""
LEAST = 4 * 1024 * 1024
"""Bytes: less is not worth a place."""
ASK_AGAIN = 5.0
"""Seconds between two wishes for more from one supplier."""
AFTER_REFUSAL = 60.0
MODEST = 600.0
"""Seconds for which less is asked for, after everybody has refused."""


class Growth:
    """I remember what suppliers have counted, in this run, and who gives no more."""

    def __init__(self, clock: IReactorTime, book: ContractBook) -> None:
        self._clock = clock
        self._book = book
        self._taken: dict[bytes, int] = {}
        self._asked: dict[bytes, float] = {}
        self._full: set[bytes] = set()
        self._modest_until = 0.0
        self._was_full = False

    def wanted(self, supplier: bytes, share: int) -> int:
        """Bytes of room that a supplier of mine is asked for; ``share`` is its part of the space that I need.

        Where nothing was counted in this run yet it is what its contract says.
        """
        contract, taken = self._book.of(supplier), self._taken.get(supplier)
        if contract is None or taken is not None:
            return FIRST + 2 * min(share, self.expected() if taken is None else taken)
        return min(contract.room, FIRST + 2 * share)

    def expected(self) -> int:
        """Bytes that a place takes, as those who have the others count it."""
        return max(self._taken.values(), default=0)

    def first(self, share: int, n: int, position: int) -> Wish:
        """What a newcomer is asked for; less is taken where everybody has refused so much a short while ago, but not
        less than what has to be brought there, or than anybody promises before some of it is filled."""
        room = FIRST + min(share, self.expected())
        is_modest = self._clock.seconds() < self._modest_until
        least = max(LEAST, min(self.expected(), FIRST)) if is_modest else room
        return Wish(room=room, n=n, position=position, least=least)

    def becomes_modest(self) -> bool:
        """Nobody was found for a place: where for want of room, less is asked for from now on; whether that is new."""
        was_full, self._was_full = self._was_full, False
        is_new = was_full and self._clock.seconds() >= self._modest_until
        if was_full:
            self._modest_until = self._clock.seconds() + MODEST
        return is_new

    # what suppliers say

    def note(self, supplier: bytes, taken: int, share: int) -> bool:
        """A supplier has counted so many bytes; whether to ask it for more now."""
        self._taken[supplier] = taken
        contract, now = self._book.of(supplier), self._clock.seconds()
        if contract is None or 2 * taken <= contract.room or self.wanted(supplier, share) <= contract.room:
            return False
        pause = AFTER_REFUSAL if supplier in self._full else ASK_AGAIN
        if supplier in self._asked and now - self._asked[supplier] < pause:
            return False
        self._asked[supplier] = now
        return True

    def refused(self, supplier: bytes) -> None:
        """A supplier does not give the room that it was asked for."""
        self._was_full = True
        self._full.add(supplier)

    def given(self, supplier: bytes) -> None:
        """A supplier gives what it was asked for."""
        self._full.discard(supplier)

    def gives_no_more(self, supplier: bytes) -> bool:
        """Whether a supplier has refused to give more, the last time that it was asked."""
        return supplier in self._full

    def begin_again(self, supplier: bytes) -> None:
        """A supplier has lost its contract with me, and all that was counted under it: it may be asked at once."""
        self._taken.pop(supplier, None)
        self._asked.pop(supplier, None)

    def forget(self, supplier: bytes) -> None:
        """It is no supplier of mine any more."""
        self._taken.pop(supplier, None)
        self._asked.pop(supplier, None)
        self._full.discard(supplier)
