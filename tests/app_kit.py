"""An app with a WebSocket of its own, for tests of devices that are let in."""

from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.defer import Deferred
from txaio import tx

from bitdust.testing.apps import App


class AppSocket(WebSocketClientProtocol):
    """Carries the messages of an `App`."""

    def onOpen(self) -> None:
        self.app.transmit = lambda data: self.sendMessage(data, isBinary=True)
        self.factory.opened.callback(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.app.received(payload)

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        self.app.transmit = lambda data: None
        self.factory.closed.append((self.remoteCloseCode, self.remoteCloseReason))
        if not self.factory.opened.called:
            self.factory.opened.errback(ConnectionRefusedError(reason))

    @property
    def app(self) -> App:
        return self.factory.app


def app_factory(app: App, url: str, clock: Any, **headers: str) -> Any:
    """Connects an app; ``opened`` fires with its socket, ``closed`` lists codes and reasons."""
    tx.config.loop = clock
    factory = WebSocketClientFactory(url, headers=headers, reactor=clock)
    factory.protocol = AppSocket
    factory.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0, serverConnectionDropTimeout=0)
    factory.app, factory.opened, factory.closed = app, Deferred(), []
    return factory
