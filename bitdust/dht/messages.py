"""Messages: a canonical CBOR map of at most 5 kB, either a query (``q``) or the reply to one (``r``).

``n`` is the sender's node id, ``k`` its device key, ``l`` the layer that is meant, ``a`` the layers that the sender is
attached to (bit n). A query without a token is padded, because nothing larger than the query goes to an address that
has shown no token.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from bitdust.dht.ids import ID_BYTES, MAX_LAYER, node_id
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.schema import Bytes, Flag, Int, Optional, Schema, Text, Variant, parse

MAX_MESSAGE = 5 * 1024
MAX_RECORD = 4096
MAX_NODES = 20
TOKEN_BYTES = 8
NONCE_BYTES = 16

Message = dict[str, Any]

_EVERY: dict[str, Schema] = {
    "n": Bytes(ID_BYTES),
    "k": Bytes(32),
    "l": Int(0, MAX_LAYER),
    "a": Int(0, 2 ** (MAX_LAYER + 1) - 1),
}
_ASKING: dict[str, Schema] = {**_EVERY, "token": Optional(Bytes(TOKEN_BYTES)), "pad": Optional(Bytes(0, 1200))}
_ANSWERING: dict[str, Schema] = {**_EVERY, "token": Optional(Bytes(TOKEN_BYTES))}
_NODES = Optional(Bytes(0, MAX_NODES * 53))

_QUERY = Variant(
    "q",
    {
        "ping": {**_ASKING, "nonce": Optional(Bytes(NONCE_BYTES))},
        "find_node": {**_ASKING, "target": Bytes(ID_BYTES)},
        "find_value": {**_ASKING, "key": Bytes(ID_BYTES)},
        "store": {**_ASKING, "record": Bytes(1, MAX_RECORD)},
        "info": _ASKING,
    },
)
_REPLY = Variant(
    "r",
    {
        "ping": {**_ANSWERING, "signature": Optional(Bytes(64))},
        "find_node": {**_ANSWERING, "nodes": _NODES},
        "find_value": {
            **_ANSWERING,
            "nodes": _NODES,
            "record": Optional(Bytes(1, MAX_RECORD)),
            "held": Optional(Flag()),
        },
        "store": {**_ANSWERING, "stored": Flag(), "code": Optional(Text(40)), "revision": Optional(Int())},
        "info": {
            **_ANSWERING,
            "addresses": Optional(Bytes(1, 1500)),
            "owner": Optional(Bytes(1, 1100)),
            "certificate": Optional(Bytes(1, 1200)),
        },
        "error": {**_ANSWERING, "code": Text(40)},
    },
)
QUERIES = tuple(_QUERY.kinds)


def build(fields: Mapping[str, Any]) -> bytes:
    """Canonical bytes of a message."""
    return encode({name: value for name, value in fields.items() if value is not None})


def read(data: bytes) -> Message:
    """A checked message whose id belongs to its key; raises `WireError`."""
    message = parse(data, _Either(), MAX_MESSAGE, "dht")
    if node_id(message["k"]) != message["n"]:
        raise WireError("bad-field", "dht: the node id does not belong to the device key")
    return message


class _Either:
    """A query or a reply, never both."""

    items: ClassVar[int] = max(_QUERY.items, _REPLY.items)

    def check(self, value: Any, path: str) -> None:
        is_query = type(value) is dict and "q" in value
        (_QUERY if is_query else _REPLY).check(value, path)


def pong_message(nonce: bytes, answering: bytes, asking: bytes) -> bytes:
    """What a pong's signature covers: the asker's nonce and both node ids."""
    return b"BitDust DHT pong 1\0" + nonce + answering + asking
