"""Signs of life of peers."""

from collections.abc import AsyncIterator

from twisted.internet.task import deferLater

from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld.peerid import PeerId
from bitdust.web.ipfs.arguments import INT, Argument, BadCall, Option
from bitdust.web.ipfs.commands.kit import peer_of
from bitdust.web.ipfs.table import Answer, Call, Command, Lines, Row
from bitdust.wire.errors import BitDustError

BETWEEN = 1.0
"""Seconds from one to the next."""
MOST = 1000


async def ping(room: IpfsRoom, call: Call) -> Answer:
    count = call.options["count"]
    if not 0 < count <= MOST:
        raise BadCall(f"ping count must be greater than 0, and at most {MOST}")
    peers = [peer_of(text) for text in call.arguments["peer-id"]]
    if room.nodes.swarm.me() in peers:
        raise BitDustError("bad-argument", "error: can't ping self")
    return Lines(_pings(room, peers, count), live=True)


async def _pings(room: IpfsRoom, peers: list[PeerId], count: int) -> AsyncIterator[Row]:
    for peer in peers:
        async for row in _pings_of(room, peer, count):
            yield row


async def _pings_of(room: IpfsRoom, peer: PeerId, count: int) -> AsyncIterator[Row]:
    seen = room.nodes.swarm.find(peer)
    if seen is None:
        yield _row(f"Looking up peer {peer}")
        try:
            seen = await room.nodes.reach(peer)
        except BitDustError as error:
            yield _row(f"Peer lookup error: {error}", is_there=False)
            return
    yield _row(f"PING {peer}.")
    took: list[float] = []
    for number in range(count):
        if number:
            await deferLater(room.nodes.clock, BETWEEN)
        try:
            took.append(await room.nodes.swarm.ping(seen))
        except BitDustError as error:
            yield _row(f"Ping error: {error}", is_there=False)
            return
        yield {"Success": True, "Text": "", "Time": _nanoseconds(took[-1])}
    yield _row(f"Average latency: {sum(took) / len(took) * 1000:.2f}ms")


def _row(text: str, is_there: bool = True) -> Row:
    return {"Success": is_there, "Text": text, "Time": 0}


def _nanoseconds(seconds: float) -> int:
    return max(1, round(seconds * 1e9))


_COUNT = Option(("count", "n"), INT, default=10)
ROWS = (Command("ping", ping, (Argument("peer-id", variadic=True),), (_COUNT,), asks_peers=True),)
