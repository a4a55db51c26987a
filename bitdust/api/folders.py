"""Folders that are the same on several machines, for everybody who has one of their secrets."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import asdict

from bitdust.api.arguments import BadArgument, Kind
from bitdust.api.context import Context, Row
from bitdust.api.envelope import Envelope, listed, ok
from bitdust.api.table import Param, Route, method
from bitdust.folders.port import FolderRow
from bitdust.folders.secrets import Secret, make, parse
from bitdust.wire.errors import BitDustError

SERVICE = "folder_sync"
ID_DIGITS = 16
FOLDER = Param("folder", aliases=("id", "directory"), help="its id, or where it is", example="/home/alice/photos")
FOLDER_ROW = "{id, directory, kind, writable, files, size, indexing, paused, peers, problem, problem_text, watched}"
NO_FOLDER = ("no-such-folder",)
ADD_ERRORS = ("no-folder", "not-writable", "already-added", "nested-folder")
KINDS = {"A": "read-write", "B": "read-only", "D": "encrypted", "E": "encrypted-read-only", "F": "encrypted-keeper"}
SECRET_NAMES = {"A": "read_write", "B": "read_only", "D": "read_write", "E": "read_only", "F": "encryption"}
MOST_RULES = 10_000
PATH = Param("path", default="", help="in the folder; empty is all of it", example="2026/beach.jpg")
BECOMES = [("folder_sync", "due")]


def folder_id(secret: Secret) -> str:
    """How a folder is called here: the same on all machines, and no secret."""
    return secret.folder_id.hex()[:ID_DIGITS]


def folder_row(row: FolderRow) -> Row:
    """A folder as it is shown."""
    secret = parse(row.secret)
    return {
        "id": folder_id(secret),
        "directory": str(row.directory),
        "kind": KINDS[secret.kind],
        "writable": secret.may_write,
        **asdict(row, filter=lambda field, _: field.name not in ("directory", "secret")),
    }


def find(context: Context, folder: str) -> FolderRow:
    """The folder of an id or directory. Raises ``no-such-folder``."""
    rows = context.folders.folders()
    where = os.path.realpath(os.path.expanduser(folder)) if os.path.isabs(folder) or folder[:1] == "~" else ""
    for row in rows:
        if folder == folder_id(parse(row.secret)) or where == str(row.directory):
            return row
    raise BitDustError("no-such-folder", f"{folder[:200]} is no folder that is kept in sync here: folders_list")


def shown_again(context: Context, row: FolderRow) -> Envelope:
    """A folder as it is now."""
    return ok(folder_row(context.folders.find(row.secret) or row))


def _tell(context: Context, event: str, row: Row) -> None:
    context.events.send(event, {name: row[name] for name in ("id", "directory", "kind")})


@method(Route("GET", "/folder/list/v1", ("/folders",)), returns=f"[{FOLDER_ROW}]")
def folders_list(context: Context) -> Envelope:
    """All folders of this machine, in the order in which they were added."""
    return listed([folder_row(row) for row in context.folders.folders()])


@method(
    Route("POST", "/folder/add/v1"),
    params=(
        Param("directory", help="a folder of this machine; it must exist", example="/home/alice/photos"),
        Param(
            "secret", default=None, help="of a folder that others have; a new folder is made without it", secret=True
        ),
        Param("selective", Kind.FLAG, False, help="bring only files that are chosen"),
        Param("encrypted", Kind.FLAG, False, help="a new folder may have keepers, who hold it and cannot read it"),
    ),
    returns=FOLDER_ROW,
    errors=(*ADD_ERRORS, "bad-secret"),
    only_here=True,
)
async def folder_add(
    context: Context, directory: str, secret: str | None, selective: bool, encrypted: bool
) -> Envelope:
    """Keep a folder the same on all machines that have one of its secrets, from now on and after every start. A node
    without identity gets one that is known by its key alone.

    Event: ``folder-added`` (``id``, ``directory``, ``kind``).
    """
    given = parse(secret.strip()) if secret else make("D" if encrypted else "A", context.world.entropy)
    return await added(context, await context.folders.add(whole(directory), given, selective))


def whole(directory: str) -> Path:
    """A directory as it was given. Raises `BadArgument`."""
    path = os.path.expanduser(directory)
    if not os.path.isabs(path):
        raise BadArgument("argument 'directory' must be the whole path of a folder of this machine")
    return Path(path)


async def added(context: Context, found: FolderRow) -> Envelope:
    """A folder that is new here: it is looked after, and told of."""
    row = folder_row(found)
    if not context.driver.is_on(SERVICE):
        await context.driver.start(SERVICE)
    _tell(context, "folder-added", row)
    return ok(row)


@method(Route("GET", "/folder/info/v1"), params=(FOLDER,), returns=FOLDER_ROW, errors=NO_FOLDER)
def folder_info(context: Context, folder: str) -> Envelope:
    """One folder: how much is in it, who is in touch, and what keeps it from being the same everywhere."""
    return ok(folder_row(find(context, folder)))


@method(Route("DELETE", "/folder/remove/v1"), params=(FOLDER,), returns=FOLDER_ROW, errors=NO_FOLDER)
async def folder_remove(context: Context, folder: str) -> Envelope:
    """Keep a folder in sync no more. Its files stay, here and elsewhere.

    Event: ``folder-removed`` (``id``, ``directory``, ``kind``).
    """
    row = find(context, folder)
    await context.folders.remove(row.secret)
    shown = folder_row(row)
    _tell(context, "folder-removed", shown)
    return ok(shown)


@method(
    Route("GET", "/folder/secrets/v1"),
    params=(FOLDER,),
    returns="{read_write?, read_only?, encryption?}",
    errors=NO_FOLDER,
    only_here=True,
)
def folder_secrets(context: Context, folder: str) -> Envelope:
    """What others need to take part: whoever gets one may do with the folder what it says."""
    secret = parse(find(context, folder).secret)
    return ok({SECRET_NAMES[one.kind]: one.text for one in (secret, *secret.weaker())})


@method(
    Route("GET", "/folder/files/v1"),
    params=(FOLDER, PATH),
    returns="[{name, kind, state, size, have_pieces, total_pieces, download}]",
    errors=NO_FOLDER,
)
async def folder_files(context: Context, folder: str, path: str) -> Envelope:
    """What is in a folder at a path, be it on this disk or only at others."""
    row = find(context, folder)
    return listed([asdict(one) for one in await context.folders.files(row.secret, path.strip("/"))])


@method(
    Route("POST", "/folder/choose/v1"),
    params=(
        FOLDER,
        Param("path", help="of a file, or of a folder with all that is in it", example="2026/beach.jpg"),
        Param("download", Kind.FLAG, True, help="false lets it go from this disk; others keep it"),
    ),
    returns="{name, kind, state, size, have_pieces, total_pieces, download}",
    errors=(*NO_FOLDER, "not-selective", "not-found"),
    becomes=BECOMES,
)
async def folder_choose(context: Context, folder: str, path: str, download: bool) -> Envelope:
    """Whether a file is wanted on this disk, in a folder where only chosen ones are."""
    found = await context.folders.choose(find(context, folder).secret, path.strip("/"), download)
    if found is None:
        raise BitDustError("not-found", f"there is nothing at {path[:200]} in that folder")
    return ok(asdict(found))


@method(
    Route("GET", "/folder/peers/v1"),
    params=(FOLDER,),
    returns="[{id, name, connection, synced, download, upload}]",
    errors=NO_FOLDER,
)
def folder_peers(context: Context, folder: str) -> Envelope:
    """Who has the folder too and is in touch; ``synced`` is when both were last the same, 0 while they are not."""
    return listed([asdict(one) for one in context.folders.peers(find(context, folder).secret)])


@method(
    Route("GET", "/folder/preferences/v1"),
    params=(FOLDER,),
    returns="{search_lan, selective_sync, use_dht, use_hosts, use_relay_server, use_sync_trash, use_tracker, hosts}",
    errors=NO_FOLDER,
)
def folder_preferences(context: Context, folder: str) -> Envelope:
    """How peers of a folder are found, and what else can be chosen for it; ``hosts`` are known ``host:port``."""
    return ok(_preferences(context, find(context, folder)))


def _preferences(context: Context, row: FolderRow) -> Row:
    return dict(context.folders.preferences(row.secret)) | {"hosts": list(context.folders.hosts(row.secret))}


@method(
    Route("POST", "/folder/preferences/v1"),
    params=(
        FOLDER,
        Param(
            "preferences", Kind.JSON, default=None, help="those that are to change, each 0 or 1", example={"use_dht": 1}
        ),
        Param(
            "hosts",
            Kind.LIST,
            None,
            help="all known host:port; an empty list clears them",
            example=["nas.example:7771"],
        ),
    ),
    returns="as folder_preferences",
    errors=(*NO_FOLDER, "bad-preference", "bad-host"),
)
async def folder_preferences_set(context: Context, folder: str, preferences: Any, hosts: list[str] | None) -> Envelope:
    """Change some preferences of a folder, or its known hosts."""
    row = find(context, folder)
    if preferences is not None:
        await context.folders.set_preferences(row.secret, _changes(preferences))
    if hosts is not None:
        await context.folders.set_hosts(row.secret, hosts)
    return ok(_preferences(context, row))


def _changes(given: Any) -> Mapping[str, int]:
    if not isinstance(given, dict) or not all(value in (0, 1) for value in given.values()):
        raise BadArgument("argument 'preferences' must be an object of names, each with 0 or 1")
    return {name: int(value) for name, value in given.items()}


@method(Route("POST", "/folder/pause/v1"), params=(FOLDER,), returns=FOLDER_ROW, errors=NO_FOLDER,
        becomes=[("folder_sync", "pause")])  # fmt: skip
async def folder_pause(context: Context, folder: str) -> Envelope:
    """Nothing of a folder comes and goes, until it is resumed."""
    row = find(context, folder)
    await context.folders.pause(row.secret)
    return shown_again(context, row)


@method(Route("POST", "/folder/resume/v1"), params=(FOLDER,), returns=FOLDER_ROW, errors=NO_FOLDER,
        becomes=[("folder_sync", "resume")])  # fmt: skip
async def folder_resume(context: Context, folder: str) -> Envelope:
    """Go on with a folder that was paused."""
    row = find(context, folder)
    await context.folders.resume(row.secret)
    return shown_again(context, row)


@method(Route("POST", "/folder/rescan/v1"), params=(FOLDER,), returns=FOLDER_ROW, errors=NO_FOLDER)
async def folder_rescan(context: Context, folder: str) -> Envelope:
    """Look at all files of a folder now; answers when that is done."""
    row = find(context, folder)
    await context.folders.rescan(row.secret)
    return shown_again(context, row)


@method(
    Route("GET", "/folder/conflicts/v1"),
    params=(FOLDER,),
    returns="[{path, original, size, made}]",
    errors=NO_FOLDER,
)
async def folder_conflicts(context: Context, folder: str) -> Envelope:
    """Copies that were kept because two people had changed a file at the same time."""
    return listed([asdict(one) for one in await context.folders.conflicts(find(context, folder).secret)])


@method(
    Route("GET", "/folder/history/v1"),
    params=(FOLDER, PATH, Param("limit", Kind.INTEGER, 100, low=1, high=1000)),
    returns="[{path, what, at, writer, size}]",
    errors=NO_FOLDER,
)
async def folder_history(context: Context, folder: str, path: str, limit: int) -> Envelope:
    """Who changed what, the latest first."""
    row = find(context, folder)
    return listed([asdict(one) for one in await context.folders.history(row.secret, path.strip("/"), limit)])


@method(
    Route("GET", "/folder/versions/v1"),
    params=(FOLDER, Param("path", help="of a file in the folder", example="2026/beach.jpg")),
    returns="[{path, version, size, replaced}]",
    errors=NO_FOLDER,
)
async def folder_versions(context: Context, folder: str, path: str) -> Envelope:
    """What can be restored of a file: versions that were put aside when others came."""
    row = find(context, folder)
    return listed([asdict(one) for one in await context.folders.versions(row.secret, path.strip("/"))])


@method(
    Route("POST", "/folder/restore/v1"),
    params=(
        FOLDER,
        Param("path", help="of a file in the folder", example="2026/beach.jpg"),
        Param("version", help="as folder_versions names it", example="20261129T120000Z"),
    ),
    returns=FOLDER_ROW,
    errors=(*NO_FOLDER, "no-such-version"),
)
async def folder_restore(context: Context, folder: str, path: str, version: str) -> Envelope:
    """Bring a version of a file back as the newest one, here and at all peers."""
    row = find(context, folder)
    await context.folders.restore(row.secret, path.strip("/"), version)
    return shown_again(context, row)


@method(
    Route("POST", "/folder/deletes/confirm/v1"),
    params=(FOLDER,),
    returns="{deleted}",
    errors=NO_FOLDER,
    becomes=BECOMES,
)
async def folder_deletes_confirm(context: Context, folder: str) -> Envelope:
    """Carry out a mass deletion that a peer has ordered and that waits for your word."""
    return ok({"deleted": await context.folders.confirm_deletes(find(context, folder).secret)})


@method(Route("GET", "/folder/ignore/v1"), params=(FOLDER,), returns="[rule]", errors=NO_FOLDER)
async def folder_ignore(context: Context, folder: str) -> Envelope:
    """Which names of a folder are not kept the same; each machine has a list of its own."""
    return listed(list(await context.folders.ignore_rules(find(context, folder).secret)))


@method(
    Route("POST", "/folder/ignore/v1"),
    params=(FOLDER, Param("rules", Kind.JSON, help="all rules, a list of texts", example=["*.tmp", "/build"])),
    returns="[rule]",
    errors=(*NO_FOLDER, "bad-rule"),
)
async def folder_ignore_set(context: Context, folder: str, rules: Any) -> Envelope:
    """Replace the rules of this machine: ``*`` and ``?``; a name matches at any depth, a path from the root."""
    if not isinstance(rules, list) or len(rules) > MOST_RULES or not all(isinstance(one, str) for one in rules):
        raise BadArgument(f"argument 'rules' must be a list of at most {MOST_RULES} texts")
    row = find(context, folder)
    await context.folders.set_ignore_rules(row.secret, rules)
    return listed(list(await context.folders.ignore_rules(row.secret)))
