"""A message to everybody in the network: what a person says once, and nodes pass on."""

from typing import ClassVar

from attrs import frozen

from bitdust.wire.records import Record
from bitdust.wire.schema import Bytes, Int, Schema

VERSION = 1
MAX_SAID = 4096
"""Bytes of the JSON object that is said."""


@frozen
class Broadcast(Record):
    """``said`` is a JSON object in UTF-8, ``time`` in milliseconds since the epoch; a device of the sender signs it."""

    KIND: ClassVar[str] = "broadcast"
    LIMIT: ClassVar[int] = MAX_SAID + 1024
    FIELDS: ClassVar[dict[str, Schema]] = {
        "version": Int(VERSION, VERSION),
        "id": Bytes(16),
        "sender": Bytes(32),
        "time": Int(),
        "said": Bytes(2, MAX_SAID),
    }

    id: bytes
    sender: bytes
    time: int
    said: bytes
    version: int = VERSION

    @classmethod
    def from_body(cls, data: bytes) -> "Broadcast":
        """Raises `WireError`."""
        return cls(**cls.parse_fields(data))
