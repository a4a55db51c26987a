"""What a keeper holds is read again now and then, so that damage is found while others have the rest.

It is the slow walk of `bitdust.customers.scrubber`, over the sealed chunks of all folders that this node keeps and
cannot read. A chunk that is damaged, or gone, is doubted: the next run fetches it again.
"""

from collections.abc import Callable, Sequence

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from bitdust.automats.local_tester import RATE, STEP, LocalTester
from bitdust.folders.folder import Folder
from bitdust.outcome import outcome
from bitdust.surroundings import Connected

AT_ONCE = 4 * 1024 * 1024
"""Bytes that are read in one job of a folder's thread."""


@define
class Portion:
    """What was read at a time, and how many chunks of which folders were found damaged."""

    size: int = 0
    damaged: list[tuple[Folder, int]] = field(factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing was damaged."""
        return not self.damaged


class Rereading:
    """The port of `local_tester`, from `start` to `stop`: one folder after the other, together at the rate that is set
    for customers' pieces."""

    log = Logger()

    def __init__(self, around: Connected, folders: Callable[[], Sequence[Folder]]) -> None:
        self._around = around
        self._folders = folders
        self._done: set[Folder] = set()
        self._credit = 0
        self._damaged: list[tuple[Folder, int]] = []
        """What was found and not reported, as reading it took too long."""
        self._machine: LocalTester | None = None

    def start(self) -> None:
        """Begin, where the walk of each folder was."""
        self._machine = LocalTester(self._around.registry, self, "folders")

    def stop(self) -> None:
        """Read no more."""
        machine, self._machine = self._machine, None
        if machine is not None:
            machine.send("shutdown")
        self._damaged = []
        self._done.clear()

    def _next(self) -> Folder | None:
        kept = (one for one in self._folders() if not one.store.keys.secret.may_read and one not in self._done)
        return next((one for one in kept if one.is_meeting), None)

    # the machine's port

    def has_next(self) -> bool:
        return self._next() is not None

    def test_next(self) -> "Deferred[Portion]":
        """Read as much as the time since the last portion allows."""
        self._credit = min(0, self._credit) + int(int(self._around.settings.get(RATE)) * STEP)
        return Deferred.fromCoroutine(self._walk()) if self._credit > 0 else succeed(Portion())

    async def _walk(self) -> Portion:
        portion = Portion(damaged=self._damaged)
        try:
            await self._fill(portion)
        finally:
            self._credit -= portion.size
        self._damaged = []
        return portion

    async def _fill(self, portion: Portion) -> None:
        while portion.size < self._credit and (folder := self._next()) is not None:
            most = min(AT_ONCE, self._credit - portion.size)
            read = await outcome(folder.store.run(folder.store.reread, most))
            if read.error is not None:
                self.log.info("chunks of {label} were not read again: {why}", label=folder.config.label, why=read.error)
                self._done.add(folder)
                continue
            portion.size += read.value.size
            if read.value.damaged:
                portion.damaged.append((folder, read.value.damaged))
            if not read.value.others_follow:
                self._done.add(folder)

    def report(self, tested: Portion) -> None:
        """For the owner of the disk; and they are fetched again."""
        for folder, count in tested.damaged:
            self._around.events.send("folder-chunks-damaged", {"dir": str(folder.config.dir), "chunks": count})
            if folder.is_meeting:
                folder.look_for_chunks()

    def rewind(self) -> None:
        self._done.clear()
