"""Blocks out of segments, one at a time: of a segment only those packs are brought that hold the block."""

from twisted.internet.defer import Deferred

from bitdust.blocks.backup.segments import CAR
from bitdust.blocks.backup.shelf import Shelf
from bitdust.blocks.store import BlockStore
from bitdust.ipld.cid import Cid


class SegmentSource:
    """I am a `BlockSource`: I answer for what is in a segment, and at once for what is not."""

    def __init__(self, store: BlockStore, shelf: Shelf) -> None:
        self._store = store
        self._shelf = shelf

    def fetch(self, cid: Cid) -> "Deferred[bytes | None]":
        """The block, or None. Fails as the shelf does."""
        return Deferred.fromCoroutine(self._fetch(cid))

    async def _fetch(self, cid: Cid) -> bytes | None:
        spot = await self._store.saving.spot(cid)
        if spot is None:
            return None
        return await self._shelf.read(spot.segment + CAR, spot.offset, spot.size)
