"""The store as a whole: how full it is, what is in it, and the collection of what nobody needs."""

from collections.abc import AsyncIterator

from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld.cid import Cid
from bitdust.web.ipfs.arguments import BOOL, Option
from bitdust.web.ipfs.commands.node import REPO
from bitdust.web.ipfs.table import Answer, Call, Command, Json, Lines, Row
from bitdust.wire.errors import BitDustError
from bitdust.wire.sizes import in_words

FORMAT = f"fs-repo@{REPO}"


async def stat(room: IpfsRoom, call: Call) -> Answer:
    found = await room.store.stat()
    size, most = found.packed + found.index, found.allowed
    if call.options["human"]:
        sizes: Row = {"RepoSize": in_words(size), "StorageMax": in_words(most)}
    else:
        sizes = {"RepoSize": size, "StorageMax": most}
    if call.options["size-only"]:
        return Json(sizes)
    return Json({**sizes, "NumObjects": found.blocks, "RepoPath": str(room.folder), "Version": FORMAT})


async def version(room: IpfsRoom, call: Call) -> Answer:
    return Json({"Version": FORMAT})


async def verify(room: IpfsRoom, call: Call) -> Answer:
    return Lines(_verified(room))


async def _verified(room: IpfsRoom) -> AsyncIterator[Row]:
    """How many blocks were read, by portions; at the end those that cannot be, or that all can."""
    count, unread = 0, dict[Cid, str]()
    async for check in room.verify():
        unread = check.unread
        if check.blocks != count:
            count = check.blocks
            yield {"Msg": "", "Progress": count}
    for cid, why in unread.items():
        yield {"Msg": f"block {cid} was corrupt ({why})", "Progress": 0}
    if unread:
        raise BitDustError("damaged-block", "verify complete, some blocks were corrupt")
    yield {"Msg": "verify complete, all blocks validated.", "Progress": 0}


async def collect(room: IpfsRoom, call: Call) -> Answer:
    return Lines(_collected(room, bool(call.options["quiet"])))


async def _collected(room: IpfsRoom, quiet: bool) -> AsyncIterator[Row]:
    async for cid in room.collect():
        if not quiet:
            yield {"Key": {"/": str(cid)}}


async def local(room: IpfsRoom, call: Call) -> Answer:
    return Lines(_local(room))


async def _local(room: IpfsRoom) -> AsyncIterator[Row]:
    async for cid in room.every_block():
        yield {"Ref": str(cid), "Err": ""}


_HUMAN = Option(("human", "H"), BOOL, default=False)
ROWS = (
    Command(
        "repo/stat", stat, options=(Option(("size-only", "s"), BOOL, default=False), _HUMAN), aliases=("stats/repo",)
    ),
    Command("repo/verify", verify),
    Command("repo/version", version, options=(Option(("quiet", "q"), BOOL, default=False),)),
    Command(
        "repo/gc",
        collect,
        options=(Option(("quiet", "q"), BOOL, default=False), Option(("stream-errors",), BOOL, default=False)),
    ),
    Command("refs/local", local),
)
