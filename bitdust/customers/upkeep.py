"""What goes on by itself while this node is a supplier: the hourly walk over contracts, and the reading of pieces."""

from bitdust.automats.customers_rejector import CustomersRejector
from bitdust.automats.local_tester import LocalTester
from bitdust.customers.patrol import Patrol
from bitdust.customers.scrubber import Scrubber
from bitdust.surroundings import Surroundings


class Upkeep:
    """I own the machines of `Patrol` and `Scrubber`."""

    def __init__(self, around: Surroundings, patrol: Patrol, scrubber: Scrubber) -> None:
        self._registry = around.registry
        self._patrol = patrol
        self._scrubber = scrubber
        self._machines: tuple[CustomersRejector, LocalTester] | None = None

    def start(self) -> None:
        """Walk over all contracts now, then every hour; begin to read pieces again."""
        self._patrol.start()
        self._scrubber.start()
        rejector = CustomersRejector(self._registry, self._patrol)
        self._machines = (rejector, LocalTester(self._registry, self._scrubber))
        rejector.send("restart")

    def stop(self) -> None:
        """Leave all as it is."""
        machines, self._machines = self._machines or (), None
        for machine in machines:
            machine.send("shutdown")
        if machines:
            self._scrubber.stop()

    def problem(self) -> str:
        """What has not been done for hours, in words; empty when all is well."""
        if self._patrol.is_overdue():
            return "the customers' contracts were not checked for three hours"
        if self._scrubber.is_overdue():
            return "no stored piece was read again for six hours"
        return ""
