"""WebSockets that carry binary messages alone: those of companions on this machine, and those at a router."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.types import ConnectionDeny
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from txaio import tx
from zope.interface import implementer

from bitdust.companions.ports import Refused
from bitdust.crypt.noise import MOST

MAX_HANDSHAKE = 1 << 16
HANDSHAKE_TIMEOUT = 10.0
LAST_WORDS = 2.0
LIVELY = 60.0
"""Seconds between two looks whether an app is there: who has answered no ping from one to the next is gone."""
MAX_REASON = 123
NOT_BINARY = 1003

_Protocol: Any = WebSocketServerProtocol
_Factory: Any = WebSocketServerFactory
_Deny: Any = ConnectionDeny
_timers: Any = tx


class End(Protocol):
    """What a socket tells of its companion."""

    def received(self, data: bytes, /) -> None: ...

    def pause(self) -> None: ...

    def go_on(self) -> None: ...

    def lost(self) -> None: ...


Accept = Callable[["FrameSocket", Mapping[str, str], Mapping[str, list[str]]], Callable[[], End]]
"""Judges a request by its headers and parameters; raises `Refused`, or gives what makes the socket's end once it is
open."""


@implementer(IPushProducer)
class FrameSocket(_Protocol):  # type: ignore[misc]
    """One connection: a `Carrier` on this machine."""

    data: bytes

    def __init__(self, sockets: "FrameSockets") -> None:
        super().__init__()
        self._sockets = sockets
        self._make: Callable[[], End] | None = None
        self._end: End | None = None
        self._late: IDelayedCall | None = None
        self._look: IDelayedCall | None = None
        self._is_there = self._is_read = True

    def connectionMade(self) -> None:
        """A TCP connection; the handshake must follow soon."""
        self._sockets.opened(self)
        self._late = self._sockets.clock.callLater(HANDSHAKE_TIMEOUT, self.break_off)
        super().connectionMade()

    def connectionLost(self, reason: Any = None) -> None:
        """It is gone."""
        self._sockets.closed(self)
        self._stop_timer()
        if self._look is not None and self._look.active():
            self._look.cancel()
        end, self._end = self._end, None
        if end is not None:
            end.lost()
        super().connectionLost(reason)

    def onConnect(self, request: Any) -> None:
        """Let it in, or raise `ConnectionDeny`."""
        try:
            self._make = self._sockets.accept(self, request.headers, request.params)
        except Refused as refused:
            raise _Deny(refused.status, str(refused)) from refused

    def onOpen(self) -> None:
        """The handshake of the WebSocket is done."""
        self._stop_timer()
        self.transport.registerProducer(self, True)
        if self._make is not None:
            self._end = self._make()
        self._look = self._sockets.clock.callLater(LIVELY, self._look_for_it)

    def _look_for_it(self) -> None:
        """A phone that lost its network says nothing any more, and would keep its place for ever."""
        if not self._is_there and self._is_read:
            self.break_off()
            return
        self._is_there = False
        if self.state == self.STATE_OPEN:
            self.sendPing()
        self._look = self._sockets.clock.callLater(LIVELY, self._look_for_it)

    def onPong(self, payload: bytes) -> None:
        """It is there."""
        self._is_there = True

    def consumeData(self) -> None:
        """No endless handshake."""
        if self.state == self.STATE_CONNECTING and len(self.data) > MAX_HANDSHAKE:
            self.data = b""
            self.break_off()
        else:
            super().consumeData()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """One whole message."""
        self._is_there = True
        if not isBinary:
            self.close(NOT_BINARY, "send binary frames")
        elif self._end is not None:
            self._end.received(payload)

    # as a carrier

    def send(self, data: bytes) -> None:
        """One message."""
        if self.state == self.STATE_OPEN:
            self.sendMessage(data, isBinary=True)

    def read_on(self, on: bool) -> None:
        """Read from the companion, or not."""
        self._is_read = on
        self._is_there = self._is_there or on
        (self.transport.resumeProducing if on else self.transport.pauseProducing)()

    def close(self, code: int, reason: str) -> None:
        """Say good-bye; nothing of what comes is taken any more."""
        self._end = None
        self.failedByMe = True
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code, reason.encode()[:MAX_REASON])
            self.read_on(True)
        if self._late is None:
            self._late = self._sockets.clock.callLater(LAST_WORDS, self.break_off)

    def break_off(self) -> None:
        """Close at once."""
        self.transport.abortConnection()

    def pauseProducing(self) -> None:
        """The transport is full."""
        if self._end is not None:
            self._end.pause()

    def resumeProducing(self) -> None:
        """The transport has room again."""
        if self._end is not None:
            self._end.go_on()

    def stopProducing(self) -> None:
        """The transport is gone; `connectionLost` follows."""

    def _stop_timer(self) -> None:
        if self._late is not None and self._late.active():
            self._late.cancel()
        self._late = None


class FrameSockets(_Factory):  # type: ignore[misc]
    """Makes them, so many at a time: who has not finished the handshake makes room for the next one."""

    def __init__(self, clock: IReactorTime, accept: Accept, most: int) -> None:
        _timers.config.loop = clock
        super().__init__(reactor=clock)
        self.clock = clock
        self.accept = accept
        self._most = most
        self._open: dict[FrameSocket, None] = {}
        self.setProtocolOptions(
            webStatus=False,
            maxFramePayloadSize=MOST + 1,
            maxMessagePayloadSize=MOST + 1,
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            failByDrop=False,
        )

    def buildProtocol(self, addr: Any) -> FrameSocket | None:
        """None where all places are taken by those who are let in."""
        if len(self._open) >= self._most:
            stranger = next((one for one in self._open if one.state != one.STATE_OPEN), None)
            if stranger is None:
                return None
            self._open.pop(stranger)
            stranger.break_off()
        socket = FrameSocket(self)
        socket.factory = self
        return socket

    def opened(self, socket: FrameSocket) -> None:
        """One more."""
        self._open[socket] = None

    def closed(self, socket: FrameSocket) -> None:
        """One less."""
        self._open.pop(socket, None)

    def break_off(self) -> None:
        """Close them all at once, those that are saying good-bye as well."""
        for socket in list(self._open):
            socket.break_off()
