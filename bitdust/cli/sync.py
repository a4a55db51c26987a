"""Folders that are the same on several machines, from the command line."""

import sys
import time
from pathlib import Path
from typing import Any

import click

from bitdust.cli.asking import secret as ask_secret
from bitdust.cli.asking import somebody_is_there, sure
from bitdust.cli.client import ApiError
from bitdust.cli.groups import LIST_WORDS, Aliased
from bitdust.cli.main import Session
from bitdust.cli.output import age, day, on_terminal, printable, show_json, show_table, size
from bitdust.cli.sync_progress import FOLDER, PROBLEM, UNEQUAL, follow, outcome, where
from bitdust.cli.sync_suppliers import bring_back, limit, suppliers

WORDS = LIST_WORDS | {
    "new": "create", "make": "create", "join": "add", "rm": "remove", "del": "remove", "show": "status",
    "stop": "pause", "go": "resume", "key": "secret", "log": "history", "trash": "versions",
}  # fmt: skip
COLUMNS = ["directory", "kind", "files", "size", "state", "peers"]
SECRET_OF = {"read-write": "read_write", "read-only": "read_only", "encryption": "encryption"}
STATUS_CODES = (
    f"Exit codes: 0 done, 1 error, 2 wrong usage, {PROBLEM} a folder has a problem, {UNEQUAL} not the same in time."
)
WAIT = click.option("--wait", is_flag=True, help="Come back when it is the same as a peer's; shows how far it is.")
TIMEOUT = click.option("--timeout", type=click.FloatRange(0), help="Wait no longer than so many seconds.")


@click.group(cls=Aliased, aliases=WORDS, default="list")
def sync() -> None:
    """Folders that are the same on several machines: create one, give its secret to others, who add it."""


sync.add_command(suppliers)
sync.add_command(bring_back)
sync.add_command(limit)


def _said(session: Session, row: dict[str, Any], words: str) -> None:
    if session.as_json:
        show_json(row)
    else:
        click.echo(words)


def _directory(path: Path) -> str:
    return str(path.expanduser().resolve())


@sync.command("create")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--encrypted", is_flag=True, help="Others may keep it without being able to read it.")
@click.option("--qr", is_flag=True, help="Show the secret as a QR code too.")
@click.pass_obj
def create(session: Session, directory: Path, encrypted: bool, qr: bool) -> None:
    """Begin a new folder with what is in DIRECTORY, and print the secret that lets others write."""
    row = session.call("folder_add", directory=_directory(directory), encrypted=encrypted)
    secrets = session.call("folder_secrets", folder=row["id"])
    if session.as_json:
        show_json(row | {"secrets": secrets})
        return
    click.echo(f"{printable(row['directory'])} is kept in sync; elsewhere: bitdust sync add DIRECTORY")
    _show_secret(secrets["read_write"], qr)


@sync.command("add", epilog=STATUS_CODES)
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--secret-file", metavar="FILE", help="Take the secret from the first line of FILE; - is standard input.")
@click.option("--selective", is_flag=True, help="Bring only files that you choose.")
@click.option(
    "--host", "hosts", multiple=True, metavar="HOST:PORT", help="A peer is there. May be given several times."
)
@WAIT
@TIMEOUT
@click.pass_obj
def add(
    session: Session,
    directory: Path,
    secret_file: str | None,
    selective: bool,
    hosts: tuple[str, ...],
    wait: bool,
    timeout: float | None,
) -> None:
    """Keep DIRECTORY the same as a folder that others have; its secret is asked for, or read from standard input.

    A secret does not belong into a command line, which others on this machine can read.
    """
    given = ask_secret(secret_file or (None if somebody_is_there() else "-"), "Secret of the folder", twice=False)
    row = session.call("folder_add", directory=_directory(directory), secret=given.strip(), selective=selective)
    if hosts:
        changes: dict[str, Any] = {"preferences": {"use_hosts": 1}, "hosts": list(hosts)}
        session.call("folder_preferences_set", folder=row["id"], **changes)
    if wait:
        raise SystemExit(follow(session, [row["id"]], timeout))
    _said(session, row, f"{printable(row['directory'])} is kept in sync ({row['kind']}); bitdust sync status")


