"""Folders: which there are, adding and removing them, their peers, preferences and hosts."""

import os
from pathlib import Path

from bitdust.folders.port import OVERWRITE, PREFERENCES, FolderRow
from bitdust.folders.secrets import Secret, parse
from bitdust.web.btsync.arguments import FALSE, TRUE, Arguments
from bitdust.web.btsync.table import Answer, ApiError, Method, Node
from bitdust.wire.errors import BitDustError

NO_FOLDER = 1
CLOSED, NOT_WRITABLE, NOT_PERMITTED, KNOWN, BAD_SECRET = 100, 101, 108, 200, 201
REFUSED = {
    "no-folder": (CLOSED, "Can't open the destination folder."),
    "not-writable": (NOT_WRITABLE, "Don't have permissions to write to the selected folder."),
    "already-added": (KNOWN, "Selected folder is already added to BitTorrent Sync."),
    "nested-folder": (NOT_PERMITTED, "Access to destination folder not permitted."),
    "bad-secret": (
        BAD_SECRET,
        "This secret is invalid.\nPlease generate a new secret or enter your shared folder secret.",
    ),
}
"""How `add_folder` tells what the room refuses."""
PROBLEMS = {"": 0, "folder-gone": CLOSED, "not-writable": NOT_WRITABLE}
OTHER_PROBLEM = 1
"""The error of a folder that has a problem which the vendor's daemon does not know."""
WIRE_EXACT = "wire"
REPLY = "services/btsync/add-folder-reply"
WRITERS = frozenset("AD")


async def get_folders(node: Node, given: Arguments) -> Answer:
    """All folders, or the one of a secret; an empty list for a secret that no folder has."""
    if "secret" not in given:
        return [_shown(row) for row in node.folders.folders()]
    found = node.folders.find(given.text("secret"))
    return [_shown(found)] if found is not None else []


def _shown(row: FolderRow) -> Answer:
    return {
        "dir": str(row.directory),
        "error": PROBLEMS.get(row.problem, OTHER_PROBLEM),
        "files": row.files,
        "indexing": int(row.indexing),
        "secret": row.secret,
        "size": row.size,
        "type": "read_write" if row.secret[:1] in WRITERS else "read_only",
    }


async def add_folder(node: Node, given: Arguments) -> Answer:
    """Keep a directory of this machine the same as its peers'; a new secret is made where none is given."""
    secret = _secret(given)
    directory = given.text("dir")
    if not os.path.isabs(directory) or "\0" in directory:
        raise _refused("no-folder")
    if not node.permits(directory):
        raise _refused("nested-folder")
    try:
        await node.folders.add(Path(directory), secret, given.flag("selective_sync"))
    except BitDustError as error:
        if error.code not in REFUSED:
            raise
        raise _refused(error.code) from error
    return {"result": 0} if node.settings.get(REPLY) == WIRE_EXACT else {"error": 0, "result": 0}


def _secret(given: Arguments) -> Secret | None:
    if "secret" not in given:
        return None
    try:
        return parse(given.text("secret"))
    except BitDustError as error:
        raise _refused(error.code) from error


def _refused(code: str) -> ApiError:
    return ApiError(*REFUSED[code], "result")


async def remove_folder(node: Node, given: Arguments) -> Answer:
    """Forget a folder; its files stay."""
    if node.folders.find(given.text("secret")) is None:
        raise ApiError(NO_FOLDER, "")
    await node.folders.remove(given.text("secret"))
    return {"error": 0}


async def get_folder_peers(node: Node, given: Arguments) -> Answer:
    """Who has it too."""
    if node.folders.find(given.text("secret")) is None:
        return []
    return [
        {
            "id": row.id,
            "connection": row.connection,
            "name": row.name,
            "synced": row.synced,
            "download": row.download,
            "upload": row.upload,
        }
        for row in node.folders.peers(given.text("secret"))
    ]


async def get_folder_prefs(node: Node, given: Arguments) -> Answer:
    """All preferences of a folder."""
    secret = given.text("secret")
    if node.folders.find(secret) is None:
        return {}
    found = node.folders.preferences(secret)
    return {name: int(found[name]) for name in sorted(PREFERENCES)}


async def set_folder_prefs(node: Node, given: Arguments) -> Answer:
    """Change some of them; what no preference takes is ignored."""
    secret = given.text("secret")
    if node.folders.find(secret) is None:
        return {}
    words = {name: given.text(name).strip().lower() for name in (*PREFERENCES, OVERWRITE) if name in given}
    changes = {name: int(word in TRUE) for name, word in words.items() if word in TRUE | FALSE}
    if secret[:1] in WRITERS:
        changes.pop(OVERWRITE, None)
    if changes:
        await node.folders.set_preferences(secret, changes)
    return await get_folder_prefs(node, given)


async def get_folder_hosts(node: Node, given: Arguments) -> Answer:
    """Where its peers are known to be."""
    if node.folders.find(given.text("secret")) is None:
        return {}
    return {"hosts": list(node.folders.hosts(given.text("secret")))}


async def set_folder_hosts(node: Node, given: Arguments) -> Answer:
    """Replace them; none at all clears the list. Those that are no ``host:port`` are left out."""
    if node.folders.find(given.text("secret")) is None:
        return {}
    hosts = [word for word in given.all_of("hosts", "host") if _is_host(word)]
    await node.folders.set_hosts(given.text("secret"), hosts)
    return await get_folder_hosts(node, given)


def _is_host(word: str) -> bool:
    host, colon, port = word.rpartition(":")
    return bool(
        colon and host and len(word) <= 300 and word.isprintable() and " " not in word
        and port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536
    )  # fmt: skip


ROWS = (
    Method("get_folders", get_folders),
    Method("add_folder", add_folder, ("dir",), changes=True),
    Method("remove_folder", remove_folder, ("secret",), changes=True),
    Method("get_folder_peers", get_folder_peers, ("secret",)),
    Method("get_folder_prefs", get_folder_prefs, ("secret",)),
    Method("set_folder_prefs", set_folder_prefs, ("secret",), changes=True),
    Method("get_folder_hosts", get_folder_hosts, ("secret",)),
    Method("set_folder_hosts", set_folder_hosts, ("secret",), changes=True),
)
