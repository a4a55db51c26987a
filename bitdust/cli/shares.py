"""Shares from the command line."""

import time
from typing import Any

import click

from bitdust.cli.groups import COUNT, LIST_WORDS, PATIENCE, ROWS, Aliased
from bitdust.cli.main import Session
from bitdust.cli.output import show_json, show_table
from bitdust.wire.sizes import in_words

WORDS = LIST_WORDS | {"new": "create", "make": "create", "rm": "delete", "del": "delete", "remove": "delete",
                      "invite": "grant", "let": "grant", "join": "open", "connect": "open", "leave": "close",
                      "show": "info", "log": "history"}  # fmt: skip
MB = 1024 * 1024
COLUMNS = ["key_id", "label", "owner", "state", "access", "people"]


@click.group(cls=Aliased, aliases=WORDS, default="list")
def share() -> None:
    """Places that you let people into, and places of others: list, create, grant, revoke, open, close, info, history,
    delete."""


@share.command("list")
@click.option("--active", is_flag=True, help="Only those that are open.")
@click.pass_obj
def list_shares(session: Session, active: bool) -> None:
    """Your shares, and those that other people gave to you."""
    rows = session.call("shares_list", only_active=active) or []
    if session.as_json:
        show_json(rows)
        return
    show_table([_shown(row) for row in rows], COLUMNS, "there are no shares yet; bitdust share create LABEL")


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    writes = "write" in row["rights"]
    people = ", ".join(one["global_id"] or one["fingerprint"][:16] for one in row.get("holders", ()))
    owner = "you" if row["mine"] else row["creator"]
    return {**row, "owner": owner, "access": "read and write" if writes else "read", "people": people}


@share.command("create")
@click.argument("label", required=False, default="")
@click.pass_obj
def create(session: Session, label: str) -> None:
    """Make a place that you can let people into; prints its key id. Upload to KEY_ID:PATH."""
    answer = session.envelope("share_create", label=label)
    if session.as_json:
        show_json(answer["result"])
    else:
        session.say(answer["message"])
        click.echo(answer["result"]["key_id"])


@share.command("info")
@click.argument("key_id")
@click.pass_obj
def info(session: Session, key_id: str) -> None:
    """One share: who holds it, and who was let in."""
    row = session.call("share_info", key_id=key_id)
    if session.as_json:
        show_json(row)
        return
    show_table([_shown(row)], COLUMNS, "")
    if row["reason"]:
        click.echo(row["reason"])
    if row.get("holders"):
        people = [{**one, "who": _who(one), "rights": ", ".join(one["rights"]), "brought": _brought(one)}
                  for one in row["holders"]]  # fmt: skip
        show_table(people, ["who", "rights", "brought", "state", "reason"], "")
    elif row.get("quota"):
        click.echo(f"you have brought {_brought(row)}")


def _who(row: dict[str, Any]) -> str:
    return str(row["global_id"] or row["fingerprint"][:16])


def _brought(row: dict[str, Any]) -> str:
    """How much of what is allowed somebody has brought; nothing where nothing is."""
    return f"{in_words(row['used'])} of {in_words(row['quota'])}" if row.get("quota") else ""


@share.command("grant")
@click.argument("key_id")
@click.argument("who", metavar="ID")
@click.option("--read-only", is_flag=True, help="This person may read, and bring nothing.")
@click.option("--quota", type=COUNT, metavar="MB", help="So much this person may bring; 1024 MB if left out.")
@click.option(
    "--timeout", type=PATIENCE, default=45.0, show_default=True, help="Seconds to wait for that person's node."
)
@click.pass_obj
def grant(session: Session, key_id: str, who: str, read_only: bool, quota: int | None, timeout: float) -> None:
    """Let somebody into a share of yours."""
    access = "read" if read_only else "write"
    more = {"quota": quota * MB} if quota is not None else {}
    answer = session.envelope("share_grant", key_id=key_id, trusted_user_id=who, access=access, timeout=timeout, **more)
    session.say(answer.get("message", "done"))


@share.command("revoke")
@click.argument("key_id")
@click.argument("who", metavar="ID")
@click.pass_obj
def revoke(session: Session, key_id: str, who: str) -> None:
    """Shut somebody out of a share of yours; what that person has read cannot be taken back."""
    session.say(session.envelope("share_revoke", key_id=key_id, trusted_user_id=who).get("message", "done"))


@share.command("open")
@click.argument("key_id")
@click.pass_obj
def open_share(session: Session, key_id: str) -> None:
    """Connect to a share, now and after each start."""
    session.say(session.envelope("share_open", key_id=key_id).get("message", "done"))


@share.command("close")
@click.argument("key_id")
@click.pass_obj
def close(session: Session, key_id: str) -> None:
    """Disconnect from a share; nothing in it is lost."""
    session.say(session.envelope("share_close", key_id=key_id).get("message", "done"))


@share.command("history")
@click.argument("key_id", required=False)
@click.option("--limit", type=ROWS, default=100, show_default=True)
@click.pass_obj
def history(session: Session, key_id: str | None, limit: int) -> None:
    """What was stored in shares, the newest first."""
    arguments = {"key_id": key_id} if key_id else {}
    rows = session.call("share_history", limit=limit, **arguments) or []
    if session.as_json:
        show_json(rows)
    else:
        moments = [time.strftime("%Y-%m-%d %H:%M", time.localtime(row["time"])) for row in rows]
        shown = [row | {"time": moment, "by": _who(row)} for row, moment in zip(rows, moments, strict=True)]
        show_table(shown, ["time", "remote_path", "size", "by"], "nothing was stored in shares yet")


@share.command("delete")
@click.argument("key_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(session: Session, key_id: str, yes: bool) -> None:
    """Give up a share: of yours everybody is shut out, of another's it is forgotten here."""
    if not yes:
        click.confirm(f"Give up {key_id}? Nobody whom you let in can read it any more", abort=True)
    session.say(session.envelope("share_delete", key_id=key_id).get("message", "done"))
