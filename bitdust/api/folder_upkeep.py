"""Folders in sync: how fast they may be, and what my suppliers keep of them."""

from attrs import asdict

from bitdust.api.arguments import Kind
from bitdust.api.context import Context
from bitdust.api.envelope import Envelope, listed, ok
from bitdust.api.folders import ADD_ERRORS, FOLDER, FOLDER_ROW, NO_FOLDER, added, find, whole
from bitdust.api.table import Param, Route, method

NO_SUPPLIERS = ("no-suppliers", "too-few-suppliers")
SUPPLIERS_ROW = "{wanted, state, size, kept, left, told, problem}"
LIMITS_ROW = "{download_limit, upload_limit}"
MOST_KB = 1_000_000


@method(Route("GET", "/folder/limits/v1"), params=(FOLDER,), returns=LIMITS_ROW, errors=NO_FOLDER)
def folder_limits(context: Context, folder: str) -> Envelope:
    """What may come and go for a folder, in thousands of bytes a second; 0 is no limit. Those of all folders together
    are the settings ``services/folder-sync/download-limit`` and ``upload-limit``."""
    return _shown(context, find(context, folder).secret)


def _shown(context: Context, secret: str) -> Envelope:
    download, upload = context.folders.limits(secret)
    return ok({"download_limit": download, "upload_limit": upload})


@method(
    Route("POST", "/folder/limits/v1"),
    params=(
        FOLDER,
        Param("download_limit", Kind.INTEGER, 0, low=0, high=MOST_KB, help="thousands of bytes a second; 0: none"),
        Param("upload_limit", Kind.INTEGER, 0, low=0, high=MOST_KB, help="thousands of bytes a second; 0: none"),
    ),
    returns=LIMITS_ROW,
    errors=NO_FOLDER,
)
def folder_limits_set(context: Context, folder: str, download_limit: int, upload_limit: int) -> Envelope:
    """Replace the limits of a folder. Peers in private networks are held back only where the setting
    ``services/folder-sync/limit-local-peers-enabled`` is on."""
    secret = find(context, folder).secret
    context.folders.set_limits(secret, download_limit, upload_limit)
    return _shown(context, secret)


@method(Route("GET", "/folder/suppliers/v1"), params=(FOLDER,), returns=SUPPLIERS_ROW, errors=NO_FOLDER)
async def folder_suppliers(context: Context, folder: str) -> Envelope:
    """How far my suppliers keep a folder: ``kept`` of ``size`` bytes are there, ``left`` are not; ``told`` is when they
    got the list of its files last. Until then, and where ``state`` is not ``kept``, not all of it would come back."""
    return ok(asdict(await context.folders.suppliers(find(context, folder).secret)))


@method(
    Route("POST", "/folder/suppliers/v1"),
    params=(FOLDER, Param("wanted", Kind.FLAG, help="false takes it from them again", example=True)),
    returns=SUPPLIERS_ROW,
    errors=(*NO_FOLDER, "no-suppliers"),
    becomes=[("folder_backup", "start")],
)
async def folder_suppliers_set(context: Context, folder: str, wanted: bool) -> Envelope:
    """Whether my suppliers keep a folder too, as a peer that is always there and can read nothing of it."""
    return ok(asdict(await context.folders.set_suppliers(find(context, folder).secret, wanted)))


@method(Route("GET", "/folder/kept/v1"), returns="[{id, name, secret, told}]", errors=NO_SUPPLIERS)
async def folders_kept(context: Context) -> Envelope:
    """Folders that my suppliers hold, here or not: after the loss of all machines, a key file is enough for them."""
    return listed([asdict(one) for one in await context.folders.kept()])


@method(
    Route("POST", "/folder/bring-back/v1"),
    params=(
        Param("id", help="as folders_kept tells it", example="f4e2b00ce04ffac5"),
        Param("directory", help="a folder of this machine; it must exist", example="/home/alice/photos"),
    ),
    returns=FOLDER_ROW,
    errors=(*ADD_ERRORS, *NO_SUPPLIERS, *NO_FOLDER),
    only_here=True,
)
async def folder_bring_back(context: Context, id: str, directory: str) -> Envelope:
    """Add a folder that my suppliers hold, and have its files of them. Event: ``folder-added``."""
    return await added(context, await context.folders.bring_back(id, whole(directory)))
