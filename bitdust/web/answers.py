"""Answers of the API that wait for their clients: how many bytes of them this node keeps, of all clients together.

They count as memory of the owner's programs in the scopes of the node. What a method answered before says how long its
next answer may be, and that much is taken before the call is made. Where there is no room, such a call waits in a line;
who has taken nothing of an answer for some seconds while others wait is cut off, and who has waited for too long is
refused as ``busy``. Short answers are made at once, whatever waits: nobody can keep the owner from asking how the node
is. A single answer that is longer than all the room goes out when there is any.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from bitdust.api.table import Method
from bitdust.budget import Budget
from bitdust.scopes.reservations import Reservation, Resource, Scope
from bitdust.wire.errors import BitDustError

SHORT = 1 << 16
"""Bytes that a connection buffers anyway; such an answer is not counted."""
UNKNOWN = 4 << 20
"""Bytes that the first answer of a method is taken to have where it takes a ``limit``, so that it may be long."""
PATIENCE = 30.0
"""Seconds that a call waits for room."""
IDLE = 10.0
"""Seconds without progress after which a client makes way, if somebody waits."""
EVERY = 1.0


class Answers:
    """The room for answers, and the line of calls that wait for some."""

    def __init__(self, clock: IReactorTime, scope: Scope) -> None:
        self._clock = clock
        self._scope = scope
        self._chain = (scope,)
        self._sizes: dict[Callable[..., Any], int] = {}
        self._line: dict[Place, tuple[Deferred[None], float]] = {}
        self._holding: dict[Place, None] = {}
        self._timer: IDelayedCall | None = None
        self._turn: IDelayedCall | None = None

    @classmethod
    def alone(cls, clock: IReactorTime) -> "Answers":
        """Of an engine that no node stands behind."""
        return cls(clock, Scope("program", "", {Resource.MEMORY: Budget().answers}))

    @property
    def has_room(self) -> bool:
        """Whether another long answer may be made now."""
        return not self._line and self._scope.has_room(Resource.MEMORY, 1)

    def before(self, row: Method) -> "Place | None":
        """For a method that is to be called; None where its answers are short, as most are: that must cost nothing."""
        expected = self._sizes.get(row.call)
        if expected is None:
            expected = self._sizes[row.call] = UNKNOWN if "limit" in row.names() else 0
        return self.place(row, expected) if expected else None

    def after(self, row: Method, place: "Place | None", size: int) -> "Place | None":
        """The same once its answer is there: a long one needs a place, expected or not."""
        return self.place(row) if place is None and size > SHORT else place

    def place(self, row: Method | None = None, expected: int = 0) -> "Place":
        """For one answer: of a method, or of something that is there already."""
        return Place(self, Reservation(self._chain, Resource.MEMORY, 0), row, expected)

    def refuse(self) -> BitDustError:
        """``busy``, counted."""
        self._scope.refused[Resource.MEMORY] += 1
        return BitDustError("busy", "too many long answers wait for programs to read them; ask again later")

    # what places ask

    def seconds(self) -> float:
        """On the clock of the node."""
        return self._clock.seconds()

    def hold(self, place: "Place") -> None:
        """Its answer takes memory from now on."""
        self._holding[place] = None

    def learn(self, row: Method, size: int) -> None:
        """An answer has come out so long; the next one may be as long, and what was longer is forgotten by and by."""
        expected = max(size, self._sizes.get(row.call, 0) // 2)
        self._sizes[row.call] = expected if expected > SHORT else 0

    def wait(self, place: "Place") -> "Deferred[None]":
        """Fires when it is its turn; fails with ``busy``; may be cancelled."""
        waiting: Deferred[None] = Deferred(lambda _: self.leave(place))
        self._line[place] = (waiting, self._clock.seconds() + PATIENCE)
        if self._timer is None:
            self._timer = self._clock.callLater(0, self._look)
        return waiting

    def leave(self, place: "Place") -> None:
        """It waits, and takes memory, no more."""
        self._line.pop(place, None)
        self._holding.pop(place, None)
        self._serve_later()

    def pass_over(self, place: "Place") -> None:
        """Its client is being cut off."""
        self._holding.pop(place, None)

    def squeeze(self) -> None:
        """Something more has to wait for a client: where there is no room for it, the idlest one goes."""
        if not self._scope.has_room(Resource.MEMORY, 1):
            idlest = min((one for one in self._holding if one.is_written), key=lambda one: one.moved, default=None)
            if idlest is not None:
                self._scope.refused[Resource.MEMORY] += 1
                idlest.give_way()

    # the line

    def _serve_later(self) -> None:
        """One call in a turn of the node: a long answer takes its time to be written."""
        if self._line and self._turn is None:
            self._turn = self._clock.callLater(0, self._serve)

    def _serve(self) -> None:
        self._turn = None
        if self._line and self._scope.has_room(Resource.MEMORY, 1):
            place, (waiting, _) = next(iter(self._line.items()))
            del self._line[place]
            place.take()
            waiting.callback(None)
            self._serve_later()

    def _look(self) -> None:
        """While calls wait: who has waited for too long, and who takes nothing of what it got?"""
        self._timer = None
        now = self._clock.seconds()
        for place, (waiting, until) in list(self._line.items()):
            if until <= now and place in self._line:
                del self._line[place]
                waiting.errback(self.refuse())
        if self._line:
            for place in [one for one in self._holding if now - one.moved >= IDLE]:
                place.give_way()
            self._timer = self._clock.callLater(EVERY, self._look)


class Place:
    """One call and its answer, from the call until the client has taken the answer."""

    def __init__(self, answers: Answers, held: Reservation, row: Method | None, expected: int) -> None:
        self._answers = answers
        self._held = held
        self._row = row
        self._expected = expected
        self._cut_off: Callable[[], object] | None = None
        self.moved = 0.0
        """When its client took something, or the call was begun."""

    def enter(self) -> "Deferred[None] | None":
        """Before the call is made: None, or what fires when it may be made, or fails with ``busy``."""
        if not self._answers.has_room:
            return self._answers.wait(self)
        self.take()
        return None

    def take(self) -> None:
        """As much as it may need."""
        self._count(self._expected)

    def written(self, size: int, cut_off: Callable[[], object], waits: bool = False) -> None:
        """The answer is there for a client who can be cut off; it counts where it is long, or waits behind others."""
        if self._row is not None:
            self._answers.learn(self._row, size)
        self._cut_off = cut_off
        if size > SHORT or waits:
            self._count(size)
        else:
            self.release()

    def _count(self, size: int) -> None:
        self.progress()
        self._held.force(size)
        self._answers.hold(self)

    @property
    def is_written(self) -> bool:
        """Whether its client can be cut off."""
        return self._cut_off is not None

    def progress(self) -> None:
        """The client has taken something."""
        self.moved = self._answers.seconds()

    def give_way(self) -> None:
        """Others wait. A call that has not ended for so long has no answer in memory, but waits for something."""
        if self._cut_off is None:
            self.release()
        else:
            self._answers.pass_over(self)
            self._cut_off()

    def release(self) -> None:
        """The client has it, or has gone; once or several times."""
        if self._held.amount:
            self._held.force(0)
            self._answers.leave(self)
