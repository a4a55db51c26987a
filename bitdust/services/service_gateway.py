"""Where packets become events and events become packets."""

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.wire.packet import Command
from bitdust.wire.table import NO_FIELDS, Row, Who, ack

PATIENCE = 60.0
"""Seconds after its deadline in which a request must have ended."""


class GatewayService(Service):
    """Opens the packet table with the rows that everybody may ask: a ping, and newest identity documents."""

    name = "gateway"
    needs = ("network",)
    needs_identity = True
    duty = "turns packets into events and requests into packets, by one table"

    def __init__(self, rooms: Rooms) -> None:
        self._gateway = rooms.gateway
        self._settings = rooms.around.settings
        self._ping = Row(Command.IDENTITY, None, NO_FIELDS, 0, Who.ANYONE, "service_gateway", lambda request: ack())
        self._documents = rooms.peers.documents
        self._rows = [self._ping, self._documents.row()]

    def packet_rows(self) -> list[Row]:
        return list(self._rows)

    def start(self) -> None:
        self._gateway.log_packets(self._settings.get("logs/packet-enabled"))
        for row in self._rows:
            self._gateway.inbox.add(row)
        self._documents.start()

    def stop(self) -> None:
        self._documents.stop()
        for row in self._rows:
            self._gateway.inbox.remove(row)

    def health(self) -> None:
        if self._ping not in self._gateway.inbox.rows():
            raise Unhealthy("the packet table is closed")
        overdue = self._gateway.outbox.overdue(PATIENCE)
        if overdue:
            raise Unhealthy(f"{overdue} requests to peers do not come to an end")