@sync.command("list")
@click.pass_obj
def list_folders(session: Session) -> None:
    """All folders, how much is in them, and with how many peers."""
    rows = session.call("folders_list") or []
    if session.as_json:
        show_json(rows)
    else:
        show_table(map(_shown, rows), COLUMNS, "no folder is kept in sync; bitdust sync create DIRECTORY")


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    state = "paused" if row["paused"] else row["problem"] or ("indexing" if row["indexing"] else "ok")
    return row | {"state": state, "size": size(row["size"])}


@sync.command("status", epilog=STATUS_CODES)
@click.argument("folder", required=False)
@click.option("-f", "--follow", "following", is_flag=True, help="Go on until everything is the same.")
@TIMEOUT
@click.pass_obj
def status(session: Session, folder: str | None, following: bool, timeout: float | None) -> None:
    """What a folder, or every one, still has to send and to bring, and what is wrong."""
    rows = [session.call("folder_info", folder=where(folder))] if folder else session.call("folders_list") or []
    if following:
        raise SystemExit(follow(session, [row["id"] for row in rows], timeout))
    peers = {row["id"]: session.call("folder_peers", folder=row["id"]) or [] for row in rows}
    if session.as_json:
        show_json([row | {"peer_list": peers[row["id"]]} for row in rows])
    else:
        for row in rows:
            _tell(row, peers[row["id"]])
        if not rows:
            click.echo("no folder is kept in sync; bitdust sync create DIRECTORY")
    raise SystemExit(PROBLEM if any(row["problem"] for row in rows) else 0)


def _tell(row: dict[str, Any], peers: list[dict[str, Any]]) -> None:
    click.echo(f"{printable(row['directory'])}: {outcome(row, peers)}")
    if row["problem_text"]:
        click.echo(f"  {printable(row['problem_text'])}")
    if row["watched"].startswith("by a comparison"):
        click.echo(f"  changes on this disk are noticed {printable(row['watched'])}")


@sync.command("peers")
@FOLDER
@click.pass_obj
def peers(session: Session, folder: str) -> None:
    """Who has a folder too and is in touch."""
    rows = session.call("folder_peers", folder=where(folder)) or []
    if session.as_json:
        show_json(rows)
        return
    shown = [
        row | {"synced": age(row["synced"]) if row["synced"] else "-", "to_bring": size(row["download"]),
               "to_send": size(row["upload"])}
        for row in rows
    ]  # fmt: skip
    show_table(shown, ["name", "connection", "synced", "to_bring", "to_send", "id"], "no peer is in touch")


@sync.command("pause")
@FOLDER
@click.pass_obj
def pause(session: Session, folder: str) -> None:
    """Nothing of a folder comes and goes, until it is resumed."""
    row = session.call("folder_pause", folder=where(folder))
    _said(session, row, f"{printable(row['directory'])} is paused")


@sync.command("resume")
@FOLDER
@click.pass_obj
def resume(session: Session, folder: str) -> None:
    """Go on with a folder."""
    row = session.call("folder_resume", folder=where(folder))
    _said(session, row, f"{printable(row['directory'])} goes on")


@sync.command("rescan")
@FOLDER
@click.pass_obj
def rescan(session: Session, folder: str) -> None:
    """Look at all files of a folder now."""
    row = session.call("folder_rescan", folder=where(folder))
    _said(session, row, f"{printable(row['directory'])}: {row['files']} files, {size(row['size'])}")


