"""The packet table: where a packet becomes an event or a call, and the only way in.

A service adds its rows (`bitdust.wire.table`) when it starts and takes them off when it stops. A command of a kind has
one owner; an unknown or unauthorised one gets Fail with a code; a handler that breaks gets Fail too: nobody who asked
is left waiting.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.automats.packet_in import PacketIn
from bitdust.peers.relations import Relations
from bitdust.scopes.reservations import Reservation, Resource, TooMuch
from bitdust.surroundings import Surroundings
from bitdust.transport.session import Session
from bitdust.transport.streams import BytesSource, OutStream, Payload, StreamReset
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import ANSWERS, Command, Packet
from bitdust.wire.table import Answer, Request, Row, Who, fail

STALLED = 600.0
"""Seconds that a handler may work on a packet that has come whole."""
SILENT = 30.0
"""Seconds in which a peer brings at least a byte of its packet, or takes one of the answer."""
BETWEEN_TURNS = 600.0
"""The same where many streams of the peer take turns on a slow line, and others of them move."""
BUSY = 64 * 1024
"""Bytes of a session in ten seconds that are not just signs of life."""
SMALL = 4096
"""Bytes of a payload or an answer that are not worth counting."""
STALE_ALLOWED = ((Command.RETRIEVE, "identity"), (Command.IDENTITY, "document"))
KINDS = ("kind", "space", "service")
TakeAnswer = Callable[[Session, Packet, Payload, int], bool]
"""The outbox: whether somebody waits for an answer that has come."""


def _as_answer(result: Any) -> Answer:
    if not isinstance(result, Answer):
        raise TypeError(f"a handler gave {type(result).__name__} in the place of an answer")
    return result


class _Incoming:
    """One packet that is worked on: the port of its `PacketIn` machine."""

    def __init__(self, inbox: "Inbox", session: Session, packet: Packet, payload: Payload, stream: int) -> None:
        self._inbox = inbox
        self.session = session
        self.packet = packet
        self.payload = payload
        self.stream = stream
        self.started = inbox.world.wall()
        self.work: Deferred[Any] | None = None
        self._out: OutStream | None = None
        self._moved = self._session_received = 0
        self._moved_at = inbox.world.clock.seconds()
        self.taken: list[Reservation] = []
        self.machine = PacketIn(inbox.registry, packet.id.hex()[:8], self)

    def answer(self, payload: Any) -> None:
        self._reply(payload).addCallbacks(lambda _: self.machine.send("answer-sent"), self._not_sent)

    def _not_sent(self, failure: Failure) -> None:
        if self.session.ended is None and not failure.check(StreamReset, CancelledError):
            self._inbox.log.failure("an answer to {command} failed", failure, command=self.packet.command.value)
            self._reply(fail("internal", "the answer could not be sent; it was logged")).addErrback(lambda _: None)
        self.machine.send("session-lost")

    def refuse(self, payload: Any) -> None:
        self.payload.drop()
        # The answer goes first: a reset that overtakes it would look like a broken stream, and tell less.
        reset = partial(self.session.refuse, self.stream, payload.fields["code"], payload.fields["text"])
        self._reply(payload).addBoth(lambda _: reset())

    def is_stalled(self) -> bool:
        """Asked now and then: bytes that move are counted anyway, so that nothing is done for each of them."""
        session, now = self.session, self._inbox.world.clock.seconds()
        moved = self.payload.received + (self._out.sent if self._out is not None else 0)
        waits_for_me = session.held or (self._out is not None and self._out.credit > 0)
        if moved != self._moved or waits_for_me:
            self._moved, self._moved_at = moved, now
        is_busy = session.bytes_received - self._session_received >= BUSY
        self._session_received = session.bytes_received
        return now - self._moved_at >= (BETWEEN_TURNS if is_busy else self._patience)

    @property
    def _patience(self) -> float:
        waits_for_peer = self._out is not None or self.payload.received < self.payload.size
        return SILENT if waits_for_peer else STALLED

    def refuse_stalled(self) -> None:
        code = "internal" if self._patience == STALLED else "timeout"
        self.refuse(fail(code, "nothing has moved for too long; the work was given up here"))

    def withdraw(self) -> None:
        if self._out is not None:
            self._out.done.cancel()

    def forget(self) -> None:
        self._inbox.forget(self)
        if self.work is not None:
            self.work.cancel()

    def take(self, resource: Resource, amount: int = 1) -> None:
        """Reserve it until the packet is forgotten; raises `TooMuch`."""
        self.taken.append(self.session.party.reserve(resource, amount, asked=True))

    def _reply(self, answer: Answer) -> "Deferred[None]":
        if isinstance(answer.payload, bytes) and len(answer.payload) > SMALL:
            try:
                self.take(Resource.MEMORY, len(answer.payload))
            except TooMuch as error:
                answer = fail(error.code, str(error))
        source = BytesSource(answer.payload) if isinstance(answer.payload, bytes) else answer.payload
        packet = self._inbox.reply_packet(self.session, self.packet, answer, source.size if source else 0)
        if self._inbox.log_packets:
            name, ident = packet.command.value, self.packet.id.hex()
            self._inbox.log.info(
                "out {name} {id} to {who}, the answer", paper="packet", name=name, id=ident, who=self.session.address
            )
        self._out = self.session.begin(packet, source)
        return self._out.done


class Inbox:
    """Owns the packet table of a node and the packets that are worked on."""

    log = Logger()

    def __init__(self, around: Surroundings, relations: Relations, take_answer: TakeAnswer) -> None:
        self.world = around.world
        self.registry = around.registry
        self.relations = relations
        self._me = around.me
        self._rows: dict[tuple[Command, str | None], Row] = {}
        self._running: dict[int, _Incoming] = {}
        self.counts: Counter[str] = Counter()
        self.unknown_packets = self.unknown_bytes = 0
        self._take_answer = take_answer
        self.log_packets = False

    def add(self, row: Row) -> None:
        """Take a row up; a command of a kind has one owner."""
        key = (row.command, row.kind)
        if key in self._rows:
            raise ValueError(f"{row.command} {row.kind} belongs to {self._rows[key].service} already")
        self._rows[key] = row

    def remove(self, row: Row) -> None:
        """Take a row off; what is being worked on goes on."""
        self._rows.pop((row.command, row.kind), None)

    def rows(self) -> list[Row]:
        """The whole table."""
        return list(self._rows.values())

    def packet_arrived(self, session: Session, packet: Packet, payload: Payload, stream: int) -> None:
        """A stream has begun: an answer to one of ours, or a request."""
        self.counts[packet.command.value] += 1
        if self.log_packets:
            name, ident = packet.command.value, (packet.answers or packet.id).hex()
            text = "in  {name} {id} from {who}" + (", the answer" if packet.answers else "")
            self.log.info(text, paper="packet", name=name, id=ident, who=session.address)
        if packet.answers is not None:
            if packet.command not in ANSWERS or not self._take_answer(session, packet, payload, stream):
                session.refuse(stream, "not-found", "nobody waits for this answer")
                return
            session.ahead = packet.time / 1000 - self.world.wall()
            return
        incoming = _Incoming(self, session, packet, payload, stream)
        self._running[incoming.machine.index] = incoming
        assert session.peer is not None
        try:
            incoming.take(Resource.REQUESTS)
            if packet.size:
                incoming.take(Resource.STREAMS)
            request = Request(session.peer, packet, payload)
            row = self._row_for(session, request)
            if row.gathers and packet.size > SMALL:
                incoming.take(Resource.PAYLOADS, packet.size)
            session.reading.charge(row.cost - 1.0)
        except BitDustError as error:
            incoming.machine.send("refuse", fail(error.code, str(error), **error.details))
            return
        incoming.machine.send("dispatch")
        incoming.work = maybeDeferred(self._work, row, request).addCallback(_as_answer)
        if row.cost_kib:
            incoming.work.addBoth(_charged, session, row.cost_kib * packet.size / 1024)
        incoming.work.addCallbacks(
            lambda answer: incoming.machine.send("answered", answer), lambda failure: self._failed(incoming, failure)
        )

    def _work(self, row: Row, request: Request) -> Any:
        result = row.handler(request)
        if isinstance(result, Awaitable) and not isinstance(result, Deferred):
            return Deferred.fromCoroutine(result)  # type: ignore[arg-type]
        return result

    def _failed(self, incoming: _Incoming, failure: Failure) -> None:
        error = failure.value
        if incoming.session.ended is not None:
            incoming.machine.send("session-lost")
        elif isinstance(error, CancelledError):
            incoming.machine.send("refuse", fail("internal", "the work was given up here"))
        elif isinstance(error, BitDustError):
            incoming.machine.send("refuse", fail(error.code, str(error), **error.details))
        else:
            self.log.failure("a handler of {command} failed", failure, command=incoming.packet.command.value)
            incoming.machine.send("refuse", fail("internal", "something unexpected happened here; it was logged"))

    def _row_for(self, session: Session, request: Request) -> Row:
        peer, packet = request.peer, request.packet
        if session.claim is not None:
            raise WireError("no-service", "this node only asks for its identity here, and answers nothing yet")
        if packet.creator != peer.fingerprint or packet.to != self._me.fingerprint:
            raise WireError("not-allowed", "the creator is not the session's peer, or this is not who it is for")
        kind = next((packet.fields[name] for name in KINDS if name in packet.fields), None)
        key = (packet.command, kind) if isinstance(kind, str) else (packet.command, None)
        if session.stale and key not in STALE_ALLOWED:
            raise WireError("stale", "a newer revision of your identity is known here: retrieve it first")
        row = self._rows.get(key)
        if row is None:
            self.unknown_packets, self.unknown_bytes = self.unknown_packets + 1, self.unknown_bytes + packet.size
            raise WireError("unknown-command", f"no service of this node answers {packet.command}")
        self._authorise(row, request)
        if packet.size > row.max_payload:
            raise WireError("too-large", f"a payload of {packet.size} bytes; at most {row.max_payload} are accepted")
        packet.check_fields(row.fields)
        return row

    def _authorise(self, row: Row, request: Request) -> None:
        peer, packet = request.peer, request.packet
        if packet.capability is not None:
            if row.authorise is None:
                raise WireError("not-allowed", f"{packet.command} takes no capability here")
            row.authorise(request)
        elif Who.ANYONE not in row.who:
            if packet.owner != peer.fingerprint:
                raise WireError("not-allowed", "only the owner may ask this")
            if Who.OWNER not in row.who and not self.relations.has(row.who, peer.fingerprint):
                raise WireError("not-allowed", "this node has no dealings with you")

    def reply_packet(self, session: Session, packet: Packet, answer: Answer, size: int) -> Packet:
        """The header of an answer. Who shows a claim has perhaps no identity yet, but the fingerprint of one."""
        now = int(self.world.wall() * 1000)
        mine = session.claim.document.fingerprint if session.claim is not None else self._me.fingerprint
        ident = self.world.entropy(16)
        return Packet(
            answer.command, ident, mine, packet.owner, packet.creator, now, answer.fields, size, answers=packet.id
        )

    def forget(self, incoming: _Incoming) -> None:
        """A packet has come to its end."""
        self._running.pop(incoming.machine.index, None)
        for one in incoming.taken:
            one.release()

    def session_lost(self, session: Session) -> None:
        """Whatever was asked over this session needs no answer any more."""
        for incoming in [item for item in self._running.values() if item.session is session]:
            incoming.machine.send("session-lost")

    def packets(self) -> list[dict[str, Any]]:
        """As `packets_list` shows them."""
        return [
            {
                "direction": "incoming",
                "command": item.packet.command.value,
                "packet_id": item.packet.id.hex(),
                "transfer_id": item.stream,
                "label": item.machine.state,
                "target": item.session.peer.document.global_id if item.session.peer else "",
                "proto": item.session.scheme,
                "host": item.session.address,
                "size": item.packet.size,
                "bytes_received": item.payload.received,
                "timeout": None,
            }
            for item in self._running.values()
        ]


def _charged(result: Any, session: Session, cost: float) -> Any:
    """What a payload costs counts when it was read: counted before, it would keep the payload itself waiting."""
    session.party.pace(cost)
    return result
