"""Files: a catalog of mine, whose contents are stored with my suppliers, encrypted and in pieces."""

from pathlib import Path

from bitdust.api import paths
from bitdust.api.arguments import BadArgument, Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed, ok
from bitdust.api.following import PUBLISH
from bitdust.api.jobs import addressed
from bitdust.api.people import settled
from bitdust.api.shares import open_share_of
from bitdust.api.table import Param, Route, method
from bitdust.desktop import NoDesktop
from bitdust.storage.restore.options import RestoreOptions
from bitdust.storage.upload.options import UploadOptions
from bitdust.wire.errors import BitDustError

REMOTE = Param("remote_path", help="key id:path, path, path id, or either with /version", example="documents")
WAIT = Param(
    "wait_result", Kind.FLAG, False, ("wait_finish",), "answer when the work is done or has failed", example=True
)
WAIT_UPLOAD = Param("wait_result", Kind.FLAG, False, help=WAIT.help, example=True)
WAIT_DELETE = Param("wait_result", Kind.FLAG, False, help="answer when enough suppliers know of it", example=True)
WAIT_FINISH = Param("wait_finish", Kind.FLAG, False, help="the same as wait_result; either of them counts")
ALLOW_EMPTY = Param("allow_empty", Kind.FLAG, False, help="an empty source is meant to be empty")
ALLOW_DROP = Param("allow_drop", Kind.FLAG, False, help="most of the folder is meant to be gone")
KEEP = "extended attributes and access control lists; the setting services/{0}/attributes-enabled if left out"
OWN = "owners and groups where they are not this user; the setting services/{0}/owners-enabled if left out"
SPECIAL = (
    "set-user-id, set-group-id and sticky bits of modes; the setting services/restores/special-bits-enabled if left out"
)
UPLOADS = Param("include_uploads", Kind.FLAG, True)
DOWNLOADS = Param("include_downloads", Kind.FLAG, True)
OPEN_SHARE = Param("open_share", Kind.FLAG, False, help="open the share that the path leads into, if it is closed")
SHARED = ("not-allowed", "not-connected", "key-not-found")
OPEN_SHARE_TO_READ = Param("open_share", Kind.FLAG, True, help=OPEN_SHARE.help)
POLICIES = ("replace", "keep")
ITEM = "{remote_path, global_id, idurl, path_id, name, path, type, size, key_id, childs, versions: […], …}"


@method(
    Route("GET", "/file/sync/v1", ("/f/s",)),
    params=(Param("force", Kind.FLAG, False, obsolete=True),),
    service="backups",
    becomes=[("index_synchronizer", "pull"), ("backup_monitor", "sync")],
)
async def files_sync(context: Context) -> Envelope:
    """Compare the catalog with what the suppliers have, now, and mend what is missing."""
    await settled(context.storage.sync())
    return ok(message="synchronisation began", automat=addressed(context, "backup_monitor"))


def _list_params(all_customers: bool) -> tuple[Param, ...]:
    return (
        Param("remote_path", default=None, help="a folder; the whole catalog if left out"),
        Param("key_id", default=None, help="only what is under this key"),
        Param("recursive", Kind.FLAG, True),
        Param("all_customers", Kind.FLAG, all_customers, obsolete=True),
        Param("include_uploads", Kind.FLAG, False),
        Param("include_downloads", Kind.FLAG, False),
        Param("offset", Kind.INTEGER, 0, low=0, help="how many rows to leave out at the beginning"),
        Param("limit", Kind.INTEGER, None, low=1, help="at most so many rows; all if left out"),
    )


