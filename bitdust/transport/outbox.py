"""The only way out: a request to a peer becomes a packet here, and its answer comes back as a Deferred."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.automats.packet_out import PacketOut
from bitdust.surroundings import Surroundings
from bitdust.transport.session import Session
from bitdust.transport.streams import BytesSource, Payload
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command, Packet
from bitdust.wire.table import Source

MAX_ANSWER = 64 * 1024


class PeerFailed(BitDustError):
    """The peer answered Fail; ``fields`` holds what it told besides."""

    def __init__(self, code: str, text: str, fields: Mapping[str, Any]) -> None:
        super().__init__(code, text)
        self.fields = fields


class NoAnswer(BitDustError):
    """No byte moved within the deadline, or the connection was lost."""

    def __init__(self, text: str) -> None:
        super().__init__("no-answer", text)


class Gathers(Protocol):
    """Who takes the payload of an answer as it comes."""

    def write(self, part: memoryview, /) -> object:
        """The next bytes; they are there only until this returns."""


@frozen
class Reply:
    """An answer that is not Fail. ``payload`` is empty where it was ``gathered``."""

    packet: Packet
    payload: bytes
    gathered: Gathers | None = None

    @property
    def fields(self) -> Mapping[str, Any]:
        """The answer's fields; not checked beyond being a map."""
        return self.packet.fields


class SessionsPort(Protocol):
    """Who has or makes sessions: the gateway."""

    def session_to(self, fingerprint: bytes) -> "Deferred[Session]":
        """The session to a peer, dialled when there is none."""

    def name_of(self, fingerprint: bytes) -> str:
        """How people call a peer."""


@frozen
class Terms:
    """How long a request waits, how large an answer it takes, who follows its progress, and who gathers its payload."""

    deadline: float
    max_answer: int
    progress: Callable[[int, int], None] | None
    gather: Callable[[], Gathers] | None = None


class _Outgoing:
    """One request on its way: the port of its `PacketOut` machine."""

    def __init__(
        self, outbox: "Outbox", packet: Packet, source: Source | None, terms: Terms, session: Session | None
    ) -> None:
        self._outbox = outbox
        self.packet = packet
        self.source = source
        self.deadline = terms.deadline
        self._max_answer = terms.max_answer
        self._progress = terms.progress
        self._gather = terms.gather
        self.session = session
        self._fixed = session is not None
        self._moved_over = False
        self.sent = self.received = 0
        self.started = self.moved = outbox.world.clock.seconds()
        self.answer_stream: int | None = None
        self.done: Deferred[Reply] = Deferred(self._cancelled)
        self.machine = PacketOut(outbox.registry, packet.id.hex()[:8], self)

    def _cancelled(self, _: object) -> None:
        self.machine.send("cancel", CancelledError())

    def find_session(self) -> "Deferred[Any]":
        if self._fixed:
            found: Deferred[Any] = Deferred()
            found.callback(self.session)
            return found
        return self._outbox.sessions.session_to(self.packet.to)

    def transmit(self, session: Session) -> "Deferred[Any]":
        self.session, self.answer_stream = session, None
        self.moved = self._outbox.world.clock.seconds()
        return session.send(self.packet, self.source, self._sent_part)

    def _sent_part(self, sent: int, total: int) -> None:
        self.sent = sent
        self._moved(sent, total)

    def _moved(self, done: int, total: int) -> None:
        self.moved = self._outbox.world.clock.seconds()
        if self._progress is not None:
            self._progress(done, total)

    def stalled(self) -> bool:
        now = self._outbox.world.clock.seconds()
        if self.session is not None and self.session.held:
            self.moved = now  # our own limit holds it up, not the peer
        return now - self.moved >= self.deadline

    def answer(self, packet: Packet, payload: Payload, stream: int) -> None:
        """The answer's header has come; its payload may still be on the way."""
        self.moved = self._outbox.world.clock.seconds()
        self.answer_stream = stream
        if packet.size:  # the first part of it may take seconds more
            self._moved(0, packet.size)
        gathered = self._gather() if self._gather is not None and packet.command is not Command.FAIL else None
        try:
            whole: Deferred[Any]
            if gathered is None:
                whole = payload.read_all(self._max_answer, self._received_part)
            else:
                whole = payload.pass_all(gathered.write, self._max_answer, self._received_part)
                whole.addCallback(lambda _: b"")
        except WireError as error:
            self.machine.send("session-lost", error)
            return
        whole.addCallbacks(
            lambda data: self.machine.send("answer", Reply(packet, data, gathered)),
            lambda failure: self.machine.send("session-lost", failure),
        )

    def _received_part(self, received: int, total: int) -> None:
        self.received = received
        self._moved(received, total)

    def may_move(self, reason: Any) -> bool:
        error = reason.value if isinstance(reason, Failure) else reason
        if self._fixed or self._moved_over or getattr(error, "code", "") != "replaced":
            return False
        self._moved_over = True
        return True

    def _end(self) -> None:
        """Let go of the payload now: packet, machine and answer refer to each other until the next collection."""
        self._outbox.forget(self)
        self.source = None

    def deliver(self, payload: Any) -> None:
        self._end()
        reply: Reply = payload
        if reply.packet.command is Command.FAIL:
            fields = reply.fields
            code, text = str(fields.get("code", "internal"))[:40], str(fields.get("text", ""))[:500]
            self.done.errback(PeerFailed(code, text, fields))
        else:
            self.done.callback(reply)

    def give_up(self, reason: Any) -> None:
        self._end()
        error = reason.value if isinstance(reason, Failure) else reason
        if self.session is not None and self.answer_stream is not None:
            self.session.refuse(self.answer_stream, "cancelled", "nobody waits for it any more")
        if isinstance(error, CancelledError):
            return
        if error is None:
            error = NoAnswer(
                f"{self._outbox.sessions.name_of(self.packet.to)} did not answer within {self.deadline:.0f} seconds"
            )
        self.done.errback(error)


