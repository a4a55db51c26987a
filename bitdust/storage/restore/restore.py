"""One download job: fetched pack by pack, each pack once, written to every file that needs it.

Packs come in the order in which files need them, a few at a time, so that memory stays bounded however large the
restore is. The job is a row in ``catalog.db`` until it ends, so a killed node takes it up again; bytes that are in a
growing file already are recognised by the names of their chunks and are not fetched twice.
"""

import os
import sqlite3
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bitdust.automats.restore_worker import RestoreWorker
from bitdust.batching import ThreadQueue
from bitdust.disk.reserve import Reserve
from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.local_paths import source_of
from bitdust.storage.catalog.paths import Target, path_of, versions
from bitdust.storage.catalog.whereabouts import GivenUp, none_given_up
from bitdust.storage.jobs import Job, Row
from bitdust.storage.packs.erasure import Coders
from bitdust.storage.packs.pack import OpenPack, unseal
from bitdust.storage.pieces.fetch import Fetcher
from bitdust.storage.pieces.locations import PackSource, PackSources
from bitdust.storage.restore.files import FilesWriter, Problem, Written
from bitdust.storage.restore.options import AS_SET, RestoreOptions
from bitdust.storage.restore.plan import FileWork, Planner, RestorePlan, Run, pack_order, pair
from bitdust.storage.restore.tree import CHANGED, LEFT_OUT, Blocked, Tree
from bitdust.surroundings import Connected
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import shown

GIVE_UP_AFTER = 3
MOST_TOGETHER, MOST_BYTES = 4096, 64 * 1024 * 1024
"""Files that are whole, and their bytes, before they get their names: one sync brings them all to the disk."""
IN_PLACE = "in-place"
"""The policy that replaces what is there, as ``replace``, and gives the item the name that it has on this machine."""


@frozen
class RestoreOrder:
    """What was asked for: ``names`` are the fields that every answer about it has."""

    number: int
    target: Target
    destination: bytes
    policy: str
    created: float
    names: Row
    options: RestoreOptions = AS_SET
    is_taken_up: bool = False
    """Whether an earlier run of the node has begun it."""


class KeyOwner(Protocol):
    """Whose packs they are."""

    def ecc_map(self) -> str:
        """How pieces are made now."""

    def secrets(self, alias: str, epoch: int, /) -> tuple[bytes, ...]:
        """The storage secrets of a name: under one of them a pack was sealed."""


@frozen
class RestoreParts:
    """What downloads share; ``given_up`` are versions that nobody brings any more."""

    around: Connected
    catalog: Catalog
    fetcher: Fetcher
    sources: PackSources
    coding: ThreadQueue
    reserve: Reserve
    given_up: Callable[[], GivenUp] = none_given_up


