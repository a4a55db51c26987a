"""STUN (RFC 8489): tells peers which address their datagrams come from, and asks others for mine.

Only the Binding request and its success response, without attributes but XOR-MAPPED-ADDRESS. An answer is at most 24
bytes longer than its question, and there are at most `MOST_ANSWERS` a second, so nobody floods others through here.
"""

import ipaddress
from collections.abc import Callable

from attrs import define
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from bitdust.transport.datagrams import Address, DatagramPort
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError

FIRST_BYTES = range(4)
MAGIC = bytes.fromhex("2112a442")
REQUEST, SUCCESS = b"\x00\x01", b"\x01\x01"
MAPPED = b"\x00\x20"
HEAD = 20
ID_BYTES = 12
MOST_ANSWERS = 50
MOST_ASKED = 64
TRIES = (0.5, 1.0, 2.0)
"""Seconds after each sending before the request is sent again, and at last given up."""


@define(eq=False)
class _Question:
    """A request on its way; ``call`` sends it again."""

    address: Address
    answer: "Deferred[Address]"
    call: IDelayedCall | None = None


class Stun:
    """I answer and ask over the node's own UDP port, so what I learn is true for the DHT and whatever shares it."""

    def __init__(self, clock: IReactorTime, entropy: Callable[[int], bytes], datagrams: DatagramPort) -> None:
        self._clock = clock
        self._entropy = entropy
        self._datagrams = datagrams
        self._asked: dict[bytes, _Question] = {}
        self._second, self._answers = -1, 0
        self._remove = datagrams.add(FIRST_BYTES, self._received)

    def stop(self) -> None:
        """Answer and ask no more; who asked is told."""
        self._remove()
        for question in list(self._asked.values()):
            question.answer.cancel()

    def ask(self, address: Address) -> "Deferred[Address]":
        """The host and port that my datagrams come from, as somebody sees them; fails ``no-answer`` or ``busy``."""
        if len(self._asked) >= MOST_ASKED:
            return fail(BitDustError("busy", f"{MOST_ASKED} are asked for my address already"))
        ident = self._entropy(ID_BYTES)
        question = self._asked[ident] = _Question(address, Deferred(lambda _: self._forget(ident)))
        self._send(ident, question, TRIES)
        return question.answer

    def _forget(self, ident: bytes) -> None:
        question = self._asked.pop(ident, None)
        if question is not None and question.call is not None and question.call.active():
            question.call.cancel()

    def _send(self, ident: bytes, question: _Question, pauses: tuple[float, ...]) -> None:
        if not pauses:
            self._forget(ident)
            text = f"{question.address[0]} does not say where my datagrams come from"
            question.answer.errback(BitDustError("no-answer", text))
            return
        question.call = self._clock.callLater(pauses[0], self._send, ident, question, pauses[1:])
        self._datagrams.send(REQUEST + bytes(2) + MAGIC + ident, question.address)

    def _received(self, data: bytes, address: Address) -> None:
        if len(data) < HEAD or data[4:8] != MAGIC or int.from_bytes(data[2:4], "big") != len(data) - HEAD:
            return
        kind, ident = data[:2], data[8:HEAD]
        if kind == REQUEST and self._may_answer():
            body = mapped(address, ident)
            self._datagrams.send(SUCCESS + len(body).to_bytes(2, "big") + MAGIC + ident + body, address)
        elif kind == SUCCESS:
            self._answered(data, ident, address)

    def _may_answer(self) -> bool:
        second = int(self._clock.seconds())
        self._answers = self._answers + 1 if second == self._second else 1
        self._second = second
        return self._answers <= MOST_ANSWERS

    def _answered(self, data: bytes, ident: bytes, address: Address) -> None:
        question = self._asked.get(ident)
        if question is None or question.address != address:
            return
        try:
            mine = read_mapped(data)
        except WireError:
            return
        self._forget(ident)
        question.answer.callback(mine)


def mapped(address: Address, ident: bytes) -> bytes:
    """The attribute XOR-MAPPED-ADDRESS."""
    ip = ipaddress.ip_address(address[0])
    port = address[1] ^ int.from_bytes(MAGIC[:2], "big")
    value = bytes((0, 1 if ip.version == 4 else 2)) + port.to_bytes(2, "big") + _xor(ip.packed, MAGIC + ident)
    return MAPPED + len(value).to_bytes(2, "big") + value


def read_mapped(data: bytes) -> Address:
    """The first XOR-MAPPED-ADDRESS of a response; raises `WireError` ``malformed``."""
    ident, position = data[8:HEAD], HEAD
    while position + 4 <= len(data):
        kind, length = data[position : position + 2], int.from_bytes(data[position + 2 : position + 4], "big")
        value = data[position + 4 : position + 4 + length]
        if kind == MAPPED and len(value) == length and (length, value[1:2]) in ((8, b"\x01"), (20, b"\x02")):
            port = int.from_bytes(value[2:4], "big") ^ int.from_bytes(MAGIC[:2], "big")
            return str(ipaddress.ip_address(_xor(value[4:], MAGIC + ident))), port
        position += 4 + (length + 3) // 4 * 4
    raise WireError("malformed", "a STUN response without an address")


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=False))
