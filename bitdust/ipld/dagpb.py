"""dag-pb: nodes that are links, each with a name and a size, and some bytes.

A protocol buffer in which the links (field 2) stand before the data (field 1). Links are sorted by the bytes of their
names, and keep their order where names are equal, as all of a file's are. Names are text; bytes in them that are no
UTF-8 come as lone surrogates and are written as they were.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from bitdust.ipld import protobuf
from bitdust.ipld.cid import DAG_PB, LONGEST_BLOCK, RAW, Cid
from bitdust.ipld.errors import malformed, too_large
from bitdust.ipld.protobuf import BYTES, NUMBER

_DATA, _LINKS = 1, 2
_HASH, _NAME, _SIZE = 1, 2, 3
_NODE_KINDS = {_DATA: BYTES, _LINKS: BYTES}
_LINK_KINDS = {_HASH: BYTES, _NAME: BYTES, _SIZE: NUMBER}
_SHA2_256 = b"\x12\x20"
_UNUSUAL = (0, 0, 0, 0)
_USUAL = {
    b"\x0a\x22\x12\x20": (0, DAG_PB, 2, 36),
    b"\x0a\x24\x01\x70": (1, DAG_PB, 4, 38),
    b"\x0a\x24\x01\x55": (1, RAW, 4, 38),
}
"""By how a link begins: version and codec of its CID, and where its multihash begins and ends."""


class Link(NamedTuple):
    """``size`` (Tsize) is of the block and all below it, each time that it is named; whoever wrote the link says so."""

    cid: Cid
    name: str = ""
    size: int = 0


class Node(NamedTuple):
    """One block. ``data`` is ``None`` where there is none, which is not the same as empty."""

    links: tuple[Link, ...] = ()
    data: bytes | None = None


def name_bytes(name: str) -> bytes:
    """What a name is written as, and sorted by."""
    return name.encode("utf-8", "surrogateescape")


def encode(links: Sequence[Link] = (), data: bytes | None = None) -> bytes:
    """The canonical bytes."""
    if any(link.name for link in links):
        links = sorted(links, key=_order)
    parts: list[bytes] = []
    for cid, name, size in links:
        label = name_bytes(name)
        body = b"".join(
            (
                protobuf.bytes_field(_HASH, bytes(cid)),
                protobuf.bytes_head(_NAME, len(label)),
                label,
                protobuf.number_field(_SIZE, size),
            )
        )
        parts += (protobuf.bytes_head(_LINKS, len(body)), body)
    if data is not None:
        parts += (protobuf.bytes_head(_DATA, len(data)), data)
    return b"".join(parts)


def decode(data: bytes, strict: bool = False) -> Node:
    """The node of a block.

    Lenient as go-ipfs: any order, unknown fields, the last data counts. Strict as the specification: no unknown fields,
    all links together, one data, shortest numbers, names that are text; links may be in any order.
    """
    if len(data) > LONGEST_BLOCK:
        raise too_large(f"{len(data)} bytes are too many for a block")
    links: list[Link] = []
    found: bytes | None = None
    closed = False
    for field, value in protobuf.read(data, _NODE_KINDS, strict):
        if field == _LINKS:
            if strict and closed:
                raise malformed("links on both sides of the data")
            links.append(_link(value, strict))
        else:
            if strict and found is not None:
                raise malformed("data twice")
            found, closed = value, bool(links)
    return Node(tuple(links), found)


def to_value(node: Node) -> dict[str, Any]:
    """The node in the data model: ``{"Data": bytes, "Links": [{"Hash": Cid, "Name": str, "Tsize": int}]}``."""
    links = [{"Hash": link.cid, "Name": _shown(link.name), "Tsize": link.size} for link in node.links]
    return {"Links": links} if node.data is None else {"Data": node.data, "Links": links}


def of_value(value: Any) -> Node:
    """The node of such a map; names and sizes of links, data and links may be left out."""
    if not isinstance(value, dict) or set(value) - {"Data", "Links"}:
        raise malformed("a dag-pb node has Data and Links, and nothing else")
    data, links = value.get("Data"), value.get("Links", [])
    if not isinstance(data, bytes | None) or not isinstance(links, list):
        raise malformed("the Data of a dag-pb node is bytes, and its Links are a list")
    return Node(tuple(_link_of(link) for link in links), data)


def _link_of(value: Any) -> Link:
    if not isinstance(value, dict) or set(value) - {"Hash", "Name", "Tsize"}:
        raise malformed("a link of a dag-pb node has Hash, Name and Tsize, and nothing else")
    cid, name, size = value.get("Hash"), value.get("Name", ""), value.get("Tsize", 0)
    if not isinstance(cid, Cid) or not isinstance(name, str) or type(size) is not int or not 0 <= size < 1 << 64:
        raise malformed("a link of a dag-pb node with a Hash, Name or Tsize that is none")
    return Link(cid, name, size)


def _shown(name: str) -> str:
    """The name as text that has a form everywhere; bytes that are none are replaced."""
    return name_bytes(name).decode("utf-8", "replace")


def _order(link: Link) -> bytes:
    return name_bytes(link.name)


def _link(data: bytes, strict: bool) -> Link:
    """The usual link at one glance: a CID of SHA-256, a short name, a size; any other one field by field."""
    version, codec, start, end = _USUAL.get(data[:4], _UNUSUAL)
    if end and data[start : start + 2] == _SHA2_256 and data[end : end + 1] == b"\x12" and len(data) > end + 1:
        after = end + 2 + data[end + 1]
        if data[end + 1] < 0x80 and data[after : after + 1] == b"\x18":
            size, stop = protobuf.read_number(data, after + 1, strict)
            if stop == len(data):
                return Link(Cid(version, codec, data[start:end]), _text(data[end + 2 : after], strict), size)
    return _any_link(data, strict)


def _any_link(data: bytes, strict: bool) -> Link:
    cid: Cid | None = None
    name, size, last = "", 0, 0
    for field, value in protobuf.read(data, _LINK_KINDS, strict):
        if strict and field <= last:
            raise malformed("fields of a link out of order")
        last = field
        if field == _HASH:
            cid = Cid.from_bytes(value)
        elif field == _NAME:
            name = _text(value, strict)
        else:
            size = value
    if cid is None:
        raise malformed("a link to nothing")
    return Link(cid, name, size)


def _text(value: bytes, strict: bool) -> str:
    try:
        return value.decode("utf-8", "strict" if strict else "surrogateescape")
    except UnicodeDecodeError as error:
        raise malformed("a name that is no UTF-8") from error
