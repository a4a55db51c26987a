"""How far pins are backed up, in words and figures."""

from collections.abc import AsyncIterator
from typing import Any

from attrs import asdict

from bitdust.blocks.pinning import FIRST
from bitdust.blocks.store import BlockStore
from bitdust.blocks.values import Mode, Pin

NAMES = {Mode.DIRECT: "direct", Mode.RECURSIVE: "recursive"}
ROOT = "root"
Row = dict[str, Any]


async def rows(store: BlockStore, offset: int, limit: int) -> list[Row]:
    """Roots, then pins: so many, after so many. A pin is backed up when suppliers have its blocks and know of it."""
    found: list[Row] = []
    left = offset
    async for pin, kind in _every(store):
        if left:
            left -= 1
            continue
        found.append(await _row(store, pin, kind))
        if len(found) >= limit:
            break
    return found


async def _every(store: BlockStore) -> AsyncIterator[tuple[Pin, str]]:
    for name, cid in sorted((await store.roots()).items()):
        yield Pin(cid, Mode.RECURSIVE, name), ROOT
    after = FIRST
    while page := await store.pins(None, after):
        for after, pin in page:  # noqa: B007 - the last one counts
            yield pin, NAMES[pin.mode]


async def _row(store: BlockStore, pin: Pin, kind: str) -> Row:
    saved = await store.saving.of_pin(pin)
    is_told = saved.is_told
    if kind == ROOT:
        changes, told = await store.saving.facts("changes", "told_changes")
        is_told = changes == told
    return {
        "cid": str(pin.cid),
        "mode": kind,
        "name": pin.name.encode(errors="surrogateescape").decode(errors="replace"),
        "backed_up": is_told and not saved.blocks,
        "blocks_left": saved.blocks,
        "bytes_left": saved.bytes,
    }


async def figures(store: BlockStore) -> Row:
    """How much suppliers have."""
    return asdict(await store.saving.figures())
