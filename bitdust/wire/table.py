"""The packet table's values: which command a node answers, who may send it, and what goes back. No I/O here.

A room writes its `Row`s with these and never meets the sessions that packets come over; `bitdust.transport.inbox` owns
the table, checks each packet against its row, and calls the row's handler with a `Request`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Flag, auto
from typing import Any, Protocol

from attrs import field, frozen

from bitdust.wire.packet import Command, Packet
from bitdust.wire.schema import Schema, Struct

NO_FIELDS = Struct({})


class Who(Flag):
    """Who may send a command; ``|`` joins several. All but `ANYONE` speak for themselves: they own what they ask for.

    A packet that shows a capability is judged by that alone, and only where its row takes `CAPABILITY`.
    """

    ANYONE = auto()
    """Whoever proved a key; the handler checks the rest."""
    OWNER = auto()
    """The owner of what is asked for."""
    SUPPLIER = auto()
    """A supplier of mine."""
    CUSTOMER = auto()
    """A customer of mine."""
    FRIEND = auto()
    """Somebody whom the person of this node has accepted."""
    MEMBER = auto()
    """A member of a group or share that this node takes part in."""
    DEVICE = auto()
    """Another device of mine."""
    CAPABILITY = auto()
    """The holder of a capability of the owner, which the row's ``authorise`` checks."""


RELATIONS = (Who.SUPPLIER, Who.CUSTOMER, Who.FRIEND, Who.MEMBER, Who.DEVICE)
"""Roles that a peer may have for this node; see `bitdust.peers.relations`."""


class Device(Protocol):
    """One device of an identity document."""

    @property
    def id(self) -> bytes: ...

    @property
    def key(self) -> bytes: ...

    @property
    def revoked(self) -> int | None: ...

    @property
    def sequence(self) -> int | None: ...


class Document(Protocol):
    """The part of an identity document that handlers use."""

    @property
    def idurl(self) -> object: ...

    @property
    def global_id(self) -> str: ...

    @property
    def revision(self) -> int: ...

    @property
    def xml(self) -> bytes: ...

    @property
    def devices(self) -> Sequence[Device]: ...

    def device(self, ident: bytes, /) -> Device | None: ...


class Peer(Protocol):
    """Who is at the other end of the session, proven: the fingerprint, the device's id, and the document."""

    @property
    def fingerprint(self) -> bytes: ...

    @property
    def device(self) -> bytes: ...

    @property
    def document(self) -> Document: ...


class Payload(Protocol):
    """The bytes beside a packet's header, as they come in; one reader."""

    def read_all(self, limit: int, /) -> Awaitable[bytes]:
        """All of them; fails with ``too-large`` before reading when there are more than ``limit``."""

    def stream_to(self, write: Callable[[memoryview], Any], /) -> Awaitable[int]:
        """Hand every part to ``write``; where it gives a Deferred, the next part waits for it."""


class Source(Protocol):
    """A payload that is read while it is sent."""

    @property
    def size(self) -> int:
        """Bytes in all."""

    def read(self, offset: int, length: int, /) -> bytes | Awaitable[bytes]:
        """At most ``length`` bytes from ``offset``; fewer only at the end."""


@frozen
class Request:
    """A packet as a handler sees it: the peer is proven, the fields are checked."""

    peer: Peer
    packet: Packet
    payload: Payload

    @property
    def fields(self) -> Mapping[str, Any]:
        """The command's own fields."""
        return self.packet.fields


@frozen
class Answer:
    """What goes back."""

    command: Command
    fields: Mapping[str, Any] = field(factory=dict)
    payload: bytes | Source | None = None


def ack(**fields: Any) -> Answer:
    """Yes, and what came of it."""
    return Answer(Command.ACK, fields)


def fail(code: str, text: str, **fields: Any) -> Answer:
    """No, with a stable code and a sentence."""
    return Answer(Command.FAIL, {"code": code[:40], "text": text[:500]} | fields)


Handler = Callable[[Request], Answer | Awaitable[Answer]]
Authorise = Callable[[Request], None]


@frozen
class Row:
    """One line of the packet table: a command and its kind have one owner.

    ``kind`` is the value of the field kind, space or service, or None. ``authorise`` is called when a packet shows a
    capability, before anything else of it is used, and raises `WireError` ``not-allowed`` where the capability does not
    cover the request. ``gathers`` says that the handler has the whole payload in memory before it does anything: so
    much is set aside before a byte of it is read. ``becomes`` names the machine and the event that the packet becomes,
    where there is one. ``cost`` is what it costs this node, beside a ping: who may ask a hundred things may ask ten
    that cost ten; ``cost_kib`` is the same of each KiB of the payload, and counts once that was read.
    """

    command: Command
    kind: str | None
    fields: Schema
    max_payload: int
    who: Who
    service: str
    handler: Handler
    authorise: Authorise | None = field(default=None, kw_only=True)
    becomes: tuple[str, str] | None = field(default=None, kw_only=True)
    gathers: bool = field(default=False, kw_only=True)
    cost: float = field(default=1.0, kw_only=True)
    cost_kib: float = field(default=0.0, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if (Who.CAPABILITY in self.who) != (self.authorise is not None):
            raise ValueError(f"{self.command} {self.kind}: CAPABILITY and authorise go together")
