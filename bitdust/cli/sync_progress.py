"""How far folders are from being the same as their peers': a bar for a person on a terminal, and an exit code."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bitdust.cli.main import Session
from bitdust.cli.output import on_terminal, printable, show_json, size

PROBLEM, UNEQUAL = 3, 4
LOOK_EVERY = 0.25
Row = dict[str, Any]
FOLDER = click.argument("folder", type=str)


def where(folder: str) -> str:
    """A folder as the node knows it: its id, or its whole path."""
    looks_like_path = os.sep in folder or folder in (".", "..") or Path(folder).exists()
    return os.path.realpath(os.path.expanduser(folder)) if looks_like_path else folder


def outcome(row: Row, peers: Sequence[Row]) -> str:
    """Where a folder stands, in words."""
    if row["paused"]:
        return "paused"
    if row["indexing"]:
        return f"reading its files ({row['files']} so far)"
    bring, send = max((one["download"] for one in peers), default=0), sum(one["upload"] for one in peers)
    if bring or send:
        return f"{size(bring)} to bring, {size(send)} to send, {len(peers)} peers"
    held = f"{row['files']} files, {size(row['size'])}"
    if row["problem"]:
        return f"{held}: {row['problem']}"
    if not peers:
        return f"{held}, no peer is in touch"
    if not all(one["synced"] for one in peers):
        return f"{held}, compared with {len(peers)} peers"
    return f"{held}, the same at {len(peers)} peers"


def is_equal(row: Row, peers: Sequence[Row]) -> bool:
    """Whether a folder is the same as that of each peer who is in touch, of one at least."""
    return bool(peers) and not row["indexing"] and all(one["synced"] and not one["download"] for one in peers)


def follow(session: Session, folders: Sequence[str], timeout: float | None) -> int:
    """Look again and again until they are the same, the time is over or one has a problem; the exit code. Ctrl-C ends
    the looking, and the node goes on."""
    deadline = time.monotonic() + timeout if timeout is not None else None
    told: dict[str, str] = {}
    try:
        while True:
            looked = [_look(session, folder) for folder in folders]
            if not session.as_json:
                _tell(looked, told)
            problem = any(row["problem"] for row, _ in looked)
            if problem or all(is_equal(row, peers) for row, peers in looked):
                return _ended(session, looked, PROBLEM if problem else 0)
            if deadline is not None and time.monotonic() >= deadline:
                return _ended(session, looked, UNEQUAL)
            time.sleep(LOOK_EVERY)
    except KeyboardInterrupt:
        click.echo("\nthe node goes on; look again with: bitdust sync status", err=True)
        return 130


def _look(session: Session, folder: str) -> tuple[Row, list[Row]]:
    return session.call("folder_info", folder=folder), session.call("folder_peers", folder=folder) or []


def _tell(looked: Sequence[tuple[Row, list[Row]]], told: dict[str, str]) -> None:
    """A line for each change; on a terminal, one folder's line takes the place of its last one."""
    for row, peers in looked:
        words = f"{printable(row['directory'])}: {outcome(row, peers)}"
        if told.get(row["id"]) == words:
            continue
        again = on_terminal() and len(looked) == 1 and row["id"] in told
        click.echo(("\033[A\033[K" if again else "") + words)
        told[row["id"]] = words


def _ended(session: Session, looked: Sequence[tuple[Row, list[Row]]], code: int) -> int:
    if session.as_json:
        show_json([row | {"peer_list": peers, "equal": is_equal(row, peers)} for row, peers in looked])
    elif code == PROBLEM:
        for row, _ in looked:
            if row["problem_text"]:
                click.echo(printable(row["problem_text"]), err=True)
    return code
