"""Events from the command line."""

import json
import secrets
from typing import Any

import click

from bitdust.cli.client import ApiClient
from bitdust.cli.groups import LIST_WORDS, Aliased
from bitdust.cli.main import Session
from bitdust.cli.output import printable, show_json, show_table

POLL_SECONDS = 60.0


@click.group(cls=Aliased, aliases=LIST_WORDS | {"follow": "listen"})
def event() -> None:
    """Events: listen, send, list."""


@event.command("listen")
@click.option("--count", type=int, default=None, help="Stop after so many events.")
@click.pass_obj
def listen(session: Session, count: int | None) -> None:
    """Print events as they happen, until Ctrl-C."""
    try:
        _follow(session, count)
    except KeyboardInterrupt:
        return


def _follow(session: Session, count: int | None) -> None:
    client = ApiClient(session.home, timeout=POLL_SECONDS + 30)
    consumer = f"cli-{secrets.token_hex(8)}"
    seen = 0
    while count is None or seen < count:
        rows = client.call("event_listen", consumer_callback_id=consumer, polling_timeout=POLL_SECONDS)
        for row in rows[: None if count is None else count - seen]:
            seen += 1
            _print(session, row)


def _print(session: Session, row: dict[str, Any]) -> None:
    if session.as_json:
        click.echo(json.dumps(row, sort_keys=True))
    else:
        click.echo(f"{row['seq']:>6}  {row['id']:32}  {printable(json.dumps(row['data'], sort_keys=True))}")


@event.command("send")
@click.argument("event_id")
@click.argument("data", default="{}")
@click.pass_obj
def send(session: Session, event_id: str, data: str) -> None:
    """Put an event of your own into the stream; DATA is a JSON dictionary."""
    try:
        parsed = json.loads(data)
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}", param_hint="DATA") from None
    session.call("event_send", event_id=event_id, data=parsed)


@event.command("list")
@click.pass_obj
def counts(session: Session) -> None:
    """How many events of each kind there were."""
    found = session.call("events_list")
    if session.as_json:
        show_json(found)
        return
    show_table([{"event": name, "count": found[name]} for name in sorted(found)], ["event", "count"], "no events yet")