@method(
    Route("GET", "/file/list/v1", ("/f/l",)),
    Route("GET", "/file/list/all/v1", ("/f/l/a",)),
    params=_list_params(False),
    service="backup_db",
    in_shares=True,
    returns=f"[{ITEM}], and ``revision`` beside it",
    errors=("bad-name", "not-found"),
)
async def files_list(
    context: Context,
    remote_path: str | None,
    key_id: str | None,
    recursive: bool,
    include_uploads: bool,
    include_downloads: bool,
    offset: int,
    limit: int | None,
) -> Envelope:
    """What is in the catalog: folders before what is in them, by name. For a long list in parts, ask with ``limit``,
    then again with ``offset``, as long as ``revision`` stays the same. ``moving`` of a version is null, or says how far
    it has come to other suppliers: ``packs`` that have still to be coded for another number of them, ``nowhere`` how
    many of these cannot be had from anybody, ``pieces`` at suppliers that leave, and ``progress``."""
    where = paths.remote_path(remote_path) if remote_path is not None else None
    listing = context.storage.list(where, key_id, recursive, include_uploads, include_downloads, offset, limit)
    rows = await settled(listing)
    return listed(rows, revision=context.storage.revision)


@method(
    Route("GET", "/file/exists/v1", ("/f/e",)),
    params=(REMOTE,),
    service="backup_db",
    in_shares=True,
    returns="{exist, path_id}",
    errors=("bad-name",),
)
async def file_exists(context: Context, remote_path: str) -> Envelope:
    """Whether something with this path is in the catalog."""
    path_id = await settled(context.storage.exists(paths.remote_path(remote_path)))
    return ok({"exist": path_id is not None, "path_id": path_id})


@method(
    Route("GET", "/file/info/v1", ("/f/i",)),
    params=(REMOTE, UPLOADS, DOWNLOADS),
    service="backup_db",
    in_shares=True,
    returns=ITEM,
    errors=("bad-name", "not-found"),
)
async def file_info(context: Context, remote_path: str, include_uploads: bool, include_downloads: bool) -> Envelope:
    """One file or folder, with its versions. ``kept`` of a version says why it stays: ``current``; ``undo``, it was
    current within the days that can be undone; ``last``, ``daily``, ``weekly``, ``monthly``, it is the newest of one of
    those; ``all``. ``kept_until`` is when it may go where only time decides. ``moving`` is as in files_list."""
    row = await settled(context.storage.info(paths.remote_path(remote_path), include_uploads, include_downloads))
    return ok(row, revision=context.storage.revision)


@method(
    Route("POST", "/file/create/v1", ("/f/c",)),
    params=(
        REMOTE,
        Param("as_folder", Kind.FLAG, False, example=True),
        Param("exist_ok", Kind.FLAG, False, help="no error when it is there already"),
        Param("force_path_id", default=None),
    ),
    service="backup_db",
    in_shares=True,
    returns="{path_id, key_id, path, remote_path, global_id, customer, created, type}",
    errors=("bad-name", "exists", "not-found", "not-allowed"),
)
async def file_create(
    context: Context, remote_path: str, as_folder: bool, exist_ok: bool, force_path_id: str | None
) -> Envelope:
    """Make a place in the catalog; nothing is uploaded yet."""
    return ok(await settled(context.storage.create(paths.remote_path(remote_path), as_folder, exist_ok, force_path_id)))


@method(
    Route("DELETE", "/file/delete/v1", ("/f/d",)),
    params=(REMOTE, WAIT_DELETE),
    service="backups",
    in_shares=True,
    returns="{path_id, path, remote_path, global_id, customer, pending}",
    errors=("bad-name", "not-found", "not-allowed", "stopping"),
    becomes=[("file_deletion", "start")],
)
async def file_delete(context: Context, remote_path: str, wait_result: bool) -> Envelope:
    """Take a file or folder out of the catalog, and its pieces off the suppliers; in a share of somebody else what you
    brought there, and nothing of others. ``pending`` says that too few
    suppliers know of it yet, so that a recovery now could bring it back; it goes on by itself."""
    deleted = await settled(context.storage.delete(paths.remote_path(remote_path), wait_result))
    return ok(deleted, automat=deleted.pop("automat", None))


