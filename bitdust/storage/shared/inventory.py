"""What the suppliers of a share say that they hold of it: what its rows tell of files that others have brought."""

from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.keeping.inventory import Inventory
from bitdust.storage.keeping.prover import Prover
from bitdust.storage.pieces.bad_pieces import BadPieces
from bitdust.storage.ports import Holders
from bitdust.surroundings import Connected


class SharedInventory(Inventory):
    """I ask as the owner does, after the share was read; nobody is notified but who looks at the rows."""

    def __init__(self, around: Connected, catalog: Catalog, holders: Holders, bad_pieces: BadPieces) -> None:
        super().__init__(around, catalog, holders, Prover(around, catalog, holders), bad_pieces)
        self._looked: int | None = None

    def look(self) -> None:
        """Ask at the first time, and where something has changed since the last one."""
        if self._looked is None:
            self.refresh()
        elif self._catalog.revision != self._looked:
            self.machine.send("news")
        self._looked = self._catalog.revision

    def report(self, seen: bool) -> None:
        if seen:
            self._looked = self._catalog.revision
            self.refreshed.emit()
