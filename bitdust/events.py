"""One numbered stream of events: API, logs and waiting programs all read the same one."""

import json
import re
from collections import Counter, deque
from collections.abc import Callable
from itertools import islice
from typing import Any

from attrs import frozen
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from bitdust.long_polls import LongPolls
from bitdust.wire.errors import BitDustError

MAX_KINDS = 1_000
OTHERS = "others"
MAX_KEPT = 10_000
MAX_KEPT_BYTES = 16 * 1024 * 1024
MAX_DATA = 64 * 1024
DELIVERED_AT_ONCE = 100
_EVENT_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
Callback = Callable[["Event"], object]


@frozen
class Event:
    """``seq`` counts from 1 in a process; ``time`` is seconds since the epoch."""

    seq: int
    id: str
    data: dict[str, Any]
    time: float

    def as_dict(self) -> dict[str, Any]:
        """As the API shows it; existing clients read ``id``, newer ones ``event_id``."""
        return {
            "type": "event",
            "seq": self.seq,
            "id": self.id,
            "event_id": self.id,
            "data": self.data,
            "time": self.time,
        }


class Events:
    """Sends events to subscribers in a later turn, in order, and keeps the last 10,000 (16 MB of data at most).

    ``run`` names this run of the node: the numbers of two runs have nothing to do with each other. A burst is delivered
    in portions, so that clients are served between them, and nothing is forgotten before it was delivered.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, wall: Callable[[], float], run: str = "") -> None:
        self.run = run
        self._clock = clock
        self._wall = wall
        self._kept: deque[tuple[Event, int]] = deque()
        self._kept_bytes = 0
        self._counts: Counter[str] = Counter()
        self._subscribers: dict[object, tuple[str | None, Callback]] = {}
        self._waiting: deque[Event] = deque()
        self._call: IDelayedCall | None = None
        self._seq = 0
        self._stopped = False

    def send(self, event_id: str, data: dict[str, Any] | None = None) -> int:
        """Number and send an event. Raises `BitDustError` ``bad-event`` for an id that is no words-with-dashes."""
        if len(event_id) > 100 or not _EVENT_ID.fullmatch(event_id):
            raise BitDustError("bad-event", f"{event_id[:100]!r} is no event id: small letters, digits and dashes")
        checked, size = _checked(data or {})
        self._seq += 1
        event = Event(self._seq, event_id, checked, self._wall())
        self._kept.append((event, size))
        self._kept_bytes += size
        self._counts[event_id if event_id in self._counts or len(self._counts) < MAX_KINDS else OTHERS] += 1
        if self._stopped:
            self._forget()
            return event.seq
        self._waiting.append(event)
        if self._call is None:
            self._call = self._clock.callLater(0, self._deliver)
        return event.seq

    def _forget(self) -> None:
        """The oldest go first, and only what was delivered."""
        spare = len(self._kept) - len(self._waiting)
        while spare > 0 and (len(self._kept) > MAX_KEPT or self._kept_bytes > MAX_KEPT_BYTES):
            self._kept_bytes -= self._kept.popleft()[1]
            spare -= 1

    def _deliver(self) -> None:
        """What a subscriber sends meanwhile waits for a later turn, so that no circle of them holds up the node."""
        self._call = None
        for _ in range(min(DELIVERED_AT_ONCE, len(self._waiting))):
            event = self._waiting.popleft()
            for subscription, (wanted, callback) in list(self._subscribers.items()):
                if wanted in (None, event.id) and subscription in self._subscribers:
                    self._deliver_to(callback, event)
        self._forget()
        if self._waiting and self._call is None and not self._stopped:
            self._call = self._clock.callLater(0, self._deliver)

    def _deliver_to(self, callback: Callback, event: Event) -> None:
        try:
            callback(event)
        except Exception:  # noqa: BLE001 - one subscriber must not keep the others from being told
            self.log.failure("a subscriber of {event} failed", event=event.id)

    def subscribe(self, callback: Callback, event_id: str | None = None) -> Callable[[], None]:
        """Be told of every event, or of those with this id; gives a remover."""
        subscription = object()
        self._subscribers[subscription] = (event_id, callback)

        def remove() -> None:
            self._subscribers.pop(subscription, None)

        return remove

    def seconds(self) -> float:
        """The time of the clock on which events are delivered."""
        return self._clock.seconds()

    @property
    def last(self) -> int:
        """The number of the newest event, 0 before the first."""
        return self._seq

    @property
    def oldest(self) -> int:
        """The number of the oldest event that is still kept."""
        return self._kept[0][0].seq if self._kept else self._seq + 1

    def since(self, seq: int, most: int | None = None) -> list[Event]:
        """Kept events with higher numbers, the first ``most`` of them."""
        start = max(0, seq + 1 - self.oldest)
        return [event for event, _ in islice(self._kept, start, None if most is None else start + most)]

    def counts(self) -> dict[str, int]:
        """How often each event was sent; what programs invent beyond 1,000 ids counts together as ``others``."""
        return dict(sorted(self._counts.items()))

    def stop(self) -> None:
        """Deliver what waits, then nothing more."""
        self._stopped = True
        if self._call is not None:
            self._call.cancel()
            while self._waiting:
                self._deliver()


def _checked(data: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """A copy of the data as JSON gives it back, which no sender changes later, and its bytes."""
    try:
        text = json.dumps(data, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise BitDustError("bad-event", f"the data of an event must be JSON: {error}") from error
    if len(text) > MAX_DATA:
        raise BitDustError("bad-event", f"the data of an event has {len(text)} bytes; at most {MAX_DATA} are allowed")
    checked: dict[str, Any] = json.loads(text)
    return checked, len(text)


class Consumers(LongPolls[Event]):
    """Long polls of the events."""

    def __init__(self, events: Events) -> None:
        super().__init__(events.seconds)
        self._forget = events.subscribe(self.offer)

    def stop(self) -> None:
        """Answer who waits with nothing."""
        self._forget()
        super().stop()
