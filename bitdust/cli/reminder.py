"""One line, now and then, until a copy of the key file was made and checked."""

import json
import os
import time
from pathlib import Path

import click

SECONDS_BETWEEN = 4 * 3600
SILENCE = "BITDUST_NO_REMINDER"
REMINDER = (
    "no copy of your key file was checked yet; if this disk dies, nothing comes back. Make one: "
    "bitdust identity backup FILE, or check one that you have: bitdust identity check FILE"
)


OUTDATED = (
    "suppliers have changed since your key file was written; it finds them no more by itself. Renew it: "
    "bitdust identity backup FILE --overwrite (with --renew the node does so from then on)"
)


def remind(home: Path) -> None:
    """Say it on standard error, at most once in some hours."""
    if os.environ.get(SILENCE):
        return
    reminder = REMINDER if needs_backup(home) else OUTDATED if is_outdated(home) else ""
    if not reminder:
        return
    said = home / "metadata" / "reminded"
    try:
        if 0 <= time.time() - said.stat().st_mtime < SECONDS_BETWEEN:
            return
    except OSError:
        pass
    click.echo(f"reminder: {reminder}", err=True)
    try:
        descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        os.utime(descriptor)
        os.close(descriptor)
    except OSError:
        pass  # a home that cannot be written: then it is said each time


def is_outdated(home: Path) -> bool:
    """Whether the copy that was checked last names suppliers that have changed, as the node noted it."""
    try:
        return bool(json.loads((home / "metadata" / "keyfile").read_bytes()[:16_384])["outdated"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def needs_backup(home: Path) -> bool:
    """Whether there is an identity without a checked copy, as the node noted it."""
    metadata = home / "metadata"
    if not (metadata / "localidentity").exists():
        return False
    try:
        return not json.loads((metadata / "backup").read_bytes()[:1000])["checked"]
    except (OSError, ValueError, KeyError, TypeError):
        return True
