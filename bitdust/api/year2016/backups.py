"""The catalog of backups, as of 2016."""

from collections.abc import Iterator
from typing import Any

from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed
from bitdust.api.people import settled
from bitdust.api.table import Param
from bitdust.api.year2016.naming import LOCAL, at_local_path, item_of
from bitdust.api.year2016.shapes import method_2016, said
from bitdust.storage.catalog.paths import Target
from bitdust.wire.errors import BitDustError
from bitdust.wire.sizes import in_words

BACKUP_ID = "F20261121034159123-0"


@method_2016(service="backups", returns="'the main loop has been restarted'")
async def backups_update(context: Context) -> Envelope:
    """Compare the catalog with what the suppliers have, now, and mend what is missing."""
    await settled(context.storage.sync())
    return said("the main loop has been restarted")


@method_2016(
    service="backup_db", returns="[{id, path, type: file, dir or parent, size, versions: [{version, blocks, size}]}]"
)
async def backups_list(context: Context) -> Envelope:
    """The whole catalog. A ``parent`` is a folder that was never uploaded itself; ``size`` counts what is stored, in
    bytes, and ``blocks`` the packs that hold a version; ``path`` is the local path where it is known here."""
    return listed(await settled(context.storage.gather(lambda row: [_item(row)])))


@method_2016(service="backup_db", returns="[{backupid, path, size}]")
async def backups_id_list(context: Context) -> Envelope:
    """Versions that suppliers hold: enough pieces of each were acknowledged to give it back."""
    return listed(await settled(context.storage.gather(_uploaded)))


def _item(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["path_id"],
        "path": place_of(row),
        "type": kind_of(row),
        "size": row["size"],
        "versions": [
            {"version": one["version"], "blocks": one["blocks"], "size": in_words(one["size"])}
            for one in row["versions"]
        ],
    }


def place_of(row: dict[str, Any]) -> str:
    """The local path of an item; where none is known, its place in the catalog, which may mirror one."""
    return str(row["local_path"] or f"/{row['path']}")


def kind_of(row: dict[str, Any]) -> str:
    """``file``, ``dir`` for a folder that was uploaded, ``parent`` for one that only holds others."""
    if row["type"] != "dir":
        return "file"
    return "dir" if row["versions"] else "parent"


def _uploaded(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in row["versions"]:
        if one["uploaded"]:
            yield {"backupid": one["backup_id"], "path": place_of(row), "size": in_words(one["size"])}


@method_2016(
    params=(Param("backupID", aliases=("backup_id",), help="path id and version", example=f"0/0/1/{BACKUP_ID}"),),
    service="backups",
    returns="'8 files were removed with total size of 16 MB'",
    errors=("bad-name", "not-found"),
)
async def backup_delete_local(context: Context, backupID: str) -> Envelope:
    """Remove pieces of a version that are on this machine although suppliers have them. What suppliers hold stays, and
    so does a piece that is still to be sent."""
    target = context.storage.find_id(backupID)
    if target.version is None:
        raise BitDustError("bad-name", f"{backupID!r} names no version; backups_id_list shows all")
    removed = await context.storage.copies.remove(item_of(target, backupID), target.version)
    text = f"{removed.files} files were removed with total size of {in_words(removed.bytes)}"
    stay = []
    if removed.waiting:
        stay.append(f"{removed.waiting} pieces stay here until their suppliers have taken them")
    if removed.stuck:
        stay.append(f"{removed.stuck} files cannot be removed now, and it is tried again")
    return said(text, message="; ".join(stay)) if stay else said(text)


@method_2016(
    params=(
        Param(
            "pathID_or_backupID", aliases=("path_id", "backup_id"), help="path id, or with a version", example="0/0/1"
        ),
    ),
    service="backups",
    returns="'version 0/0/1/F20261121034159123-0 was deleted from remote peers', or 'item 0/0/1 was …'",
    errors=("bad-name", "not-found"),
)
async def backup_delete_id(context: Context, pathID_or_backupID: str) -> Envelope:
    """Take an item or one version out of the catalog, and its pieces off the suppliers and this machine."""
    return await delete(context, context.storage.find_id(pathID_or_backupID), pathID_or_backupID)


@method_2016(
    params=(Param("localPath", aliases=("local_path",), help=LOCAL, example="/home/alice/Documents"),),
    service="backups",
    returns="'item 0/1/2 was deleted from remote peers'",
    errors=("bad-path", "not-found"),
)
async def backup_delete_path(context: Context, localPath: str) -> Envelope:
    """The same for the item that stands for a local path. The local files themselves stay."""
    item = at_local_path(context, localPath, "localPath")
    return await delete(context, Target(item.key, item), item.path)


async def delete(context: Context, target: Target, text: str) -> Envelope:
    """Delete what was found."""
    path_id = item_of(target, text).path
    await settled(context.storage.remove(target))
    if target.version is not None:
        return said(f"version {path_id}/{target.version} was deleted from remote peers")
    return said(f"item {path_id} was deleted from remote peers")
