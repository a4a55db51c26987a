"""``bitdust …``: a client of the node's public API, and the way to start the node.

Commands are loaded when they are called, so that ``bitdust --help`` is there at once; only the daemon loads Twisted.
"""

import importlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bitdust import __version__
from bitdust.cli.client import ApiClient, ApiError
from bitdust.cli.groups import refuse_unknown
from bitdust.cli.reminder import remind

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init:init", "Set this node up: settings, identity, checked backup."),
    "daemon": ("daemon:daemon", "Start the node in the background."),
    "start": ("daemon:start", "Start the node in the foreground."),
    "stop": ("daemon:stop", "Stop the node."),
    "restart": ("daemon:restart", "Stop the node and start it again."),
    "unlock": ("locking:unlock", "Open the locked keys of a node."),
    "install-service": ("service_install:install_service", "Let systemd start the node."),
    "set": ("settings:set_setting", "Change a setting, with the node running or not."),
    "get": ("settings:get_setting", "Show a setting."),
    "config": ("settings:config", "List, show and change settings."),
    "identity": ("identity:identity", "Create, show, back up and recover your identity."),
    "id": ("identity:global_id", "Print your global id."),
    "idurl": ("identity:idurl", "Print your identity URL."),
    "key": ("keys:key", "Keys: list, create, show, label, erase, share."),
    "file": ("files:file", "Files: list, create, upload, download, delete."),
    "dir": ("files:folder", "Folders: create, delete."),
    "ipfs": ("ipfs:ipfs", "Clients of IPFS on this machine: on, off, files, pins."),
    "sync": ("sync:sync", "Folders that are the same on several machines."),
    "btsync": ("btsync:btsync", "Run as BitTorrent Sync, with its config file and API."),
    "share": ("shares:share", "Places that you let people into, and theirs."),
    "supplier": ("contacts:supplier", "Who keeps your pieces."),
    "deletion": ("deletions:deletion", "Deletions that suppliers hold back."),
    "customer": ("contacts:customer", "Whose pieces you keep."),
    "group": ("group:group", "People who write to all of each other."),
    "device": ("device:device", "Apps on phones and in browsers that you let in."),
    "friend": ("friends:friend", "People whom you have accepted."),
    "chat": ("chat:chat", "Chat in the terminal."),
    "message": ("messages:message", "Messages: history, search, export, sending."),
    "storage": ("contacts:storage", "Space given, taken and used."),
    "doctor": ("doctor:doctor", "What is wrong with this node, and what to do."),
    "services": ("services:services", "Every service, and why it is off when it is."),
    "service": ("services:service", "One service: info, start, stop, restart, health."),
    "states": ("states:states", "Every state machine and where it stands; -f follows them."),
    "log": ("log:log", "What the node writes about itself; -f follows it."),
    "network": ("network:network", "Network: status, connected, reconnect."),
    "reconnect": ("network:reconnect", "Close all sessions and build them up again."),
    "ping": ("network:ping", "Ask another node for a sign of life."),
    "dht": ("network:dht", "The DHT: find nodes, read and write values."),
    "packets": ("network:packets", "Packets on their way."),
    "transfers": ("network:transfers", "Pieces on their way."),
    "connections": ("network:connections", "Open sessions with other nodes."),
    "event": ("events:event", "Follow, send and count events."),
    "api": ("calls:api", "Call any API method."),
    "demo": ("show:demo", "Show the main job on this machine."),
    "completion": ("completion:completion", "Complete commands in your shell."),
    "man": ("manual:man", "Show the manual page, or install it."),
    "uninstall": ("uninstall:uninstall", "Take away what was installed; the home stays."),
    "version": ("show:version", "Print the version."),
    "help": ("show:help_command", "Explain a command."),
}
ALIASES = {
    "run": "start", "go": "start", "detach": "daemon", "reboot": "restart", "kill": "stop", "shutdown": "stop",
    "option": "config", "conf": "config", "globid": "id", "gid": "id", "globalid": "id",
    "files": "file", "fi": "file", "fs": "file", "f": "file", "suppliers": "supplier", "sup": "supplier",
    "sp": "supplier", "customers": "customer", "cus": "customer", "cu": "customer", "space": "storage",
    "svc": "service", "srv": "service", "st": "states", "state": "states", "aut": "states", "automat": "states",
    "automats": "states", "machines": "states", "net": "network", "nw": "network", "call": "ping",
    "sendid": "ping", "keys": "key", "events": "event", "usage": "help", "packet": "packets", "logs": "log",
    "transfer": "transfers", "connection": "connections", "checkup": "doctor",
    "friends": "friend", "buddy": "friend", "contact": "friend", "peer": "friend", "fr": "friend",
    "talk": "chat", "messages": "message", "msg": "message",
    "devices": "device", "dev": "device", "shares": "share", "sh": "share", "groups": "group", "gr": "group",
    "deletions": "deletion", "rejoin": "reconnect", "connect": "reconnect", "folder": "dir",
}  # fmt: skip


