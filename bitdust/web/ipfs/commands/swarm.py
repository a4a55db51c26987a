"""Peers that are connected."""

from bitdust.ipfs.room import IpfsRoom
from bitdust.ipfs.swarm import SeenPeer
from bitdust.ipld.multiaddr import Multiaddr
from bitdust.web.ipfs.arguments import BOOL, Argument, Option
from bitdust.web.ipfs.commands.kit import peer_of
from bitdust.web.ipfs.table import Answer, Call, Command, Json, Row
from bitdust.wire.errors import BitDustError

INBOUND, OUTBOUND = 1, 2
ADDRESSES = Argument("address", variadic=True)


def whole(given: list[str]) -> list[str]:
    """The addresses that are meant: the Python client gives the first one once more, letter by letter."""
    return given[:1] if len(given) > 1 and "".join(given[1:]) == given[0] else given


async def peers(room: IpfsRoom, call: Call) -> Answer:
    verbose = bool(call.options["verbose"])
    return Json({"Peers": [_row(seen, call.options, verbose) for seen in room.nodes.swarm.peers()]})


def _row(seen: SeenPeer, options: Row, verbose: bool) -> Row:
    way = OUTBOUND if seen.is_outbound else INBOUND
    return {
        "Addr": str(seen.address or ""),
        "Peer": str(seen.peer),
        "Latency": "",
        "Muxer": "",
        "Direction": way if verbose or options["direction"] else 0,
        "Streams": [] if verbose or options["streams"] else None,
    }


async def connect(room: IpfsRoom, call: Call) -> Answer:
    told: list[str] = []
    for text in whole(call.arguments["address"]):
        try:
            peer = await room.nodes.connect(Multiaddr.parse(text))
        except BitDustError as error:
            raise BitDustError(error.code, f"connect {text} failure: {error}") from error
        told.append(f"connect {peer} success")
    return Json({"Strings": told})


async def disconnect(room: IpfsRoom, call: Call) -> Answer:
    wanted = [peer_of(text) for text in whole(call.arguments["address"])]
    ended = room.nodes.swarm.disconnect(wanted)
    words = [
        f"disconnect {peer} success" if peer in ended else f"disconnect {peer} failure: conn not found"
        for peer in wanted
    ]
    return Json({"Strings": words})


async def addresses(room: IpfsRoom, call: Call) -> Answer:
    found = room.nodes.swarm.addresses()
    return Json({"Addrs": {str(peer): [str(one) for one in known] for peer, known in found.items()}})


async def local(room: IpfsRoom, call: Call) -> Answer:
    peer = room.nodes.swarm.me() if call.options["id"] else None
    return Json({"Strings": [str(one) for one in room.nodes.swarm.listening(peer)]})


async def filters(room: IpfsRoom, call: Call) -> Answer:
    return Json({"Strings": room.nodes.swarm.filters()})


async def add_filters(room: IpfsRoom, call: Call) -> Answer:
    given = whole(call.arguments["address"])
    room.nodes.swarm.add_filters(given)
    return Json({"Strings": given})


async def remove_filters(room: IpfsRoom, call: Call) -> Answer:
    given = whole(call.arguments["address"])
    if given == ["all"]:
        given = room.nodes.swarm.filters()
    room.nodes.swarm.remove_filters(given)
    return Json({"Strings": given})


_FLAGS = tuple(Option((name,), BOOL, default=False) for name in ("latency", "streams", "direction"))
ROWS = (
    Command("swarm/peers", peers, options=(Option(("verbose", "v"), BOOL, default=False), *_FLAGS)),
    Command("swarm/connect", connect, (ADDRESSES,), asks_peers=True),
    Command("swarm/disconnect", disconnect, (ADDRESSES,)),
    Command("swarm/addrs", addresses),
    Command("swarm/addrs/local", local, options=(Option(("id",), BOOL, default=False),)),
    Command("swarm/addrs/listen", local, options=(Option(("id",), BOOL, default=False),)),
    Command("swarm/filters", filters),
    Command("swarm/filters/add", add_filters, (ADDRESSES,)),
    Command("swarm/filters/rm", remove_filters, (ADDRESSES,)),
)
