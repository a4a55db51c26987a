"""The store of IPFS blocks."""

from twisted.internet.defer import Deferred

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class BlockStoreService(Service):
    """Off by default, and then nothing of it is loaded. An index that has to be made anew may take long to open."""

    name = "block_store"
    duty = "stores blocks of IPFS, and what is pinned of them"
    start_timeout = None

    def __init__(self, rooms: Rooms) -> None:
        self._blocks = rooms.blocks

    def start(self) -> "Deferred[None]":
        return self._blocks.open()

    def stop(self) -> "Deferred[None]":
        return self._blocks.close()

    def waits_for(self) -> str:
        return "its index is opened, and packs that it does not know are read"

    def health(self) -> None:
        problem = self._blocks.problem()
        if problem:
            raise Unhealthy(problem)
