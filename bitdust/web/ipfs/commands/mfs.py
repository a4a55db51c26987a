"""Files with names of their own on this node (MFS)."""

from bitdust.ipfs.blocks import Ahead, get
from bitdust.ipfs.mfs_paths import MfsPath, parse_mfs
from bitdust.ipfs.mfs_writing import Writing
from bitdust.ipfs.reading import Node, What, entries, node_of, read
from bitdust.ipfs.references import below
from bitdust.ipfs.room import IpfsRoom
from bitdust.ipld.dagpb import Link
from bitdust.ipld.naming import Naming
from bitdust.web.ipfs.arguments import BOOL, INT, UINT, Argument, BadCall, Option
from bitdust.web.ipfs.commands.kit import bytes_of, content, function_of, need_file
from bitdust.web.ipfs.table import Answer, Call, Command, Json, Row
from bitdust.wire.errors import BitDustError

CONTENT = ("/ipfs/", "/ipns/")
FILE, DIRECTORY = 0, 1


async def _find(room: IpfsRoom, text: str) -> Link:
    """What is at a path of MFS, or at one of content."""
    if text.startswith(CONTENT):
        return Link(await content(room, text))
    return await room.mfs.find(parse_mfs(text))


def _naming(options: Row) -> Naming | None:
    """How new blocks are named; None where nothing is said of it."""
    version, name = options["cid-version"], options["hash"]
    if version is None and name is None:
        return None
    if name is None:
        return Naming(version)
    return Naming(version or 1, function_of(name))


async def make(room: IpfsRoom, call: Call) -> None:
    path, parents = parse_mfs(call.arguments["path"]), bool(call.options["parents"])
    if not path.names and not parents:
        raise BitDustError("exists", "cannot create directory '/': Already exists")
    await room.mfs.make_folder(path, parents, _naming(call.options))


async def copy(room: IpfsRoom, call: Call) -> None:
    source, target = call.arguments["source"], parse_mfs(call.arguments["dest"])
    try:
        found = await _find(room, source)
    except BitDustError as error:
        text = f"cp: cannot get node from path {source[:200]}: {error}"
        raise BitDustError(error.code, text) from error
    last = source.rstrip("/").rpartition("/")[2]
    into = MfsPath((*target.names, last)) if target.is_folder else target
    await room.mfs.copy(found, into, bool(call.options["parents"]))


async def move(room: IpfsRoom, call: Call) -> None:
    await room.mfs.move(parse_mfs(call.arguments["source"]), parse_mfs(call.arguments["dest"]))


async def remove(room: IpfsRoom, call: Call) -> None:
    paths = [parse_mfs(text) for text in call.arguments["path"]]
    await room.mfs.remove(paths, bool(call.options["recursive"]), bool(call.options["force"]))


async def flush(room: IpfsRoom, call: Call) -> Answer:
    """Everything is on the disk as soon as it was answered, so this only says what is there."""
    return Json({"Cid": str((await room.mfs.find(parse_mfs(call.arguments["path"] or "/"))).cid)})


async def rename_blocks(room: IpfsRoom, call: Call) -> None:
    naming = _naming(call.options)
    if naming is not None:
        await room.mfs.rename_blocks(parse_mfs(call.arguments["path"] or "/"), naming)


async def ls(room: IpfsRoom, call: Call) -> Answer:
    path = parse_mfs(call.arguments["path"] or "/")
    found, is_long = await room.mfs.find(path), bool(call.options["long"])
    node = await node_of(room.blocks, found.cid)
    links = await entries(room.blocks, found.cid) if node.what is What.DIRECTORY else [found]
    if not is_long:
        return Json({"Entries": [{"Name": link.name, "Type": 0, "Size": 0, "Hash": ""} for link in links]})
    ahead = Ahead(room.blocks)
    return Json({"Entries": [_entry(link, await node_of(ahead, link.cid)) async for link in ahead.each(links)]})


def _entry(link: Link, node: Node) -> Row:
    kind = DIRECTORY if node.what is What.DIRECTORY else FILE
    return {"Name": link.name, "Type": kind, "Size": node.size, "Hash": str(link.cid)}


