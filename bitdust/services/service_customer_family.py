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
        self._families = rooms.customers.families

    def start(self) -> None:
        self._families.start()

    def stop(self) -> None:
        self._families.stop()

    def health(self) -> None:
        overdue = self._families.overdue()
        if overdue:
            raise Unhealthy(f"family records of {len(overdue)} customers could not be kept alive for a day")
