"""One share of another owner: its catalog in a file of its own, and downloads out of it from the owner's suppliers."""

import re
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.batching import InTurn, ThreadQueue
from bitdust.disk.reserve import SETTING, Reserve
from bitdust.outcome import outcome, outcomes, unbroken
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.changes import Changes
from bitdust.storage.catalog.database import RECOVERING, meta, set_meta
from bitdust.storage.catalog.paths import Item, names_of
from bitdust.storage.catalog.rows import HoldersOf, Owner
from bitdust.storage.catalog.view import CatalogView
from bitdust.storage.keeping.disposal import Disposal
from bitdust.storage.log.access import SharedLogs
from bitdust.storage.log.outdated import note_outdated, start_over
from bitdust.storage.log.proof import Noted, Waits
from bitdust.storage.log.recovery import LogRecovery, Merged, Reader
from bitdust.storage.log.replica import note_holdings
from bitdust.storage.log.requests import LogRequests
from bitdust.storage.log.seen import Heard, SeenHead
from bitdust.storage.pieces.bad_pieces import BadPieces
from bitdust.storage.pieces.fetch import Fetcher
from bitdust.storage.pieces.local_copies import LocalCopies
from bitdust.storage.pieces.locations import PackSources
from bitdust.storage.pieces.spool import Spool
from bitdust.storage.pieces.waiting import WaitingPieces
from bitdust.storage.ports import PieceHolders
from bitdust.storage.restore.jobs import Downloads
from bitdust.storage.restore.ranges import Ranges
from bitdust.storage.restore.restore import RestoreParts
from bitdust.storage.shared.inventory import SharedInventory
from bitdust.storage.shared.own_log import OwnLog
from bitdust.storage.shared.pen import GuestLogs, Pen, no_pen
from bitdust.storage.shared.writing import Writing
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Head

FOLDER = "catalogs"
OUTDATED_LATER = "outdated-later"
"""Set where a catalog is to be built again as soon as nothing of this node's own is on its way."""
_END = re.compile(r"\.db(-\w+)?$")


def forget_catalogs(home: Path, is_wanted: Callable[[str], bool]) -> None:
    """Remove what is on the disk of keys whose names are not wanted any more. Blocks; raises `OSError`."""
    for path in (home / FOLDER).glob("*-*"):
        alias = path.name.partition("-")[2]
        if path.is_dir() and not is_wanted(alias):
            shutil.rmtree(path)
        elif not path.is_dir() and not is_wanted(_END.sub("", alias)):
            path.unlink(missing_ok=True)


@frozen
class Shared:
    """Another owner's key that was given to this node: whose it is, what opens it, and who holds what is under it.

    ``global_ids`` gives the names of the owner, the present one first; ``access`` what opens its logs, which grows when
    the owner gives newer secrets; ``pen`` what this node writes with, None while it may not.
    """

    alias: str
    owner: bytes
    global_ids: Callable[[], Collection[str]]
    access: Callable[[], SharedLogs]
    holders: PieceHolders
    pen: Callable[[], Pen | None] = no_pen

    @property
    def global_id(self) -> str:
        """The present name of the owner."""
        return next(iter(self.global_ids()))

    @property
    def key_id(self) -> str:
        """How people call the key."""
        return f"{self.alias}${self.global_id}"

    def names(self) -> Collection[str]:
        """Global ids of the owner."""
        return self.global_ids()


class _Whose:
    """The owner of a shared catalog, as rows and downloads want it."""

    def __init__(self, shared: Shared, catalog: Catalog, holders: HoldersOf) -> None:
        self._shared = shared
        self._catalog = catalog
        self._holders = holders

    def names(self) -> Collection[str]:
        return self._shared.names()

    def owner(self) -> Owner:
        family = self._shared.holders.family()
        idurl = str(self._shared.access().document.idurl)
        return Owner(self._shared.global_id, idurl, family.n if family is not None else 0, self._holders)

    def ecc_map(self) -> str:
        family = self._shared.holders.family()
        return family.ecc_map if family is not None else ""

    def secrets(self, alias: str, epoch: int) -> tuple[bytes, ...]:
        return self._shared.access().secrets(alias, epoch)

    def names_of(self, item: Item) -> dict[str, Any]:
        return names_of(self._catalog.read, item, self._shared.global_id)

    def names_of_all(self, key: str) -> dict[str, Any]:
        return {"remote_path": f"{self._shared.key_id}:", "key_id": self._shared.key_id, "path": "", "path_id": ""}


