"""Peers that are connected, as clients of IPFS see them: the node's own sessions, each with one device."""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from attrs import evolve, frozen
from twisted.internet.defer import Deferred

from bitdust.crypt.device import device_id
from bitdust.ipfs.exchange.partners import Ledger, Partners, key_of
from bitdust.ipfs.network import Network
from bitdust.ipfs.peerids import address_of, device_key, multiaddrs, my_id, peer_id
from bitdust.ipld.multiaddr import Multiaddr
from bitdust.ipld.peerid import PeerId
from bitdust.nearby import REFUSED
from bitdust.outcome import outcome
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command

PING_SECONDS = 10.0
_FILTER = re.compile(r"/ip([46])/([0-9a-fA-F.:]{2,45})/ipcidr/([0-9]{1,3})")


@frozen
class SeenPeer:
    """A peer that is connected: who it is, where, and whether this node has called it."""

    peer: PeerId
    address: Multiaddr | None
    is_outbound: bool
    session: Any


class Swarm:
    """I show sessions, and begin and end them where a person wants it."""

    def __init__(self, network: Network, partners: Partners) -> None:
        around = network.around
        self._gateway, self._outbox = network.gateway, around.outbox
        self._clock = around.world.clock
        self._settings = around.settings
        self._me = around.me
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

    async def call(self, peer: PeerId, addresses: Sequence[Multiaddr]) -> SeenPeer:
        """Connect to a peer at one of the addresses that it has told."""
        errors: list[BitDustError] = []
        for address in addresses:
            ended = await outcome(Deferred.fromCoroutine(self._dial(evolve(address, peer=peer), anywhere=False)))
            if ended.error is None:
                seen: SeenPeer = ended.value
                return seen
            if not isinstance(ended.error, BitDustError):
                raise ended.error
            errors.append(ended.error)
        raise errors[-1]

    async def _dial(self, where: Multiaddr, anywhere: bool = True) -> SeenPeer:
        session = await self._gateway.dial(address_of(where), None, anywhere=anywhere)
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

    # the exchange with them

    def partners(self) -> list[PeerId]:
        """Those who are asked for blocks."""
        return self.peers_of(one.session for one in self._partners.connected())

    def peers_of(self, sessions: Iterable[Any]) -> list[PeerId]:
        """Who is at the other end of sessions."""
        return [seen.peer for session in sessions if (seen := _seen(session)) is not None]

    def ledger(self, peer: PeerId) -> Ledger | None:
        """What went to and fro with a peer; None for one with which nothing did."""
        wanted = device_id(device_key(peer))
        found = [ledger for (_, device), ledger in self._partners.ledgers().items() if device == wanted]
        return found[0] if found else None

    # signs of life

    async def ping(self, seen: SeenPeer) -> float:
        """Seconds until a peer has answered. Raises what `Outbox.send` fails with."""
        began = self._clock.seconds()
        who = seen.session.peer.fingerprint
        await self._outbox.send(who, Command.IDENTITY, {}, deadline=PING_SECONDS, session=seen.session)
        return self._clock.seconds() - began

    # networks that are refused

    def filters(self) -> list[str]:
        """As ``/ip4/192.168.0.0/ipcidr/16``."""
        return [_as_filter(one) for one in map(ip_network, self._settings.get(REFUSED).split())]

    def add_filters(self, filters: Iterable[str]) -> None:
        """Refuse networks from now on; sessions with peers there end. Raises ``bad-argument``."""
        self._refuse([*self._refused(), *map(_network_of, filters)])

    def remove_filters(self, filters: Iterable[str]) -> None:
        """Refuse these no more. Raises ``bad-argument``."""
        gone = [_network_of(one) for one in filters]
        self._refuse([one for one in self._refused() if one not in gone])

    def _refused(self) -> list[str]:
        return list(self._settings.get(REFUSED).split())

    def _refuse(self, networks: list[str]) -> None:
        self._settings.set(REFUSED, " ".join(dict.fromkeys(networks)))
        self._gateway.drop_refused()


def _as_filter(network: IPv4Network | IPv6Network) -> str:
    return f"/ip{network.version}/{network.network_address}/ipcidr/{network.prefixlen}"


def _network_of(text: str) -> str:
    found = _FILTER.fullmatch(text)
    try:
        network = ip_network(f"{found[2]}/{found[3]}", strict=False) if found else None
    except ValueError:
        network = None
    if network is None or found is None or str(network.version) != found[1]:
        raise BitDustError("bad-argument", f"{text[:100]!r} is no filter, such as /ip4/192.168.0.0/ipcidr/16")
    return str(network)


def _seen(session: Any) -> SeenPeer | None:
    device = session.peer.document.device(session.peer.device)
    if device is None:
        return None  # it shows an older document, in which its device is not yet
    found = multiaddrs([f"{session.scheme}://{session.address}"])
    return SeenPeer(peer_id(device.key), found[0] if found else None, session.dialled, session)
