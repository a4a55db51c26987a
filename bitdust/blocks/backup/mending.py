"""Segments that are gone from the suppliers, because another device of mine has removed them, or a disaster has.

What of them is on this disk is in no segment any more, and is brought again. What is away is looked for in all other
segments that there are: a device that rewrites a segment leaves its blocks in another one.
"""

from twisted.logger import Logger

from bitdust.blocks.backup.formats import read_index
from bitdust.blocks.backup.segments import CAR, INDEX
from bitdust.blocks.backup.shelf import Shelf
from bitdust.blocks.saved import Placed, SegmentState
from bitdust.blocks.store import BlockStore
from bitdust.outcome import outcome
from bitdust.surroundings import Surroundings

UNPLACED = "unplaced"
_log = Logger()


async def mend(around: Surroundings, store: BlockStore, shelf: Shelf) -> None:
    """See that each segment is there, and find what is in none; what cannot be read now is tried the next time."""
    if not shelf.secrets():
        return
    versions = await shelf.versions()
    there = {name.removesuffix(INDEX) for name in versions if name.endswith(INDEX)}
    there = {name for name in there if name + CAR in versions}
    gone = [one.name for one in await store.saving.segments(SegmentState.STORED) if one.name not in there]
    for name in gone:
        _log.warn("the segment {name} of blocks is gone from the suppliers", name=name)
        await store.saving.lose(name)
    (before,) = await store.saving.facts(UNPLACED)
    if not gone and not before:
        return
    missing = await store.saving.unplaced()
    for name in sorted(there) if missing else ():
        read = await outcome(shelf.read(name + INDEX))
        if read.error is not None:
            _log.info("the index of segment {name} cannot be had now: {why}", name=name, why=read.error)
            continue
        described = await outcome(around.world.run_in_thread(read_index, read.value))
        found = [one for one in described.value[1] if one.cid.multihash in missing] if not described.error else []
        if found:
            await store.saving.store(name, [Placed(one.cid, one.offset, one.size) for one in found])
            missing -= {one.cid.multihash for one in found}
    await store.saving.note({UNPLACED: len(missing)})
