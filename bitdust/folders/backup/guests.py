"""Folders at suppliers of somebody else: whoever has a secret that reads one finds its owner's word in the hash table.

Nobody is looked for while peers are in touch who have all of it, nor by whose person looks for nobody (`WAYS`). What is
there is read as that of own suppliers, until all of it is here; then they are asked no more.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.automats.kernel import doubled
from bitdust.crypt.device import DeviceKey
from bitdust.folders.backup.copy import SupplierCopy
from bitdust.folders.backup.shelves import Borrowed, Lender
from bitdust.folders.config import FolderConfig
from bitdust.folders.folder import Folder
from bitdust.folders.port import SuppliersRow
from bitdust.outcome import outcome
from bitdust.wire.errors import BitDustError

WAYS = ("use_tracker", "use_dht")
"""Preferences of which one has to be on: both let somebody else say where a folder is."""
SOON, LATEST = 5.0, 900.0
"""Seconds until the first look; the pauses between two double up to the second number while nothing is found."""
CHECK, AGAIN = 30.0, 3600.0
"""Seconds between two questions whether all of it has come, and from there, or from the last look, to the next one."""


class _Lent:
    """The files of a folder, as a copy of it wants them: they are only read."""

    def __init__(self, borrowed: Borrowed) -> None:
        self._borrowed = borrowed
        self.can_keep = borrowed.can_keep
        self.versions = borrowed.versions
        self.read = borrowed.read

    def earliest(self) -> float:
        """Nothing is old here: whoever only reads removes nothing."""
        return 0.0

    def secrets(self) -> list[bytes]:
        """Their owner keeps them."""
        return []

    def former(self) -> "Deferred[frozenset[str]]":
        """None of them are of a former version."""
        return succeed(frozenset())

    def make_key(self) -> None:
        """That is its owner's."""

    def keep(self, name: str, source: Path, apart: bool = False) -> "Deferred[Any]":
        """Never called: nothing is put together."""
        raise BitDustError("not-allowed", "what somebody else keeps at suppliers is only read")

    def remove(self, name: str) -> "Deferred[Any]":
        """The same."""
        raise BitDustError("not-allowed", "what somebody else keeps at suppliers is only read")

    def let_in(self, holder: bytes) -> None:
        """That is for its owner."""

    def shut_out(self, holder: bytes) -> None:
        """That as well."""

    def unfound(self, holder: bytes) -> str:
        """They were found."""
        return ""

    def is_offering(self, holder: bytes) -> bool:
        """They were found."""
        return False


class GuestCopy(SupplierCopy):
    """A copy at suppliers of somebody else: it is read again each hour, and nothing is brought there."""

    def __init__(self, folder: Folder, borrowed: Borrowed, home: Path) -> None:
        super().__init__(folder, _Lent(borrowed), home, f"guest-{borrowed.owner.hex()[:16]}.db")
        self.borrowed = borrowed
        self.forget = borrowed.opened.connect(lambda: self.machine.send("suppliers"))

    @property
    def problem(self) -> str:
        return super().problem or self.borrowed.problem

    def gather(self) -> "Deferred[bool]":
        return succeed(False)

    def is_untold(self) -> bool:
        return False

    def is_behind(self) -> bool:
        return False

    def _is_mine(self, segment: str) -> bool:
        return False

    def _clear(self) -> None:
        """What lies there is on its way to own suppliers."""