UNREMINDED = ("init", "identity", "stop", "demo", "version", "help", "completion", "man", "uninstall")
EXIT_CODES = "Exit codes: 0 done, 1 error, 2 wrong usage."


class LazyGroup(click.Group):
    """Knows its commands by name; imports one when it is called."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """``--json`` may stand anywhere before a ``--``."""
        end = args.index("--") if "--" in args else len(args)
        words = [word for word in args[:end] if word != "--json"]
        return super().parse_args(ctx, ["--json"] * (len(words) < end) + words + args[end:])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A word that is no command brings a hint of what may have been meant."""
        refuse_unknown(self, ctx, args[0], (*COMMANDS, *ALIASES))
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command under one of its names."""
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(f"bitdust.cli.{module}"), attribute)
        return with_exit_codes(command)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """The commands that begin so, without importing any of them."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=COMMANDS[name][1]) for name in COMMANDS if name.startswith(incomplete)]
        return found + (click.Command.shell_complete(self, ctx, incomplete) if incomplete.startswith("-") else [])

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in ``--help``, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def with_exit_codes(command: click.Command) -> click.Command:
    """Every command tells what its exit code means; one that has more of them tells so itself."""
    command.epilog = command.epilog or EXIT_CODES
    for inner in getattr(command, "commands", {}).values():
        with_exit_codes(inner)
    return command


def home_of(base: Path) -> Path:
    """The home of the network in use: nearly always the base itself, and then nothing more is loaded."""
    if not (base / "current_network").exists():
        return base
    from bitdust.config.networks import Networks

    return Networks(base).home()


class Session:
    """What the options before the command say."""

    def __init__(self, base: Path, as_json: bool) -> None:
        self.base = base
        self.as_json = as_json

    @property
    def home(self) -> Path:
        """The home folder of the network that is used."""
        return home_of(self.base)

    @property
    def client(self) -> ApiClient:
        """A client of the running node."""
        return ApiClient(self.home, patient=True)

    def call(self, method: str, **arguments: Any) -> Any:
        """The result of an API method of the running node."""
        return self.client.call(method, **arguments)

    def envelope(self, method: str, **arguments: Any) -> dict[str, Any]:
        """The whole answer of an API method, with what is beside its result."""
        return self.client.envelope(method, **arguments)

    def say(self, message: str, **facts: Any) -> None:
        """A sentence for people; for programs the same as ``message``, beside what they want to know exactly."""
        from bitdust.cli.output import sentences

        click.echo(json.dumps({"message": message, **facts}) if self.as_json else sentences(message))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.option(
    "-a",
    "--appdir",
    envvar="BITDUST_HOME",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Home folder of the node; also $BITDUST_HOME.  [default: ~/.bitdust]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs instead of tables for people.")
@click.version_option(__version__, "-V", "--version", message="%(version)s")
@click.pass_context
def cli(ctx: click.Context, appdir: Path | None, as_json: bool) -> None:
    """A node of a private, peer-to-peer cloud.

    Exit codes: 0 done, 1 error, 2 wrong usage.
    """
    ctx.obj = Session(Path(os.path.abspath(appdir or Path.home() / ".bitdust")), as_json)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@cli.result_callback()
@click.pass_context
def _finished(ctx: click.Context, /, result: object, **_: object) -> None:
    if (
        not ctx.obj.as_json
        and ctx.invoked_subcommand
        and ALIASES.get(ctx.invoked_subcommand, ctx.invoked_subcommand) not in UNREMINDED
    ):
        remind(ctx.obj.home)


def main() -> None:
    """The console script."""
    try:
        cli.main(prog_name="bitdust", standalone_mode=True)
    except ApiError as error:
        click.echo(_error(error.code, str(error)), err=True)
        raise SystemExit(1) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise SystemExit(1) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(_error("refused-by-system", f"{where}{error.strerror or error}"), err=True)
        raise SystemExit(1) from None


def _error(code: str, words: str) -> str:
    given = sys.argv[1 : sys.argv.index("--") if "--" in sys.argv else None]
    return error_line(code, words, "--json" in given)


def error_line(code: str, words: str, as_json: bool) -> str:
    """An error as it is printed for a person or a program."""
    from bitdust.cli.output import in_commands, sentences

    if not as_json:
        return f"error: {in_commands(sentences(words))}"
    return json.dumps({"status": "ERROR", "code": code, "errors": [words]})
