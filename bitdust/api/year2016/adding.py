"""Adding local files and folders to the catalog and uploading them, as of 2016: the catalog mirrors local paths."""

import os
from pathlib import Path

from bitdust.api import paths
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope
from bitdust.api.people import settled
from bitdust.api.table import Param
from bitdust.api.year2016.naming import KEY_ID, LOCAL, item_of
from bitdust.api.year2016.shapes import as_folder, method_2016, said
from bitdust.storage.upload.mirror import Mirrored
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import KeyId, RemotePath, shown

ADDED = "'new {0} was added: 0/0/2, local path is /home/alice/{1}'; key_id beside it"
WRONG_PATH = ("bad-path", "no-such-file", "unreadable", "wrong-type", "exists")
WRONG_KEY = ("key-not-found", "not-found", "bad-name")
CANNOT_START = ("too-few-suppliers", "already-scheduled")


def _local(name: str, example: str) -> Param:
    return Param(name, help=LOCAL, example=example)


def _mount(default: object = ...) -> Param:
    text = "place in the catalog, which must not exist yet"
    if default is ...:
        return Param("mount_path", help=text, example="Documents 2016")
    return Param("mount_path", default=None, help=f"{text}; the same as the local path if left out")


def _key_id(context: Context, alias: str) -> str:
    return str(KeyId.parse(f"{alias}${context.me.global_id}"))


def _words(kind: str) -> str:
    return "dir" if kind == "folder" else "file"


@method_2016(
    params=(Param("pathID", aliases=("path_id",), help="path id", example="0/0/1"),),
    service="backups",
    returns="'uploading 0/0/1 started, local path is: /home/alice/Documents/'",
    errors=("bad-name", "not-found", "no-local-path", "no-such-file", *CANNOT_START),
    local_files=True,
)
async def backup_start_id(context: Context, pathID: str) -> Envelope:
    """Upload an item of the catalog again, or for the first time, from where it is on this machine."""
    target = context.storage.find_id(pathID)
    if target.version is not None:
        raise BitDustError("bad-name", "a version cannot be uploaded to; name the file or folder alone")
    item = item_of(target, pathID)
    source = context.storage.mirror.local_path(item.path)
    if source is None:
        text = f"where {item.path} is on this machine is not known; upload it with backup_start_path"
        raise BitDustError("no-local-path", text)
    await settled(context.storage.begin_upload(item, source))
    return said(f"uploading {item.path} started, local path is: {as_folder(shown(source), item.kind)}")


@method_2016(
    params=(_local("path", "/home/alice/Documents"), _mount(None), KEY_ID),
    service="backups",
    returns="'uploading of item 0/0/1 started, local path is: /home/alice/Documents/'; id, type, key_id beside it",
    errors=(*WRONG_PATH, *WRONG_KEY, *CANNOT_START),
    local_files=True,
)
async def backup_start_path(context: Context, path: str, mount_path: str | None, key_id: str | None) -> Envelope:
    """Upload a local file or folder. It gets a place in the catalog first, with all folders above it, unless it has
    one; with ``mount_path`` it is mapped there."""
    local = paths.local_path(path, "path")
    context.storage.need_suppliers()
    alias = context.storage.use_key(key_id)
    kind, mount = await _kind(context, local), _place(mount_path) if mount_path is not None else None
    added: Mirrored = await context.storage.mirror.add(local, kind, alias, mount, exist_ok=mount is None)
    item = item_of(context.storage.find_id(added.path_id), path)
    await settled(context.storage.begin_upload(item, os.fsencode(local)))
    return said(
        f"uploading of item {item.path} started, local path is: {as_folder(str(local), kind)}",
        id=item.path,
        type=_words(kind),
        key_id=_key_id(context, alias),
    )


