"""Who a node is for clients of IPFS: a peer id and multiaddrs, both made of what it is anyway.

A peer is one device: its id is the multihash of its device key (Ed25519), so it begins with ``12D3Koo`` and holds the
key. Every session proves that key, a node of the DHT has an id that is made of it, and it signs without the master key,
which may be away. Two devices of one person are two peers.
"""

from collections.abc import Iterable

from bitdust.identity.me import Me
from bitdust.ipld.errors import FormatError, unsupported
from bitdust.ipld.keys import KeyKind, PrivateKey, PublicKey
from bitdust.ipld.multiaddr import Multiaddr
from bitdust.ipld.peerid import PeerId
from bitdust.wire.addresses import Address, join_host
from bitdust.wire.encoding import WireError


def public_key(device: bytes) -> PublicKey:
    """A device's public key (32 bytes), as libp2p writes keys."""
    return PublicKey.of_ed25519(device)


def peer_id(device: bytes) -> PeerId:
    """The peer that has this device key (32 bytes)."""
    return PeerId.of(public_key(device))


def device_key(peer: PeerId) -> bytes:
    """The device key of a peer. Raises `FormatError` ``unsupported`` for an id that is made of another kind of key."""
    key = peer.key
    if key is None or key.kind is not KeyKind.ED25519:
        raise unsupported(f"{peer} is no peer of this network: its id holds no Ed25519 key")
    return key.data


def my_id(me: Me) -> PeerId:
    """This node. Raises `BitDustError` ``no-identity``."""
    return peer_id(me.device.public)


def my_key(me: Me) -> PrivateKey:
    """What signs for this node as a peer, and as the name ``self``. Raises `BitDustError` ``no-identity``."""
    return PrivateKey.of_ed25519(me.device.seed)


def my_multiaddrs(me: Me, addresses: Iterable[str]) -> list[str]:
    """``addresses`` of this node (``tcp://host:port``) with its peer id behind each."""
    return [str(one) for one in multiaddrs(addresses, my_id(me))]


def multiaddrs(addresses: Iterable[str], peer: PeerId | None = None) -> list[Multiaddr]:
    """Addresses such as ``tcp://host:port``; those that no multiaddr can say are left out."""
    found: list[Multiaddr] = []
    for text in addresses:
        try:
            address = Address.parse(text)
        except WireError:
            continue
        if address.scheme == "tcp":
            found.append(Multiaddr.of(address.host, address.scheme, address.port, peer))
    return found


def address_of(where: Multiaddr) -> str:
    """``tcp://host:port``, which sessions are dialled by. Raises `FormatError` ``unsupported``."""
    if not where.is_reachable or where.transport != "tcp":
        raise unsupported(f"{where} names no host and TCP port at which a node of this network could be")
    return f"tcp://{join_host(where.host, where.port)}"


def read_peer(text: str) -> PeerId:
    """The peer that is meant by a peer id, by ``/p2p/<id>``, or by a multiaddr that ends so. Raises `FormatError`."""
    if not text.startswith("/"):
        return PeerId.parse(text)
    peer = Multiaddr.parse(text).peer
    if peer is None:
        raise FormatError("malformed", f"{text[:200]!r} names no peer")
    return peer
