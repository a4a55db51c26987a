"""What was added, read back: bytes of files, entries of directories, and whole trees as tar."""

from collections.abc import AsyncIterator
from enum import Enum

from attrs import frozen

from bitdust.ipfs.blocks import Blocks, follow, get, pieces, work
from bitdust.ipfs.paths import Path
from bitdust.ipld import dagpb, paths, unixfs
from bitdust.ipld.cid import DAG_PB, RAW, Cid
from bitdust.ipld.dagpb import Link
from bitdust.ipld.directory import Listing
from bitdust.ipld.errors import FormatError
from bitdust.ipld.paths import Found
from bitdust.ipld.reading import FileReader
from bitdust.wire.errors import BitDustError


class What(Enum):
    """What a block is to a person."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    OTHER = "other"


@frozen
class Node:
    """A file, directory or symlink; ``size`` is of the file's bytes, ``whole`` of all blocks, ``target`` of a link."""

    cid: Cid
    what: What
    size: int = 0
    whole: int = 0
    blocks: int = 0
    target: str = ""


async def node_of(blocks: Blocks, cid: Cid) -> Node:
    """What a CID is. Raises `BitDustError`."""
    data = await get(blocks, cid)
    if cid.codec == RAW:
        return Node(cid, What.FILE, len(data), len(data))
    if cid.codec != DAG_PB:
        return Node(cid, What.OTHER, len(data), len(data))
    node = await work(blocks.in_thread, len(data), dagpb.decode, data)
    whole = len(data) + sum(link.size for link in node.links)
    try:
        meaning = unixfs.decode(node.data)
    except FormatError:
        return Node(cid, What.OTHER, len(data), whole, len(node.links))
    if meaning.is_directory:
        return Node(cid, What.DIRECTORY, 0, whole, len(node.links))
    if meaning.kind == unixfs.Kind.SYMLINK:
        return Node(cid, What.SYMLINK, 0, whole, 0, unixfs.target(meaning))
    return Node(cid, What.FILE, meaning.size, whole, len(node.links))


async def find(blocks: Blocks, path: Path) -> Found:
    """What a path leads to: a block, and what of the path leads on inside it.

    Raises `BitDustError` ``no-link`` where a name is missing.
    """
    if path.root is None:
        raise BitDustError("no-name", f"could not resolve name {path.name!r}")
    try:
        return await follow(blocks, paths.follow(path.root, path.segments))
    except FormatError as error:
        if error.code != "absent":
            raise
        raise BitDustError("no-link", str(error)) from error


async def resolve(blocks: Blocks, path: Path) -> Cid:
    """The block that a path leads to, as `find`; what is inside of one is none."""
    found = await find(blocks, path)
    if found.rest:
        raise BitDustError("no-link", f'no link named "{found.rest[0]}" under {found.cid}')
    return found.cid


async def entries(blocks: Blocks, cid: Cid) -> list[Link]:
    """All entries of a directory, by name; of a file its parts."""
    node = await node_of(blocks, cid)
    if node.what is not What.DIRECTORY:
        if cid.codec != DAG_PB:
            return []
        data = await get(blocks, cid)
        return list((await work(blocks.in_thread, len(data), dagpb.decode, data)).links)
    listing, found = Listing(cid), list[Link]()
    while wanted := listing.wanted():
        data = await get(blocks, wanted[0])
        found += await work(blocks.in_thread, len(data), listing.give, data)
    return sorted(found, key=lambda link: dagpb.name_bytes(link.name))


async def read(
    blocks: Blocks, cid: Cid, offset: int = 0, length: int | None = None
) -> tuple[int, AsyncIterator[bytes]]:
    """How many bytes there are, and the bytes. Raises `BitDustError` ``is-directory`` for a directory."""
    node = await node_of(blocks, cid)
    if node.what is What.DIRECTORY:
        raise BitDustError("is-directory", "this dag node is a directory")
    if node.what is not What.FILE:
        raise BitDustError("no-file", f"{cid} is not a file")
    if offset > node.size:
        raise BitDustError("bad-argument", f"offset was past end of file ({offset} > {node.size})")
    left = node.size - offset
    wanted = left if length is None else min(left, length)
    return wanted, pieces(blocks, FileReader(cid, offset, wanted))
