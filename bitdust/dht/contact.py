"""A node as another node knows it, and the compact form in which contacts travel.

Compact form, one after the other: ``device key (32) ‖ layers (u16, bit n = attached to layer n) ‖ port (u16) ‖ length
of the address (u8: 4 or 16) ‖ address``. Twenty IPv4 contacts take 820 bytes and fit one datagram.
"""

import ipaddress
import socket
from collections.abc import Iterable
from functools import lru_cache

from attrs import define, field

from bitdust.dht.ids import node_id, number
from bitdust.scopes.networks import network_of
from bitdust.wire.encoding import WireError

MIN_TIMEOUT = 0.05
MAX_TIMEOUT = 1.5
UNKNOWN_TIMEOUT = 0.3
_FIXED = 37
_LAYERS = slice(32, 34)
_PORT = slice(34, 36)
Unpacked = tuple[bytes, int, str, int]


@define(eq=False)
class Contact:
    """One node at one address. ``token`` is what it wants to be shown; times are seconds of the node's clock.

    ``proven`` says that a pong signed with ``key`` came from this address.
    """

    key: bytes
    host: str
    port: int
    layers: int = 0
    proven: bool = False
    token: bytes | None = None
    round_trip: float | None = None
    deviation: float = 0.0
    failures: int = 0
    heard: float = 0.0
    id: bytes = field(init=False)
    number: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.id = node_id(self.key)
        self.number = number(self.id)

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    @property
    def text(self) -> str:
        """``host:port`` as users see it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def attached(self, layer: int) -> bool:
        """Whether the node said that it takes part in that layer; all take part in layer 0."""
        return layer == 0 or bool(self.layers >> layer & 1)

    def measured(self, seconds: float) -> None:
        """Note a round trip: smoothed as TCP does (RFC 6298)."""
        if self.round_trip is None:
            self.round_trip, self.deviation = seconds, seconds / 2
            return
        self.deviation += (abs(seconds - self.round_trip) - self.deviation) / 4
        self.round_trip += (seconds - self.round_trip) / 8

    def timeout(self, unknown: float = UNKNOWN_TIMEOUT) -> float:
        """After this long without an answer the node counts as silent."""
        if self.round_trip is None:
            return unknown
        return min(MAX_TIMEOUT, max(MIN_TIMEOUT, self.round_trip + 4 * self.deviation))

    def patience(self, unknown: float = UNKNOWN_TIMEOUT) -> float:
        """After this long somebody else is asked as well."""
        if self.round_trip is None:
            return unknown / 2
        return min(self.timeout(unknown) * 0.75, max(0.3 * MIN_TIMEOUT, self.round_trip + 2 * self.deviation))

    def packed(self) -> bytes:
        """The compact form."""
        return _packed(self.key, self.layers, self.host, self.port)


@lru_cache(maxsize=4096)
def _packed(key: bytes, layers: int, host: str, port: int) -> bytes:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    raw = socket.inet_pton(family, host)
    return key + layers.to_bytes(2, "big") + port.to_bytes(2, "big") + bytes((len(raw),)) + raw


@lru_cache(maxsize=4096)
def _unpacked(one: bytes) -> Unpacked:
    """One of them, whole: the same nodes are named in reply after reply."""
    raw = one[_FIXED:]
    host = socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)
    return one[:32], int.from_bytes(one[_LAYERS], "big"), host, int.from_bytes(one[_PORT], "big")


def unpack(data: bytes, most: int) -> list[Unpacked]:
    """(key, layers, host, port) of each contact; raises `WireError` ``bad-field``."""
    found: list[Unpacked] = []
    position, size = 0, len(data)
    while position < size:
        length = data[position + _FIXED - 1] if position + _FIXED <= size else 0
        end = position + _FIXED + length
        if length not in (4, 16) or end > size or len(found) == most:
            raise WireError("bad-field", "nodes: not a list of compact contacts")
        found.append(_unpacked(data[position:end]))
        position = end
    return found


network = lru_cache(maxsize=4096)(network_of)
"""The public network of an address."""


@lru_cache(maxsize=4096)
def reach(host: str) -> int:
    """0 for an address that is nobody's, 1 for loopback, 2 for a private network, 3 for the world."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return 0
    if address.is_loopback:
        return 1
    if address.is_unspecified or address.is_multicast or address == ipaddress.ip_address("255.255.255.255"):
        return 0
    return 2 if address.is_private or address.is_link_local else 3


def believable(host: str, port: int, teller: str) -> bool:
    """Whether ``teller`` may send us to that address: nobody far away sends us to our own host or network."""
    return port > 0 and reach(host) >= max(1, reach(teller))


def usable_by(contact: Contact, asker: str) -> bool:
    """Whether the asker could use, and may know, that contact's address."""
    return reach(contact.host) >= reach(asker)


def nearest(contacts: Iterable[Contact], target: int, most: int) -> list[Contact]:
    """The contacts nearest to a number."""
    return sorted(contacts, key=lambda contact: contact.number ^ target)[:most]
