"""Threads that work for the reactor: a call goes to one that waits, and what it returns comes back as a Deferred.

Twisted's own pool asks a coordinator before and after each call, wakes another thread each time, and hands its log
context on. For a call that takes as long as that, as most reads and commits do, it is half of the time.
"""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")
MOST = 10
"""Threads of one node, as many as Twisted has."""


class Loop(Protocol):
    """What I need of a reactor."""

    def callFromThread(self, call: Callable[..., object], *arguments: Any) -> object:
        """Call something in its own thread, soon."""


class Threads:
    """I begin a thread when all others are busy, until there are ``most``; `stop` waits for what was begun."""

    def __init__(self, loop: Loop, most: int = MOST) -> None:
        self._loop = loop
        self._most = most
        self._calls: SimpleQueue[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]] | None] = SimpleQueue()
        self._unanswered = 0
        self._threads: list[Thread] = []
        self._is_over = False

    def run(self, call: Callable[..., T], *arguments: Any) -> "Deferred[T]":
        """Fires with what a call in a thread returns, or fails with what it raises; never, after the stop."""
        answer: Deferred[T] = Deferred()
        if self._is_over:
            return answer
        self._unanswered += 1
        if self._unanswered > len(self._threads) < self._most:
            thread = Thread(target=self._work, name=f"worker {len(self._threads) + 1}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._calls.put((answer, call, arguments))
        return answer

    def _work(self) -> None:
        while (work := self._calls.get()) is not None:
            answer, call, arguments = work
            result: Any
            try:
                result = call(*arguments)
            except BaseException:  # noqa: BLE001 - whatever it is, whoever waits is told
                result = Failure()
            self._loop.callFromThread(self._answered, answer, result)
            del work, answer, call, arguments, result  # they are nobody's while the next call is waited for

    def _answered(self, answer: "Deferred[Any]", result: Any) -> None:
        self._unanswered -= 1
        answer.callback(result)

    def stop(self) -> None:
        """Return when every call that was begun has ended; those that wait for a thread come first."""
        self._is_over = True
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()
