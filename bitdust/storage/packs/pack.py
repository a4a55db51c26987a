"""Packs: chunks put together, sealed once, and cut into pieces (``docs/formats.md``, section 6)."""

from collections.abc import Iterator, Sequence

import zstandard
from attrs import evolve, frozen

from bitdust.crypt.merkle import root
from bitdust.crypt.sealing import open_pack, open_with_any, seal_pack
from bitdust.formats.operations import MOST_CHUNKS
from bitdust.storage.packs.erasure import Coder
from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.records import PackRecord, Scheme

VERSION = 2
MAX_CHUNK = 256 * 1024
MAX_TABLE = 4 * 1024 * 1024
_MAX_ITEMS = 16 + 5 * MOST_CHUNKS
LEVEL = 1
PROBE = 4096
Buffer = bytes | bytearray | memoryview


@frozen
class Stored:
    """One chunk inside a pack: its name, its length, and how many bytes it takes there, compressed or not."""

    name: bytes
    length: int
    stored: int
    zstd: bool


class PackBuilder:
    """Collects chunks of one key until there is enough for a pack."""

    def __init__(self, key_id: str) -> None:
        self._key_id = key_id
        self._compressor = zstandard.ZstdCompressor(level=LEVEL)
        self._parts: list[bytes] = []
        self.chunks: list[Stored] = []
        self.size = 0

    def add(self, name: bytes, chunk: Buffer) -> int:
        """Take a chunk; its number in the pack."""
        data, packed = self._pack(chunk)
        self._parts.append(data)
        self.chunks.append(Stored(name, len(chunk), len(data), packed))
        self.size += len(data) + 48
        return len(self.chunks) - 1

    def _pack(self, chunk: Buffer) -> tuple[bytes, bool]:
        """Compress where it helps; random bytes are recognised by a probe instead of by trying all of them."""
        if len(chunk) > 2 * PROBE and len(self._compressor.compress(bytes(chunk[:PROBE]))) > PROBE * 15 // 16:
            return bytes(chunk), False
        packed = self._compressor.compress(bytes(chunk))
        return (packed, True) if len(packed) < len(chunk) * 15 // 16 else (bytes(chunk), False)

    def plain(self) -> bytes:
        """``u32 length ‖ table ‖ chunk data``."""
        rows = [[chunk.name, chunk.length, chunk.stored, chunk.zstd] for chunk in self.chunks]
        table = encode({"version": VERSION, "key": self._key_id, "chunks": rows})
        return b"".join((len(table).to_bytes(4, "big"), table, *self._parts))

    def forget_data(self) -> None:
        """The pack is sealed: only the table is needed from now on."""
        self._parts.clear()


class OpenPack:
    """A plain pack that was opened: gives chunks by number. Raises `WireError` for anything that is not one."""

    def __init__(self, plain: bytes) -> None:
        size = int.from_bytes(plain[:4], "big")
        if len(plain) < 4 or size > MAX_TABLE:
            raise WireError("malformed", "this is no pack")
        value = decode(plain[4 : 4 + size], MAX_TABLE, _MAX_ITEMS)
        if type(value) is not dict or value.get("version") != VERSION or type(value.get("chunks")) is not list:
            raise WireError("malformed", "the table of this pack is of no known version")
        self._view = memoryview(plain)
        self.chunks = [_stored(row) for row in value["chunks"]]
        self._starts: list[int] = []
        position = 4 + size
        for chunk in self.chunks:
            self._starts.append(position)
            position += chunk.stored
        if position != len(plain):
            raise WireError("malformed", "the chunks do not fill their pack")

    def __len__(self) -> int:
        return len(self.chunks)

    def chunk(self, number: int) -> Buffer:
        """The bytes of a chunk."""
        if not 0 <= number < len(self.chunks):
            raise WireError("malformed", f"this pack has no chunk {number}")
        known, start = self.chunks[number], self._starts[number]
        data = self._view[start : start + known.stored]
        if not known.zstd:
            return data
        try:
            unpacked = zstandard.ZstdDecompressor().decompress(data, max_output_size=known.length)
        except zstandard.ZstdError as error:
            raise WireError("malformed", f"a chunk cannot be unpacked: {error}") from error
        if len(unpacked) != known.length:
            raise WireError("malformed", "a chunk has not the length that its table tells")
        return unpacked

    def run(self, first: int, count: int) -> Iterator[Buffer]:
        """The bytes of several chunks in a row."""
        return (self.chunk(number) for number in range(first, first + count))


def _stored(row: object) -> Stored:
    if type(row) is not list or len(row) != 4 or [type(item) for item in row] != [bytes, int, int, bool]:
        raise WireError("malformed", "a row of a pack's table is name, length, stored length, zstd")
    chunk = Stored(*row)
    if len(chunk.name) != 16 or not 0 <= chunk.length <= MAX_CHUNK or not 0 <= chunk.stored <= MAX_CHUNK:
        raise WireError("malformed", "a chunk is larger than chunks are")
    if not chunk.zstd and chunk.length != chunk.stored:
        raise WireError("malformed", "a chunk that is not packed has two lengths")
    return chunk


@frozen
class SealedPack:
    """A pack ready to go: its record and its n pieces."""

    record: PackRecord
    pieces: list[bytes]


def seal(plain: bytes, owner: bytes, pack: bytes, secret: bytes, scheme: Scheme, coder: Coder) -> SealedPack:
    """Seal, code and hash; pure work that belongs into a thread."""
    sealed = seal_pack(plain, secret, pack)
    pieces = coder.encode(memoryview(sealed), scheme.segment)
    return SealedPack(PackRecord(owner, pack, len(sealed), scheme, [root(piece) for piece in pieces]), pieces)


def reseal(
    pieces: dict[int, bytes], record: PackRecord, secrets: Sequence[bytes], pack: bytes, coders: tuple[Coder, Coder]
) -> SealedPack:
    """The same chunks in the same order, sealed as another pack under the same secret and coded by another scheme.

    ``coders`` are that of the old scheme and that of the new one. Pure work for a thread.
    """
    before, after = coders
    sealed = before.decode(pieces, record.size, record.scheme.segment)
    found: list[bytes] = []

    def opens(secret: bytes) -> bytes:
        plain = open_pack(sealed, secret, record.pack)
        found.append(secret)
        return plain

    plain = open_with_any(secrets, opens)
    made = seal(plain, record.owner, pack, found[-1], Scheme(after.k, after.n, record.scheme.segment), after)
    return SealedPack(evolve(made.record, scope=record.scope), made.pieces)


def unseal(pieces: dict[int, bytes], record: PackRecord, secrets: Sequence[bytes], coder: Coder) -> OpenPack:
    """Decode and open with one of the secrets; the pieces were checked against their roots. Pure work for a thread."""
    sealed = coder.decode(pieces, record.size, record.scheme.segment)
    return OpenPack(open_with_any(secrets, lambda secret: open_pack(sealed, secret, record.pack)))
