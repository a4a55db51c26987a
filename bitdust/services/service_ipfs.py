"""IPFS for its clients."""

from twisted.internet.defer import Deferred

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class IpfsService(Service):
    """Off by default, and then nothing of it is loaded."""

    name = "ipfs"
    needs = ("block_store",)
    duty = "answers clients of IPFS on this machine"

    def __init__(self, rooms: Rooms) -> None:
        self._ipfs = rooms.ipfs

    def start(self) -> "Deferred[None]":
        return self._ipfs.open()

    def stop(self) -> "Deferred[None]":
        return self._ipfs.close()

    def health(self) -> None:
        problem = self._ipfs.problem()
        if problem:
            raise Unhealthy(problem)
