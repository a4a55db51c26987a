"""Devices of your identity: which there are, and what to do when one was stolen."""

import click

from bitdust.cli.asking import somebody_is_there
from bitdust.cli.main import Session
from bitdust.cli.output import show_json, show_table

COLUMNS = ["number", "id", "state", "since", "revoked", "entries", "this device"]


@click.command()
@click.pass_obj
def devices(session: Session) -> None:
    """Your devices: each has a key of its own, by which others know that you sent it."""
    _show(session, session.call("identity_devices"))


def _show(session: Session, rows: list[dict[str, object]]) -> None:
    if session.as_json:
        show_json(rows)
    else:
        shown = [row | {"this device": "yes" if row["this_device"] else ""} for row in rows]
        show_table(shown, COLUMNS, "this node has no devices yet")


@click.command()
@click.argument("device")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def revoke(session: Session, device: str, yes: bool) -> None:
    """DEVICE, by its number or id, was lost or stolen: nobody takes its word any more.

    What it stored stays yours. A device that is revoked does not come back: recover on it from your key file to use it
    again. Whoever has a copy of your key file too can undo this.
    """
    if not yes and somebody_is_there():
        click.confirm(f"Revoke device {device} for good?", abort=True, err=True)
    rows = session.call("identity_device_revoke", device=device)
    if not session.as_json:
        click.echo("it is revoked; whoever hears of it takes its word no more", err=True)
    _show(session, rows)
