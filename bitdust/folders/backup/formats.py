"""What is written of a folder for suppliers (``docs/formats.md``, section 15); all are files of a hidden key.

==========================  ==========================================================================================
``<folder>-<id>.chunks``    sealed chunks, one behind the other; ``<folder>`` is the first 32 digits of the folder's id
``<folder>-<id>.index``     what is in such a segment: magic ‖ (name: 16 ‖ u32 bytes) … ‖ SHA-256 of all before it
``<folder>-<device>.state``  magic ‖ u32 bytes of the head ‖ head ‖ (u32 bytes ‖ record) …
==========================  ==========================================================================================

The head is canonical CBOR ``{version, time, name, public, segments, secret}``: ``segments`` are ids of those that the
list needs, ``secret`` is ``nonce: 12 ‖ AES-256-GCM`` of the folder's secret under a key of ``hidden.folders``, which
nobody is let into: who reads the folder by its secret must not learn a stronger one.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from attrs import field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bitdust.crypt.sealing import hkdf
from bitdust.folders.keys import NAME
from bitdust.folders.records import MAX_RECORD
from bitdust.folders.secrets import Secret
from bitdust.folders.secrets import parse as parse_secret
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.schema import Bytes, Int, ListOf, Struct, Text, parse

CHUNKS, INDEX, STATE = ".chunks", ".index", ".state"
INDEX_MAGIC, STATE_MAGIC = b"BitDust chunks 1", b"BitDust folder 2"
FORMER_MAGIC = b"BitDust folder 1"
"""Of lists whose records are none any more; their heads are as they were, but for the version."""
VERSION = 2
LONGEST_HEAD = 4 * 1024 * 1024
MOST_SEGMENTS = 100_000
_INFO = b"BitDust secrets of folders at suppliers 1"
_NONCE, _DIGEST, _SIZE, _MAGIC = 12, 32, 4, 16
LABEL = 32
"""Digits of a folder's id by which its files are known."""
_HEAD = Struct(
    {
        "version": Int(1, VERSION),
        "time": Int(),
        "name": Text(255),
        "public": Bytes(0, 32),
        "segments": ListOf(Text(32), MOST_SEGMENTS),
        "secret": Bytes(0, 256),
    }
)


@frozen
class Told:
    """The head of a list: when it was told, what the folder was called there, and which segments it needs.

    ``is_former``: its records are of a former version, which this program cannot read.
    """

    time: int
    name: str
    public: bytes
    segments: Sequence[str]
    secret: str = field(default="", repr=False)
    is_former: bool = False


def write_index(chunks: Iterable[tuple[bytes, int]]) -> bytes:
    """The index of a segment that has these chunks, in this order."""
    data = INDEX_MAGIC + b"".join(name + size.to_bytes(_SIZE, "big") for name, size in chunks)
    return data + hashlib.sha256(data).digest()


def read_index(data: bytes) -> list[tuple[bytes, int, int]]:
    """Name, place and length of each chunk. Raises `WireError` ``malformed``."""
    body, digest = data[:-_DIGEST], data[-_DIGEST:]
    step = NAME + _SIZE
    if body[:_MAGIC] != INDEX_MAGIC or hashlib.sha256(body).digest() != digest or (len(body) - _MAGIC) % step:
        raise WireError("malformed", "this is no index of a segment of a folder, or it is damaged")
    found, offset = [], 0
    for at in range(_MAGIC, len(body), step):
        size = int.from_bytes(body[at + NAME : at + step], "big")
        found.append((body[at : at + NAME], offset, size))
        offset += size
    return found


def label_of(secret: Secret) -> str:
    """How names of files of a folder begin."""
    return secret.folder_id.hex()[:LABEL]


def write_head(told: Told, secret: bytes, nonce: bytes) -> bytes:
    """The beginning of a list; ``secret`` is of the hidden key, ``nonce`` 12 random bytes."""
    sealed = nonce + AESGCM(hkdf(secret, _INFO)).encrypt(nonce, told.secret.encode(), _INFO)
    head = encode(
        {
            "version": VERSION,
            "time": told.time,
            "name": told.name,
            "public": told.public,
            "segments": list(told.segments),
            "secret": sealed,
        }
    )
    return STATE_MAGIC + len(head).to_bytes(_SIZE, "big") + head


def read_head(data: bytes, secrets: Iterable[bytes]) -> tuple[Told, int]:
    """The head of a list, and where its records begin. The folder's secret is empty where no key opens it.

    Raises `WireError`.
    """
    begin = _MAGIC + _SIZE
    size = int.from_bytes(data[_MAGIC:begin], "big")
    magic = data[:_MAGIC]
    if magic not in (STATE_MAGIC, FORMER_MAGIC) or size > LONGEST_HEAD or begin + size > len(data):
        raise WireError("malformed", "this is no list of a folder, or it ends too early")
    head = parse(data[begin : begin + size], _HEAD, LONGEST_HEAD, "list of a folder")
    secret = _opened(head["secret"], secrets)
    is_former = magic == FORMER_MAGIC
    return Told(head["time"], head["name"], head["public"], head["segments"], secret, is_former), begin + size


def _opened(sealed: bytes, secrets: Iterable[bytes]) -> str:
    for secret in secrets:
        try:
            text = AESGCM(hkdf(secret, _INFO)).decrypt(sealed[:_NONCE], sealed[_NONCE:], _INFO).decode()
            return parse_secret(text).text
        except (InvalidTag, ValueError, BitDustError):
            continue
    return ""


def write_records(records: Iterable[bytes]) -> bytes:
    """Records as they follow the head."""
    return b"".join(len(raw).to_bytes(_SIZE, "big") + raw for raw in records)


class RecordReader:
    """Records of a list that comes in parts. Raises `WireError` ``malformed``."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, data: bytes) -> Iterator[bytes]:
        """Those that are whole now."""
        waiting = self._rest + data
        at = 0
        while at + _SIZE <= len(waiting):
            size = int.from_bytes(waiting[at : at + _SIZE], "big")
            if size > MAX_RECORD:
                raise WireError("malformed", "a list of a folder has a record that is too long")
            if at + _SIZE + size > len(waiting):
                break
            yield waiting[at + _SIZE : at + _SIZE + size]
            at += _SIZE + size
        self._rest = waiting[at:]

    def end(self) -> None:
        """Raises `WireError` ``malformed`` where the last one is not whole."""
        if self._rest:
            raise WireError("malformed", "a list of a folder ends too early")
