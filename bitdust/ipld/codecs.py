"""Which codec reads a block: its links, and its value in the data model that all codecs share."""

from collections.abc import Callable, Mapping

from attrs import frozen

from bitdust.ipld import dagcbor, dagjson, dagpb
from bitdust.ipld.cid import CODECS, DAG_CBOR, DAG_JSON, DAG_PB, LIBP2P_KEY, LONGEST_BLOCK, RAW, Cid
from bitdust.ipld.dagcbor import Value
from bitdust.ipld.errors import malformed, too_large, unsupported


@frozen
class Codec:
    """One row of the table. What has no value here only says that it has no links."""

    links: Callable[[bytes], tuple[Cid, ...]]
    decode: Callable[[bytes], Value] | None = None
    encode: Callable[[Value], bytes] | None = None


def _none(data: bytes) -> tuple[Cid, ...]:
    return ()


def _of_dagpb(data: bytes) -> tuple[Cid, ...]:
    return tuple(link.cid for link in dagpb.decode(data).links)


def _node(data: bytes) -> Value:
    return dagpb.to_value(dagpb.decode(data))


def _written_node(value: Value) -> bytes:
    return dagpb.encode(*dagpb.of_value(value))


def _bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise malformed("a raw block is bytes and nothing else")
    return value


_TABLE: Mapping[int, Codec] = {
    RAW: Codec(_none, _bytes, _bytes),
    DAG_PB: Codec(_of_dagpb, _node, _written_node),
    DAG_CBOR: Codec(dagcbor.links, dagcbor.decode, dagcbor.encode),
    DAG_JSON: Codec(dagjson.links, dagjson.decode, dagjson.encode),
    LIBP2P_KEY: Codec(_none),
    CODECS["cbor"]: Codec(_none),
    CODECS["json"]: Codec(_none),
}


def links(cid: Cid, data: bytes) -> tuple[Cid, ...]:
    """The CIDs in a block, in its order, each as often as it stands there; ``unsupported`` where nobody can read it."""
    return _codec(cid.codec, data).links(data)


def decode(cid: Cid, data: bytes) -> Value:
    """The value of a block; a dag-pb node is the map that `dagpb.to_value` makes."""
    read = _codec(cid.codec, data).decode
    if read is None:
        raise unsupported(f"blocks of 0x{cid.codec:x} have no value here")
    return read(data)


def encode(codec: int, value: Value) -> bytes:
    """The block of a value."""
    write = _codec(codec, b"").encode
    if write is None:
        raise unsupported(f"blocks of 0x{codec:x} have no value here")
    data = write(value)
    if len(data) > LONGEST_BLOCK:
        raise too_large(f"{len(data)} bytes are too many for a block")
    return data


def _codec(code: int, data: bytes) -> Codec:
    if len(data) > LONGEST_BLOCK:
        raise too_large(f"{len(data)} bytes are too many for a block")
    found = _TABLE.get(code)
    if found is None:
        raise unsupported(f"no codec here reads blocks of 0x{code:x}")
    return found
