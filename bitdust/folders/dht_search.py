"""Peers of folders through the hash table: only who holds a secret knows where to look, and nobody sees for what.

The place is a keyed hash of the secret and the day, so that days cannot be linked, and nobody who keeps a record can
tell what it is about. A record there says whose device it is, as those of providers do (`bitdust.wire.providers`), and
where that is to be reached stands in the device's own record.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from bitdust.crypt.device import device_id
from bitdust.folders.folder import Folder
from bitdust.outcome import outcome
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError

PREFERENCE = "use_dht"
DAY = 86_400
SOON, EVERY = 2.0, 900.0
"""Seconds until the first look, and between two."""
SAY_AGAIN = 6 * 3600.0
Met = Callable[[Folder, str, bytes], None]


class FolderDirectory(Protocol):
    """The hash table, as far as folders use it; `bitdust.dht.directory.Directory` is it."""

    def provide(self, place: bytes, time: int, /) -> Awaitable[bool]:
        """Say that I have what a place stands for; whether there was a position for it."""

    def providers(self, place: bytes, /) -> Coroutine[Any, Any, list[Any]]:
        """Who says so."""

    def addresses_of_device(self, fingerprint: bytes, device: bytes, /) -> Awaitable[list[str]]:
        """Where a device may be reached."""


class DhtSearch:
    """I say and look while a folder wants it; ``met`` is told of a folder, an address, and who is to be there."""

    log = Logger()

    def __init__(
        self, around: Connected, folders: Callable[[], list[Folder]], directory: FolderDirectory, met: Met
    ) -> None:
        self._around = around
        self._clock = around.world.clock
        self._folders = folders
        self._directory = directory
        self._met = met
        self._said: dict[bytes, float] = {}
        self._call: IDelayedCall | None = None
        self._is_on = self._is_busy = self._is_wanted_again = False

    def start(self) -> None:
        """May follow a `stop`."""
        self._is_on = True
        self.look()

    def stop(self) -> None:
        """Nothing more is begun; what was said is forgotten within two days."""
        self._is_on = False
        self._said.clear()
        self._later(None)

    def look(self) -> None:
        """Folders, or what is wanted for them, are others than before, or others are in the hash table again."""
        self._is_wanted_again = self._is_busy
        if self._is_on and not self._is_busy:
            self._later(SOON if self._wanting() else None)

    def _later(self, seconds: float | None) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = self._clock.callLater(seconds, self._round) if seconds is not None else None

    def _wanting(self) -> list[Folder]:
        return [folder for folder in self._folders() if folder.is_meeting and folder.config.wants(PREFERENCE)]

    def _round(self) -> None:
        self._is_busy = True
        Deferred.fromCoroutine(self._search()).addErrback(self._failed).addBoth(self._over)

    def _failed(self, failure: Any) -> None:
        if failure.check(BitDustError, CancelledError) is None:
            self.log.failure("peers of a folder could not be searched in the DHT", failure)

    def _over(self, _: object) -> None:
        self._is_busy = False
        if self._is_on and self._wanting():
            self._later(SOON if self._is_wanted_again else EVERY)
        self._is_wanted_again = False

    async def _search(self) -> None:
        for folder in self._wanting():
            await Deferred.fromCoroutine(self._search_for(folder)).addErrback(self._failed)

    async def _search_for(self, folder: Folder) -> None:
        today = int(self._around.world.wall()) // DAY
        for day in (today, today - 1):
            await self._look_at(folder, _place(folder, day))
        await self._say(_place(folder, today))

    async def _look_at(self, folder: Folder, place: bytes) -> None:
        asked = await outcome(Deferred.fromCoroutine(self._directory.providers(place)))
        for found in asked.value or ():
            device = device_id(found.device_key)
            if found.device_key == self._around.me.device.public or device in folder.peers:
                continue
            for address in await self._directory.addresses_of_device(found.fingerprint, device):
                if self._is_on and folder.config.wants(PREFERENCE):
                    self._met(folder, address, found.fingerprint)

    async def _say(self, place: bytes) -> None:
        now = self._clock.seconds()
        if not self._around.me.present or now - self._said.get(place, -SAY_AGAIN) < SAY_AGAIN:
            return
        if await self._directory.provide(place, int(self._around.world.wall() * 1000)):
            self._said[place] = now


def _place(folder: Folder, day: int) -> bytes:
    return folder.store.keys.proof("dht", day.to_bytes(8, "big"))
