"""What other devices of this person need of the segments: nothing of that is removed."""

from twisted.logger import Logger

from bitdust.blocks.backup.formats import LONGEST_STATE, Told, read_state
from bitdust.blocks.backup.segments import STATE
from bitdust.blocks.backup.shelf import Shelf
from bitdust.outcome import outcome
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError

SILENT = 120 * 24 * 3600
"""Seconds after which a device that has told nothing counts as gone: one that lives tells every month."""
FOR_GOOD = ("incomplete", "not-found", "malformed", "not-canonical", "too-large")
"""Codes of a file that nobody can give any more, or that is none of ours."""


class Others:
    """I read what devices have told, each version once."""

    log = Logger()

    def __init__(self, around: Surroundings, shelf: Shelf) -> None:
        self._around = around
        self._shelf = shelf
        self._read: dict[str, tuple[str, Told]] = {}

    async def states(self) -> dict[str, Told]:
        """Of all devices, by the names of their files. Fails where one cannot be had now."""
        versions = await self._shelf.versions()
        found = {}
        for name in sorted(versions):
            if name.endswith(STATE):
                told = await self._state(name, versions[name])
                if told is not None:
                    found[name] = told
        return found

    async def my_records(self) -> dict[str, bytes]:
        """What this device has told of other parts."""
        mine = self._around.me.device.id.hex() + STATE
        version = (await self._shelf.versions()).get(mine)
        told = await self._state(mine, version) if version is not None else None
        return told.records if told is not None else {}

    async def segments(self) -> set[str]:
        """Those that another device needs, which has told of it lately."""
        mine, now = self._around.me.device.id.hex() + STATE, self._shelf.earliest()
        versions = await self._shelf.versions()
        needed: set[str] = set()
        for name, version in versions.items():
            if name.endswith(STATE) and name != mine:
                told = await self._state(name, version)
                if told is not None and now - told.time < SILENT:
                    needed.update(told.segments)
        return needed

    async def _state(self, name: str, version: str) -> Told | None:
        known = self._read.get(name)
        if known is not None and known[0] == version:
            return known[1]
        read = await outcome(self._shelf.read(name, 0, LONGEST_STATE))
        if read.error is not None and read.code not in FOR_GOOD:
            raise read.error
        try:
            if read.error is not None:
                raise read.error
            told = read_state(read.value, self._shelf.secrets())
        except BitDustError as error:
            self.log.warn("what a device has told of its pins cannot be read: {why}", why=error)
            return None
        self._read[name] = version, told
        return told


def heirs(states: dict[str, Told]) -> list[Told]:
    """Those that count for a home that was lost, the newest last: of a device that another one has taken over, only
    what it has told since."""
    gone = {
        name
        for heir, told in states.items()
        for name, time in told.taken.items()
        if name != heir and name in states and states[name].time <= time
    }
    return sorted((told for name, told in states.items() if name not in gone), key=lambda told: told.time)
