"""The engine of HTTP: the connections of one port, and the dialects that are spoken there."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.web.iweb import INonQueuedRequestFactory
from zope.interface import implementer

from bitdust.web.answers import Answers
from bitdust.web.channel import ApiChannel
from bitdust.web.connections import Connections
from bitdust.web.dialect import Dialect, Reply
from bitdust.web.exchange import HttpExchange
from bitdust.web.guard import Refusal

MAX_CONNECTIONS = 256


@implementer(INonQueuedRequestFactory)
class Engine(ServerFactory):
    """Accepts clients, ``most`` at a time; writes no access log, because queries may hold what is private.

    The first of the dialects that takes a path speaks there; the last one is for every other path, and refuses what is
    no request at all.
    """

    noisy = False

    def __init__(
        self,
        clock: IReactorTime,
        dialects: Sequence[Dialect],
        most: int = MAX_CONNECTIONS,
        answers: Answers | None = None,
    ) -> None:
        self.clock = clock
        self.answers = answers or Answers.alone(clock)
        self.channels: Connections[ApiChannel] = Connections(clock)
        self._most = most
        *self._others, self._last = dialects

    def dialect_of(self, path: bytes) -> Dialect:
        """Who speaks at a path."""
        for dialect in self._others:
            if dialect.takes(path):
                return dialect
        return self._last

    def refusal(self, refusal: Refusal) -> Reply:
        """How to refuse what is no request."""
        return self._last.refusal(refusal, None)

    def buildProtocol(self, addr: IAddress | None) -> ApiChannel | None:
        """A channel; when there are too many, the oldest one that asks nothing makes room, or this one is refused."""
        if len(self.channels) >= self._most:
            idle = next((channel for channel in self.channels.all() if channel.is_idle), None)
            if idle is None:
                return None
            idle.break_off()
        return ApiChannel(self)

    def close(self) -> "Deferred[None]":
        """Close every connection, after what was answered is sent."""
        return self.channels.close()

    def __call__(self, channel: ApiChannel) -> HttpExchange:
        """A reader of one request of a channel."""
        return HttpExchange(channel, self)
