"""Files of a person's parts in its storage, under keys that lists do not show."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from bitdust.crypt.keyring import RingKey
from bitdust.shares.room import SharesRoom
from bitdust.storage.storage import Storage
from bitdust.storage.upload.options import UploadOptions
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import FOLDER_KEYS, HIDDEN


class HiddenFiles:
    """Files of a person's parts in its storage, under a key of their own that lists do not show."""

    def __init__(self, around: Connected, storage: Storage, name: str, label: str) -> None:
        self._around = around
        self._me = around.me
        self._storage = storage
        self._alias, self._label = f"{HIDDEN}{name}", label

    def can_keep(self) -> bool:
        """Whether files can be stored now, and nothing of a recovery is missing."""
        if not self._me.present or self._me.is_recovering or not self._storage.is_open:
            return False
        try:
            self._storage.need_suppliers()
        except BitDustError:
            return False
        return True

    def earliest(self) -> float:
        """The earliest that it may be, however the wall clock leaps; 0 while nobody knows."""
        return self._storage.placement.earliest()

    def secrets(self) -> list[bytes]:
        """Secrets of the key; the last one is the newest of those that may seal."""
        ring = self._me.key_ring
        if self._alias not in ring:
            return []
        key = ring.get(self._alias)
        return [secret for _, secret in sorted(key.named, key=lambda one: (one in key.usable, one))]

    def make_key(self) -> None:
        """See that there is the key."""
        if self._alias not in self._me.key_ring:
            self._me.key_ring.add(RingKey(self._alias, self._label))
        if self._me.ensure_secret(self._alias):
            self._around.events.send("key-generated", {"key_id": self._path("").rstrip(":"), "label": "", "size": 0})

    def _path(self, name: str) -> str:
        return f"{self._alias}${self._me.global_id}:{name}"

    def keep(self, name: str, source: Path, apart: bool = False) -> "Deferred[Any]":
        """Store a file as the newest version under a name, ``apart`` from what is stored already."""
        return Deferred.fromCoroutine(self._keep(name, source, apart))

    async def _keep(self, name: str, source: Path, apart: bool) -> None:
        await self._storage.create(self._path(name), False, True, None)
        job = await self._storage.upload(str(source), self._path(name), UploadOptions(apart=apart))
        await job.completion

    def names(self) -> "Deferred[list[str]]":
        """Of all of them."""
        return Deferred.fromCoroutine(self._names())

    async def _names(self) -> list[str]:
        if self._alias not in self._me.key_ring:
            return []
        rows = await self._storage.list(None, self._alias, True, False, False)
        return [str(row["path"]) for row in rows if row["type"] == "file"]

    def versions(self) -> "Deferred[dict[str, str]]":
        """The newest version of each, by name."""
        return Deferred.fromCoroutine(self._versions())

    async def _versions(self) -> dict[str, str]:
        if self._alias not in self._me.key_ring:
            return {}
        rows = await self._storage.list(None, self._alias, True, False, False)
        return {str(row["path"]): str(row["latest"]) for row in rows if row["type"] == "file" and row["versions"]}

    def bring(self, name: str, folder: Path) -> "Deferred[Any]":
        """Bring one into a folder."""
        return Deferred.fromCoroutine(self._bring(name, folder))

    async def _bring(self, name: str, folder: Path) -> None:
        job = await self._storage.download(self._path(name), str(folder), "replace")
        await job.completion

    def read(self, name: str, offset: int = 0, length: int | None = None) -> "Deferred[bytes]":
        """Bytes of one, of which only what holds them is brought."""
        return Deferred.fromCoroutine(self._storage.read(self._path(name), offset, length))

    def has(self, name: str) -> bool:
        """Whether one is there."""
        return self._alias in self._me.key_ring and self._storage.exists(self._path(name)) is not None

    def remove(self, name: str) -> "Deferred[Any]":
        """Take one away; one that is not there is no error."""
        return Deferred.fromCoroutine(self._remove(name))

    async def _remove(self, name: str) -> None:
        if self.has(name):
            await self._storage.delete(self._path(name))


