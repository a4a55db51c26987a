"""What one client is still to get, and what happens while it does not read.

Answers and snapshots of models wait in a queue of their own client, bounded in number and bytes. Events do not wait
anywhere: a client has a place in the history that all clients share, and reads on from there when it has room again.
So a client that never reads costs its queue and nothing else. It gets a notice of the gap when the history has gone
on without it, or when so many snapshots of a model would wait that asking for all of them again is better, and it is
closed when it takes nothing at all for a minute.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from attrs import define
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from bitdust.events import Event, Events
from bitdust.web.answers import SHORT, Answers, Place
from bitdust.web.render import compact

MAX_WAITING_MESSAGES = 5_000
MAX_WAITING_BYTES = 8 << 20
STALLED = 60.0
MAX_WAITING_SNAPSHOTS = 1_000
AT_ONCE = 100
TOO_SLOW = 4008


class Socket(Protocol):
    """The socket below."""

    def write(self, data: bytes) -> None:
        """Send one message; may call `Outflow.pause` on the way."""

    def read_on(self, on: bool) -> None:
        """Read from the client, or not."""

    def end(self, code: int, reason: str) -> None:
        """Close with a code and a sentence."""


@define
class _Waiting:
    """Messages that wait in their order: one that is there, or many that are made when there is room for them."""

    data: bytes
    more: Iterator[bytes] | None
    place: Place


def event_message(event: Event, run: str) -> bytes:
    """An event as it goes to a client."""
    payload = {"event_id": event.id, "data": event.data, "seq": event.seq, "run": run, "time": event.time}
    return compact({"type": "event", "payload": payload})


def gap_message(reason: str, run: str, first: int, last: int | None, following: int) -> bytes:
    """What a client has missed for good: events ``first`` to ``last`` of a run (None: to the end of that run);
    ``next`` is the number of the event that it gets next."""
    payload = {"reason": reason, "run": run, "from": first, "to": last, "next": following}
    return compact({"type": "gap", "payload": payload})


def model_gap_message(model: str, reason: str) -> bytes:
    """Snapshots of a model that a client has not got: it asks for all of them again."""
    return compact({"type": "gap", "payload": {"reason": reason, "model": model}})


class Outflow:
    """I send what a client is to get, as fast as it reads."""

    def __init__(self, clock: IReactorTime, events: Events, socket: Socket, answers: Answers) -> None:
        self._clock = clock
        self._answers = answers
        self._events = events
        self._socket = socket
        self._queue: deque[_Waiting] = deque()
        self._bytes = 0
        self._written: list[Place] = []
        self._paused = False
        self._ended = False
        self._pumping: IDelayedCall | None = None
        self._stalled: IDelayedCall | None = None
        self._seen = events.last
        self._gaps: list[bytes] = []
        self._missed_models: dict[str, None] = {}
        self._wants: Callable[[str], bool] = lambda event_id: True

    def choose(self, wants: Callable[[str], bool]) -> None:
        """Send only these events from now on."""
        self._wants = wants

    @property
    def waiting(self) -> tuple[int, int]:
        """Messages that wait in the queue, and their bytes."""
        return len(self._queue), self._bytes

    # what is to go out

    def put(self, data: bytes, place: Place | None = None) -> None:
        """An answer or a snapshot: at once where there is room, behind what waits otherwise."""
        waits = self._paused or bool(self._queue)
        if place is None:
            if not waits and len(data) <= SHORT and not self._ended:
                self._socket.write(data)
                return
            place = self._answers.place()
        if self._ended:
            place.release()
            return
        place.written(len(data), self.give_way, waits)
        if waits:
            self._enqueue(_Waiting(data, None, place))
        else:
            self._write(data, place)

    def _write(self, data: bytes, place: Place) -> None:
        """A long one is there until the transport has room again."""
        self._socket.write(data)
        if self._paused:
            self._written.append(place)
        else:
            place.release()

    def put_snapshot(self, model: str, data: bytes) -> None:
        """A snapshot that may be left out, with a notice, where too much waits already."""
        waits = self._paused or bool(self._queue)
        if model in self._missed_models or len(self._queue) >= MAX_WAITING_SNAPSHOTS:
            self._missed_models[model] = None
        elif waits and not self._answers.has_room:
            self._answers.refuse()
            self._missed_models[model] = None
        else:
            self.put(data)

    def put_many(self, messages: Iterator[bytes], size: int) -> None:
        """Many messages, each made when there is room for it; what they are made of takes so many bytes. Raises
        `BitDustError` ``busy``."""
        if self._ended:
            return
        if size > SHORT and not self._answers.has_room:
            raise self._answers.refuse()
        place = self._answers.place()
        place.written(size, self.give_way)
        self._enqueue(_Waiting(b"", messages, place))

    def _enqueue(self, waiting: _Waiting) -> None:
        self._queue.append(waiting)
        self._bytes += len(waiting.data)
        count = len(self._queue)
        if count > MAX_WAITING_MESSAGES or (count > 1 and self._bytes > MAX_WAITING_BYTES):
            self._give_up(f"{count} messages of {self._bytes} bytes waited for this client to read")
        else:
            self._pump_later()
            self._answers.squeeze()

    def put_event(self, event: Event, data: bytes) -> None:
        """An event has happened; ``data`` is its message."""
        if event.seq <= self._seen or self._ended:
            return
        if self._paused or self._queue or self._gaps or event.seq != self._seen + 1:
            self._pump_later()
            return
        self._seen = event.seq
        if self._wants(event.id):
            self._socket.write(data)

    def resume(self, run: str, after: int) -> int:
        """Go on behind event ``after`` of a run; how many events since then are gone for good, as far as is known.

        The client gets a notice of the gap, and gets what is kept, before anything new.
        """
        events = self._events
        if run != events.run or after > events.last:
            self._gaps.append(gap_message("restarted", run, after + 1, None, events.oldest))
            after = 0
        self._seen = after
        self._pump_later()
        return self._skip()

    def _skip(self) -> int:
        """Step over what the history has forgotten; how many events that are."""
        first, oldest = self._seen + 1, self._events.oldest
        if oldest <= first:
            return 0
        self._seen = oldest - 1
        self._gaps.append(gap_message("forgotten", self._events.run, first, oldest - 1, oldest))
        return oldest - first

    # as fast as it reads

    def pause(self) -> None:
        """The transport is full: nothing more goes out, and nothing more is read from who does not read."""
        self._paused = True
        self._socket.read_on(False)
        if self._stalled is None and not self._ended:
            self._stalled = self._clock.callLater(STALLED, self._give_up, f"nothing was read for {STALLED:.0f} seconds")

    def go_on(self) -> None:
        """The transport has room again."""
        self._paused = False
        self._release()
        for waiting in self._queue:
            waiting.place.progress()
        self._stop_waiting()
        if self._ended:
            return
        self._pump()

    def _pump_later(self) -> None:
        if self._pumping is None and not self._paused and not self._ended:
            self._pumping = self._clock.callLater(0, self._pump)

    def _pump(self) -> None:
        """Some messages of the queue, then some events; the rest in a later turn, so that nobody else waits long."""
        if self._pumping is not None and self._pumping.active():
            self._pumping.cancel()
        self._pumping = None
        for _ in range(AT_ONCE):
            if self._paused or self._ended or not self._queue:
                break
            self._next_message()
        if not self._paused and not self._ended:
            self._next_events()
        if not self._queue and not self._paused and not self._ended:
            missed, self._missed_models = self._missed_models, {}
            for model in missed:
                self._socket.write(model_gap_message(model, "too slow"))
        if self._paused or self._ended:
            return
        if self._queue or self._seen < self._events.last:
            self._pump_later()
        if not self._queue:
            self._socket.read_on(True)

    def _next_message(self) -> None:
        waiting = self._queue[0]
        data = next(waiting.more, None) if waiting.more is not None else waiting.data
        if data is None or waiting.more is None:
            self._queue.popleft()
            self._bytes -= len(waiting.data)
        if data is None:
            waiting.place.release()
        elif waiting.more is None:
            self._write(data, waiting.place)
        else:
            self._socket.write(data)

    def _next_events(self) -> None:
        events = self._events
        self._skip()
        gaps, self._gaps = self._gaps, []
        for gap in gaps:
            self._socket.write(gap)
        for event in events.since(self._seen, AT_ONCE):
            if self._paused or self._ended:
                return
            self._seen = event.seq
            if self._wants(event.id):
                self._socket.write(event_message(event, events.run))

    # the end

    def _give_up(self, reason: str) -> None:
        self.stop()
        self._socket.end(TOO_SLOW, f"too slow: {reason}")

    def give_way(self) -> None:
        """Others wait for room, and this client takes nothing."""
        self._give_up("others wait, and nothing was read")

    def _release(self) -> None:
        """What was written is taken."""
        written, self._written = self._written, []
        for place in written:
            place.release()

    def _stop_waiting(self) -> None:
        if self._stalled is not None and self._stalled.active():
            self._stalled.cancel()
        self._stalled = None

    def stop(self) -> None:
        """Nothing goes out any more."""
        self._ended = True
        self._release()
        for waiting in self._queue:
            waiting.place.release()
        self._queue.clear()
        self._bytes = 0
        self._stop_waiting()
        if self._pumping is not None and self._pumping.active():
            self._pumping.cancel()
        self._pumping = None
