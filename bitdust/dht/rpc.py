"""One question to one node, and its answer: matched by message id and address, with a time-out of the node's own.

After the contact's patience somebody else should be asked too; after its time-out a question has failed; an answer that
comes within `LATE` seconds is still taken (`Stage`). Tokens are fetched, shown and renewed here, and
nobody else thinks of them.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, Protocol

from attrs import define
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from bitdust.dht.contact import UNKNOWN_TIMEOUT, Contact
from bitdust.dht.datagrams import FIRST_BYTE, PART, Address, Datagram, Reassembly, Unfinished, cut, take_apart
from bitdust.dht.limits import Rates, Tokens
from bitdust.dht.messages import TOKEN_BYTES, Message, build, read
from bitdust.dht.traffic import Traffic
from bitdust.signal import Disconnect
from bitdust.wire.encoding import WireError
from bitdust.wiring import Wire

LATE = 3.0
MAX_PENDING = 4096
PADDED = {"ping": 320, "find_node": PART, "find_value": PART, "store": 0, "info": 0}
"""How long a query without a token is made, so that its answer may be as long."""

_PAD_HEAD = 7
_NEEDS_TOKEN = ("store", "info")
Answered = Callable[[Contact, Message], None]
Silent = Callable[[Contact], None]


def nobody(_contact: Contact) -> None:
    """For those who do not care."""


class Listener(Protocol):
    """Whoever serves queries and wants to know how contacts behave."""

    def serve(self, query: Message, address: Address, shown: bool) -> dict[str, Any] | None:
        """The reply's fields, or None for silence; ``shown`` says that the address showed its token."""

    def answered(self, contact: Contact, reply: Message) -> None:
        """A contact answered (late, perhaps)."""

    def silent(self, contact: Contact) -> None:
        """A contact let its time-out pass."""


class Stage(Enum):
    """How long an answer has been due."""

    FRESH = "it may come any moment"
    SLOW = "somebody else is asked besides"
    FAILED = "the contact was silent for its time-out; a late answer is still taken"


@define(eq=False)
class Question:
    """One query on its way. ``again`` marks one that is asked for the second time, with a fresh token."""

    contact: Contact
    name: str
    fields: Mapping[str, Any]
    layer: int
    on_answer: Answered
    on_failure: Silent
    on_slow: Silent
    sent: float
    again: bool
    token: bytes | None
    stage: Stage = Stage.FRESH
    assembly: Reassembly | None = None


class Datagrams(Protocol):
    """The UDP port of the node, which others share; `bitdust.transport.datagrams.DatagramPort` is it."""

    @property
    def is_open(self) -> bool:
        """Whether datagrams can come and go."""

    @property
    def port(self) -> int:
        """Its number."""

    def add(self, first_bytes: Iterable[int], receive: Callable[[bytes, Address], None]) -> Disconnect:
        """Hand datagrams with these first bytes over; the answer ends that."""

    def send(self, data: bytes, address: Address) -> None:
        """Send one."""


