"""Friends from the command line."""

from typing import Any

import click

from bitdust.cli.groups import LIST_WORDS, SECONDS, Aliased
from bitdust.cli.main import Session
from bitdust.cli.output import show_json, show_table

WORDS = LIST_WORDS | {
    "rm": "remove",
    "del": "remove",
    "delete": "remove",
    "ping": "status",
    "check": "status",
    "find": "search",
}


@click.group(cls=Aliased, aliases=WORDS, default="list")
def friend() -> None:
    """People whom you have accepted: list, search, add, remove, status, nickname."""


@friend.command("list")
@click.pass_obj
def list_friends(session: Session) -> None:
    """Your friends, and who of them is here."""
    rows = session.call("friends_list") or []
    if session.as_json:
        show_json(rows)
        return
    shown = [{**row, "who": called(row)} for row in rows]
    show_table(shown, ["alias", "who", "contact_state", "idurl"], "you have no friends yet; bitdust friend add ID")


def called(row: dict[str, Any]) -> str:
    """Anybody may call himself anything: a name that was not proven comes behind the fingerprint."""
    if row["name_proven"]:
        return str(row["global_id"])
    return f"{row['fingerprint'][:16]} (unproven: {row['global_id'] or 'no name'})"


@friend.command("search")
@click.argument("nickname")
@click.pass_obj
def search(session: Session, nickname: str) -> None:
    """Everybody who bears a nickname; compare the fingerprint before you trust a name that is not proven."""
    rows = session.call("user_observe", nickname=nickname) or []
    if session.as_json:
        show_json(rows)
        return
    shown = [{**row, "who": called(row)} for row in rows]
    show_table(shown, ["position", "who", "fingerprint", "idurl"], f"nobody is called {nickname}")


@friend.command("nickname")
@click.argument("nickname", required=False)
@click.pass_obj
def my_nickname(session: Session, nickname: str | None) -> None:
    """Your nickname, by which others find you; with NICKNAME another one from now on."""
    if nickname is None:
        row = session.call("nickname_get")
        place = row["reason"] or "not in the DHT yet" if row["position"] is None else f"position {row['position']}"
        session.say(f"{row['nickname'] or 'no nickname'}: {place}", **row)
        return
    envelope = session.envelope("nickname_set", nickname=nickname)
    session.say(envelope["message"], **envelope["result"])


@friend.command("add")
@click.argument("who", metavar="ID")
@click.argument("alias", required=False, default="")
@click.pass_obj
def add_friend(session: Session, who: str, alias: str) -> None:
    """Accept somebody: a global id, identity URL, nickname or fingerprint, and what you call this person."""
    session.say(session.envelope("friend_add", trusted_user_id=who, alias=alias).get("message", "done"))


@friend.command("remove")
@click.argument("who", metavar="ID|ALIAS")
@click.pass_obj
def remove_friend(session: Session, who: str) -> None:
    """Somebody is a friend no more."""
    session.say(session.envelope("friend_remove", user_id=who).get("message", "done"))


@friend.command("status")
@click.argument("who", metavar="ID|ALIAS")
@click.option("--timeout", type=SECONDS, default=None, help="Seconds to wait for a sign of life.")
@click.pass_obj
def status_of_friend(session: Session, who: str, timeout: float | None) -> None:
    """Make sure whether somebody is here."""
    arguments = {"timeout": timeout} if timeout is not None else {}
    row = session.call("user_status_check", user_id=who, **arguments)
    if session.as_json:
        show_json(row)
    else:
        click.echo(f"{row['global_id']} is {row['contact_state']}")
