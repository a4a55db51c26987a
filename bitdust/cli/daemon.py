"""The node's process: start it in front or behind, stop it, start it again. One process a home folder."""

import contextlib
import gc
import json
import linecache
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from bitdust.cli.client import ApiClient, ApiError
from bitdust.cli.lock import AlreadyRunning, ProcessLock, running_pid
from bitdust.cli.main import Session, home_of

PACKAGE = str(Path(__file__).resolve().parents[2])
STARTING = "new BitDust process will be started in daemon mode"
START_PATIENCE = 20.0
STOP_PATIENCE = 10.0
KILL_PATIENCE = 5.0
RESTART = 100
"""Exit code of `bitdust.process.main` that asks for a new process."""


@click.command()
@click.pass_obj
def daemon(session: Session) -> None:
    """Start the node in the background; comes back when its API answers."""
    if running_pid(session.home) is not None:
        session.say("main BitDust process already started", started=False)
        return
    _start(session)


def _start(session: Session) -> None:
    if not session.as_json:
        click.echo(STARTING)
    launch(session.base)
    if session.as_json:
        session.say(STARTING, started=True)
    tell_if_locked(session)
    tell_if_full(session.home)


def tell_if_full(home: Path) -> None:
    """A home on a disk that is full, or cannot be written, starts and can do little: say so, and what to do."""
    from bitdust.checkup.home import disk

    for finding in disk(home):
        if finding.verdict == "bad":
            click.echo(f"{finding.found}: {finding.hint}", err=True)


def tell_if_moved(home: Path) -> None:
    """Another program has the usual port of the API: say where this node answers."""
    from bitdust.config.settings import Settings

    ports = json.loads((home / "metadata" / "apiports").read_text())
    settings = Settings(home / "config")
    for name, key in (("rest", "interface/api/rest-http-port"), ("websocket", "interface/api/web-socket-port")):
        if name in ports and settings.is_default(key) and ports[name] != settings.get(key):
            click.echo(
                f"port {settings.get(key)} is taken, so the API ({name}) answers at port {ports[name]}", err=True
            )


def tell_if_locked(session: Session) -> None:
    """A node whose keys are locked runs, and does nothing yet: say so."""
    with contextlib.suppress(ApiError):
        if ApiClient(session.home, timeout=5).call("process_health").get("identity") == "locked":
            click.echo("its keys are locked, so it waits: run bitdust unlock", err=True)


def launch(base: Path) -> None:
    """A node in a process group of its own, without our files; returns when its API is up. Raises `ApiError`."""
    home = home_of(base)
    refuse_newer_home(home)
    logs = home / "logs"
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    start_log = logs / "start.log"
    (home / "metadata" / "apiports").unlink(missing_ok=True)
    with open(os.open(start_log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "bitdust", "--appdir", str(base), "start", "--detached"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            close_fds=True,
            cwd="/",
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [PACKAGE, os.environ.get("PYTHONPATH")]))},
        )
    ready = home / "metadata" / "apiports"
    wait_until(lambda: ready.exists() or child.poll() is not None, START_PATIENCE)
    if child.poll() is not None:
        said = start_log.read_text(errors="replace").strip()[-2000:]
        raise ApiError("not-started", f"BitDust did not start\n{said or 'it left no word; see ' + str(logs)}")
    if not ready.exists():
        raise ApiError("slow-start", f"BitDust is starting but does not answer yet; see {logs}/stdout.log")
    tell_if_moved(home)


def refuse_newer_home(home: Path) -> None:
    """Raises `ApiError` for a home that this program does not understand, before anything in it is touched."""
    from bitdust.config.home import refuse_newer
    from bitdust.wire.errors import BitDustError

    try:
        refuse_newer(home)
    except BitDustError as error:
        raise ApiError(error.code, str(error)) from None


@click.command()
@click.option("--detached", is_flag=True, hidden=True)
@click.pass_obj
def start(session: Session, detached: bool) -> None:
    """Start the node in the foreground, until Ctrl-C or `bitdust stop`."""
    refuse_newer_home(session.home)
    try:
        lock = ProcessLock.acquire(session.home)
    except AlreadyRunning as error:
        raise ApiError("already-running", str(error)) from None
    run_node = load_node()
    try:
        code = run_node(session.home, not detached)
    finally:
        lock.release()
    if code == RESTART:
        words = ["start", "--detached"] if detached else ["start"]
        os.execv(sys.executable, [sys.executable, "-m", "bitdust", "--appdir", str(session.base), *words])
    raise SystemExit(code)


def load_node() -> Callable[[Path, bool], int]:
    """Import everything, a tenth faster without looking for garbage meanwhile; what is loaded is never looked at again,
    so that later collections are short. The text of methods that attrs has made is a megabyte that nobody reads."""
    gc.disable()
    from bitdust import process

    linecache.clearcache()
    gc.freeze()
    gc.enable()
    return process.main


@click.command()
@click.pass_obj
def stop(session: Session) -> None:
    """Stop the node; comes back when its process is gone."""
    pid = running_pid(session.home)
    if pid is None:
        session.say("BitDust is not running at the moment", stopped=False)
        return
    _stop(session, pid)
    if session.as_json:
        session.say("finished", stopped=True, pid=pid)


def _stop(session: Session, pid: int) -> None:
    if session.as_json:
        end_process(session.home, pid)
        return
    click.echo(f"found main BitDust process: {pid}")
    end_process(session.home, pid)
    click.echo("finished")


def end_process(home: Path, pid: int) -> None:
    """Ask the node to stop, then insist. Raises `ApiError` when nothing helps."""
    if pid <= 0:  # to the system, number 0 is everybody in our own process group
        raise ApiError("not-stopped", f"the process in {home} begins or ends just now; try again in a moment")

    def ask() -> None:
        ApiClient(home, timeout=5).call("process_stop")

    steps: tuple[tuple[Callable[[], object], float], ...] = (
        (ask, STOP_PATIENCE),
        (lambda: os.kill(pid, signal.SIGTERM), KILL_PATIENCE),
        (lambda: os.kill(pid, signal.SIGKILL), KILL_PATIENCE),
    )
    for step, patience in steps:
        heard = True
        try:
            step()
        except (ApiError, ProcessLookupError):
            heard = False
        if wait_until(lambda: running_pid(home) != pid, patience if heard else 1.0):
            return
    raise ApiError("not-stopped", f"process {pid} does not stop")


@click.command()
@click.pass_obj
def restart(session: Session) -> None:
    """Stop the node, if it runs, and start it in the background."""
    pid = running_pid(session.home)
    unit = unit_of(pid) if pid else None
    if unit is not None:
        click.echo(f"systemd runs this node; it is asked to restart {unit}")
        raise SystemExit(subprocess.run(["systemctl", "--user", "restart", unit], check=False).returncode)
    if pid is not None:
        _stop(session, pid)
    _start(session)


def unit_of(pid: int) -> str | None:
    """The unit of the user's systemd that a process belongs to, if it is one of `bitdust install-service`."""
    try:
        group = Path(f"/proc/{pid}/cgroup").read_text().strip().rpartition("/")[2]
    except OSError:
        return None
    return group if group.endswith(".service") and (unit_folder() / group).exists() else None


def unit_folder() -> Path:
    """Where systemd looks for units of this user."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def wait_until(done: Callable[[], bool], patience: float) -> bool:
    """Look again until it is so, or patience (seconds) ends."""
    deadline = time.monotonic() + patience
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
