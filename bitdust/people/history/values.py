"""Values of the history: a stored message, a conversation, and what somebody wants to see of them."""

from attrs import frozen

from bitdust.wire.messages import Message


@frozen
class Stored:
    """A message as it is kept: its number on this node, its place in its conversation, when it came (milliseconds), and
    the bytes of its data."""

    message: Message
    number: int
    position: int
    at: int
    size: int


@frozen
class Notice:
    """That a message was stored; its text is read when somebody wants it."""

    number: int
    kind: str
    direction: str

    @classmethod
    def of(cls, stored: Stored) -> "Notice":
        return cls(stored.number, stored.message.kind, stored.message.direction)


@frozen
class Conversation:
    """Times in milliseconds; ``last`` is the id of the newest message, empty where none is kept any more."""

    name: str
    type: str
    started: int
    updated: int
    total: int
    unread: int
    last: str


@frozen
class Filter:
    """Which messages somebody wants; empty fields take all of them."""

    conversation: str = ""
    sender: bytes = b""
    kinds: tuple[str, ...] = ()
    direction: str = ""


@frozen
class Page:
    """Which part of them: ``limit`` of the newest behind ``offset``, or those before or after a number."""

    limit: int = 100
    offset: int = 0
    before: int | None = None
    after: int | None = None
