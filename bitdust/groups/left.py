"""Groups that were left, while it is not known how much a revoked device had written: they are read once more.

What a device said before it was revoked counts as far as its longest log is known. A recovered home knows nothing of a
group that was left before, so without this all would be gone that was said there: for who joins later, and for the very
person who comes back to it. What is read so stays in the group's file, and is handed to nobody unless it is joined.
"""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.automats.kernel import doubled
from bitdust.outcome import outcome
from bitdust.surroundings import Connected

Place = tuple[bytes, str]
"""Owner and alias."""
FIRST, LONGEST = 5.0, 300.0
"""Seconds until those who could not be read are read again, the first time and in the end."""
NOT_ALLOWED = "not-allowed"


class LeftGroups:
    """I read them one after the other, as long as there are any of which that is wanted.

    ``left`` gives them, and ``read`` reads one, and says of which revoked devices the end is known now that was open;
    ``known_more`` hears that one was read.
    """

    log = Logger()

    def __init__(
        self,
        around: Connected,
        left: Callable[[], Iterable[Place]],
        read: Callable[[Place], Coroutine[Any, Any, frozenset[bytes]]],
        known_more: Callable[[], None],
    ) -> None:
        self._clock = around.world.clock
        self._me = around.me
        self._left = left
        self._read = read
        self._known_more = known_more
        self._known: dict[Place, frozenset[bytes]] = {}
        self._tried: frozenset[tuple[Place, bytes]] = frozenset()
        self._failures = 0
        self._call: IDelayedCall | None = None
        self._all: Deferred[Any] | None = None
        self._one: tuple[Place, Deferred[Any]] | None = None
        self._is_on = False

    def knows_end_of(self, device: bytes) -> bool:
        """Whether each of them was read in this run since a device was revoked, or shuts this person out."""
        return all(device in self._known.get(place, ()) for place in self._left())

    def start(self) -> None:
        """Begin, now and whenever it is wanted. May follow a `stop`."""
        self._is_on = True
        self.look()

    def stop(self) -> "Deferred[Any]":
        """Read nothing any more; fires when no file is open."""
        self._is_on = False
        self._forget_call()
        if self._one is not None:
            self._one[1].cancel()
        ended: Deferred[Any] = Deferred()
        if self._all is None:
            ended.callback(None)
        else:
            self._all.addBoth(lambda _: ended.callback(None))
        return ended

    def give_way(self, place: Place) -> None:
        """The person joins it: there it is read anyway."""
        if self._one is not None and self._one[0] == place:
            self._one[1].cancel()

    def look(self) -> None:
        """A device was revoked perhaps, or a group was left: what nobody has tried is read at once."""
        due = self._due()
        if self._is_on and self._all is None and (self._call is None or not due <= self._tried):
            self._begin()

    def _open_ends(self) -> frozenset[bytes]:
        return self._me.document.open_ends if self._me.present else frozenset()

    def _due(self) -> frozenset[tuple[Place, bytes]]:
        ends = self._open_ends()
        places = list(self._left()) if ends else []
        return frozenset((place, end) for place in places for end in ends - self._known.get(place, frozenset()))

    def _begin(self) -> None:
        self._forget_call()
        self._tried = self._due()
        if self._tried:
            self._all = Deferred.fromCoroutine(self._read_all(sorted({place for place, _ in self._tried})))
            self._all.addErrback(lambda failure: self.log.failure("groups that were left are not read", failure))
            self._all.addCallback(self._ended)

    async def _read_all(self, places: Iterable[Place]) -> None:
        for place in places:
            if not self._is_on:
                break
            ends, reading = self._open_ends(), Deferred.fromCoroutine(self._read(place))
            self._one = (place, reading)
            read = await outcome(reading.addErrback(_given_up))
            self._one = None
            if read.error is not None:
                self.log.info("group {place} that was left is not read yet: {why}", place=place[1], why=read.error)
            known = ends if read.code == NOT_ALLOWED else read.value or frozenset()
            self._known[place] = self._known.get(place, frozenset()) | known
            self._known_more()

    def _ended(self, _: Any) -> None:
        self._all = None
        if not self._is_on:
            return
        due = self._due()
        if not due <= self._tried:
            self._begin()
        elif due:
            self._call = self._clock.callLater(doubled(FIRST, self._failures, LONGEST), self._begin)
            self._failures += 1
        else:
            self._failures = 0

    def _forget_call(self) -> None:
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()


def _given_up(failure: Failure) -> frozenset[bytes]:
    """Nothing is known by a reading that was cut short."""
    failure.trap(CancelledError)
    return frozenset()
