"""Nodes of the hash table that are asked first."""

from bitdust.ipfs.room import IpfsRoom
from bitdust.web.ipfs.arguments import BOOL, Argument, BadCall, Option
from bitdust.web.ipfs.table import Answer, Call, Command, Json

PEERS = Argument("peer", required=False, variadic=True)


async def show(room: IpfsRoom, call: Call) -> Answer:
    return Json({"Peers": room.nodes.bootstrap.peers()})


async def add(room: IpfsRoom, call: Call) -> Answer:
    if call.options["default"]:
        return await add_default(room, call)
    given = _need(call)
    room.nodes.bootstrap.add(given)
    return Json({"Peers": given})


async def add_default(room: IpfsRoom, call: Call) -> Answer:
    return Json({"Peers": room.nodes.bootstrap.add_default()})


async def remove(room: IpfsRoom, call: Call) -> Answer:
    if call.options["all"]:
        return await remove_all(room, call)
    given = _need(call)
    room.nodes.bootstrap.remove(given)
    return Json({"Peers": given})


async def remove_all(room: IpfsRoom, call: Call) -> Answer:
    return Json({"Peers": room.nodes.bootstrap.remove_all()})


def _need(call: Call) -> list[str]:
    given: list[str] = call.arguments["peer"]
    if not given:
        raise BadCall('argument "peer" is required')
    return given


ROWS = (
    Command("bootstrap", show, aliases=("bootstrap/list",)),
    Command("bootstrap/add", add, (PEERS,), (Option(("default",), BOOL, default=False),)),
    Command("bootstrap/add/default", add_default),
    Command("bootstrap/rm", remove, (PEERS,), (Option(("all",), BOOL, default=False),)),
    Command("bootstrap/rm/all", remove_all),
)
