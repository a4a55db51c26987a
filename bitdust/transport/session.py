"""A session: one TLS connection with one proven peer, carrying many one-way streams with credit."""

import contextlib
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, cast

from attrs import define, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener, IPushProducer, ITCPTransport
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from bitdust.automats.kernel import Registry
from bitdust.automats.tcp_connection import TCPConnection
from bitdust.identity.document import IdentityDocument
from bitdust.transport.frames import MAX_BODY, MAX_OPEN, FrameReader, Kind, head
from bitdust.transport.hello import Hello
from bitdust.transport.limits import ReadingPause, TokenBucket, Turns
from bitdust.transport.streams import WINDOW, OutStream, Payload, StreamReset
from bitdust.transport.tls import peer_device_key
from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.packet import Packet
from bitdust.wire.table import Source
from bitdust.world import World

MAX_STREAMS = 256
CREDIT_STEP = WINDOW // 4
MAX_OWED = 1000
"""Answers that a peer may ask for while it does not take what was written already."""
SILENT = 20.0
"""Seconds of silence that ask for a ping and are not the end yet (`docs/formats.md`, section 4)."""


@frozen
class Peer:
    """Who is at the other end, proven: the device key by TLS, its owner by the signed document."""

    fingerprint: bytes
    device: bytes
    document: IdentityDocument
    addresses: tuple[str, ...] = ()


@frozen
class Welcome:
    """What the check of a peer's Hello decided."""

    peer: Peer
    stale: bool


class SessionOwner(Protocol):
    """The gateway, as a session sees it."""

    world: World
    registry: Registry
    turns: Turns
    receive_bucket: TokenBucket

    def my_hello(self, session: "Session") -> Hello:
        """What we tell the peer."""

    def welcome(self, session: "Session", hello: Hello, device_key: bytes) -> Welcome:
        """Check who came; raises `WireError` with the code of the goodbye."""

    def session_up(self, session: "Session") -> None:
        """The peer is proven."""

    def session_down(self, session: "Session") -> None:
        """The connection is over."""

    def packet_arrived(self, session: "Session", packet: Packet, payload: Payload, stream: int) -> None:
        """A stream has begun."""


@define
class InStream:
    """One payload on its way in, and the credit that its sender has."""

    payload: Payload
    granted: int = WINDOW
    consumed: int = 0
    received: int = 0
    given: int = 0


