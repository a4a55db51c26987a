"""Blocks by what they hold (IPLD): values by paths, and whole trees as CAR files."""

import json
from collections.abc import AsyncIterator
from typing import Any

from bitdust.blocks.values import Pin
from bitdust.ipfs.blocks import follow, get
from bitdust.ipfs.cars import export
from bitdust.ipfs.paths import parse
from bitdust.ipfs.reading import find
from bitdust.ipfs.references import below
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld import codecs, dagjson, multibase
from bitdust.ipld.cid import CODECS, DAG_CBOR, DAG_JSON, DAG_PB, LONGEST_BLOCK, RAW, Block, Cid
from bitdust.ipld.errors import malformed
from bitdust.ipld.paths import value_at
from bitdust.web.ipfs.arguments import BOOL, Argument, BadCall, Option
from bitdust.web.ipfs.commands.kit import content, function_of, one_file
from bitdust.web.ipfs.table import Answer, Call, Command, Data, Json, Lines, Row, Whole

LARGEST_WHOLE = 1e21
OLD_JSON = "json"
"""What JSON was called until version 0.9, which made floats of all numbers; ``dag-json`` has integers."""
_BYTES = multibase.NAMES["base64pad"]
FORMATS = {
    **{name: CODECS[name] for name in ("raw", "dag-pb", "dag-cbor", "dag-json")},
    "cbor": DAG_CBOR,
    "json": DAG_JSON,
    "protobuf": DAG_PB,
}
"""Names of codecs, as clients of several years write them."""


def codec_of(name: str) -> int:
    """Raises `BadCall`."""
    found = FORMATS.get(name)
    if found is None:
        raise BadCall(f"no encoder or decoder for {name[:100]!r} is here")
    return found


async def get_value(room: IpfsRoom, call: Call) -> Answer:
    """As JSON: a link is ``{"/": CID}``, bytes are ``{"/": {"bytes": …}}``; a dag-pb node is as in version 0.6."""
    output = call.options["output-codec"]
    found = await find(room.blocks, await room.named(parse(call.arguments["ref"])))
    value = await follow(room.blocks, value_at(found))
    if output is None:
        is_node = found.cid.codec == DAG_PB and not found.rest
        return Json(await room.in_thread(_shown, _old_node(value) if is_node else value))
    data = await room.in_thread(codecs.encode, codec_of(output), value)
    return Whole(data)


def _shown(value: Any) -> Any:
    return json.loads(dagjson.encode(value), parse_float=_float)


def _float(text: str) -> float:
    """As Go shows it: one that is whole looks like an integer."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < LARGEST_WHOLE else number


def _old_node(value: Row) -> Row:
    """A dag-pb node as it was shown until version 0.9."""
    links = [{"Name": link["Name"], "Size": link["Tsize"], "Cid": link["Hash"]} for link in value["Links"]]
    return {"data": _BYTES.write(value.get("Data") or b""), "links": links}


async def put(room: IpfsRoom, call: Call) -> Answer:
    options = call.options
    source, target = codec_of(options["input-enc"]), codec_of(options["format"])
    function, is_old = function_of(options["hash"]), options["input-enc"] == OLD_JSON
    data = await one_file(call, LONGEST_BLOCK)
    block = await room.in_thread(_block, data, source, target, function, is_old)
    await room.put([block], *([Pin(block.cid)] if options["pin"] else ()))
    return Json({"Cid": {"/": str(block.cid)}})


def _block(data: bytes, source: int, target: int, function: int, is_old: bool) -> Block:
    if source != RAW:
        value = codecs.decode(Cid.of(data, source), data)
        if is_old and target == DAG_CBOR:
            value = _with_floats(value)
        data = codecs.encode(target, _new_node(value) if target == DAG_PB else value)
    block = Block(Cid.of(data, target, function), data)
    if source == RAW:
        codecs.decode(block.cid, data)
    return block


def _with_floats(value: Any) -> Any:
    """A value of JSON as version 0.6 read it: its numbers are floats, save those that no float can say."""
    if isinstance(value, list):
        return [_with_floats(one) for one in value]
    if isinstance(value, dict):
        return {key: _with_floats(one) for key, one in value.items()}
    return float(value) if type(value) is int and int(float(value)) == value else value


def _new_node(value: Any) -> Any:
    """A dag-pb node that was written as it was shown until version 0.9, as it is today."""
    if not isinstance(value, dict) or not value or set(value) - {"data", "links"}:
        return value
    try:
        links = [
            {"Hash": link["Cid"], "Name": link.get("Name", ""), "Tsize": link.get("Size", 0)}
            for link in value.get("links") or ()
        ]
        return {"Data": _BYTES.read(value.get("data") or ""), "Links": links}
    except (AttributeError, KeyError, TypeError) as error:
        raise malformed("a dag-pb node has data in base 64, and links with Name, Size and Cid") from error


async def resolve(room: IpfsRoom, call: Call) -> Answer:
    found = await find(room.blocks, await room.named(parse(call.arguments["ref"])))
    return Json({"Cid": {"/": str(found.cid)}, "RemPath": "/".join(found.rest)})


async def import_car(room: IpfsRoom, call: Call) -> Answer:
    pin = bool(call.options["pin-roots"])
    roots = await room.import_cars(call.file(), pin)
    return Lines(_roots(roots if pin and not call.options["silent"] else {}))


async def _roots(roots: dict[Cid, str]) -> AsyncIterator[Row]:
    for cid, why in roots.items():
        yield {"Root": {"Cid": {"/": str(cid)}, "PinErrorMsg": why}}


async def export_car(room: IpfsRoom, call: Call) -> Answer:
    return Data(export(room.blocks, await content(room, call.arguments["root"])))


async def stat(room: IpfsRoom, call: Call) -> Answer:
    root = await content(room, call.arguments["root"])
    size, count = len(await get(room.blocks, root)), 1
    async for one in below(room.blocks, [root], unique=True):
        if one.cid.multihash != root.multihash:
            size, count = size + len(await get(room.blocks, one.cid)), count + 1
    return Json({"Size": size, "NumBlocks": count})


_REF, _ROOT = Argument("ref"), Argument("root")
ROWS = (
    Command("dag/get", get_value, (_REF,), (Option(("output-codec",)),)),
    Command(
        "dag/put",
        put,
        options=(
            Option(("format", "f", "store-codec"), default="cbor"),
            Option(("input-enc", "input-codec"), default="json"),
            Option(("pin",), BOOL, default=True),
            Option(("hash",), default="sha2-256"),
        ),
        file="object data",
    ),
    Command("dag/resolve", resolve, (_REF,)),
    Command(
        "dag/import",
        import_car,
        options=(Option(("pin-roots",), BOOL, default=True), Option(("silent",), BOOL, default=False)),
        file="path",
    ),
    Command("dag/export", export_car, (_ROOT,), (Option(("progress", "p"), BOOL, default=False),)),
    Command("dag/stat", stat, (_ROOT,), (Option(("progress", "p"), BOOL, default=False),)),
)
