"""Files from the command line: list, create, upload, download, delete, sync, cancel, progress."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from bitdust.cli.asking import sure
from bitdust.cli.client import ApiError
from bitdust.cli.groups import LIST_WORDS, REMOVE_WORDS, Aliased
from bitdust.cli.main import Session
from bitdust.cli.output import printable, show_json, show_table, size
from bitdust.cli.transfer import DOWNLOAD_CODES, UPLOAD_CODES, given, keeping, transfer
from bitdust.cli.verify import verify
from bitdust.wire.names import is_version

ALIASES = LIST_WORDS | REMOVE_WORDS | {"up": "upload", "put": "upload", "down": "download", "get": "download"}
ALIASES |= {"restore": "download", "mkdir": "create", "new": "create", "show": "info", "abort": "cancel"}

NOTHING_STORED = ("no-space", "no-such-file", "unreadable", "bad-path", "too-few-suppliers")
"""Refusals before anything was stored: a place that was made for it is taken back."""


@click.group(cls=Aliased, aliases=ALIASES, default="list")
def file() -> None:
    """Files that your suppliers keep."""


@file.command("list")
@click.argument("path", required=False)
@click.option("--flat", is_flag=True, help="Only what is directly in PATH.")
@click.pass_obj
def listing(session: Session, path: str | None = None, flat: bool = False) -> None:
    """What is in the catalog, or in the folder PATH of it.

    While files move to other suppliers, or are coded for another number of them, moved says how far each has come.
    """
    arguments = {"remote_path": path} if path else {}
    rows = session.call("files_list", recursive=not flat, **arguments) or []
    if session.as_json:
        show_json(rows)
        return
    for row in rows:
        newest = max(row.get("versions") or [{}], key=lambda version: version.get("backup_id", ""))
        row["reliable"] = newest.get("reliable")
        row["delivered"] = newest.get("delivered")
        row["moved"] = (newest.get("moving") or {}).get("progress")
        row["bytes"] = size(row.get("size")) if row.get("type") == "file" else None
        if not path and row.get("key_alias", "master") != "master":
            row["path"] = row["remote_path"]
    moved = ["moved"] if any(row["moved"] for row in rows) else []
    show_table(rows, ["path_id", "type", "bytes", "delivered", "reliable", *moved, "path"], "the catalog is empty")


@file.command("info")
@click.argument("path")
@click.pass_obj
def info(session: Session, path: str) -> None:
    """Everything about one file or folder, with its versions."""
    show_json(session.call("file_info", remote_path=path))


@file.command("versions")
@click.argument("path")
@click.pass_obj
def versions(session: Session, path: str) -> None:
    """Versions of one file or folder: why each is kept, and when it goes.

    current: as it is now. undo: it was current within the days that can be undone (services/backups/undo-days). last,
    daily, weekly, monthly: the newest of one of those (services/backups/max-copies, daily-copies and so on).
    """
    rows = session.call("file_info", remote_path=path)["versions"]
    if session.as_json:
        show_json(rows)
        return
    for row in rows:
        until = row.get("kept_until")
        row["bytes"], row["goes"] = size(row["size"]), time.strftime("%Y-%m-%d", time.gmtime(until)) if until else None
    show_table(rows, ["version", "bytes", "reliable", "kept", "goes"], "nothing was uploaded yet")


@file.command("create")
@click.argument("path")
@click.option("--folder", is_flag=True, help="A folder instead of a file.")
@click.option("--exist-ok", is_flag=True, help="It may be there already.")
@click.pass_obj
def create(session: Session, path: str, folder: bool, exist_ok: bool) -> None:
    """Make a place in the catalog; `file upload` fills it, or makes its own."""
    row = session.call("file_create", remote_path=path, as_folder=folder, exist_ok=exist_ok)
    if session.as_json:
        show_json(row)
    else:
        where = printable(str(row.get("remote_path", path)))
        click.echo(f"created {row.get('type', 'item')} {where} ({row.get('path_id')})")


@file.command("upload", epilog=UPLOAD_CODES)
@click.argument("local", type=click.Path())
@click.argument("remote", required=False)
@click.option("--no-wait", is_flag=True, help="Come back at once; the node goes on.")
@keeping
@click.option("--allow-empty", is_flag=True, help="LOCAL is meant to be empty, although something was stored from it.")
@click.option("--allow-drop", is_flag=True, help="More than half of the folder is meant to be gone.")
@click.pass_obj
def upload(session: Session, /, local: str, remote: str | None, no_wait: bool, **options: bool | None) -> None:
    """Encrypt LOCAL, a file or a whole folder, and give its pieces to your suppliers as a new version of REMOTE.

    REMOTE is made if it is not in the catalog yet; it is LOCAL's own name if you leave it out. Where LOCAL is empty,
    or more than half of it is gone since the last time, you are asked first: a disk may be missing.
    """
    source = os.path.abspath(os.path.expanduser(local))
    if not os.path.lexists(source):
        raise ApiError("no-such-file", f"{printable(source)} does not exist")
    remote = remote or os.path.basename(source)
    is_new = not session.call("file_exists", remote_path=remote)["exist"]
    if is_new:
        is_folder = os.path.isdir(source) and not os.path.islink(source)
        session.call("file_create", remote_path=remote, as_folder=is_folder, exist_ok=True)
    arguments = {"local_path": source, "remote_path": remote}
    try:
        transfer(session, "upload", arguments | given(options), no_wait)
    except ApiError as error:
        if is_new and error.code in NOTHING_STORED and not session.call("file_info", remote_path=remote)["versions"]:
            session.call("file_delete", remote_path=remote)
        raise


@file.command("download", epilog=DOWNLOAD_CODES)
@click.argument("remote")
@click.argument("local", type=click.Path(), default=".")
@click.option("--overwrite", "policy", flag_value="replace", help="Replace files that exist.")
@click.option("--keep", "policy", flag_value="keep", help="Leave files that exist as they are.")
@click.option("--no-wait", is_flag=True, help="Come back at once; the node goes on.")
@keeping
@click.option(
    "--special-bits/--no-special-bits", default=None, help="With set-user-id, set-group-id and sticky bits, or without."
)
@click.pass_obj
def download(
    session: Session, /, remote: str, local: str, policy: str | None, no_wait: bool, **options: bool | None
) -> None:
    """Bring REMOTE (path, path id, or either with /version) back into the folder LOCAL."""
    folder = os.path.abspath(os.path.expanduser(local))
    key = remote.partition(":")[0]
    if key.startswith("share_") and "$" in key:
        session.call("share_open", key_id=key)
    if policy is None:
        policy = _ask_about(session, remote, folder)
    arguments = {"remote_path": remote, "destination_path": folder, "policy": policy}
    transfer(session, "download", arguments | given(options), no_wait)


def _ask_about(session: Session, remote: str, folder: str) -> str:
    """What to do with files that exist: nothing to ask when there are none."""
    name = session.call("file_info", remote_path=remote).get("name") or remote.rpartition("/")[2]
    target = Path(folder) / name
    if not os.path.lexists(target):
        return "replace"
    shown = printable(str(target))
    if not sys.stdin.isatty():
        raise ApiError("exists", f"{shown} exists; say --overwrite or --keep")
    answer = click.prompt(
        f"{shown} exists: overwrite it, keep what is there, or stop?",
        type=click.Choice(["overwrite", "keep", "stop"]),
        default="stop",
    )
    if answer == "stop":
        raise click.Abort
    return "replace" if answer == "overwrite" else "keep"


PENDING = "; too few suppliers know of it yet, so a recovery now could bring it back; it goes on by itself"


@file.command("delete")
@click.argument("path")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(session: Session, path: str, yes: bool) -> None:
    """Take a file or folder, or one version (PATH/VERSION), out of the catalog and off the suppliers."""
    what = "this version of it" if is_version(path.rpartition("/")[2]) else "with all its versions"
    sure(yes, f"Delete {printable(path)}, {what}? It cannot be undone.")
    row = session.call("file_delete", remote_path=path)
    session.say(f"deleted {printable(str(row.get('remote_path', path)))}{PENDING if row.get('pending') else ''}", **row)


@click.group("dir", cls=Aliased, aliases=REMOVE_WORDS | {"make": "create", "new": "create", "mk": "create"})
def folder() -> None:
    """Folders of the catalog: create, delete."""


@folder.command("create")
@click.argument("path")
@click.pass_context
def create_folder(ctx: click.Context, path: str) -> None:
    """Make a folder in the catalog."""
    ctx.invoke(create, path=path, folder=True)


folder.add_command(delete)
file.add_command(verify)


@file.command("sync")
@click.pass_obj
def sync(session: Session) -> None:
    """Compare with the suppliers now, and mend what is missing."""
    session.call("files_sync")
    session.say("synchronisation began")


@file.command("cancel")
@click.argument("words", metavar="[upload|download|verify] PATH", nargs=-1, required=True)
@click.option("--download", "way", flag_value="download", help="Stop a download.")
@click.option("--verify", "way", flag_value="verify", help="Stop a verification.")
@click.option("--upload", "way", flag_value="upload", default=True, help="Stop an upload (the default).")
@click.pass_obj
def cancel(session: Session, words: tuple[str, ...], way: str) -> None:
    """Stop an upload, a download or a verification."""
    if len(words) > 1 and words[0] in ("upload", "download", "verify"):
        way, words = words[0], words[1:]
    if len(words) != 1:
        raise click.UsageError("name one PATH")
    path = words[0]
    envelope = session.client.envelope(f"file_{way}_stop", remote_path=path)
    session.say(envelope.get("message", f"{way} stopped: {path}"))


@file.command("explore")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.pass_obj
def explore(session: Session, path: Path) -> None:
    """Show PATH in the file manager of this desktop."""
    session.say(session.client.envelope("file_explore", local_path=str(path.absolute()))["message"])


@file.command("progress")
@click.argument("way", type=click.Choice(["upload", "download"]), required=False)
@click.pass_obj
def progress(session: Session, way: str | None) -> None:
    """Uploads and downloads that run or wait, and uploads that failed."""
    uploads, downloads = session.call("files_uploads"), session.call("files_downloads") or []
    if session.as_json:
        show_json({"uploads": uploads, "downloads": downloads})
        return
    rows = [row | {"way": "upload", "state": "running"} for row in uploads.get("running", ())]
    rows += [row | {"way": "upload", "state": "waiting"} for row in uploads.get("pending", ())]
    rows += [row | {"way": "upload", "state": "failed", "why": row["reason"]} for row in uploads.get("failed", ())]
    rows += [row | {"way": "download", "state": "running"} for row in downloads]
    rows = [row for row in rows if way in (None, row["way"])]
    for row in rows:
        if row.get("waits_for"):
            row["why"] = f"waits for {', '.join(row['waits_for'])}"
    columns = ["way", "state", "path_id", "progress", "remote_path", *(["why"] if any(map(_why, rows)) else ())]
    show_table(rows, columns, "nothing is on its way")


def _why(row: dict[str, Any]) -> bool:
    return bool(row.get("why"))
