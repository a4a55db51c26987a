"""Who a node is: this one, or another."""

import base64

from bitdust import __version__
from bitdust.ipfs.peerids import multiaddrs
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld.peerid import PeerId
from bitdust.web.ipfs.arguments import Argument, Option
from bitdust.web.ipfs.commands.key import BASE58, shown
from bitdust.web.ipfs.commands.kit import peer_of
from bitdust.web.ipfs.table import Answer, Call, Command, Json, Row
from bitdust.wire.errors import BitDustError

PROTOCOL = "ipfs/0.1.0"
AGENT = f"bitdust/{__version__}"
NOT_FOUND = "routing: not found"


async def identify(room: IpfsRoom, call: Call) -> Answer:
    """Of another one only what is known is told: its key, and where it is."""
    text, base = call.arguments["peerid"], call.options["peerid-base"]
    mine = (await room.keys.all())[0]
    peer = mine.id if text is None else peer_of(text)
    if peer == mine.id:
        key = b"" if mine.key is None else mine.key.public.encode()
        return Json(_row(peer, base, key, room.addresses(), AGENT))
    found = await room.outside.addresses_of(peer, room.is_offline)
    key = peer.key.encode() if peer.key is not None else b""
    if found is None:
        raise BitDustError("no-peer", NOT_FOUND)
    return Json(_row(peer, base, key, found, ""))


def _row(peer: PeerId, base: str, key: bytes, addresses: list[str], agent: str) -> Row:
    return {
        "ID": shown(peer, base),
        "PublicKey": base64.b64encode(key).decode(),
        "Addresses": [str(one) for one in multiaddrs(addresses, peer)],
        "AgentVersion": agent,
        "ProtocolVersion": PROTOCOL if agent else "",
        "Protocols": [],
    }


ROWS = (
    Command(
        "id",
        identify,
        (Argument("peerid", required=False),),
        (Option(("format", "f")), Option(("peerid-base",), default=BASE58)),
    ),
)
