"""A short queue before the thread pool: at most `AT_ONCE` packs are sealed or opened at a time."""

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from bitdust.automats.kernel import Registry
from bitdust.automats.raid_worker import RaidWorker

AT_ONCE = 1
Task = tuple[Callable[..., Any], tuple[Any, ...], Deferred[Any]]


class Raid:
    """I run calls in threads, in order, a few at a time."""

    def __init__(self, registry: Registry, run_in_thread: "Callable[..., Deferred[Any]]") -> None:
        self._run_in_thread = run_in_thread
        self._waiting: deque[Task] = deque()
        self._running = 0
        self.machine = RaidWorker(registry, self)

    def submit(self, call: Callable[..., Any], *arguments: Any) -> "Deferred[Any]":
        """Fires with what the call returns."""
        done: Deferred[Any] = Deferred()
        self._waiting.append((call, arguments, done))
        self.machine.send("new-task")
        return done

    def start_tasks(self) -> None:
        while self._waiting and self._running < AT_ONCE:
            call, arguments, done = self._waiting.popleft()
            self._running += 1
            running = self._run_in_thread(call, *arguments)
            running.addBoth(self._finished, done)

    def _finished(self, result: Any, done: "Deferred[Any]") -> None:
        self._running -= 1
        if not done.called:
            done.callback(result)
        self.machine.send("task-done")

    def is_busy(self) -> bool:
        return bool(self._running or self._waiting)

    def cancel_waiting(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for _, _, done in waiting:
            if not done.called:
                done.errback(CancelledError())

    def stop(self) -> None:
        """Begin nothing more."""
        self.machine.send("shutdown")
