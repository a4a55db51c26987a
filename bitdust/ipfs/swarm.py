"""Peers that are connected, as clients of IPFS see them: the node's own sessions, each with one device."""

from collections.abc import Iterable
from typing import Any

from attrs import frozen

from bitdust.identity.me import Me
from bitdust.ipfs.exchange.partners import Partners, key_of
from bitdust.ipfs.peerids import address_of, multiaddrs, my_id, peer_id
from bitdust.ipld.multiaddr import Multiaddr
from bitdust.ipld.peerid import PeerId
from bitdust.transport.gateway import Gateway
from bitdust.wire.errors import BitDustError


@frozen
class SeenPeer:
    """A peer that is connected: who it is, where, and whether this node has called it."""

    peer: PeerId
    address: Multiaddr | None
    is_outbound: bool
    session: Any


class Swarm:
    """I show sessions, and begin and end them where a person wants it."""

    def __init__(self, gateway: Gateway, me: Me, partners: Partners) -> None:
        self._gateway = gateway
        self._me = me
        self._partners = partners

    def peers(self) -> list[SeenPeer]:
        """Everybody who is connected, by peer id."""
        found = [seen for session in self._gateway.sessions() if (seen := _seen(session)) is not None]
        return sorted(found, key=lambda seen: str(seen.peer))

    def find(self, peer: PeerId) -> SeenPeer | None:
        """A peer that is connected."""
        return next((seen for seen in self.peers() if seen.peer == peer), None)

    def me(self) -> PeerId:
        """This node. Raises `BitDustError` ``no-identity``."""
        return my_id(self._me)

    def listening(self, peer: PeerId | None = None) -> list[Multiaddr]:
        """Where this node can be reached, with a peer id behind each."""
        return multiaddrs(self._gateway.addresses(), peer)

    def addresses(self) -> dict[PeerId, list[Multiaddr]]:
        """Where those who are connected can be reached, as they say, and where they are connected."""
        found: dict[PeerId, list[Multiaddr]] = {}
        for seen in self.peers():
            told = multiaddrs(getattr(seen.session.peer, "addresses", ()))
            here = [seen.address] if seen.address is not None else []
            found[seen.peer] = list(dict.fromkeys([*told, *here]))
        return found

    async def connect(self, where: Multiaddr) -> PeerId:
        """Connect to a peer, and ask it for blocks from now on. Raises ``wrong-peer`` where another one answers."""
        wanted = where.peer
        if wanted is not None and self._me.present and wanted == my_id(self._me):
            raise BitDustError("bad-argument", "dial to self attempted")
        seen = self.find(wanted) if wanted is not None else None
        if seen is None:
            seen = await self._dial(where)
        self._partners.name(key_of(seen.session))
        return seen.peer

    async def _dial(self, where: Multiaddr) -> SeenPeer:
        session = await self._gateway.dial(address_of(where), None, anywhere=True)
        seen = _seen(session)
        if seen is None or (where.peer is not None and seen.peer != where.peer):
            session.close("stopping", "another peer was expected here")
            raise BitDustError("wrong-peer", f"{where} is another peer: {seen.peer if seen else 'unknown'}")
        return seen

    def disconnect(self, peers: Iterable[PeerId]) -> list[PeerId]:
        """End sessions with these peers; those that there were."""
        ended: list[PeerId] = []
        for peer in peers:
            seen = self.find(peer)
            if seen is not None:
                self._partners.forget_name(key_of(seen.session))
                seen.session.close("stopping", "a person of this node has disconnected you")
                ended.append(peer)
        return ended


def _seen(session: Any) -> SeenPeer | None:
    device = session.peer.document.device(session.peer.device)
    if device is None:
        return None  # it shows an older document, in which its device is not yet
    found = multiaddrs([f"{session.scheme}://{session.address}"])
    return SeenPeer(peer_id(device.key), found[0] if found else None, session.dialled, session)
