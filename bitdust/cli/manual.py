"""The manual page, written from the commands themselves (roff, man(7)): `python -m bitdust.cli.manual docs/man`."""

import inspect
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from bitdust.cli.client import ApiError
from bitdust.cli.completion import data_folder, write
from bitdust.cli.main import EXIT_CODES, LazyGroup, cli

PAGE = "bitdust.1"
MARK = '.\\" Written by bitdust from its commands.'
UNWRAPPED = "\b\n"
FILES = (
    ("~/.bitdust", "The home folder: settings, keys, catalog, customers' pieces, logs."),
    (
        "~/.bitdust/metadata/mykeyfile",
        "Your private key. Keep a copy of the key file that identity backup writes elsewhere.",
    ),
)
VARIABLES = (
    ("BITDUST_HOME", "The home folder."),
    (
        "BITDUST_PASSPHRASE_FILE",
        "A file, readable only by you, with the passphrase of locked keys, for the node's start.",
    ),
    ("BITDUST_NO_REMINDER", "Where it is not empty, commands do not remind of a missing backup."),
)


@click.command()
@click.option("--install", is_flag=True, help="Write the page where man looks for it.")
def man(install: bool) -> None:
    """Show the manual page of all commands."""
    if install:
        path = place()
        write(path, page())
        click.echo(f"{path} is written; read it with: man bitdust")
    elif sys.stdout.isatty() and shutil.which("man"):
        subprocess.run(["man", "-l", "-"], input=page().encode(), check=False)
    else:
        click.echo(page(), nl=False)


def place() -> Path:
    """Where man(1) looks for a user's pages."""
    return data_folder() / "man" / "man1" / PAGE


def page() -> str:
    """The whole page; nothing in it depends on the machine or the day."""
    return "\n".join([MARK, *_lines()]) + "\n"


def _lines() -> Iterator[str]:
    root = click.Context(cli, info_name="bitdust")
    yield '.TH BITDUST 1 "" "BitDust" "User Commands"'
    yield from (".SH NAME", "bitdust \\- a node of a private, peer\\-to\\-peer cloud")
    yield from (".SH SYNOPSIS", ".B bitdust", roff(" ".join(cli.collect_usage_pieces(root))))
    yield ".SH DESCRIPTION"
    yield from _text(cli.help or "")
    yield ".SH OPTIONS"
    yield from _options(cli, root)
    yield ".SH COMMANDS"
    for name in cli.list_commands(root):
        command = cli.get_command(root, name)
        if command is not None and not command.hidden:
            yield from _command(command, click.Context(command, info_name=name, parent=root))
    yield from _pairs("ENVIRONMENT", VARIABLES)
    yield from _pairs("FILES", FILES)
    yield from (".SH EXIT STATUS", roff(EXIT_CODES), "A command with others says so.")


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f".SS {roff(context.command_path)} {roff(pieces)}".rstrip()
    yield from _text(command.help or "")
    yield from _options(command, context)
    if command.epilog and command.epilog != EXIT_CODES:
        yield ".PP"
        yield from _text(command.epilog)
    if isinstance(command, click.Group) and not isinstance(command, LazyGroup):
        for name, inner in command.commands.items():
            if not inner.hidden:
                yield from _command(inner, click.Context(inner, info_name=name, parent=context))


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    records = [param.get_help_record(context) for param in command.params]
    for names, text in filter(None, records):
        yield from (".TP", f".B {roff(names)}", roff(text) or "\\&")


def _pairs(title: str, rows: tuple[tuple[str, str], ...]) -> Iterator[str]:
    yield f".SH {title}"
    for name, text in rows:
        yield from (".TP", f".B {roff(name)}", roff(text))


def _text(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(inspect.cleandoc(text).split("\n\n")):
        if number:
            yield ".PP"
        body = paragraph.removeprefix(UNWRAPPED)
        if body != paragraph:
            yield from (".nf", *map(roff, body.splitlines()), ".fi")
        else:
            yield roff(" ".join(body.split()))


def roff(text: str) -> str:
    """Text in which nothing is a request or an escape."""
    safe = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "").replace("\n", " ")
    return "\\&" + safe if safe.startswith((".", "'")) else safe


def main(folder: Path, check: bool) -> int:
    """Write the page, or tell whether it is fresh."""
    path = folder / PAGE
    if check:
        fresh = path.exists() and path.read_text(encoding="utf-8") == page()
        return 0 if fresh else _stale(path)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(page(), encoding="utf-8")
    return 0


def _stale(path: Path) -> int:
    print(f"{path} is not what the commands say; write it again: make api-docs", file=sys.stderr)
    return 1


if __name__ == "__main__":
    try:
        raise SystemExit(main(Path(sys.argv[1]), "--check" in sys.argv))
    except ApiError as error:
        raise SystemExit(str(error)) from None
