"""Folders that were removed from this node while they were being taken from its suppliers: that goes on."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from attrs import define
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from bitdust.folders.backup.formats import label_of
from bitdust.folders.backup.room import SupplierCopies
from bitdust.folders.config import Book, FolderConfig
from bitdust.folders.keys import FolderKeys
from bitdust.folders.portions import Taken
from bitdust.folders.store import Store
from bitdust.surroundings import Connected


@define
class _Removed:
    """A folder of which nothing is open: see `bitdust.folders.backup.copy.Host`."""

    around: Connected
    config: FolderConfig
    store: Store
    is_meeting: bool = False

    def learn(self, records: Sequence[bytes], public: bytes) -> "Deferred[Taken]":
        """Nobody wants them here any more."""
        return succeed(Taken())

    def look_for_chunks(self) -> None:
        """Nor these."""


class RemovedFolders:
    """``place`` is where in the home a folder is."""

    log = Logger()

    def __init__(
        self, around: Connected, book: Book, copies: SupplierCopies, place: Callable[[FolderConfig], Path]
    ) -> None:
        self._around = around
        self._book = book
        self._copies = copies
        self._place = place
        self._is_on = False

    def open(self) -> None:
        """Go on with what the last process has not done; when suppliers are there."""
        self._is_on = True
        for config in self._book.leaving():
            self._leave(config)
        self._forget_others()

    def _forget_others(self) -> None:
        """What was read at suppliers of somebody else for folders that are in no list any more goes from the disk."""
        labels = lambda: [label_of(config.secret) for config in self._book.all()]  # noqa: E731
        forgetting = self._copies.guests.forget_others(labels)
        forgetting.addErrback(lambda failure: self.log.failure("what was read of a folder stays on the disk", failure))

    def _leave(self, config: FolderConfig) -> None:
        home = self._place(config)
        store = Store(self._around.world, home, config.dir, FolderKeys(config.secret))
        self._copies.take_away(_Removed(self._around, config, store), home)

    def go_on(self, config: FolderConfig) -> None:
        """One that was just removed."""
        self._forget_others()
        if config not in self._book.leaving():
            return
        self._leave(config)
        turn = self._copies.in_turn(config.text, partial(self._copies.withdraw, config.text))
        turn.addErrback(lambda failure: self.log.failure("a folder could not be taken from suppliers", failure))

    async def add(self, config: FolderConfig, check: Callable[[], None]) -> None:
        """Have a folder in the list, in place of the same one that was to go from suppliers: it stays there, or comes
        there anew. Fails as ``check`` does before that, and with `OSError`: then it goes on going."""
        ident = config.secret.folder_id
        leaving = [one for one in self._book.leaving() if one.secret.folder_id == ident]
        for one in leaving:
            await self._copies.in_turn(one.text, partial(self._stay, one))
        try:
            config.suppliers = bool(leaving) or await self._copies.holds(config.secret)
            check()
            self._book.add(config, leaving)
        except BaseException:
            for one in self._book.leaving() if self._is_on else ():
                if one in leaving:
                    self._leave(one)
            raise

    async def _stay(self, config: FolderConfig) -> None:
        self._copies.stay(config.text)

    def close(self) -> None:
        """Do nothing more until `open`."""
        self._is_on = False
        for config in self._book.leaving():
            self._copies.stay(config.text)
