"""Who else keeps the pieces of my customers."""

from bitdust.services.parts import Parts
from bitdust.services.service import Service, Unhealthy


class CustomerFamilyService(Service):
    """Keeps each customer's newest family record, and keeps it alive in the DHT while its owner is away."""

    name = "customer_family"
    needs = ("supplier", "entangled_dht")
    needs_identity = True
    duty = "remembers the families of my customers and keeps their records in the DHT"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._on = False

    def start(self) -> None:
        self._parts.families.start([kept.contract.customer for kept in self._parts.store.customers()])
        self._on = True

    def stop(self) -> None:
        self._on = False
        self._parts.families.stop()

    def health(self) -> None:
        if not self._on or not self._parts.dht.running:
            raise Unhealthy("family records cannot be kept alive without the DHT")
