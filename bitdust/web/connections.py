"""The open connections of one listener: how many there are, and how they are closed when it stops."""

from typing import Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

LAST_WORDS = 1.0


class Connection(Protocol):
    """One of them."""

    def hang_up(self) -> None:
        """Close when everything is sent."""

    def break_off(self) -> None:
        """Close at once."""


C = TypeVar("C", bound=Connection)


class Connections(Generic[C]):
    """Counts them; `close` ends them all, giving each one second to take what was already answered."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._open: dict[C, None] = {}
        self._closing: Deferred[None] | None = None

    def __len__(self) -> int:
        return len(self._open)

    def all(self) -> list[C]:
        """Those that are open now."""
        return list(self._open)

    def opened(self, connection: C) -> None:
        """One more."""
        self._open[connection] = None

    def closed(self, connection: C) -> None:
        """One less."""
        self._open.pop(connection, None)
        if not self._open and self._closing is not None:
            closing, self._closing = self._closing, None
            closing.callback(None)

    def close(self) -> "Deferred[None]":
        """Fires when all are closed."""
        if not self._open:
            return succeed(None)
        closing: Deferred[None] = Deferred()
        self._closing = closing
        for connection in list(self._open):
            connection.hang_up()
        late = self._clock.callLater(LAST_WORDS, self._break_off)

        def done(_: None) -> None:
            if late.active():
                late.cancel()

        return closing.addCallback(done)

    def _break_off(self) -> None:
        for connection in list(self._open):
            connection.break_off()
