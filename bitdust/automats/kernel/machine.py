"""The machine: one event at a time, run to completion, by its table."""

import re
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.automats.kernel.registry import PAST, Observer, Registry, Transition
from bitdust.automats.kernel.table import ANY, STAY, Definition, Row, TableError, parse, timer_seconds

PAPER = "automats"
"""The log file that moves and events are written to, beside the ordinary one."""


class UnknownEvent(Exception):
    """The event is not in the machine's alphabet; raised in the sender."""


class MachineFinished(Exception):
    """The machine came to its end without reaching the state that was waited for."""


class Machine:
    """Base of all automats; see the README beside this file.

    A subclass has a ``table`` first, then guards ``def name(self, payload) -> bool`` and actions
    ``def name(self, payload) -> None``. It sets its ports, then calls ``super().__init__``.
    """

    table: ClassVar[str]
    ignore: ClassVar[str] = ""
    initial: ClassVar[str]
    final: ClassVar[tuple[str, ...]] = ()
    failure: ClassVar[str | None] = None
    endless: ClassVar[bool] = False
    patient: ClassVar[tuple[str, ...]] = ()
    name: ClassVar[str] = ""
    log: ClassVar[Logger] = Logger()
    _definition: ClassVar[Definition]
    _final: ClassVar[frozenset[str]]
    _state_timers: ClassVar[dict[str, tuple[str, ...]]]
    _events: ClassVar[frozenset[str]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "table" not in cls.__dict__:
            return
        if not cls.__dict__.get("name"):
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()
        try:
            cls._definition = parse(cls.table, cls.ignore, cls.initial, cls.final)
        except TableError as error:
            raise TableError(f"{cls.__name__}: {error}") from error
        cls._final = frozenset(cls.final)
        cls._events = frozenset(cls._definition.events)
        cls._state_timers = {state: cls._definition.timers(state) for state in cls._definition.states}
        cls._check_methods()

    @classmethod
    def _check_methods(cls) -> None:
        for row in cls._definition.rows:
            for wanted in (*(guard.name for guard in row.guards), *row.actions):
                if not callable(getattr(cls, wanted, None)):
                    raise TableError(f"{cls.__name__}: {row.state} {row.event} names {wanted}, which is no method")
        if cls.failure is not None and cls.failure not in cls._events:
            raise TableError(f"{cls.__name__}: the failure event {cls.failure!r} is not in the table")

    @classmethod
    def definition(cls) -> Definition:
        """The parsed table."""
        return cls._definition

    def __init__(self, registry: Registry, ident: str = "") -> None:
        self._registry = registry
        self._state = self.initial
        self.id = f"{self.name}({ident})" if ident else self.name
        self._inbox: deque[tuple[str, Any]] = deque()
        self._busy = False
        self._failing = False
        self._running: dict[str, tuple[Any, float]] = {}
        self._watched: list[Deferred[Any]] = []
        self._stay = 0
        self._waiters: list[tuple[frozenset[str], Deferred[str]]] = []
        self._observers: list[Observer] = []
        self.past: deque[Transition] = deque(maxlen=PAST)
        self.since = registry.wall()
        self.index = registry.add(self)
        self._start_timers()

    def __repr__(self) -> str:
        return f"<{self.id} {self._state}>"

    @property
    def state(self) -> str:
        """The name of the current state."""
        return self._state

    def send(self, event: str, payload: Any = None) -> None:
        """Put an event into the inbox; it is worked on now, or after the one that is being worked on."""
        if event not in self._events:
            raise UnknownEvent(f"{self.id} knows no event {event!r}")
        if self._state in self._final:
            return
        self._inbox.append((event, payload))
        if not self._busy:
            self._work()

    def _work(self) -> None:
        self._busy = True
        try:
            while self._inbox:
                event, payload = self._inbox.popleft()
                self._handle(event, payload)
                self._failing = self._failing and bool(self._inbox)
        finally:
            self._busy = False

    def _handle(self, event: str, payload: Any) -> None:
        if self._state in self._final:
            return
        if self._registry.trace_events:
            self.log.info(
                "{machine} in {state} gets {event}", paper=PAPER, machine=self.id, state=self._state, event=event
            )
        try:
            for row in self._definition.rows_for(self._state, event):
                for guard in row.guards:
                    if getattr(self, guard.name)(payload) is not guard.wanted:
                        break
                else:
                    self._follow(row, payload)
                    return
        except Exception as error:  # noqa: BLE001 - a broken guard or action becomes the machine's own event
            self._failed(event, error)
            return
        if (self._state, event) not in self._definition.ignored and (ANY, event) not in self._definition.ignored:
            self.log.debug(
                "{machine} in {state} has no row for {event}", machine=self.id, state=self._state, event=event
            )
        self._registry.stayed(self, event)

    def _follow(self, row: Row, payload: Any) -> None:
        if row.next == STAY:
            for action in row.actions:
                getattr(self, action)(payload)
            self._registry.stayed(self, row.event)
            return
        old = self._state
        self.stop_timers()
        self._forget_watched()
        self._state = row.next
        self.since = self._registry.wall()
        self._start_timers()
        try:
            for action in row.actions:
                getattr(self, action)(payload)
        finally:
            self._record(old, row.event)

    def _record(self, old: str, event: str) -> None:
        if self._registry.trace_transitions:
            self.log.info(
                "{machine}: {old} -> {new} on {event}",
                paper=PAPER,
                machine=self.id,
                old=old,
                new=self._state,
                event=event,
            )
        self.past.append(self._registry.moved(self, old, event, tuple(self._observers)))
        if self._state in self._final:
            self._finish()
        if self._waiters:
            self._fire_waiters()

    def _finish(self) -> None:
        self.stop_timers()
        self._forget_watched()
        self._inbox.clear()
        self._registry.remove(self)

    def _failed(self, event: str, error: Exception) -> None:
        failure = Failure(error)
        self.log.failure("{m} failed at {event}", failure, m=self.id, event=event)
        if self.failure is not None and not self._failing and self._state not in self._final:
            self._failing = True
            self._inbox.appendleft((self.failure, failure))

    # timers

    def timer_seconds(self, event: str) -> float:
        """The interval of a timer; override it for backoff, jitter or settings."""
        return timer_seconds(event)

    def timers(self) -> dict[str, float]:
        """Running timers and the seconds until they fire."""
        now = self._registry.clock.seconds()
        return {event: round(max(0.0, due - now), 3) for event, (_, due) in self._running.items()}

    def _start_timers(self) -> None:
        for event in self._state_timers[self._state]:
            self._start_timer(event)

    def _start_timer(self, event: str) -> None:
        seconds = self.timer_seconds(event)
        call = self._registry.clock.callLater(seconds, partial(self._timer_fired, event))
        self._running[event] = (call, self._registry.clock.seconds() + seconds)

    def _timer_fired(self, event: str) -> None:
        self._start_timer(event)
        self.send(event)

    def stop_timers(self) -> None:
        """Stop what runs; a new state starts its own."""
        running, self._running = self._running, {}
        for call, _ in running.values():
            if call.active():
                call.cancel()

    # what is waited for

    def watch(self, deferred: "Deferred[Any]", success: str, failure: str) -> None:
        """Turn the end of ``deferred`` into an event; leaving the state cancels it and drops a late result."""
        for event in (success, failure):
            if event not in self._events:
                raise UnknownEvent(f"{self.id} knows no event {event!r}")
        stay = self._stay
        self._watched.append(deferred)

        def ended(event: str, result: Any) -> None:
            if stay == self._stay:
                if deferred in self._watched:
                    self._watched.remove(deferred)
                self.send(event, result)

        deferred.addCallbacks(partial(ended, success), partial(ended, failure))
        deferred.addErrback(self._report)

    def _report(self, failure: Failure) -> None:
        self.log.failure("{machine} could not take the end of what it watched", failure, machine=self.id)

    def _forget_watched(self) -> None:
        self._stay += 1
        watched, self._watched = self._watched, []
        for deferred in watched:
            deferred.cancel()

    def when(self, *states: str) -> "Deferred[str]":
        """Fires with the name of the first of these states that the machine is in; may be cancelled."""
        unknown = [state for state in states if state not in self._definition.states]
        if unknown or not states:
            raise ValueError(f"{self.id} has no state {', '.join(unknown) or 'without a name'}")
        if self._state in states:
            return succeed(self._state)
        waiting: Deferred[str] = Deferred(self._forget_waiter)
        self._waiters.append((frozenset(states), waiting))
        if not self._busy and self._state in self._final:
            self._fire_waiters()
        return waiting

    def _forget_waiter(self, deferred: "Deferred[str]") -> None:
        self._waiters = [(states, waiting) for states, waiting in self._waiters if waiting is not deferred]

    def _fire_waiters(self) -> None:
        waiters, self._waiters = self._waiters, []
        for states, waiting in waiters:
            if waiting.called:
                continue  # whoever was called before has cancelled it
            if self._state in states:
                waiting.callback(self._state)
            elif self._state in self._final:
                waiting.errback(MachineFinished(f"{self.id} ended in {self._state}"))
            else:
                self._waiters.append((states, waiting))

    def on_transition(self, observer: Observer) -> Callable[[], None]:
        """Observe every move of this machine, in a later turn; gives a remover."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer) if observer in self._observers else None
