"""What a node has of its block store: next to nothing while the service is off."""

from pathlib import Path
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed

from bitdust.blocks.backup.room import BackupRoom
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError

if TYPE_CHECKING:
    from bitdust.blocks.store import BlockStore

FOLDER = "blocks"
PATH = "paths/blocks"


class BlocksRoom:
    """`open` first, `close` last; the program of the store is loaded when it is opened."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._store: BlockStore | None = None
        self._is_suspect = False
        self.backup = BackupRoom(around, lambda: self.store)

    @property
    def folder(self) -> Path:
        """Where blocks are stored."""
        return Path(self._around.settings.get(PATH) or self._around.world.home / FOLDER)

    @property
    def is_open(self) -> bool:
        return self._store is not None and self._store.is_open

    @property
    def store(self) -> "BlockStore":
        """The store, which is open. Raises ``service-off``."""
        if self._store is None or not self._store.is_open:
            raise BitDustError("service-off", "the block store is off: set services/block-store/enabled true")
        return self._store

    def open(self) -> "Deferred[None]":
        """Fires when blocks can be stored; fails as `bitdust.blocks.opening.Opening.open` says."""
        from bitdust.blocks.store import BlockStore  # noqa: PLC0415 - what is off costs nothing at the start
        from bitdust.ipld.codecs import links  # noqa: PLC0415

        self._store = BlockStore(self._around, self.folder, links)
        return self._store.open(self._is_suspect).addCallback(lambda _: None)

    def close(self) -> "Deferred[None]":
        """Fires when everything that was begun is written."""
        store, self._store = self._store, None
        self._is_suspect = store is not None and bool(store.damage)
        return store.close() if store is not None else succeed(None)

    def problem(self) -> str:
        """Why not all that was stored can be had, or nothing more be stored; empty where all is well."""
        if not self.is_open:
            return "the block store is not open"
        if not self.folder.is_dir():
            return f"{self.folder} is gone; is its disk mounted?"
        return self.store.problem()