@sync.command("remove")
@FOLDER
@click.pass_obj
def remove(session: Session, folder: str) -> None:
    """Keep a folder in sync no more; its files stay, here and elsewhere."""
    row = session.call("folder_remove", folder=where(folder))
    _said(session, row, f"{printable(row['directory'])} is kept in sync no more; its files are still there")


@sync.command("secret")
@FOLDER
@click.argument("kind", type=click.Choice(list(SECRET_OF)), required=False)
@click.option("--qr", is_flag=True, help="Show it as a QR code, for an app to scan.")
@click.pass_obj
def secret(session: Session, folder: str, kind: str | None, qr: bool) -> None:
    """Print what others need to take part: read-write, read-only, or encryption for who keeps it unread.

    Without KIND all of them are printed; with it that one alone, for scripts.
    """
    secrets = session.call("folder_secrets", folder=where(folder))
    if kind is not None and SECRET_OF[kind] not in secrets:
        raise ApiError("no-such-secret", f"this machine has no {kind} secret of that folder, and cannot tell it")
    if session.as_json:
        show_json(secrets if kind is None else {SECRET_OF[kind]: secrets[SECRET_OF[kind]]})
        return
    for name, key in SECRET_OF.items():
        if kind in (None, name) and key in secrets:
            if kind is None:
                click.echo(f"{name}:")
            _show_secret(secrets[key], qr)


def _show_secret(text: str, qr: bool) -> None:
    click.echo(text)
    if qr:
        import segno  # half of what the command loads, and of use where a code is wanted

        segno.make(text, error="m").terminal(out=sys.stdout, compact=True)


@sync.command("conflicts")
@FOLDER
@click.pass_obj
def conflicts(session: Session, folder: str) -> None:
    """Copies that were kept because two people had changed a file at the same time."""
    rows = session.call("folder_conflicts", folder=where(folder)) or []
    if session.as_json:
        show_json(rows)
        return
    shown = [row | {"made": day(row["made"]), "size": size(row["size"])} for row in rows]
    show_table(shown, ["path", "original", "size", "made"], "there are no conflicts")


@sync.command("history")
@FOLDER
@click.argument("path", default="")
@click.option("-n", "limit", type=click.IntRange(1, 1000), default=100, help="So many changes, the latest.")
@click.pass_obj
def history(session: Session, folder: str, path: str, limit: int) -> None:
    """Who changed what, the latest first."""
    rows = session.call("folder_history", folder=where(folder), path=path, limit=limit) or []
    if session.as_json:
        show_json(rows)
        return
    shown = [row | {"at": _moment(row["at"]), "size": size(row["size"])} for row in rows]
    show_table(shown, ["at", "what", "path", "size", "writer"], "nothing has been changed yet")


@sync.command("versions")
@FOLDER
@click.argument("path")
@click.pass_obj
def versions(session: Session, folder: str, path: str) -> None:
    """What can be restored of a file."""
    _show_versions(session, session.call("folder_versions", folder=where(folder), path=path) or [])


def _show_versions(session: Session, rows: list[dict[str, Any]]) -> None:
    if session.as_json:
        show_json(rows)
        return
    shown = [row | {"replaced": _moment(row["replaced"]), "size": size(row["size"])} for row in rows]
    show_table(shown, ["version", "size", "replaced"], "no version of it was put aside")


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


@sync.command("restore")
@FOLDER
@click.argument("path")
@click.argument("version", required=False)
@click.pass_obj
def restore(session: Session, folder: str, path: str, version: str | None) -> None:
    """Bring a VERSION of a file back as the newest one; without VERSION, the latest that was put aside."""
    place = where(folder)
    if version is None:
        rows = session.call("folder_versions", folder=place, path=path)
        if not rows:
            raise ApiError("no-such-version", f"no version of {path} was put aside")
        version = str(rows[0]["version"])
    row = session.call("folder_restore", folder=place, path=path, version=version)
    _said(session, row, f"{printable(path)} is as it was in version {printable(version)}")


