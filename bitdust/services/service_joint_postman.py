"""Messages of groups whose logs this node keeps, for its customers or as a member."""

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy
from bitdust.wire.table import Row

MOST_LATE = 1000


class JointPostmanService(Service):
    """Customers' logs are kept by the service ``supplier``; without this one members ask now and then. Groups of people
    without suppliers are kept by members, which this service does."""

    name = "joint_postman"
    needs = ("key_exchange",)
    needs_identity = True
    duty = "keeps groups whose creators have no suppliers, and reports to members what others wrote"

    def __init__(self, rooms: Rooms) -> None:
        self._keeping = rooms.groups.keeping
        self._readers = (rooms.customers.readers, rooms.groups.keeping.readers)
        self._inbox = rooms.gateway.inbox
        self._rows: list[Row] = []

    def packet_rows(self) -> list[Row]:
        return self._keeping.rows()

    def start(self) -> None:
        self._rows = self.packet_rows()
        for row in self._rows:
            self._inbox.add(row)
        for readers in self._readers:
            readers.start()

    def stop(self) -> None:
        rows, self._rows = self._rows, []
        for row in rows:
            self._inbox.remove(row)
        for readers in self._readers:
            readers.stop()

    def health(self) -> None:
        late = sum(readers.late() for readers in self._readers)
        if late > MOST_LATE:
            raise Unhealthy(f"{late} devices have not answered a report yet")
