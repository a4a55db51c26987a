"""How fast folders may be, what my suppliers keep of them, and bringing a folder back from there."""

from pathlib import Path
from typing import Any

import click

from bitdust.cli.main import Session
from bitdust.cli.output import age, printable, show_json, show_table, size
from bitdust.cli.sync_progress import FOLDER, where


@click.command("suppliers")
@click.argument("folder", required=False)
@click.argument("switch", type=click.Choice(["on", "off"]), required=False)
@click.pass_obj
def suppliers(session: Session, folder: str | None, switch: str | None) -> None:
    """Have FOLDER kept at your suppliers too (on), take it away from there again (off), or show how far it is.

    Suppliers are a peer that is always there, and can read neither names nor contents. Without FOLDER, all that they
    hold is listed: with the key file alone it comes back on a new machine, by "bitdust sync bring-back". With a secret
    that reads it comes back to anybody, by "bitdust sync add".
    """
    if folder is None:
        _list(session)
        return
    if switch is None:
        row = session.call("folder_suppliers", folder=where(folder))
    else:
        row = session.call("folder_suppliers_set", folder=where(folder), wanted=switch == "on")
    if session.as_json:
        show_json(row)
    else:
        click.echo(f"{printable(folder)}: {_words(row)}")


def _words(row: dict[str, Any]) -> str:
    if row["state"] == "withdrawing":
        return f"not taken away from suppliers yet, which is tried again; {printable(row['problem'])}"
    if row["state"] == "borrowed":
        there = f"{size(row['kept'])} of {size(row['size'])} at suppliers of somebody else"
        return f"{there}; {printable(row['problem'])}" if row["problem"] else there
    if not row["wanted"]:
        return "not kept at suppliers"
    if row["problem"]:
        return f"{size(row['kept'])} of {size(row['size'])} at suppliers; {printable(row['problem'])}"
    if row["state"] == "kept":
        return f"all of it is at suppliers, {size(row['size'])}, since {age(row['told'])}"
    told = f"; the list there is from {age(row['told'])}" if row["told"] else "; no list is there yet"
    return f"{row['state']}: {size(row['kept'])} of {size(row['size'])} at suppliers, {size(row['left'])} not yet{told}"


def _list(session: Session) -> None:
    rows = session.call("folders_kept") or []
    if session.as_json:
        show_json(rows)
        return
    shown = [row | {"told": age(row["told"])} for row in rows]
    show_table(shown, ["id", "name", "secret", "told"], "suppliers hold no folder; bitdust sync suppliers FOLDER on")


@click.command("limit")
@FOLDER
@click.option("--download", type=click.IntRange(0, 1_000_000), help="Let come so many KB a second; 0 is no limit.")
@click.option("--upload", type=click.IntRange(0, 1_000_000), help="Let go so many KB a second; 0 is no limit.")
@click.pass_obj
def limit(session: Session, folder: str, download: int | None, upload: int | None) -> None:
    """Show how fast a folder may be, or change it. Limits of all folders are settings: bitdust set
    services/folder-sync/download-limit."""
    row = session.call("folder_limits", folder=where(folder))
    given = {"download_limit": download, "upload_limit": upload}
    wanted = row | {name: value for name, value in given.items() if value is not None}
    if wanted != row:
        row = session.call("folder_limits_set", folder=where(folder), **wanted)
    if session.as_json:
        show_json(row)
        return
    words = [f"{name} {row[f'{name}_limit']} KB/s" for name in ("download", "upload") if row[f"{name}_limit"]]
    click.echo(f"{printable(folder)}: {', '.join(words) or 'no limit'}")


@click.command("bring-back")
@click.argument("ident", metavar="ID")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.pass_obj
def bring_back(session: Session, ident: str, directory: Path) -> None:
    """Bring a folder that suppliers hold into DIRECTORY; ID is as "bitdust sync suppliers" lists it."""
    row = session.call("folder_bring_back", id=ident, directory=str(directory.expanduser().resolve()))
    if session.as_json:
        show_json(row)
    else:
        click.echo(f"{printable(row['directory'])} comes back; bitdust sync status -f")
