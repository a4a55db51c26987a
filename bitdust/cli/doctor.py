"""``bitdust doctor``: what is wrong with this node, and what to do; with the node running or not."""

from pathlib import Path
from typing import Any

import click

from bitdust.cli.client import ApiClient, ApiError, NotRunning
from bitdust.cli.lock import running_pid
from bitdust.cli.main import Session
from bitdust.cli.output import printable, show_json

PATIENCE = 30.0
MARKS = {"ok": ("OK  ", "green"), "warn": ("warn", "yellow"), "bad": ("bad ", "red")}
Finding = dict[str, Any]


@click.command()
@click.pass_obj
def doctor(session: Session) -> None:
    """Look at everything that can go wrong. Exit code 1 when something is bad; a warning alone is 0.

    With the node stopped, what can be told without it is looked at.
    """
    found = findings(session.home)
    if session.as_json:
        show_json(found)
    else:
        for finding in found:
            _show(finding)
    if any(finding["verdict"] == "bad" for finding in found):
        raise SystemExit(1)


def findings(home: Path) -> list[Finding]:
    """What the node finds, or what is found without it."""
    if not home.is_dir():
        hint = "start the node, which makes it: bitdust daemon; or name the right one: bitdust --appdir DIR doctor"
        return [_finding("node", "bad", f"there is no home {home}", hint)]
    pid = running_pid(home)
    if pid is None:
        return [_finding("node", "bad", "the node is not running", "bitdust daemon"), *_from_outside(home)]
    try:
        answer = ApiClient(home, timeout=PATIENCE).call("process_checkup")
    except NotRunning:
        hint = "wait a moment, or see why: bitdust log -n 20"
        return [_finding("node", "bad", f"process {pid} has not opened its API yet", hint), *_from_outside(home)]
    except ApiError as error:
        hint = "see why: bitdust log -n 20; then: bitdust restart"
        return [_finding("node", "bad", f"process {pid} runs and does not answer: {error}", hint), *_from_outside(home)]
    return [_finding("node", "ok", f"it runs (process {pid})", ""), *answer["findings"]]


def _from_outside(home: Path) -> list[Finding]:
    from bitdust.checkup.stopped import look_at

    return [finding.as_dict() for finding in look_at(home)]


def _finding(check: str, verdict: str, found: str, hint: str) -> Finding:
    return {"check": check, "verdict": verdict, "found": found, "hint": hint}


def _show(finding: Finding) -> None:
    mark, colour = MARKS[finding["verdict"]]
    click.echo(f"{click.style(mark, fg=colour)}  {finding['check'] + ':':14} {printable(finding['found'])}")
    if finding["hint"]:
        click.echo(f"      {'':14} -> {printable(finding['hint'])}")
