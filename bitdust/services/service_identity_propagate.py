"""My identity, known to ID servers and the DHT."""

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class IdentityPropagateService(Service):
    """Publishes my document in the background; healthy while the DHT or any ID server has its newest revision."""

    name = "identity_propagate"
    needs = ("entangled_dht", "gateway")
    needs_identity = True
    duty = "keeps my identity document known to ID servers and to the DHT"

    def __init__(self, rooms: Rooms) -> None:
        self._propagation = rooms.identity.propagation
        self._prover = rooms.identity.prover

    def start(self) -> None:
        self._propagation.start()

    def stop(self) -> None:
        self._propagation.stop()
        self._prover.stop()

    def health(self) -> None:
        if self._propagation.problem:
            raise Unhealthy(f"nobody knows my identity: {self._propagation.problem}")
