"""The customer's storage at work: all its parts, joined, from the opening of the catalog to its closing."""

from collections.abc import Collection
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from bitdust.batching import ThreadQueue
from bitdust.disk.reserve import SETTING, Reserve
from bitdust.replication import keepers, members
from bitdust.storage.catalog.calendar import Calendar
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.paths import Item, names_of
from bitdust.storage.catalog.row_facts import STEADY, Changing
from bitdust.storage.catalog.rows import Owner
from bitdust.storage.catalog.view import CatalogView
from bitdust.storage.catalog.whereabouts import GivenUp, none_given_up
from bitdust.storage.deletions import Deletions
from bitdust.storage.keeping.audits import Audits
from bitdust.storage.keeping.cleaning import Cleaner
from bitdust.storage.keeping.disposal import DeleteOrders, Disposal
from bitdust.storage.keeping.handovers import Handovers
from bitdust.storage.keeping.held_deletions import HeldDeletions
from bitdust.storage.keeping.inventory import Inventory
from bitdust.storage.keeping.left_out import LeftOut
from bitdust.storage.keeping.monitor import Monitor
from bitdust.storage.keeping.moving_pace import MOVING_LIMIT, MovingPace
from bitdust.storage.keeping.rebuild import Rebuilder
from bitdust.storage.keeping.reencode import Reencoder
from bitdust.storage.keeping.silence import Silence
from bitdust.storage.keeping.stuck import StuckFiles
from bitdust.storage.keeping.trouble import Troubles
from bitdust.storage.keeping.twins import Twins
from bitdust.storage.log.access import OwnLogs
from bitdust.storage.log.compaction import Compactor
from bitdust.storage.log.compared import Compared
from bitdust.storage.log.keyring_replica import KeyRingReplicas
from bitdust.storage.log.other_life import OtherLife
from bitdust.storage.log.outdated import start_over
from bitdust.storage.log.replicas import LogReplicas
from bitdust.storage.log.writer import LogWriter
from bitdust.storage.packs.packer import Packer, StorageKey
from bitdust.storage.pieces.bad_pieces import BadPieces
from bitdust.storage.pieces.fetch import Fetcher
from bitdust.storage.pieces.local_copies import LocalCopies
from bitdust.storage.pieces.locations import PackSources
from bitdust.storage.pieces.pack_store import PackStore
from bitdust.storage.pieces.packs import Packs
from bitdust.storage.pieces.queues import SupplierQueues
from bitdust.storage.pieces.sender import PieceSender
from bitdust.storage.pieces.spool import Spool
from bitdust.storage.pieces.waiting import Acknowledgements, WaitingPieces
from bitdust.storage.ports import Ports
from bitdust.storage.restore.jobs import Downloads
from bitdust.storage.restore.ranges import Ranges
from bitdust.storage.restore.restore import RestoreParts
from bitdust.storage.upload.jobs import Uploads
from bitdust.storage.upload.mirror import Mirror
from bitdust.storage.upload.reader import ReadingThread
from bitdust.storage.upload.space import used_bytes
from bitdust.storage.upload.upload import UploadParts
from bitdust.storage.verify.verification import VerifyParts
from bitdust.storage.verify.verifications import Verifications
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import GROUP_PREFIX


