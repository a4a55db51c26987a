"""Chunks come from peers: many transfers share their turns fairly, and each peer gets a few questions at a time.

Whoever wants chunks waits in a queue of its own; queues take turns. A question has about two megabytes of chunks, since
each costs the same whatever it asks for. A peer that does not have one is not asked for it again until it has news;
where nobody has it, the transfer that wants it is told, and another one begins when somebody comes. What does not fit
its name counts as not had, and is counted.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from bitdust.folders.keys import NAME, TAG, sealed_name
from bitdust.outcome import Outcome, outcome
from bitdust.wire.errors import BitDustError

REQUEST = 2 * 1024 * 1024
MOST_NAMES = 64
QUESTIONS = 3
"""At one peer at a time."""
HEAD, MISSING = 4, 2**32 - 1
"""Bytes of the length before a chunk, and the length where there is none."""


@frozen
class Wanted:
    """A sealed chunk, by its name, and how long it is when it is open."""

    name: bytes
    length: int


class Source(Protocol):
    """A peer, as far as chunks go."""

    def ask_chunks(self, names: Sequence[bytes], size: int) -> "Deferred[list[bytes | None]]":
        """The sealed chunks, None for each that it does not have."""


@define(eq=False)
class _Order:
    """Chunks that are waited for together."""

    owner: object
    left: int
    found: dict[bytes, bytes] = field(factory=dict)
    done: "Deferred[dict[bytes, bytes]]" = field(factory=Deferred)

    def settle(self, name: bytes, chunk: bytes | None) -> None:
        """One of them has come, or will not come now."""
        if chunk is not None:
            self.found[name] = chunk
        self.left -= 1
        if not self.left:
            self.done.callback(self.found)

    def give_up(self) -> None:
        """Nobody waits for it any more."""
        if not self.done.called:
            self.done.errback(CancelledError())


@frozen(eq=False)
class _Wish:
    order: _Order
    wanted: Wanted
    asked: set[Source] = field(factory=set)
    denied: set[Source] = field(factory=set)
    """Who has said that it does not have it."""


class Fetcher:
    """I am one folder's. ``sources`` are the peers that may be asked."""

    log = Logger()

    def __init__(self, sources: Callable[[], Iterable[Source]], count: Callable[[int], None]) -> None:
        self._sources = sources
        self._count = count
        self._queues: dict[object, deque[_Wish]] = {}
        """Of those who want something that nobody is asked for now."""
        self._owners: set[object] = set()
        self._doubtful: set[object] = set()
        self._was_refused = False
        """Whether somebody did not have what is in a queue."""
        self._asked: dict[Source, int] = {}
        self.bad = 0
        """Chunks that were not what was asked for."""

    @property
    def is_met(self) -> bool:
        """Whether somebody is here."""
        return any(True for _ in self._sources())

    async def fetch(self, owner: object, wanted: Sequence[Wanted]) -> dict[bytes, bytes]:
        """Sealed chunks by name, without those that nobody has who is here. Cancelled by `drop`."""
        if not wanted:
            return {}
        order = _Order(owner, len(wanted))
        self._owners.add(owner)
        self._queues.setdefault(owner, deque()).extend(_Wish(order, one) for one in wanted)
        self.pump()
        return await order.done

    def is_doubtful(self, owner: object) -> bool:
        """Whether what this one did not get was not refused by everybody: a line broke, or nobody was there."""
        return owner in self._doubtful

    def drop(self, owner: object) -> None:
        """Nobody waits for what this one wanted: who does all the same is told with `CancelledError`."""
        self._owners.discard(owner)
        self._doubtful.discard(owner)
        for wish in self._queues.pop(owner, ()):
            wish.order.give_up()

    def pump(self) -> None:
        """Ask whoever may be asked: somebody has come, or has answered."""
        sources = list(self._sources())
        if not sources:
            self._tell_nobody(sources)
            return
        for source in sources:
            while self._asked.get(source, 0) < QUESTIONS:
                batch = self._next(source)
                if not batch:
                    break
                self._ask(source, batch)
        self._tell_nobody(sources)

    def _next(self, source: Source) -> list[_Wish]:
        """The next question for a peer: one wish of each queue in turn."""
        batch: list[_Wish] = []
        size, is_any = 0, True
        while is_any and size < REQUEST and len(batch) < MOST_NAMES:
            is_any = False
            for owner, queue in list(self._queues.items()):
                wish = next((one for one in queue if source not in one.asked), None)
                if wish is None or size >= REQUEST or len(batch) >= MOST_NAMES:
                    continue
                queue.remove(wish)
                del self._queues[owner]
                if queue:
                    self._queues[owner] = queue
                batch.append(wish)
                size += wish.wanted.length
                is_any = True
        return batch

    def _ask(self, source: Source, batch: list[_Wish]) -> None:
        self._asked[source] = self._asked.get(source, 0) + 1
        size = sum(wish.wanted.length + TAG + 4 for wish in batch)
        asking = source.ask_chunks([wish.wanted.name for wish in batch], size)
        outcome(asking).addCallback(self._answered, source, batch)

    def _answered(self, result: Outcome, source: Source, batch: list[_Wish]) -> None:
        self._asked[source] -= 1
        if not self._asked[source]:
            del self._asked[source]
        if result.error is not None:
            self.log.debug("a peer did not give chunks: {why}", why=str(result.error))
        chunks: list[Any] = result.value if result.error is None else [None] * len(batch)
        for wish, chunk in zip(batch, chunks, strict=True):
            wish.asked.add(source)
            fits = chunk is not None and sealed_name(chunk) == wish.wanted.name
            if fits:
                self._count(len(chunk))
            self.bad += chunk is not None and not fits
            order = wish.order
            if order.done.called:
                continue
            if chunk is None and result.error is None:
                wish.denied.add(source)
            if fits:
                order.settle(wish.wanted.name, chunk)
            elif order.owner in self._owners:
                self._queues.setdefault(order.owner, deque()).appendleft(wish)
                self._was_refused = True
            else:
                order.give_up()
        self.pump()

    def _tell_nobody(self, sources: list[Source]) -> None:
        if sources and not self._was_refused:
            return
        self._was_refused = False
        hopeless: list[_Wish] = []
        for owner, queue in list(self._queues.items()):
            gone = [wish for wish in queue if all(source in wish.asked for source in sources)]
            for wish in gone:
                queue.remove(wish)
            if not queue:
                del self._queues[owner]
            self._was_refused = self._was_refused or any(wish.asked for wish in queue)
            hopeless += gone
        for wish in hopeless:
            order = wish.order
            if order.done.called:
                continue
            if not sources or not wish.denied.issuperset(sources):
                self._doubtful.add(order.owner)
            order.settle(wish.wanted.name, None)


