"""Bytes out of the middle of a stored file: only the packs that hold them are brought, each once for all who wait.

Packs that were opened last stay in memory for a minute, so that who reads a file from its beginning to its end, a piece
at a time, has each pack brought once.
"""

from collections import OrderedDict
from collections.abc import Iterator

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from bitdust.storage.catalog.catalog import Catalog
from bitdust.storage.catalog.database import CatalogError
from bitdust.storage.catalog.paths import Target, version_at
from bitdust.storage.packs.erasure import Coders
from bitdust.storage.packs.pack import OpenPack, unseal
from bitdust.storage.pieces.locations import PackSource
from bitdust.storage.restore.plan import FileWork, Planner, Run
from bitdust.storage.restore.restore import KeyOwner, RestoreParts
from bitdust.wire.errors import BitDustError

LONGEST = 64 * 1024 * 1024
"""Bytes that are given at once."""
KEPT_BYTES = 16 * 1024 * 1024
"""Bytes of opened packs that stay in memory; the last one stays, however large it is."""
KEPT_SECONDS = 60.0
KEPT_PLANS = 64


@define
class _Kept:
    pack: OpenPack
    size: int


class Ranges:
    """I read ranges of files of one catalog."""

    def __init__(self, parts: RestoreParts, owner: KeyOwner) -> None:
        self._parts = parts
        self._owner = owner
        self._catalog: Catalog = parts.catalog
        self._coders = Coders()
        self._plans: OrderedDict[tuple[str, str], FileWork] = OrderedDict()
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._coming: dict[bytes, list[Deferred[OpenPack]]] = {}
        self._forgetting: IDelayedCall | None = None
        self._is_open = True

    async def read(self, target: Target, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of the newest version of a file, or of the one that is named; fewer where it ends.

        Raises ``not-found`` and ``incomplete`` as a download does, ``not-enough-pieces``, and ``too-large`` for more
        than can be had at once.
        """
        file = await self._file(target)
        end = file.version.size if length is None else min(file.version.size, offset + length)
        if end - offset > LONGEST:
            raise BitDustError("too-large", f"{end - offset} bytes are read at once; at most {LONGEST} can be")
        data = bytearray(max(0, end - offset))
        for run in file.runs:
            if run.offset < end and run.offset + run.size > offset:
                pack = await self._opened(run.pack)
                await self._parts.around.world.run_in_thread(_copy, pack, run, data, offset)
        return bytes(data)

    async def _file(self, target: Target) -> FileWork:
        """Which chunks a version has: versions do not change."""
        if target.item is None or target.item.kind == "folder":
            raise CatalogError("bad-name", "only files can be read from the middle")
        version = version_at(self._catalog.read, target.item.path, target.version)
        if version is None:
            raise CatalogError("not-found", "there is no version of the file that is to be read")
        key = (version.path, version.version)
        found = self._plans.get(key)
        if found is None:
            given_up = self._parts.given_up()
            plan = await self._catalog.read_in_thread(lambda database: Planner(database, given_up).make(target))
            if not plan.files:
                raise CatalogError("incomplete", "the version that is asked for is no file that can be read")
            found = self._plans[key] = plan.files[0]
            if len(self._plans) > KEPT_PLANS:
                self._plans.popitem(last=False)
        self._plans.move_to_end(key)
        return found

    async def _opened(self, pack: bytes) -> OpenPack:
        kept = self._kept.get(pack)
        if kept is not None:
            self._kept.move_to_end(pack)
            return kept.pack
        waiters = self._coming.get(pack)
        if waiters is not None:
            waiter: Deferred[OpenPack] = Deferred()
            waiters.append(waiter)
            return await waiter
        self._coming[pack] = []
        try:
            opened = await self._bring(pack)
        except BaseException as error:
            for one in self._coming.pop(pack):
                one.errback(error)
            raise
        for one in self._coming.pop(pack):
            one.callback(opened)
        return opened

    async def _bring(self, pack: bytes) -> OpenPack:
        source, pieces = await self._parts.fetcher.current(self._parts.sources, pack)
        opened: OpenPack = await self._parts.coding.submit(self._open, source, pieces)
        self._keep(pack, _Kept(opened, source.record.size))
        return opened

    def _open(self, source: PackSource, pieces: dict[int, bytes]) -> OpenPack:
        record = source.record
        return unseal(pieces, record, self._owner.secrets(source.key, source.epoch), self._coders.of(record.scheme))

    def _keep(self, pack: bytes, kept: _Kept) -> None:
        if not self._is_open:
            return
        self._kept[pack] = kept
        while len(self._kept) > 1 and sum(one.size for one in self._kept.values()) > KEPT_BYTES:
            self._kept.popitem(last=False)
        if self._forgetting is not None and self._forgetting.active():
            self._forgetting.reset(KEPT_SECONDS)
        else:
            self._forgetting = self._parts.around.world.clock.callLater(KEPT_SECONDS, self._kept.clear)

    def stop(self) -> None:
        """Keep nothing any more."""
        self._is_open = False
        self._kept.clear()
        self._plans.clear()
        if self._forgetting is not None and self._forgetting.active():
            self._forgetting.cancel()


def _copy(pack: OpenPack, run: Run, data: bytearray, begin: int) -> None:
    """What a run has of the bytes from ``begin`` on, into their place; for a thread."""
    end = begin + len(data)
    for number, at, length in _chunks(run):
        if at < end and at + length > begin:
            chunk = memoryview(pack.chunk(number))
            first, last = max(begin, at), min(end, at + length)
            data[first - begin : last - begin] = chunk[first - at : last - at]


def _chunks(run: Run) -> Iterator[tuple[int, int, int]]:
    """Number, place in the file and length of each."""
    at = run.offset
    for number, length in enumerate(run.lengths, run.first):
        yield number, at, length
        at += length