class Outbox:
    """Sends requests and matches their answers by packet id and peer."""

    log = Logger()

    def __init__(self, around: Surroundings, sessions: SessionsPort) -> None:
        self.world = around.world
        self.registry = around.registry
        self.sessions = sessions
        self._me = around.me
        self._waiting: dict[bytes, _Outgoing] = {}
        self.counts: Counter[str] = Counter()
        self.log_packets = False

    def send(
        self,
        to: bytes,
        command: Command,
        fields: Mapping[str, Any] | None = None,
        payload: bytes | memoryview | Source | None = None,
        *,
        deadline: float = 15.0,
        max_answer: int = MAX_ANSWER,
        progress: Callable[[int, int], None] | None = None,
        owner: bytes | None = None,
        session: Session | None = None,
        creator: bytes | None = None,
        capability: bytes | None = None,
        gather: Callable[[], Gathers] | None = None,
    ) -> "Deferred[Reply]":
        """Ask a peer. ``deadline`` is seconds without a byte moving; cancelling takes the request back.

        With ``gather`` the answer's payload goes, part by part, to what that makes, and is not kept whole.

        What belongs to another ``owner`` is only given to who shows a ``capability`` that the owner has signed.

        Fails with `PeerFailed` for a Fail, `NoAnswer`, or the reason why there is no session.
        """
        source = BytesSource(payload) if isinstance(payload, (bytes, memoryview)) else payload
        mine = self._me.fingerprint if creator is None else creator
        packet = Packet(
            command,
            self.world.entropy(16),
            mine,
            owner or mine,
            to,
            int(self.world.wall() * 1000),
            fields or {},
            source.size if source else 0,
            capability=capability,
        )
        self.counts[command.value] += 1
        if self.log_packets:
            name, ident = command.value, packet.id.hex()
            who = self.sessions.name_of(to)
            self.log.info("out {name} {id} to {who}", paper="packet", name=name, id=ident, who=who)
        outgoing = _Outgoing(self, packet, source, Terms(deadline, max_answer, progress, gather), session)
        self._waiting[packet.id] = outgoing
        outgoing.machine.send("run")
        return outgoing.done

    def answer_arrived(self, session: Session, packet: Packet, payload: Payload, stream: int) -> bool:
        """The inbox's side: whether somebody waits for this answer from this peer."""
        outgoing = self._waiting.get(packet.answers or b"")
        if outgoing is None or outgoing.session is not session or outgoing.answer_stream is not None:
            return False
        if session.peer is None or session.peer.fingerprint != outgoing.packet.to:
            return False
        outgoing.answer(packet, payload, stream)
        return True

    def overdue(self, seconds: float) -> int:
        """How many requests go on although nothing has moved for so long after they should have ended."""
        now = self.world.clock.seconds()
        return sum(1 for one in self._waiting.values() if one.stalled() and now - one.moved >= one.deadline + seconds)

    def session_lost(self, session: Session) -> None:
        """Nothing more comes over this session."""
        for outgoing in [item for item in self._waiting.values() if item.session is session]:
            outgoing.machine.send("session-lost", session.ended or NoAnswer("the session was lost"))

    def forget(self, outgoing: _Outgoing) -> None:
        """A request has come to its end."""
        self._waiting.pop(outgoing.packet.id, None)

    def packets(self) -> list[dict[str, Any]]:
        """As `packets_list` shows them."""
        return [
            {
                "direction": "outgoing",
                "command": item.packet.command.value,
                "packet_id": item.packet.id.hex(),
                "label": item.machine.state,
                "target": self.sessions.name_of(item.packet.to),
                "description": f"{item.packet.command.value} {item.packet.fields.get('kind', '')}".strip(),
                "response_timeout": item.deadline,
                "items": [
                    {
                        "transfer_id": item.packet.id.hex()[:8],
                        "proto": item.session.scheme if item.session else "",
                        "host": item.session.address if item.session else "",
                        "size": item.packet.size,
                        "bytes_sent": item.sent,
                    }
                ],
            }
            for item in self._waiting.values()
        ]
