"""The packets of the exchange: one asks which blocks somebody has, the other for the blocks.

=====================  =====================================  ====================================================
packet                 fields                                 answer
=====================  =====================================  ====================================================
Retrieve block-haves   ``cids``, 1 to 64 of at most 128       Ack ``sizes``: bytes of each, -1 for one that is not
                       bytes                                  there
Retrieve blocks        the same                               Data ``sizes``: bytes of each, -1 for one that is not
                                                              there, -2 for one that is there and not in this
                                                              answer; the payload is the blocks, one after the other
=====================  =====================================  ====================================================

An answer has `MOST_BYTES` at most, and one block at least if any of them is there. Nothing is kept of a request: who
wants a block later asks later.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from bitdust.ipld.cid import LONGEST_BLOCK, Cid
from bitdust.ipld.errors import malformed
from bitdust.wire.schema import Bytes, Choice, Int, ListOf, Schema, Struct

BLOCKS, HAVES = "blocks", "block-haves"
MOST_CIDS = 64
LONGEST_CID = 128
MOST_BYTES = 4 * 1024 * 1024
"""Bytes of blocks in one answer."""
ABSENT, LATER = -1, -2
_SIZES = Struct({"sizes": ListOf(Int(LATER, LONGEST_BLOCK), MOST_CIDS)})


def fields_of(kind: str) -> Schema:
    """Of a packet of this kind."""
    return Struct({"kind": Choice((kind,)), "cids": ListOf(Bytes(4, LONGEST_CID), MOST_CIDS, 1)})


def cids_of(fields: Mapping[str, Any]) -> list[Cid]:
    """What is asked for. Raises `FormatError`."""
    return [Cid.from_bytes(one) for one in fields["cids"]]


def sizes_of(fields: Mapping[str, Any], asked: int) -> list[int]:
    """What was said of each block that was asked for. Raises `WireError` and `FormatError`."""
    _SIZES.check(dict(fields), "answer")
    sizes: list[int] = fields["sizes"]
    if len(sizes) != asked:
        raise malformed(f"an answer about {len(sizes)} blocks where {asked} were asked for")
    return sizes


@frozen
class Given:
    """What an answer says of one block: its bytes, or why they are not there."""

    cid: Cid
    size: int
    data: bytes = b""


def split_answer(cids: Sequence[Cid], fields: Mapping[str, Any], payload: bytes) -> list[Given]:
    """The blocks of an answer, not compared with their CIDs yet. Raises `WireError` and `FormatError`."""
    sizes = sizes_of(fields, len(cids))
    if sum(size for size in sizes if size > 0) != len(payload):
        raise malformed("an answer whose bytes are not those of the blocks that it names")
    found: list[Given] = []
    at = 0
    for cid, size in zip(cids, sizes, strict=True):
        end = at + max(size, 0)
        found.append(Given(cid, size, payload[at:end]))
        at = end
    return found
