"""All WebSockets of a node: each client gets every event, and the messages that it wants."""

from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.defer import Deferred
from txaio import tx

from bitdust.api.context import Context
from bitdust.api.table import Table
from bitdust.budget import Budget
from bitdust.web.answers import Answers
from bitdust.web.connections import Connections
from bitdust.web.guard import Guard
from bitdust.web.talk import Talks
from bitdust.web.websocket import MAX_MESSAGE, ApiSocket, SocketApi

MAX_SOCKETS = 64
_Factory: Any = WebSocketServerFactory
_timers: Any = tx


class SocketFactory(_Factory):  # type: ignore[misc]
    """Accepts WebSocket clients and gives each of them every event."""

    def __init__(
        self, context: Context, table: Table, guard: Guard, answers: Answers, budget: Budget | None = None
    ) -> None:
        clock = context.world.clock
        _timers.config.loop = clock
        super().__init__(reactor=clock)
        self.connections: Connections[ApiSocket] = Connections(clock)
        self._talks = Talks(context, table, answers)
        self._most = min(MAX_SOCKETS, (budget or Budget()).web_sockets)
        self._sockets = SocketApi(context, self._talks, guard, self.connections, self._most)
        self.setProtocolOptions(
            webStatus=False,
            maxFramePayloadSize=MAX_MESSAGE,
            maxMessagePayloadSize=MAX_MESSAGE,
            utf8validateIncoming=False,
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            failByDrop=False,
        )

    def buildProtocol(self, addr: Any) -> ApiSocket:
        """A socket for one client. Whoever has not shown the secret makes room for the next one: strangers cannot keep
        the owner out by holding connections."""
        if len(self.connections) >= self._most:
            stranger = next((socket for socket in self.connections.all() if not socket.is_admitted), None)
            if stranger is not None:
                self.connections.closed(stranger)
                stranger.break_off()
        socket = ApiSocket(self._sockets)
        socket.factory = self
        return socket

    def close(self) -> "Deferred[None]":
        """Send no more events, close every socket; fires when all are gone."""
        self._talks.close()
        return self.connections.close()
