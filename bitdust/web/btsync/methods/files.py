"""Files of a folder, and which of them are wanted here."""

from bitdust.folders.port import EntryRow
from bitdust.web.btsync.arguments import Arguments, flag_of
from bitdust.web.btsync.table import Answer, Method, Node
from bitdust.wire.errors import BitDustError

NOT_OPEN = frozenset(("service-off", "folder-gone", "busy"))


async def get_files(node: Node, given: Arguments) -> Answer:
    """What is in a folder, at its root or at a path; nothing where there is no such folder or path."""
    if node.folders.find(given.text("secret")) is None:
        return []
    return [shown(row) for row in await _entries(node, given.text("secret"), inside(given.text("path")))]


async def _entries(node: Node, secret: str, path: str) -> list[EntryRow]:
    """Nothing is known of a folder that is not open: what is wrong with it, `get_folders` says."""
    try:
        return await node.folders.files(secret, path)
    except BitDustError as error:
        if error.code not in NOT_OPEN:
            raise
        return []


async def set_file_prefs(node: Node, given: Arguments) -> Answer:
    """Whether a file or folder is wanted here: a list of what it is now, or of nothing."""
    secret, path, download = given.text("secret"), inside(given.text("path")), given.text("download")
    if not path:
        return [{}]
    if node.folders.find(secret) is None:
        return []
    try:
        row = await node.folders.choose(secret, path, flag_of(download, True))
    except BitDustError as error:
        if error.code in NOT_OPEN:
            return []
        if error.code != "not-selective":
            raise
        name = path.rpartition("/")[2]
        around = await _entries(node, secret, path.rpartition("/")[0])
        row = next((one for one in around if one.name == name), None)
    return [shown(row)] if row is not None else []


def inside(path: str) -> str:
    """A path of a client, without the slashes around it."""
    return path.strip("/")


def shown(row: EntryRow) -> Answer:
    """As clients know it: what a folder has not, is not there."""
    entry: dict[str, Answer] = {"name": row.name, "state": row.state, "type": row.kind}
    if row.kind == "file":
        entry |= {"have_pieces": row.have_pieces, "size": row.size, "total_pieces": row.total_pieces}
        if row.download is not None:
            entry["download"] = int(row.download)
    return entry


ROWS = (
    Method("get_files", get_files, ("secret",)),
    Method("set_file_prefs", set_file_prefs, ("secret",), changes=True),
)
