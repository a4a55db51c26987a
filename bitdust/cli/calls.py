"""``bitdust api METHOD key=value …``: any method of the API."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from bitdust.cli.main import Session
from bitdust.cli.output import show_json


@click.command()
@click.argument("method")
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE]…")
@click.pass_obj
def api(session: Session, method: str, arguments: tuple[str, ...]) -> None:
    """Call any API METHOD and print its whole answer.

    \b
    KEY=VALUE     text, number or boolean; a value that begins with { or [ is JSON
    KEY:=JSON     exactly this JSON
    KEY=@FILE     the text of a file; for secrets, which do not belong into a command line
    KEY=-         the text of standard input
    """
    given = dict(parse_argument(argument) for argument in arguments)
    if len(given) != len(arguments):
        raise click.UsageError("an argument is given twice")
    show_json(session.client.envelope(method, **given))


def parse_argument(argument: str) -> tuple[str, Any]:
    """Name and value; raises `click.UsageError`."""
    name, equals, value = argument.partition("=")
    if not equals or not name.rstrip(":").isidentifier():
        raise click.UsageError(f"{argument!r} is not of the form key=value")
    if name.endswith(":"):
        return name[:-1], _json(argument, value)
    if value == "-":
        return name, sys.stdin.read()
    if value.startswith("@"):
        return name, _file(value[1:])
    return name, _json(argument, value) if value.startswith(("{", "[")) else value


def _json(argument: str, value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError as error:
        raise click.UsageError(f"{argument!r} is not JSON: {error}") from None


def _file(name: str) -> str:
    try:
        return Path(name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{name} cannot be read: {error}") from None
