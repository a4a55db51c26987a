"""The folders of a node at its suppliers: which are kept there, how far that is, and which can be brought back."""

from pathlib import Path
from typing import Protocol

from twisted.logger import Logger

from bitdust.blocks.backup.shelf import Shelf
from bitdust.folders.backup.copy import SupplierCopy
from bitdust.folders.backup.formats import LONGEST_HEAD, STATE, Told, read_head
from bitdust.folders.folder import Folder
from bitdust.folders.port import KeptRow, SuppliersRow
from bitdust.folders.secrets import Secret, parse
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wiring import Wire

_LABEL, _ID, _HEAD = 32, 16, 20
_STATES = {"AT_STARTUP": "waiting", "WAITING": "waiting", "READING": "reading", "KEPT": "kept", "STOPPED": "off"}


class FolderShelf(Shelf, Protocol):
    """Where files of folders are kept."""

    def refusal(self) -> str:
        """Why nothing can be kept, however long one waits; empty where it can."""


class SupplierCopies:
    """I have a copy for each open folder whose person wants it."""

    shelf = Wire(FolderShelf)
    log = Logger()

    def __init__(self) -> None:
        self._copies: dict[str, SupplierCopy] = {}

    def begin(self, folder: Folder, home: Path) -> None:
        """Keep a folder at suppliers from now on, and have of them what no peer gives."""
        copy = SupplierCopy(folder, self.shelf, home)
        self._copies[folder.config.text] = copy
        folder.beyond.append(copy)
        folder.changed.connect(copy.changed)
        copy.start()

    def end(self, folder: Folder) -> None:
        """Do nothing more for it; before it is closed."""
        copy = self._copies.pop(folder.config.text, None)
        if copy is not None:
            folder.beyond.remove(copy)
            copy.stop()

    def of(self, text: str) -> SupplierCopy | None:
        """The copy of the folder that was added with a secret."""
        return self._copies.get(text)

    def look(self) -> None:
        """What suppliers hold is known."""
        for copy in self._copies.values():
            copy.machine.send("suppliers")

    def check(self) -> None:
        """Raises ``no-suppliers`` where nothing could ever be kept."""
        refusal = self.shelf.refusal()
        if refusal:
            raise BitDustError("no-suppliers", refusal)

    async def withdraw(self, folder: Folder) -> None:
        """Take from the suppliers what they have of a folder, as far as no other device needs it."""
        copy = self._copies.get(folder.config.text)
        if copy is not None and self.shelf.can_keep():
            copy.machine.send("stop")
            await copy.withdraw()

    async def row(self, text: str) -> SuppliersRow:
        """How far a folder is kept."""
        copy = self._copies.get(text)
        if copy is None:
            return SuppliersRow()
        figures, told = await copy.figures()
        state = _STATES.get(copy.machine.state, "keeping")
        left = max(0, figures.size - figures.kept)
        if state == "kept" and (left or copy.has_changed):
            state = "keeping"
        return SuppliersRow(True, state, figures.size, figures.kept, left, told, copy.problem)

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
        label = secret.folder_id.hex()[:_LABEL]
        return any(name.startswith(label) and name.endswith(STATE) for name in await self.shelf.versions())

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
