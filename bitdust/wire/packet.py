"""The packet: a canonical CBOR header, and a payload beside it that no parser touches.

A packet that lives only inside a session carries no signature: TLS proves the creator. One that is stored or forwarded
is wrapped in `bitdust.wire.signed.Signed`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

from attrs import field, frozen

from bitdust.wire.encoding import WireError, encode
from bitdust.wire.schema import Bytes, Choice, Int, Optional, Schema, Struct, parse

VERSION = 1
MAX_HEADER = 16 * 1024
MAX_PAYLOAD = 64 * 1024 * 1024
MAX_CAPABILITY = 4096
MOST_ITEMS = 2000
"""Data items in the fields of a packet."""


class Command(StrEnum):
    """Every command there is; ``docs/formats.md`` tells each one's fields."""

    IDENTITY = "Identity"
    ACK = "Ack"
    FAIL = "Fail"
    REQUEST_SERVICE = "RequestService"
    CANCEL_SERVICE = "CancelService"
    DATA = "Data"
    RETRIEVE = "Retrieve"
    LIST_FILES = "ListFiles"
    FILES = "Files"
    DELETE_FILE = "DeleteFile"
    CONTACTS = "Contacts"
    MESSAGE = "Message"
    KEY = "Key"
    EVENT = "Event"


ANSWERS = frozenset((Command.ACK, Command.FAIL, Command.DATA, Command.FILES))
"""Commands that may answer another packet. `DATA` is also sent of its own accord."""


class _Anything:
    """A map whose fields the row of the command checks."""

    items: ClassVar[int] = MOST_ITEMS

    def check(self, value: Any, path: str) -> None:
        if type(value) is not dict:
            raise WireError("bad-field", f"{path}: expected a map")


_HEADER = Struct(
    {
        "version": Int(VERSION, VERSION),
        "command": Choice(tuple(Command)),
        "id": Bytes(16),
        "creator": Bytes(32),
        "owner": Bytes(32),
        "to": Bytes(32),
        "time": Int(),
        "fields": _Anything(),
        "size": Int(0, MAX_PAYLOAD),
        "answers": Optional(Bytes(16)),
        "hash": Optional(Bytes(32)),
        "capability": Optional(Bytes(1, MAX_CAPABILITY)),
    }
)


@frozen
class Packet:
    """One header. ``creator``, ``owner`` and ``to`` are fingerprints; ``time`` is milliseconds since the epoch.

    ``fields`` are the command's own (checked by its row of the packet table); ``size`` the payload's bytes;
    ``answers`` the id of the packet that this one answers; ``hash`` the payload's SHA-256 where the packet is stored;
    ``capability`` a signed record of the owner that lets the creator ask in its place.
    """

    command: Command
    id: bytes
    creator: bytes
    owner: bytes
    to: bytes
    time: int
    fields: Mapping[str, Any] = field(factory=dict)
    size: int = 0
    answers: bytes | None = None
    hash: bytes | None = None
    capability: bytes | None = None

    def to_bytes(self) -> bytes:
        """The canonical header."""
        value: dict[str, Any] = {
            "version": VERSION,
            "command": self.command.value,
            "id": self.id,
            "creator": self.creator,
            "owner": self.owner,
            "to": self.to,
            "time": self.time,
            "fields": dict(self.fields),
            "size": self.size,
        }
        if self.answers is not None:
            value["answers"] = self.answers
        if self.hash is not None:
            value["hash"] = self.hash
        if self.capability is not None:
            value["capability"] = self.capability
        return encode(value)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Packet":
        """Raises `WireError`; the fields are only known to be a map."""
        value = parse(data, _HEADER, MAX_HEADER, "packet")
        return cls(
            Command(value["command"]),
            value["id"],
            value["creator"],
            value["owner"],
            value["to"],
            value["time"],
            value["fields"],
            value["size"],
            value.get("answers"),
            value.get("hash"),
            value.get("capability"),
        )

    def check_fields(self, schema: Schema) -> None:
        """Raises `WireError` when the command's own fields are not as its row of the packet table says."""
        schema.check(dict(self.fields), self.command.value)
