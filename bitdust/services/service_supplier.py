"""Keeping pieces for customers."""

from typing import Any

from twisted.internet.defer import Deferred

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.services.service_nodes_lookup import SUPPLIERS_LAYER
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
        self._forget: Disconnect = lambda: None

    def start(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._open())

    async def _open(self) -> None:
        rooms = self._rooms
        await rooms.customers.store.start()
        await rooms.customers.retirement.start()
        self._rows = rooms.customers.rows.rows()
        for row in self._rows:
            rooms.gateway.inbox.add(row)
        self._forget = rooms.gateway.relations.add(Who.CUSTOMER, rooms.customers.view.is_customer)
        rooms.customers.view.start()
        rooms.customers.notices.start()
        rooms.customers.retirement.on_plan = self._show
        self._show()

    def _show(self) -> None:
        """Be found in the suppliers' layer, unless this node has given notice."""
        if self._rooms.customers.retirement.is_retiring:
            self._rooms.dht.node.detach(SUPPLIERS_LAYER)
        else:
            self._rooms.dht.node.attach(SUPPLIERS_LAYER)

    def stop(self) -> "Deferred[Any]":
        rooms, rows = self._rooms, self._rows
        self._rows = []
        for row in rows:
            rooms.gateway.inbox.remove(row)
        self._forget()
        rooms.customers.view.stop()
        rooms.customers.notices.stop()
        rooms.customers.retirement.on_plan = lambda: None
        rooms.customers.retirement.stop()
        rooms.dht.node.detach(SUPPLIERS_LAYER)
        return rooms.customers.store.stop()

    def health(self) -> None:
        if not self._rooms.customers.store.is_open or not self._rows:
            raise Unhealthy("the store is closed")
        folder = self._rooms.customers.store.folder
        if not folder.is_dir():
            raise Unhealthy(f"{folder} is gone: is its disk mounted?")
