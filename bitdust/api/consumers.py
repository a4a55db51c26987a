"""Long polls: each consumer id has a queue of events, from its first call on, until it stops collecting."""

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

MAX_WAITING = 100
MAX_CONSUMERS = 100
MAX_TIMEOUT = 3600.0


class Stream(Protocol):
    """Where events come from."""

    def subscribe(self, callback: Callable[[Any], None], event_id: str | None = None) -> Callable[[], None]:
        """Be told of events; gives a remover."""


@define(eq=False)
class Consumer:
    """One client that polls: either events wait for it, or it waits for events."""

    queue: deque[dict[str, Any]] = field(factory=deque)
    waiting: "Deferred[list[dict[str, Any]]] | None" = None


class Consumers:
    """All clients that poll. A client with 100 events that it did not collect is forgotten."""

    def __init__(self, clock: IReactorTime, events: Stream) -> None:
        self._clock = clock
        self._consumers: dict[str, Consumer] = {}
        self._forget = events.subscribe(self._deliver)

    def __len__(self) -> int:
        return len(self._consumers)

    def listen(self, consumer_id: str, timeout: float | None = None) -> "Deferred[list[dict[str, Any]]]":
        """Fires with what has come since the last call, at once or when something comes; with nothing after
        ``timeout`` seconds (None waits for ever). A second call of the same consumer ends the first one."""
        consumer = self._consumers.get(consumer_id) or self._new(consumer_id)
        self._release(consumer)
        if consumer.queue:
            events = list(consumer.queue)
            consumer.queue.clear()
            return succeed(events)
        waiting: Deferred[list[dict[str, Any]]] = Deferred(lambda _: self._gave_up(consumer))
        consumer.waiting = waiting
        if timeout is not None:
            waiting.addTimeout(timeout, self._clock, lambda *_: [])
        return waiting

    def stop(self) -> None:
        """Answer everybody who waits, and end."""
        self._forget()
        for consumer in self._consumers.values():
            self._release(consumer)
        self._consumers.clear()

    def _new(self, consumer_id: str) -> Consumer:
        if len(self._consumers) >= MAX_CONSUMERS:
            idle = next((name for name, known in self._consumers.items() if known.waiting is None), None)
            self._drop(idle if idle is not None else next(iter(self._consumers)))
        consumer = self._consumers[consumer_id] = Consumer()
        return consumer

    def _drop(self, consumer_id: str) -> None:
        self._release(self._consumers.pop(consumer_id))

    def _gave_up(self, consumer: Consumer) -> None:
        consumer.waiting = None

    def _release(self, consumer: Consumer) -> None:
        waiting, consumer.waiting = consumer.waiting, None
        if waiting is not None:
            waiting.callback([])

    def _deliver(self, event: Any) -> None:
        row = {"type": "event", "id": event.event_id, "data": event.data, "time": event.time, "seq": event.seq}
        for consumer_id, consumer in list(self._consumers.items()):
            waiting, consumer.waiting = consumer.waiting, None
            if waiting is not None:
                waiting.callback([row])
            elif len(consumer.queue) >= MAX_WAITING:
                del self._consumers[consumer_id]
            else:
                consumer.queue.append(row)
