"""Quotas, contracts, and pieces that rot."""

from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class CustomerPatrolService(Service):
    """Checks contracts and reads stored pieces again; deletes nothing before term and grace are over."""

    name = "customer_patrol"
    needs = ("supplier",)
    needs_identity = True
    duty = "watches quotas and contracts of customers, and reads their pieces again now and then"

    def __init__(self, rooms: Rooms) -> None:
        self._upkeep = rooms.customers.upkeep

    def start(self) -> None:
        self._upkeep.start()

    def stop(self) -> None:
        self._upkeep.stop()

    def health(self) -> None:
        problem = self._upkeep.problem()
        if problem:
            raise Unhealthy(problem)
