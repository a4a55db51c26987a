"""Messages of groups whose logs this node keeps."""

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy

MOST_LATE = 1000


class JointPostmanService(Service):
    """The logs themselves are kept by the service ``supplier``; without this one members ask now and then."""

    name = "joint_postman"
    needs = ("supplier",)
    needs_identity = True
    duty = "reports to members of groups whose logs are kept here what others wrote"

    def __init__(self, rooms: Rooms) -> None:
        self._readers = rooms.customers.readers

    def start(self) -> None:
        self._readers.start()

    def stop(self) -> None:
        self._readers.stop()

    def health(self) -> None:
        late = self._readers.late()
        if late > MOST_LATE:
            raise Unhealthy(f"{late} devices have not answered a report yet")
