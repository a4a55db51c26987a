"""A home that has no backup yet takes over what suppliers hold: indexes of segments, then pins, roots and records.

No block is read: what the indexes tell of each block, and of what it links to, is enough to pin it. Everything may be
done again after a crash.
"""

from twisted.logger import Logger

from bitdust.blocks.backup.formats import Told, read_index
from bitdust.blocks.backup.others import FOR_GOOD, Others, heirs
from bitdust.blocks.backup.segments import CAR, INDEX
from bitdust.blocks.backup.shelf import Records, Shelf
from bitdust.blocks.store import BlockStore
from bitdust.blocks.values import Pin, Root, State
from bitdust.ipld.cid import Cid
from bitdust.outcome import outcome
from bitdust.surroundings import Surroundings
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError

TAKEN = "taken:"
"""Before the name of a state, the fact when it was told."""
NOT_WHOLE = "not whole: "
"""Before the CID, the name of a root that keeps what is left of a pin."""
PLACE_TAKEN = "from a lost home: "
"""Before the name of a root that a pin keeps, because this home has another one of that name."""


class Adoption:
    """One run. ``lost`` says which pins have not come back whole; ``lease`` is ended by who has made me."""

    log = Logger()

    def __init__(self, around: Surroundings, store: BlockStore, shelf: Shelf, records: dict[str, Records]) -> None:
        self._around = around
        self._store = store
        self._shelf = shelf
        self._records = records
        self.lease = store.lease()
        self.lost: list[str] = []
        self.segments = self.pins = 0

    async def run(self) -> None:
        """Fails where something cannot be had now that could be had later."""
        versions = await self._shelf.versions()
        for name in sorted(versions):
            segment = name.removesuffix(INDEX)
            if segment != name and segment + CAR in versions:
                await self._segment(segment)
        found = await Others(self._around, self._shelf).states()
        states = heirs(found)
        for told in states:
            for pin in told.pins:
                await self._pin(pin)
            for name, data in told.records.items():
                await self._join(name, data)
        if states:
            await self._roots(states[-1])
        await self._store.saving.note({TAKEN + name: told.time for name, told in found.items()})
        if self.pins:
            counts = {"pins": self.pins, "segments": self.segments, "lost": len(self.lost)}
            self._around.events.send("pins-restored", counts)

    async def _segment(self, name: str) -> None:
        read = await outcome(self._shelf.read(name + INDEX))
        if read.error is not None and read.code not in FOR_GOOD:
            raise read.error
        try:
            if read.error is not None:
                raise read.error
            _, blocks = await self._around.world.run_in_thread(read_index, read.value)
        except BitDustError as error:
            self.log.warn("a segment of blocks does not come back: {why}", why=error)
            return
        await self._store.saving.adopt(self.lease, name, blocks)
        self.segments += 1

    async def _pin(self, pin: Pin) -> None:
        pinned = await outcome(self._store.apply(pin))
        if pinned.error is None or pinned.code == "already-pinned":
            self.pins += 1
            return
        if pinned.code not in ("not-found", "unreadable"):
            raise pinned.error
        self.lost.append(f"{pin.cid}: {pinned.error}")
        if await self._is_known(pin.cid):
            await self._store.apply(Root(f"{NOT_WHOLE}{pin.cid}", pin.cid))

    async def _join(self, name: str, data: bytes) -> None:
        records = self._records.get(name)
        if records is None:
            return
        try:
            await records.join(data)
        except WireError as error:
            self.log.warn("{name} do not come back: {why}", name=name, why=error)

    async def _is_known(self, cid: Cid) -> bool:
        (row,) = await self._store.rows([cid])
        return cid.is_inline or (row is not None and row.state is not State.ABSENT)

    async def _roots(self, told: Told) -> None:
        here = await self._store.roots()
        for name, cid in told.roots.items():
            if not await self._is_known(cid):
                self.lost.append(f"{name} ({cid}) is in no segment")
            elif name not in here or await self._is_empty(here[name]):
                await self._store.apply(Root(name, cid))
            elif here[name] != cid:
                await self._store.apply(Root(PLACE_TAKEN + name, cid))

    async def _is_empty(self, cid: Cid) -> bool:
        """Whether nothing is below a root that this home has made by itself."""
        (row,) = await self._store.rows([cid])
        return row is not None and not await self._store.links(row.id, most=1)
