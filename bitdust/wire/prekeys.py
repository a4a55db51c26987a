"""Prekeys: what a device leaves for people who write to it while it is away, and where it has its mailboxes."""

from typing import ClassVar

from attrs import frozen

from bitdust.wire.records import Record
from bitdust.wire.schema import Bytes, Int, ListOf, Schema, Struct

MAX_MAILBOXES = 4
MOST_ONCE = 100
"""One-time prekeys of a device that a mailbox keeps."""
ID = Int(0, 2**32 - 1)
ONCE = Struct({"id": ID, "key": Bytes(32), "signature": Bytes(64)})
ONCE_KIND = "one-time prekey"
"""The kind under which a device signs a one-time prekey; see `once_body`."""

ENVELOPES, PREKEYS, WAITING = "envelopes", "prekeys", "waiting"
"""Kinds of `Command.MESSAGE` that a device answers: envelopes for it, its prekeys, a word that its mailbox has some."""
OPEN, FETCH, TAKEN, DEPOSIT, ONCE_ASKED = "mailbox", "fetch", "taken", "deposit", "once"
"""Kinds that a keeper of mailboxes answers: the first three to their owners, the others to senders."""


@frozen
class Prekeys(Record):
    """A device's signed prekey ``key``, with its number, and the fingerprints of its mailbox nodes; ``time`` is in
    milliseconds since the epoch."""

    KIND: ClassVar[str] = "prekeys"
    FIELDS: ClassVar[dict[str, Schema]] = {
        "owner": Bytes(32),
        "device": Bytes(8),
        "id": ID,
        "key": Bytes(32),
        "time": Int(),
        "mailboxes": ListOf(Bytes(32), MAX_MAILBOXES),
    }

    owner: bytes
    device: bytes
    id: int
    key: bytes
    time: int
    mailboxes: list[bytes]

    @classmethod
    def from_body(cls, data: bytes) -> "Prekeys":
        """Raises `WireError`."""
        return cls(**cls.parse_fields(data))


@frozen
class OncePrekey:
    """A one-time prekey: the device's signature keeps a mailbox from making one up."""

    id: int
    key: bytes
    signature: bytes

    def as_map(self) -> dict[str, int | bytes]:
        return {"id": self.id, "key": self.key, "signature": self.signature}


def once_body(owner: bytes, ident: int, key: bytes) -> bytes:
    """What a device signs of a one-time prekey."""
    return owner + ident.to_bytes(4, "big") + key
