"""A session: one connection with one proven peer, over whatever link, carrying many one-way streams with credit."""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from attrs import define, evolve
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from bitdust.automats.kernel import Registry
from bitdust.automats.tcp_connection import TCPConnection
from bitdust.identity.document import IdentityDocument
from bitdust.scopes.scopes import Party, Scopes
from bitdust.transport.frames import Kind, head
from bitdust.transport.hello import Hello
from bitdust.transport.limits import TokenBucket, Turns
from bitdust.transport.links.link import Link
from bitdust.transport.peer import Admission, Call, Peer
from bitdust.transport.reading import Reading
from bitdust.transport.sending import Sending
from bitdust.transport.streams import WINDOW, OutStream, Payload, StreamReset
from bitdust.wire.addresses import join_host
from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.errors import REVOKED
from bitdust.wire.packet import Packet
from bitdust.wire.table import Source
from bitdust.world import World

MAX_STREAMS = 256
CREDIT_STEP = WINDOW // 4
MAX_OWED = 1000
"""Answers that a peer may ask for while it does not take what was written already."""
STUCK, STUCK_FRIEND = 60.0, 300.0
"""Seconds in which a peer takes at least a part of what was written: a stranger or newcomer, and one with whom there
are dealings, who may share a slow line with many."""
SILENT = 20.0
"""Seconds of silence that ask for a ping and are not the end yet (`docs/formats.md`, section 4)."""


class SessionOwner(Protocol):
    """The gateway, as a session sees it."""

    world: World
    registry: Registry
    turns: Turns
    receive_bucket: TokenBucket
    scopes: Scopes

    def my_hello(self, session: "Session") -> Hello:
        """What we tell the peer."""

    def admit(self, session: "Session", hello: Hello, device_key: bytes) -> Admission:
        """Check who came; raises `WireError` with the code of the goodbye."""

    def session_up(self, session: "Session") -> None:
        """The peer is proven."""

    def session_down(self, session: "Session") -> None:
        """The connection is over."""

    def packet_arrived(self, session: "Session", packet: Packet, payload: Payload, stream: int) -> None:
        """A stream has begun."""


Handlers = dict[Kind, Callable[[int, bytes, bool], None]]


@define
class InStream:
    """One payload on its way in, and the credit that its sender has."""

    payload: Payload
    granted: int = WINDOW
    consumed: int = 0
    received: int = 0
    given: int = 0


