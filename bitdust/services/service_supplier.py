"""Keeping pieces for customers."""

from typing import Any

from twisted.internet.defer import Deferred

from bitdust.dht.ids import SUPPLIERS_LAYER
from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.signal import Disconnect
from bitdust.wire.table import Row, Who


class SupplierService(Service):
    """Opens the store and takes its rows of the packet table; shows itself in the suppliers' layer of the DHT."""

    name = "supplier"
    needs = ("p2p_hookups", "entangled_dht", "keys_registry")
    needs_identity = True
    duty = "keeps pieces, catalog logs and key rings for customers, within what is donated"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._rows: list[Row] = []
        self._disconnects: list[Disconnect] = []

    def packet_rows(self) -> list[Row]:
        return self._rooms.customers.rows.rows()

    def start(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._open())

    async def _open(self) -> None:
        customers, gateway = self._rooms.customers, self._rooms.gateway
        await customers.start()
        self._rows = self.packet_rows()
        for row in self._rows:
            gateway.inbox.add(row)
        self._disconnects = [
            gateway.relations.add(Who.CUSTOMER, customers.view.is_customer),
            customers.retirement.changed.connect(self._show),
        ]
        self._show()

    def _show(self) -> None:
        """Be found in the suppliers' layer, unless this node has given notice."""
        if self._rooms.customers.retirement.is_retiring:
            self._rooms.dht.node.detach(SUPPLIERS_LAYER)
        else:
            self._rooms.dht.node.attach(SUPPLIERS_LAYER)

    def stop(self) -> "Deferred[Any]":
        rooms, rows, disconnects = self._rooms, self._rows, self._disconnects
        self._rows, self._disconnects = [], []
        for row in rows:
            rooms.gateway.inbox.remove(row)
        for disconnect in disconnects:
            disconnect()
        rooms.dht.node.detach(SUPPLIERS_LAYER)
        return rooms.customers.stop()

    def health(self) -> None:
        problem = self._rooms.customers.problem()
        if problem:
            raise Unhealthy(problem)
