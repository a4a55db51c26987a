"""`bitdust install-service`: the node as a service of the user's own systemd, without root."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from bitdust.cli.client import ApiError
from bitdust.cli.daemon import PACKAGE, unit_folder
from bitdust.cli.lock import running_pid
from bitdust.cli.main import Session, home_of
from bitdust.cli.unit import BadPath, Unit, starts
from bitdust.crypt.files import remove_safely, write_safely

INSTEAD = "start the node with `bitdust daemon`, for example from a line `@reboot` in `crontab -e`"
LINGER = Path("/var/lib/systemd/linger")


@click.command("install-service")
@click.option("--name", default="bitdust", show_default=True, help="Name of the unit; one for each home folder.")
@click.option("--now", is_flag=True, help="Start it at once, too.")
@click.option("--print", "only_print", is_flag=True, help="Only show the unit; change nothing.")
@click.option("--remove", is_flag=True, help="Stop the service and remove its unit; the home folder stays.")
@click.pass_obj
def install_service(session: Session, name: str, now: bool, only_print: bool, remove: bool) -> None:
    """Let systemd start the node when you log in, and again when it fails (a user unit; needs no root)."""
    if only_print + remove + now > 1:
        raise click.UsageError("--now, --print and --remove exclude each other")
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise click.UsageError("a name has letters, digits, - and _")
    path = unit_folder() / f"{name}.service"
    if remove:
        take_away(path)
    elif only_print:
        click.echo(unit_text(session.base), nl=False)
    else:
        install(session.base, path, now)


def unit_text(base: Path) -> str:
    """The unit of this interpreter and folder: of whichever network is selected there when it starts. Raises `ApiError`
    ``bad-path``."""
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    try:
        return Unit(sys.executable, base, PACKAGE if PACKAGE in paths else "").text()
    except BadPath as error:
        raise ApiError("bad-path", str(error)) from None


def install(base: Path, path: Path, now: bool) -> None:
    """Write the unit and enable it; raises `ApiError` before anything is changed."""
    text = unit_text(base)
    if path.exists() and not starts(path.read_text(errors="replace"), base):
        raise ApiError("name-taken", f"{path} starts something else; choose another name: --name bitdust-2")
    need_systemd()
    if now and running_pid(home_of(base)) is not None and not is_active(path.name):
        raise ApiError("already-running", "the node runs already, outside of systemd; stop it first: bitdust stop")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_safely(path, text.encode(), 0o644)
    systemctl("daemon-reload")
    systemctl("enable", *(["--now"] if now else []), path.name)
    click.echo(f"{path} is written" + (" and the node is started" if now else ""))
    if not now:
        click.echo(f"start it now with: systemctl --user start {path.stem}")
    click.echo(f"see how it is with: systemctl --user status {path.stem}")
    user = pwd.getpwuid(os.getuid()).pw_name
    if not (LINGER / user).exists():
        click.echo(f"it ends when you log out; to let it run always: loginctl enable-linger {user}")


def take_away(path: Path) -> None:
    """Stop and disable the service, remove its unit."""
    if not path.exists():
        raise ApiError("not-found", f"there is no unit {path}")
    need_systemd()
    systemctl("disable", "--now", path.name)
    remove_safely(path)
    systemctl("daemon-reload")
    click.echo(f"{path} is removed; the home folder of the node stays")


def need_systemd() -> None:
    """Raises `ApiError` ``no-systemd`` where this user has no service manager."""
    if shutil.which("systemctl") is None:
        raise ApiError("no-systemd", f"there is no systemd on this machine; {INSTEAD}")
    if run("show-environment").returncode:
        raise ApiError(
            "no-systemd",
            "systemd does not run for this user here: log in as the user itself (not by su or sudo), or after "
            f"`loginctl enable-linger`; without systemd {INSTEAD}",
        )


def is_active(unit: str) -> bool:
    """Whether systemd runs it now."""
    return run("is-active", "--quiet", unit).returncode == 0


def systemctl(*words: str) -> None:
    """Raises `ApiError` ``systemd-error`` with what systemd said."""
    done = run(*words)
    if done.returncode:
        raise ApiError("systemd-error", f"systemctl --user {' '.join(words)}: {done.stderr.strip()[:500]}")


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    """One word to the user's service manager."""
    command: Sequence[str] = ["systemctl", "--user", *words]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
