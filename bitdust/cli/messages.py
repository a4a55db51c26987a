"""Messages from the command line: conversations, history, search, export, sending."""

import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import click

from bitdust.cli.groups import COUNT, LIST_WORDS, ROWS, SECONDS, Aliased
from bitdust.cli.main import Session
from bitdust.cli.output import age, printable, show_json, show_table

WORDS = LIST_WORDS | {"conversations": "list", "find": "search", "to": "send", "show": "history", "write": "send"}
AT_ONCE = 500
GROUP = "group_"
"""How key ids of groups begin."""
Row = dict[str, Any]
WITH = click.option("--with", "who", metavar="ID|ALIAS", default=None, help="Only what you and this person wrote.")


@click.group(cls=Aliased, aliases=WORDS, default="list")
def message() -> None:
    """Messages: list, history, search, export, read, send."""


@message.command("list")
@click.option("--limit", type=ROWS, default=100, show_default=True, help="So many conversations at most.")
@click.pass_obj
def list_conversations(session: Session, limit: int) -> None:
    """Your conversations, the newest first."""
    rows = session.call("message_conversations_list", limit=limit) or []
    if session.as_json:
        show_json(rows)
        return
    shown = [{**row, "with": _with(row), "last": age(row["last_updated"])} for row in rows]
    show_table(shown, ["with", "messages", "unread", "last", "state"], "nobody has written yet; bitdust chat ID")


def _with(row: Row) -> str:
    """A group by its key id too, under which other commands know it."""
    is_named = row["type"] != "group_message" or row["label"] == row["key_id"]
    return str(row["label"]) if is_named else f"{row['label']} ({row['key_id']})"


@message.command("history")
@click.argument("who", metavar="[ID|ALIAS]", required=False)
@click.option("-n", "--limit", type=ROWS, default=50, show_default=True, help="So many messages at most.")
@click.option("--offset", type=COUNT, default=0, help="Leave out so many of the newest.")
@click.option("--before", default=None, metavar="NUMBER", help="Only older ones than this message.")
@click.pass_obj
def history(session: Session, who: str | None, limit: int, offset: int, before: str | None) -> None:
    """What was written with one person, or with everybody."""
    place = {"before": before} if before is not None else {}
    rows = session.call("message_history", recipient_id=who, limit=limit, offset=offset, **place) or []
    _show(session, rows, who is None)


@message.command("search")
@click.argument("words", nargs=-1, required=True)
@WITH
@click.option("-n", "--limit", type=ROWS, default=50, show_default=True, help="So many messages at most.")
@click.pass_obj
def search(session: Session, words: tuple[str, ...], who: str | None, limit: int) -> None:
    """Messages that have all these words, the newest first; begin* finds every word that begins so."""
    rows = session.call("message_search", query=" ".join(words), recipient_id=who, limit=limit) or []
    _show(session, rows, who is None)


@message.command("export")
@click.argument("file", metavar="[FILE]", default="-")
@WITH
@click.pass_obj
def export(session: Session, file: str, who: str | None) -> None:
    """Write messages to FILE, one JSON object a line; - is the standard output."""
    if file != "-":
        path = os.path.abspath(os.path.expanduser(file))
        envelope = session.envelope("message_export", destination_filepath=path, recipient_id=who)
        session.say(envelope["message"], **envelope["result"])
        return
    for row in pages(session, who):
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


def pages(session: Session, who: str | None) -> Iterator[Row]:
    """All messages from old to new, some at a time."""
    after = str(-(2**52))
    while rows := session.call("message_history", recipient_id=who, limit=AT_ONCE, after=after):
        yield from rows
        after = str(rows[-1]["number"])


@message.command("read")
@click.argument("who", metavar="ID|ALIAS")
@click.pass_obj
def read(session: Session, who: str) -> None:
    """You have read all of a conversation."""
    row = session.call("message_mark_read", conversation_id=who)
    session.say(f"{row['unread']} messages are unread", **row)


@message.command("send")
@click.argument("who", metavar="ID|ALIAS|KEY_ID")
@click.argument("text", nargs=-1, required=True)
@click.option("--timeout", type=SECONDS, default=15.0, show_default=True, help="Seconds to wait until it has arrived.")
@click.pass_obj
def send(session: Session, who: str, text: tuple[str, ...], timeout: float) -> None:
    """Write to somebody, or to a group; a TEXT that begins with { is a JSON object that is sent as it stands.

    The message is stored before anything is waited for, and goes on its way after the timeout too.
    """
    envelope = sent(session, who, data_of(" ".join(text)), timeout)
    session.say(fate_of(envelope), **(envelope.get("result") or {}))


def sent(session: Session, who: str, data: Row, timeout: float) -> Row:
    """The answer of the node, which waits so many seconds for the recipient's; a group is written to as one."""
    if who.startswith(GROUP):
        return session.envelope("message_send_group", group_key_id=who, data=data)
    arguments = {"recipient_id": who, "data": data, "ping_timeout": 0, "message_ack_timeout": timeout}
    return session.envelope("message_send", **arguments)


def fate_of(envelope: Row) -> str:
    """What became of a message that was sent."""
    result = envelope.get("result") or {}
    arrived = "a program there has it" if result.get("consumed") else "nobody is reading it now"
    if "state" not in result:
        return str(envelope.get("message", "done"))
    return str(envelope.get("message") or f"{result['state']}; {arrived}")


def data_of(text: str) -> Row:
    """What travels for a text that a person typed, or for an object; see `text_data`."""
    if text.startswith("{"):
        try:
            data = json.loads(text)
        except ValueError as error:
            text = f"what begins with {{ is sent as a JSON object, and this is no JSON object: {error}"
            raise click.BadParameter(text, param_hint="TEXT") from None
        return dict(data)
    return text_data(text)


def text_data(text: str) -> Row:
    """What travels for a text; refuses one in which nothing is."""
    if not text.strip():
        raise click.BadParameter("there is nothing in it to send", param_hint="TEXT")
    return {"message": text}


def _show(session: Session, rows: list[Row], of_all: bool) -> None:
    if session.as_json:
        show_json(rows)
        return
    for row in rows:
        click.echo(line_of(row, of_all))
    if not rows:
        click.echo("no such messages")


def line_of(row: Row, of_all: bool = False) -> str:
    """A stored message in one line; when it was written, and no later than it came, because its sender may say any
    time. ``of_all``: and to whom it is, where several conversations are shown together."""
    shown = row["doc"]
    payload = shown["payload"]
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(min(row["received"], payload["time"])))
    to = f" to {place_of(shown['recipient']['glob_id'])}" if of_all else ""
    return f"{when}  {who_of(shown['sender']['glob_id'])}{to}: {text_of(payload['data'])}"


def place_of(key_id: str) -> str:
    """To whom something was written: a group by its key id, under which commands know it."""
    return printable(key_id) if key_id.startswith(GROUP) else who_of(key_id)


def who_of(key_id: str) -> str:
    """``bob@host`` of ``master$bob@host``; a fingerprint in short."""
    name = key_id.rpartition("$")[2]
    return printable(name if "@" in name else name[:16])


def text_of(data: Any) -> str:
    """What a person reads of a message."""
    for name in ("message", "text", "body"):
        if isinstance(data, dict) and isinstance(data.get(name), str) and len(data) == 1:
            return printable(data[name])
    return printable(json.dumps(data, ensure_ascii=False))
