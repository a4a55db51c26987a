"""Pieces on their way to suppliers and back."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from bitdust.customers.losses import FIELDS, KIND
from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.wire import news
from bitdust.wire.packet import Command
from bitdust.wire.records import PieceRef
from bitdust.wire.schema import Struct
from bitdust.wire.table import Answer, Request, Row, Who, ack


class DataMotionService(Service):
    """Opens the catalog and the spool; from then on every supplier that comes gets what waits for it."""

    name = "data_motion"
    needs = ("employer",)
    needs_identity = True
    duty = "moves pieces to and from my suppliers"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._removers: list[Callable[[], None]] = []
        lost = Row(
            Command.DATA, KIND, Struct(FIELDS), 0, Who.SUPPLIER, "service_data_motion", self._lost,
            becomes=("backup_monitor", "damaged"),
        )  # fmt: skip
        brought = Row(
            Command.EVENT, news.KIND, Struct(news.FIELDS), 0, Who.SUPPLIER, "service_data_motion", self._brought,
            becomes=("index_synchronizer", "pull"),
        )  # fmt: skip
        self._rows = [lost, brought]

    def packet_rows(self) -> list[Row]:
        return self._rows

    def _brought(self, request: Request) -> Answer:
        """Another device of mine has brought a supplier something, or a guest fills my room."""
        core, records = self._rooms.storage.core, request.fields["records"]
        if news.LOG in records:
            core.log_replicas.others_wrote()
        if news.KEY_RING in records:
            core.key_ring_replicas.others_wrote()
        if news.FAMILY in records:
            self._rooms.suppliers.publication.supplier_accepted(request.peer.fingerprint)
        if news.ROOM in records:
            self._rooms.suppliers.connectors.note_taken(request.peer.fingerprint, None)
        if news.DELETIONS in records:
            self._rooms.suppliers.held_back.ask(request.peer.fingerprint)
        return ack()

    def _lost(self, request: Request) -> Answer:
        """A supplier of mine has lost pieces."""
        pieces = [PieceRef(one["pack"], one["index"]) for one in request.fields["pieces"]]
        self._rooms.storage.core.bad_pieces.admitted(request.peer.fingerprint, pieces)
        return ack()

    def start(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        await self._rooms.storage.open()
        self._removers = [
            self._rooms.peers.presence.changed.connect(self._came_or_went),
            self._rooms.suppliers.family.changed.connect(self._rooms.storage.core.suppliers_changed),
            self._rooms.suppliers.connectors.accepted.connect(self._rooms.storage.core.supplier_accepted),
            self._rooms.suppliers.connectors.enlarged.connect(self._rooms.storage.core.queues.try_again),
            self._rooms.suppliers.spares.changed.connect(self._rooms.storage.core.suppliers_changed),
        ]
        for row in self._rows:
            self._rooms.gateway.inbox.add(row)
        self._rooms.storage.core.suppliers_changed()
        self._rooms.risk.start()

    def _came_or_went(self, fingerprint: bytes, online: bool) -> None:
        suppliers = self._rooms.suppliers
        if fingerprint in suppliers.family.holders or fingerprint in suppliers.spares.known():
            self._rooms.storage.core.suppliers_changed()

    def stop(self) -> "Deferred[Any]":
        self._rooms.risk.stop()
        for row in self._rows:
            self._rooms.gateway.inbox.remove(row)
        removers, self._removers = self._removers, []
        for remove in removers:
            remove()
        return Deferred.fromCoroutine(self._rooms.storage.close())

    def health(self) -> None:
        storage = self._rooms.storage
        if not storage.is_open:
            raise Unhealthy("the catalog is not open")
        if not storage.core.spool.folder.is_dir():
            raise Unhealthy(f"{storage.core.spool.folder}, where pieces wait for suppliers, is gone")
