"""The registry: every living machine by number and name, the clock they share, and who observes their moves."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

if TYPE_CHECKING:
    from bitdust.automats.kernel.machine import Machine

PAST = 20


@frozen
class Transition:
    """One move of one machine; ``sequence`` counts all moves of a registry, ``time`` is seconds since the epoch."""

    sequence: int
    time: float
    index: int
    id: str
    name: str
    old: str
    new: str
    event: str


Observer = Callable[[Transition], None]


class Registry:
    """Owns indexes, clock and observers of a node's machines; there is one registry a node."""

    log = Logger()

    def __init__(self, clock: IReactorTime, wall: Callable[[], float] = lambda: 0.0) -> None:
        self.clock = clock
        self.wall = wall
        self.trace_transitions = False
        self.trace_events = False
        self._machines: dict[int, Machine] = {}
        self._next_index = 1
        self._sequence = 0
        self._observers: list[Observer] = []
        self._stay_observers: list[Observer] = []
        self._queued: deque[tuple[Transition, tuple[Observer, ...]]] = deque()
        self._delivery: IDelayedCall | None = None

    def __iter__(self) -> Iterator["Machine"]:
        return iter(list(self._machines.values()))

    def __len__(self) -> int:
        return len(self._machines)

    def add(self, machine: "Machine") -> int:
        """The index of a new machine; indexes are never used again."""
        index = self._next_index
        self._next_index += 1
        self._machines[index] = machine
        return index

    def remove(self, machine: "Machine") -> None:
        """A machine has come to its end."""
        self._machines.pop(machine.index, None)

    def by_index(self, index: int) -> "Machine | None":
        """The living machine with this number."""
        return self._machines.get(index)

    def find(self, ident: str) -> "list[Machine]":
        """Living machines whose id or name is ``ident``, in the order of their birth."""
        return [machine for machine in self if ident in (machine.id, machine.name)]

    def on_transition(self, observer: Observer) -> Callable[[], None]:
        """Observe every move, in a later turn; gives a remover."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer) if observer in self._observers else None

    def on_stay(self, observer: Observer) -> Callable[[], None]:
        """Observe every event that moved nothing, as a move from a state to itself; gives a remover."""
        self._stay_observers.append(observer)
        return lambda: self._stay_observers.remove(observer) if observer in self._stay_observers else None

    def stayed(self, machine: "Machine", event: str) -> None:
        """An event came and the machine stays where it was; it is no move and has the number of the last one."""
        if self._stay_observers:
            state = machine.state
            stay = Transition(self._sequence, self.wall(), machine.index, machine.id, machine.name, state, state, event)
            self._queue(stay, tuple(self._stay_observers))

    def moved(self, machine: "Machine", old: str, event: str, observers: tuple[Observer, ...]) -> Transition:
        """Write the record of a move and queue it for its observers."""
        self._sequence += 1
        transition = Transition(
            self._sequence, self.wall(), machine.index, machine.id, machine.name, old, machine.state, event
        )
        everyone = (*observers, *self._observers)
        if everyone:
            self._queue(transition, everyone)
        return transition

    def _queue(self, transition: Transition, observers: tuple[Observer, ...]) -> None:
        self._queued.append((transition, observers))
        if self._delivery is None:
            self._delivery = self.clock.callLater(0, self._deliver)

    def _deliver(self) -> None:
        self._delivery = None
        while self._queued:
            transition, observers = self._queued.popleft()
            for observer in observers:
                try:
                    observer(transition)
                except Exception:  # noqa: BLE001 - one observer must not keep a move from the others
                    self.log.failure("an observer of {id} failed", id=transition.id)

    def describe(self, machine: "Machine", long: bool = False) -> dict[str, Any]:
        """What `automats_list` shows of a machine."""
        known = {
            "index": machine.index,
            "id": machine.id,
            "name": machine.name,
            "state": machine.state,
            "since": machine.since,
            "timers": machine.timers(),
        }
        if long:
            known["repr"] = repr(machine)
            known["events"] = list(machine.definition().events)
            known["past"] = [
                {"time": move.time, "event": move.event, "old": move.old, "new": move.new} for move in machine.past
            ]
        return known

    def shutdown(self) -> None:
        """Stop every timer; machines stay as they are."""
        for machine in self:
            machine.stop_timers()
        if self._delivery is not None and self._delivery.active():
            self._delivery.cancel()
        self._delivery = None
        self._queued.clear()
