"""Contracts without a place in the family: ended as soon as their suppliers can be reached.

Those that I have released get my signed word, on which they erase what they keep; it is sent until one has answered.
"""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from bitdust.suppliers.contracts import ContractBook
from bitdust.suppliers.family import MyFamily

TRY_AGAIN = 60.0


class Orphans:
    """I find them; ``end`` ends the contract with one supplier."""

    def __init__(self, clock: IReactorTime, book: ContractBook, family: MyFamily, end: Callable[[bytes], None]) -> None:
        self._clock = clock
        self._book = book
        self._family = family
        self._end = end
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """End those that are released, now and until they have answered."""
        self.end(released=True)
        self._call = self._clock.callLater(TRY_AGAIN, self.start)

    def stop(self) -> None:
        """Try no more."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def retry(self, supplier: bytes) -> None:
        """A peer is connected: perhaps one that has not answered yet."""
        if self._book.is_released(supplier):
            self.end(released=True)

    def end(self, released: bool) -> None:
        """End contracts; ``released`` leaves alone those whose pieces may be needed. Nobody hears to erase what it has
        of whom another life has turned up that waits for its turn."""
        for orphan in self._book.suppliers():
            if self._book.is_released(orphan) and self._family.waits_for(orphan):
                self._book.need_again(orphan)
            if orphan not in self._family.holders and (self._book.is_released(orphan) or not released):
                self._end(orphan)