@implementer(IPushProducer, IHandshakeListener)
class Session(TwistedProtocol):
    """Runs inside TLS on both ends; ``dialled`` tells which end we are, ``expected`` whom we want to reach."""

    log = Logger()

    def __init__(self, owner: SessionOwner, dialled: bool, address: str, expected: bytes | None = None) -> None:
        self._owner = owner
        self.dialled = dialled
        self.address = address
        self.expected = expected
        self.claim: IdentityDocument | None = None
        self.peer: Peer | None = None
        self.stale = False
        self.started = owner.world.wall()
        self.ahead: float | None = None
        """Seconds that the peer's clock is ahead of mine, as its last answer told."""
        self.bytes_sent = self.bytes_received = 0
        self.ended: StreamReset | None = None
        self.proven: Deferred[Session] = Deferred()
        self.proven.addErrback(lambda _: None) if not dialled else None
        self._reader: FrameReader | None = FrameReader(self)
        self._owed = 0
        self._heard = owner.world.clock.seconds()
        self._next_stream = 1 if dialled else 2
        self._last_foreign = 0
        self._out: deque[OutStream] = deque()
        self._out_by_id: dict[int, OutStream] = {}
        self._in: dict[int, InStream] = {}
        self._writable = True
        self._turns = owner.turns
        self.reading = ReadingPause(owner.world.clock)
        self.machine = TCPConnection(owner.registry, address, self)

    # the connection

    def connectionMade(self) -> None:  # noqa: N802 - the interface's name
        transport = cast(Any, self.transport)
        if ITCPTransport.providedBy(transport):
            # A small answer must not wait for the acknowledgement of the packet before it (RFC 896 against RFC 1122).
            transport.setTcpNoDelay(True)
        transport.registerProducer(self, True)

    def handshakeCompleted(self) -> None:  # noqa: N802 - the interface's name
        self.machine.send("dialled" if self.dialled else "accepted")

    def connectionLost(self, reason: Failure = Failure(ConnectionError())) -> None:  # noqa: N802, B008
        if self.ended is None:
            self.ended = StreamReset("session-lost", f"the connection to {self.address} was lost: {reason.value}")
        self.machine.send("connection-lost")

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - the interface's name
        self.bytes_received += len(data)
        self._heard = self._owner.world.clock.seconds()
        self.reading.hold(cast(Any, self.transport), self._owner.receive_bucket.spend(len(data)))
        if self._reader is None:
            return
        try:
            self._reader.feed(data)
        except WireError as error:
            self._reader = None
            self.close(error.code, str(error))

    @property
    def held(self) -> bool:
        """Whether our own bandwidth limits keep it waiting now."""
        return self.reading.paused or self._turns.waits(self)

    def close(self, code: str, text: str) -> None:
        """Say goodbye with a reason, then end the connection."""
        if self.ended is None:
            self.ended = StreamReset(code, text)
        self.machine.send("close", (code, text))

    # actions of the machine

    def send_hello(self) -> None:
        self._write(Kind.HELLO, 0, self._owner.my_hello(self).to_bytes())

    def announce(self) -> None:
        self._owner.session_up(self)
        if not self.proven.called:
            self.proven.callback(self)
        self.pump()

    def send_ping(self) -> None:
        self._write(Kind.PING, 0, self._owner.world.entropy(8))

    def silence(self) -> float:
        silence = self._owner.world.clock.seconds() - max(self._heard, self.reading.ended)
        # Who does not read hears nothing: that tells nothing of the peer, which wants to hear of us all the same.
        return min(silence, SILENT) if self.reading.paused else silence

    def say_goodbye(self, code: str, text: str) -> None:
        self._write(Kind.GOODBYE, 0, encode([code[:40], text[:500]]))
        self._lose()

    def _lose(self) -> None:
        # A registered producer would keep TLS from ending the connection.
        transport = cast(Any, self.transport)
        transport.unregisterProducer()
        transport.loseConnection()

    def abort(self) -> None:
        if self.ended is None:
            self.ended = StreamReset("no-answer", f"{self.address} gave no sign of life in time")
        with contextlib.suppress(AttributeError):
            cast(Any, self.transport).abortConnection()

    def release(self) -> None:
        error = self.ended or StreamReset("session-lost", "the session is over")
        incoming, self._in = self._in, {}
        outgoing, self._out_by_id = self._out_by_id, {}
        self._out.clear()
        for stream in incoming.values():
            stream.payload.fail(error)
        for out in outgoing.values():
            out.done.errback(error)
        if not self.proven.called:
            self.proven.errback(error)
        if self.peer is not None:
            self._owner.session_down(self)
        self.reading.cancel()
        self._turns.leave(self)

    # what comes in

    def frame_received(self, kind: Kind, stream: int, body: bytes, last: bool) -> None:
        if self.peer is None and kind not in (Kind.HELLO, Kind.GOODBYE):
            raise WireError("bad-hello", "the first frame must be HELLO")
        handlers: dict[Kind, Callable[[int, bytes, bool], None]] = {
            Kind.HELLO: self._hello,
            Kind.OPEN: self._open,
            Kind.CREDIT: self._credit,
            Kind.RESET: self._reset,
            Kind.PING: self._ping,
            Kind.PONG: lambda *_: None,
            Kind.GOODBYE: self._goodbye,
        }
        handlers[kind](stream, body, last)

    def _ping(self, stream: int, body: bytes, last: bool) -> None:
        self._owe()
        self._write(Kind.PONG, 0, body)

    def _owe(self) -> None:
        """Whoever asks on and on and takes no answer would fill the memory here."""
        self._owed = 0 if self._writable else self._owed + 1
        if self._owed > MAX_OWED:
            raise WireError("flood", f"more than {MAX_OWED} questions, and no answer was taken")

    def _hello(self, stream: int, body: bytes, last: bool) -> None:
        if self.peer is not None:
            raise WireError("bad-hello", "a second HELLO")
        welcome = self._owner.welcome(self, Hello.from_bytes(body), peer_device_key(cast(Any, self.transport)))
        self.peer, self.stale = welcome.peer, welcome.stale
        self.machine.send("hello-valid")

    def _open(self, stream: int, body: bytes, last: bool) -> None:
        mine = stream % 2 == (1 if self.dialled else 0)
        if mine or stream <= self._last_foreign:
            raise WireError("malformed", f"stream {stream} cannot be opened")
        self._last_foreign = stream
        self._owe()
        packet = Packet.from_bytes(body)
        if last != (packet.size == 0):
            raise WireError("malformed", "the payload ends where the header says otherwise")
        if len(self._in) >= MAX_STREAMS:
            raise WireError("flood", f"more than {MAX_STREAMS} streams at once")
        payload = Payload(packet.size, partial(self._consumed, stream))
        if packet.size:
            self._in[stream] = InStream(payload)
        self._owner.packet_arrived(self, packet, payload, stream)

    def data_received(self, stream: int, part: memoryview, last: bool) -> None:
        incoming = self._in.get(stream)
        if self.peer is None or (incoming is None and stream > self._last_foreign):
            raise WireError("malformed", f"data for stream {stream}, which is not open")
        if incoming is None:
            return
        incoming.received += len(part)
        if incoming.received > incoming.granted:
            raise WireError("flood", "more data than there was credit for")
        if last:
            del self._in[stream]
        incoming.payload.feed(part, last)

    def _consumed(self, stream: int, size: int) -> None:
        incoming = self._in.get(stream)
        if incoming is None or self.ended is not None:
            return
        incoming.consumed += size
        if incoming.consumed >= CREDIT_STEP and incoming.granted < incoming.payload.size:
            self._write(Kind.CREDIT, stream, incoming.consumed.to_bytes(4, "big"))
            incoming.granted += incoming.consumed
            incoming.consumed = 0

    def _credit(self, stream: int, body: bytes, last: bool) -> None:
        out = self._out_by_id.get(stream)
        if len(body) != 4:
            raise WireError("malformed", "CREDIT has four bytes")
        if out is not None:
            out.credit += int.from_bytes(body, "big")
            self.pump()

    def _reset(self, stream: int, body: bytes, last: bool) -> None:
        code, text = _reason(body)
        error = StreamReset(code, text)
        out = self._out_by_id.pop(stream, None)
        if out is not None:
            self._out.remove(out)
            out.done.errback(error)
        incoming = self._in.pop(stream, None)
        if incoming is not None:
            incoming.payload.fail(error)

    def _goodbye(self, stream: int, body: bytes, last: bool) -> None:
        code, text = _reason(body)
        if self.ended is None:
            self.ended = StreamReset(code, f"{self.address} said goodbye: {text}")
        self._lose()

    def refuse(self, stream: int, code: str, text: str) -> None:
        """Give up a stream of the peer; what still comes of it is dropped."""
        incoming = self._in.pop(stream, None)
        if incoming is not None and self.ended is None:
            incoming.payload.fail(StreamReset(code, text))
            self._write(Kind.RESET, stream, encode([code[:40], text[:500]]))

    # what goes out

    def send(
        self, packet: Packet, source: Source | None = None, progress: Callable[[int, int], None] | None = None
    ) -> "Deferred[None]":
        """Send a packet; fires when its last byte is handed to the transport. Cancelling resets the stream."""
        out = OutStream(self._next_stream, packet, source, progress)
        self._next_stream += 2
        out.done = Deferred(lambda _: self._give_up(out))
        if self.ended is not None:
            out.done.errback(self.ended)
            return out.done
        self._out.append(out)
        self._out_by_id[out.id] = out
        self.pump()
        return out.done

    def _give_up(self, out: OutStream) -> None:
        if self._out_by_id.pop(out.id, None) is not None:
            self._out.remove(out)
            if out.opened and self.ended is None:
                self._write(Kind.RESET, out.id, encode(["cancelled", "the sender gave it up"]))

    def pump(self) -> None:
        """Send what may be sent now."""
        idle = 0
        while self._writable and self.ended is None and self.peer and idle < len(self._out):
            out = self._out[0]
            self._out.rotate(-1)
            if out.ready and (not out.opened or self._turns.allow(self, out.size)):
                idle = 0
                self._send_part(out)
            else:
                idle += 1

    def _send_part(self, out: OutStream) -> None:
        try:
            part: Any = self._next_part(out) if out.opened else _header(out.packet)
        except Exception:  # noqa: BLE001 - whatever packet or source raise is the end of their stream alone
            self._part_failed(out, Failure())
            return
        if not out.opened:
            out.opened = True
            self._write(Kind.OPEN, out.id, part, last=out.size == 0)
            if out.size == 0:
                self._complete(out)
        elif isinstance(part, Deferred):
            out.reading = True
            part.addCallbacks(partial(self._part_read, out), partial(self._part_failed, out))
        else:
            self._send_data(out, part)

    def _next_part(self, out: OutStream) -> Any:
        assert out.source is not None
        return out.source.read(out.sent, min(out.credit, self._turns.bucket.part(MAX_BODY), out.size - out.sent))

    def _part_read(self, out: OutStream, part: bytes) -> None:
        out.reading = False
        if out.id in self._out_by_id:
            self._send_data(out, part)
            self.pump()

    def _part_failed(self, out: OutStream, failure: Failure) -> None:
        if self._out_by_id.pop(out.id, None) is not None:
            self._out.remove(out)
            if out.opened:
                self._write(Kind.RESET, out.id, encode(["internal", "the payload could not be read"]))
            out.done.errback(failure)

    def _send_data(self, out: OutStream, part: bytes) -> None:
        if not part:
            self._part_failed(out, Failure(StreamReset("internal", "the payload is shorter than it said")))
            return
        out.sent += len(part)
        out.credit -= len(part)
        self._write(Kind.DATA, out.id, part, last=out.sent >= out.size)
        if out.progress is not None:
            out.progress(out.sent, out.size)
        if out.finished:
            self._complete(out)

    def _complete(self, out: OutStream) -> None:
        del self._out_by_id[out.id]
        self._out.remove(out)
        out.done.callback(None)

    def _write(self, kind: Kind, stream: int, body: bytes, last: bool = False) -> None:
        self.bytes_sent += len(body) + 8
        self._turns.bucket.spend(len(body) + 8)
        cast(Any, self.transport).write(b"".join((head(kind, stream, len(body), last), body)))

    # IPushProducer: the transport tells when it can take more

    def pauseProducing(self) -> None:  # noqa: N802 - the interface's name
        self._writable = False

    def resumeProducing(self) -> None:  # noqa: N802 - the interface's name
        self._writable = True
        self.pump()

    def stopProducing(self) -> None:  # noqa: N802 - the interface's name
        self._writable = False

    def streams(self) -> list[dict[str, Any]]:
        """Payloads on their way, as `streams_list` shows them."""
        found = [("in", number, item.received, item.payload.size) for number, item in self._in.items()]
        found += [("out", out.id, out.sent, out.size) for out in self._out]
        return [
            {"stream_id": number, "type": way, "bytes_current": done, "bytes_total": total, "proto": "tcp"}
            | {"progress": f"{100 * done // total if total else 100}%"}
            for way, number, done, total in found
        ]


def _header(packet: Packet) -> bytes:
    """The peer would end the whole session over a larger one."""
    header = packet.to_bytes()
    if len(header) > MAX_OPEN:
        raise WireError("too-large", f"a packet header of {len(header)} bytes; at most {MAX_OPEN} are allowed")
    return header


def _reason(body: bytes) -> tuple[str, str]:
    value = decode(body, 2048, max_items=4)
    if type(value) is not list or len(value) != 2 or not all(type(item) is str for item in value):
        raise WireError("malformed", "a reason is a code and a text")
    return value[0][:40], value[1][:500]
