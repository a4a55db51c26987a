"""What a service is: a name, what it needs, one duty, and a health check that can fail."""

from typing import Any, ClassVar

from twisted.internet.defer import Deferred

from bitdust.wire.errors import BitDustError
from bitdust.wire.table import Row


class Unhealthy(BitDustError):
    """Why a service does not do its duty."""

    def __init__(self, text: str) -> None:
        super().__init__("unhealthy", text)


def is_taken(error: BaseException | None) -> bool:
    """Whether a port could not be opened because somebody has it."""
    return isinstance(error, BitDustError) and error.code == "port-taken"


class Service:
    """Subclass per service, one file each. `start` and `stop` may give a Deferred; the driver waits for it."""

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    needs_identity: ClassVar[bool] = False
    duty: ClassVar[str]
    start_timeout: ClassVar[float | None] = 60.0
    """Seconds after which a start that has not come to an end counts as failed; None where waiting is the duty."""

    at_start: ClassVar[tuple[str, ...]] = ()
    """Settings that it reads when it starts, and not again: where one of them changes it starts anew."""

    longest_retry: ClassVar[float] = 300.0
    """Seconds between two tries to start again after many that failed."""

    def start(self) -> "Deferred[Any] | None":
        """Begin the duty; the Deferred fires when the service works."""
        return None

    def stop(self) -> "Deferred[Any] | None":
        """End the duty and give back every socket, timer and table row."""
        return None

    def health(self) -> "Deferred[Any] | None":
        """Raise (or fail with) `Unhealthy` when the duty is not done; must be able to fail."""
        raise Unhealthy(f"service {self.name} has no health check")

    def packet_rows(self) -> list[Row]:
        """Rows of the packet table that the service adds while it is ON."""
        return []

    def waits_for(self) -> str:
        """While it starts: what it waits for, in words; empty where that takes no time worth a word."""
        return ""

    @property
    def config_path(self) -> str:
        """The settings' folder of this service."""
        return "services/" + self.name.replace("_", "-")