@sync.command("ignore")
@FOLDER
@click.argument("rules", nargs=-1)
@click.option("--remove", "-r", "removing", is_flag=True, help="Take these rules away instead.")
@click.pass_obj
def ignore(session: Session, folder: str, rules: tuple[str, ...], removing: bool) -> None:
    """Show what is not kept the same, or add RULES: names with * and ?; with a / they begin at the root.

    Each machine has rules of its own. What was brought before stays where it is.
    """
    place = where(folder)
    found = list(session.call("folder_ignore", folder=place) or [])
    if rules:
        kept = [rule for rule in found if rule not in rules]
        wanted = kept if removing else [*found, *(rule for rule in rules if rule not in found)]
        found = list(session.call("folder_ignore_set", folder=place, rules=wanted) or [])
    if session.as_json:
        show_json(found)
    else:
        click.echo("\n".join(map(printable, found)) or "nothing is ignored")


@sync.command("confirm")
@FOLDER
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def confirm(session: Session, folder: str, yes: bool) -> None:
    """Carry out a mass deletion that a peer has ordered and that waits for your word."""
    row = session.call("folder_info", folder=where(folder))
    if row["problem"] == "deletes-held":
        sure(yes, f"{row['problem_text']}. Delete them here?")
    done = session.call("folder_deletes_confirm", folder=row["id"])
    _said(session, done, f"{done['deleted']} files are deleted")


@sync.command("files")
@FOLDER
@click.argument("path", default="")
@click.pass_obj
def files(session: Session, folder: str, path: str) -> None:
    """What is in a folder, be it on this disk or only at others."""
    rows = session.call("folder_files", folder=where(folder), path=path) or []
    if session.as_json:
        show_json(rows)
        return
    shown = [row | {"size": size(row["size"]), "here": _share_here(row), "wanted": row["download"]} for row in rows]
    show_table(shown, ["name", "kind", "size", "here", "wanted"], "there is nothing")


def _share_here(row: dict[str, Any]) -> str:
    return f"{100 * row['have_pieces'] // row['total_pieces']}%" if row["total_pieces"] else "-"


@sync.command("choose")
@FOLDER
@click.argument("path")
@click.option("--let-go", is_flag=True, help="It is wanted here no more; others keep it.")
@click.pass_obj
def choose(session: Session, folder: str, path: str, let_go: bool) -> None:
    """Bring a file, or all of a folder in it, in a folder where only chosen ones come."""
    row = session.call("folder_choose", folder=where(folder), path=path, download=not let_go)
    _said(session, row, f"{printable(path)} is {'let go' if let_go else 'wanted'} here")


@sync.command("set")
@FOLDER
@click.argument("preferences", nargs=-1, metavar="[NAME=0|1]…")
@click.option("--host", "hosts", multiple=True, metavar="HOST:PORT", help="Known peers; takes the place of all before.")
@click.option("--no-hosts", is_flag=True, help="Forget known peers.")
@click.pass_obj
def set_preferences(
    session: Session, folder: str, preferences: tuple[str, ...], hosts: tuple[str, ...], no_hosts: bool
) -> None:
    """Show the preferences of a folder, or change some: search_lan, use_dht, use_hosts, use_sync_trash and others."""
    place, changes = where(folder), dict(map(_preference, preferences))
    given: dict[str, Any] = {"preferences": changes} if changes else {}
    if hosts or no_hosts:
        given["hosts"] = list(hosts)
    if given:
        row = session.call("folder_preferences_set", folder=place, **given)
    else:
        row = session.call("folder_preferences", folder=place)
    if session.as_json or not on_terminal():
        show_json(row)
        return
    show_table([{"name": name, "value": value} for name, value in row.items()], ["name", "value"], "")


def _preference(word: str) -> tuple[str, int]:
    name, _, value = word.partition("=")
    if value not in ("0", "1"):
        raise click.UsageError(f"{word[:80]!r} is not of the form name=0 or name=1")
    return name, int(value)
