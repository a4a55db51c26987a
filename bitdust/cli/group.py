"""Groups of people from the command line."""

import json
from typing import Any

import click

from bitdust.cli.groups import LIST_WORDS, PATIENCE, Aliased
from bitdust.cli.main import Session
from bitdust.cli.messages import text_data
from bitdust.cli.output import show_json, show_table

WORDS = LIST_WORDS | {"new": "create", "make": "create", "invite": "share", "add": "share", "kick": "remove",
                      "open": "join", "close": "leave", "show": "info", "say": "send", "write": "send"}  # fmt: skip


@click.group(cls=Aliased, aliases=WORDS, default="list")
def group() -> None:
    """People who write to all of each other: list, create, share, join, send, reconnect, leave, remove, info."""


@group.command("list")
@click.option("--active", is_flag=True, help="Only those that are joined.")
@click.pass_obj
def list_groups(session: Session, active: bool) -> None:
    """Your groups, and those that other people let you into."""
    rows = session.call("groups_list", only_active=active) or []
    if session.as_json:
        show_json(rows)
        return
    shown = [{**row, "members": len(row["members"]), "said": max(0, row["sequence_count"])} for row in rows]
    columns = ["group_key_id", "label", "creator", "state", "members", "said"]
    show_table(shown, columns, "there are no groups yet; bitdust group create LABEL")


@group.command("create")
@click.argument("label", required=False, default="")
@click.pass_obj
def create(session: Session, label: str) -> None:
    """Make a group and join it; prints its key id."""
    row = session.envelope("group_create", label=label)["result"]
    session.envelope("group_join", group_key_id=row["group_key_id"])
    if session.as_json:
        show_json(row)
    else:
        click.echo(row["group_key_id"])


@group.command("info")
@click.argument("key_id")
@click.pass_obj
def info(session: Session, key_id: str) -> None:
    """One group: its members, and whether it can be read now."""
    row = session.call("group_info", group_key_id=key_id)
    if session.as_json:
        show_json(row)
        return
    people = ", ".join(row["members"])
    click.echo(f"{row['group_key_id']} {row['label']}\n{row['state']} {row['reason']}\nmembers: {people}")
    keepers = f"{row['joint_postman']}: {', '.join(row['keepers'])}" if row["keepers"] else "nobody yet"
    click.echo(f"entries: {max(0, row['sequence_count'])}; kept by {keepers}")
    if row["dropped"]:
        click.echo(f"{row['dropped']} entries were gone there before this node could read them")


@group.command("share")
@click.argument("key_id")
@click.argument("who", metavar="ID")
@click.option(
    "--timeout", type=PATIENCE, default=45.0, show_default=True, help="Seconds to wait for that person's node."
)
@click.pass_obj
def share(session: Session, key_id: str, who: str, timeout: float) -> None:
    """Let somebody into a group of yours."""
    session.say(_answer(session, "group_share", group_key_id=key_id, trusted_user_id=who, timeout=timeout))


@group.command("remove")
@click.argument("key_id")
@click.argument("who", metavar="ID")
@click.pass_obj
def remove(session: Session, key_id: str, who: str) -> None:
    """Shut somebody out of a group of yours."""
    session.say(_answer(session, "group_remove", group_key_id=key_id, trusted_user_id=who))


@group.command("join")
@click.argument("key_id")
@click.pass_obj
def join(session: Session, key_id: str) -> None:
    """Open a group, now and after each start."""
    session.say(_answer(session, "group_join", group_key_id=key_id))


@group.command("leave")
@click.argument("key_id")
@click.option("--erase-key", is_flag=True, help="Forget its key as well.")
@click.pass_obj
def leave(session: Session, key_id: str, erase_key: bool) -> None:
    """Close a group; what was said stays in your history."""
    session.say(_answer(session, "group_leave", group_key_id=key_id, erase_key=erase_key))


@group.command("reconnect")
@click.argument("key_id")
@click.pass_obj
def reconnect(session: Session, key_id: str) -> None:
    """Look again at once what was said."""
    row = session.call("group_reconnect", group_key_id=key_id)
    session.say(f"{row['group_key_id']} is {row['state']}", **row)


@group.command("send")
@click.argument("key_id")
@click.argument("words", metavar="TEXT", nargs=-1, required=True)
@click.option("--object", "is_object", is_flag=True, help="TEXT is a JSON object.")
@click.pass_obj
def send(session: Session, key_id: str, words: tuple[str, ...], is_object: bool) -> None:
    """Write to all members."""
    text = " ".join(words)
    try:
        data: Any = json.loads(text) if is_object else text_data(text)
    except ValueError as error:
        raise click.BadParameter(f"this is no JSON: {error}", param_hint="TEXT") from None
    session.say(_answer(session, "message_send_group", group_key_id=key_id, data=data))


def _answer(session: Session, method: str, **arguments: Any) -> str:
    return str(session.envelope(method, **arguments).get("message", "done"))
