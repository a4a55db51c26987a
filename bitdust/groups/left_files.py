"""What was said in groups that were left: their files stay, and are looked into when a device of mine was revoked."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from bitdust.outcome import Outcome, outcome
from bitdust.storage.shared.log_files import end_in_file
from bitdust.world import World

AGAIN = 600.0
"""Seconds after which a file that could not be read is read once more."""
Part = tuple[Path, bytes]
"""What one device has said in one file."""


def ends_in_files(parts: Sequence[Part]) -> list[int | None]:
    """As `end_in_file`; blocks."""
    return [end_in_file(path, device) for path, device in parts]


class LeftFiles:
    """I read the files of groups that are closed, each once; ``known_more`` hears that some were, or may be now."""

    log = Logger()

    def __init__(self, world: World, folder: Path, known_more: Callable[[], object]) -> None:
        self._world = world
        self._folder = folder
        self._known_more = known_more
        self._ends: dict[Part, int] = {}
        self._failed: dict[Part, float] = {}
        """When a file could not be read."""
        self._reading: dict[Part, object] = {}
        """What is read now, and by which reading: what was closed since that one began may be longer than it says."""
        self._is_on = False
        self._later: IDelayedCall | None = None

    def start(self) -> None:
        """What cannot be read is read again by itself from now on."""
        self._is_on = True

    def stop(self) -> None:
        """Nothing happens by itself any more."""
        self._is_on = False
        later, self._later = self._later, None
        if later is not None:
            later.cancel()

    def forget(self, path: Path) -> None:
        """A group was closed: its file may be longer than it was."""
        for known in (self._ends, self._failed, self._reading):
            for part in [part for part in known if part[0] == path]:
                del known[part]

    def longest(self, device: bytes, opened: Collection[Path], is_patient: bool) -> int | None:
        """The last entry of the longest part of a device in any file but those that are open. None where they were not
        read yet; and, for who is patient, while one of them cannot be."""
        parts = [(path, device) for path in self._folder.glob("*.db") if path not in opened]
        unknown = [part for part in parts if part not in self._ends]
        due = [part for part in unknown if not self._has_failed_lately(part)]
        self._begin([part for part in due if part not in self._reading])
        if due or unknown and is_patient:
            return None
        return max((self._ends[part] for part in parts if part in self._ends), default=0)

    def _has_failed_lately(self, part: Part) -> bool:
        failed = self._failed.get(part)
        return failed is not None and self._world.clock.seconds() - failed < AGAIN

    def _begin(self, parts: list[Part]) -> None:
        if parts:
            this = object()
            self._reading.update(dict.fromkeys(parts, this))
            reading = outcome(self._world.run_in_thread(ends_in_files, parts))
            reading.addCallback(self._were_read, parts, this)

    def _were_read(self, ended: Outcome, parts: list[Part], reading: object) -> None:
        ends = ended.value if ended.error is None else [None] * len(parts)
        for part, end in zip(parts, ends, strict=True):
            if self._reading.get(part) is not reading:
                continue
            del self._reading[part]
            if end is None:
                self._note_failure(part)
            else:
                self._ends[part] = end
                self._failed.pop(part, None)
        self._known_more()

    def _note_failure(self, part: Part) -> None:
        self._failed[part] = self._world.clock.seconds()
        text = "{path} cannot be read; how much a revoked device has said in that group stays open"
        self.log.warn(text, path=str(part[0]))
        if self._is_on and self._later is None:
            self._later = self._world.clock.callLater(AGAIN, self._again)

    def _again(self) -> None:
        self._later = None
        self._known_more()