@method_2016(
    params=(_local("path", "/home/alice/Documents"), _mount(), KEY_ID),
    service="backup_db",
    returns="['new folder was added: 1, local path is /home/alice/Documents/']; id, type, key_id beside it",
    errors=(*WRONG_PATH, *WRONG_KEY),
    local_files=True,
)
async def backup_map_path(context: Context, path: str, mount_path: str, key_id: str | None) -> Envelope:
    """Make a place in the catalog for a local file or folder, under another name; nothing is uploaded yet."""
    local = paths.local_path(path, "path")
    alias = context.storage.use_key(key_id)
    kind = await _kind(context, local)
    added: Mirrored = await context.storage.mirror.add(local, kind, alias, _place(mount_path))
    envelope = said("", id=added.path_id, type=_words(kind), key_id=_key_id(context, alias))
    return envelope | {"result": [_added(added.path_id, local, kind)]}


@method_2016(
    params=(_local("dirpath", "/home/alice/Desktop"), KEY_ID),
    service="backup_db",
    returns=ADDED.format("folder", "Desktop/"),
    errors=("bad-path", "exists", *WRONG_KEY),
    local_files=True,
)
async def backup_dir_make(context: Context, dirpath: str, key_id: str | None) -> Envelope:
    """Make an empty folder in the catalog that stands for a local path, which need not be there."""
    return await _add(context, paths.local_path(dirpath, "dirpath"), "folder", key_id)


@method_2016(
    params=(_local("dirpath", "/home/alice/Movies"), KEY_ID),
    service="backup_db",
    returns=ADDED.format("folder", "Movies/"),
    errors=(*WRONG_PATH, *WRONG_KEY),
    local_files=True,
)
async def backup_dir_add(context: Context, dirpath: str, key_id: str | None) -> Envelope:
    """Make a place in the catalog for a local folder, with all folders above it; nothing is uploaded yet."""
    local = paths.local_path(dirpath, "dirpath")
    await _expect(context, local, "folder")
    return await _add(context, local, "folder", key_id)


@method_2016(
    params=(_local("filepath", "/home/alice/Documents/letter.txt"), KEY_ID),
    service="backup_db",
    returns=ADDED.format("file", "Documents/letter.txt"),
    errors=(*WRONG_PATH, *WRONG_KEY),
    local_files=True,
)
async def backup_file_add(context: Context, filepath: str, key_id: str | None) -> Envelope:
    """Make a place in the catalog for a local file, with all folders above it; nothing is uploaded yet."""
    local = paths.local_path(filepath, "filepath")
    await _expect(context, local, "file")
    return await _add(context, local, "file", key_id)


@method_2016(
    params=(_local("dirpath", "/home/alice/Documents"), KEY_ID),
    service="backup_db",
    returns="'21 items were added to catalog, parent path ID is 0/0/1, root folder is …'; key_id beside it",
    errors=(*WRONG_PATH[:-1], *WRONG_KEY),
    local_files=True,
)
async def backup_tree_add(context: Context, dirpath: str, key_id: str | None) -> Envelope:
    """Make places in the catalog for a local folder and everything in it; nothing is uploaded yet. What has a place
    already keeps it."""
    local = paths.local_path(dirpath, "dirpath")
    alias = context.storage.use_key(key_id)
    added: Mirrored = await context.storage.mirror.add_tree(local, alias)
    told = f"parent path ID is {added.path_id}, root folder is {local}"
    return said(f"{added.made} items were added to catalog, {told}", key_id=_key_id(context, alias))


async def _add(context: Context, local: Path, kind: str, key_id: str | None) -> Envelope:
    alias = context.storage.use_key(key_id)
    added = await context.storage.mirror.add(local, kind, alias)
    return said(_added(added.path_id, local, kind), key_id=_key_id(context, alias))


def _added(path_id: str, local: Path, kind: str) -> str:
    return f"new {kind} was added: {path_id}, local path is {as_folder(str(local), kind)}"


async def _kind(context: Context, local: Path) -> str:
    kind: str = await context.world.run_in_thread(context.storage.mirror.kind, os.fsencode(local))
    return kind


async def _expect(context: Context, local: Path, wanted: str) -> None:
    found = await _kind(context, local)
    if found != wanted:
        raise BitDustError("wrong-type", f"{str(local)!r} is a {found}, not a {wanted}")


def _place(mount_path: str) -> str:
    place = RemotePath.parse(mount_path).path
    if not place:
        raise BitDustError("bad-name", "argument 'mount_path' is empty; name a place in the catalog")
    return place
