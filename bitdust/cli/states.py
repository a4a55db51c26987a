"""State machines from the command line: where they stand, and how they move."""

import json
import secrets
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from bitdust.cli.client import ApiClient, ApiError
from bitdust.cli.groups import Aliased
from bitdust.cli.main import Session
from bitdust.cli.output import age, show_fields, show_json, show_table

POLL_SECONDS = 30.0
LOOK_AGAIN = 0.1
GONE = ("not-running", "no-answer", "timeout", "cancelled", "no-rest")
"""Codes of a node that is stopping, gone, or not there yet."""
NAME = click.option("--name", default="", help="Only machines whose id contains this.")


@click.group(cls=Aliased, aliases={"ls": "list", "show": "info"}, default="list")
def states() -> None:
    """State machines: list, info, follow. `states -f` follows, `states --name backup` looks for some."""


def follow_option(command: Any) -> Any:
    """``-f`` beside the list, as `tail` has it."""
    option = click.option("-f", "--follow", "following", is_flag=True, help="Print every move, until Ctrl-C.")
    return option(command)


@states.command("list")
@NAME
@follow_option
@click.pass_context
def list_states(ctx: click.Context, name: str, following: bool) -> None:
    """Every state machine of the node, since when it is in its state, and when its timers fire."""
    if following:
        ctx.invoke(follow, name=name)
        return
    session: Session = ctx.obj
    rows = [row for row in session.call("automats_list") or [] if name in row["id"]]
    if session.as_json:
        show_json(rows)
        return
    for row in rows:
        row["since"] = age(row.get("since"))
        timers = row.get("timers") or {}
        row["timers"] = ", ".join(f"{timer} in {due:.0f}s" for timer, due in timers.items()) or None
    show_table(rows, ["index", "id", "state", "since", "timers"], "there are no such state machines")


@states.command("info")
@click.argument("which")
@click.pass_obj
def state_info(session: Session, which: str) -> None:
    """One state machine, by index or id, with its last moves."""
    arguments = {"index": int(which)} if which.isascii() and which.isdigit() else {"automat_id": which}
    row = session.call("automat_info", **arguments)
    if session.as_json:
        show_json(row)
        return
    past = row.pop("past", [])
    show_fields(row | {"since": age(row.get("since"))})
    for move in past:
        click.echo(f"  {age(move['time']):>5} ago  {move['old']} -> {move['new']}  {move['event']}")


@states.command("follow")
@NAME
@click.option("--count", type=int, default=None, help="Stop after so many moves.")
@click.pass_obj
def follow(session: Session, name: str, count: int | None = None) -> None:
    """Print every move of every state machine, until Ctrl-C; continues when the node is started again."""
    client = ApiClient(session.home, timeout=POLL_SECONDS + 30)
    client.call("process_health")
    shown = 0
    try:
        for row in moves(client, name):
            _show(session, row)
            shown += "notice" not in row
            if count is not None and shown >= count:
                return
    except KeyboardInterrupt:
        return


def moves(client: ApiClient, name: str) -> Iterator[dict[str, Any]]:
    """Moves, and ``{"notice": …}`` where some are missing or the node goes and comes; without an end."""
    consumer, there, timeout = f"cli-{secrets.token_hex(8)}", True, 0.0
    while True:
        try:
            answer = client.call("automats_follow", consumer_callback_id=consumer, name=name, polling_timeout=timeout)
        except ApiError as error:
            if error.code not in GONE:
                raise
            if there:
                yield {"notice": "the node does not answer; waiting until it is back", "time": time.time()}
            there, timeout = False, 0.0
            time.sleep(LOOK_AGAIN)
            continue
        if not there:
            yield {"notice": "the node is back", "time": time.time()}
        there, timeout = True, POLL_SECONDS
        if answer.get("missed"):
            yield {"notice": f"{answer['missed']} moves were left out", "time": time.time()}
        yield from answer.get("moves", [])


def _show(session: Session, row: dict[str, Any]) -> None:
    if session.as_json:
        click.echo(json.dumps(row, sort_keys=True))
    elif "notice" in row:
        click.echo(f"{_clock(row['time'])}  -- {row['notice']}")
    else:
        click.echo(f"{_clock(row['time'])}  {row['id']:40}  {row['old']} -> {row['new']}  {row['event']}")
    sys.stdout.flush()


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%H:%M:%S.%f")[:-3]
