"""Single blocks: bytes in, bytes out."""

from collections.abc import AsyncIterator

from bitdust.blocks.values import Pin
from bitdust.ipfs.blocks import get
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld.cid import CODECS, DAG_PB, LONGEST_BLOCK, RAW, Block, Cid
from bitdust.ipld.multihash import NAMES, SHA2_256, compute
from bitdust.web.ipfs.arguments import BOOL, INT, Argument, BadCall, Option
from bitdust.web.ipfs.commands.kit import KEY, content, one_file
from bitdust.web.ipfs.table import Answer, Call, Command, Json, Lines, Row, Whole
from bitdust.wire.errors import BitDustError

FORMATS = {"v0": DAG_PB, "": DAG_PB, "cbor": CODECS["dag-cbor"], "protobuf": DAG_PB, "dag-pb": DAG_PB, **CODECS}
FORMATS |= {"protobuf": DAG_PB, "cbor": CODECS["dag-cbor"], "raw": RAW}


async def get_block(room: IpfsRoom, call: Call) -> Answer:
    data = await get(room.blocks, await content(room, call.arguments["cid"]))
    return Whole(data)


async def stat(room: IpfsRoom, call: Call) -> Answer:
    cid = await content(room, call.arguments["cid"])
    return Json({"Key": str(cid), "Size": len(await get(room.blocks, cid))})


async def put(room: IpfsRoom, call: Call) -> Answer:
    options = call.options
    data = await one_file(call, LONGEST_BLOCK)
    cid = _named(data, options["format"], options["mhtype"], options["mhlen"])
    await room.put([Block(cid, data)], *([Pin(cid)] if options["pin"] else ()))
    return Json({"Key": str(cid), "Size": len(data)})


def _named(data: bytes, form: str | None, function: str, length: int) -> Cid:
    """The CID that these options give a block: version 0 where they say nothing else."""
    codec, row = FORMATS.get(form or "v0"), NAMES.get(function)
    if codec is None:
        raise BadCall(f"unrecognized format: {str(form)[:100]}")
    if row is None:
        raise BadCall(f"unrecognized multihash function: {function[:100]}")
    code = row.code
    multihash = compute(data, code)
    if length not in (-1, len(multihash) - 2):
        raise BadCall(f"a hash of {function} with {length} bytes is not made here")
    if form in (None, "", "v0"):
        if code != SHA2_256 and form == "v0":
            raise BadCall("a CID of version 0 has no other hash function than sha2-256")
        return Cid(0 if code == SHA2_256 else 1, DAG_PB, multihash)
    return Cid(1, codec, multihash)


async def remove(room: IpfsRoom, call: Call) -> Answer:
    return Lines(_removed(room, call.arguments["cid"], bool(call.options["force"]), bool(call.options["quiet"])))


async def _removed(room: IpfsRoom, texts: list[str], force: bool, quiet: bool) -> AsyncIterator[Row]:
    for text in texts:
        try:
            cid = await content(room, text)
            await room.remove(cid)
        except BitDustError as error:
            if not (force and error.code == "not-found"):
                yield {"Hash": text, "Error": str(error)}
        else:
            if not quiet:
                yield {"Hash": str(cid)}


ROWS = (
    Command("block/get", get_block, (KEY,)),
    Command("block/stat", stat, (KEY,)),
    Command(
        "block/rm",
        remove,
        (Argument("cid", variadic=True),),
        (Option(("force", "f"), BOOL, default=False), Option(("quiet", "q"), BOOL, default=False)),
    ),
    Command(
        "block/put",
        put,
        options=(
            Option(("format", "f", "cid-codec")),
            Option(("mhtype",), default="sha2-256"),
            Option(("mhlen",), INT, default=-1),
            Option(("pin",), BOOL, default=False),
        ),
        file="data",
    ),
)
