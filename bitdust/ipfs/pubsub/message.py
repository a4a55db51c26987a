"""A message of a topic: who said it, when, and what; signed by the device that said it."""

import hashlib
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from bitdust.crypt.device import DeviceKey, verify
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.schema import Bytes, Choice, Int, ListOf, Struct

MESSAGE, TOPICS = "pubsub", "pubsub-topics"
LONGEST_TOPIC = 1024
MOST_TOPICS = 64
MOST_DATA = 1 << 20
_DOMAIN = b"BitDust topic message 1\0"
_TOPIC = Bytes(1, LONGEST_TOPIC)
MESSAGE_FIELDS = Struct(
    {
        "kind": Choice((MESSAGE,)),
        "topic": _TOPIC,
        "author": Bytes(32),
        "number": Bytes(8),
        "time": Int(),
        "signature": Bytes(64),
    }
)
TOPIC_LIST = ListOf(Bytes(1, LONGEST_TOPIC), MOST_TOPICS)
TOPICS_FIELDS = Struct({"kind": Choice((TOPICS,)), "topics": TOPIC_LIST})


@frozen
class TopicMessage:
    """``author`` is a device key (32 bytes), ``number`` its own count (8 bytes), ``time`` milliseconds since 1970."""

    topic: bytes
    author: bytes
    number: bytes
    time: int
    data: bytes
    signature: bytes = b""

    @classmethod
    def said(cls, device: DeviceKey, topic: bytes, number: int, time: int, data: bytes) -> "TopicMessage":
        """Of this device, signed."""
        bare = cls(topic, device.public, number.to_bytes(8, "big"), time, data)
        return cls(topic, device.public, bare.number, time, data, device.sign(bare._signed()))

    @classmethod
    def read(cls, fields: Mapping[str, Any], data: bytes) -> "TopicMessage":
        """Raises `WireError` ``bad-signature``."""
        topic, author, number, time = (fields[name] for name in ("topic", "author", "number", "time"))
        found = cls(topic, author, number, time, data, fields["signature"])
        if not verify(found.author, found.signature, found._signed()):
            raise WireError("bad-signature", "this was not said by the device that it names")
        return found

    def _signed(self) -> bytes:
        return _DOMAIN + encode([self.topic, self.author, self.number, self.time, hashlib.sha256(self.data).digest()])

    def to_fields(self) -> dict[str, Any]:
        """Of its packet; the payload is the data."""
        names = ("topic", "author", "number", "time", "signature")
        return {"kind": MESSAGE} | {name: getattr(self, name) for name in names}

    @property
    def name(self) -> tuple[bytes, bytes, bytes]:
        """What it is known by: nobody keeps a message out by using its number."""
        return self.topic, self.author, self.number
