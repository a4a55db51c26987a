"""dag-pb nodes by their links and bytes: the older way to look at blocks, and to make new ones of them."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from bitdust.blocks.values import Pin
from bitdust.ipfs.nodes import Kind, Nodes, Stored
from bitdust.ipfs.references import references
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld import dagpb
from bitdust.ipld.cid import DAG_PB, LONGEST_BLOCK, Cid
from bitdust.ipld.dagpb import Link, Node
from bitdust.ipld.naming import Naming
from bitdust.ipld.unixfs import FOLDER
from bitdust.web.ipfs.arguments import BOOL, Argument, BadCall, Option
from bitdust.web.ipfs.commands.kit import content, one_file
from bitdust.web.ipfs.table import Answer, Call, Command, Json, Row, Whole
from bitdust.wire.errors import BitDustError

TEXT, BASE64 = "text", "base64"


def _nodes(room: IpfsRoom) -> Nodes:
    return Nodes(room.blocks, [])


async def _load(room: IpfsRoom, call: Call) -> Stored:
    return await _nodes(room).load(await content(room, call.arguments["key"]))


async def _store(room: IpfsRoom, nodes: Nodes, made: Stored, pin: bool = False) -> Cid:
    await room.put(nodes.made, *([Pin(made.cid)] if pin else ()))
    return made.cid


def _links(links: Sequence[Link]) -> list[Row]:
    return [{"Name": link.name, "Hash": str(link.cid), "Size": link.size} for link in links]


async def show(room: IpfsRoom, call: Call) -> Answer:
    coding, node = call.options["data-encoding"], (await _load(room, call)).node
    data = node.data or b""
    if coding not in (TEXT, BASE64):
        raise BadCall(f"unkown data field encoding: {coding[:100]}")
    text = base64.b64encode(data).decode() if coding == BASE64 else data.decode("utf-8", "replace")
    return Json({"Links": _links(node.links), "Data": text})


async def data_of(room: IpfsRoom, call: Call) -> Answer:
    data = (await _load(room, call)).node.data or b""
    return Whole(data)


async def links_of(room: IpfsRoom, call: Call) -> Answer:
    cid = await content(room, call.arguments["key"])
    if cid.codec == DAG_PB:
        return Json({"Hash": str(cid), "Links": _links((await _nodes(room).load(cid)).node.links)})
    found = await references(room.blocks, cid)
    return Json({"Hash": str(cid), "Links": _links([Link(one.cid) for one in found])})


async def stat(room: IpfsRoom, call: Call) -> Answer:
    found = await _load(room, call)
    size = len(found.node.data or b"")
    return Json(
        {
            "Hash": str(found.cid),
            "NumLinks": len(found.node.links),
            "BlockSize": found.size,
            "LinksSize": found.size - size,
            "DataSize": size,
            "CumulativeSize": found.whole,
        }
    )


async def new(room: IpfsRoom, call: Call) -> Answer:
    template, nodes = call.arguments["template"], _nodes(room)
    if template not in (None, "unixfs-dir"):
        raise BadCall(f"template '{template[:100]}' not found")
    made = nodes.make((), FOLDER.encode() if template else None, Naming())
    return Json({"Hash": str(await _store(room, nodes, made))})


async def put(room: IpfsRoom, call: Call) -> Answer:
    options, nodes = call.options, _nodes(room)
    if options["inputenc"] not in ("json", "protobuf"):
        raise BadCall(f"unknown object encoding: {options['inputenc'][:100]}")
    if options["datafieldenc"] not in (TEXT, BASE64):
        raise BadCall(f"unkown data field encoding: {options['datafieldenc'][:100]}")
    body = await one_file(call, 2 * LONGEST_BLOCK)
    if options["inputenc"] == "protobuf":
        node = await room.in_thread(dagpb.decode, body)
    else:
        node = await room.in_thread(_of_json, body, options["datafieldenc"])
    links = sorted(node.links, key=lambda link: dagpb.name_bytes(link.name))
    made = nodes.make(links, node.data, Naming())
    return Json({"Hash": str(await _store(room, nodes, made, options["pin"])), "Links": _links(links)})


def _of_json(body: bytes, coding: str) -> Node:
    """``{"Data": text, "Links": [{"Name", "Hash", "Size"}]}``."""
    try:
        given = json.loads(body)
        text, links = given.get("Data") or "", [_link(link) for link in given.get("Links") or ()]
        data = base64.b64decode(text, validate=True) if coding == BASE64 else text.encode("utf-8", "surrogatepass")
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError, binascii.Error) as error:
        if isinstance(error, BitDustError):
            raise
        raise BadCall("an object is JSON with Data, and Links with Name, Hash and Size") from error
    if not data and not links:
        raise BitDustError("no-node", "no data or links in this node")
    return Node(tuple(links), data)


def _link(given: Any) -> Link:
    name, size = given.get("Name", ""), given.get("Size", 0)
    if not isinstance(name, str) or type(size) is not int or not 0 <= size < 1 << 64:
        raise ValueError("Name or Size")
    return Link(Cid.parse(given["Hash"]), name, size)


async def compare(room: IpfsRoom, call: Call) -> Answer:
    one, other = [await content(room, call.arguments[name]) for name in ("obj_a", "obj_b")]
    return Json({"Changes": [_change(found) for found in await _nodes(room).compare(one, other)]})


def _change(found: Any) -> Row:
    kind: Kind = found.kind
    before, after = [{"/": str(cid)} if cid is not None else None for cid in (found.before, found.after)]
    return {"Type": int(kind), "Path": found.path, "Before": before, "After": after}


# changing


def _names(text: str) -> list[str]:
    names = [name for name in text.split("/") if name]
    if not names:
        raise BadCall("a link needs a name")
    return names


async def add_link(room: IpfsRoom, call: Call) -> Answer:
    root, target = [await content(room, call.arguments[name]) for name in ("root", "ref")]
    nodes, between = _nodes(room), FOLDER.encode() if call.options["create"] else None
    made = await nodes.with_link(root, _names(call.arguments["name"]), target, between)
    return Json({"Hash": str(await _store(room, nodes, made))})


async def remove_link(room: IpfsRoom, call: Call) -> Answer:
    nodes = _nodes(room)
    made = await nodes.without_link(await content(room, call.arguments["root"]), _names(call.arguments["name"]))
    return Json({"Hash": str(await _store(room, nodes, made))})


async def append_data(room: IpfsRoom, call: Call) -> Answer:
    return await _with_data(room, call, keep=True)


async def set_data(room: IpfsRoom, call: Call) -> Answer:
    return await _with_data(room, call, keep=False)


async def _with_data(room: IpfsRoom, call: Call, keep: bool) -> Answer:
    nodes, given = _nodes(room), await one_file(call, LONGEST_BLOCK)
    root = await content(room, call.arguments["root"])
    made = await nodes.with_data(root, lambda data: data + given if keep else given)
    return Json({"Hash": str(await _store(room, nodes, made))})


_KEY, _ROOT, _NAME = Argument("key"), Argument("root"), Argument("name")
ROWS = (
    Command("object/get", show, (_KEY,), (Option(("data-encoding",), default=TEXT),)),
    Command("object/data", data_of, (_KEY,)),
    Command("object/links", links_of, (_KEY,), (Option(("headers", "v"), BOOL, default=False),)),
    Command("object/stat", stat, (_KEY,), (Option(("human",), BOOL, default=False),)),
    Command("object/new", new, (Argument("template", required=False),)),
    Command(
        "object/put",
        put,
        options=(
            Option(("inputenc",), default="json"),
            Option(("datafieldenc",), default=TEXT),
            Option(("pin",), BOOL, default=False),
            Option(("quiet", "q"), BOOL, default=False),
        ),
        file="data",
    ),
    Command(
        "object/diff", compare, (Argument("obj_a"), Argument("obj_b")), (Option(("verbose", "v"), BOOL, default=False),)
    ),
    Command(
        "object/patch/add-link",
        add_link,
        (_ROOT, _NAME, Argument("ref")),
        (Option(("create", "p"), BOOL, default=False),),
    ),
    Command("object/patch/rm-link", remove_link, (_ROOT, _NAME)),
    Command("object/patch/append-data", append_data, (_ROOT,), file="data"),
    Command("object/patch/set-data", set_data, (_ROOT,), file="data"),
)