class Session:
    """The same on both ends. It is the user of its link, the port of its machine, and the reader of its frames."""

    log = Logger()

    def __init__(self, owner: SessionOwner, call: Call, party: Party | None = None) -> None:
        """``party`` is who has let a connection that came in take a place."""
        self._owner = owner
        self.call = call
        self.party = party or owner.scopes.party(call.address.host, call.dialled)
        self.dialled, self.anywhere = call.dialled, call.anywhere
        self.scheme = call.address.scheme
        self.address = join_host(call.address.host, call.address.port)
        self.expected = call.expected
        self.claim = call.claim
        self.link: Link | None = None
        self.peer: Peer | None = None
        self.stale = False
        self.shown: IdentityDocument | None = None
        """The newest document that the peer has shown; ``peer`` has the one by which it is judged."""
        self.told = b""
        """The document that was shown to the peer in Hello."""
        self.started = owner.world.wall()
        self.begun = self.proven_at = self.used_at = owner.world.clock.seconds()
        """``used_at``: when a packet came or went last; pings alone are no use."""
        self.ahead: float | None = None
        """Seconds that the peer's clock is ahead of mine, as its last answer told."""
        self.bytes_sent = self.bytes_received = 0
        self.ended: StreamReset | None = None
        self.proven: Deferred[Session] = Deferred(lambda _: self._given_up())
        if not call.dialled:
            self.proven.addErrback(lambda _: None)
        self._owed = self._sent_before = 0
        self._heard = owner.world.clock.seconds()
        self._last_foreign = 0
        self._in: dict[int, InStream] = {}
        self._bucket = owner.turns.bucket
        self._out = Sending(self, owner.turns, 1 if call.dialled else 2)
        self._handlers = self._frame_handlers()
        self._full_since: float | None = None
        self.reading = Reading(owner.world.clock, self, self.party, lambda error: self.close(error.code, str(error)))
        self.machine = TCPConnection(owner.registry, self.address, self)

    def _given_up(self) -> None:
        """Nobody waits for it any more: of no use to anybody is one that shows a claim."""
        if self.claim is not None:
            self.close("stopping", "it is not needed any more")

    # the link

    def link_made(self, link: Link) -> None:
        self.link = link

    def link_up(self) -> None:
        self.machine.send("dialled" if self.dialled else "accepted")

    def link_lost(self, reason: str) -> None:
        self.link = None
        if self.ended is None:
            self.ended = StreamReset("session-lost", f"the connection to {self.address} was lost: {reason}")
        self.machine.send("connection-lost")

    def link_full(self) -> None:
        self._out.writable = False
        self._full_since = self._owner.world.clock.seconds()

    def link_free(self) -> None:
        self._out.writable = True
        self._full_since = None
        self._out.pump()

    def link_data(self, data: bytes) -> None:
        self.bytes_received += len(data)
        self._heard = self._owner.world.clock.seconds()
        wait = self._owner.receive_bucket.spend(len(data))
        self.reading.take(data)
        if self.link is not None:
            self.reading.rest(self.link, wait)

    def judge(self, document: IdentityDocument) -> None:
        """The newest document of the peer's owner: does its device count there, and does it know that document?"""
        peer = self.peer
        device = document.device(peer.device) if peer is not None else None
        if peer is None or peer.document.is_claim:
            return
        if device is not None and device.revoked is not None:
            self.close("revoked", REVOKED)
        elif device is not None:
            self.peer, self.stale = evolve(peer, document=document), False
        else:
            self.stale = document.goes_before(peer.document)

    @property
    def held(self) -> bool:
        """Whether our own bandwidth limits keep it waiting now."""
        return self.reading.paused or self._out.held

    def close(self, code: str, text: str) -> None:
        """Say goodbye with a reason, then end the connection."""
        if self.ended is None:
            self.ended = StreamReset(code, text)
        self.machine.send("close", (code, text))

    def give_way(self) -> None:
        """Another peer takes its place, now."""
        self.party.leave()
        if self.peer is not None:
            self.close("busy", "others need this place; come again when there is something to do")
        else:
            self.ended = StreamReset("busy", f"{self.address} proved nothing while others waited")
            self.abort()

    # actions of the machine

    def send_hello(self) -> None:
        hello = self._owner.my_hello(self)
        self.told = hello.identity
        self.write(Kind.HELLO, 0, hello.to_bytes())

    def announce(self) -> None:
        self.proven_at = self._owner.world.clock.seconds()
        self._owner.session_up(self)
        if not self.proven.called:
            self.proven.callback(self)
        self._out.pump()

    def send_ping(self) -> None:
        self.write(Kind.PING, 0, self._owner.world.entropy(8))

    def silence(self) -> float:
        silence = self._owner.world.clock.seconds() - max(self._heard, self.reading.ended)
        # Who does not read hears nothing: that tells nothing of the peer, which wants to hear of us all the same.
        return min(silence, SILENT) if self.reading.paused else silence

    def takes_nothing(self) -> bool:
        patience = STUCK if self.party.is_new else STUCK_FRIEND
        return self._full_since is not None and self._owner.world.clock.seconds() - self._full_since > patience

    def said_nothing(self) -> bool:
        """A peer that sends slowly hears nothing but credit, which may be minutes apart."""
        before, self._sent_before = self._sent_before, self.bytes_sent
        return before == self.bytes_sent

    def say_goodbye(self, code: str, text: str) -> None:
        self.write(Kind.GOODBYE, 0, encode([code[:40], text[:500]]))
        self._close_link()

    def _close_link(self) -> None:
        if self.link is not None:
            self.link.close()

    def abort(self) -> None:
        if self.ended is None:
            self.ended = StreamReset("no-answer", f"{self.address} gave no sign of life in time")
        if self.link is not None:
            self.link.abort()

    def release(self) -> None:
        error = self.ended or StreamReset("session-lost", "the session is over")
        incoming, self._in = self._in, {}
        for stream in incoming.values():
            stream.payload.fail(error)
        self._out.end(error)
        if not self.proven.called:
            self.proven.errback(error)
        if self.peer is not None:
            self._owner.session_down(self)
        self.reading.release()
        self.party.leave()

    # what comes in

    def frame_received(self, kind: Kind, stream: int, body: bytes, last: bool) -> None:
        if self.peer is None and kind not in (Kind.HELLO, Kind.GOODBYE):
            raise WireError("bad-hello", "the first frame must be HELLO")
        self.reading.spend(kind)
        self._handlers[kind](stream, body, last)

    def _frame_handlers(self) -> Handlers:
        return {
            Kind.HELLO: self._hello,
            Kind.OPEN: self._open,
            Kind.CREDIT: self._out.credit_frame,
            Kind.RESET: self._reset,
            Kind.PING: self._ping,
            Kind.PONG: lambda *_: None,
            Kind.GOODBYE: self._goodbye,
        }

    def _ping(self, stream: int, body: bytes, last: bool) -> None:
        self._owe()
        self.write(Kind.PONG, 0, body)

    def _owe(self) -> None:
        """Whoever asks on and on and takes no answer would fill the memory here."""
        self._owed = 0 if self._out.writable else self._owed + 1
        if self._owed > MAX_OWED:
            raise WireError("flood", f"more than {MAX_OWED} questions, and no answer was taken")

    def _hello(self, stream: int, body: bytes, last: bool) -> None:
        if self.peer is not None:
            raise WireError("bad-hello", "a second HELLO")
        assert self.link is not None
        admission = self._owner.admit(self, Hello.from_bytes(body), self.link.device_key())
        self.peer, self.stale, self.shown = admission.peer, admission.stale, admission.peer.document
        self.machine.send("hello-valid")

    def _open(self, stream: int, body: bytes, last: bool) -> None:
        mine = stream % 2 == (1 if self.dialled else 0)
        if mine or stream <= self._last_foreign:
            raise WireError("malformed", f"stream {stream} cannot be opened")
        self._last_foreign = stream
        self.party.ask()
        self._owe()
        self.used_at = self._owner.world.clock.seconds()
        packet = Packet.from_bytes(body)
        if last != (packet.size == 0):
            raise WireError("malformed", "the payload ends where the header says otherwise")
        if len(self._in) >= MAX_STREAMS:
            raise WireError("flood", f"more than {MAX_STREAMS} streams at once")
        payload = Payload(packet.size, partial(self._consumed, stream), self.reading.unread)
        if packet.size:
            self._in[stream] = InStream(payload)
        self._owner.packet_arrived(self, packet, payload, stream)

    def data_received(self, stream: int, part: memoryview, last: bool) -> None:
        incoming = self._in.get(stream)
        if self.peer is None or (incoming is None and stream > self._last_foreign):
            raise WireError("malformed", f"data for stream {stream}, which is not open")
        self.reading.spend_part(len(part))
        if incoming is None:
            return
        self.used_at = self._owner.world.clock.seconds()
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
            self.write(Kind.CREDIT, stream, incoming.consumed.to_bytes(4, "big"))
            incoming.granted += incoming.consumed
            incoming.consumed = 0

    def _reset(self, stream: int, body: bytes, last: bool) -> None:
        code, text = _reason(body)
        error = StreamReset(code, text)
        self._out.reset(stream, error)
        incoming = self._in.pop(stream, None)
        if incoming is not None:
            incoming.payload.fail(error)

    def _goodbye(self, stream: int, body: bytes, last: bool) -> None:
        code, text = _reason(body)
        if self.ended is None:
            self.ended = StreamReset(code, f"{self.address} said goodbye: {text}")
        self._close_link()

    def refuse(self, stream: int, code: str, text: str) -> None:
        """Give up a stream of the peer; what still comes of it is dropped."""
        incoming = self._in.pop(stream, None)
        if incoming is not None and self.ended is None:
            incoming.payload.fail(StreamReset(code, text))
            self.write(Kind.RESET, stream, encode([code[:40], text[:500]]))

    # what goes out

    def send(
        self, packet: Packet, source: Source | None = None, progress: Callable[[int, int], None] | None = None
    ) -> "Deferred[None]":
        """Send a packet; fires when its last byte is handed to the link. Cancelling resets the stream."""
        return self._out.begin(packet, source, progress).done

    def begin(self, packet: Packet, source: Source | None = None) -> OutStream:
        """As `send`; gives the stream, which knows how much of it is sent."""
        return self._out.begin(packet, source, None)

    def write(self, kind: Kind, stream: int, body: bytes, last: bool = False) -> None:
        self.bytes_sent += len(body) + 8
        if self._bucket.rate > 0:
            self._bucket.spend(len(body) + 8)
        if self.link is not None:
            self.link.write(head(kind, stream, len(body), last), body)

    def streams(self) -> list[dict[str, Any]]:
        """Payloads on their way, as `streams_list` shows them."""
        found = [("in", number, item.received, item.payload.size) for number, item in self._in.items()]
        found += [("out", out.id, out.sent, out.size) for out in self._out]
        return [
            {"stream_id": number, "type": way, "bytes_current": done, "bytes_total": total, "proto": self.scheme}
            | {"progress": f"{100 * done // total if total else 100}%"}
            for way, number, done, total in found
        ]


def _reason(body: bytes) -> tuple[str, str]:
    value = decode(body, 2048, max_items=4)
    if type(value) is not list or len(value) != 2 or not all(type(item) is str for item in value):
        raise WireError("malformed", "a reason is a code and a text")
    return value[0][:40], value[1][:500]
