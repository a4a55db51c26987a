"""Entries that no supplier gives, and those of them that the person does without."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define
from twisted.logger import Logger

from bitdust.storage.catalog.database import CatalogError, meta, set_meta
from bitdust.wire.encoding import decode, encode

INCOMPLETE = "catalog-incomplete"
LOSSES = "accepted-losses"
MAX_LOSSES = 1024 * 1024
_LOG = Logger()


@define
class Missing:
    """Entries ``first`` to ``last`` of a device's log that no reachable supplier gave."""

    device: bytes
    first: int
    last: int


def losses(database: sqlite3.Connection) -> dict[tuple[str, bytes], int]:
    """By key and device up to which entry the person does without what no supplier gives."""
    kept = meta(database, LOSSES)
    rows: Any = decode(kept, MAX_LOSSES) if kept is not None else []
    return {(key, device): last for key, device, last in rows}


def note_losses(database: sqlite3.Connection, lost: Mapping[tuple[str, bytes], int]) -> None:
    """Inside a transaction: these are not asked about again; whoever gives them later is welcome."""
    rows = [[key, device, last] for (key, device), last in sorted((losses(database) | dict(lost)).items())]
    set_meta(database, LOSSES, encode(rows))


def check_complete(missing: Sequence[Missing], accept_loss: bool) -> None:
    """Raises `CatalogError` ``catalog-incomplete`` when entries lack; with ``accept_loss``, for who starts over, the
    loss is logged."""
    if not missing:
        return
    lacking = ", ".join(f"{one.device.hex()[:8]}: {one.first} to {one.last}" for one in missing)
    hint = "start more of your suppliers, or revoke a device that is lost: bitdust identity revoke NUMBER --end-now"
    text = f"log entries are missing ({lacking}); {hint}"
    if not accept_loss:
        raise CatalogError(INCOMPLETE, text, missing=[[m.device.hex(), m.first, m.last] for m in missing])
    _LOG.warn("{text}", text=text)
