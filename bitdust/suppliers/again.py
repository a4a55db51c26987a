"""What a disk did not take is done again a little later."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

SECONDS = 10.0


class Again:
    """I call once more after an error of the disk, however many there were meanwhile."""

    log = Logger()

    def __init__(self, clock: IReactorTime, call: Callable[[], None]) -> None:
        self._clock = clock
        self._call = call
        self._waiting: IDelayedCall | None = None

    def after(self, error: OSError) -> None:
        """The disk did not take something."""
        self.log.warn("the family cannot be written down, and will be again: {error}", error=error)
        if self._waiting is None or not self._waiting.active():
            self._waiting = self._clock.callLater(SECONDS, self._call)

    def stop(self) -> None:
        """Nothing is done any more."""
        if self._waiting is not None and self._waiting.active():
            self._waiting.cancel()
