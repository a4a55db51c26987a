"""Catalogs that are open on this node: mine, and those of other owners that were opened with keys of theirs.

A remote path names the owner of its catalog; `Catalogs` is where it leads to one of them. Another owner's catalog is
read alone: what changes something is refused.
"""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.outcome import outcomes
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.paths import Target
from bitdust.storage.catalog.rows import Owner
from bitdust.storage.catalog.view import CatalogView
from bitdust.storage.log.access import SharedLogs
from bitdust.storage.log.recovery import LogRecovery, Merged, SeenHead
from bitdust.storage.log.requests import LogRequests
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import KeyId, RemotePath
from bitdust.world import World

FOLDER = "catalogs"


@frozen
class Shared:
    """Another owner's catalog as far as its keys were given: whose it is, what opens it, how suppliers are asked."""

    global_id: str
    idurl: str
    access: SharedLogs
    requests: LogRequests

    def names(self) -> Collection[str]:
        """The one name under which it was given."""
        return (self.global_id,)

    def owner(self) -> Owner:
        """What rows say of the owner; how many suppliers hold an entry is known to the owner alone."""
        return Owner(self.global_id, self.idurl, 0, lambda key, device, sequence: 0)


class SharedCatalog:
    """I keep another owner's catalog in a file of its own, and read its logs from the owner's suppliers."""

    log = Logger()

    def __init__(self, world: World, folder: Path, shared: Shared) -> None:
        self._shared = shared
        self.catalog = Catalog(world, folder / FOLDER / f"{shared.access.owner.hex()}.db")
        self.view = CatalogView(self.catalog, shared, shared.global_id)

    @property
    def global_id(self) -> str:
        """Whose it is."""
        return self._shared.global_id

    async def pull(self, suppliers: Iterable[bytes]) -> list[Merged]:
        """Take over what these suppliers hold of the logs that can be opened, one answer for each key.

        Those who do not answer are left out: what is known already stays readable.
        """
        answers = await outcomes(Deferred.fromCoroutine(self._shared.requests.heads(who)) for who in suppliers)
        heads = [seen for answer in answers if answer.error is None for seen in answer.value]
        for answer in answers:
            if answer.error is not None:
                self.log.info("a supplier of {who} says nothing: {e}", who=self.global_id, e=answer.error)
        return [await self._recover(key, heads) for key in self._shared.access.readable_keys()]

    async def _recover(self, key: str, heads: Iterable[SeenHead]) -> Merged:
        access = self._shared.access
        of_key = [seen for seen in heads if seen.head.scope in access.scopes(key)]
        return await LogRecovery(self.catalog, access, key, self._shared.requests.entries).recover(of_key)


class Catalogs:
    """I hold them by owner, and say where a path leads. ``mine`` gives my own, or raises while it is closed."""

    def __init__(self, mine: Callable[[], CatalogView]) -> None:
        self._mine = mine
        self._shared: dict[str, SharedCatalog] = {}

    async def add(self, shared: SharedCatalog) -> None:
        """Open another owner's catalog. Raises `BitDustError` ``exists`` where one of that owner is open."""
        if shared.global_id in self._shared:
            raise BitDustError("exists", f"the catalog of {shared.global_id} is open already")
        self._shared[shared.global_id] = shared
        try:
            await shared.catalog.open()
        except BaseException:
            del self._shared[shared.global_id]
            raise

    async def remove(self, global_id: str) -> None:
        """Close another owner's catalog; its file stays."""
        shared = self._shared.pop(global_id, None)
        if shared is not None:
            await shared.catalog.close()

    async def close(self) -> None:
        """Close all of them but mine."""
        for global_id in list(self._shared):
            await self.remove(global_id)

    def owners(self) -> list[str]:
        """Whose catalogs are open, besides mine."""
        return list(self._shared)

    def of(self, key: KeyId | None) -> CatalogView:
        """The catalog of a key's owner; mine for no key, and for an owner of whom none is open."""
        mine = self._mine()
        if key is None or key.owner in mine.names():
            return mine
        shared = self._shared.get(key.owner)
        return shared.view if shared is not None else mine

    def at(self, remote_path: str) -> CatalogView:
        """The catalog that a remote path is in. Raises `BitDustError` ``bad-name``."""
        return self.of(RemotePath.parse(remote_path).key) if self._shared else self._mine()

    def of_target(self, target: Target) -> CatalogView:
        """The catalog in which something was found. Raises `BitDustError` ``not-found`` when it was closed since."""
        if not target.owner:
            return self._mine()
        shared = self._shared.get(target.owner)
        if shared is None:
            raise BitDustError("not-found", f"the catalog of {target.owner} is not open any more")
        return shared.view


def need_mine(foreign: str, what: str) -> None:
    """Raises `BitDustError` ``not-allowed`` for what is in the catalog of a ``foreign`` owner: it is only read here."""
    if foreign:
        raise BitDustError("not-allowed", f"{what!r} is in the catalog of {foreign}, which is only read here")
