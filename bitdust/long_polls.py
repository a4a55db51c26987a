"""Long polls: programs that come again and again for what has happened, each with a place of its own in a stream."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, succeed

from bitdust.wire.errors import BitDustError

T = TypeVar("T")
MAX_CONSUMERS = 1000
MAX_UNCOLLECTED = 100
BETWEEN = 1.0
"""Seconds between two polls of a program that is still there."""


def everything(item: object) -> bool:
    """All of a stream."""
    return True


@define
class _Place(Generic[T]):
    wants: Callable[[T], bool]
    seen: float
    queue: deque[T] = field(factory=deque)


class LongPolls(Generic[T]):
    """Each consumer id has a queue of what it did not collect yet. Who leaves more than 100 items there is dropped, and
    hears of it when it comes again: `lost`."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._places: dict[str, _Place[T]] = {}
        self._waiting: dict[str, Deferred[list[T]]] = {}
        self._lost: dict[str, T] = {}

    def __len__(self) -> int:
        return len(self._places)

    def listen(
        self, consumer: str, wants: Callable[[T], bool] = everything, most: int = MAX_UNCOLLECTED
    ) -> "Deferred[list[T]]":
        """``most`` of what the consumer has not seen, at once or as soon as there is something; may be cancelled."""
        place = self._enter(consumer, wants)
        found = [item for item in place.queue if wants(item)]
        place.queue = deque(found[most:])
        if found:
            return succeed(found[:most])
        before = self._waiting.pop(consumer, None)
        if before is not None:
            before.callback([])

        def forget(_: object) -> None:
            self._waiting.pop(consumer, None)

        waiting: Deferred[list[T]] = Deferred(forget)
        self._waiting[consumer] = waiting
        return waiting

    def _enter(self, consumer: str, wants: Callable[[T], bool]) -> _Place[T]:
        if not 1 <= len(consumer) <= 100:
            raise BitDustError("bad-argument", "a consumer id has 1 to 100 characters")
        if consumer not in self._places and len(self._places) >= MAX_CONSUMERS:
            raise BitDustError("too-many-consumers", f"at most {MAX_CONSUMERS} consumers can listen at once")
        self._lost.pop(consumer, None)
        place = self._places.setdefault(consumer, _Place(wants, 0.0))
        place.wants, place.seen = wants, self._seconds()
        return place

    def lost(self, consumer: str, wants: Callable[[T], bool] = everything) -> T | None:
        """The first item that a consumer has missed because it was dropped; None where it was not. From now on it has a
        place again."""
        if consumer not in self._lost:
            return None
        first = self._lost[consumer]
        self._enter(consumer, wants)
        return first

    def put_back(self, consumer: str, items: Sequence[T]) -> None:
        """The consumer could not be given these; they are the next ones that it gets."""
        place = self._places.get(consumer)
        if place is not None:
            place.queue.extendleft(reversed(items))

    def forget(self, consumer: str, seen: Callable[[T], bool]) -> None:
        """The consumer has got some of what waits for it another way."""
        place = self._places.get(consumer)
        if place is not None:
            place.queue = deque(item for item in place.queue if not seen(item))

    def offer(self, item: T) -> bool:
        """Give it to those who want it; whether one of them was there."""
        now, taken = self._seconds(), False
        for consumer, place in list(self._places.items()):
            if not place.wants(item):
                continue
            waiting = self._waiting.pop(consumer, None)
            if waiting is not None:
                place.seen, taken = now, True
                waiting.callback([item])
                continue
            place.queue.append(item)
            if len(place.queue) > MAX_UNCOLLECTED:
                self._drop(consumer)
            else:
                taken |= now - place.seen <= BETWEEN
        return taken

    def _drop(self, consumer: str) -> None:
        if len(self._lost) >= MAX_CONSUMERS:
            del self._lost[next(iter(self._lost))]
        self._lost[consumer] = self._places.pop(consumer).queue[0]

    def stop(self) -> None:
        """Answer who waits with nothing."""
        waiting, self._waiting = self._waiting, {}
        for deferred in waiting.values():
            deferred.callback([])
