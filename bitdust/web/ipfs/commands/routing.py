"""The hash table: where peers are, and who has what."""

from collections.abc import AsyncIterator, Iterable
from enum import IntEnum

from bitdust.ipfs.references import below
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipfs.routing import FoundPeer
from bitdust.ipld.cid import Cid
from bitdust.web.ipfs.arguments import BOOL, INT, Argument, BadCall, Option
from bitdust.web.ipfs.commands.kit import cid_of, peer_of
from bitdust.web.ipfs.table import Answer, Call, Command, Json, Lines, Row
from bitdust.wire.errors import BitDustError

NOT_FOUND = "routing: not found"


class Kind(IntEnum):
    """What an event of a query says."""

    FINAL_PEER = 2
    PROVIDER = 4
    VALUE = 5


def event(kind: Kind, peers: Iterable[FoundPeer] = (), ident: str = "", extra: str = "") -> Row:
    """One of a query, as version 0.6 shows it."""
    rows = [{"ID": str(one.peer), "Addrs": [str(each) for each in one.addresses]} for one in peers]
    return {"Extra": extra, "ID": ident, "Responses": rows, "Type": int(kind)}


async def find_peer(room: IpfsRoom, call: Call) -> Answer:
    """One event: the Python client takes one alone."""
    found = await room.nodes.find_peer(peer_of(call.arguments["peerID"]))
    if found is None:
        raise BitDustError("no-peer", NOT_FOUND)
    return Json(event(Kind.FINAL_PEER, [found]))


async def find_providers(room: IpfsRoom, call: Call) -> Answer:
    most = call.options["num-providers"]
    if most < 1:
        raise BadCall("number of providers must be greater than 0")
    return Lines(_providers(room, cid_of(call.arguments["key"]), most))


async def _providers(room: IpfsRoom, cid: Cid, most: int) -> AsyncIterator[Row]:
    async for one in room.nodes.routing.providers(cid, most):
        yield event(Kind.PROVIDER, [await room.nodes.routing.addresses_of(one)])


async def query(room: IpfsRoom, call: Call) -> Answer:
    peer = peer_of(call.arguments["peerID"])
    return Lines(_closest(await room.nodes.routing.closest(peer)))


async def _closest(found: list[FoundPeer]) -> AsyncIterator[Row]:
    for one in found:
        yield event(Kind.FINAL_PEER, [one], str(one.peer))


async def provide(room: IpfsRoom, call: Call) -> Answer:
    cids = [cid_of(text) for text in call.arguments["key"]]
    for cid in cids:
        if not await room.store.has(cid):
            raise BitDustError("not-here", f"block {cid} not found locally, cannot provide")
    return Lines(_provided(room, cids, bool(call.options["recursive"])))


async def _provided(room: IpfsRoom, roots: list[Cid], recursive: bool) -> AsyncIterator[Row]:
    me = str(room.nodes.swarm.me())
    for root in roots:
        await room.nodes.routing.provide(root)
        yield event(Kind.FINAL_PEER, ident=me, extra=str(root))
        if recursive:
            async for one in below(room.stored, [root], unique=True):
                await room.nodes.routing.provide(one.cid)
                yield event(Kind.FINAL_PEER, ident=me, extra=str(one.cid))


_VERBOSE = Option(("verbose", "v"), BOOL, default=False)
ROWS = (
    Command(
        "dht/findpeer",
        find_peer,
        (Argument("peerID"),),
        (_VERBOSE,),
        asks_peers=True,
        aliases=("routing/findpeer",),
    ),
    Command(
        "dht/findprovs",
        find_providers,
        (Argument("key"),),
        (_VERBOSE, Option(("num-providers", "n"), INT, default=20)),
        asks_peers=True,
        aliases=("routing/findprovs",),
    ),
    Command("dht/query", query, (Argument("peerID"),), (_VERBOSE,), asks_peers=True),
    Command(
        "dht/provide",
        provide,
        (Argument("key", variadic=True),),
        (_VERBOSE, Option(("recursive", "r"), BOOL, default=False)),
        asks_peers=True,
        aliases=("routing/provide",),
    ),
)