class FolderFiles:
    """The files of all folders. Each has a key of its own, into which others are let; `secrets` are those of one that
    nobody is let into, under which former versions kept all files."""

    def __init__(
        self, around: Connected, storage: Storage, shares: SharesRoom, has_suppliers: Callable[[], bool]
    ) -> None:
        self._around = around
        self._storage = storage
        self._shares = shares
        self._has_suppliers = has_suppliers
        self._former = HiddenFiles(around, storage, "folders", "folders in sync")
        self._folders: dict[str, OneFolder] = {}

    def can_keep(self) -> bool:
        """Whether files can be stored now, and nothing of a recovery is missing."""
        return self._former.can_keep()

    def secrets(self) -> list[bytes]:
        """Secrets of the key that nobody is let into."""
        return self._former.secrets()

    def refusal(self) -> str:
        """Why nothing can be kept, however long one waits; empty where it can."""
        me = self._around.me
        if not me.present or me.document.sources[0].is_nowhere:
            return "this node has no name, and so no suppliers: bitdust identity create NAME"
        if not self._storage.is_open or not self._has_suppliers():
            return "this node has no suppliers yet; see: bitdust supplier list, bitdust services"
        return ""

    def of(self, label: str) -> "OneFolder":
        """Those of one folder; its label is how their names begin."""
        if label not in self._folders:
            name = f"{FOLDER_KEYS.removeprefix(HIDDEN)}{label}"
            mine = HiddenFiles(self._around, self._storage, name, "folder in sync")
            self._folders[label] = OneFolder(self, label, (mine, self._former), self._shares)
        return self._folders[label]

    def versions(self) -> "Deferred[dict[str, str]]":
        """The newest version of each, by name."""
        return Deferred.fromCoroutine(self._versions())

    async def _versions(self) -> dict[str, str]:
        ring = self._around.me.key_ring
        labels = [name.removeprefix(FOLDER_KEYS) for name in ring.keys if name.startswith(FOLDER_KEYS)]
        found = await self._former.versions()
        for some in await gatherResults([self.of(label).versions() for label in labels], consumeErrors=True):
            found |= some
        return found

    def read(self, name: str, offset: int = 0, length: int | None = None) -> "Deferred[bytes]":
        """Bytes of one."""
        return self.of(name.partition("-")[0]).read(name, offset, length)


class OneFolder:
    """The files of one folder: under its own key, or still under the one of all folders, from which each goes when it
    is there anew."""

    def __init__(
        self, all_folders: FolderFiles, label: str, files: tuple[HiddenFiles, HiddenFiles], shares: SharesRoom
    ) -> None:
        self._label = label
        self._alias = f"{FOLDER_KEYS}{label}"
        self._all = all_folders
        self._mine, self._before = files
        self._shares = shares

    def can_keep(self) -> bool:
        """Whether files can be stored now, and nothing of a recovery is missing."""
        return self._all.can_keep()

    def earliest(self) -> float:
        """The earliest that it may be, however the wall clock leaps; 0 while nobody knows."""
        return self._mine.earliest()

    def secrets(self) -> list[bytes]:
        """Those of the key that nobody is let into."""
        return self._all.secrets()

    def make_key(self) -> None:
        """See that there are both keys. Raises `BitDustError`, `OSError`."""
        self._before.make_key()
        self._mine.make_key()

    def keep(self, name: str, source: Path, apart: bool = False) -> "Deferred[Any]":
        """Store a file as the newest version under a name, ``apart`` from what is stored already."""
        return self._mine.keep(name, source, apart).addCallback(lambda _: self._before.remove(name))

    def versions(self) -> "Deferred[dict[str, str]]":
        """The newest version of each, by name."""
        return Deferred.fromCoroutine(self._versions())

    async def _versions(self) -> dict[str, str]:
        former = await self._before.versions()
        mine = await self._mine.versions()
        return {name: one for name, one in former.items() if name.startswith(self._label)} | mine

    def former(self) -> "Deferred[frozenset[str]]":
        """Names of those that still lie under the one key."""
        names = self._before.versions()
        return names.addCallback(lambda found: frozenset(one for one in found if one.startswith(self._label)))

    def read(self, name: str, offset: int = 0, length: int | None = None) -> "Deferred[bytes]":
        """Bytes of one, of which only what holds them is brought."""
        return (self._mine if self._mine.has(name) else self._before).read(name, offset, length)

    def remove(self, name: str) -> "Deferred[Any]":
        """Take one away; one that is not there is no error."""
        return self._mine.remove(name).addCallback(lambda _: self._before.remove(name))

    def let_in(self, holder: bytes) -> None:
        """Whoever has the holder's key may read them at my suppliers. Raises as `Donations.grant` does."""
        self._shares.let_in(self._alias, holder)

    def shut_out(self, holder: bytes) -> None:
        """Nobody may by that any more."""
        self._shares.shut_out(self._alias, holder)

    def unfound(self, holder: bytes) -> str:
        """Why whoever has the holder's key would not find them there; empty where that is not known."""
        return self._shares.donations.unfound(self._alias, holder)

    def is_offering(self, holder: bytes) -> bool:
        """Whether that is still to be seen."""
        donations = self._shares.donations.of(self._alias)
        return any(one.holder == holder and one.is_on_its_way for one in donations)
