"""Trees as tar, made while they are read: nothing but one directory's names is kept for each floor."""

import io
import tarfile
import zlib
from collections.abc import AsyncIterator

from bitdust.ipfs.blocks import Ahead, Blocks, pieces
from bitdust.ipfs.reading import Node, What, entries, node_of
from bitdust.ipld.reading import FileReader
from bitdust.wire.errors import BitDustError

DEEPEST = 256
BLOCK = tarfile.BLOCKSIZE
PIECE = 64 * 1024
"""Bytes that are gathered: heads and small files are made piece by piece."""
GZIP = 16 + zlib.MAX_WBITS
KINDS = {What.FILE: tarfile.REGTYPE, What.DIRECTORY: tarfile.DIRTYPE, What.SYMLINK: tarfile.SYMTYPE}
MODES = {What.FILE: 0o644, What.DIRECTORY: 0o755, What.SYMLINK: 0o777}


async def tar(blocks: Blocks, root: Node, name: str) -> AsyncIterator[bytes]:
    """A tar (POSIX.1-2001) of a file, directory or symlink, under a name."""
    gathered, size = [], 0
    async for piece in _tree(Ahead(blocks), root, name, 0):
        gathered.append(piece)
        size += len(piece)
        if size >= PIECE:
            yield b"".join(gathered)
            gathered, size = [], 0
    yield b"".join((*gathered, bytes(2 * BLOCK)))


async def _tree(blocks: Ahead, node: Node, name: str, depth: int) -> AsyncIterator[bytes]:
    if depth > DEEPEST:
        raise BitDustError("too-deep", f"directories in a tar stand at most {DEEPEST} deep")
    yield _head(node, name)
    if node.what is What.FILE:
        async for piece in pieces(blocks, FileReader(node.cid)):
            yield piece
        yield bytes(-node.size % BLOCK)
    elif node.what is What.DIRECTORY:
        async for link in blocks.each(await entries(blocks, node.cid)):
            below = await node_of(blocks, link.cid)
            async for piece in _tree(blocks, below, f"{name}/{link.name}", depth + 1):
                yield piece


def _head(node: Node, name: str) -> bytes:
    if node.what is What.OTHER:
        raise BitDustError("no-file", f"{node.cid} is neither a file nor a directory")
    info = tarfile.TarInfo(name)
    info.type, info.mode = KINDS[node.what], MODES[node.what]
    info.size = node.size if node.what is What.FILE else 0
    info.linkname = node.target
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


async def gzip(plain: AsyncIterator[bytes], level: int) -> AsyncIterator[bytes]:
    """The same bytes, compressed; levels are 1 to 9."""
    packer, gathered = zlib.compressobj(level, zlib.DEFLATED, GZIP), io.BytesIO()
    async for piece in plain:
        gathered.write(packer.compress(piece))
        if gathered.tell() >= 1 << 16:
            yield gathered.getvalue()
            gathered = io.BytesIO()
    gathered.write(packer.flush())
    yield gathered.getvalue()
