"""Being there for other peers."""

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class P2PHookupsService(Service):
    """Knows who is online and keeps this node findable."""

    name = "p2p_hookups"
    needs = ("tcp_transport", "entangled_dht")
    needs_identity = True
    duty = "knows which contacts are online, and announces where this node is"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def start(self) -> None:
        self._rooms.peers.presence.start()
        self._rooms.peers.reach.start()

    def stop(self) -> None:
        self._rooms.peers.reach.stop()
        self._rooms.peers.presence.stop()

    def health(self) -> None:
        if not self._rooms.peers.reach.is_listening():
            raise Unhealthy("nobody can connect to this node: it has no address to announce")