class Core:
    """I am built when data begins to move and closed for good when it stops; uploads and downloads share me."""

    log = Logger()

    def __init__(self, around: Connected, ports: Ports) -> None:
        world, settings, home = around.world, around.settings, around.world.home
        self.world = world
        self.settings = settings
        self.me = around.me
        self.ports = ports
        self._around = around
        self.catalog = Catalog(world, home / "catalog.db", prepare=start_over)
        self.calendar = Calendar(world)
        self.silence = Silence(self.calendar, ports)
        self.reserve = Reserve(lambda: int(settings.get(SETTING)))
        self.spool = Spool(Path(settings.get("paths/backups") or home / "spool"), self.reserve)
        self.coding = ThreadQueue(world.run_in_thread)
        self._online: frozenset[bytes] = frozenset()
        self._build_log()
        self._build_pieces()
        self._build_uploads()
        self._build_keeping()
        self._build_downloads()
        self._join()

    def _build_log(self) -> None:
        around, ports = self._around, self.ports
        self.log_writer = LogWriter(self.world, self.catalog, OwnLogs(self.me))
        self.log_writer.make_secret = self._ensure_secret
        self.key_ring_replicas = KeyRingReplicas(around, ports)
        opens_at = self.key_ring_replicas.opens_at
        self.log_replicas = LogReplicas(around, self.log_writer, ports, opens_at, self.calendar)
        self.compactor = Compactor(around, self.log_writer, self.log_replicas, self.calendar)
        self.other_life = OtherLife(around, self.catalog)
        self.view = CatalogView(self.catalog, self)

    def _build_pieces(self) -> None:
        around, world, ports = self._around, self.world, self.ports
        waiting = WaitingPieces(world, self.catalog, self.spool)
        sender = PieceSender(self.me, ports, self.log_replicas.riders)
        self.acknowledgements = Acknowledgements(world, self.catalog, self.spool, self._keeps_local)
        self.queues = SupplierQueues(
            around.registry, ports, waiting, sender, self.acknowledgements, self._most_at_once
        )  # fmt: skip
        self._pack_store = PackStore(world, self.catalog, self.spool, self.coding)
        self.packer = Packer(world.entropy, self.block_size)
        self.packs = Packs(around, self.packer, self._pack_store, self.queues, ports)
        self.bad_pieces = BadPieces(around, self.catalog, ports)
        self.fetcher = Fetcher(around, ports, self.bad_pieces)
        self.copies = LocalCopies(world, self.catalog, self.spool, self._keeps_local)
        self.pack_sources = PackSources(self.catalog, ports, waiting, self.copies)

    def _build_uploads(self) -> None:
        self.reading = ReadingThread(self.world.run_in_thread, self.catalog.another_reader)
        self.mirror = Mirror(self._around, self.catalog, self.log_writer)
        parts = UploadParts(
            self._around, self.catalog, self.packer, self.packs, self.acknowledgements, self.reading, self.log_writer,
            self.calendar,
        )  # fmt: skip
        self.uploads = Uploads(parts, self, self.names_of)

    def _build_keeping(self) -> None:
        around, ports, registry = self._around, self.ports, self._around.registry
        self.audits = Audits(around, self.catalog, ports, self.bad_pieces)
        self.troubles = Troubles(ports, self.queues, self.log_replicas, self.key_ring_replicas, self.audits)
        self.inventory = Inventory(around, self.catalog, ports, self.audits.prover, self.bad_pieces)
        calendars = (self.calendar, self.silence)
        self.cleaner = Cleaner(around, self.log_writer, self.log_replicas, self.uploads, calendars)
        self.held_deletions = HeldDeletions(around, self.log_writer, self.log_replicas)
        self.twins = Twins(around, self.log_writer, self.log_replicas, self.uploads)
        self.pace = MovingPace(self.world.clock, lambda: int(self.settings.get(MOVING_LIMIT)))
        self.rebuilder = Rebuilder(self._pack_store, self.fetcher, self.queues, self.pack_sources, ports, self.pace)
        has_listed = partial(self.inventory.has_listed, since=-inf)
        self.left_out = LeftOut(around, self.catalog, ports, has_listed, self._hears_all)
        self.reencoder = Reencoder(around, self._pack_store, self.queues, ports, self, self.left_out)
        self.handovers = Handovers(around, self.catalog, ports)
        self._stuck_files = StuckFiles(self._around, self.reading)
        unread = Compared(self.catalog, self.calendar).unread_keys
        disposal = Disposal(self.world.run_in_thread, self.catalog, self.spool, self.copies, unread)
        orders = DeleteOrders(around, self.catalog, self.log_replicas, ports, self.calendar)
        self.monitor = Monitor(registry, self.inventory, self.rebuilder, self.cleaner, disposal, orders)
        self.deletions = Deletions(registry, self.cleaner, self.mirror, self.log_replicas, self.monitor)

    def _build_downloads(self) -> None:
        parts = RestoreParts(
            self._around, self.catalog, self.fetcher, self.pack_sources, self.coding, self.reserve, self.given_up
        )  # fmt: skip
        self.downloads = Downloads(parts, self, self)
        self.ranges = Ranges(parts, self)
        verifying = VerifyParts(
            self._around, self.catalog, self.audits.prover, self.bad_pieces, self.fetcher, self.pack_sources,
            self.coding, self.ports.names,
        )  # fmt: skip
        self.verifications = Verifications(verifying, self, self)

    def _join(self) -> None:
        """Who tells whom."""
        self.acknowledgements.came.connect(self.packs.piece_acknowledged)
        self.queues.piece_lost.connect(self.packs.piece_lost)
        self.queues.changed.connect(self.uploads.check)
        self.packs.overdue.connect(self.uploads.close_open_packs)
        self.bad_pieces.found.connect(lambda piece: self.monitor.damaged())
        self.rebuilder.can_go_on.connect(self.monitor.damaged)
        self.rebuilder.stuck_changed.connect(lambda packs: self._stuck_files.report(self.rebuilder.stuck))
        self.reencoder.moved.connect(self.monitor.deleted)
        self.key_ring_replicas.acknowledged.connect(lambda supplier: self.log_replicas.key_ring_acknowledged())
        self.key_ring_replicas.united.connect(self._ring_united)
        self.log_replicas.merged.connect(self.other_life.look)
        self.log_replicas.merged.connect(self.held_deletions.look)
        self.log_replicas.merged.connect(self.reencoder.others_wrote)
        self.log_replicas.merged.connect(lambda: self.inventory.others_wrote(self.log_replicas.grown_at))
        self.inventory.refreshed.connect(self.held_deletions.look)
        self.inventory.refreshed.connect(self.reencoder.suppliers_listed)
        self.held_deletions.wanted.connect(self.monitor.sync)
        self.log_replicas.acknowledged.connect(self.uploads.check)
        self.uploads.quiet.connect(self.monitor.deleted)
        self.uploads.quiet.connect(self.twins.look)

    def _ring_united(self, is_other_life: bool) -> None:
        """What could not be opened before is read now."""
        self.left_out.unopened.clear()
        if is_other_life:
            self.other_life.found()
        self.log_replicas.others_wrote()

    def block_size(self) -> int:
        """Bytes of a pack that is full."""
        size, largest = (self.settings.get(f"services/backups/{name}") for name in ("block-size", "max-block-size"))
        return int(min(size, largest))

    def is_busy(self) -> bool:
        """Whether files go up or come down."""
        return bool(self.uploads.running or self.downloads.running)

    def _most_at_once(self) -> int:
        return int(self.settings.get("services/data-motion/supplier-sending-queue-size"))

    def _keeps_local(self) -> bool:
        return bool(self.settings.get("services/backups/keep-local-copies-enabled"))

    async def open(self) -> None:
        """Open the catalog and look what a crash has left."""
        await self.catalog.open()
        self.calendar.load(self.catalog.read)
        self.silence.load(self.catalog.read)
        self.bad_pieces.open()
        self.audits.open()
        self.left_out.open()
        self.handovers.start()
        await self.packs.open(self.copies)
        self.suppliers_changed()

    async def close(self) -> None:
        """Stop everything; what is acknowledged is on the disk, what is not goes on at the next start."""
        self.uploads.suspend()  # those too that were begun beside the services of files, as history is
        self.downloads.suspend()
        for part in (
            self.deletions,
            self.held_deletions,
            self.reencoder,
            self.handovers,
            self.monitor,
            self.verifications,
            self.audits,
            self.inventory,
            self.key_ring_replicas,
            self.log_replicas,
            self.compactor,
            self.queues,
            self.ranges,
            self.fetcher,
            self.packs,
            self.coding,
        ):
            part.stop()
        self.log_replicas.riders.close()
        await self.acknowledgements.write()
        self.acknowledgements.stop()
        await self.reading.close()
        await self.catalog.close()

    def suppliers_changed(self) -> None:
        """Suppliers came, went or changed: everybody who waits for one looks again."""
        family = self.ports.family()
        members = keepers(family)
        self._online = frozenset(who for who in members if self.ports.is_online(who))
        self.queues.suppliers_changed()
        self.key_ring_replicas.suppliers_changed()
        self.log_replicas.suppliers_changed()
        self.monitor.suppliers_changed()
        self.audits.suppliers_changed()
        self.reencoder.suppliers_changed()
        self.handovers.suppliers_changed()
        self.uploads.check()

    def supplier_accepted(self, supplier: bytes) -> None:
        """A supplier has made its contract with me again, perhaps on an empty disk: it answers now, and may not have
        done so when its session alone was there."""
        self.key_ring_replicas.supplier_accepted(supplier)
        self.log_replicas.supplier_accepted(supplier)
        self.queues.try_again(supplier)
        if self.inventory.lacks_list_of(supplier):
            self.monitor.suppliers_changed()

    # what uploads and downloads share

    def storage_key(self, alias: str) -> StorageKey:
        """The storage secret of a key for what is new; its first one is made and saved on the way.

        Raises `BitDustError` ``not-allowed`` for the key of a group, ``key-not-found``.
        """
        if alias.startswith(GROUP_PREFIX):
            raise BitDustError("not-allowed", f"{alias} is the key of a group, which keeps messages and no files")
        self.me.key_ring.get(alias)
        self._ensure_secret(alias)
        epoch, secret = self.me.key_ring.current(alias)
        return StorageKey(alias, epoch, secret, self.log_writer.logs.scopes(alias)[0])

    def _ensure_secret(self, alias: str) -> None:
        if self.me.ensure_secret(alias):
            self.key_ring_replicas.keys_changed()

    def secrets(self, alias: str, epoch: int) -> tuple[bytes, ...]:
        """The storage secrets of a name: under one of them a pack was sealed."""
        return self.me.key_ring.secrets(alias, epoch)

    def device_number(self) -> int:
        """This device's number, the last part of versions and path ids that it makes."""
        return self.me.device_number

    def ecc_map(self) -> str:
        """How pieces are made now: ``ecc/4x4`` for four suppliers; empty without a family."""
        family = self.ports.family()
        return family.ecc_map if family is not None else ""

    def space_left(self) -> int | None:
        """Bytes that may still be stored."""
        room = self.ports.room()
        return room - used_bytes(self.catalog) if room is not None else None

    def waits_for_suppliers(self) -> bool:
        """Whether an upload ends only when it is safe."""
        return bool(self.settings.get("services/backups/wait-suppliers-enabled"))

    def is_absent_position(self, position: int) -> bool:
        """Whether nothing is to be expected now of the supplier at a position."""
        return self.queues.is_absent_position(position)

    def waits_for(self, positions: Collection[int], mark: int | None) -> list[str]:
        """Suppliers of these positions, and those that lack my log up to a mark which is not safe: names, and why."""
        family = self.ports.family()
        if family is None:
            return ["a family of suppliers"]
        lacking = [who for who in members(family) if not self.log_replicas.is_held_by(who)]
        seats = {place: family.seats[place] for place in positions if place < len(family.seats)}
        waited = {who for who in seats.values() if who is not None}
        if mark is not None and not self.is_logged(mark):
            waited.update(lacking)
        vacant = [f"place {place} (vacant)" for place, who in seats.items() if who is None]
        return [self.troubles.why_wait(who) for who in keepers(family) if who in waited] + vacant

    def absent_positions(self) -> list[int]:
        """Positions of suppliers of which nothing is to be expected now."""
        return self.queues.absent_positions()

    def bring_log(self) -> None:
        """Bring what was written to my logs to suppliers now."""
        self.log_replicas.deliver_now()

    def is_logged(self, mark: int) -> bool:
        """Whether enough suppliers hold all that was written to my logs up to a mark of the writer; all of it for 0."""
        return self.log_replicas.is_logged(mark) if mark else self.log_replicas.is_safe()

    def has_listed(self, supplier: bytes) -> bool:
        """Whether a supplier has listed its pieces since the last entries of others came."""
        return self.inventory.has_listed(supplier, self.log_replicas.grown_at)

    def waits_no_more(self) -> bool:
        """Whether of the suppliers of another life that have not listed their pieces each is silent for a month; not
        where all have. Guests who have stepped aside are not asked about: they wait for the room that those take."""
        unlisted = [who for who in self.ports.of_other_lives() if not self.has_listed(who)]
        return bool(unlisted) and all(map(self.silence.is_over, unlisted))

    def given_up(self) -> GivenUp:
        """Versions that nobody brings any more; none, while suppliers of another life may have pieces that they have
        not listed, or wait for room beside mine."""
        if not self._hears_all_lives():
            return none_given_up()
        observed = self.calendar.observed
        return GivenUp.now(self.catalog.read, self.world.wall(), observed, self.log_replicas.is_alone())

    def _hears_all(self) -> bool:
        return self.log_replicas.knows_all and self._hears_all_lives()

    def _hears_all_lives(self) -> bool:
        is_all = all(self.has_listed(who) or self.silence.is_over(who) for who in self.ports.of_other_lives())
        return is_all and not self.ports.are_some_aside()

    # whose catalog it is

    def names(self) -> list[str]:
        """My global ids."""
        return self.ports.my_names()

    def owner(self) -> Owner:
        """What rows say of me."""
        family, document = self.ports.family(), self.me.document
        suppliers = family.n if family is not None else 0
        changing = Changing(suppliers, frozenset(family.departing)) if family is not None else STEADY
        idurl, doubted = str(document.idurl), self.audits.doubted()
        return Owner(document.global_id, idurl, suppliers, self.log_replicas.holders, doubted, changing)

    def names_of(self, item: Item) -> dict[str, Any]:
        """Fields that every answer about an item has."""
        return names_of(self.catalog.read, item, self.me.document.global_id)

    def names_of_all(self, key: str) -> dict[str, Any]:
        """The same about all items of a key."""
        key_id = f"{key}${self.me.document.global_id}"
        return {"remote_path": f"{key_id}:", "key_id": key_id, "path": "", "path_id": ""}
