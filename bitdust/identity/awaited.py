"""``metadata/recovering``: what a recovered node still waits for, and so makes none of by itself.

An identity that comes from a key file has a family and storage secrets already, somewhere. Whoever made others because
nobody had answered yet would write over the true ones.
"""

from collections.abc import Collection
from pathlib import Path

from bitdust.crypt.files import remove_safely, write_safely

RECOVERING = "recovering"
FAMILY = "family"
KEY_RING = "keyring"
CATALOG = "catalog"
"""Newer states of the catalog may exist: it is read, and not written to."""
STARTED_OVER = "started-over"
"""The person waits for nothing any more; the catalog goes on without the entries that nobody has, once."""
ALL = frozenset((FAMILY, KEY_RING, CATALOG))
MAX_FILE = 1000


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


def write_awaited(folder: Path, awaited: Collection[str]) -> None:
    """Note what is waited for; nothing at all removes the file."""
    if awaited:
        write_safely(folder / RECOVERING, " ".join(sorted(awaited)).encode() + b"\n")
    else:
        remove_safely(folder / RECOVERING)
