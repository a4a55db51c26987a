"""Deletions that suppliers hold back, from the command line."""

import time
from typing import Any

import click

from bitdust.cli.groups import LIST_WORDS, Aliased
from bitdust.cli.main import Session
from bitdust.cli.output import show_json, show_table

COLUMNS = ["supplier", "device", "what", "packs", "bytes", "until"]


@click.group(cls=Aliased, aliases=LIST_WORDS, default="list")
def deletion() -> None:
    """Deletions that are held back, for two days or more: list, undo, confirm."""


@deletion.command("list")
@click.pass_obj
def list_deletions(session: Session) -> None:
    """What devices of yours have ordered suppliers to destroy, or have deleted, and when that happens."""
    _show(session, session.call("deletions_list"))


@deletion.command("undo")
@click.argument("device")
@click.pass_obj
def undo(session: Session, device: str) -> None:
    """It does not happen. DEVICE is the number or id of who ordered it; to stop it for good, revoke it."""
    _show(session, session.call("deletion_undo", device=device))


@deletion.command("confirm")
@click.argument("device")
@click.pass_obj
def confirm(session: Session, device: str) -> None:
    """It happens now. DEVICE is the number or id of who ordered it: another one, unless this one has your key."""
    _show(session, session.call("deletion_confirm", device=device))


def _show(session: Session, rows: list[dict[str, Any]]) -> None:
    if session.as_json:
        show_json(rows)
    else:
        shown = [row | {"until": time.strftime("%Y-%m-%d %H:%M", time.localtime(row["until"]))} for row in rows]
        show_table(shown, COLUMNS, "nothing is held back")
