"""One way that this node keeps as a router: as long as its node asks for it again."""

from typing import Any, Protocol

from bitdust.automats.kernel import Machine, Registry


class WebSocketRoutePort(Protocol):
    """What the machine acts on; `bitdust.companions.router` implements it for each way."""

    def end(self) -> None:
        """End the connections on it, and forget it."""


class WebSocketRoute(Machine):
    """Five minutes after it was asked for the last time it is gone."""

    table = """
      # state  event       guard  next    actions
      OPEN     wanted      -      OPEN    -
      OPEN     timer-5min  -      CLOSED  end
      *        stop        -      CLOSED  end
    """
    ignore = ""
    initial = "OPEN"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, ident: str, port: WebSocketRoutePort) -> None:
        self._port = port
        super().__init__(registry, ident)

    def end(self, payload: Any) -> None:
        self._port.end()
