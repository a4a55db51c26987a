"""Pins of IPFS from the command line: what stays, what of it is backed up, and whether it is sound."""

import json
from typing import Any

import click

from bitdust.cli.client import ApiError
from bitdust.cli.groups import Aliased
from bitdust.cli.ipfs_rpc import Rpc
from bitdust.cli.main import Session
from bitdust.cli.output import show_json, show_table
from bitdust.wire.sizes import in_words

PINS = 1000
"""Rows of pins that are asked for at once."""
PATHS = click.argument("paths", nargs=-1, required=True)


class Pinning(Aliased):
    """What is no command is a path to pin."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        is_path = bool(args) and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None
        return super().parse_args(ctx, ["add", *args] if is_path and not ctx.resilient_parsing else args)


@click.group("pin", cls=Pinning, aliases={"list": "ls", "remove": "rm"}, default="ls")
def pin() -> None:
    """Keep what is under paths, whatever is collected: add, rm, ls, verify; `pin PATH` adds."""


@pin.command("add")
@PATHS
@click.pass_obj
def add(session: Session, paths: tuple[str, ...]) -> None:
    """Keep what is here, or at other nodes, with all that is below it."""
    _show_cids(session, json.loads(Rpc(session).ask("pin/add", {}, *paths).read())["Pins"])


@pin.command("rm")
@PATHS
@click.pass_obj
def remove(session: Session, paths: tuple[str, ...]) -> None:
    """Keep it no more; what no other pin and no name needs goes with the next collection."""
    _show_cids(session, json.loads(Rpc(session).ask("pin/rm", {}, *paths).read())["Pins"])


@pin.command("ls")
@click.pass_obj
def ls(session: Session) -> None:
    """What stays, and what of it is backed up."""
    _list(session)


@pin.command("verify")
@click.pass_obj
def verify(session: Session) -> None:
    """Read all that is pinned and is on this disk; what suppliers alone have counts as sound."""
    rows = list(Rpc(session).rows("pin/verify", {"verbose": "true"}))
    bad = [row for row in rows if not row["Ok"]]
    if session.as_json:
        show_json([{"cid": row["Cid"], "sound": row["Ok"], "bad": row.get("BadNodes", [])} for row in rows])
    else:
        for row in bad:
            for one in row["BadNodes"]:
                click.echo(f"{row['Cid']}: {one['Err']}")
        click.echo(f"{len(rows) - len(bad)} of {len(rows)} pins are sound")
    if bad:
        raise ApiError("damaged", "not everything that is pinned can be read")


def _show_cids(session: Session, cids: list[str]) -> None:
    show_json(cids) if session.as_json else click.echo("\n".join(cids))


@click.command("pins")
@click.pass_obj
def pins(session: Session) -> None:
    """What stays, whatever is collected, and what of it is backed up."""
    _list(session)


def _list(session: Session) -> None:
    rows: list[dict[str, Any]] = []
    while page := session.call("ipfs_pins", offset=len(rows), limit=PINS):
        rows += page
        if len(page) < PINS:
            break
    if session.as_json:
        show_json(rows)
        return
    shown = [
        {**row, "pinned": row["mode"], "backed up": "yes" if row["backed_up"] else f"no, {in_words(row['bytes_left'])}"}
        for row in rows
    ]
    show_table(shown, ["cid", "pinned", "backed up", "name"], "nothing is pinned; bitdust ipfs add FILE")


@click.command("unpin")
@PATHS
@click.pass_context
def unpin(ctx: click.Context, paths: tuple[str, ...]) -> None:
    """The same as `pin rm`."""
    ctx.invoke(remove, paths=paths)
