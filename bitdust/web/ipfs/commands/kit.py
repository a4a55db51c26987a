"""What commands of several themes share."""

from bitdust.ipfs.paths import parse
from bitdust.ipfs.reading import resolve
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld.cid import Cid
from bitdust.web.ipfs.arguments import Argument, BadCall
from bitdust.web.ipfs.table import Call

PATH = Argument("ipfs-path")
PATHS = Argument("ipfs-path", variadic=True)
KEY = Argument("cid")


async def content(room: IpfsRoom, text: str) -> Cid:
    """What a path leads to."""
    return await resolve(room.blocks, parse(text))


def cid_of(text: str) -> Cid:
    """A CID alone, also as `/ipfs/CID`."""
    path = parse(text)
    if path.root is None or path.segments:
        raise BadCall(f'invalid path "{text[:200]}": this takes a CID')
    return path.root


async def one_file(call: Call, most: int) -> bytes:
    """The bytes of the only file of a body. Raises `BadCall` where there is none, or more bytes than ``most``."""
    upload = call.file()
    if await upload.next() is None:
        raise BadCall("file argument 'data' is required")
    return await upload.whole(most)
