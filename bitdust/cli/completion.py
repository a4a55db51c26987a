"""`bitdust completion`: what a shell needs to complete our commands and options, by click's own machinery."""

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from bitdust.cli.client import ApiError
from bitdust.cli.main import cli

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_BITDUST_COMPLETE"
"""The variable by which the script asks this program; whatever holds it was written by us."""
HINTS = {
    "bash": "it is used from the next shell on, where the package bash-completion is installed",
    "zsh": "put into ~/.zshrc, before compinit: fpath=({folder} $fpath)",
    "fish": "it is used from the next shell on",
}


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@click.option("--install", is_flag=True, help="Write it where the shell looks for it.")
def completion(shell: str | None, install: bool) -> None:
    """Print the completion script of a shell (bash, zsh or fish; left out: your own shell).

    \b
    To try it:     source <(bitdust completion bash)
    To install it: bitdust completion --install
    """
    chosen = shell or _own_shell()
    text = script(chosen)
    if not install:
        click.echo(text)
        return
    path = places()[chosen]
    if path.exists() and VARIABLE not in path.read_text(errors="replace"):
        raise ApiError("exists", f"{path} is something else and was left as it is; remove it first")
    write(path, text + "\n")
    click.echo(f"{path} is written; {HINTS[chosen].format(folder=path.parent)}")


def _own_shell() -> str:
    name = Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        raise click.UsageError(f"name a shell: {', '.join(SHELLS)}")
    return name


def script(shell: str) -> str:
    """The script that a shell reads."""
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"name a shell: {', '.join(SHELLS)}")
    maker = found(cli, {}, "bitdust", VARIABLE)
    return (maker.source_template % maker.source_vars()).strip()


def places() -> dict[str, Path]:
    """Where each shell looks for a user's completions."""
    data, config = data_folder(), Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return {
        "bash": data / "bash-completion" / "completions" / "bitdust",
        "zsh": data / "zsh" / "site-functions" / "_bitdust",
        "fish": config / "fish" / "completions" / "bitdust.fish",
    }


def data_folder() -> Path:
    """``$XDG_DATA_HOME`` (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


def write(path: Path, text: str) -> None:
    """A file that everybody may read. Raises `ApiError`."""
    from bitdust.crypt.files import write_safely

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_safely(path, text.encode(), 0o644)
    except OSError as error:
        raise ApiError("os-error", f"{path} cannot be written: {error.strerror or error}") from None
