"""Who else keeps the pieces of my customers."""

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class CustomerFamilyService(Service):
    """Keeps each customer's newest family record, and keeps it alive in the DHT while its owner is away."""

    name = "customer_family"
    needs = ("supplier", "entangled_dht")
    needs_identity = True
    duty = "remembers the families of my customers and keeps their records in the DHT"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._on = False

    def start(self) -> None:
        self._rooms.customers.families.start(
            [kept.contract.customer for kept in self._rooms.customers.store.customers()]
        )
        self._on = True

    def stop(self) -> None:
        self._on = False
        self._rooms.customers.families.stop()

    def health(self) -> None:
        if not self._on or not self._rooms.dht.node.running:
            raise Unhealthy("family records cannot be kept alive without the DHT")
