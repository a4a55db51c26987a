"""Friends, and my nickname, on all devices of a person: each device keeps its list in the storage, and joins those of
the others.

A list is a file of a key of its own, which lists of files do not show, under the id of the device that wrote it. So it
comes to other devices with the news of the catalog, and back to a machine that was recovered from a key file. Devices
that have a session with each other bring it directly as well, so that it needs no storage.
"""

from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.crypt.files import make_private_folder, remove_safely, write_safely
from bitdust.outcome import outcome
from bitdust.peers.own_devices import OwnDevices
from bitdust.people.friends.book import MAX_FILE, read
from bitdust.people.friends.chosen import ChosenNickname
from bitdust.people.friends.friends import Friends
from bitdust.signal import Disconnect
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.schema import Choice, Struct
from bitdust.wire.table import Answer, Request, Row, Who, ack
from bitdust.wiring import Wire

SETTING = "services/friends/all-devices-enabled"
FOLDER = "friends-of-devices"
SERVICE, KIND = "service_friends", "friends"
FIELDS = Struct({"kind": Choice((KIND,))})
COST = 50.0
"""What joining a list costs, beside a ping."""
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

    def __init__(self, around: Connected, friends: Friends) -> None:
        self._around = around
        self._friends = friends
        self._folder = around.world.home / "temp" / FOLDER
        self._timer: IDelayedCall | None = None
        self._is_on = self._is_busy = self._is_wanted_again = False
        self._joined: dict[str, str] = {}
        self._kept = b""
        self._disconnect: Disconnect = lambda: None
        self._nickname = ChosenNickname(around, friends)
        self._own = OwnDevices(around, Command.EVENT, KIND, self._written)
        friends.edited.connect(self._changed)

    def start(self) -> None:
        """Look soon whether there is something to do."""
        self._is_on = True
        self._disconnect = self._around.sessions.on_session(self._own.met)
        self._nickname.start()
        self._later(AFTER)

    def stop(self) -> None:
        """Nothing more is begun."""
        self._is_on = False
        self._disconnect()
        self._nickname.stop()
        self._cancel()

    def _cancel(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _later(self, seconds: float) -> None:
        if self._timer is None and self._is_on:
            self._timer = self._around.world.clock.callLater(seconds, self.look)

    def _changed(self) -> None:
        self._later(AFTER)
        self._own.bring_to_all()

    # from device to device

    def rows(self) -> list[Row]:
        """What other devices of mine bring."""
        event = Command.EVENT
        return [Row(event, KIND, FIELDS, MAX_FILE, Who.DEVICE, SERVICE, self._brought, gathers=True, cost=COST)]

    def _written(self) -> bytes | None:
        """My list, where it goes to other devices."""
        goes = self._is_on and not self._friends.problem and self._around.settings.get(SETTING)
        return self._friends.written() if goes else None

    async def _brought(self, request: Request) -> Answer:
        data = await request.payload.read_all(MAX_FILE)
        if not self._around.settings.get(SETTING):
            raise WireError("not-allowed", "this device keeps its friends for itself")
        try:
            other = read(data)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise WireError("bad-field", "this is no list of friends") from error
        if await self._friends.join(other):
            self._changed()
        return ack()

    # over the storage

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
        is_empty = not self._friends.all() and not self._friends.chosen.edits
        if written != self._kept and (not is_empty or self._kept or versions):
            await self._keep(mine, written)

    async def _join(self, name: str) -> None:
        """The list of one device; one that cannot be read is left alone, and so is what it may have said."""
        run = self._around.world.run_in_thread
        path = self._folder / name
        await run(make_private_folder, self._folder)
        await self.lists.bring(name, self._folder)
        try:
            other = read(await run(_bytes_of, path))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            self.log.warn("friends of the device {name} cannot be read: {why}", name=name, why=error)
            return
        finally:
            await run(remove_safely, path)
        if await self._friends.join(other):
            self._own.bring_to_all()

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
