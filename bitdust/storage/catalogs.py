"""Catalogs that are open on this node: mine, and those of other owners that were opened with keys of theirs.

A remote path names the owner and the key of its catalog; `Catalogs` is where it leads to one of them. Mine may be
closed, as where there are no suppliers: those of others are open all the same.
"""

from collections.abc import Callable, Iterator

from bitdust.signal import Signal
from bitdust.storage.catalog.paths import Target
from bitdust.storage.catalog.view import CatalogView
from bitdust.storage.shared.catalog import SharedCatalog
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import KeyId, RemotePath


class Catalogs:
    """I hold them by owner and key, and say where a path leads. ``mine`` gives my own, or raises while it is closed."""

    def __init__(self, mine: Callable[[], CatalogView]) -> None:
        self._mine = mine
        self._shared: dict[tuple[bytes, str], SharedCatalog] = {}
        self.opened: Signal[[SharedCatalog]] = Signal()
        """A share of another owner can be read from now on."""

    async def add(self, shared: SharedCatalog) -> None:
        """Open a share of another owner. Raises `BitDustError` ``exists`` where it is open."""
        key = (shared.shared.owner, shared.shared.alias)
        if key in self._shared:
            raise BitDustError("exists", f"the share {shared.shared.key_id} is open already")
        self._shared[key] = shared
        try:
            await shared.open()
        except BaseException:
            del self._shared[key]
            await shared.close()
            raise
        self.opened.emit(shared)

    async def remove(self, owner: bytes, alias: str) -> None:
        """Close a share of another owner; its file stays."""
        shared = self._shared.pop((owner, alias), None)
        if shared is not None:
            await shared.close()

    def shared(self) -> Iterator[SharedCatalog]:
        """Shares of other owners that are open."""
        yield from list(self._shared.values())

    def find_shared(self, key: KeyId) -> SharedCatalog | None:
        """The open share that a key id of another owner names."""
        return next(
            (one for one in self.shared() if one.shared.alias == key.alias and key.owner in one.shared.names()), None
        )

    def of(self, key: KeyId | None) -> CatalogView:
        """The catalog of a key; mine for no key, and for a key of another owner that is not open."""
        shared = self.find_shared(key) if key is not None else None
        return shared.view if shared is not None else self._mine()

    def is_shared(self, remote_path: str) -> bool:
        """Whether a path, or the id of a key, leads into an open share. Raises `BitDustError` ``bad-name``."""
        if "$" not in remote_path:
            return False
        key = RemotePath.parse(remote_path).key if ":" in remote_path else KeyId.parse(remote_path)
        return key is not None and self.find_shared(key) is not None

    def at(self, remote_path: str) -> CatalogView:
        """The catalog that a remote path is in. Raises `BitDustError` ``bad-name``."""
        return self.of(RemotePath.parse(remote_path).key) if self._shared else self._mine()

    def shared_of(self, target: Target) -> SharedCatalog | None:
        """The share in which something was found, None for my own catalog.

        Raises `BitDustError` ``not-found`` when it was closed since.
        """
        if not target.owner:
            return None
        shared = self.find_shared(KeyId(target.key, target.owner))
        if shared is None:
            raise BitDustError("not-found", f"the share {target.key}${target.owner} is not open any more")
        return shared

    def shared_in(self, view: CatalogView) -> SharedCatalog | None:
        """The share that a view looks into, None for my own catalog."""
        return next((one for one in self.shared() if one.view is view), None)

    def of_target(self, target: Target) -> CatalogView:
        """The catalog in which something was found. Raises `BitDustError` ``not-found`` when it was closed since."""
        shared = self.shared_of(target)
        return shared.view if shared is not None else self._mine()


def need_mine(foreign: str, what: str) -> None:
    """Raises `BitDustError` ``not-allowed`` for what is in the catalog of a ``foreign`` owner."""
    if foreign:
        raise BitDustError("not-allowed", f"{what!r} is in the catalog of {foreign}, who alone can do that")