class Rpc:
    """Sends questions and answers."""

    log = Logger()
    listener = Wire(Listener)

    def __init__(
        self,
        clock: IReactorTime,
        entropy: Callable[[int], bytes],
        datagrams: Datagrams,
        own: Contact,
        rates: Rates,
    ) -> None:
        self._clock = clock
        self._entropy = entropy
        self._datagrams = datagrams
        self._own = own
        self._rates = rates
        self._tokens = Tokens(entropy, clock.seconds())
        self._unfinished = Unfinished()
        self._pending: dict[bytes, Question] = {}
        self._due: list[tuple[float, bytes]] = []
        self._timer: IDelayedCall | None = None
        self._typical: float | None = None
        self._remove: Disconnect = lambda: None
        self.traffic = Traffic()

    def open(self) -> None:
        """Take the datagrams of the DHT from now on. Raises `ValueError` when somebody else does."""
        self._remove = self._datagrams.add((FIRST_BYTE,), self._received)

    # asking

    def ask(
        self,
        contact: Contact,
        name: str,
        fields: Mapping[str, Any],
        on_answer: Answered,
        on_failure: Silent = nobody,
        on_slow: Silent = nobody,
        layer: int = 0,
        again: bool = False,
    ) -> None:
        """Ask. Either ``on_answer`` or ``on_failure`` follows; after a failure a late answer may follow still."""
        if name in _NEEDS_TOKEN and contact.token is None and not again:
            self._fetch_token(Question(contact, name, fields, layer, on_answer, on_failure, on_slow, 0.0, True, None))
            return
        now = self._clock.seconds()
        question = Question(contact, name, fields, layer, on_answer, on_failure, on_slow, now, again, contact.token)
        message_id = self._entropy(8)
        if not self._datagrams.is_open or len(self._pending) >= MAX_PENDING:
            self._clock.callLater(0, on_failure, contact)
            return
        self._pending[message_id] = question
        self._remind(now + contact.patience(self.unknown_timeout), message_id)
        self._send(self._query(question), message_id, contact.address, layer, contact.token)
        self.traffic.called(layer)

    def _fetch_token(self, question: Question) -> None:
        def got(contact: Contact, _reply: Message) -> None:
            self._repeat(question)

        self.ask(question.contact, "ping", {}, got, question.on_failure, question.on_slow, question.layer)

    def _repeat(self, question: Question) -> None:
        self.ask(
            question.contact,
            question.name,
            question.fields,
            question.on_answer,
            question.on_failure,
            question.on_slow,
            question.layer,
            again=True,
        )

    @property
    def unknown_timeout(self) -> float:
        """The time-out of a node that never answered: from what others take, between 0.1 and 0.5 seconds."""
        return UNKNOWN_TIMEOUT if self._typical is None else min(0.5, max(0.1, self._typical))

    def _query(self, question: Question) -> bytes:
        fields = {"q": question.name, **self._head(question.layer), **question.fields}
        if question.token is not None:
            return build({**fields, "token": question.token})
        plain = build(fields)
        missing = PADDED[question.name] - len(plain) - _PAD_HEAD
        return build({**fields, "pad": bytes(missing)}) if missing > 0 else plain

    def _head(self, layer: int) -> dict[str, Any]:
        own = self._own
        return {"n": own.id, "k": own.key, "l": layer, "a": own.layers}

    def _send(self, message: bytes, message_id: bytes, address: Address, layer: int, token: bytes | None) -> None:
        datagrams = cut(message, message_id, token)
        self.traffic.sent(layer, len(datagrams), sum(map(len, datagrams)))
        for datagram in datagrams:
            self._datagrams.send(datagram, address)

    # time

    def _remind(self, when: float, message_id: bytes) -> None:
        heapq.heappush(self._due, (when, message_id))
        self._arm()

    def _arm(self) -> None:
        """One timer, for whatever is due first."""
        when = self._due[0][0]
        if self._timer is not None and self._timer.active():
            if self._timer.getTime() <= when:
                return
            self._timer.cancel()
        self._timer = self._clock.callLater(max(0.0, when - self._clock.seconds()), self._due_now)

    def _due_now(self) -> None:
        now = self._clock.seconds()
        while self._due and self._due[0][0] <= now + 1e-6:
            _, message_id = heapq.heappop(self._due)
            question = self._pending.get(message_id)
            if question is not None:
                self._grow_old(question, message_id)
        while self._due and self._due[0][1] not in self._pending:
            heapq.heappop(self._due)
        if self._due:
            self._arm()

    def _grow_old(self, question: Question, message_id: bytes) -> None:
        contact = question.contact
        if question.stage is Stage.FRESH:
            question.stage = Stage.SLOW
            self._remind(question.sent + contact.timeout(self.unknown_timeout), message_id)
            question.on_slow(contact)
        elif question.stage is Stage.SLOW:
            question.stage = Stage.FAILED
            self._remind(question.sent + LATE, message_id)
            contact.failures += 1
            self.listener.silent(contact)
            question.on_failure(contact)
        else:
            del self._pending[message_id]

    def close(self) -> None:
        """Forget every question and take no datagram any more; no callback follows."""
        self._remove()
        self._pending.clear()
        self._due.clear()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    # receiving

    def _received(self, datagram: bytes, address: Address) -> None:
        """Take a datagram apart; what is malformed or not allowed vanishes without a word."""
        self.traffic.came(len(datagram))
        try:
            parts = take_apart(datagram)
            question = self._pending.get(parts.message_id)
            if question is not None and question.contact.address == address:
                self._take_reply(question, parts)
            elif self._rates.allow(address[0], self._clock.seconds()):
                self._take_query(parts, address, len(datagram))
        except WireError as error:
            self.traffic.refused += 1
            self.log.debug("refused a datagram of {address}: {error}", address=address, error=error)

    def _take_reply(self, question: Question, parts: Datagram) -> None:
        whole: bytes | None = parts.part
        if parts.fragments > 1:
            if question.assembly is None:
                question.assembly = Reassembly(parts.fragments, question.sent)
            whole = question.assembly.add(parts, parts.part)
        if whole is None:
            return
        reply = read(whole)
        expected = question.contact.key or reply["k"]
        if reply.get("r") not in (question.name, "error") or reply["k"] != expected:
            raise WireError("bad-field", "dht: not the reply to that question, or not that node")
        del self._pending[parts.message_id]
        self._settle(question, reply)

    def _settle(self, question: Question, reply: Message) -> None:
        contact = question.contact
        seconds = self._clock.seconds() - question.sent
        contact.measured(seconds)
        self._note_typical(contact.timeout())
        contact.failures = 0
        self.traffic.answered(question.layer)
        token = reply.get("token")
        if token is not None:
            contact.token = token
        self.listener.answered(contact, reply)
        wanted = question.token is not None or question.name in _NEEDS_TOKEN or "held" in reply
        if token is not None and wanted and not question.again:
            self._repeat(question)
        elif reply["r"] == "error":
            question.on_failure(contact)
        else:
            question.on_answer(contact, reply)

    def _note_typical(self, timeout: float) -> None:
        known = self._typical
        self._typical = 2 * timeout if known is None else known + (2 * timeout - known) / 16

    def _take_query(self, parts: Datagram, address: Address, size: int) -> None:
        now = self._clock.seconds()
        whole: bytes | None = parts.part
        if parts.fragments > 1:
            if not self._tokens.holds(parts.part[:TOKEN_BYTES], address, now):
                self._refuse(parts, address, now)
                return
            whole = self._unfinished.add(address, parts, now)
        if whole is None:
            return
        query = read(whole)
        if "q" not in query:
            return
        self.traffic.queried(query["l"])
        shown = self._tokens.holds(query.get("token"), address, now)
        fields = self.listener.serve(query, address, shown)
        if fields is not None:
            self._reply(query, fields, parts.message_id, address, None if shown else size)

    def _reply(
        self, query: Message, fields: dict[str, Any], message_id: bytes, address: Address, room: int | None
    ) -> None:
        """Send a reply; ``room`` bounds its length where the address has shown no token."""
        head = {"r": query["q"], **self._head(query["l"])}
        if room is None:
            self._send(build({**head, **fields}), message_id, address, query["l"], None)
            return
        token = self._tokens.give(address, self._clock.seconds())
        for shorter in _shorter(fields):
            message = build({**head, **shorter, "token": token})
            if len(message) + 13 <= room:
                self._send(message, message_id, address, query["l"], None)
                return

    def _refuse(self, parts: Datagram, address: Address, now: float) -> None:
        if parts.fragment == 0 and len(parts.part) == PART:
            token = self._tokens.give(address, now)
            message = build({"r": "error", **self._head(0), "code": "bad-token", "token": token})
            self._send(message, parts.message_id, address, 0, None)


def _shorter(fields: dict[str, Any]) -> list[dict[str, Any]]:
    """The reply, and what of it may be sent instead when it is longer than its query."""
    without_record = {name: value for name, value in fields.items() if name != "record"}
    versions = [fields]
    if "record" in fields:
        versions.append({**without_record, "held": True})
    bare = {"held": True} if "record" in fields else {}
    kept = {name: value for name, value in fields.items() if name in ("stored", "code", "revision")}
    return [*versions, {**bare, **kept}]
