"""Where packets become events and events become packets."""

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.wire.packet import Command
from bitdust.wire.table import NO_FIELDS, Row, Who, ack


class GatewayService(Service):
    """Opens the packet table with the one row that everybody may ask: a ping."""

    name = "gateway"
    needs = ("network",)
    needs_identity = True
    duty = "turns packets into events and requests into packets, by one table"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._ping = Row(Command.IDENTITY, None, NO_FIELDS, 0, Who.ANYONE, "service_gateway", lambda request: ack())

    def start(self) -> None:
        inbox = self._rooms.gateway.inbox
        self._rooms.gateway.log_packets(self._rooms.around.settings.get("logs/packet-enabled"))
        inbox.add(self._ping)

    def stop(self) -> None:
        self._rooms.gateway.inbox.remove(self._ping)

    def health(self) -> None:
        if self._ping not in self._rooms.gateway.inbox.rows():
            raise Unhealthy("the packet table is closed")
