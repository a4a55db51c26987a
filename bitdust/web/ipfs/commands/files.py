"""Files and directories: added, and read back by any path."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from bitdust.ipfs import archive
from bitdust.ipfs.adding import Added, AddOptions
from bitdust.ipfs.blocks import Ahead
from bitdust.ipfs.mfs_paths import MfsPath, parse_mfs
from bitdust.ipfs.names.resolving import How
from bitdust.ipfs.paths import parse
from bitdust.ipfs.reading import Node, What, entries, find, node_of, read, resolve
from bitdust.ipfs.references import Reference, below
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld.building import Recipe
from bitdust.ipld.dagpb import Link
from bitdust.ipld.multihash import SHA2_256
from bitdust.ipld.naming import Naming
from bitdust.web.ipfs.arguments import BOOL, INT, UINT, Argument, BadCall, Option
from bitdust.web.ipfs.commands.kit import PATH, PATHS, bytes_of, content, function_of
from bitdust.web.ipfs.table import Answer, Call, Command, Data, Json, Lines, Row, Rows

TYPES = {What.DIRECTORY: 1, What.FILE: 2, What.SYMLINK: 4, What.OTHER: 0}
USUAL_LEVEL = 6
MOST_INLINED = 32
FEW = 100
"""Lines of an answer that are made at once."""


async def add(room: IpfsRoom, call: Call) -> Answer:
    """The lines come at the end: clients read nothing before they have sent everything."""
    options = call.options
    job = room.add(_add_options(options), store=not options["only-hash"])
    target = parse_mfs(options["to-files"]) if options["to-files"] else None
    await job.run(call.file())
    if target is not None and not options["only-hash"] and job.rows():
        await _name(room, job.rows()[-1], target)
    rows = _added(job.rows(), options)
    return Rows(list(rows)) if len(job.rows()) <= FEW else Lines(_later(rows))


async def _name(room: IpfsRoom, added: Added, target: MfsPath) -> None:
    """A name in MFS for what was added; below a path that ends with a slash, its own name."""
    if target.is_folder:
        own = added.name.rpartition("/")[2] or str(added.part.cid)
        target = MfsPath((*target.names, own))
    await room.mfs.copy(Link(added.part.cid, "", added.part.size), target, parents=False)


def _add_options(options: Row) -> AddOptions:
    function, version, raw = function_of(options["hash"]), options["cid-version"], options["raw-leaves"]
    if options["nocopy"]:
        if raw is False:
            raise BadCall("nocopy option requires '--raw-leaves' to be enabled as well")
        raise BadCall("missing file path or URL, can't create filestore reference: files are always copied here")
    if version is None:
        version = 0 if function == SHA2_256 else 1
    inline = options["inline-limit"] if options["inline"] else 0
    naming = Naming(version, function, inline)
    raw = version > 0 if raw is None else raw
    recipe = Recipe(naming, raw, options["trickle"], options["chunker"])
    return AddOptions(recipe, options["wrap-with-directory"], options["pin"] and not options["only-hash"])


def _added(rows: list[Added], options: Row) -> Iterator[Row]:
    if options["silent"]:
        return
    for one in rows[-1:] if options["quieter"] else rows:
        if options["progress"]:
            yield {"Name": one.name, "Bytes": one.part.filesize}
        yield {"Name": one.name, "Hash": str(one.part.cid), "Size": str(one.part.size)}


async def _later(rows: Iterator[Row]) -> AsyncIterator[Row]:
    for row in rows:
        yield row


async def cat(room: IpfsRoom, call: Call) -> Answer:
    offset, length = call.options["offset"], call.options["length"]
    if offset < 0:
        raise BadCall("cannot specify negative offset")
    if length is not None and length < 0:
        raise BadCall("cannot specify negative length")
    size, pieces, parts = 0, [], list(call.arguments["ipfs-path"])
    for text in parts:
        cid = await content(room, text)
        if len(parts) > 1 and offset:
            node = await node_of(room.blocks, cid)
            if node.what is What.FILE and offset > node.size:
                offset -= node.size
                continue
        here, stream = await read(room.blocks, cid, offset, length)
        size, offset = size + here, 0
        length = None if length is None else length - here
        pieces.append(stream)
    return await bytes_of(size, _joined(pieces))


async def _joined(streams: list[AsyncIterator[bytes]]) -> AsyncIterator[bytes]:
    for stream in streams:
        async for piece in stream:
            yield piece


async def get(room: IpfsRoom, call: Call) -> Answer:
    options, text = call.options, call.arguments["ipfs-path"]
    path = parse(text)
    node = await node_of(room.blocks, await resolve(room.blocks, await room.named(path)))
    level = USUAL_LEVEL if options["compression-level"] in (None, -1) else options["compression-level"]
    if not 1 <= level <= 9:
        raise BadCall("compression level must be between 1 and 9")
    name = path.segments[-1] if path.segments else path.name or str(path.root)
    if options["compress"] and not options["archive"] and node.what is What.FILE:
        _, plain = await read(room.blocks, node.cid)
        return Data(archive.gzip(plain, level), None, "application/gzip")
    packed = archive.tar(room.blocks, node, name)
    if options["compress"]:
        return Data(archive.gzip(packed, level), None, "application/gzip")
    return Data(packed, None, "application/x-tar")


async def ls(room: IpfsRoom, call: Call) -> Answer:
    options = call.options
    objects = [(text, await content(room, text)) for text in call.arguments["ipfs-path"]]
    if options["stream"]:
        return Lines(_listed(room, objects, options))
    found = [{"Hash": text, "Links": [row async for row in _links(room, text, cid, options)]} for text, cid in objects]
    return Json({"Objects": found})


async def _listed(room: IpfsRoom, objects: list[Any], options: Row) -> AsyncIterator[Row]:
    for text, cid in objects:
        async for row in _links(room, text, cid, options):
            yield {"Objects": [{"Hash": text, "Links": [row]}]}


async def _links(room: IpfsRoom, text: str, cid: Any, options: Row) -> AsyncIterator[Row]:
    blocks, links = Ahead(room.blocks), await entries(room.blocks, cid)
    if not options["resolve-type"]:
        for link in links:
            yield _link(link, Node(link.cid, What.OTHER), options)
        return
    async for link in blocks.each(links):
        yield _link(link, await node_of(blocks, link.cid), options)


def _link(link: Link, node: Node, options: Row) -> Row:
    return {
        "Name": link.name,
        "Hash": str(link.cid),
        "Size": node.size if options["size"] else 0,
        "Type": TYPES[node.what],
        "Target": node.target,
    }


async def refs(room: IpfsRoom, call: Call) -> Answer:
    options = call.options
    shape = "<src> -> <dst>" if options["edges"] else options["format"]
    if options["edges"] and options["format"] != "<dst>":
        raise BadCall("using format argument with edges is not allowed")
    deepest = options["max-depth"] if options["recursive"] else 1
    roots = [await content(room, text) for text in call.arguments["ipfs-path"]]
    found = below(room.blocks, roots, deepest if deepest >= 0 else None, bool(options["unique"]))
    return Lines(_references(found, shape))


async def _references(found: AsyncIterator[Reference], shape: str) -> AsyncIterator[Row]:
    async for one in found:
        text = shape.replace("<src>", str(one.parent)).replace("<dst>", str(one.cid)).replace("<linkname>", one.name)
        yield {"Ref": text, "Err": ""}


async def resolve_path(room: IpfsRoom, call: Call) -> Answer:
    path = parse(call.arguments["name"])
    if path.name and not call.options["recursive"]:
        return Json({"Path": await room.names.resolver.resolve(str(path), How(offline=room.is_offline), False)})
    found = await find(room.blocks, await room.named(path))
    return Json({"Path": "/".join(("/ipfs", str(found.cid), *found.rest))})


ROWS = (
    Command(
        "add",
        add,
        options=(
            Option(("recursive", "r"), BOOL, default=False),
            Option(("quiet", "q"), BOOL, default=False),
            Option(("quieter", "Q"), BOOL, default=False),
            Option(("silent",), BOOL, default=False),
            Option(("progress", "p"), BOOL, default=False),
            Option(("trickle", "t"), BOOL, default=False),
            Option(("only-hash", "n"), BOOL, default=False),
            Option(("wrap-with-directory", "w"), BOOL, default=False),
            Option(("chunker", "s"), default="size-262144"),
            Option(("pin",), BOOL, default=True),
            Option(("raw-leaves",), BOOL),
            Option(("nocopy",), BOOL, default=False),
            Option(("cid-version",), UINT),
            Option(("hash",), default="sha2-256"),
            Option(("inline",), BOOL, default=False),
            Option(("inline-limit",), UINT, default=MOST_INLINED),
            Option(("to-files",)),
        ),
        file="path",
    ),
    Command("cat", cat, (PATHS,), (Option(("offset", "o"), INT, default=0), Option(("length", "l"), INT))),
    Command(
        "get",
        get,
        (PATH,),
        (
            Option(("output", "o")),
            Option(("archive", "a"), BOOL, default=False),
            Option(("compress", "C"), BOOL, default=False),
            Option(("compression-level", "l"), INT),
        ),
    ),
    Command(
        "ls",
        ls,
        (PATHS,),
        (
            Option(("headers", "v"), BOOL, default=False),
            Option(("resolve-type",), BOOL, default=True),
            Option(("size",), BOOL, default=True),
            Option(("stream", "s"), BOOL, default=False),
        ),
    ),
    Command(
        "refs",
        refs,
        (PATHS,),
        (
            Option(("format",), default="<dst>"),
            Option(("edges", "e"), BOOL, default=False),
            Option(("unique", "u"), BOOL, default=False),
            Option(("recursive", "r"), BOOL, default=False),
            Option(("max-depth",), INT, default=-1),
        ),
    ),
    Command("resolve", resolve_path, (Argument("name"),), (Option(("recursive", "r"), BOOL, default=True),)),
)
