"""Small commands that need no running node."""

from pathlib import Path

import click

from bitdust import __version__
from bitdust.cli.main import Session
from bitdust.cli.output import show_json


@click.command()
@click.option("--exit", "leave", is_flag=True, help="End at once; exit code 0 only if everything came back.")
@click.option("--hard", is_flag=True, help="Also kill the ID server, and use a key file that is out of date.")
@click.option("--path", type=click.Path(path_type=Path, exists=True, file_okay=False), help="The folder to back up.")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Keep the nodes' homes here.")
def demo(leave: bool, hard: bool, path: Path | None, folder: Path | None) -> None:
    """Show the main job on this machine: back up, lose half the suppliers and the home, restore."""
    from bitdust.cli.demo import run_demo

    raise SystemExit(run_demo(path, leave, hard, folder))


@click.command()
@click.pass_obj
def version(session: Session) -> None:
    """Print the version."""
    if session.as_json:
        show_json({"version": __version__})
    else:
        click.echo(__version__)


@click.command("help")
@click.argument("words", nargs=-1)
@click.pass_context
def help_command(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Explain a command, `help file upload`, an API method, `help file_upload_start`, or `help settings`."""
    from bitdust.cli.reference import find, method_names, show_page, suggestion

    if words == ("settings",):
        from bitdust.cli.settings import config_list

        ctx.invoke(config_list, info=True)
        return None
    root = ctx.find_root()
    command: click.Command = root.command
    here = root
    for word in words:
        found = command.get_command(here, word) if isinstance(command, click.Group) else None
        if found is None:
            method = find("_".join(words))
            if method is not None:
                return show_page(method)
            known = [*(command.list_commands(here) if isinstance(command, click.Group) else ()), *method_names()]
            raise click.UsageError(f"there is no command or method {' '.join(words)!r}{suggestion(word, known)}")
        command = found
        here = click.Context(command, info_name=word, parent=here)
    return click.echo(command.get_help(here))
