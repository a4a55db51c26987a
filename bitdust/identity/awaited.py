"""``metadata/recovering``: what a recovered node still waits for, and so makes none of by itself.

An identity that comes from a key file has a family and storage secrets already, somewhere. Whoever made others because
nobody had answered yet would write over the true ones.
"""

import contextlib
from collections.abc import Collection
from pathlib import Path

from bitdust.crypt.files import make_private_folder, remove_safely, write_safely

RECOVERING = "recovering"
FAMILY = "family"
KEY_RING = "keyring"
CATALOG = "catalog"
"""Newer states of the catalog may exist: it is read, and not written to."""
STARTED_OVER = "started-over"
"""The person waits for nothing any more; the catalog goes on without the entries that nobody has, once."""
ALL = frozenset((FAMILY, KEY_RING, CATALOG))
MAX_FILE = 1000
SEARCHED = "searched"
"""An empty file while somebody's identity is searched for; the key file with which it is done is not in the home."""
CUT_OFF = "the search for your identity was cut off when this node ended: recover with your key file again"


def read_awaited(folder: Path) -> frozenset[str]:
    """What ``<home>/metadata`` still waits for; all of it where the file cannot be read: waiting loses nothing."""
    path = folder / RECOVERING
    try:
        with path.open("rb") as stream:
            words = stream.read(MAX_FILE).decode("ascii").split()
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError):
        return ALL
    return frozenset(words) if words and (ALL | {STARTED_OVER}).issuperset(words) else ALL


def was_cut_off(folder: Path) -> bool:
    """Whether the process before this one ended while it searched for an identity."""
    return (folder / SEARCHED).exists()


def note_search(folder: Path, goes_on: bool) -> None:
    """Note on the disk that a search goes on, or is over; one that cannot be noted is done all the same."""
    with contextlib.suppress(OSError):
        if goes_on:
            make_private_folder(folder)
            write_safely(folder / SEARCHED, b"")
        else:
            remove_safely(folder / SEARCHED)


def write_awaited(folder: Path, awaited: Collection[str]) -> None:
    """Note what is waited for; nothing at all removes the file."""
    if awaited:
        write_safely(folder / RECOVERING, " ".join(sorted(awaited)).encode() + b"\n")
    else:
        remove_safely(folder / RECOVERING)
