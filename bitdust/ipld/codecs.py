"""Which codec reads a block, and where its links lead."""

from collections.abc import Callable, Mapping

from bitdust.ipld import dagcbor, dagjson, dagpb
from bitdust.ipld.cid import CODECS, DAG_CBOR, DAG_JSON, DAG_PB, LIBP2P_KEY, LONGEST_BLOCK, RAW, Cid
from bitdust.ipld.errors import too_large, unsupported

Links = Callable[[bytes], tuple[Cid, ...]]


def _none(data: bytes) -> tuple[Cid, ...]:
    return ()


def _of_dagpb(data: bytes) -> tuple[Cid, ...]:
    return tuple(link.cid for link in dagpb.decode(data).links)


_READERS: Mapping[int, Links] = {
    RAW: _none,
    DAG_PB: _of_dagpb,
    DAG_CBOR: dagcbor.links,
    DAG_JSON: dagjson.links,
    LIBP2P_KEY: _none,
    CODECS["cbor"]: _none,
    CODECS["json"]: _none,
}


def links(cid: Cid, data: bytes) -> tuple[Cid, ...]:
    """The CIDs in a block, in its order, each as often as it stands there; ``unsupported`` where nobody can read it."""
    if len(data) > LONGEST_BLOCK:
        raise too_large(f"{len(data)} bytes are too many for a block")
    read = _READERS.get(cid.codec)
    if read is None:
        raise unsupported(f"no codec here reads blocks of 0x{cid.codec:x}")
    return read(data)
