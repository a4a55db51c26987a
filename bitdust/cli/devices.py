"""Devices of your identity: which there are, and what to do when one was stolen."""

from pathlib import Path
from typing import Any

import click

from bitdust.cli.asking import PASSPHRASE_FILE, sure
from bitdust.cli.backup import passphrase_of, read_key_file
from bitdust.cli.main import Session
from bitdust.cli.output import day, show_json, show_table

KEY_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
COLUMNS = ["number", "id", "state", "revoked", "stored first", "stored last", "this device"]


@click.command()
@click.pass_obj
def devices(session: Session) -> None:
    """Your devices: each has a key of its own, by which others know that you sent it."""
    _show(session, session.call("identity_devices"))


def _show(session: Session, rows: list[dict[str, Any]]) -> None:
    if session.as_json:
        show_json(rows)
    else:
        shown = [
            row
            | {"this device": "yes" if row["this_device"] else ""}
            | {f"stored {when}": day(row.get(f"stored_{when}")) for when in ("first", "last")}
            for row in rows
        ]
        show_table(shown, COLUMNS, "this node has no devices yet")


@click.command()
@click.argument("device")
@click.option("--key-file", type=KEY_FILE, help="Where this device does not keep your private key: your key file.")
@PASSPHRASE_FILE
@click.option("--end-now", is_flag=True, help="It is revoked, and you wait no longer for what it may have stored.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def revoke(
    session: Session, device: str, key_file: Path | None, passphrase_file: str | None, end_now: bool, yes: bool
) -> None:
    """DEVICE, by its number or id, was lost or stolen: nobody takes its word any more.

    What it stored stays yours. A device that is revoked does not come back: recover on it from your key file to use it
    again. Whoever has a copy of your key file too can undo this.

    While suppliers of before are looked for nobody knows how much it had stored, and all that it writes counts; bitdust
    doctor says so. With --end-now nothing counts but what is known now. What it had stored at suppliers that were not
    heard, or that list it and do not give it, is lost then.
    """
    lost = ": what it had stored at suppliers that were not heard is lost" if end_now else ""
    sure(yes, f"End what counts of device {device} here{lost}?" if end_now else f"Revoke device {device} for good?")
    arguments: dict[str, Any] = dict(_key(key_file, passphrase_file)) if key_file is not None else {}
    if end_now:
        arguments["end_now"] = True
    found = session.envelope("identity_device_revoke", device=device, **arguments)
    if not session.as_json:
        click.echo(found.get("message", "done"), err=True)
    _show(session, found["result"])


def _key(file: Path, passphrase_file: str | None) -> dict[str, str]:
    source = read_key_file(file)
    return {"private_key_source": source} | _passphrase(source, passphrase_file)


def _passphrase(source: str, passphrase_file: str | None) -> dict[str, str]:
    word = passphrase_of(source, passphrase_file)
    return {"passphrase": word} if word else {}


@click.command()
@click.argument("file", type=KEY_FILE)
@PASSPHRASE_FILE
@click.pass_obj
def detach(session: Session, file: Path, passphrase_file: str | None) -> None:
    """Take your private key out of the home: from now on it is in your key file FILE alone, which is read back first.

    The node goes on as it is. A thief of this device can be shut out then, and cannot undo that. For a new device, a
    revocation or other ID servers you need FILE.
    """
    target = file.expanduser().absolute()
    word = _passphrase(read_key_file(file), passphrase_file)
    told = session.call("identity_detach", source_filepath=str(target), **word)
    if session.as_json:
        show_json(told)
    else:
        click.echo(f"your private key is in {target} alone; take it away from this machine, and keep it")


@click.command()
@click.argument("file", type=KEY_FILE)
@PASSPHRASE_FILE
@click.option("--permanently", is_flag=True, help="Keep the key in the home again.")
@click.pass_obj
def attach(session: Session, file: Path, passphrase_file: str | None, permanently: bool) -> None:
    """Give the node your key file FILE for what needs your private key, until it stops."""
    told = session.call("identity_attach", permanently=permanently, **_key(file, passphrase_file))
    if session.as_json:
        show_json(told)
    else:
        click.echo("the node has your private key" + ("" if permanently else " until it stops"))
