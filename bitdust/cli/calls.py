"""``bitdust api METHOD key=value …``: any method of the API."""

import re
import sys
from pathlib import Path
from typing import Any

import click

from bitdust.api.arguments import BadArgument, parse_json
from bitdust.cli.client import ApiError
from bitdust.cli.main import Session
from bitdust.cli.output import printable, show_json
from bitdust.cli.reference import find, method_names, show_list, show_page, suggestion, years

METHOD = re.compile(r"[A-Za-z0-9_]{1,100}")
YEAR = re.compile(r"(\d{4})?", re.ASCII)


@click.command(add_help_option=False)
@click.option("--generation", metavar="YEAR", default="", help="Ask as the API was in that year: 2016.")
@click.argument("method", required=False)
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE]…")
@click.option("-h", "--help", "explain", is_flag=True, help="Explain the METHOD, or this command.")
@click.pass_context
def api(ctx: click.Context, generation: str, method: str | None, arguments: tuple[str, ...], explain: bool) -> None:
    """Call any API METHOD and print its whole answer; without METHOD, list all.

    \b
    KEY=VALUE     text, number or boolean; a value that begins with { or [ is JSON
    KEY:=JSON     exactly this JSON
    KEY=@FILE     the text of a file; for secrets, which do not belong into a command line
    KEY=-         the text of standard input
    """
    if method is None:
        click.echo(ctx.get_help()) if explain else show_list()
        return
    if explain:
        show_method(method, generation)
        return
    if not METHOD.fullmatch(method) or not YEAR.fullmatch(generation):
        raise click.UsageError("METHOD is a name such as config_get, YEAR a number such as 2016; see: bitdust api")
    given = dict(parse_argument(argument) for argument in arguments)
    if len(given) != len(arguments):
        raise click.UsageError("an argument is given twice")
    session: Session = ctx.obj
    try:
        show_json(session.client.post(f"/{generation or 'api'}/{method}", given))
    except ApiError as error:
        if error.code == "not-found" and find(method, generation) is None:
            raise ApiError(error.code, f"{error}{suggestion(method, method_names())}", error.envelope) from None
        raise


def show_method(name: str, generation: str) -> None:
    """The page of a method; raises `click.UsageError` that names near ones."""
    if generation and generation not in years():
        raise click.UsageError(
            f"there is no API of {printable(generation)}; older ones that are kept: {', '.join(years())}"
        )
    found = find(name, generation)
    if found is None:
        raise click.UsageError(f"there is no API method {name!r}{suggestion(name, method_names())}")
    show_page(found)


def parse_argument(argument: str) -> tuple[str, Any]:
    """Name and value; raises `click.UsageError`."""
    name, equals, value = argument.partition("=")
    if not equals or not name.rstrip(":").isidentifier():
        raise click.UsageError(f"{argument[:80]!r} is not of the form key=value")
    if name.endswith(":"):
        return name[:-1], _json(argument, value)
    if value == "-":
        return name, _standard_input()
    if value.startswith("@"):
        return name, _file(value[1:])
    return name, _json(argument, value) if value.startswith(("{", "[")) else value


def _json(argument: str, value: str) -> Any:
    try:
        return parse_json(value)
    except BadArgument as error:
        raise click.UsageError(f"{printable(argument[:80])!r}: the value is {error}") from None


def _standard_input() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise click.UsageError(f"standard input is not UTF-8 text: {error}") from None


def _file(name: str) -> str:
    try:
        return Path(name).read_text()
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{printable(name)} cannot be read: {error}") from None
