"""Friends on all devices of a person: each device keeps its list in the storage, and joins those of the others.

A list is a file of a key of its own, which lists of files do not show, under the id of the device that wrote it. So it
comes to other devices with the news of the catalog, and back to a machine that was recovered from a key file.
"""

from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.crypt.files import make_private_folder, remove_safely, write_safely
from bitdust.outcome import outcome
from bitdust.people.friends.book import MAX_FILE, read
from bitdust.people.friends.friends import Friends
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError
from bitdust.wiring import Wire

SETTING = "services/friends/all-devices-enabled"
FOLDER = "friends-of-devices"
AFTER, AGAIN = 5.0, 600.0
"""Seconds in which changes gather, and between two tries."""


class Lists(Protocol):
    """Where the lists of all devices are kept."""

    def can_keep(self) -> bool:
        """Whether files can be stored now, and all that there are are known."""

    def make_key(self) -> None:
        """See that there is the key. Raises `BitDustError`, `OSError`."""

    def keep(self, name: str, source: Path, /) -> "Deferred[Any]":
        """Fires when a file is stored as the newest version under a name."""

    def versions(self) -> "Deferred[dict[str, str]]":
        """The newest version of each, by name."""

    def bring(self, name: str, folder: Path, /) -> "Deferred[Any]":
        """Fires when one is in a folder, under its name."""


class Everywhere:
    """I bring my list into the storage when it has changed, and join what other devices brought there."""

    log = Logger()
    lists = Wire(Lists)

    def __init__(self, around: Surroundings, friends: Friends) -> None:
        self._around = around
        self._friends = friends
        self._folder = around.world.home / "temp" / FOLDER
        self._timer: IDelayedCall | None = None
        self._is_on = self._is_busy = self._is_wanted_again = False
        self._joined: dict[str, str] = {}
        self._kept = b""
        friends.edited.connect(lambda: self._later(AFTER))

    def start(self) -> None:
        """Look soon whether there is something to do."""
        self._is_on = True
        self._later(AFTER)

    def stop(self) -> None:
        """Nothing more is begun."""
        self._is_on = False
        self._cancel()

    def _cancel(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _later(self, seconds: float) -> None:
        if self._timer is None and self._is_on:
            self._timer = self._around.world.clock.callLater(seconds, self.look)

    def look(self) -> None:
        """Do what there is to do now: there may be news in the catalog."""
        self._cancel()
        self._is_wanted_again = True
        if self._is_busy or not self._is_on or not self._around.settings.get(SETTING):
            return
        self._is_busy = True
        Deferred.fromCoroutine(self._rounds()).addErrback(self._failed)

    async def _rounds(self) -> None:
        try:
            while self._is_wanted_again and self._is_on:
                self._is_wanted_again = False
                await self._round()
        finally:
            self._is_busy = False

    async def _round(self) -> None:
        if self._friends.problem or not self.lists.can_keep():
            self._later(AGAIN)
            return
        mine = self._around.me.device.id.hex()
        versions = await self.lists.versions()
        for name, version in versions.items():
            if self._joined.get(name) != version and (name != mine or not self._kept):
                joined = await outcome(Deferred.fromCoroutine(self._join(name)))
                if joined.error is not None:
                    self._failed(Failure(joined.error))
                    continue
            self._joined[name] = version
        written = self._friends.written()
        if written != self._kept and (self._friends.all() or self._kept or versions):
            await self._keep(mine, written)

    async def _join(self, name: str) -> None:
        """The list of one device; one that cannot be read is left alone, and so is what it may have said."""
        run = self._around.world.run_in_thread
        path = self._folder / name
        await run(make_private_folder, self._folder)
        await self.lists.bring(name, self._folder)
        try:
            other = read(await run(_bytes_of, path))
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            self.log.warn("friends of the device {name} cannot be read: {why}", name=name, why=error)
            return
        finally:
            await run(remove_safely, path)
        await self._friends.join(other)

    async def _keep(self, name: str, written: bytes) -> None:
        run = self._around.world.run_in_thread
        path = self._folder / name
        await run(make_private_folder, self._folder)
        self.lists.make_key()
        await run(write_safely, path, written)
        try:
            await self.lists.keep(name, path)
        finally:
            await run(remove_safely, path)
        self._kept = written

    def _failed(self, failure: Any) -> None:
        if failure.check(BitDustError, OSError) is None:
            self.log.failure("friends could not be joined with those of other devices", failure)
        else:
            self.log.info("friends go to other devices later: {why}", why=failure.getErrorMessage())
        self._later(AGAIN)


def _bytes_of(path: Path) -> bytes:
    if path.is_symlink() or path.stat().st_size > MAX_FILE:
        raise ValueError("it is too long")
    return path.read_bytes()
