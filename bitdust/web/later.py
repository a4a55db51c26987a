"""What answers at a port that hardly anybody uses: made when somebody comes."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import ServerFactory

from bitdust.web.listeners import Answering


class Later(ServerFactory):
    """I hold a port, and make what answers there for the first connection."""

    noisy = False

    def __init__(self, make: Callable[[], Answering]) -> None:
        self._make = make
        self.made: Answering | None = None
        """What answers, once somebody has come."""

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 - the interface's name
        """A protocol of what answers."""
        if self.made is None:
            self.made = self._make()
        return self.made.buildProtocol(addr)

    def close(self) -> "Deferred[None]":
        """Close every connection, where there was one."""
        return self.made.close() if self.made is not None else succeed(None)
