"""`bitdust file verify`: whether a version can come back, and whose fault it is where it cannot."""

from typing import Any

import click

from bitdust.cli.main import Session
from bitdust.cli.output import printable, show_json, show_table
from bitdust.cli.progress import follow

NOT_VERIFIED = 5
CODES = (
    f"Exit codes: 0 it can come back; 1 error; 2 wrong usage; {NOT_VERIFIED} it cannot come back as a whole;"
    " 130 Ctrl-C: the verification goes on in the node."
)


@click.command("verify", epilog=CODES)
@click.argument("path")
@click.option("--full", is_flag=True, help="Bring everything back and look into it, without writing anything.")
@click.pass_obj
def verify(session: Session, path: str, full: bool) -> None:
    """Prove that PATH (path, path id, or either with /version) can come back.

    Every supplier proves a random part of its piece of each pack, which costs about a thirtieth of a download. With
    --full all of it is fetched, opened and compared, as a download would.
    """
    found = follow(session, "verify", "file_verify", {"remote_path": path, "full": full})
    if session.as_json:
        show_json(found)
    else:
        _show(path, found)
    if not found["verified"]:
        raise SystemExit(NOT_VERIFIED)


def _show(path: str, found: dict[str, Any]) -> None:
    shown = printable(path)
    if found["verified"]:
        spare = found["spare_pieces"]
        more = f"; {spare} more suppliers may fail" if spare is not None else ""
        click.echo(f"{shown} can come back: {found['files']} files, {found['packs']} packs{more}")
    else:
        lost, files = found["packs_lost"], found["files_lost"]
        click.echo(f"{shown} cannot come back as a whole: {lost} of {found['packs']} packs, {files} files are lost")
    for problem in found["problems"]:
        click.echo(printable(f"  {problem['path']}: {problem['reason']}"), err=True)
    rows = [row | {"global_id": row["global_id"] or row["idurl"]} for row in found["suppliers"]]
    show_table(rows, ["global_id", "asked", "proved", "failed", "silent"], "nothing had to be asked")
