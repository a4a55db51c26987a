"""Lists are read in a thread, so that the node answers others meanwhile."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.paths import Target
from bitdust.storage.catalog.row_facts import STEADY, Changing, FolderFigures
from bitdust.storage.catalog.rows import Owner, Part, Row, Rows

T = TypeVar("T")


class RowReader:
    """I read rows of one catalog; what I added up for folders is good until the catalog changes,
    or other suppliers are doubted or leaving."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._added_up: tuple[tuple[int, frozenset[bytes], Changing], FolderFigures]
        self._added_up = ((catalog.revision, frozenset(), STEADY), FolderFigures())

    def here(self, owner: Owner) -> Rows:
        """For single rows, at once."""
        return Rows(self._catalog.read, owner, self._figures(owner))

    async def listed(self, owner: Owner, target: Target, recursive: bool, part: Part) -> list[Row]:
        """Rows of a folder, or one file."""
        return await self._in_thread(owner, lambda rows: rows.listed(target, recursive, part))

    async def gather(self, owner: Owner, shape: Callable[[Row], Iterable[T]]) -> list[T]:
        """What ``shape`` makes, in the thread, of the row of each item; one page of rows is in memory at a time."""
        everything = Target("", None)

        def read(rows: Rows) -> list[T]:
            return [made for page in rows.pages(everything, True) for row in page for made in shape(row)]

        return await self._in_thread(owner, read)

    async def _in_thread(self, owner: Owner, read: Callable[[Rows], list[T]]) -> list[T]:
        figures = self._figures(owner)

        return await self._catalog.read_in_thread(lambda database: read(Rows(database, owner, figures)))

    def _figures(self, owner: Owner) -> FolderFigures:
        """A list that is still being read when the catalog changes goes on with figures that nobody else gets."""
        state = (self._catalog.revision, owner.doubted, owner.changing)
        if self._added_up[0] != state:
            self._added_up = (state, FolderFigures())
        return self._added_up[1]
