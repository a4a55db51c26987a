"""Datagrams: ``8 ‖ "B" ‖ version 2 ‖ message id (8) ‖ fragment (u8) ‖ fragments (u8) ‖ part``, at most 1,200 bytes.

The first byte, 8, is one that RFC 9443 leaves free, so that STUN, DTLS and QUIC may share the port.

A query of several datagrams repeats the receiver's token before every part, so that nobody fills the memory of a node
from an address that is not his. Parts of a reply are taken only for a question that is being waited for.
"""

from collections import OrderedDict

from attrs import define, field, frozen

from bitdust.dht.contact import reach
from bitdust.dht.messages import MAX_MESSAGE, TOKEN_BYTES
from bitdust.wire.encoding import WireError

MAX_DATAGRAM = 1200
MAX_FRAGMENTS = 5
ID_BYTES = 8
HEAD = 13
PART = MAX_DATAGRAM - HEAD
FIRST_BYTE = 8
_START = bytes((FIRST_BYTE,)) + b"B\x02"
MAX_UNFINISHED = 256
MAX_UNFINISHED_PER_HOST = 8
PATIENCE = 2.0
Address = tuple[str, int]


@frozen
class Datagram:
    """One datagram, taken apart."""

    message_id: bytes
    fragment: int
    fragments: int
    part: bytes


def cut(message: bytes, message_id: bytes, token: bytes | None = None) -> list[bytes]:
    """The datagrams of a message; ``token`` goes before each part when a query needs several."""
    if len(message) > MAX_MESSAGE:
        raise WireError("too-large", f"a DHT message of {len(message)} bytes; at most {MAX_MESSAGE} are sent")
    if len(message) <= PART:
        return [_START + message_id + b"\x00\x01" + message]
    before = token or b""
    room = PART - len(before)
    parts = [message[start : start + room] for start in range(0, len(message), room)]
    count = len(parts)
    return [_START + message_id + bytes((index, count)) + before + part for index, part in enumerate(parts)]


def take_apart(data: bytes) -> Datagram:
    """Raises `WireError` ``malformed``."""
    if not HEAD < len(data) <= MAX_DATAGRAM or data[:3] != _START:
        raise WireError("malformed", "not a DHT datagram of version 2")
    fragment, fragments = data[11], data[12]
    if not fragment < fragments <= MAX_FRAGMENTS:
        raise WireError("malformed", "a fragment number out of range")
    return Datagram(data[3:11], fragment, fragments, data[HEAD:])


@define
class Reassembly:
    """The parts of one message that have come."""

    count: int
    since: float
    parts: dict[int, bytes] = field(factory=dict)

    def add(self, datagram: Datagram, part: bytes) -> bytes | None:
        """The whole message once nothing is missing; a part that contradicts the others is ignored."""
        if datagram.fragments != self.count:
            return None
        self.parts.setdefault(datagram.fragment, part)
        if len(self.parts) < self.count:
            return None
        return b"".join(self.parts[index] for index in range(self.count))


class Unfinished:
    """Queries of several datagrams, as far as they have come: few per host, few in all, none for long."""

    def __init__(self) -> None:
        self._assemblies: OrderedDict[tuple[Address, bytes], Reassembly] = OrderedDict()
        self._hosts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._assemblies)

    def add(self, address: Address, datagram: Datagram, now: float) -> bytes | None:
        """The message, once whole. The caller has checked the token before the part."""
        self._forget_old(now)
        key = (address, datagram.message_id)
        assembly = self._assemblies.get(key)
        if assembly is None:
            crowded = self._hosts.get(address[0], 0) >= MAX_UNFINISHED_PER_HOST and reach(address[0]) != 1
            if crowded or len(self._assemblies) >= MAX_UNFINISHED:
                return None
            assembly = self._assemblies[key] = Reassembly(datagram.fragments, now)
            self._hosts[address[0]] = self._hosts.get(address[0], 0) + 1
        message = assembly.add(datagram, datagram.part[TOKEN_BYTES:])
        if message is not None:
            self._remove(key)
        return message

    def _remove(self, key: tuple[Address, bytes]) -> None:
        del self._assemblies[key]
        host = key[0][0]
        self._hosts[host] -= 1
        if not self._hosts[host]:
            del self._hosts[host]

    def _forget_old(self, now: float) -> None:
        while self._assemblies:
            key, assembly = next(iter(self._assemblies.items()))
            if now - assembly.since < PATIENCE:
                return
            self._remove(key)
