"""Addresses as IPFS writes them (multiaddr, text form): ``/ip4/192.0.2.1/tcp/7771/p2p/12D3…``.

Only what a node here can be reached by is read: a host (``ip4``, ``ip6``, ``dns``, ``dns4``, ``dns6``), a port of
``tcp`` or ``udp``, and the peer behind it (``p2p``, once called ``ipfs``); each of them at most once, in this order.
Source: multiformats.io/multiaddr.
"""

import ipaddress
from typing import Final, Self

from attrs import frozen

from bitdust.ipld.errors import malformed, too_large, unsupported
from bitdust.ipld.peerid import PeerId

LONGEST: Final = 1024
HOSTS: Final = ("ip4", "ip6", "dns", "dns4", "dns6", "dnsaddr")
PORTS: Final = ("tcp", "udp")
PEER, OLD_PEER = "p2p", "ipfs"


@frozen
class Multiaddr:
    """Where a peer is, or only who it is; ``kind`` says how ``host`` is written and is empty without one."""

    kind: str = ""
    host: str = ""
    transport: str = ""
    port: int = 0
    peer: PeerId | None = None

    @classmethod
    def of(cls, host: str, transport: str, port: int, peer: PeerId | None = None) -> Self:
        """Of a host by name or number."""
        return cls(_kind_of(host), host, transport, port, peer)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `FormatError`."""
        if len(text) > LONGEST:
            raise too_large("a text that is too long for a multiaddr")
        words = text.split("/")
        if words[0] or len(words) < 3:
            raise malformed(f"invalid multiaddr {text[:100]!r}: it must begin with /")
        if not words[-1]:
            words.pop()
        pairs = list(zip(words[1::2], words[2::2], strict=False))
        if len(words) % 2 == 0:
            raise malformed(f"invalid multiaddr {text[:100]!r}: something is missing at its end")
        kind = host = transport = ""
        port, peer = 0, None
        for name, value in pairs:
            if name in HOSTS and not (kind or peer):
                kind, host = name, _host(name, value)
            elif name in PORTS and kind and not (transport or peer):
                transport, port = name, _port(value)
            elif name in (PEER, OLD_PEER) and peer is None:
                peer = PeerId.parse(value)
            else:
                raise unsupported(f"{text[:100]!r} is no multiaddr of a host, a port and a peer")
        return cls(kind, host, transport, port, peer)

    @property
    def is_reachable(self) -> bool:
        """Whether it names host and port, and not only a peer."""
        return bool(self.host and self.port)

    def __str__(self) -> str:
        parts = [f"/{self.kind}/{self.host}"] if self.host else []
        parts += [f"/{self.transport}/{self.port}"] if self.transport else []
        parts += [f"/{PEER}/{self.peer}"] if self.peer is not None else []
        return "".join(parts)


def _kind_of(host: str) -> str:
    try:
        return f"ip{ipaddress.ip_address(host).version}"
    except ValueError:
        return "dns"


def _host(kind: str, value: str) -> str:
    try:
        if kind == "ip4":
            return str(ipaddress.IPv4Address(value))
        if kind == "ip6":
            return str(ipaddress.IPv6Address(value))
    except ValueError as error:
        raise malformed(f"{value[:100]!r} is no address of {kind}") from error
    if not value or len(value) > 253 or not value.isascii() or not value.isprintable() or " " in value:
        raise malformed(f"{value[:100]!r} is no name of a host")
    return value.lower()


def _port(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 5 and 0 < int(value) < 1 << 16):
        raise malformed(f"{value[:100]!r} is no port")
    return int(value)