@method(
    Route("GET", "/file/upload/v1", ("/f/u/l",)),
    Route("GET", "/file/upload/list/v1"),
    params=(Param("include_running", Kind.FLAG, True), Param("include_pending", Kind.FLAG, True)),
    service="backups",
    in_shares=True,
    returns="{running: [{version, path_id, remote_path, bytes_processed, total_size, progress, waits_for, waits_since,"
    " …}], pending: […], failed: [{version, path_id, remote_path, source_path, code, reason, time}]}",
)
async def files_uploads(context: Context, include_running: bool, include_pending: bool) -> Envelope:
    """Uploads that run or wait for their turn, and those that failed with nothing uploaded to the same place since.
    ``waits_for`` names suppliers, with the reason where one is known, while only they keep an upload from its end;
    ``waits_since`` is when one of them has taken something last."""
    found = await settled(context.storage.uploads())
    return ok(
        {
            "running": found["running"] if include_running else [],
            "pending": found["pending"] if include_pending else [],
            "failed": context.storage.failed_uploads(),
        }
    )


@method(
    Route("POST", "/file/upload/start/v1", ("/f/u/o",)),
    params=(
        Param("local_path", help="absolute, on the node's machine", example="/home/alice/Documents"),
        REMOTE,
        WAIT_UPLOAD,
        WAIT_FINISH,
        ALLOW_EMPTY,
        ALLOW_DROP,
        Param("attributes", Kind.FLAG, None, help=KEEP.format("backups")),
        Param("owners", Kind.FLAG, None, help=OWN.format("backups")),
        PUBLISH,
        OPEN_SHARE,
    ),
    service="backups",
    in_shares=True,
    returns="{remote_path, key_id, source_path, path_id, version?, problems?}",
    errors=(
        "bad-path",
        "bad-name",
        "not-found",
        "no-space",
        "disk-full",
        "too-few-suppliers",
        "empty-source",
        "would-drop",
        "waits-for-suppliers",
        "too-many-followed",
        *SHARED,
    ),  # fmt: skip
    becomes=[("backup", "start")],
    local_files=True,
)
async def file_upload_start(
    context: Context,
    local_path: str,
    remote_path: str,
    wait_result: bool,
    wait_finish: bool,
    allow_empty: bool,
    allow_drop: bool,
    attributes: bool | None,
    owners: bool | None,
    publish_events: bool,
    open_share: bool,
) -> Envelope:
    """Upload a file or a whole folder as a new version of a place in the catalog.

    A source that is empty although something was stored from it, and a folder of which more than half (files or bytes)
    is gone, are refused with the figures ``dropped``, ``dropped_bytes``, ``known`` and ``known_bytes``: the disk may
    not be mounted. What is left out or changed is in ``problems``.

    With wait_result the answer comes when the version is safe: 3 of 4 suppliers have all of it, 4 of 5, 6 of 7. When
    nobody has taken anything for as long as services/backups/wait-suppliers-seconds says, it is the error
    ``waits-for-suppliers``, with ``waits_for``: everything is kept on this disk, and the upload goes on by itself and
    ends when they are back, as files_uploads shows."""
    source = paths.local_path(local_path, "local_path")
    context.following.need_room(publish_events)
    if open_share:
        await open_share_of(context, remote_path)
    options = UploadOptions(attributes, owners, allow_empty, allow_drop)
    task = await settled(context.storage.upload(str(source), paths.remote_path(remote_path), options))
    if publish_events:
        context.following.start(task.automat["index"])
    if not (wait_result or wait_finish):
        return ok(task.describe(), message="the upload began", automat=task.automat)
    return ok(await task.answer, message="the upload is done", automat=task.automat)


@method(
    Route("POST", "/file/upload/stop/v1", ("/f/u/c",)),
    params=(REMOTE,),
    service="backups",
    in_shares=True,
    returns="[what was stopped]",
    errors=("not-found",),
    becomes=[("backup", "stop")],
)
async def file_upload_stop(context: Context, remote_path: str) -> Envelope:
    """Give up an upload that runs or waits."""
    stopped = await settled(context.storage.stop_upload(paths.remote_path(remote_path)))
    return listed(stopped, message=f"{len(stopped)} uploads were stopped")


@method(
    Route("GET", "/file/download/v1", ("/f/d/l",)),
    Route("GET", "/file/download/list/v1"),
    service="restores",
    in_shares=True,
    returns="[{backup_id, path_id, version, remote_path, bytes_processed, total_size, created, done, aborted, …}]",
)
async def files_downloads(context: Context) -> Envelope:
    """Downloads that run."""
    return listed(await settled(context.storage.downloads()))


