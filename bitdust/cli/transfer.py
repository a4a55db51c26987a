"""Uploads and downloads from the command line: followed to their end, asked about where they look like a mistake."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from bitdust.cli.asking import somebody_is_there
from bitdust.cli.client import ApiError
from bitdust.cli.main import Session, error_line
from bitdust.cli.output import printable, sentences, show_json
from bitdust.cli.progress import follow

LEFT_OUT, REFUSED, WAITS = 3, 4, 5
CODES = (
    "Exit codes: 0 all of it is done; 1 error; 2 wrong usage; 3 done, but what was told was left out or changed;"
    " {refused}130 Ctrl-C: the transfer goes on in the node."
)
UPLOAD_CODES = CODES.format(
    refused="4 refused, because much would be dropped and neither --allow-empty nor --allow-drop was given;"
    " 5 suppliers take nothing now: all is kept here, and the node goes on by itself; "
)
DOWNLOAD_CODES = CODES.format(refused="")
MISTAKES = {
    "empty-source": ("allow_empty", "Store it as empty?"),
    "would-drop": ("allow_drop", "Go on, and keep them in the history only?"),
}
"""Refusals that a person may overrule: the argument for it, and the question."""
WORDS = {"changed": "changed", "kept": "kept", "older-version": "an earlier version"}
"""What became of a file, by the code of the problem."""


Command = TypeVar("Command", bound=Callable[..., Any])


def keeping(command: Command) -> Command:
    """Options of uploads and downloads alike; without them the settings decide."""
    text = "extended attributes and access control lists"
    command = click.option("--attributes/--no-attributes", default=None, help=f"With {text}, or without.")(command)
    return click.option("--owners/--no-owners", default=None, help="With owners and groups, or without.")(command)


def given(options: dict[str, bool | None]) -> dict[str, bool]:
    """Options that say something."""
    kept = ("attributes", "owners", "special_bits")
    return {name: value for name, value in options.items() if value is not None and (value or name in kept)}


def transfer(session: Session, way: str, arguments: dict[str, Any], no_wait: bool) -> None:
    """Start it, and follow it unless ``no_wait``; exits with a code that says how it ended."""
    try:
        result = _run(session, way, arguments, no_wait)
    except ApiError as error:
        if error.code == "waits-for-suppliers":
            click.echo(_told(session, error), err=True)
            raise SystemExit(WAITS) from None
        if error.code not in MISTAKES:
            raise
        allowing, question = MISTAKES[error.code]
        if session.as_json or not somebody_is_there():
            click.echo(_told(session, error), err=True)
            raise SystemExit(REFUSED) from None
        if not click.confirm(f"{sentences(error)}\n{question}", default=False, err=True):
            raise SystemExit(REFUSED) from None
        transfer(session, way, arguments | {allowing: True}, no_wait)
        return
    _report(session, way, arguments, result, "began" if no_wait else "done")


def _run(session: Session, way: str, arguments: dict[str, Any], no_wait: bool) -> dict[str, Any]:
    method = f"file_{way}_start"
    result: dict[str, Any] = session.call(method, **arguments) if no_wait else follow(session, way, method, arguments)
    return result


def _told(session: Session, error: ApiError) -> str:
    return error_line(error.code, str(error), session.as_json)


def _report(session: Session, way: str, arguments: dict[str, Any], result: dict[str, Any], word: str) -> None:
    problems = result.get("problems", ())
    if session.as_json:
        show_json(result)
    else:
        click.echo(f"{way} {word}: {printable(arguments['remote_path'])}")
        for problem in problems:
            click.echo(f"  {_words(problem)}: {text_of(problem)}", err=True)
    if any(_counts(problem) for problem in problems):
        raise SystemExit(LEFT_OUT)


def _counts(problem: Any) -> bool:
    """A file that was to be kept is no problem."""
    return not isinstance(problem, dict) or problem.get("code") != "kept"


def _words(problem: Any) -> str:
    code = problem.get("code") if isinstance(problem, dict) else None
    return WORDS.get(str(code), "not included")


def text_of(problem: Any) -> str:
    """One line about something that was left out."""
    if isinstance(problem, dict):
        return printable(f"{problem.get('path', '')}: {problem.get('reason', problem.get('text', ''))}")
    return printable(str(problem))
