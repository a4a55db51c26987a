"""What people write to each other, as it travels inside its seal, and as it is kept.

A body is a canonical map; ``data`` is the JSON text of an object, because JSON has numbers that canonical CBOR has not.
It is signed by the sender's device (`Signed` of kind ``message``) before it is sealed.
"""

import json
from typing import Any

from attrs import evolve, field, frozen

from bitdust.wire.encoding import WireError, encode
from bitdust.wire.schema import Bytes, Choice, Int, Struct, Text, parse

SIGNED_KIND = "message"
PRIVATE = "private_message"
GROUP = "group_message"
KINDS = (PRIVATE, GROUP)
INCOMING = "incoming"
OUTGOING = "outgoing"
MASTER = "master"
MAX_DATA = 1024 * 1024
"""Bytes of the JSON text."""
MAX_BODY = MAX_DATA + 4096
MAX_CALL = MAX_DATA + (1 << 16)
"""The largest message between people, and what stands around it where a program hands it over."""
MAX_DEPTH = 100
"""Lists and objects inside each other."""
_BODY = Struct(
    {
        "id": Bytes(16),
        "kind": Choice(KINDS),
        "conversation": Text(300),
        "sender": Bytes(32),
        "device": Bytes(8),
        "recipient": Text(300),
        "key": Text(100),
        "time": Int(),
        "sequence": Int(1),
        "data": Bytes(2, MAX_DATA),
    }
)


@frozen
class Message:
    """One message. People are fingerprints: a global id is made when it is shown, because an identity may rotate.

    ``id`` is 32 hex digits, made by the sender's node. ``recipient`` is a fingerprint in hex, or the name of a group;
    ``recipient_key`` the alias of the key that it was addressed to. ``time`` is the sender's, in milliseconds.
    ``sequence`` counts from 1 in each conversation for each device that writes in it. ``direction`` does not travel.
    """

    id: str
    kind: str
    conversation: str
    sender: bytes
    sender_device: bytes
    recipient: str
    recipient_key: str
    time: int
    sequence: int
    data: dict[str, Any] = field(hash=False)
    direction: str = INCOMING

    def to_body(self) -> bytes:
        """The canonical bytes that its sender signs; raises `WireError` as `json_text` does."""
        return encode(
            {
                "id": bytes.fromhex(self.id),
                "kind": self.kind,
                "conversation": self.conversation,
                "sender": self.sender,
                "device": self.sender_device,
                "recipient": self.recipient,
                "key": self.recipient_key,
                "time": self.time,
                "sequence": self.sequence,
                "data": json_text(self.data),
            }
        )

    @classmethod
    def from_body(cls, body: bytes, direction: str = INCOMING) -> "Message":
        """Raises `WireError`."""
        value = parse(body, _BODY, MAX_BODY, SIGNED_KIND)
        return cls(
            value["id"].hex(),
            value["kind"],
            value["conversation"],
            value["sender"],
            value["device"],
            value["recipient"],
            value["key"],
            value["time"],
            value["sequence"],
            json_object(value["data"]),
            direction,
        )

    def outgoing(self) -> "Message":
        """The same as a device of its sender keeps it."""
        return evolve(self, direction=OUTGOING)


def conversation_of(one: bytes, other: bytes) -> str:
    """The name of the private conversation of two people: their fingerprints in hex, sorted."""
    return "&".join(sorted((one.hex(), other.hex())))


def json_text(data: dict[str, Any]) -> bytes:
    """The short JSON text; raises `WireError` ``bad-message`` for what is no JSON object, ``too-large`` over 1 MB."""
    if type(data) is not dict:
        raise WireError("bad-message", 'a message is a JSON object, such as {"text": "hello"}')
    try:
        text = _WRITE(data).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise WireError("bad-message", f"a message is a JSON object: {error}") from error
    if len(text) > MAX_DATA:
        raise WireError("too-large", f"a message of {len(text)} bytes; at most {MAX_DATA} are sent: share a file")
    if text.count(b"[") + text.count(b"{") > MAX_DEPTH and _is_deep(data):
        raise WireError("bad-message", f"a message has lists and objects in at most {MAX_DEPTH} levels")
    return text


def _is_deep(data: Any) -> bool:
    level, depth = [data], 0
    while level:
        depth += 1
        inner = [list(value.values()) if type(value) is dict else value for value in level]
        level = [one for values in inner for one in values if type(one) in (dict, list)]
    return depth > MAX_DEPTH


def json_object(text: bytes) -> dict[str, Any]:
    """The object of a JSON text; raises `WireError` as `json_text` does, for what could not be written again too."""
    try:
        data = _READ(text.decode())
    except (ValueError, RecursionError) as error:
        raise WireError("bad-message", "the data of a message are no JSON") from error
    if type(data) is not dict:
        raise WireError("bad-message", "the data of a message are no JSON object")
    json_text(data)
    return data


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_WRITE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_READ = json.JSONDecoder(parse_constant=_refuse).decode
