"""IPFS for its clients."""

from twisted.internet.defer import Deferred

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.wire.table import Row


class IpfsService(Service):
    """Off by default, and then nothing of it is loaded."""

    name = "ipfs"
    needs = ("block_store",)
    at_start = ("services/ipfs/api-port", "services/ipfs/api-address", "services/ipfs/gateway-port")
    duty = "answers clients of IPFS on this machine, exchanges blocks with other nodes, and keeps its names found"

    def __init__(self, rooms: Rooms) -> None:
        self._ipfs = rooms.ipfs
        self._inbox = rooms.gateway.inbox
        self._rows: list[Row] = []

    def packet_rows(self) -> list[Row]:
        return self._ipfs.rows()

    def start(self) -> "Deferred[None]":
        return self._ipfs.open().addCallback(self._answer_others)

    def _answer_others(self, _: None) -> None:
        self._rows = self.packet_rows()
        for row in self._rows:
            self._inbox.add(row)

    def stop(self) -> "Deferred[None]":
        rows, self._rows = self._rows, []
        for row in rows:
            self._inbox.remove(row)
        return self._ipfs.close()

    def health(self) -> None:
        problem = self._ipfs.problem()
        if problem:
            raise Unhealthy(problem)
        if any(row not in self._inbox.rows() for row in self._rows):
            raise Unhealthy("other nodes are not answered")
