"""What I bring into a share of another owner: sealed with its secrets, sent to its owner's suppliers, in my own log.

Every part is the one that brings my own files to my own suppliers; the owner, the family, and the way out are others.
"""

from collections.abc import Callable, Collection
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.automats.file_deletion import FileDeletion
from bitdust.batching import ThreadQueue
from bitdust.formats.operations import Op, tombstone_op
from bitdust.outcome import outcome
from bitdust.replication import Replicas, keepers, members, needed
from bitdust.signal import Signal
from bitdust.storage.catalog.calendar import Calendar
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.new_items import Maker
from bitdust.storage.catalog.paths import Item, Target, below, versions
from bitdust.storage.deletions import DeletionAnswer
from bitdust.storage.jobs import Row
from bitdust.storage.log.renewal import Renewal
from bitdust.storage.log.replica import KeyLog
from bitdust.storage.log.riders import Riders
from bitdust.storage.log.writer import LogWriter
from bitdust.storage.packs.packer import Packer, StorageKey
from bitdust.storage.pieces.local_copies import LocalCopies
from bitdust.storage.pieces.pack_store import PackStore
from bitdust.storage.pieces.packs import Packs
from bitdust.storage.pieces.queues import SupplierQueues
from bitdust.storage.pieces.sender import PieceSender
from bitdust.storage.pieces.spool import Spool
from bitdust.storage.pieces.waiting import Acknowledgements, WaitingPieces
from bitdust.storage.ports import PieceHolders
from bitdust.storage.shared.pen import GuestLogs
from bitdust.storage.upload.jobs import Uploads
from bitdust.storage.upload.reader import ReadingThread
from bitdust.storage.upload.space import sealed_under
from bitdust.storage.upload.upload import UploadParts
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError

SHUT = ("not-allowed", "bad-signature")
"""Codes of a supplier that does not take the owner's permission for one."""


