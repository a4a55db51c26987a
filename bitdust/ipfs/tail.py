"""Events of the node for a client that reads them one by one, and may be slow."""

from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.events import Event, Events
from bitdust.ipfs.durations import write_moment

MOST_WAITING = 1000
"""Events that wait for a slow client; the oldest are left out then."""
Row = dict[str, Any]


async def tail(events: Events, now: float) -> AsyncIterator[Row]:
    """A first row at once, because clients wait for one, and then each event as it comes, until nobody reads."""
    waiting: deque[Event] = deque(maxlen=MOST_WAITING)
    news: list[Deferred[None]] = []

    def take(event: Event) -> None:
        waiting.append(event)
        while news:
            news.pop().callback(None)

    stop = events.subscribe(take)
    try:
        yield {"event": "logTail", "system": "core", "time": write_moment(now)}
        while True:
            while waiting:
                yield _row(waiting.popleft())
            news.append(Deferred(lambda one: news.remove(one) if one in news else None))
            await news[-1]
    finally:
        stop()


def _row(event: Event) -> Row:
    system = event.id.partition("-")[0]
    return {"event": event.id, "system": system, "time": write_moment(event.time), "data": event.data}
