"""IPFS on this node: whether it is on, where its clients find it, and how much it stores."""

from bitdust.api.arguments import Kind
from bitdust.api.context import Context, Row
from bitdust.api.envelope import Envelope, ok
from bitdust.api.table import Param, Route, method
from bitdust.ipfs.credentials import EVERYTHING, Authorization
from bitdust.ipfs.door import GATEWAY
from bitdust.wire.authorization import BASIC, BEARER
from bitdust.wire.errors import BitDustError

SERVICE, STORE, BACKUP = "ipfs", "block_store", "ipfs_backup"
MOST_PINS = 1000


@method(
    Route("GET", "/ipfs/status/v1", ("/ipfs",)),
    returns="{enabled, state, reason, port, address, gateway, blocks, bytes, storage_max, path, backup}",
)
async def ipfs_status(context: Context) -> Envelope:
    """Whether clients of IPFS are answered, at which port, and what is stored; ``bytes`` are on this disk, and at most
    ``storage_max`` of them. ``gateway`` is where browsers find the gateway, empty while it is closed. ``backup``
    is what suppliers have of what is pinned: ``{enabled, state, reason, doing, problem, segments, bytes}``."""
    return ok(await _status(context))


async def _status(context: Context) -> Row:
    info, port = context.driver.info(SERVICE), context.ipfs.port
    row: Row = {name: info[name] for name in ("enabled", "state", "reason")}
    row |= {"port": port, "address": f"/ip4/127.0.0.1/tcp/{port}/http" if port else ""}
    gateway = context.ipfs.gateway
    row["gateway"] = f"http://127.0.0.1:{gateway}" if gateway else ""
    return {**row, **await _stored(context)}


async def _stored(context: Context) -> Row:
    row: Row = {"blocks": 0, "bytes": 0, "storage_max": context.settings.get("services/block-store/storage-max")}
    if context.driver.is_on(SERVICE):
        room = context.ipfs.room
        stat = await room.store.stat()
        row |= {"blocks": stat.blocks, "bytes": stat.packed + stat.index, "path": str(room.folder)}
    return {**row, "backup": await _backup(context)}


async def _backup(context: Context) -> Row:
    info = context.driver.info(BACKUP)
    row: Row = {name: info[name] for name in ("enabled", "state", "reason")}
    row |= {"doing": "", "problem": "", "segments": 0, "bytes": 0}
    if context.driver.is_on(STORE):
        row |= await context.ipfs.backup.figures()
    return row


@method(Route("POST", "/ipfs/enable/v1"), returns="as ipfs_status")
async def ipfs_enable(context: Context) -> Envelope:
    """Store blocks, answer clients of IPFS, and keep what is pinned at my suppliers, from now on and after every
    start."""
    await context.driver.start(STORE)
    await context.driver.start(SERVICE)
    await context.driver.start(BACKUP)
    return ok(await _status(context))


@method(Route("POST", "/ipfs/disable/v1"), returns="as ipfs_status")
async def ipfs_disable(context: Context) -> Envelope:
    """Answer no clients of IPFS any more; what is stored stays on the disk, and at my suppliers."""
    await context.driver.stop(BACKUP)
    await context.driver.stop(SERVICE)
    await context.driver.stop(STORE)
    return ok(await _status(context))


@method(
    Route("GET", "/ipfs/pins/v1"),
    params=[
        Param("offset", Kind.INTEGER, 0, low=0, help="how many rows to leave out at the beginning"),
        Param("limit", Kind.INTEGER, 100, low=1, high=MOST_PINS, help="at most so many rows"),
    ],
    service=STORE,
    returns="[{cid, mode, name, backed_up, blocks_left, bytes_left}]",
)
async def ipfs_pins(context: Context, offset: int, limit: int) -> Envelope:
    """What stays, whatever is collected: named roots such as the directory of ``files/*`` (``mode`` is ``root``), then
    pins (``recursive`` or ``direct``). What is ``backed_up`` comes back with the key file; of what is not, so many
    blocks with so many bytes are still to be brought to the suppliers, or they do not know of the pin yet."""
    return ok(await context.ipfs.backup.pins(offset, limit))


@method(Route("POST", "/ipfs/gateway/enable/v1"), returns="as ipfs_status", errors=("port-taken",))
async def ipfs_gateway_enable(context: Context) -> Envelope:
    """Show content to browsers of this machine, from now on and after every start where IPFS is on."""
    context.settings.set(GATEWAY, True)
    await context.ipfs.open_gateway()
    return ok(await _status(context))


@method(Route("POST", "/ipfs/gateway/disable/v1"), returns="as ipfs_status")
async def ipfs_gateway_disable(context: Context) -> Envelope:
    """Show nothing to browsers any more."""
    context.settings.set(GATEWAY, False)
    await context.ipfs.close_gateway()
    return ok(await _status(context))


@method(Route("GET", "/ipfs/authorizations/v1"), returns="[{name, kind, paths}]")
def ipfs_authorizations(context: Context) -> Envelope:
    """Who may call the RPC of IPFS, and which of its commands. Without any, whoever reaches the port on this machine
    may call all of them."""
    return ok([_shown(one) for one in context.ipfs.credentials.all()])


@method(
    Route("POST", "/ipfs/authorizations/v1"),
    params=(
        Param("name", help="a name of your choice; the user name where the kind is basic", example="alice"),
        Param("kind", default=BEARER, help=f"{BEARER}: a token; {BASIC}: a user name and a password"),
        Param("paths", Kind.LIST, [EVERYTHING], help=f"what it may call, as {EVERYTHING}/pin or {EVERYTHING}/cat"),
    ),
    returns="{name, kind, paths, secret}",
    errors=("exists", "too-many"),
    only_here=True,
)
def ipfs_authorize(context: Context, name: str, kind: str, paths: list[str]) -> Envelope:
    """Let somebody call the RPC of IPFS with a secret that the node makes and shows this once: what it keeps is a hash.
    From the first one on, every client needs one; it goes into ``Authorization: Bearer SECRET``, or is the password."""
    if kind not in (BEARER, BASIC):
        raise BitDustError("bad-argument", f"kind is {BEARER} or {BASIC}")
    made, secret = context.ipfs.credentials.add(name, kind, tuple(paths))
    return ok({**_shown(made), "secret": secret})


@method(
    Route("DELETE", "/ipfs/authorizations/{name}/v1"),
    params=(Param("name", help="of an authorization", example="alice"),),
    returns="{name}",
    errors=("not-found",),
    only_here=True,
)
def ipfs_unauthorize(context: Context, name: str) -> Envelope:
    """Let it call no more, from its next call on. Without the last one, whoever reaches the port on this machine may
    call everything again, and nobody from elsewhere."""
    context.ipfs.credentials.remove(name)
    return ok({"name": name})


def _shown(one: Authorization) -> Row:
    return {"name": one.name, "kind": one.kind, "paths": list(one.paths)}
