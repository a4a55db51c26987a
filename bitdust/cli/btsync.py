"""``bitdust btsync``: the command line of BitTorrent Sync, for programs that start it themselves."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from bitdust import __version__
from bitdust.cli.btsync_config import SAMPLE, SYNC, SharedFolder, VendorConfig, load
from bitdust.cli.client import ApiClient, ApiError
from bitdust.cli.daemon import START_PATIENCE, end_process, launch, wait_until
from bitdust.cli.lock import running_pid
from bitdust.cli.main import home_of
from bitdust.web.btsync.version import VERSION
from bitdust.wire.errors import BitDustError

ON = "services/btsync/enabled"
HELP = f"""\
BitDust Sync {VERSION} (BitDust {__version__})
Usage: bitdust btsync [--config FILE] [--nodaemon]
  --help                     show this
  --config FILE              read the settings from a file of BitTorrent Sync's format
  --nodaemon                 stay in the foreground
  --dump-sample-config       print a file to begin with
  --generate-secret          print a new secret that may read and write
  --get-ro-secret SECRET     print the one of SECRET that may only read; - reads it from standard input
"""


@click.command(add_help_option=False)
@click.option("--help", "-h", "explain", is_flag=True, help="Show this; the third word is the version of the API.")
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="A config file of BitTorrent Sync.")
@click.option("--nodaemon", is_flag=True, help="Stay in the foreground.")
@click.option("--dump-sample-config", "sample", is_flag=True, help="Print a config file to begin with.")
@click.option("--generate-secret", "generate", is_flag=True, help="Print a new secret that may read and write.")
@click.option("--get-ro-secret", "strong", metavar="SECRET", help="Print the one that may only read; - reads SECRET.")
def btsync(
    explain: bool, config: Path | None, nodaemon: bool, sample: bool, generate: bool, strong: str | None
) -> None:
    """Run a node as BitTorrent Sync was run: with its config file, its API and its flags."""
    if explain:
        click.echo(HELP, nl=False)
    elif sample:
        click.echo(SAMPLE, nl=False)
    elif generate:
        from bitdust.folders.secrets import make

        click.echo(make("A", os.urandom).text)
    elif strong is not None:
        click.echo(read_only(sys.stdin.readline(256).strip() if strong == "-" else strong))
    else:
        run(_loaded(config), nodaemon)


def read_only(text: str) -> str:
    """The secret of a reader. Raises `ApiError`."""
    from bitdust.folders.secrets import parse

    try:
        secret = parse(text)
    except BitDustError as error:
        raise ApiError(error.code, str(error)) from None
    readers = [one.text for one in (secret, *secret.weaker()) if one.may_read and not one.may_write]
    if not readers:
        raise ApiError("bad-secret", "of that secret no other one follows that may read")
    return readers[0]


def _loaded(path: Path | None) -> VendorConfig:
    if path is None:
        storage = Path.cwd() / ".sync"
        storage.mkdir(mode=0o700, exist_ok=True)
        return VendorConfig(storage, {f"{SYNC}enabled": True})
    try:
        return load(path)
    except BitDustError as error:
        raise ApiError(error.code, str(error)) from None


def run(config: VendorConfig, foreground: bool) -> None:
    """A node with these settings and folders; comes back when it answers, or with its end. Raises `ApiError`."""
    if running_pid(home_of(config.storage)) is not None:
        raise ApiError("already-running", f"a node runs with {config.storage}; stop it first")
    for name in config.ignored:
        click.echo(f"{name} means nothing to this node", err=True)
    configure(config)
    if foreground:
        raise SystemExit(_in_foreground(config))
    launch(config.storage)
    _began(config)


def configure(config: VendorConfig) -> None:
    """Write the settings before the node runs: what the file does not name is as usual, as its program had it."""
    from bitdust.config.settings import Settings

    home = home_of(config.storage)
    home.mkdir(mode=0o700, exist_ok=True)
    settings = Settings(home / "config")
    for key in settings.keys():  # noqa: SIM118 - a method, as it is no dictionary
        if key.startswith("services/btsync/"):
            settings.reset(key)
    for key, value in config.settings.items():
        settings.set(key, value)


def _began(config: VendorConfig) -> None:
    client = ApiClient(home_of(config.storage), patient=True)
    for trouble in apply(client, config.folders):
        click.echo(trouble, err=True)
    pid = running_pid(home_of(config.storage))
    if config.pid_file is not None and pid is not None:
        config.pid_file.write_text(f"{pid}\n")


def apply(client: ApiClient, folders: list[SharedFolder] | None) -> list[str]:
    """Have exactly these folders; where None are named, those that are there stay. What went wrong, in words."""
    if folders is None:
        return []
    troubles: list[str] = []
    wanted = {str(one.directory.resolve()): one for one in folders}
    for row in client.call("folders_list") or []:
        if row["directory"] not in wanted or not _is_same(client, row, wanted[row["directory"]]):
            client.call("folder_remove", folder=row["id"])
    known = {row["directory"] for row in client.call("folders_list") or []}
    for place, one in wanted.items():
        try:
            if place not in known:
                client.call("folder_add", directory=place, secret=one.secret)
            changes: dict[str, Any] = {"preferences": dict(one.preferences), "hosts": list(one.hosts)}
            client.call("folder_preferences_set", folder=place, **changes)
        except ApiError as error:
            troubles.append(f"{place}: {error}")
    return troubles


def _is_same(client: ApiClient, row: dict[str, Any], wanted: SharedFolder) -> bool:
    return wanted.secret in client.call("folder_secrets", folder=row["id"]).values()


def _in_foreground(config: VendorConfig) -> int:
    """The node as a child that ends with us; its exit code."""
    home = home_of(config.storage)
    ready = home / "metadata" / "apiports"
    ready.unlink(missing_ok=True)
    words = [sys.executable, "-m", "bitdust", "--appdir", str(config.storage), "start"]
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: child.terminate())
    wait_until(lambda: ready.exists() or child.poll() is not None, START_PATIENCE)
    try:
        if child.poll() is None:
            _began(config)
        return child.wait()
    except ApiError:
        end_process(home, child.pid)
        raise
    finally:
        if config.pid_file is not None:
            config.pid_file.unlink(missing_ok=True)
