"""Being there for other peers."""

from bitdust.services.parts import Parts
from bitdust.services.service import Service, Unhealthy


class P2PHookupsService(Service):
    """Knows who is online and keeps this node findable."""

    name = "p2p_hookups"
    needs = ("tcp_transport", "identity_propagate")
    needs_identity = True
    duty = "knows which contacts are online, and tells others where this node is"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def start(self) -> None:
        self._parts.presence.start()
        self._parts.reach.start()

    def stop(self) -> None:
        self._parts.reach.stop()
        self._parts.presence.stop()

    def health(self) -> None:
        if not self._parts.reach.is_listening():
            raise Unhealthy("nobody can connect to this node: no address to tell")
