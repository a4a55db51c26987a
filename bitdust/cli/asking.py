"""Questions to a person, and their answers from options where nobody can be asked."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from bitdust.crypt.files import readable_by

T = TypeVar("T")
MAX_PASSPHRASE = 4000

PASSPHRASE_FILE = click.option(
    "--passphrase-file",
    metavar="FILE",
    help="Take the passphrase from the first line of FILE; - is standard input.",
)
"""The way for scripts: a passphrase never stands in a command line."""


def somebody_is_there() -> bool:
    """Whether questions can be asked."""
    return sys.stdin.isatty()


def ask(flag: str, question: str, check: Callable[[str], T], default: str | None = None) -> T:
    """The answer, asked again until ``check`` takes it; it raises `ValueError` or a click error with the reason.
    Raises `click.UsageError` that names the option where nobody is there to be asked."""
    if not somebody_is_there():
        raise missing([flag])

    def proved(text: str) -> T:
        try:
            return check(text.strip())
        except ValueError as error:
            raise click.UsageError(str(error)) from None

    answer: T = click.prompt(question, default=default, value_proc=proved, err=True, show_default=bool(default))
    return answer


def confirm(flag: str, question: str, default: bool) -> bool:
    """Yes or no."""
    if not somebody_is_there():
        raise missing([flag])
    return click.confirm(question, default=default, err=True)


def sure(yes: bool, question: str) -> None:
    """What destroys something asks first, unless ``--yes`` was said. Raises `click.Abort` for a no, and
    `click.UsageError` where nobody is there to be asked."""
    if not yes and not confirm("--yes", question, default=False):
        raise click.Abort


def missing(flags: list[str]) -> click.UsageError:
    """The error of a command that can ask nobody."""
    return click.UsageError(f"nobody can be asked here; give {', '.join(flags)}")


def secret(file: str | None, question: str, twice: bool, may_be_empty: bool = False, least: int = 0) -> str:
    """A passphrase from ``file`` (``-``: standard input), which nobody else may read, or from the terminal, without
    echo."""
    if file is not None:
        return _checked(_first_line(file), least)
    if not somebody_is_there():
        raise missing(["--passphrase-file FILE"])
    while True:
        given = _typed(question, "" if may_be_empty else None, least)
        if not given or not twice or _typed("Once more", None, 0) == given:
            return given
        click.echo("Error: the two differ", err=True)


def _typed(question: str, default: str | None, least: int) -> str:
    given: str = click.prompt(
        question,
        default=default,
        show_default=False,
        hide_input=True,
        value_proc=lambda text: _checked(text, least if text or default is None else 0),
        err=True,
    )
    return given


def _checked(text: str, least: int) -> str:
    if len(text) < least:
        raise click.UsageError(f"a passphrase has at least {least} characters")
    return text


def _first_line(file: str) -> str:
    try:
        if file == "-":
            text = sys.stdin.readline(MAX_PASSPHRASE)
        else:
            with Path(file).expanduser().open(encoding="utf-8") as stream:
                others = readable_by(os.fstat(stream.fileno()))
                if others:
                    raise click.UsageError(f"{others} can read the passphrase file {file}: chmod 600 {file}")
                text = stream.readline(MAX_PASSPHRASE)
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"the passphrase file {file} cannot be read: {error}") from None
    if not text.rstrip("\r\n"):
        raise click.UsageError(f"the passphrase file {file} has an empty first line")
    return text.rstrip("\r\n")
