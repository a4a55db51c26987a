"""The folders of a node at its suppliers: which are kept there, how far that is, and which can be brought back."""

from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.batching import InTurn
from bitdust.folders.backup.copy import DEVICE, Host, SupplierCopy
from bitdust.folders.backup.formats import INDEX, LONGEST_HEAD, STATE, Told, label_of, read_head
from bitdust.folders.backup.guests import Guests
from bitdust.folders.backup.shelves import FolderShelf, Lender
from bitdust.folders.config import FolderConfig
from bitdust.folders.folder import Folder
from bitdust.folders.port import KeptRow, SuppliersRow
from bitdust.folders.secrets import Secret, parse
from bitdust.outcome import outcome
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wiring import Wire

T = TypeVar("T")
_ID, _HEAD = 16, 20
_STATES = {"AT_STARTUP": "waiting", "WAITING": "waiting", "READING": "reading", "KEPT": "kept", "STOPPED": "off"}


@frozen
class _Leaving:
    """What is to be taken from suppliers."""

    copy: SupplierCopy
    config: FolderConfig


class SupplierCopies:
    """I have a copy for each open folder whose person wants it; ``done`` is told which was taken away.

    For those whose person does not I look whether suppliers of somebody else have it (`guests`).
    """

    shelf = Wire(FolderShelf)
    lender = Wire(Lender)
    log = Logger()

    def __init__(self, done: Callable[[FolderConfig], None]) -> None:
        self._done = done
        self._copies: dict[str, SupplierCopy] = {}
        self._leaving: dict[str, _Leaving] = {}
        self._followed: dict[str, Host] = {}
        self._turns = InTurn()
        self.guests = Guests(lambda: self.lender)

    def begin(self, folder: Folder, home: Path) -> None:
        """Keep a folder at suppliers from now on, and have of them what no peer gives."""
        self._end(folder)
        copy = self._copy(folder, home)
        self._copies[folder.config.text] = copy
        folder.beyond.append(copy)
        folder.changed.connect(copy.changed)
        copy.start()

    def _copy(self, folder: Host, home: Path) -> SupplierCopy:
        return SupplierCopy(folder, self.shelf.of(label_of(folder.config.secret)), home)

    def end(self, folder: Folder) -> None:
        """Do nothing more for it; before it is closed."""
        self.guests.end(folder)
        self._followed.pop(folder.config.text, None)
        self._end(folder)

    def _end(self, folder: Folder) -> None:
        copy = self._copies.pop(folder.config.text, None)
        if copy is not None:
            folder.beyond.remove(copy)
            copy.stop()
        self.stay(folder.config.text)

    def stay(self, text: str) -> None:
        """Take nothing more from suppliers."""
        leaving = self._leaving.pop(text, None)
        if leaving is not None:
            leaving.copy.stop()

    def follow(self, folder: Folder, home: Path) -> None:
        """Do what is wanted of a folder that is open."""
        self.guests.begin(folder, home)
        self._followed[folder.config.text] = folder
        if folder.config.suppliers:
            self.begin(folder, home)
        elif folder.config.withdrawing:
            self.leave(folder, home)

    def leave(self, folder: Folder, home: Path) -> None:
        """Have it at suppliers no more: `withdraw` and `look` take it from there."""
        self._end(folder)
        self.take_away(folder, home)

    def take_away(self, folder: Host, home: Path) -> None:
        """The same for one for which nothing is done any more."""
        copy = self._copy(folder, home)
        copy.stop()
        self._leaving[folder.config.text] = _Leaving(copy, folder.config)

    async def withdraw(self, text: str) -> None:
        """Take from the suppliers what is to go; why it could not be is in its `row`. Within `in_turn`."""
        leaving = self._leaving.get(text)
        if leaving is None:
            return
        if not self.shelf.can_keep():
            leaving.copy.failure = "too few suppliers can be reached now"
            return
        ended = await outcome(leaving.copy.withdraw())
        if self._leaving.get(text) is not leaving:
            return
        if ended.error is not None:
            leaving.copy.failure = str(ended.error)
            self.log.warn("a folder is taken from suppliers later: {why}", why=leaving.copy.failure)
            return
        del self._leaving[text]
        leaving.copy.stop()
        self._done(leaving.config)

    def in_turn(self, text: str, call: Callable[[], Coroutine[Any, Any, T]]) -> "Deferred[T]":
        """What is changed for one folder is changed one after the other."""
        return self._turns.run(text, call)

    def of(self, text: str) -> SupplierCopy | None:
        """The copy of the folder that was added with a secret."""
        return self._copies.get(text)

    def look(self) -> None:
        """What suppliers hold is known."""
        for copy in self._copies.values():
            copy.machine.send("suppliers")
        for text in list(self._leaving):
            self.in_turn(text, partial(self.withdraw, text)).addErrback(self._not_withdrawn)
        for text, folder in list(self._followed.items()):
            if not folder.config.suppliers and text not in self._leaving:
                self.in_turn(text, partial(self._tidy, folder)).addErrback(self._not_withdrawn)

    async def _tidy(self, folder: Host) -> None:
        """What this machine has left there because others needed it goes, and so does the way in by the secret alone,
        once no list of anybody is there: two that went at the same moment have seen each other's."""
        if folder.config.suppliers or not self.shelf.can_keep():
            return
        label, shelf = label_of(folder.config.secret), self.shelf.of(label_of(folder.config.secret))
        names = await shelf.versions()
        if any(name.endswith(STATE) for name in names if name.startswith(label)):
            return
        mine = f"{label}-{folder.around.me.device.id.hex()[:DEVICE]}"
        for name in sorted(names, key=lambda one: (not one.endswith(INDEX), one)):
            if name.startswith(mine):
                await shelf.remove(name)
        holder = folder.store.keys.holder
        if holder is not None:
            shelf.shut_out(holder.public)

    def _not_withdrawn(self, failure: Failure) -> None:
        self.log.failure("a folder could not be taken from suppliers", failure)

    def check(self) -> None:
        """Raises ``no-suppliers`` where nothing could ever be kept."""
        refusal = self.shelf.refusal()
        if refusal:
            raise BitDustError("no-suppliers", refusal)

    async def row(self, config: FolderConfig) -> SuppliersRow:
        """How far a folder is kept."""
        leaving = self._leaving.get(config.text)
        if leaving is not None or config.withdrawing:
            return SuppliersRow(state="withdrawing", problem=leaving.copy.failure if leaving is not None else "")
        copy = self._copies.get(config.text)
        if copy is None:
            return await self.guests.row(config)
        figures, told = await copy.figures()
        state = _STATES.get(copy.machine.state, "keeping")
        left = max(0, figures.size - figures.kept)
        is_offering, unfound = self._found_alone(config)
        if state == "kept" and (left or copy.has_changed or is_offering):
            state = "keeping"
        problem = "; ".join(filter(None, (copy.problem, unfound)))
        return SuppliersRow(True, state, figures.size, figures.kept, left, told, problem)

    def _found_alone(self, config: FolderConfig) -> tuple[bool, str]:
        """Whether it is still to be seen whether the secret alone finds what is kept, which is a part of being kept;
        and why nobody would find it, empty where that is not known."""
        if config.holder is None:
            return False, ""
        shelf = self.shelf.of(label_of(config.secret))
        why = shelf.unfound(config.holder)
        return shelf.is_offering(config.holder), why and f"the secret alone does not bring it back: {why}"

    # what can be brought back

    async def kept(self) -> list[KeptRow]:
        """Folders that suppliers hold, each once, as the newest list tells of it. Raises ``too-few-suppliers``."""
        found: dict[str, KeptRow] = {}
        for name, told in (await self._heads()).items():
            ident = name[:_ID]
            if ident not in found or found[ident].told < told.time:
                kind = parse(told.secret).kind if told.secret else ""
                found[ident] = KeptRow(ident, told.name, kind, told.time)
        return sorted(found.values(), key=lambda row: row.id)

    async def holds(self, secret: Secret) -> bool:
        """Whether suppliers have a list of a folder."""
        if not self.shelf.can_keep():
            return False
        return any(name.endswith(STATE) for name in await self.shelf.of(label_of(secret)).versions())

    async def secret_of(self, ident: str) -> Secret:
        """The secret of a folder that suppliers hold: of those that devices had, the strongest.

        Raises ``no-such-folder``, ``no-suppliers``, ``too-few-suppliers``.
        """
        self.check()
        found = [
            parse(told.secret)
            for name, told in (await self._heads()).items()
            if told.secret and name.startswith(ident) and len(ident) == _ID
        ]
        if not found:
            raise BitDustError("no-such-folder", f"suppliers have no folder {ident[:40]!r}: folders_kept")
        return min(found, key=lambda secret: secret.kind)

    async def _heads(self) -> dict[str, Told]:
        if not self.shelf.can_keep():
            raise BitDustError("too-few-suppliers", "too few suppliers can be reached yet to know what they hold")
        found = {}
        for name in sorted(await self.shelf.versions()):
            if name.endswith(STATE):
                try:
                    found[name] = await self._head(name)
                except BitDustError as error:
                    self.log.warn("a list of a folder cannot be read: {why}", why=str(error))
        return found

    async def _head(self, name: str) -> Told:
        begin = await self.shelf.read(name, 0, _HEAD)
        size = int.from_bytes(begin[-4:], "big")
        if size > LONGEST_HEAD:
            raise WireError("malformed", "a list of a folder has a head that is too long")
        told, _ = read_head(await self.shelf.read(name, 0, _HEAD + size), self.shelf.secrets())
        return told
