"""What commands of several themes share."""

from collections.abc import AsyncIterator

from bitdust.ipfs.paths import parse
from bitdust.ipfs.peerids import read_peer
from bitdust.ipfs.reading import resolve
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld.cid import Cid
from bitdust.ipld.errors import FormatError
from bitdust.ipld.multibase import BASES, Base
from bitdust.ipld.multibase import NAMES as NAMES_OF_BASES
from bitdust.ipld.multihash import NAMES
from bitdust.ipld.peerid import PeerId
from bitdust.web.answers import SHORT
from bitdust.web.ipfs.arguments import Argument, BadCall
from bitdust.web.ipfs.table import Call, Data, Whole
from bitdust.web.ipfs.upload import Upload

PATH = Argument("ipfs-path")
PATHS = Argument("ipfs-path", variadic=True)
KEY = Argument("cid")


async def content(room: IpfsRoom, text: str) -> Cid:
    """What a path leads to."""
    return await resolve(room.blocks, await room.named(parse(text)))


def cid_of(text: str) -> Cid:
    """A CID alone, also as `/ipfs/CID`."""
    path = parse(text)
    if path.root is None or path.segments:
        raise BadCall(f'invalid path "{text[:200]}": this takes a CID')
    return path.root


def peer_of(text: str) -> PeerId:
    """A peer, by its id or an address that ends with it. Raises `BadCall`."""
    try:
        return read_peer(text)
    except FormatError as error:
        raise BadCall(f"invalid peer id {text[:200]!r}: {error}") from None


def base_of(name: str) -> Base:
    """A multibase by its name or its character. Raises `BadCall`."""
    found = NAMES_OF_BASES.get(name) or BASES.get(name)
    if found is None:
        raise BadCall(f"unsupported multibase encoding: {name[:100]!r}")
    return found


def function_of(name: str) -> int:
    """The code of a hash function. Raises `BadCall`."""
    row = NAMES.get(name)
    if row is None:
        raise BadCall(f"unrecognized hash function: {name[:100]}")
    return row.code


async def need_file(call: Call) -> Upload:
    """The body, at its only file. Raises `BadCall` where there is none."""
    upload = call.file()
    if await upload.next() is None:
        raise BadCall("file argument 'data' is required")
    return upload


async def one_file(call: Call, most: int) -> bytes:
    """The bytes of the only file of a body. Raises `BadCall` where there is none, or more bytes than ``most``."""
    return await (await need_file(call)).whole(most)


async def bytes_of(size: int, pieces: AsyncIterator[bytes]) -> Data | Whole:
    """An answer of so many bytes; few of them are gathered first."""
    return Data(pieces, size) if size > SHORT else Whole(b"".join([piece async for piece in pieces]))