class GuestPart(KeyLog):
    """The log of this device, which nobody else brings to suppliers. ``refusals`` has the last word of each that does
    not take it, and with it small pieces; ``changed`` reports another one."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.refusals: dict[bytes, BaseException | None] = {}
        self.changed: Signal[[]] = Signal()

    def deliver(self, supplier: bytes) -> "Deferred[Any]":
        """As `KeyLog.deliver`, and it is noted how that ended."""

        def taken(result: Any) -> Any:
            self.refusals.pop(supplier, None)
            return result

        def refused(failure: Failure) -> Failure:
            self.refusals[supplier] = failure.value
            self.changed.emit()
            return failure

        return super().deliver(supplier).addCallbacks(taken, refused)

    def devices(self) -> list[bytes]:
        """This one."""
        return [self._me.device.id]


class Writing:
    """I bring files, and take back what I brought. `begin` first, `close` last; `check` says whether I may."""

    log = Logger()

    def __init__(
        self, around: Connected, catalog: Catalog, spool: Spool, logs: GuestLogs, holders: PieceHolders
    ) -> None:
        self._around = around
        self.catalog = catalog
        self.logs = logs
        self._holders = holders
        world, clock = around.world, around.world.clock
        self._coding = ThreadQueue(world.run_in_thread)
        self.log_writer = LogWriter(world, catalog, logs)
        self._renewal = Renewal(around.me, self.log_writer, holders, logs.number)
        riders = Riders(clock)
        self.part = GuestPart(around, logs.alias, self.log_writer, holders, riders, lambda supplier: True)
        self._replicas = Replicas(around.registry, f"share {logs.key_id}", self.part, holders.is_online)
        self._riders = riders
        waiting = WaitingPieces(world, catalog, spool)
        self.acknowledgements = Acknowledgements(world, catalog, spool, lambda: False)
        sender = PieceSender(around.me, holders, riders)
        self.queues = SupplierQueues(
            around.registry, holders, waiting, sender, self.acknowledgements, self._most_at_once
        )  # fmt: skip
        self._packer = Packer(self._new_pack, self.block_size)
        self._store = PackStore(world, catalog, spool, self._coding)
        self._packs = Packs(around, self._packer, self._store, self.queues, holders)
        self._reading = ReadingThread(world.run_in_thread, catalog.another_reader)
        self._calendar = Calendar(world)
        self._deletions: list[FileDeletion] = []
        self._is_begun = self._is_closed = False
        self._join()

    def _join(self) -> None:
        self.acknowledgements.came.connect(self._packs.piece_acknowledged)
        self.queues.piece_lost.connect(self._packs.piece_lost)
        self.queues.changed.connect(self._check)
        self.part.changed.connect(self._check)
        self.part.forked.connect(lambda device: self._around.me.copies.note(device, self._around.world.wall()))
        self._packs.overdue.connect(self._close_open_packs)
        self.log_writer.written.connect(self._replicas.update)
        self._replicas.acknowledged.connect(lambda supplier: self._log_acknowledged())

    def _check(self) -> None:
        refusal = self.refusal()
        if refusal is not None:
            for upload in self.uploads.running:
                upload.abort(refusal)
        self.uploads.check()

    def refusal(self) -> BitDustError | None:
        """Why nothing can be brought: so many suppliers refuse what I show that the others are too few."""
        family = self._holders.family()
        refusals = [(who, self.queues.refusal(who) or self.part.refusals.get(who)) for who in members(family)]
        refused = [
            error for who, error in refusals if getattr(error, "code", "") in SHUT and self._holders.is_online(who)
        ]
        if family is None or len(refused) <= family.n - needed(family):
            return None
        return BitDustError("not-allowed", f"suppliers of {self.logs.key_id} take nothing from this node: {refused[0]}")

    def _close_open_packs(self) -> None:
        self.uploads.close_open_packs()

    def use(self, names_of: "Callable[[Item], Row]") -> None:
        """Uploads are shown under these names; once, before `begin`."""
        parts = UploadParts(
            self._around, self.catalog, self._packer, self._packs, self.acknowledgements, self._reading,
            self.log_writer, self._calendar,
        )  # fmt: skip
        self.uploads = Uploads(parts, self, names_of)

    # life

    async def begin(self, copies: LocalCopies) -> None:
        """Go on with what a crash interrupted, where I may write; what is begun already goes on as it is.

        Nobody calls this again, or `close`, before it has ended."""
        if self._is_begun or not self.logs.may_write():
            return
        self._calendar.load(self.catalog.read)
        self.part.holdings.load()
        await self._renewal.begin()
        if self._renewal.former is not None:
            return
        await self._packs.open(copies)
        self._is_begun = True
        self.uploads.resume()
        self.suppliers_changed()

    async def say_again(self) -> None:
        """What nobody heard of a former device of this home, after a comparison, and before anything is read that
        another program has said in its place. Until then nothing is begun: items get other path ids by that."""
        if not self._is_begun and self.logs.may_write() and self._renewal.former is not None:
            again = await outcome(Deferred.fromCoroutine(self._renewal.run([self.part])))
            if again.error is not None:
                self.log.warn("what this node has written as a former device waits: {why}", why=again.error)

    async def close(self) -> None:
        """Stop everything; what is not acknowledged goes on at the next start."""
        self._is_begun, self._is_closed = False, True
        self.uploads.suspend()
        deletions, self._deletions = self._deletions, []
        for machine in deletions:
            machine.send("shutdown")
        self._replicas.stop()
        self.queues.stop()
        self._packs.stop()
        self._coding.stop()
        self._riders.close()
        await self.acknowledgements.write()
        self.acknowledgements.stop()
        await self._reading.close()

    def suppliers_changed(self) -> None:
        """Suppliers came, went or changed, or it was learnt what they hold."""
        if self._is_begun:
            self.queues.suppliers_changed()
            self._replicas.place_at(keepers(self._holders.family()))
            self.uploads.check()

    def _log_acknowledged(self) -> None:
        self.uploads.check()
        self._deletions = [machine for machine in self._deletions if machine.state not in machine.final]
        for machine in list(self._deletions):
            machine.send("log-safe")

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is under way, and suppliers hold all that I wrote: before it is begun that is not known."""
        if not (self._is_begun or self.logs.may_write()):
            return True
        end = self.part.end(self._around.me.device.id).sequence
        return self._renewal.former is None and self.uploads.is_quiet and self._safe_sequence() >= end

    # what a person asks for

    def check(self) -> None:
        """Raises `BitDustError` ``not-allowed`` where the share is only read, ``keys-not-ready`` before it was read, or
        while all of it is read again."""
        if self._is_closed:
            raise BitDustError("keys-not-ready", f"{self.logs.key_id} is read again; try again in a moment")
        self.logs.writing(self.catalog.read, self.logs.alias)
        if self._renewal.former is not None:
            raise BitDustError("keys-not-ready", f"suppliers of {self.logs.key_id} are compared; try again in a moment")
        refusal = self.refusal()
        if refusal is not None:
            raise refusal

    async def make(self, alias: str, path: str, kind: str, exist_ok: bool, forced: str | None) -> str:
        """A new item with the folders above it; its path id. Raises ``exists``, ``bad-name``, ``not-allowed``."""
        self.check()
        now = int(self._around.world.wall() * 1000)
        maker = Maker(alias, self.logs.number(), now, forced)
        await self.log_writer.write(lambda database: maker.make(database, path, kind, exist_ok))
        return maker.path

    def delete(self, item: Item, target: Target) -> "tuple[FileDeletion, Deferred[bool]]":
        """Take back what I brought of an item, or of one version of it. Raises ``not-allowed`` where there is nothing.

        The machine, and a Deferred: whether so many suppliers know it that nothing brings it back.
        """
        self.check()
        op = self._taken_back(item, target.version)
        if op is None:
            raise BitDustError("not-allowed", "others brought this; whoever did, or the share's owner, can delete it")
        deletion = GuestDeletion(self, op)
        machine = FileDeletion(self._around.registry, deletion, item.path if target.version is None else target.version)
        self._deletions.append(machine)
        machine.send("start")
        return machine, deletion.answered

    def _taken_back(self, item: Item, only: str | None) -> Op | None:
        marks, database = self.logs.marks(), self.catalog.read
        items = [*below(database, item)]
        names = [
            f"{one.path}/{version.version}"
            for one in items
            for version in versions(database, one.path)
            if marks.made(version.version) and only in (None, version.version)
        ]
        places = [one.path for one in reversed(items) if marks.made(one.path)] if only is None else []
        now = int(self._around.world.wall() * 1000)
        return tombstone_op(names, [], now, places) if names or places else None

    # whose uploads they are

    def storage_key(self, alias: str) -> StorageKey:
        """What new packs are sealed with."""
        return self.logs.storage_key()

    def device_number(self) -> int:
        """The last part of versions and path ids that this device makes here."""
        return self.logs.number()

    def block_size(self) -> int:
        """Bytes of a pack that is full."""
        settings = self._around.settings
        size, largest = (settings.get(f"services/backups/{name}") for name in ("block-size", "max-block-size"))
        return int(min(size, largest))

    def ecc_map(self) -> str:
        """How pieces are made now."""
        family = self._holders.family()
        return family.ecc_map if family is not None else ""

    def space_left(self) -> int | None:
        """Bytes that the owner lets me bring besides those that are there."""
        return self.logs.pen().quota - self.used()

    def used(self) -> int:
        """Sealed bytes of what I brought and what is still there."""
        return sum(sealed_under(self.catalog.read, mark) for mark in self.logs.marks().marks)

    def waits_for_suppliers(self) -> bool:
        """Whether an upload ends only when it is safe."""
        return bool(self._around.settings.get("services/backups/wait-suppliers-enabled"))

    def is_absent_position(self, position: int) -> bool:
        """Whether nothing is to be expected now of the supplier at a position."""
        return self.queues.is_absent_position(position)

    def absent_positions(self) -> list[int]:
        """Positions of suppliers of which nothing is to be expected now."""
        return self.queues.absent_positions()

    def waits_for(self, positions: Collection[int], mark: int | None) -> list[str]:
        """Suppliers of these positions, and those that lack my log up to a mark which is not safe: names, and why."""
        family = self._holders.family()
        if family is None:
            return ["a family of suppliers"]
        waited = {who for place, who in enumerate(family.seats) if place in positions}
        if mark is not None and not self.is_logged(mark):
            waited |= {who for who in members(family) if not self.part.is_whole_at(who)}
        return [self._why(who) for who in keepers(family) if who in waited]

    def _why(self, supplier: bytes) -> str:
        name = self._holders.names(supplier)[1] or supplier.hex()[:16]
        if not self._holders.is_online(supplier):
            return f"{name} (away)"
        refusal = self.queues.refusal(supplier)
        return f"{name} ({refusal})" if refusal is not None else name

    def bring_log(self) -> None:
        """Bring my log to suppliers now."""
        self._replicas.update()

    def is_logged(self, mark: int) -> bool:
        """Whether enough suppliers hold my log up to a mark of the writer; all of it for 0."""
        if mark:
            return self.log_writer.marks.is_safe(mark, lambda key: self._safe_sequence())
        return self._safe_sequence() >= self.part.end(self._around.me.device.id).sequence

    def _safe_sequence(self) -> int:
        family = self._holders.family()
        if family is None:
            return 0
        return self.part.safe_sequence(members(family), self._around.me.device.id, needed(family))

    def holders(self, key: str, device: bytes, sequence: int) -> int:
        """How many suppliers hold an entry, as far as is known here."""
        family = self._holders.family()
        return sum(1 for who in members(family) if self.part.holdings.safely(who, device) >= sequence)

    def _new_pack(self, size: int) -> bytes:
        """An id that says by whom the pack is."""
        mark = self.logs.pen().mark
        return mark + self._around.world.entropy(size - len(mark))

    def _most_at_once(self) -> int:
        return int(self._around.settings.get("services/data-motion/supplier-sending-queue-size"))


class GuestDeletion(DeletionAnswer):
    """I am the port of one `FileDeletion` in a share of somebody else, whose owner has suppliers delete the pieces."""

    def __init__(self, writing: Writing, op: Op) -> None:
        super().__init__()
        self._writing = writing
        self._op = op
        self._mark = 0

    def write(self) -> "Deferred[Any]":
        """The tombstone."""
        return self._writing.log_writer.write([self._op]).addCallback(self._written)

    def _written(self, mark: int) -> None:
        self._mark = mark

    def is_safe(self) -> bool:
        """Whether enough suppliers hold it."""
        return self._writing.is_logged(self._mark)

    def clean(self) -> "Deferred[Any]":
        """That is for the owner of the share."""
        return succeed(None)
