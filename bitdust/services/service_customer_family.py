"""Who else keeps the pieces of my customers."""

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.wire.table import Row


class CustomerFamilyService(Service):
    """Keeps each customer's newest family record, keeps it alive in the DHT while its owner is away, and heals it."""

    name = "customer_family"
    needs = ("supplier", "entangled_dht")
    needs_identity = True
    duty = "remembers the families of my customers and keeps their records in the DHT"

    def __init__(self, rooms: Rooms) -> None:
        self._families = rooms.customers.families
        self._healing = rooms.customers.healing
        self._inbox = rooms.gateway.inbox
        self._rows: list[Row] = []

    def packet_rows(self) -> list[Row]:
        return self._healing.rows.rows()

    def start(self) -> None:
        self._families.start()
        self._healing.start()
        self._rows = self.packet_rows()
        for row in self._rows:
            self._inbox.add(row)

    def stop(self) -> None:
        rows, self._rows = self._rows, []
        for row in rows:
            self._inbox.remove(row)
        self._healing.stop()
        self._families.stop()

    def health(self) -> None:
        overdue = self._families.overdue()
        if overdue:
            raise Unhealthy(f"family records of {len(overdue)} customers could not be kept alive for a day")