async def stat(room: IpfsRoom, call: Call) -> Answer:
    node = await node_of(room.blocks, (await _find(room, call.arguments["path"])).cid)
    if node.what is What.OTHER:
        raise BitDustError("no-file", "not unixfs node (proto or raw)")
    row: Row = {
        "Hash": str(node.cid),
        "Size": node.size,
        "CumulativeSize": node.whole,
        "Blocks": node.blocks,
        "Type": "directory" if node.what is What.DIRECTORY else "file",
    }
    if call.options["with-local"]:
        is_whole, size = await _local(room, node)
        row |= {"WithLocality": True, "Local": is_whole, "SizeLocal": size}
    return Json(row)


async def _local(room: IpfsRoom, node: Node) -> tuple[bool, int]:
    """Whether everything below is here, and how many bytes of it are before the first block that is not."""
    size = len(await get(room.blocks, node.cid))
    try:
        async for one in below(room.blocks, [node.cid], unique=True):
            size += len(await get(room.blocks, one.cid))
    except BitDustError as error:
        if error.code != "not-found":
            raise
        return False, size
    return True, size


async def read_file(room: IpfsRoom, call: Call) -> Answer:
    path, offset, count = parse_mfs(call.arguments["path"]), call.options["offset"], call.options["count"]
    if offset < 0:
        raise BadCall("cannot specify negative offset")
    if count is not None and count < 0:
        raise BadCall("cannot specify negative 'count'")
    found = await room.mfs.find(path)
    if (await node_of(room.blocks, found.cid)).what is not What.FILE:
        raise BitDustError("is-directory", f"{path} was not a file")
    size, pieces = await read(room.blocks, found.cid, offset, count)
    return await bytes_of(size, pieces)


async def write(room: IpfsRoom, call: Call) -> None:
    options = call.options
    if options["offset"] < 0:
        raise BadCall("cannot have negative write offset")
    if options["count"] is not None and options["count"] < 0:
        raise BadCall("cannot have negative byte count")
    how = Writing(
        options["offset"],
        options["count"],
        bool(options["create"]),
        bool(options["parents"]),
        bool(options["truncate"]),
        options["raw-leaves"],
        _naming(options),
    )
    path = parse_mfs(call.arguments["path"])
    await room.write(path, how, await need_file(call))


_PATH, _ANY = Argument("path"), Argument("path", required=False)
_FLUSH = Option(("flush", "f"), BOOL, default=True)
_NAMING = (Option(("cid-version", "cid-ver"), UINT), Option(("hash",)))
_TO = (Argument("source"), Argument("dest"))
ROWS = (
    Command("files/mkdir", make, (_PATH,), (Option(("parents", "p"), BOOL, default=False), _FLUSH, *_NAMING)),
    Command("files/cp", copy, _TO, (_FLUSH, Option(("parents", "p"), BOOL, default=False))),
    Command("files/mv", move, _TO, (_FLUSH,)),
    Command(
        "files/rm",
        remove,
        (Argument("path", variadic=True),),
        (Option(("recursive", "r"), BOOL, default=False), Option(("force",), BOOL, default=False), _FLUSH),
    ),
    Command("files/flush", flush, (_ANY,)),
    Command("files/chcid", rename_blocks, (_ANY,), (_FLUSH, *_NAMING)),
    Command("files/ls", ls, (_ANY,), (Option(("long", "l"), BOOL, default=False), Option(("U",), BOOL, default=False))),
    Command(
        "files/stat",
        stat,
        (_PATH,),
        (
            Option(("with-local",), BOOL, default=False),
            Option(("format",)),
            *(Option((name,), BOOL, default=False) for name in ("hash", "size")),
        ),
    ),
    Command("files/read", read_file, (_PATH,), (Option(("offset", "o"), INT, default=0), Option(("count", "n"), INT))),
    Command(
        "files/write",
        write,
        (_PATH,),
        (
            Option(("offset", "o"), INT, default=0),
            Option(("create", "e"), BOOL, default=False),
            Option(("parents", "p"), BOOL, default=False),
            Option(("truncate", "t"), BOOL, default=False),
            Option(("count", "n"), INT),
            Option(("raw-leaves",), BOOL),
            _FLUSH,
            *_NAMING,
        ),
        file="data",
    ),
)