class Parting:
    """Chunks as they travel: four bytes of length before each, all ones where there is none.

    They are cut while they come, when their bytes are still in the processor's cache, and no answer is kept whole.
    """

    def __init__(self) -> None:
        self._found: list[bytes | None] = []
        self._pieces: list[bytes] = []
        self._needed, self._is_head = HEAD, True

    def write(self, part: memoryview) -> None:
        """The next bytes."""
        at = 0
        while at < len(part):
            piece = bytes(part[at : at + self._needed])
            at += len(piece)
            self._needed -= len(piece)
            self._pieces.append(piece)
            if not self._needed:
                self._complete()

    def _complete(self) -> None:
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        size = int.from_bytes(data, "big") if self._is_head else MISSING
        if not self._is_head or not size:
            self._found.append(b"" if self._is_head else data)
        elif size == MISSING:
            self._found.append(None)
        self._is_head = size in (0, MISSING)
        self._needed = HEAD if self._is_head else size

    def end(self, count: int) -> list[bytes | None]:
        """All of them. Raises `BitDustError` ``malformed``."""
        if self._pieces or not self._is_head or len(self._found) != count:
            raise BitDustError("malformed", "an answer about a folder has another number of parts than was asked for")
        return self._found


def parted(payload: bytes, count: int) -> list[bytes | None]:
    """Chunks of an answer that is here. Raises `BitDustError` ``malformed``."""
    parting = Parting()
    parting.write(memoryview(payload))
    return parting.end(count)


def names_in(packed: bytes) -> list[bytes]:
    """Names of chunks, one behind the other."""
    return [packed[at : at + NAME] for at in range(0, len(packed), NAME)]
