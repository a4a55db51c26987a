"""Following machines from outside: their moves as events of the node's stream, or collected by a long poll.

Both are bounded. A node under load makes thousands of moves a second; who follows gets as many as can be read, and
how many were left out.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall

from bitdust.api.arguments import Kind
from bitdust.api.table import Param
from bitdust.automats.kernel import Machine, Registry, Transition
from bitdust.events import Events
from bitdust.wire.errors import BitDustError

EVENT_ID = "state-changed"
EVERY = "*"
MOST_FOLLOWED = 100
EVENTS_PER_SECOND = 100
MOST_WATCHERS = 16
MOST_KEPT = 2_000
PATIENCE = 120.0
"""Seconds after which a long poll that does not come back is forgotten."""
GATHERING = 0.05
"""Seconds that a waiting long poll is held back after the first move, so that one answer brings many."""

Ident = int | str
PUBLISH = Param("publish_events", Kind.FLAG, False, help="make moves of the machine events state-changed, to its end")
PUBLISH_TO_ANSWER = evolve(PUBLISH, help="make moves of the machine events state-changed, up to the answer")


def kinds() -> Iterator[str]:
    """Names of all kinds of machines that this program knows, living or not."""
    waiting = list(Machine.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        yield kind.name


def show(move: Transition) -> dict[str, Any]:
    """A move, as events and long polls show it; ``old`` and ``new`` are the same where nothing changed."""
    return {
        "index": move.index,
        "id": move.id,
        "name": move.name,
        "state": move.new,
        "old": move.old,
        "new": move.new,
        "event": move.event,
        "time": move.time,
        "sequence": move.sequence,
    }


class Following:
    """I send an event ``state-changed`` for every move of the machines that somebody follows, 100 a second at most."""

    def __init__(self, registry: Registry, events: Events) -> None:
        self._registry = registry
        self._events = events
        self._followed: dict[Ident, bool] = {}
        self._forget: list[Callable[[], None]] = []
        self._second = 0
        self._sent = 0
        self._missed = 0

    def start(self, ident: Ident, unchanged: bool = False) -> None:
        """Follow a machine by number, those of an id or a kind, or ``*``: every one.

        ``unchanged`` reports events that moved nothing as well. Raises `BitDustError` ``too-many-followed``.
        """
        self.need_room(ident not in self._followed)
        self._followed[ident] = unchanged
        self._listen()

    def need_room(self, wished: bool = True) -> None:
        """Raises ``too-many-followed`` where one more cannot be followed, and is to be."""
        if wished and len(self._followed) >= MOST_FOLLOWED:
            raise BitDustError("too-many-followed", f"{MOST_FOLLOWED} machines are followed already; stop one of them")

    @contextmanager
    def meanwhile(self, wished: bool, ident: int) -> Iterator[None]:
        """Follow a machine where that is ``wished``, nobody does, and there is room for it.

        Until this is left, and what moved by then is told.
        """
        is_new = wished and ident not in self._followed and len(self._followed) < MOST_FOLLOWED
        if is_new:
            self.start(ident)
        try:
            yield
        finally:
            if is_new:
                self._stop_later(ident)

    def stop(self, ident: Ident) -> bool:
        """Follow it no more; whether it was followed."""
        found = self._followed.pop(ident, None) is not None
        self._listen()
        return found

    @property
    def followed(self) -> list[Ident]:
        """What is followed now."""
        return list(self._followed)

    def _listen(self) -> None:
        """Nothing is paid for following while nobody does."""
        for forget in self._forget:
            forget()
        self._forget = [self._registry.on_transition(self._moved)] if self._followed else []
        if any(self._followed.values()):
            self._forget.append(self._registry.on_stay(self._stayed))

    def _keys(self, move: Transition) -> tuple[Ident, ...]:
        return (move.index, move.id, move.name, EVERY)

    def _moved(self, move: Transition) -> None:
        if any(key in self._followed for key in self._keys(move)):
            self._send(move)
        if move.index in self._followed and self._registry.by_index(move.index) is None:
            self._stop_later(move.index)

    def _stop_later(self, ident: int) -> None:
        """Moves are told in a later turn: its last ones may still be to come."""
        self._registry.clock.callLater(0, self.stop, ident)

    def _stayed(self, move: Transition) -> None:
        if any(self._followed.get(key) for key in self._keys(move)):
            self._send(move)

    def _send(self, move: Transition) -> None:
        second = int(self._registry.clock.seconds())
        if second != self._second:
            self._second, self._sent = second, 0
        if self._sent >= EVENTS_PER_SECOND:
            self._missed += 1
            return
        self._sent += 1
        missed, self._missed = self._missed, 0
        self._events.send(EVENT_ID, show(move) | ({"missed": missed} if missed else {}))


@define
class Moves:
    """What a long poll gets: moves, oldest first, and how many were left out before them."""

    moves: list[Transition]
    missed: int = 0


@define
class _Watcher:
    part: str
    seen: float
    kept: deque[Transition] = field(factory=lambda: deque(maxlen=MOST_KEPT))
    missed: int = 0
    waiting: "Deferred[Moves] | None" = None
    call: IDelayedCall | None = None

    def drain(self) -> Moves:
        moves, missed = list(self.kept), self.missed
        self.kept.clear()
        self.missed = 0
        return Moves(moves, missed)


class Watching:
    """I keep every move for those who ask again and again; each has a place of its own, under a name of its own."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._watchers: dict[str, _Watcher] = {}
        self._forget: Callable[[], None] | None = None

    def __len__(self) -> int:
        return len(self._watchers)

    def next(self, watcher: str, part: str = "") -> "Deferred[Moves]":
        """What has moved since the last call of this watcher, at once or as soon as something does.

        ``part`` is a part of the id of the machines that count. May be cancelled. Raises `BitDustError`.
        """
        if not 1 <= len(watcher) <= 100:
            raise BitDustError("bad-argument", "the name of a watcher has 1 to 100 characters")
        now = self._registry.clock.seconds()
        known = self._watchers.get(watcher)
        if known is None or known.part != part:
            known = self._enter(watcher, part, now)
        known.seen = now
        self._answer(known)
        if known.kept:
            return succeed(known.drain())
        known.waiting = Deferred(lambda _: self._left(known))
        return known.waiting

    def _enter(self, name: str, part: str, now: float) -> _Watcher:
        self._drop_late(now)
        if name not in self._watchers and len(self._watchers) >= MOST_WATCHERS:
            raise BitDustError("too-many-watchers", f"at most {MOST_WATCHERS} programs can follow all machines at once")
        self._watchers[name] = _Watcher(part, now)
        if self._forget is None:
            self._forget = self._registry.on_transition(self._moved)
        return self._watchers[name]

    def _left(self, watcher: _Watcher) -> None:
        watcher.waiting = None

    def _moved(self, move: Transition) -> None:
        self._drop_late(self._registry.clock.seconds())
        for watcher in self._watchers.values():
            if watcher.part in move.id:
                watcher.missed += len(watcher.kept) == MOST_KEPT
                watcher.kept.append(move)
                if watcher.waiting is not None and watcher.call is None:
                    watcher.call = self._registry.clock.callLater(GATHERING, self._answer, watcher)

    def _answer(self, watcher: _Watcher) -> None:
        call, watcher.call = watcher.call, None
        if call is not None and call.active():
            call.cancel()
        waiting, watcher.waiting = watcher.waiting, None
        if waiting is not None:
            watcher.seen = self._registry.clock.seconds()
            waiting.callback(watcher.drain())

    def _drop_late(self, now: float) -> None:
        for name, watcher in list(self._watchers.items()):
            if watcher.waiting is None and now - watcher.seen > PATIENCE:
                del self._watchers[name]
        if not self._watchers and self._forget is not None:
            self._forget()
            self._forget = None

    def stop(self) -> None:
        """Answer who waits, and keep nothing more."""
        for watcher in self._watchers.values():
            self._answer(watcher)
        self._watchers.clear()
        self._drop_late(0.0)