class _Guest:
    """One folder, from `start` to `stop`."""

    log = Logger()

    def __init__(self, folder: Folder, home: Path, lender: Callable[[], Lender]) -> None:
        self._folder = folder
        self._home = home
        self._lender = lender
        self._world = folder.around.world
        self.copies: list[GuestCopy] = []
        self._failures = 0
        self._look_again = 0.0
        self._call: IDelayedCall | None = None
        self._is_over = False

    def start(self) -> None:
        self._later(SOON, self._look)

    def stop(self) -> "Deferred[Any]":
        """Fires when nothing is open any more."""
        self._is_over = True
        if self._call is not None and self._call.active():
            self._call.cancel()
        return gatherResults(self._end())

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        if not self._is_over:
            self._call = self._world.clock.callLater(seconds, call)

    def _is_wanted(self) -> bool:
        folder = self._folder
        has_peers = any(peer.admitted and peer.synced for peer in folder.peers.values())
        is_looking = folder.is_meeting and any(map(folder.config.wants, WAYS))
        return is_looking and not folder.config.suppliers and not (has_peers and folder.machine.state == "IN_SYNC")

    def _look(self) -> None:
        holder = self._folder.store.keys.holder
        if holder is None:
            return
        if not self._is_wanted():
            self._later(LATEST if self._folder.is_meeting else SOON, self._look)
            return
        looking = Deferred.fromCoroutine(self._borrow(holder))
        looking.addErrback(self._not_looked)

    def _not_looked(self, failure: Failure) -> None:
        self.log.failure("a folder could not be looked for at suppliers", failure)
        self._end()
        self._later(LATEST, self._look)

    async def _borrow(self, holder: DeviceKey) -> None:
        found = await outcome(Deferred.fromCoroutine(self._lender().borrow(holder)))
        borrowed: Sequence[Borrowed] = found.value if found.error is None else ()
        for one in borrowed:
            if not self._is_over:
                await self._begin(one)
        if self._is_over:
            self._end()
        elif self.copies:
            self._failures = 0
            self._look_again = self._world.clock.seconds() + AGAIN
            self._later(CHECK, self._check)
        else:
            self._failures += 1
            self._later(doubled(SOON, self._failures, LATEST), self._look)

    async def _begin(self, borrowed: Borrowed) -> None:
        opening = await outcome(borrowed.begin())
        if opening.error is not None:
            self.log.warn("a folder at suppliers of somebody else is not read: {why}", why=str(opening.error))
            return
        copy = GuestCopy(self._folder, borrowed, self._home)
        self.copies.append(copy)
        self._folder.beyond.append(copy)
        copy.start()

    def _check(self) -> None:
        """Whether they are asked no more: all of it is here, or nobody wants it any more.

        Each is heard: whoever has an old list, or none, is there sooner than others at will. Who cannot be reached may
        have other suppliers by now, which only a new look tells.
        """
        is_wanted = self._is_wanted()
        has_all = self._folder.machine.state == "IN_SYNC" and all(copy.machine.state == "KEPT" for copy in self.copies)
        if not has_all and is_wanted and self._world.clock.seconds() < self._look_again:
            self._later(CHECK, self._check)
            return
        self._end()
        self._later(SOON if is_wanted and not has_all else AGAIN, self._look)

    def _end(self) -> "list[Deferred[Any]]":
        copies, self.copies = self.copies, []
        for copy in copies:
            self._folder.beyond.remove(copy)
            copy.forget()
            copy.stop()
        return [outcome(copy.borrowed.end()) for copy in copies]


class Guests:
    """I look for each folder from `begin` to `end`; ``lender`` is asked each time."""

    def __init__(self, lender: Callable[[], Lender]) -> None:
        self._lender = lender
        self._guests: dict[str, _Guest] = {}
        self._ends: list[Deferred[Any]] = []

    def begin(self, folder: Folder, home: Path) -> None:
        """Have of others' suppliers what nobody else gives. May be called again."""
        if folder.config.text not in self._guests:
            guest = self._guests[folder.config.text] = _Guest(folder, home, self._lender)
            guest.start()

    def end(self, folder: Folder) -> None:
        """Ask nobody any more."""
        guest = self._guests.pop(folder.config.text, None)
        if guest is not None:
            self._ends.append(guest.stop())

    def forget_others(self, labels: Callable[[], Iterable[str]]) -> "Deferred[None]":
        """Remove from the disk what was read for folders that have none of these labels, once it is closed."""
        ends, self._ends = self._ends, []
        return gatherResults(ends).addCallback(lambda _: self._lender().forget_others(labels()))

    async def row(self, config: FolderConfig) -> SuppliersRow:
        """What is known of a folder that own suppliers do not keep."""
        guest = self._guests.get(config.text)
        if guest is None or not guest.copies:
            return SuppliersRow()
        copy = guest.copies[0]
        figures, _ = await copy.figures()
        return SuppliersRow(False, "borrowed", figures.size, figures.kept, figures.size - figures.kept, 0, copy.problem)
