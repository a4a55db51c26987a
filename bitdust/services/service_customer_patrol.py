"""Quotas, contracts, and pieces that rot."""

from bitdust.automats.customers_rejector import CustomersRejector
from bitdust.automats.local_tester import LocalTester
from bitdust.rooms import Rooms
from bitdust.services.service import Service, Unhealthy


class CustomerPatrolService(Service):
    """Looks after promises and reads stored pieces again; deletes nothing before term and grace are over."""

    name = "customer_patrol"
    needs = ("supplier",)
    needs_identity = True
    duty = "watches quotas and contracts of customers, and reads their pieces again now and then"

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._machines: list[CustomersRejector | LocalTester] = []

    def start(self) -> None:
        rejector = CustomersRejector(self._rooms.around.registry, self._rooms.customers.patrol)
        tester = LocalTester(self._rooms.around.registry, self._rooms.customers.piece_tests)
        self._machines = [rejector, tester]
        rejector.send("restart")

    def stop(self) -> None:
        machines, self._machines = self._machines, []
        for machine in machines:
            machine.send("shutdown")

    def health(self) -> None:
        if not self._machines or any(machine.state == "CLOSED" for machine in self._machines):
            raise Unhealthy("nobody watches the customers' quotas")
