"""`bitdust uninstall`: takes away what commands installed, and the home only for who types its name."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import click
from attrs import frozen

from bitdust.cli.asking import somebody_is_there
from bitdust.cli.client import ApiError
from bitdust.cli.completion import VARIABLE, places
from bitdust.cli.daemon import end_process, refuse_newer_home, unit_folder
from bitdust.cli.lock import AlreadyRunning, ProcessLock, running_pid
from bitdust.cli.main import Session
from bitdust.cli.manual import MARK, place
from bitdust.cli.output import show_json
from bitdust.cli.reminder import needs_backup
from bitdust.cli.settings import open_settings
from bitdust.cli.unit import starts

UNIT_MARK = "Written by `bitdust install-service`"
FOLDERS = ("paths/customers", "paths/backups")
KEEPERS = "SELECT COUNT(*) FROM (SELECT customer FROM pieces UNION SELECT customer FROM contracts)"


@frozen
class Plan:
    """What goes and what stays, before anything is done."""

    home: Path
    units: tuple[Path, ...]
    files: tuple[Path, ...]
    erase_home: bool
    leaves: tuple[str, ...]

    def removes(self) -> list[str]:
        """In words."""
        found = [f"the systemd unit {path}" for path in self.units] + [str(path) for path in self.files]
        return [*found, f"the home folder {self.home}, with its keys"] if self.erase_home else found


@click.command()
@click.option("--yes", is_flag=True, help="Do it, without asking.")
@click.option(
    "--erase-home",
    metavar="NAME",
    help="Erase the home folder with its keys, too: NAME is your global id in full (without an identity: its path).",
)
@click.option("--abandon-customers", is_flag=True, help="Even while this node keeps pieces for others.")
@click.pass_obj
def uninstall(session: Session, yes: bool, erase_home: str | None, abandon_customers: bool) -> None:
    """Stop the node and take away what was installed around it; says what goes and what stays.

    Without --yes it asks; where nobody can be asked it only shows. The home folder with your keys stays unless
    --erase-home names it. While others' pieces are here it refuses: leave them first with `bitdust supplier retire`.
    """
    home = session.home
    refuse_newer_home(home)
    if erase_home is not None:
        _check_name(session, erase_home)
    if not abandon_customers:
        _refuse_customers(home)
    plan = make_plan(session, erase_home is not None)
    done = yes or (somebody_is_there() and not session.as_json)
    if not session.as_json:
        show(plan, dry=not done)
    if done and not yes:
        click.confirm("Do it?", abort=True, err=True)
    if done:
        carry_out(session, plan)
    if session.as_json:
        show_json({"removed" if done else "would_remove": plan.removes(), "leaves": list(plan.leaves)})
    elif done:
        click.echo("done")


def make_plan(session: Session, erase_home: bool) -> Plan:
    """Look at what there is."""
    home = session.home
    units = tuple(path for path in sorted(unit_folder().glob("*.service")) if _is_our_unit(path, {session.base, home}))
    files = [path for path in places().values() if _is_ours(path, VARIABLE)]
    if _is_ours(place(), MARK):
        files.append(place())
    return Plan(home, units, tuple(files), erase_home, tuple(_leaves(session, erase_home)))


def _is_our_unit(path: Path, folders: set[Path]) -> bool:
    text = _text_of(path)
    return UNIT_MARK in text and any(starts(text, folder) for folder in folders)


def _is_ours(path: Path, mark: str) -> bool:
    return mark in _text_of(path)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _leaves(session: Session, erase_home: bool) -> list[str]:
    home = session.home
    found = ["the program itself (with pip: pip uninstall bitdust)"]
    if home.exists() and not erase_home:
        found.append(f"the home folder {home}: keys, settings, catalog")
    if erase_home and needs_backup(home):
        found.append("NOTHING that brings you back: no copy of the key file of this home was ever checked")
    elif erase_home:
        found.append("copies of your key file")
    settings = open_settings(session)
    found += [f"the folder {folder}" for folder in map(settings.get, FOLDERS) if folder]
    if (home / "metadata" / "localidentity").exists():
        found.append("your public identity document at its ID servers, and your sealed pieces at suppliers until")
        found[-1] += " their contracts end"
    return found


def show(plan: Plan, dry: bool) -> None:
    """For people."""
    click.echo("This would be removed:" if dry else "This will be removed:")
    for line in plan.removes() or ["nothing: nothing was installed"]:
        click.echo(f"  {line}")
    click.echo("This stays:")
    for line in plan.leaves:
        click.echo(f"  {line}")
    if dry:
        click.echo("Nothing was changed; --yes does it.")


def carry_out(session: Session, plan: Plan) -> None:
    """Stop the node, then remove. What is gone already is no error, so it can be done again."""
    for unit in plan.units:
        _take_unit_away(unit)
    pid = running_pid(plan.home)
    if pid is not None:
        end_process(plan.home, pid)
    for path in plan.files:
        path.unlink(missing_ok=True)
    if plan.erase_home:
        erase(session, plan.home)


def _take_unit_away(unit: Path) -> None:
    from bitdust.cli.service_install import take_away

    try:
        take_away(unit)
    except ApiError as error:
        if error.code != "no-systemd":
            raise
        unit.unlink(missing_ok=True)  # a machine without systemd runs no unit


def erase(session: Session, home: Path) -> None:
    """Remove the home of a node that does not run. First it goes out of the way at once, whole."""
    try:
        lock = ProcessLock.acquire(home)
    except AlreadyRunning as error:
        raise ApiError("already-running", str(error)) from None
    doomed = home.with_name(f"{home.name}.erased-{os.getpid()}")
    try:
        home.rename(doomed)
    except OSError:  # the home is a mount point, for example: then it is emptied where it is
        doomed = home
    lock.release()
    if session.base != home:
        (session.base / "current_network").unlink(missing_ok=True)
    shutil.rmtree(doomed, ignore_errors=doomed == home)
    if doomed.exists() and any(doomed.iterdir()):
        raise ApiError("os-error", f"not all of {doomed} could be removed; remove it by hand")


def _check_name(session: Session, typed: str) -> None:
    home = session.home
    if not home.is_dir():
        raise ApiError("not-found", f"there is no home {home}")
    if (home / "networks").is_dir() and any((home / "networks").iterdir()):
        text = f"other networks have their homes in {home / 'networks'}; erase those first: bitdust network select NAME"
        raise ApiError("other-networks", text)
    name = _full_name(home)
    if typed != name:
        raise click.UsageError(f"the name of this home is {name}; to erase it: --erase-home {name}")


def _full_name(home: Path) -> str:
    from bitdust.identity.document import IdentityDocument
    from bitdust.wire.errors import BitDustError

    try:
        return IdentityDocument.parse((home / "metadata" / "localidentity").read_bytes()).global_id
    except (OSError, BitDustError):
        return str(home)


def _refuse_customers(home: Path) -> None:
    """Raises `ApiError` ``has-customers`` while others rely on this node."""
    database = home / "customers.db"
    if not database.exists():
        return
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as opened:
            count = int(opened.execute(KEEPERS).fetchone()[0])
    except sqlite3.Error as error:
        text = f"{database} cannot be read ({error}), so perhaps pieces of others lie here; --abandon-customers goes on"
        raise ApiError("has-customers", text) from None
    if count:
        who = "1 customer keeps" if count == 1 else f"{count} customers keep"
        text = f"{who} pieces here; leave them first: bitdust supplier retire. Or, at their cost: --abandon-customers"
        raise ApiError("has-customers", text)
