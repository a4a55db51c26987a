"""Keeping pieces for customers."""

from typing import Any

from twisted.internet.defer import Deferred

from bitdust.services.parts import Parts
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

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._rows: list[Row] = []
        self._forget: Disconnect = lambda: None

    def start(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._open())

    async def _open(self) -> None:
        parts = self._parts
        await parts.store.start()
        await parts.retirement.start()
        self._rows = parts.supplier_rows.rows()
        for row in self._rows:
            parts.gateway.inbox.add(row)
        self._forget = parts.gateway.relations.add(Who.CUSTOMER, parts.customers.is_customer)
        parts.customers.start()
        parts.notices.start()
        parts.retirement.on_plan = self._show
        self._show()

    def _show(self) -> None:
        """Be found in the suppliers' layer, unless this node has given notice."""
        if self._parts.retirement.is_retiring:
            self._parts.dht.detach(SUPPLIERS_LAYER)
        else:
            self._parts.dht.attach(SUPPLIERS_LAYER)

    def stop(self) -> "Deferred[Any]":
        parts, rows = self._parts, self._rows
        self._rows = []
        for row in rows:
            parts.gateway.inbox.remove(row)
        self._forget()
        parts.customers.stop()
        parts.notices.stop()
        parts.retirement.on_plan = lambda: None
        parts.retirement.stop()
        parts.dht.detach(SUPPLIERS_LAYER)
        return parts.store.stop()

    def health(self) -> None:
        if not self._parts.store.is_open or not self._rows:
            raise Unhealthy("the store is closed")
        folder = self._parts.store.folder
        if not folder.is_dir():
            raise Unhealthy(f"{folder} is gone: is its disk mounted?")
