"""Sessions of two devices. There may be several side by side: both may have begun at once, or one has lost its home.

Whoever writes uses the session over which something has come last.
"""

from typing import Any

from attrs import field, frozen

from bitdust.crypt.exchange import public_of
from bitdust.crypt.ratchet import chains as ratchet
from bitdust.crypt.ratchet.agreement import Agreed, Start
from bitdust.crypt.ratchet.chains import Chains, Header, Skipped, When
from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.schema import Bytes, Int, Optional, Schema

FORMAT = 1
MOST = 5
"""Sessions of two devices; the ones that were used longest ago go."""
MAX_BYTES = MOST * (ratchet.MAX_KEPT * 100 + 1000)
_U32 = Int(0, 2**32 - 1)


@frozen
class Sealed:
    """A message of a session: what stands before it, and its sealed bytes."""

    header: Header
    sealed: bytes
    start: Start | None = None


@frozen
class Session:
    """``base`` names it: the key that was made for it. ``start`` is repeated until the other side has answered."""

    base: bytes
    context: bytes
    chains: Chains = field(repr=False)
    start: Start | None
    made: int

    def at(self, chains: Chains, start: Start | None) -> "Session":
        """The same session, later."""
        return Session(self.base, self.context, chains, start, self.made)


def begun(agreed: Agreed, start: Start, theirs: bytes, private: bytes, now: int) -> Session:
    """A session that this side begins, with the other's signed prekey and a new ratchet key."""
    return Session(start.base, agreed.context, ratchet.first(agreed.secret, theirs, private), start, now)


def answered(agreed: Agreed, start: Start, private: bytes, now: int) -> Session:
    """A session that the other side has begun, with my signed prekey."""
    return Session(start.base, agreed.context, ratchet.second(agreed.secret, private), None, now)


@frozen
class Sessions:
    """All sessions of two devices, the one to write with first."""

    all: tuple[Session, ...] = ()

    @property
    def may_write(self) -> bool:
        """Whether there is one to write with."""
        return bool(self.all)

    def with_new(self, session: Session) -> "Sessions":
        """One more, to write with."""
        return Sessions((session, *(one for one in self.all if one.base != session.base))[:MOST])

    def knows(self, start: Start) -> bool:
        """Whether the session that this begins is here."""
        return any(session.base == start.base for session in self.all)

    def seal(self, plain: bytes, beside: bytes) -> tuple["Sessions", Sealed]:
        """The next message; ``beside`` is authenticated with it."""
        session, *others = self.all
        chains, header, sealed = ratchet.seal(session.chains, plain, session.context + beside)
        return Sessions((session.at(chains, session.start), *others)), Sealed(header, sealed, session.start)

    def open_message(self, message: Sealed, beside: bytes, fresh: bytes, when: When) -> tuple["Sessions", bytes]:
        """What the other side wrote; raises `WireError` as that of `chains` does, ``no-session`` where none can be its.

        The session over which it came is the one to write with from now on.
        """
        start, failed = message.start, WireError("no-session", "there is no session with this device")
        for session in self.all:
            if start is not None and start.base != session.base:
                continue
            context = session.context + beside
            try:
                chains, plain = ratchet.open_message(
                    session.chains, message.header, message.sealed, context, fresh, when
                )
            except WireError as error:
                failed = error
                continue
            # An answer over it proves that the other side has the session.
            return self.with_new(session.at(chains, None)), plain
        raise failed

    def to_bytes(self) -> bytes:
        """Canonical bytes, with the number of their format."""
        return encode([FORMAT, [_session_out(session) for session in self.all]])

    @classmethod
    def from_bytes(cls, data: bytes) -> "Sessions":
        """Raises `WireError`."""
        value = decode(data, MAX_BYTES, max_items=MOST * (ratchet.MAX_KEPT * 5 + 40))
        if type(value) is not list or len(value) != 2 or value[0] != FORMAT:
            raise WireError("bad-format", f"sessions of another format; this program knows {FORMAT}")
        return cls(tuple(_session_in(one) for one in value[1]))


_START: tuple[Schema, ...] = (Bytes(32), _U32, Optional(_U32))
_SKIPPED: tuple[Schema, ...] = (Bytes(32), _U32, Bytes(32), Int())
_SOME = Optional(Bytes(32))
_CHAINS: tuple[Schema, ...] = (Bytes(32), _SOME, Bytes(32), _SOME, _SOME, _U32, _U32, _U32)


def _session_out(session: Session) -> list[Any]:
    start, state = session.start, session.chains
    return [
        session.base,
        session.context,
        None if start is None else [start.base, start.signed_id, start.once_id],
        session.made,
        [
            state.private, state.theirs, state.root, state.sending, state.receiving, state.sent, state.received,
            state.before, [[one.key, one.number, one.message_key, one.since] for one in state.skipped],
        ],
    ]  # fmt: skip


def _session_in(value: Any) -> Session:
    base, context, start, made, state = _tuple(value, 5, "session")
    for item, schema in ((base, Bytes(32)), (context, Bytes(32)), (made, Int())):
        schema.check(item, "session")
    *fields, skipped = _tuple(state, len(_CHAINS) + 1, "chains")
    _checked(fields, _CHAINS, "chains")
    if type(skipped) is not list or len(skipped) > ratchet.MAX_KEPT:
        raise WireError("bad-field", "chains: too many skipped keys")
    kept = tuple(Skipped(*_checked(one, _SKIPPED, "skipped")) for one in skipped)
    begins = None if start is None else Start(*_checked(start, _START, "start"))
    return Session(base, context, _chains(fields, kept), begins, made)


def _chains(fields: list[Any], kept: tuple[Skipped, ...]) -> Chains:
    private, theirs, root, sending, receiving, sent, received, before = fields
    public = public_of(private)
    return Chains(private, public, theirs, root, sending, receiving, sent, received, before, kept)


def _checked(value: Any, schemas: tuple[Schema, ...], what: str) -> list[Any]:
    items = _tuple(value, len(schemas), what)
    for item, schema in zip(items, schemas, strict=True):
        schema.check(item, what)
    return items


def _tuple(value: Any, length: int, what: str) -> list[Any]:
    if type(value) is not list or len(value) != length:
        raise WireError("bad-field", f"{what}: a list of {length} is expected")
    return value
