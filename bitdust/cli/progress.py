"""Follow an upload or download: a bar for a person on a terminal; elsewhere only whom it waits for, and nothing for a
program."""

import threading
from typing import Any

import click

from bitdust.cli.client import ApiClient, ApiError
from bitdust.cli.main import Session
from bitdust.cli.output import on_terminal, printable

LOOK_EVERY, LOOK_SLOWLY = 0.25, 5.0
METHODS = {"upload": "files_uploads", "download": "files_downloads", "verify": "files_verifications"}


class Waiting(threading.Thread):
    """The one call that answers when the work is done, beside the looks at its progress."""

    def __init__(self, client: ApiClient, method: str, arguments: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._method = method
        self._arguments = arguments
        self._result: Any = None
        self._error: ApiError | None = None

    def run(self) -> None:
        """Call, and keep what comes."""
        try:
            self._result = self._client.call(self._method, **self._arguments)
        except ApiError as error:
            self._error = error

    def result(self) -> Any:
        """What came; raises what was raised."""
        self.join()
        if self._error is not None:
            raise self._error
        return self._result


def follow(session: Session, way: str, method: str, arguments: dict[str, Any]) -> Any:
    """Start it, wait for its end, show how far it is. Ctrl-C leaves it running in the node."""
    waiting = Waiting(ApiClient(session.home, timeout=None, patient=True), method, arguments | {"wait_result": True})
    waiting.start()
    try:
        if on_terminal() and not session.as_json:
            _draw(session, way, arguments["remote_path"], waiting)
        elif not session.as_json:
            _say_what_it_waits_for(session, way, arguments["remote_path"], waiting)
        return waiting.result()
    except KeyboardInterrupt:
        click.echo(f"\nthe {way} goes on in the node; stop it with: bitdust file cancel --{way} PATH", err=True)
        raise SystemExit(130) from None


def _say_what_it_waits_for(session: Session, way: str, remote_path: str, waiting: Waiting) -> None:
    """A line for each change of whom it waits for: what is silent for a minute seems to hang."""
    told = ""
    while waiting.is_alive():
        waiting.join(LOOK_SLOWLY)
        row = _row_of(session, way, remote_path) if waiting.is_alive() else None
        waits = ", ".join((row or {}).get("waits_for") or ())
        if waits and waits != told:
            click.echo(printable(f"{way} {remote_path}: waits for {waits}"), err=True)
            told = waits


def _draw(session: Session, way: str, remote_path: str, waiting: Waiting) -> None:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task(f"{way} {printable(remote_path)}", total=None)
        while waiting.is_alive():
            waiting.join(LOOK_EVERY)
            row = _row_of(session, way, remote_path)
            if row is not None:
                done, total = row.get("bytes_processed"), row.get("total_size")
                waits = ", ".join(row.get("waits_for") or ())
                text = f"{way} {remote_path}" + (f": waits for {waits}" if waits else "")
                bar.update(task, completed=done or 0, total=total or None, description=printable(text))


def _row_of(session: Session, way: str, remote_path: str) -> dict[str, Any] | None:
    """The row of this transfer, if the node has one now."""
    try:
        found = session.call(METHODS[way])
    except ApiError:
        return None
    rows: list[dict[str, Any]] = (found or {}).get("running", []) if way == "upload" else found or []
    path = remote_path.rpartition(":")[2].strip("/")
    same = [row for row in rows if str(row.get("remote_path", "")).rpartition(":")[2].strip("/") == path]
    if same:
        return same[0]
    return rows[0] if len(rows) == 1 else None