class SharedCatalog:
    """I keep one share of another owner, read its logs from the owner's suppliers, and bring its files here."""

    log = Logger()

    def __init__(self, around: Connected, shared: Shared) -> None:
        world = around.world
        self.shared = shared
        self._noted = Noted(waits=Waits(around.world.clock.seconds))
        self._is_closed = False
        name = f"{shared.owner.hex()}-{shared.alias}"
        folder: Path = world.home / FOLDER
        self.catalog = Catalog(world, folder / f"{name}.db", prepare=start_over)
        whose = _Whose(shared, self.catalog, self._holders)
        self.view = CatalogView(self.catalog, whose, shared.global_id)
        reserve = Reserve(lambda: int(around.settings.get(SETTING)))
        self._spool = spool = Spool(folder / name, reserve)
        self._bad_pieces = BadPieces(around, self.catalog, shared.holders)
        self._fetcher = Fetcher(around, shared.holders, self._bad_pieces)
        self._coding = ThreadQueue(world.run_in_thread)
        self._turns = InTurn()
        """Whoever opens the file, starts over or closes it does so alone, and to the end."""
        self._copies = LocalCopies(world, self.catalog, spool, lambda: False)
        waiting = WaitingPieces(world, self.catalog, spool)
        sources = PackSources(self.catalog, shared.holders, waiting, self._copies)
        parts = RestoreParts(around, self.catalog, self._fetcher, sources, self._coding, reserve)
        self.downloads = Downloads(parts, whose, whose)
        self.ranges = Ranges(parts, whose)
        self._logs = GuestLogs(around.me, (shared.alias, shared.key_id), shared.access, shared.pen)
        place = (shared.alias, around.me.device.id)
        self.own_log = OwnLog(world.clock, self.catalog, place, self._logs.may_write, self._is_mine)
        self._around, self._names_of = around, whose.names_of
        self.changes = Changes(world.clock)
        self.writing = self._new_writing()
        self._inventory = SharedInventory(around, self.catalog, shared.holders, self._bad_pieces)
        self._held: list[tuple[str, bytes, bytes, int]] = []
        """What is written down of what suppliers hold."""
        self._unread: frozenset[str] = frozenset()
        """The key, while something that counts is not known of a log under it."""
        self._disposal = Disposal(world.run_in_thread, self.catalog, spool, self._copies, lambda: self._unread)

    def _holders(self, key: str, device: bytes, sequence: int) -> int:
        return self.writing.holders(key, device, sequence)

    def _new_writing(self) -> Writing:
        writing = Writing(self._around, self.catalog, self._spool, self._logs, self.shared.holders)
        writing.use(self._names_of)
        return writing

    @property
    def was_read(self) -> bool:
        """Whether all was known here once that suppliers had."""
        return meta(self.catalog.read, RECOVERING) is None

    @property
    def place(self) -> tuple[bytes, str]:
        """Owner and alias."""
        return self.shared.owner, self.shared.alias

    async def open(self) -> None:
        """Open the file, and go on with downloads that a crash interrupted."""
        await self._whole(self._open)

    async def _whole(self, call: Callable[[], Awaitable[None]]) -> None:
        await unbroken(self._turns.run(self, call))

    async def _open(self) -> None:
        self._is_closed = False
        await self.catalog.open()
        self.changes.attach(self.catalog)
        self._bad_pieces.open()
        self.downloads.resume()
        await self._begin_writing()

    async def _begin_writing(self) -> None:
        if not self._is_closed:
            await self.writing.begin(self._copies)

    async def close(self) -> None:
        """Stop everything; the file stays."""
        await self._whole(self._close)

    async def _close(self) -> None:
        self.downloads.suspend()
        self.ranges.stop()
        self._inventory.stop()
        self.changes.detach()
        await self.writing.close()
        if self.catalog.is_open:
            await outcome(Deferred.fromCoroutine(self._note_holdings()))
        self._fetcher.stop()
        self._coding.stop()
        await self.catalog.close()
        self._is_closed = True

    async def pull(self, suppliers: Iterable[bytes], least: int = 0) -> list[Merged]:
        """Take over what these suppliers hold of the logs that can be opened, one answer for each key.

        Those who do not answer are left out: what is known already stays readable. Fails as the first of them did
        where fewer than ``least`` answered.
        """
        if not self.catalog.is_open:
            await self._whole(self._try_again)
        access = self._logs
        requests, family = LogRequests(access, self.shared.holders), self.shared.holders.family()
        self._noted.keep(family.holders if family is not None else ())
        asked, part = list(suppliers), self.writing.part
        before = {who: part.holdings.of(who) for who in asked}
        answers = await outcomes(Deferred.fromCoroutine(requests.heads(who)) for who in asked)
        heard = Heard({who for who, answer in zip(asked, answers, strict=True) if answer.error is None})
        heads = [seen for answer in answers if answer.error is None for seen in answer.value]
        for answer in answers:
            if answer.error is not None:
                self.log.info("a supplier of {who} says nothing: {e}", who=self.shared.key_id, e=answer.error)
        heard.heads = {key: self._of_key(key, heads) for key in access.readable_keys()}
        self._learn(heard, before)  # what of mine is safe is asked before anything is read
        if family is not None and len(heard.suppliers) >= family.k:
            await self.writing.say_again()
        recoveries = {key: LogRecovery(self.catalog, access, key, requests.entries, self._noted) for key in heard.heads}
        await self._read_anew(heard, recoveries)
        found = [
            await recovery.recover(heard.heads[key], self._reader(heard, key)) for key, recovery in recoveries.items()
        ]
        lacking = zip(heard.heads, found, strict=True)
        self._unread = frozenset(key for key, merged in lacking if self._lacks(heard, key, merged))
        failed = [answer.error for answer in answers if answer.error is not None]
        if len(answers) - len(failed) < least:
            raise failed[0] if failed else BitDustError("too-few-suppliers", "too few suppliers can be asked")
        self._learn(heard, {})
        await self._was_read(heard)
        return found

    async def _read_anew(self, heard: Heard, recoveries: Mapping[str, LogRecovery]) -> None:
        """Where the owner's log begins behind what was read of it. While something of mine is on its way what the owner
        has is put on top of what is known: it is noted that this has to be mended, as what it deleted is back by that.
        """
        family, is_noted = self.shared.holders.family(), meta(self.catalog.read, OUTDATED_LATER) is not None
        is_due = is_noted and family is not None and len(heard.suppliers) >= family.k
        for key, recovery in recoveries.items():
            reader = evolve(self._reader(heard, key), rebuilds=self.was_read)
            is_due = is_due or await recovery.is_outdated(heard.heads[key], reader)
        if is_due and self.writing.is_quiet:  # something may have been stored while suppliers were asked
            await self._whole(self._start_over)
        elif is_due:
            await self.catalog.change_quietly(lambda database: set_meta(database, OUTDATED_LATER, b"1"))

    def _learn(self, heard: Heard, before: Mapping[bytes, Mapping[bytes, int]]) -> None:
        """What suppliers list they hold, and nothing else of that which they were known to hold ``before``."""
        holdings = self.writing.part.holdings
        heads = [one for some in heard.heads.values() for one in some if one.holder is not None]
        for seen in heads:
            holdings.learn(seen.holder or b"", seen)
        for who in heard.suppliers & before.keys():
            listed = {seen.head.device: seen.head.sequence for seen in heads if seen.holder == who}
            if holdings.take_back(who, before[who], listed):
                self.writing.part.patience.took_back(who)

    async def _note_holdings(self) -> None:
        """After a start it is known so what was safe, before more suppliers are heard than it takes to read."""
        rows = sorted(self.writing.part.holdings.rows())
        if self._held != rows:
            await self.catalog.change_quietly(lambda database: note_holdings(database, rows))
            self._held = rows

    def _reader(self, heard: Heard, key: str) -> Reader:
        family = self.shared.holders.family()

        def may_be_safe(device: bytes, sequence: int) -> bool:
            return heard.may_be_safe(family, key, device, sequence)

        return Reader(may_be_safe=may_be_safe, rebuilds=self.was_read and self.writing.is_quiet)

    def _lacks(self, heard: Heard, key: str, merged: Merged) -> bool:
        """Whether something may build on what this node takes for given up: something of the owner's, as no other guest
        builds on what this one has sealed."""
        family = self.shared.holders.family()
        missing = (heard.may_be_safe(family, key, one.device, one.first) for one in merged.missing)
        return bool(merged.held_up) or any(missing)

    def _is_mine(self, head: Head) -> bool:
        """Whether it is of a device of the person that this node is."""
        guest = self._logs.guest(head.scope, head.device)
        return guest is not None and self._around.me.fingerprint in guest.holders

    def _of_key(self, key: str, heads: Iterable[SeenHead]) -> list[SeenHead]:
        return [seen for seen in heads if seen.head.scope in self._logs.scopes(key)]

    async def _was_read(self, heard: Heard) -> None:
        """What suppliers hold is known: what I write follows that, and what they lack of mine is brought to them."""
        await self.own_log.compared(heard, self.shared.holders.family())
        await self._note_holdings()
        await self._whole(self._begin_writing)
        self.writing.suppliers_changed()
        await self._disposal.drop()
        self._inventory.look()

    async def _start_over(self) -> None:
        """The owner's logs begin later now than where this node stopped reading: all of it is read again."""
        if self._is_closed:
            return
        self.changes.detach()
        await self.writing.close()
        try:
            await self.catalog.change(_note_outdated)
            await self.catalog.close()
        finally:
            await self._open_again()

    async def _try_again(self) -> None:
        """It could not be opened when all was to be read again."""
        if not (self._is_closed or self.catalog.is_open):
            await self._open_again()

    async def _open_again(self) -> None:
        """Whatever has failed: what is not open takes nothing, and gives nothing, until the next start."""
        if not self.catalog.is_open:
            await self.catalog.open()
        self.changes.attach(self.catalog)
        self.writing, self._held = self._new_writing(), []


def _note_outdated(database: sqlite3.Connection) -> None:
    note_outdated(database)
    database.execute("DELETE FROM meta WHERE name=?", (OUTDATED_LATER,))
