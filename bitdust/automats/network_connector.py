"""Whether this machine is on a network, and which address others would use."""

from typing import Any, Protocol

from bitdust.automats.kernel import Machine, Registry


class NetworkConnectorPort(Protocol):
    """What the machine acts on; `bitdust.services.service_network` implements it."""

    def addresses(self) -> list[str]:
        """Addresses of this host, none while it is on no network."""

    def changed(self, addresses: list[str]) -> None:
        """The network came, went or changed."""


class NetworkConnector(Machine):
    """Checks the interfaces twice a minute, and whenever somebody sees a sign of trouble; asks nobody outside."""

    table = """
      # state        event        guard      next          actions
      AT_STARTUP     init         is_active  CONNECTED     report
      AT_STARTUP     init         -          DISCONNECTED  report
      CONNECTED      timer-30sec  !is_active DISCONNECTED  report
      CONNECTED      timer-30sec  is_moved   =             report
      CONNECTED      reconnect    !is_active DISCONNECTED  report
      CONNECTED      reconnect    -          =             report
      DISCONNECTED   timer-5sec   is_active  CONNECTED     report
      DISCONNECTED   reconnect    is_active  CONNECTED     report
      *              shutdown     -          CLOSED        -
    """
    ignore = """
      CONNECTED      init timer-30sec
      DISCONNECTED   init timer-5sec reconnect
      AT_STARTUP     reconnect
    """
    initial = "AT_STARTUP"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, port: NetworkConnectorPort) -> None:
        self._port = port
        self._seen: list[str] = []
        super().__init__(registry)

    def is_active(self, payload: Any) -> bool:
        return bool(self._port.addresses())

    def is_moved(self, payload: Any) -> bool:
        return self._port.addresses() != self._seen

    def report(self, payload: Any) -> None:
        self._seen = self._port.addresses()
        self._port.changed(self._seen)
