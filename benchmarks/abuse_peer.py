"""A peer that speaks the wire by this project's own code, and says whatever it likes: for ``benchmarks abuse``."""

import hashlib
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import combinations
from typing import Any, cast

from attrs import define, field, frozen
from cryptography.hazmat.primitives.asymmetric import rsa
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from bitdust.crypt.device import DeviceKey
from bitdust.crypt.master import MasterKey
from bitdust.identity.document import Device, IdentityDocument
from bitdust.transport.frames import MAX_BODY, FrameReader, Kind, head
from bitdust.transport.hello import Hello
from bitdust.transport.links.tls import DeviceTLS, TLSFactory
from bitdust.wire.names import IDURL
from bitdust.wire.packet import Command, Packet
from bitdust.wire.records import PackRecord, Scheme

POOL = 48
"""Primes of which keys are made: any two of them are one, and no key costs more than its signature."""
WINDOW = 1024 * 1024


@cache
def _primes() -> list[int]:
    found: list[int] = []
    while len(found) < POOL:
        numbers = rsa.generate_private_key(65537, 2048).private_numbers()
        found += [numbers.p, numbers.q]
    return found


def keys() -> Iterator[MasterKey]:
    """More than a thousand different ones, hardly dearer than as many numbers."""
    for p, q in combinations(_primes(), 2):
        d = pow(65537, -1, (p - 1) * (q - 1))
        public = rsa.RSAPublicNumbers(65537, p * q)
        if public.n.bit_length() != 2048:
            continue
        numbers = rsa.RSAPrivateNumbers(
            p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), public
        )
        yield MasterKey(numbers.private_key(unsafe_skip_rsa_key_validation=True))


DEVICE = DeviceKey.generate(os.urandom)
TLS = DeviceTLS(DEVICE)
"""One device key for all people of a process: so no connection has to wait for a certificate."""


@frozen
class Persona:
    """Somebody with an identity that nobody has ever heard of."""

    fingerprint: bytes
    document: IdentityDocument
    hello: bytes

    @classmethod
    def of(cls, key: MasterKey, revision: int = 1) -> "Persona":
        """Made in a millisecond or two."""
        source = IDURL.parse(f"http://id.example/p{key.fingerprint.hex()[:12]}.xml")
        devices = (Device(0, 1, DEVICE.public),)
        document = IdentityDocument.create(key, (source,), revision, devices, time.time())
        hello = Hello(document.xml, DEVICE.id, b"", "BitDust/0", 256, WINDOW).to_bytes()
        return cls(key.fingerprint, document, head(Kind.HELLO, 0, len(hello)) + hello)

    @classmethod
    def new(cls) -> "Persona":
        """With a key that nobody else has."""
        return cls.of(MasterKey.generate(2048))


def people() -> Iterator[Persona]:
    """More than a thousand."""
    for key in keys():
        yield Persona.of(key)


@frozen
class Reply:
    """A whole answer."""

    packet: Packet
    payload: bytes


@define
class _Answer:
    packet: Packet
    payload: bytearray = field(factory=bytearray)
    parts: int = 0


