"""IPFS on this node: whether it is on, where its clients find it, and how much it stores."""

from bitdust.api.context import Context, Row
from bitdust.api.envelope import Envelope, ok
from bitdust.api.table import Route, method

SERVICE, STORE = "ipfs", "block_store"


@method(
    Route("GET", "/ipfs/status/v1", ("/ipfs",)),
    returns="{enabled, state, reason, port, address, blocks, bytes, storage_max, path}",
)
async def ipfs_status(context: Context) -> Envelope:
    """Whether clients of IPFS are answered, at which port, and what is stored; ``bytes`` are on this disk, and at most
    ``storage_max`` of them."""
    return ok(await _status(context))


async def _status(context: Context) -> Row:
    info, port = context.driver.info(SERVICE), context.ipfs.port
    row: Row = {name: info[name] for name in ("enabled", "state", "reason")}
    row |= {"port": port, "address": f"/ip4/127.0.0.1/tcp/{port}/http" if port else ""}
    return {**row, **await _stored(context)}


async def _stored(context: Context) -> Row:
    row: Row = {"blocks": 0, "bytes": 0, "storage_max": context.settings.get("services/block-store/storage-max")}
    if context.driver.is_on(SERVICE):
        room = context.ipfs.room
        stat = await room.store.stat()
        row |= {"blocks": stat.blocks, "bytes": stat.packed + stat.index, "path": str(room.folder)}
    return row


@method(Route("POST", "/ipfs/enable/v1"), returns="as ipfs_status")
async def ipfs_enable(context: Context) -> Envelope:
    """Store blocks, and answer clients of IPFS, from now on and after every start."""
    await context.driver.start(STORE)
    await context.driver.start(SERVICE)
    return ok(await _status(context))


@method(Route("POST", "/ipfs/disable/v1"), returns="as ipfs_status")
async def ipfs_disable(context: Context) -> Envelope:
    """Answer no clients of IPFS any more; what is stored stays on the disk."""
    await context.driver.stop(SERVICE)
    await context.driver.stop(STORE)
    return ok(await _status(context))
