"""Uploads that wait and run, downloads, and giving them up, as of 2016."""

import os
from typing import Any

from bitdust.api import files, paths
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed
from bitdust.api.people import settled
from bitdust.api.table import Param
from bitdust.api.year2016.backups import BACKUP_ID
from bitdust.api.year2016.naming import LOCAL, by_id_or_local_path, item_of
from bitdust.api.year2016.shapes import as_folder, method_2016, moment, said
from bitdust.storage.catalog.paths import parse_id
from bitdust.storage.restore.restore import IN_PLACE
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import shown

UPLOAD = (
    "aborting, backup_id, block_number, block_size, bytes_processed, closed, eccmap, eof_state, pipe, progress,"
    " reading, source_path, terminating, total_size, work_blocks"
)
_UPLOAD = frozenset(UPLOAD.split(", ")) - {"source_path", "progress", "pipe"}
RESTORE = "aborted, backup_id, block_number, bytes_processed, created, creator_id, done, eccmap, path_id, version"
_RESTORE = frozenset(RESTORE.split(", ")) - {"created", "creator_id"}


def _backup_id(example: str) -> Param:
    return Param("backup_id", help="path id, or with a version", example=example)


@method_2016(service="backups", returns="[{id, path_id, local_path, created}]")
async def backups_queue(context: Context) -> Envelope:
    """Uploads that wait until others have ended."""
    found = await settled(context.storage.uploads())
    return listed([_waiting(context, row) for row in found["pending"]])


def _waiting(context: Context, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "created": moment(row["created"]),
        "id": row["task_id"],
        "local_path": _source(context, row),
        "path_id": row["path_id"],
    }


def _source(context: Context, row: dict[str, Any]) -> str:
    item = context.storage.find_id(row["path_id"]).item
    return as_folder(row["source_path"], item.kind if item is not None else "file")


@method_2016(service="backups", returns=f"[{{{UPLOAD}}}]")
async def backups_running(context: Context) -> Envelope:
    """Uploads that run. ``progress`` is the share of the bytes that were read, in percent; ``work_blocks`` are the
    packs that are not with all their suppliers yet; ``pipe`` is 0, because nothing but the node itself reads."""
    found = await settled(context.storage.uploads())
    return listed([_running(context, row) for row in found["running"]])


def _running(context: Context, row: dict[str, Any]) -> dict[str, Any]:
    total = row["total_size"]
    return {name: row[name] for name in sorted(_UPLOAD - {"backup_id"})} | {
        "backup_id": f"{row['path_id']}/{row['version']}",
        "pipe": 0,
        "progress": 100.0 * row["bytes_processed"] / total if total else 0.0,
        "source_path": _source(context, row),
    }


@method_2016(
    params=(Param("path_id", aliases=("pathID",), help="path id", example="0/0/1"),),
    service="backups",
    returns="'item 0/0/1 cancelled'",
    errors=("bad-name", "not-found"),
)
async def backup_cancel_pending(context: Context, path_id: str) -> Envelope:
    """Take back an upload that waits. One that runs is given up with backup_abort_running."""
    path, _ = parse_id(path_id)
    if not await settled(context.storage.cancel_upload(path)):
        raise BitDustError("not-found", f"no upload of {path} waits; backups_queue shows all")
    return said(f"item {path} cancelled")


@method_2016(
    params=(_backup_id(f"0/0/1/{BACKUP_ID}"),),
    service="backups",
    returns="'backup 0/0/1/F20261121034159123-0 aborted'",
    errors=("bad-name", "not-found"),
)
async def backup_abort_running(context: Context, backup_id: str) -> Envelope:
    """Give up an upload that runs."""
    stopped = await settled(context.storage.abort_upload(*parse_id(backup_id)))
    if not stopped:
        raise BitDustError("not-found", f"no upload of {backup_id!r} runs; backups_running shows all")
    return said(f"backup {stopped[0]['path_id']}/{stopped[0]['version']} aborted")


@method_2016(
    params=(
        Param(
            "pathID_or_backupID_or_localPath",
            aliases=("path_id", "backup_id", "local_path"),
            help=f"path id, the same with a version, or {LOCAL}",
            example="0/0/1",
        ),
        Param(
            "destinationPath",
            default=None,
            aliases=("destination_path",),
            help="absolute folder; the one that holds the item, or paths/restore where that is not known",
        ),
    ),
    service="restores",
    returns="'downloading of version 0/0/1/F20261121034159123-0 has been started to /home/alice/'",
    errors=("bad-path", "bad-name", "not-found", "already-scheduled"),
    local_files=True,
)
async def restore_single(
    context: Context,
    pathID_or_backupID_or_localPath: str,
    destinationPath: str | None,
) -> Envelope:
    """Bring an item or one version of it back to where it is, or into a folder under its name in the catalog. Files
    that exist there are replaced, each when the new one is whole."""
    text = pathID_or_backupID_or_localPath
    target = by_id_or_local_path(context, text, "pathID_or_backupID_or_localPath")
    item = item_of(target, text)
    known = context.storage.versions(target)
    version = target.version or (known[-1] if known else "")
    folder, policy = _destination(context, item.path, destinationPath)
    await settled(context.storage.begin_download(target, folder, policy))
    what = f"version {item.path}/{version}" if version else f"item {item.path}"
    return said(f"downloading of {what} has been started to {as_folder(shown(folder), 'folder')}")


def _destination(context: Context, path_id: str, given: str | None) -> tuple[bytes, str]:
    """The folder, and the policy of the download."""
    if given:
        return bytes(paths.local_path(given, "destinationPath")), "replace"
    source = context.storage.mirror.local_path(path_id)
    if source is None:
        return bytes(files.default_folder(context)), "replace"
    return os.path.dirname(source), IN_PLACE


@method_2016(service="restores", returns=f"[{{{RESTORE}}}]")
async def restores_running(context: Context) -> Envelope:
    """Downloads that run."""
    return listed([_restore(context, row) for row in await settled(context.storage.downloads())])


def _restore(context: Context, row: dict[str, Any]) -> dict[str, Any]:
    creator = str(context.me.document.idurl)
    return {name: row[name] for name in sorted(_RESTORE)} | {"created": moment(row["created"]), "creator_id": creator}


@method_2016(
    params=(_backup_id("0/0/1"),),
    service="restores",
    returns="'restoring of item 0/0/1 aborted'",
    errors=("bad-name", "not-found"),
)
async def restore_abort(context: Context, backup_id: str) -> Envelope:
    """Give up a download that runs."""
    if not await settled(context.storage.abort_download(context.storage.find_id(backup_id))):
        raise BitDustError("not-found", f"no download of {backup_id!r} runs; restores_running shows all")
    return said(f"restoring of item {backup_id} aborted")
