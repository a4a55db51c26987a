"""An upload that waits for suppliers: for whom, since when, and what is said about it to whoever waits for its end."""

from collections.abc import Callable

from twisted.internet.defer import Deferred

from bitdust.events import Events
from bitdust.storage.jobs import Row
from bitdust.wire.errors import BitDustError
from bitdust.world import World

SETTING = "services/backups/wait-suppliers-seconds"
CODE = "waits-for-suppliers"


class Patience:
    """I know when an upload got further last. Whoever waits for its `answer` hears that nobody takes anything, after as
    many seconds as the setting says; the upload itself waits for as long as it takes."""

    def __init__(self, world: World, events: Events, seconds: Callable[[], float], names: Row) -> None:
        self._world = world
        self._events = events
        self._seconds = seconds
        self._names = names
        self._moved = world.clock.seconds()
        self._since = world.wall()
        self._asking: list[Deferred[object]] = []
        self._is_told = False

    def moved(self) -> None:
        """It got further."""
        self._moved, self._since = self._world.clock.seconds(), self._world.wall()
        self._is_told = False

    @property
    def since(self) -> float:
        """When it got further last, in seconds since the epoch."""
        return self._since

    def ask(self, answer: "Deferred[object]") -> None:
        """Somebody waits, but not for ever."""
        self._asking = [*(one for one in self._asking if not one.called), answer]

    def check(self, waits_for: list[str], forget: Callable[["Deferred[object]"], None]) -> None:
        """Say that it stands still where it has for long enough; ``forget`` those who are told."""
        limit = self._seconds()
        if not waits_for or not limit or self._world.clock.seconds() - self._moved < limit:
            return
        path = self._names["remote_path"]
        text = (
            f"{path} is on this disk and not yet safe: nobody has taken anything for {limit:.0f} seconds; it waits for "
            f"{', '.join(waits_for)}, and goes on by itself when they take it; see: bitdust file progress"
        )
        if not self._is_told:
            self._is_told = True
            self._events.send("backup-waiting", {"remote_path": path, "waits_for": waits_for, "since": self._since})
        asking, self._asking = self._asking, []
        for answer in asking:
            if not answer.called:
                forget(answer)
                answer.errback(BitDustError(CODE, text, waits_for=waits_for, remote_path=path))