@implementer(IPushProducer)
class Peer(Protocol):
    """One connection. ``more`` is called whenever the link takes more bytes."""

    def __init__(self, persona: Persona | None, to: bytes) -> None:
        self.persona = persona
        self.to = to
        self.up: Deferred[Peer] = Deferred()
        self.lost = False
        self.full = False
        self.goodbye = ""
        self.more: Callable[[], object] = lambda: None
        self.counts: dict[str, int] = {}
        self.on_lost: Callable[[Peer], object] = lambda _: None
        self._reader = FrameReader(self)
        self._stream = 1
        self._answers: dict[int, _Answer] = {}
        self._waiting: dict[bytes, Deferred[Reply]] = {}
        self._credit: dict[int, int] = {}
        self._bodies: dict[int, memoryview] = {}

    @property
    def link(self) -> Any:
        """The TLS transport."""
        return self.transport

    def connectionMade(self) -> None:  # noqa: N802 - the interface's name
        self.link.registerProducer(self, True)
        if self.persona is not None:
            self.link.write(self.persona.hello)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - the interface's name
        self.lost = True
        waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            one.errback(ConnectionError(f"the connection was lost: {self.goodbye}"))
        if self.persona is not None and not self.up.called:
            self.up.errback(ConnectionError(f"no Hello came: {self.goodbye}"))
        self.on_lost(self)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - the interface's name
        self._reader.feed(data)

    def pauseProducing(self) -> None:  # noqa: N802 - the interface's name
        self.full = True

    def resumeProducing(self) -> None:  # noqa: N802 - the interface's name
        self.full = False
        self._send_bodies()
        self.more()

    def stopProducing(self) -> None:  # noqa: N802 - the interface's name
        self.full = True

    # what comes

    def frame_received(self, kind: Kind, stream: int, body: bytes, last: bool) -> None:
        self.counts[kind.name] = self.counts.get(kind.name, 0) + 1
        if kind is Kind.HELLO and not self.up.called:
            self.up.callback(self)
        elif kind is Kind.GOODBYE:
            self.goodbye = body.decode(errors="replace")
        elif kind is Kind.PING:
            self.link.write(head(Kind.PONG, 0, len(body)) + body)
        elif kind is Kind.CREDIT and stream in self._credit:
            self._credit[stream] += int.from_bytes(body, "big")
            self._send_bodies()
        elif kind is Kind.OPEN:
            self._answers[stream] = _Answer(Packet.from_bytes(body))
            if last:
                self._finish(stream)

    def data_received(self, stream: int, part: memoryview, last: bool) -> None:
        answer = self._answers.get(stream)
        if answer is None:
            return
        answer.payload += part
        answer.parts += len(part)
        if answer.parts >= WINDOW // 4:
            self.link.write(head(Kind.CREDIT, stream, 4) + answer.parts.to_bytes(4, "big"))
            answer.parts = 0
        if last:
            self._finish(stream)

    def _finish(self, stream: int) -> None:
        answer = self._answers.pop(stream)
        name = answer.packet.fields.get("code") if answer.packet.command is Command.FAIL else "answered"
        self.counts[str(name)] = self.counts.get(str(name), 0) + 1
        waiting = self._waiting.pop(answer.packet.answers or b"", None)
        if waiting is not None:
            waiting.callback(Reply(answer.packet, bytes(answer.payload)))

    # what goes

    def next_stream(self) -> int:
        """A number that was not used."""
        self._stream += 2
        return self._stream

    def header(self, command: Command, fields: Mapping[str, Any], size: int = 0) -> Packet:
        """A packet in this persona's own name."""
        mine = self.persona.fingerprint if self.persona is not None else bytes(32)
        return Packet(command, random.randbytes(16), mine, mine, self.to, int(time.time() * 1000), fields, size)

    def open(self, command: Command, fields: Mapping[str, Any], size: int = 0) -> tuple[int, Packet]:
        """Begin a stream; its bytes are somebody else's care."""
        packet, stream = self.header(command, fields, size), self.next_stream()
        body = packet.to_bytes()
        self.link.write(head(Kind.OPEN, stream, len(body), size == 0) + body)
        return stream, packet

    def ask(self, command: Command, fields: Mapping[str, Any], payload: bytes = b"") -> "Deferred[Reply]":
        """A request as an honest peer makes it."""
        if self.lost:
            return fail(ConnectionError("the connection was lost"))
        stream, packet = self.open(command, fields, len(payload))
        waiting = self._waiting[packet.id] = Deferred(lambda _: self._waiting.pop(packet.id, None))
        if payload:
            self._credit[stream], self._bodies[stream] = WINDOW, memoryview(payload)
            self._send_bodies()
        return waiting

    def _send_bodies(self) -> None:
        for stream in list(self._bodies):
            while not self.full and stream in self._bodies and self._credit[stream]:
                body = self._bodies[stream]
                part = body[: min(self._credit[stream], MAX_BODY)]
                last = len(part) == len(body)
                self.link.write(head(Kind.DATA, stream, len(part), last) + bytes(part))
                self._credit[stream] -= len(part)
                self._bodies[stream] = body[len(part) :]
                if last:
                    del self._bodies[stream], self._credit[stream]

    def close(self) -> None:
        """End it; a producer that is registered would keep TLS from doing so."""
        self.link.unregisterProducer()
        self.link.loseConnection()

    def stop_reading(self) -> None:
        """Take nothing any more of what the other end writes."""
        self.link.pauseProducing()


@frozen
class Target:
    """Who is attacked, or asked."""

    host: str
    port: int
    fingerprint: bytes

    def connect(self, persona: Persona | None, source: str, tls: bool = True) -> "Deferred[Peer]":
        """A connection from an address; fires once the other end has said Hello, or at once without a persona."""
        from twisted.internet import reactor

        def made(_: object) -> "Deferred[Peer] | Peer":
            return peer.up if persona is not None else peer

        peer = Peer(persona, self.fingerprint)
        factory: Any = Factory.forProtocol(cast(Any, lambda: peer))
        factory.noisy = False
        if tls:
            factory = TLSFactory(TLS, True, factory, cast(Any, reactor))
        endpoint = TCP4ClientEndpoint(cast(Any, reactor), self.host, self.port, 10, bindAddress=(source, 0))
        return cast("Deferred[Peer]", endpoint.connect(factory).addCallback(made))


def later(seconds: float, call: Callable[..., object], *arguments: object) -> None:
    """Call it then."""
    from twisted.internet import reactor

    cast(Any, reactor).callLater(seconds, call, *arguments)


def stranger_at(network: int, host: int = 1) -> str:
    """An address of a network that is nobody's: each number is a /24 of its own."""
    return f"127.{1 + network // 250}.{network % 250}.{host}"


def wish(room: int) -> dict[str, Any]:
    """The fields of `RequestService`."""
    return {"service": "service_supplier", "room": room, "n": 2, "position": 0, "term": 365}


def pack_id(number: int) -> bytes:
    """A name for a pack."""
    return hashlib.sha256(number.to_bytes(8, "big")).digest()[:16]


def record_of(peer: Peer, number: int, size: int, roots: list[bytes]) -> bytes:
    """The signed record of a pack of one piece, and another one."""
    assert peer.persona is not None
    record = PackRecord(peer.persona.fingerprint, pack_id(number), size, Scheme(1, 2), roots)
    return DEVICE.sign_record(PackRecord.KIND, record.to_body()).to_bytes()
