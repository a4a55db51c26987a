"""Programs that listen to messages as they are stored: long polls, and whoever else wants each one at once."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from bitdust.batching import Soon
from bitdust.long_polls import LongPolls
from bitdust.people.history.history import History
from bitdust.people.history.values import Notice, Stored
from bitdust.wire.messages import INCOMING, Message

MOST_REMEMBERED = 10_000
Taker = Callable[[Stored], bool]


class Listeners:
    """``polls`` has a place for each program that polls; a `Taker` gets every message and says whether somebody took
    it. What was taken counts as read."""

    log = Logger()

    def __init__(self, clock: IReactorTime, history: History) -> None:
        self._history = history
        self.polls: LongPolls[Notice] = LongPolls(clock.seconds)
        self._takers: dict[object, Taker] = {}
        self._taken: OrderedDict[tuple[bytes, str], bool] = OrderedDict()
        self._seen: dict[str, int] = {}
        self._marks = Soon(clock, self._mark)
        history.stored.connect(self._stored)

    def watch(self, taker: Taker) -> Callable[[], None]:
        """Give it every message from now on; the answer ends that."""
        key = object()
        self._takers[key] = taker

        def forget() -> None:
            self._takers.pop(key, None)

        return forget

    def deliver(self, message: Message) -> bool:
        """Whether a program was there when the message was stored, and so has it."""
        return self._taken.pop((message.sender, message.id), False)

    def _stored(self, stored: Stored) -> None:
        taken = [self._give(taker, stored) for taker in list(self._takers.values())]
        polled = self.polls.offer(Notice.of(stored))
        if any(taken):
            self.seen([stored])
        self._taken[stored.message.sender, stored.message.id] = polled or any(taken)
        if len(self._taken) > MOST_REMEMBERED:
            self._taken.popitem(last=False)

    def _give(self, taker: Taker, stored: Stored) -> bool:
        try:
            return taker(stored)
        except Exception:  # noqa: BLE001 - one listener must not keep the others from getting it
            self.log.failure("a listener of messages failed")
            return False

    def seen(self, found: Sequence[Stored]) -> None:
        """A program has got these."""
        for stored in found:
            if stored.message.direction == INCOMING:
                name = stored.message.conversation
                self._seen[name] = max(stored.position, self._seen.get(name, stored.position))
                self._marks.want()

    def _mark(self) -> bool:
        seen, self._seen = self._seen, {}
        for name, position in seen.items():
            if self._history.is_open:
                self._history.mark_read(name, position).addErrback(self._not_marked)
        return True

    def _not_marked(self, failure: object) -> None:
        self.log.warn("what was read counts as unread: {failure}", failure=failure)

    def stop(self) -> None:
        """Answer who waits with nothing."""
        self._marks.stop()
        self._mark()
        self.polls.stop()
