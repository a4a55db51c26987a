"""One folder: the port of its `folder_sync`. Here the disk, the journal and the peers come together."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from bitdust.automats.folder_sync import FolderSync
from bitdust.automats.kernel import Registry
from bitdust.batching import Soon
from bitdust.folders.config import FolderConfig
from bitdust.folders.fetching import Fetcher, Source
from bitdust.folders.ignoring import LIST, MAX_RULES, IgnoreList
from bitdust.folders.keeping import Keeping
from bitdust.folders.keys import FolderKeys
from bitdust.folders.limiting import Limits
from bitdust.folders.listing import Totals, totals
from bitdust.folders.peer import FolderPeer
from bitdust.folders.portions import Taken
from bitdust.folders.problems import code_of
from bitdust.folders.records import origin_of
from bitdust.folders.scanning import Found, Scan
from bitdust.folders.store import Store
from bitdust.folders.transfer import OnTheWay, Task, Transfer
from bitdust.folders.tree import Missing
from bitdust.folders.watching import Watching
from bitdust.folders.wishes import Wishes, device_name
from bitdust.folders.writing import Changed
from bitdust.signal import Signal
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError

MOST_WARNINGS = 100
AGAIN = 1.0
"""Seconds after which a file that was being changed is read again."""


class Folder:
    """I am open from `start` to `stop`; ``changed`` reports that what I show is another thing."""

    log = Logger()

    def __init__(self, around: Connected, home: Path, config: FolderConfig, limits: Limits) -> None:
        self.around = around
        self.registry: Registry = around.registry
        self.config = config
        self.store = Store(around.world, home, config.dir, FolderKeys(config.secret))
        self.limits = limits.of_folder(lambda: config.download_limit, lambda: config.upload_limit)
        self.peers: dict[bytes, FolderPeer] = {}
        self.asked_afresh: set[bytes] = set()
        self.malformed: dict[bytes, int] = {}
        self.refused: set[bytes] = set()
        self.beyond: list[Source] = []
        """Who is asked for chunks that no peer gives."""
        self._is_short = False
        self.fetcher = Fetcher(self._sources, self._count_received)
        self._keeping = Keeping(self.store, self.fetcher)
        self.changed = Signal[[]]()
        self.met = Signal[["Folder"]]()
        """It is looking for peers."""
        self.problem = self.problem_code = ""
        self.totals = Totals()
        self.warnings: dict[str, str] = {}
        self.received = self.sent = 0
        self.is_meeting = False
        self._to_look_at: set[str] = {""}
        self._transfers = OnTheWay()
        self._is_filling = self._fill_again = self._due = False
        self._failed: set[bytes] = set()
        self._ignored: set[bytes] = set()
        self._ignore = IgnoreList()
        self._watching = Watching(around.world.watcher, config.dir, self.look)
        self._later: IDelayedCall | None = None
        self._news = Soon(around.world.clock, self._tell)
        self._news.EVERY = 0.2
        self._news.MOMENT = 0.05
        self._counting = Soon(around.world.clock, self._count)
        self.machine = FolderSync(around.registry, config.label, self)

    def start(self) -> None:
        """Be in sync from now on."""
        self.machine.send("start")

    def stop(self) -> "Deferred[Any]":
        """Fires when nothing of it is open any more."""
        self.limits.stop()
        self.machine.send("stop")
        return self.store.close()

    def _shown_otherwise(self) -> None:
        self._counting.want()
        self.changed.emit()

    # the port: the disk

    def open(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._open())

    async def _open(self) -> None:
        await self.store.run(self.store.open)
        await self.follow()

    def is_paused(self) -> bool:
        return self.config.paused

    def scan(self) -> "Deferred[Any]":
        return Deferred.fromCoroutine(self._scan_all())

    async def _scan_all(self) -> None:
        if self.store.keys.secret.may_read:
            self._watching.begin()
        paths, self._to_look_at = self._to_look_at, set()
        try:
            await self._scan_paths(paths)
        except BaseException:
            self._to_look_at |= paths
            raise

    async def _scan_paths(self, paths: set[str]) -> None:
        store = self.store
        if not store.keys.secret.may_read:
            await store.run(store.tree.check, store.ident)
            self._due = True
            return
        if "" in paths:
            await self.follow()
        rules = await store.run(store.read_housekeeping, LIST, MAX_RULES)
        self._ignore = IgnoreList(rules)
        self._ignored.clear()
        scan = await store.run(Scan, store.tree, store.journal, self._ignore, self.around.world.wall, paths)
        scan.overwrite = self.config.wants("overwrite_changes")
        while await store.run(scan.step, store.ident):
            if scan.found.changed:
                self._news.want()
        self._scanned(scan.found, "" in paths)
        self._due = await store.run(self._has_due)

    def _scanned(self, found: Found, everywhere: bool) -> None:
        if everywhere:
            self.warnings.clear()
        self.warnings.update(list(found.warnings.items())[:MOST_WARNINGS])
        if found.again:
            self._look_later(found.again)
        if found.changed:
            self._failed.clear()
            self._news.want()
            self._shown_otherwise()

    def follow(self) -> "Deferred[None]":
        """Take over what its person wants now."""
        return self.store.run(self.store.follow, Wishes.of(self.config, self.around.settings))

    def rescan(self) -> "Deferred[None]":
        """Fires when the whole folder was compared with what was seen."""
        self.look()
        scanned: Deferred[Any] = self.machine.when("IN_SYNC", "SYNCING", "BROKEN", "PAUSED")
        return scanned.addCallback(lambda _: None)

    def _look_later(self, paths: Iterable[str]) -> None:
        self._to_look_at.update(paths)
        if self._later is None or not self._later.active():
            self._later = self.around.world.clock.callLater(AGAIN, self.machine.send, "changed")

    def look(self, paths: Iterable[str] = ("",)) -> None:
        """These may be others than they were seen last."""
        self._to_look_at.update(paths)
        self.machine.send("changed")

    @property
    def watched(self) -> str:
        """How changes are noticed, in words."""
        return self._watching.how

    def has_more_to_look_at(self) -> bool:
        return bool(self._to_look_at) and (self._later is None or not self._later.active())

    def has_work(self) -> bool:
        return self._due or bool(self._transfers) or bool(self._failed)

    def _has_due(self) -> bool:
        return self.store.keys.secret.may_read and bool(self.store.journal.items.due(1))

    def rescan_seconds(self) -> float:
        seconds = int(self.around.settings.get("services/folder-sync/rescan-seconds"))
        return float(seconds) if seconds else 10.0**9

    # the port: peers and transfers

    def meet(self) -> None:
        if not self.is_meeting:
            self.is_meeting = True
            self.met.emit(self)
        self._news.want()

    def work(self) -> None:
        self.fetcher.pump()
        if not self.store.keys.secret.may_read:
            self._keep()
            return
        if self._is_filling:
            self._fill_again = True
            return
        self._is_filling = True
        Deferred.fromCoroutine(self._fill()).addBoth(self._filled)

    def _keep(self) -> None:
        self._fill_again = self._keeping.is_running
        if not self._fill_again and self.is_meeting:
            self._keeping.run().addCallbacks(self._kept, self._not_kept)

    def _kept(self, has_come: bool) -> None:
        self._due, full = self._keeping.is_behind, self._keeping.full
        self._is_short = self._due and full is None
        self.note(full)
        if has_come:
            self._news.want()
        self.machine.send("due" if self._fill_again else "settled")  # it was not looked at what has come meanwhile

    def _not_kept(self, failure: Any) -> None:
        if not failure.check(CancelledError):
            self.machine.send("failed", failure)

    def retry(self) -> None:
        self._failed.clear()
        if not self._keeping.is_running:
            self.work()

    def retry_seconds(self) -> float:
        return self._keeping.pause()

    async def _fill(self) -> None:
        """Begin as many transfers as there may be."""
        self._fill_again = True
        while self._fill_again and self.is_meeting and (room := self._transfers.room):
            self._fill_again = False
            skip = [*self._transfers.items(), *self._failed, *self._ignored]
            for task in await self.store.run(self.store.tasks, room, skip):
                if self._transfers.room:
                    self._begin(task)

    def _begin(self, task: Task) -> None:
        ident = task.item.id
        if not self.is_meeting or ident in self._transfers:
            return
        if self._ignore.ignores(task.entry.path):
            self._ignored.add(ident)
            self._fill_again = True
            return
        transfer = Transfer(self, task)
        self._transfers.add(transfer)
        transfer.machine.send("start")

    def _filled(self, result: Any) -> None:
        self._is_filling = False
        if result is not None:
            self.log.failure("items of folder {label} could not be begun", result, label=self.config.label)
        if not self._transfers:
            self._due = False
            self.machine.send("settled")

    def witnesses(self) -> set[bytes]:
        """See `bitdust.folders.transfer.Parent`; suppliers do not tell what they lack from what they cannot give."""
        return set() if self.beyond else {peer.device for peer in self.peers.values() if peer.admitted and peer.synced}

    def transfer_ended(self, transfer: Transfer, why: Any) -> None:
        """See `bitdust.folders.transfer.Parent`."""
        self._transfers.drop(transfer)
        error, path = getattr(why, "value", why), transfer.entry.path
        if transfer.machine.state == "DONE":
            self.warnings.pop(path, None)
            self._shown_otherwise()
        elif self.is_meeting:
            self._failed.add(transfer.task.item.id)
            self._not_brought(path, error)
        if self._transfers.has_much_room:
            self.work()

    def _not_brought(self, path: str, error: Any) -> None:
        if isinstance(error, Missing):
            self.machine.send("failed", error)
        elif isinstance(error, Changed):
            self.look((path,))
        elif getattr(error, "code", "") == "nobody-has":
            if self.beyond and self._is_short and len(self.warnings) < MOST_WARNINGS:
                self.warnings[path] = "neither a peer that is here nor your suppliers have all of it"
            self._is_short = True
            self._news.want()
        elif error is not None:
            self.warnings[path] = getattr(error, "strerror", None) or str(error)

    def transfers(self) -> list[Transfer]:
        """Those that are on their way."""
        return list(self._transfers)

    def rest(self) -> None:
        self._is_short = False
        self._news.want()
        self._shown_otherwise()

    def halt(self) -> None:
        self.is_meeting = False
        self._watching.end()
        self._news.stop()
        self._counting.stop()
        if self._later is not None and self._later.active():
            self._later.cancel()
        self._to_look_at = {""}
        self._keeping.stop()
        for transfer in self.transfers():
            transfer.stop()
        for peer in list(self.peers.values()):
            peer.machine.send("lost")

    def note(self, problem: Any) -> None:
        error = getattr(problem, "value", problem)
        self.problem = str(getattr(error, "strerror", None) or error or "")
        self.problem_code = code_of(error) if error is not None else ""
        self._shown_otherwise()

    # what peers ask

    def name(self) -> str:
        return device_name(self.around.settings, self.around.me)

    def left(self) -> int:
        return sum(transfer.left for transfer in self._transfers)

    def take(self, peer: FolderPeer, payload: bytes, run: bytes, upto: int) -> "Deferred[Taken]":
        return Deferred.fromCoroutine(self._take(peer, payload, run, upto))

    async def _take(self, peer: FolderPeer, payload: bytes, run: bytes, upto: int) -> Taken:
        store = self.store
        if payload and store.keys.public is None:
            raise BitDustError("no-key", "nobody has shown the key of the folder's writers yet")
        taken = await store.run(store.take, payload, origin_of(peer.device, run))
        await store.run(store.journal.note_peer, peer.device, peer.epoch, upto, peer.name)
        if taken.refused:
            why = taken.problem
            self.log.warn("{n} records of {peer} were refused: {why}", n=taken.refused, peer=peer.name, why=why)
        if taken.changed:
            self._learnt()
        return taken

    def _learnt(self) -> None:
        self._news.want()
        self.look_for_chunks()

    def look_for_chunks(self) -> None:
        """What could not be brought before may be had now."""
        self._failed.clear()
        self.machine.send("due")

    def learn(self, records: Sequence[bytes], public: bytes) -> "Deferred[Taken]":
        """Records that suppliers hold, and the writers' key; fires with what came of them."""
        return self.store.run(self.store.learn, records, public).addCallback(self._taken_in)

    def _taken_in(self, taken: Taken) -> Taken:
        if taken.changed:
            self._learnt()
        return taken

    def peer_met(self, peer: FolderPeer) -> None:
        peer.tell()
        self._shown_otherwise()

    def peer_synced(self, peer: FolderPeer) -> None:
        self._shown_otherwise()
        self.look_for_chunks()

    def peer_left(self, peer: FolderPeer) -> None:
        if self.peers.get(peer.device) is peer:
            del self.peers[peer.device]
        self._shown_otherwise()

    def _tell(self) -> bool:
        for peer in self.peers.values():
            peer.tell()
        return True

    def _sources(self) -> list[Source]:
        peers: list[Source] = [peer for peer in self.peers.values() if peer.admitted]
        return [*peers, *self.beyond] if self._is_short or not peers else peers

    def _count_received(self, size: int) -> None:
        self.received += size

    def _count(self) -> bool:
        """Figures for who asks; what cannot be counted now is counted with the next change."""
        if self.is_meeting:
            self.store.run(totals, self.store.journal).addCallbacks(self._counted, lambda _: None)
        return True

    def _counted(self, found: Totals) -> None:
        if found != self.totals:
            self.totals = found
            self.changed.emit()