@method(
    Route("POST", "/file/download/start/v1", ("/f/d/o",)),
    params=(
        REMOTE,
        Param(
            "destination_path",
            default=None,
            aliases=("destination_folder", "local_path"),
            help="absolute folder; the setting paths/restore or the home of the user if left out",
            example="/home/alice/restored",
        ),
        WAIT,
        Param("policy", default="replace", help="replace or keep files that exist"),
        Param("attributes", Kind.FLAG, None, help=KEEP.format("restores")),
        Param("owners", Kind.FLAG, None, help=OWN.format("restores")),
        Param("special_bits", Kind.FLAG, None, help=SPECIAL),
        PUBLISH,
        OPEN_SHARE_TO_READ,
    ),
    service="restores",
    in_shares=True,
    returns="{downloaded, key_id, backup_id, local_path, path_id, remote_path, problems?}",
    errors=(
        "bad-path",
        "bad-name",
        "not-found",
        "already-scheduled",
        "disk-full",
        "too-few-suppliers",
        "too-many-followed",
        *SHARED,
    ),  # fmt: skip
    becomes=[("restore_worker", "start")],
    local_files=True,
)
async def file_download_start(
    context: Context,
    remote_path: str,
    destination_path: str | None,
    wait_result: bool,
    policy: str,
    attributes: bool | None,
    owners: bool | None,
    special_bits: bool | None,
    publish_events: bool,
    open_share: bool,
) -> Envelope:
    """Bring a file, a folder or one version of it back. A file that exists is replaced once the new one is whole.

    Each of ``problems`` has ``path``, ``reason`` and ``code``: ``left-out``, ``changed`` for what is there and not
    quite as it was, ``kept`` for a file that was to be kept, ``older-version`` where no version was named, the
    ``newest`` one cannot be had from anybody, and ``version`` was taken."""
    if policy not in POLICIES:
        raise BadArgument(f"argument 'policy' must be one of {', '.join(POLICIES)}")
    folder = paths.local_path(destination_path, "destination_path") if destination_path else default_folder(context)
    context.following.need_room(publish_events)
    if open_share:
        await open_share_of(context, remote_path)
    options = RestoreOptions(attributes, owners, special_bits)
    task = await settled(context.storage.download(paths.remote_path(remote_path), str(folder), policy, options))
    if publish_events:
        context.following.start(task.automat["index"])
    if not wait_result:
        return ok(task.describe(), message="the download began", automat=task.automat)
    return ok(await task.completion, message="the download is done", automat=task.automat)


def default_folder(context: Context) -> Path:
    """Where downloads go that name no folder."""
    configured = context.settings.get("paths/restore")
    return paths.local_path(configured, "paths/restore") if configured else Path.home()


@method(
    Route("POST", "/file/download/stop/v1", ("/f/d/c",)),
    params=(REMOTE,),
    service="restores",
    in_shares=True,
    returns="[{backup_id, aborted}]",
    errors=("not-found",),
    becomes=[("restore_worker", "stop")],
)
async def file_download_stop(context: Context, remote_path: str) -> Envelope:
    """Give up a download."""
    stopped = await settled(context.storage.stop_download(paths.remote_path(remote_path)))
    return listed(stopped, message=f"{len(stopped)} downloads were stopped")


@method(
    Route("GET", "/file/explore/v1", ("/f/x",)),
    params=(Param("local_path", help="absolute, on the node's machine", example="/home/alice/Documents"),),
    returns="{local_path, folder}",
    errors=("bad-path", "not-found", "no-desktop"),
    local_files=True,
)
def file_explore(context: Context, local_path: str) -> Envelope:
    """Show a file or folder in the file manager of the desktop, for example after a download."""
    path = paths.local_path(local_path, "local_path")
    if not path.exists():
        raise BitDustError("not-found", f"there is no {path} on the node's machine")
    try:
        folder = context.world.desktop.show_folder(path)
    except NoDesktop as error:
        raise BitDustError("no-desktop", f"no file manager can be opened: {error}; look at {path} yourself") from error
    return ok({"local_path": str(path), "folder": str(folder)}, message=f"the file manager shows {folder}")
