"""What is written for suppliers beside segments of blocks (``docs/formats.md``, section 13).

``<segment>.index``: what is in a segment, so that a node knows all blocks, and what they link to, without reading one.

==================  ==================================================================================================
``BitDust indexed1``  16 bytes; the number of the format is the last one
size                u64: bytes of the segment
block               u64 where its bytes begin ‖ u32 how many ‖ u32 links ‖ CID ‖ CIDs of the links; a CID is
                    u8 bytes ‖ bytes
checksum            SHA-256 of all before it
==================  ==================================================================================================

``<device>.state``: canonical CBOR, a map of ``version`` 1, ``time``, ``pins`` (lists of CID, mode, name), ``roots``
(CIDs by name), ``segments`` (names of those that are needed), ``taken`` (times by name of a state: what a recovered
home has taken over), and ``records``: small values of other parts by name, sealed as ``nonce: 12 ‖ AES-256-GCM``,
because keys may be among them.

Integers are big-endian.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from struct import Struct, error
from typing import Any

from attrs import Factory, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bitdust.blocks.saving import Described
from bitdust.blocks.values import LONGEST_NAME, MOST_LINKS, Mode, Pin
from bitdust.crypt.sealing import hkdf
from bitdust.ipld.cid import LONGEST_BLOCK, Cid
from bitdust.ipld.errors import FormatError
from bitdust.wire.encoding import WireError, decode, encode

MAGIC = b"BitDust indexed1"
LONGEST_STATE = 64 * 1024 * 1024
VERSION = 1
_SIZE, _HEAD = Struct(">Q"), Struct(">QII")
_MOST_ITEMS = 10_000_000
_INFO = b"BitDust records of a backup of pins 1"
_NONCE, _DIGEST = 12, 32


def write_index(size: int, blocks: Iterable[Described]) -> bytes:
    """The index of a segment of so many bytes."""
    parts = [MAGIC, _SIZE.pack(size)]
    for block in blocks:
        parts.append(_HEAD.pack(block.offset, block.size, len(block.links)))
        for cid in (block.cid, *block.links):
            raw = bytes(cid)
            parts += [bytes([len(raw)]), raw]
    data = b"".join(parts)
    return data + hashlib.sha256(data).digest()


def read_index(data: bytes) -> tuple[int, list[Described]]:
    """Bytes of a segment, and what is in it. Raises `WireError` ``malformed``."""
    body, digest = data[:-_DIGEST], data[-_DIGEST:]
    if body[: len(MAGIC)] != MAGIC or hashlib.sha256(body).digest() != digest:
        raise WireError("malformed", "this is no index of a segment, or it is damaged")
    try:
        (size,) = _SIZE.unpack_from(body, len(MAGIC))
        return size, list(_blocks(body, len(MAGIC) + _SIZE.size, size))
    except (error, IndexError, FormatError) as wrong:
        raise WireError("malformed", "the index of a segment ends too early") from wrong


def _blocks(body: bytes, at: int, segment: int) -> Iterator[Described]:
    while at < len(body):
        offset, size, count = _HEAD.unpack_from(body, at)
        if size > LONGEST_BLOCK or count > MOST_LINKS or offset + size > segment:
            raise WireError("malformed", "the index of a segment names more than a segment has")
        cids, at = _cids(body, at + _HEAD.size, count + 1)
        yield Described(cids[0], offset, size, tuple(cids[1:]))


def _cids(body: bytes, at: int, count: int) -> tuple[list[Cid], int]:
    found = []
    for _ in range(count):
        end = at + 1 + body[at]
        if end > len(body):
            raise WireError("malformed", "the index of a segment ends too early")
        found.append(Cid.from_bytes(body[at + 1 : end]))
        at = end
    return found, at


@frozen
class Told:
    """What a device has told its suppliers."""

    time: int
    pins: Sequence[Pin] = ()
    roots: dict[str, Cid] = Factory(dict)
    segments: Sequence[str] = ()
    records: dict[str, bytes] = Factory(dict)
    taken: dict[str, int] = Factory(dict)
    """By name of its state, which devices this one has taken over, and when these had told it last."""


def write_state(told: Told, secret: bytes) -> bytes:
    """A state; records are sealed under a secret."""
    sealed = b""
    if told.records:
        nonce = os.urandom(_NONCE)
        sealed = nonce + AESGCM(hkdf(secret, _INFO)).encrypt(nonce, encode(told.records), _INFO)
    pins = [[bytes(pin.cid), int(pin.mode), pin.name.encode(errors="surrogateescape")] for pin in told.pins]
    roots = {name: bytes(cid) for name, cid in told.roots.items()}
    value = {"version": VERSION, "time": told.time, "pins": pins, "roots": roots, "segments": list(told.segments)}
    return encode({**value, "records": sealed, "taken": dict(told.taken)})


def read_state(data: bytes, secrets: Iterable[bytes]) -> Told:
    """A state; without records that no secret opens. Raises `WireError` ``malformed``."""
    value = decode(data, LONGEST_STATE, _MOST_ITEMS)
    try:
        if value["version"] != VERSION:
            raise WireError("malformed", f"a state of version {value['version']}; this program knows {VERSION}")
        pins = [Pin(Cid.from_bytes(cid), Mode(mode), _name(name)) for cid, mode, name in value["pins"]]
        roots = {_name(name.encode()): Cid.from_bytes(cid) for name, cid in value["roots"].items()}
        segments = [one for one in value["segments"] if type(one) is str]
        taken = {str(name): int(time) for name, time in value["taken"].items()}
        return Told(int(value["time"]), pins, roots, segments, _records(value["records"], secrets), taken)
    except (KeyError, TypeError, ValueError, AttributeError, FormatError) as wrong:
        raise WireError("malformed", "this is no state of a backup of pins") from wrong


def _name(name: bytes) -> str:
    if len(name) > LONGEST_NAME:
        raise WireError("malformed", "a name that is too long")
    return name.decode(errors="surrogateescape")


def _records(sealed: bytes, secrets: Iterable[bytes]) -> dict[str, bytes]:
    for secret in secrets if sealed else ():
        try:
            plain = AESGCM(hkdf(secret, _INFO)).decrypt(sealed[:_NONCE], sealed[_NONCE:], _INFO)
        except (InvalidTag, ValueError):
            continue
        found: dict[str, Any] = decode(plain, LONGEST_STATE)
        return {name: data for name, data in found.items() if type(data) is bytes}
    return {}
