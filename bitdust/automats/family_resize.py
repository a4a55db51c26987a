"""My family on its way to another number of suppliers, while pieces are stored at it.

The state follows from the family record and from what is stored alone: a node that was killed goes on where it was.
"""

from typing import Any, Protocol

from bitdust.automats.kernel import Machine, Registry


class FamilyResizePort(Protocol):
    """What the machine acts on; `bitdust.suppliers.resizing.Resizing` implements it."""

    def is_hiring(self) -> bool:
        """Whether another size is wanted and places of it are empty."""

    def is_wanted(self) -> bool:
        """Whether another size is wanted."""

    def is_ready(self) -> bool:
        """Whether the family may have the wanted size now: enough suppliers of it hold logs, key ring and record."""

    def is_moving(self) -> bool:
        """Whether packs of another size may be left."""

    def is_resting(self) -> bool:
        """Whether all packs have moved but those that are nowhere, and only who may have pieces of them is left."""

    def is_over(self) -> bool:
        """Whether none is to be moved, and the log that says so is safe."""

    def search(self) -> None:
        """Ask for suppliers for the places to come."""

    def publish(self) -> None:
        """Bring the record to whoever does not have it."""

    def resize(self) -> None:
        """From now on the family has the wanted size; what is uploaded is coded for it."""

    def end(self) -> None:
        """Who lost its place is needed no more, and may erase what it has; but who may have pieces of packs that are
        nowhere stays."""


class FamilyResize(Machine):
    """HIRING for the places to come, PREPARING them with logs and key ring, MOVING packs to the new scheme, KEEPING
    those who may have pieces of packs that can be had from nowhere."""

    table = """
      # state    event        guard        next       actions
      STEADY     check        is_hiring    HIRING     search
      STEADY     check        is_wanted    PREPARING  publish check
      STEADY     check        is_moving    MOVING     check
      HIRING     check        !is_hiring   STEADY     check
      HIRING     timer-1min   -            =          search
      PREPARING  check        is_hiring    HIRING     search
      PREPARING  check        !is_wanted   STEADY     check
      PREPARING  check        is_ready     MOVING     resize
      PREPARING  timer-10sec  -            =          publish check
      MOVING     check        is_hiring    HIRING     search
      MOVING     check        is_wanted    PREPARING  publish
      MOVING     check        !is_moving   STEADY     -
      MOVING     check        is_resting   KEEPING    -
      MOVING     check        is_over      STEADY     end
      MOVING     timer-10sec  -            =          check
      KEEPING    check        is_hiring    HIRING     search
      KEEPING    check        is_wanted    PREPARING  publish
      KEEPING    check        !is_resting  MOVING     check
      KEEPING    timer-1min   -            =          check
      *          shutdown     -            CLOSED     -
    """
    ignore = """
      STEADY     check
      HIRING     check
      PREPARING  check
      MOVING     check
      KEEPING    check
    """
    initial = "STEADY"
    final = ("CLOSED",)

    def __init__(self, registry: Registry, port: FamilyResizePort) -> None:
        self._port = port
        super().__init__(registry)

    def is_hiring(self, payload: Any) -> bool:
        return self._port.is_hiring()

    def is_wanted(self, payload: Any) -> bool:
        return self._port.is_wanted()

    def is_ready(self, payload: Any) -> bool:
        return self._port.is_ready()

    def is_moving(self, payload: Any) -> bool:
        return self._port.is_moving()

    def is_resting(self, payload: Any) -> bool:
        return self._port.is_resting()

    def is_over(self, payload: Any) -> bool:
        return self._port.is_over()

    def check(self, payload: Any) -> None:
        self.send("check")

    def search(self, payload: Any) -> None:
        self._port.search()

    def publish(self, payload: Any) -> None:
        self._port.publish()

    def resize(self, payload: Any) -> None:
        self._port.resize()

    def end(self, payload: Any) -> None:
        self._port.end()
