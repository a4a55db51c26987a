"""What a recovered identity waits for: nothing is made in place of what may still come back."""

from pathlib import Path

from bitdust.events import Events
from bitdust.identity.awaited import ALL, STARTED_OVER, write_awaited
from bitdust.identity.copies import Copies
from bitdust.signal import Signal


class Waiting:
    """The part of `Me` that a marker in the home keeps over restarts."""

    def __init__(self, events: Events, folder: Path) -> None:
        self._events = events
        self._folder = folder
        self._awaited: frozenset[str] = frozenset()
        self.searched_because = ""
        """What a recovery waits for, in words; empty while there is none."""
        self.changed: Signal[[]] = Signal()
        self.copies = Copies(folder, events)

    @property
    def is_recovering(self) -> bool:
        """Whether this identity came from a key file, and something of what it had has not come back yet."""
        return bool(self._awaited & ALL)

    def awaits(self, part: str) -> bool:
        """Whether ``part`` (a word of `awaited`) has not come back yet, so that none may be made."""
        return part in self._awaited

    def came_back(self, part: str) -> None:
        """That part is known from the suppliers, all that was safe of it."""
        self._wait_for(self._awaited - {part})

    def lost(self, part: str) -> None:
        """That part was here and is gone: it is awaited as on a recovered node."""
        self._wait_for(self._awaited | {part})

    def search(self, reason: str) -> None:
        """A recovery goes on, and waits for what the reason says; an empty one ends that."""
        if reason != self.searched_because and reason:
            self._events.send("my-identity-awaited", {"reason": reason})
        self.searched_because = reason

    def start_over(self) -> None:
        """The person waits no longer: from now on family and secrets may be made, and the catalog is as it is known."""
        self._wait_for(frozenset((STARTED_OVER,)))

    def _wait_for(self, awaited: frozenset[str]) -> None:
        if awaited != self._awaited:
            write_awaited(self._folder, awaited)
            self._awaited = awaited
            self.changed.emit()
