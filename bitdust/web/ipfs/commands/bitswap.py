"""The exchange of blocks: what is wanted, and what came and went."""

from bitdust.ipfs.exchange.partners import Ledger
from bitdust.ipfs.room import IpfsRoom
from bitdust.web.ipfs.arguments import BOOL, Argument, Option
from bitdust.web.ipfs.commands.kit import peer_of
from bitdust.web.ipfs.table import Answer, Call, Command, Json, Row


async def wantlist(room: IpfsRoom, call: Call) -> Answer:
    """Of this node. Nobody keeps what others want: of them it is empty."""
    named = call.options["peer"] or call.arguments["peer"]
    is_mine = not named or peer_of(named) == room.nodes.swarm.me()
    return Json({"Keys": _wanted(room) if is_mine else []})


def _wanted(room: IpfsRoom) -> list[Row]:
    return [{"/": str(cid)} for cid in room.nodes.exchange.wantlist()]


async def stat(room: IpfsRoom, call: Call) -> Answer:
    nodes = room.nodes
    counts, wanted = nodes.exchange.counts, _wanted(room)
    return Json(
        {
            "ProvideBufLen": nodes.providing.waiting,
            "Wantlist": wanted,
            "Peers": sorted(str(peer) for peer in nodes.swarm.partners()),
            "BlocksReceived": counts.blocks_received,
            "DataReceived": counts.data_received,
            "BlocksSent": counts.blocks_sent,
            "DataSent": counts.data_sent,
            "DupBlksReceived": counts.duplicate_blocks,
            "DupDataReceived": counts.duplicate_data,
            "MessagesReceived": counts.messages,
        }
    )


async def ledger(room: IpfsRoom, call: Call) -> Answer:
    peer = peer_of(call.arguments["peer"])
    found = room.nodes.swarm.ledger(peer) or Ledger()
    return Json(
        {
            "Peer": str(peer),
            "Value": found.debt,
            "Sent": found.sent_bytes,
            "Recv": found.received_bytes,
            "Exchanged": found.messages,
        }
    )


async def reprovide(room: IpfsRoom, call: Call) -> Answer:
    room.nodes.providing.again()
    return None


_STAT = (Option(("verbose", "v"), BOOL, default=False), Option(("human",), BOOL, default=False))
ROWS = (
    Command("bitswap/wantlist", wantlist, (Argument("peer", required=False),), (Option(("peer", "p")),)),
    Command("bitswap/stat", stat, options=_STAT, aliases=("stats/bitswap",)),
    Command("bitswap/ledger", ledger, (Argument("peer"),)),
    Command("bitswap/reprovide", reprovide, asks_peers=True),
)