class Restore(Job):
    """One download: the port of a `restore_worker` machine; ``ended`` is called at its end."""

    what = "downloading"

    def __init__(
        self, parts: RestoreParts, owner: KeyOwner, order: RestoreOrder, ended: "Callable[[Restore], None]"
    ) -> None:
        super().__init__(order.number, order.created, order.names)
        self._parts = parts
        self._owner = owner
        self._ended = ended
        self.target = order.target
        self.destination = order.destination
        self._policy = order.policy
        self._tree = Tree(order.destination)
        self._wishes = order.options.wanted(parts.around.settings)
        self._writer = FilesWriter(self._tree, order.policy, parts.reserve, self._wishes)
        self._writer.begun = order.created if order.is_taken_up else None
        self._coders = Coders()
        self.plan = RestorePlan()
        self.processed = 0
        self.blocks = 0
        self.reason: BaseException | None = None
        self._bad: set[FileWork] = set()
        self._lost: list[str] = []
        self._failures = 0
        self._packs: deque[bytes] = deque()
        self._needs: dict[bytes, list[tuple[FileWork, Run]]] = {}
        self._running: dict[bytes, tuple[Deferred[Any], int]] = {}
        self._fetched: Deferred[None] = Deferred()
        self._whole: list[FileWork] = []
        self._whole_bytes = 0
        self._is_ending = False
        self.machine = RestoreWorker(parts.around.registry, f"{order.names['path_id']}/{order.number}", self)

    def start(self) -> None:
        self.machine.send("start")

    def abort(self, reason: BitDustError) -> None:
        self.machine.send("stop", reason)

    def describe(self) -> Row:
        return {**self.names, "downloaded": False, "backup_id": self._backup_id}

    @property
    def _backup_id(self) -> str:
        version = self.target.version or self.plan.version
        return f"{self.names['path_id']}/{version}" if version else str(self.names["path_id"])

    # plan

    def make_plan(self) -> "Deferred[Any]":
        given_up = self._parts.given_up()
        return self._parts.catalog.read_in_thread(lambda database: self._plan(database, given_up)).addCallback(
            self._planned
        )

    def _plan(self, database: sqlite3.Connection, given_up: GivenUp) -> tuple[RestorePlan, list[Problem]]:
        plan = Planner(database, given_up, self._writer.capacity).make(self.target, self._name_there(database))
        self._tree.prepare()
        return plan, self._writer.survey(plan.files, database, self._owner.secrets)

    def _name_there(self, database: sqlite3.Connection) -> bytes | None:
        item = self.target.item
        source = source_of(database, item.path) if item is not None and self._policy == IN_PLACE else None
        return os.path.basename(source) or None if source is not None else None

    def _planned(self, found: tuple[RestorePlan, list[Problem]]) -> None:
        self.plan, problems = found
        self._lost += self.plan.given_up
        self._note(problems)
        pair([file for file in self.plan.files if file not in self._bad])
        for file in self.plan.files:
            self.processed += file.version.size - sum(run.size for run in file.runs)
            for run in file.runs if file not in self._bad else ():
                self._needs.setdefault(run.pack, []).append((file, run))
        self._packs.extend(pack for pack in pack_order(self.plan.files) if pack in self._needs)

    def _note(self, problems: list[Problem]) -> None:
        for problem in problems:
            if problem.file not in self._bad:
                if problem.what != CHANGED:
                    self._bad.add(problem.file)
                self._tell(problem.file.place.text, problem.reason, problem.what)

    def _tell(self, path: str, reason: str, what: str) -> None:
        self.plan.problems.append({"path": path, "reason": reason, "code": what})

    # packs

    def fetch_packs(self) -> "Deferred[Any]":
        fetched: Deferred[None] = Deferred(lambda _: self._cancel())
        self._fetched = fetched
        self._whole = [file for file in self.plan.files if not file.left and not file.leader and file not in self._bad]
        self._pump()
        return fetched

    def _cancel(self) -> None:
        self._packs.clear()
        for running, _ in list(self._running.values()):
            running.cancel()

    def _pump(self) -> None:
        """Keep as many packs on their way as memory allows."""
        while (
            self._packs
            and not self._fetched.called
            and not self._is_ending
            and (not self._running or self._load < self._parts.around.budget.restoring)
        ):
            pack = self._packs.popleft()
            running = Deferred.fromCoroutine(self._pack(pack))
            self._running[pack] = (running, self._size(pack))
            running.addCallback(self._packed, pack)
            running.addErrback(self._broken, pack)
        if not self._packs and not self._running and not self._fetched.called and not self._is_ending:
            Deferred.fromCoroutine(self._name_whole()).addCallbacks(self._all_fetched, self._end_fetching)

    def _all_fetched(self, _: object) -> None:
        if not self._fetched.called:
            self._fetched.callback(None)

    async def _name_whole(self) -> None:
        whole, self._whole, self._whole_bytes = self._whole, [], 0
        if whole:
            self._note(await self._parts.around.world.run_in_thread(self._writer.finish, whole))

    @property
    def _load(self) -> int:
        return sum(size for _, size in self._running.values())

    def _size(self, pack: bytes) -> int:
        row = self._parts.catalog.read.execute("SELECT size FROM packs WHERE pack=?", (pack,)).fetchone()
        return int(row[0]) if row is not None else 0

    async def _pack(self, pack: bytes) -> None:
        works = [(file, run) for file, run in self._needs.pop(pack) if file not in self._bad]
        if not works:
            return
        source, pieces = await self._parts.fetcher.current(self._parts.sources, pack)
        opened = await self._parts.coding.submit(self._open, source, pieces)
        written = await self._parts.around.world.run_in_thread(self._writer.write, opened, works)
        self.blocks += 1
        whole = self._count(written)
        self._whole += whole
        self._whole_bytes += sum(file.version.size for file in whole)
        if len(self._whole) >= MOST_TOGETHER or self._whole_bytes >= MOST_BYTES:
            await self._name_whole()

    def _open(self, source: PackSource, pieces: dict[int, bytes]) -> OpenPack:
        record = source.record
        secrets = self._owner.secrets(source.key, source.epoch)
        return unseal(pieces, record, secrets, self._coders.of(record.scheme))

    def _count(self, written: list[Written]) -> list[FileWork]:
        whole = []
        for one in written:
            if one.reason:
                self._note([Problem(one.file, one.reason)])
                continue
            self.processed += one.size
            one.file.left -= 1
            if one.file.left == 0:
                whole.append(one.file)
        return whole

    def _packed(self, _: object, pack: bytes) -> None:
        self._failures = 0
        self._running.pop(pack, None)
        self._pump()

    def _broken(self, failure: Failure, pack: bytes) -> None:
        """One pack that cannot be had costs its files only; several in a row mean that suppliers are away."""
        self._running.pop(pack, None)
        if self._fetched.called or self._is_ending:
            return
        if not failure.check(BitDustError) or getattr(failure.value, "code", "") == "disk-full":
            self._end_fetching(failure)
            return
        self._failures += 1
        self._lost.append(str(failure.value))
        needs = [file for file in self.plan.files if file.left and any(run.pack == pack for run in file.runs)]
        self._note([Problem(file, str(failure.value)) for file in needs])
        if self._failures >= GIVE_UP_AFTER:
            self._end_fetching(failure)
            return
        self._pump()

    def _end_fetching(self, failure: Failure) -> None:
        """What is whole by now comes back all the same. Packs that are cancelled for it are not what went wrong."""
        if not self._is_ending:
            self._is_ending = True
            self._cancel()
            naming = Deferred.fromCoroutine(self._name_whole())
            naming.addErrback(lambda _: None).addCallback(lambda _: self._failed_fetching(failure))

    def _failed_fetching(self, failure: Failure) -> None:
        if not self._fetched.called:
            self._fetched.errback(failure)

    # links and folders

    def finish_folders(self) -> "Deferred[Any]":
        return self._parts.around.world.run_in_thread(self._finish_folders)

    def _finish_folders(self) -> None:
        with self._tree.keeping():
            for file in self.plan.files:
                if file.leader is not None:
                    self._note(self._writer.link(file))
            for link in self.plan.links:
                self._told(link.place.text, partial(self._writer.make_link, link))
            folders = sorted(self.plan.folders, key=lambda one: -len(one.parts))
            for folder in folders:
                self._told(folder.text, partial(self._writer.finish_folder, folder))
            if not self._tree.sync():
                for folder in folders:
                    self._told(folder.text, partial(self._tree.sync_folder, folder.parts))
                self._tree.sync_folder(())

    def _told(self, path: str, call: Callable[[], list[str] | None]) -> None:
        """Report what is wrong with an entry."""
        try:
            for reason in call() or ():
                self._tell(path, reason, CHANGED)
        except Blocked as blocked:
            self._tell(path, str(blocked), blocked.what)

    # the end

    def done_safely(self) -> None:
        alone = self.target.item is not None and self.target.item.kind != "folder"
        left_out = [problem for problem in self.plan.problems if problem["code"] == LEFT_OUT]
        if self._lost or (alone and left_out):
            reason = self._lost[0] if self._lost else left_out[0]["reason"]
            self._fail(BitDustError("incomplete", reason))
            return
        self._finish(self.finished())

    def finished(self) -> Row:
        """What the API answers when everything is back."""
        counts = {"files": len(self.plan.files) - len(self._bad), "total_size": self.plan.total}
        return {**self.describe(), "downloaded": True, **counts, "problems": self.plan.problems}

    def _finish(self, result: Row | BitDustError) -> None:
        self.reason = result if isinstance(result, BitDustError) else None
        self._ended(self)
        self.end(result)

    def failed(self, reason: Any) -> None:
        error = getattr(reason, "value", reason)
        if not isinstance(error, BitDustError):
            self.log.error("downloading {path} failed: {reason!r}", path=self.shown, reason=error)
        self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """The phrases are those that existing clients look for."""
        code = getattr(error, "code", "failed")
        if code == "disk-full":
            self._parts.around.world.run_in_thread(self._writer.remove_parts, self._growing())
        lost = len(self._bad)
        more = f" ({lost} of {len(self.plan.files)} files did not come back)" if lost else ""
        text = f"downloading {self.shown} failed: {error}{more}{self._way_out()}"
        self._finish(BitDustError(code, text, problems=self.plan.problems[:100]))

    def _way_out(self) -> str:
        """The version before the newest one of the first file that did not come back, where there is one."""
        catalog, named = self._parts.catalog, self.target.version is not None
        for file in self.plan.files if catalog.is_open and not named else ():
            if file not in self._bad:
                continue
            before = [one for one in versions(catalog.read, file.item.path) if one.order < file.version.order]
            if before:
                return f"; an earlier version may: {path_of(catalog.read, file.item)}/{before[-1].version}"
        return ""

    def _growing(self) -> list[FileWork]:
        return [file for file in self.plan.files if not file.is_named]

    def aborted(self, reason: Any) -> None:
        if not self.is_suspended:
            self._parts.around.world.run_in_thread(self._writer.remove_parts, self._growing())
        error = getattr(reason, "value", reason)
        self._finish(error if isinstance(error, BitDustError) else BitDustError("stopped", str(error)))

    def row(self) -> Row:
        """As `files_downloads` shows a running job."""
        share = self.processed / self.plan.total if self.plan.total else 0.0
        return {
            **self.describe(),
            "version": self.target.version or self.plan.version,
            "local_path": shown(self.destination),
            "state": self.machine.state,
            "block_number": self.blocks,
            "eccmap": self._owner.ecc_map(),
            "bytes_processed": self.processed,
            "total_size": self.plan.total,
            "created": self.created,
            "aborted": False,
            "done": False,
            "progress": f"{100.0 * share:.0f}%",
        }
