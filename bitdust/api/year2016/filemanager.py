"""The gate of 2016 for a page in a browser: one method with a mode, and an alias for each mode."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from bitdust.api.arguments import BadArgument, Kind
from bitdust.api.call import perform
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed
from bitdust.api.people import settled
from bitdust.api.table import Method, Param
from bitdust.api.year2016 import adding, backups, jobs
from bitdust.api.year2016.naming import KEY_ID, LOCAL, anywhere, item_of
from bitdust.api.year2016.shapes import method_2016, moment
from bitdust.wire.sizes import in_words

PLACE = "path id, backup id, place in the catalog, or local path with a slash before it"
ROW = "{id, name, path, type, size, date, versions}"
STATS = (
    "{bytes_donated, bytes_indexed, bytes_needed, bytes_used_supplier, bytes_used_total, customers, files_count,"
    " folders_count, items_count, max_suppliers, online_suppliers, suppliers, timestamp, value_*}"
)


@method_2016(service="backup_db", returns=STATS)
async def filemanager_stats(context: Context) -> Envelope:
    """Figures of the catalog, of the space at suppliers and of the space that this node gives. ``bytes_indexed`` is
    what the files hold, ``bytes_used_total`` what all suppliers keep for it, ``bytes_used_supplier`` each of them."""
    await context.storage.count()
    stats, space, given = context.storage.stats(), context.space.consumed(), context.space.donated()
    mine = [row for row in context.suppliers.list() if row["fingerprint"]] if context.driver.is_on("customer") else []
    total = space["used_per_supplier"] * space["suppliers_num"]
    return {
        "status": "OK",
        "result": {
            "bytes_donated": given["donated"],
            "bytes_indexed": stats["files_size"],
            "bytes_needed": space["needed"],
            "bytes_used_supplier": space["used_per_supplier"],
            "bytes_used_total": total,
            "customers": given["customers_num"],
            "files_count": stats["files"],
            "folders_count": stats["folders"],
            "items_count": stats["items"],
            "max_suppliers": int(context.settings.get("services/customer/suppliers-number")),
            "online_suppliers": sum(row["contact_state"] == "CONNECTED" for row in mine),
            "suppliers": len(mine),
            "timestamp": context.world.wall(),
            "value_donated": in_words(given["donated"]),
            "value_needed": in_words(space["needed"]),
            "value_used_total": in_words(total),
        },
    }


@method_2016(
    params=(Param("path", default="", help="a folder: path id or place in the catalog; its top if left out"),),
    service="backup_db",
    returns=f"[{ROW}]",
    errors=("bad-name", "not-found"),
)
async def filemanager_list(context: Context, path: str) -> Envelope:
    """What is directly in a folder of the catalog."""
    folder = path.strip("/") or None
    return listed([_row(row) for row in await settled(context.storage.list(folder, None, False, False, False))])


@method_2016(
    params=(Param("query", aliases=("name",), help="a part of the name, in small or large letters", example="letter"),),
    service="backup_db",
    returns=f"[{ROW}]",
)
async def filemanager_search(context: Context, query: str) -> Envelope:
    """Everything in the catalog whose name has a text in it."""
    if not query:
        raise BadArgument("argument 'query' is empty; give a part of a name")
    part = query.casefold()
    found = context.storage.gather(lambda row: [_row(row)] if part in row["name"].casefold() else [])
    return listed(await settled(found))


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["path_id"],
        "name": row["name"],
        "path": f"/{row['path']}",
        "type": row["type"],
        "size": row["size"],
        "date": moment(row["created"]),
        "versions": [one["version"] for one in row["versions"]],
    }


@method_2016(
    params=(
        Param("path", help=LOCAL, example="/home/alice/Documents"),
        Param("mount_path", default=None, help="place in the catalog; the same as the local path if left out"),
        KEY_ID,
    ),
    service="backups",
    returns=adding.backup_start_path.returns,
    errors=adding.backup_start_path.errors,
)
async def filemanager_upload(context: Context, path: str, mount_path: str | None, key_id: str | None) -> Envelope:
    """Upload a local file or folder, as backup_start_path does."""
    envelope: Envelope = await adding.backup_start_path.call(context, path, mount_path, key_id)
    return envelope


@method_2016(
    params=(
        Param("path", help=PLACE, example="0/0/1"),
        Param("destination", default=None, aliases=("destinationPath",), help="absolute folder, as in restore_single"),
    ),
    service="restores",
    returns=jobs.restore_single.returns,
    errors=jobs.restore_single.errors,
)
async def filemanager_download(context: Context, path: str, destination: str | None) -> Envelope:
    """Bring an item or one version of it back, as restore_single does."""
    target = anywhere(context, path, "path")
    version = f"/{target.version}" if target.version else ""
    ident = f"{item_of(target, path).path}{version}"
    envelope: Envelope = await jobs.restore_single.call(context, ident, destination)
    return envelope


@method_2016(
    params=(Param("path", help=PLACE, example="0/0/1"),),
    service="backups",
    returns=backups.backup_delete_id.returns,
    errors=("bad-name", "bad-path", "not-found"),
)
async def filemanager_delete(context: Context, path: str) -> Envelope:
    """Take an item or one version out of the catalog, and its pieces off the suppliers."""
    return await backups.delete(context, anywhere(context, path, "path"), path)


MODES: Mapping[str, Method] = MappingProxyType(
    {
        "stats": filemanager_stats,
        "list": filemanager_list,
        "search": filemanager_search,
        "upload": filemanager_upload,
        "download": filemanager_download,
        "delete": filemanager_delete,
    }
)


@method_2016(
    params=(
        Param(
            "json_request",
            Kind.JSON,
            aliases=("params",),
            help='{"params": {"mode": …, and the parameters of that mode}}',
            example={"params": {"mode": "stats"}},
        ),
    ),
    returns="what filemanager_<mode> returns",
    errors=("bad-argument",),
    body="json_request",
)
async def filemanager(context: Context, json_request: Any) -> Envelope:
    """Call the method filemanager_<mode>: stats, list, search, upload, download, delete."""
    params = json_request.get("params", json_request) if isinstance(json_request, dict) else None
    if not isinstance(params, dict):
        raise BadArgument('a request must be a JSON dictionary such as {"params": {"mode": "stats"}}')
    mode = params.get("mode")
    row = MODES.get(mode) if isinstance(mode, str) else None
    if row is None:
        raise BadArgument(f"there is no mode {str(mode)[:80]!r}; there are: {', '.join(MODES)}")
    return await perform(context, row, {name: value for name, value in params.items() if name != "mode"})
