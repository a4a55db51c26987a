"""Values of the hash table: records of IPNS as they were signed, since it keeps nothing else for clients."""

import base64
import binascii
from collections.abc import AsyncIterator

from bitdust.ipfs.paths import parse
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld.errors import FormatError
from bitdust.ipld.peerid import PeerId
from bitdust.web.ipfs.arguments import BOOL, Argument, BadCall, Option
from bitdust.web.ipfs.commands.routing import NOT_FOUND, Kind, event
from bitdust.web.ipfs.table import Answer, Call, Command, Lines, Row
from bitdust.wire.errors import BitDustError


def name_of(key: str) -> PeerId:
    """The name in a key such as ``/ipns/12D3…``. Raises `BadCall`."""
    try:
        path = parse(key)
        if not path.name or path.segments:
            raise BadCall("invalid key: the hash table keeps records of IPNS alone, under /ipns/NAME")
        return PeerId.parse(path.name)
    except FormatError as error:
        raise BadCall(f"invalid key: {error}") from None


async def get(room: IpfsRoom, call: Call) -> Answer:
    return Lines(_found(room, [name_of(key) for key in call.arguments["key"]]))


async def _found(room: IpfsRoom, names: list[PeerId]) -> AsyncIterator[Row]:
    for name in names:
        record = None if room.is_offline else await room.names.record(name)
        if record is None:
            raise BitDustError("no-value", NOT_FOUND)
        yield event(Kind.VALUE, extra=base64.b64encode(record).decode())


async def put(room: IpfsRoom, call: Call) -> Answer:
    """What a name has not signed is refused, here as by everybody who would keep it."""
    name = name_of(call.arguments["key"])
    if room.is_offline:
        raise BitDustError("offline", "can't put while offline")
    await room.names.keep(name, _bytes(call.arguments["value"]))
    return Lines(_kept(str((await room.keys.all())[0].id)))


async def _kept(me: str) -> AsyncIterator[Row]:
    yield event(Kind.VALUE, ident=me)


def _bytes(text: str) -> bytes:
    """Of base 64, as `dht/get` gives it, or of the value as it is."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text.encode("utf-8", "surrogateescape")


_VERBOSE = Option(("verbose", "v"), BOOL, default=False)
ROWS = (
    Command("dht/get", get, (Argument("key", variadic=True),), (_VERBOSE,), aliases=("routing/get",)),
    Command("dht/put", put, (Argument("key"), Argument("value")), (_VERBOSE,), aliases=("routing/put",)),
)
