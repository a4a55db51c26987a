"""Suppliers that are to be replaced, and why: ``metadata/departures``, JSON, one entry a supplier.

A supplier that gives notice says so itself; a person may ask for a change as well. Either way the entry is on the disk
before anything is done about it, and goes when the supplier has left the family for good.
"""

import json
from enum import StrEnum
from pathlib import Path
from typing import Any

from attrs import frozen

from bitdust.crypt.files import write_safely
from bitdust.signal import Signal
from bitdust.suppliers.by_node import read_by_node

MAX_FILE = 256 * 1024


class Why(StrEnum):
    """Why a place changes hands: its supplier says so, or I do; it was away for too long, failed its audits, or takes
    none of the pieces, or not the records, of a place that it has just got."""

    NOTICE = "notice"
    ASKED = "asked"
    AWAY = "away"
    AUDITS = "audits"
    REFUSES = "refuses"


@frozen
class Departure:
    """One supplier that is to be replaced, by ``successor`` where somebody chose one.

    ``until`` is when the supplier stops to answer, in seconds since the epoch; 0 where it did not say.
    """

    why: Why
    until: int = 0
    successor: bytes | None = None

    def to_json(self) -> dict[str, Any]:
        """As the file has it."""
        return {"why": self.why, "until": self.until, "successor": self.successor.hex() if self.successor else None}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Departure":
        """Raises `KeyError`, `TypeError`, `ValueError`."""
        successor = value["successor"]
        return cls(Why(value["why"]), int(value["until"]), bytes.fromhex(successor) if successor else None)


class Departures:
    """I remember who is to be replaced; ``changed`` reports what is noted and forgotten.

    A damaged file counts as empty: suppliers give their notice again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[bytes, Departure] = {}
        self.changed: Signal[[]] = Signal()

    def load(self) -> None:
        """Read the file."""
        self._known = read_by_node(self._path, MAX_FILE, Departure.from_json)

    def of(self, supplier: bytes | None) -> Departure | None:
        """Why a supplier is to be replaced; None for one that stays, and for an empty place."""
        return self._known.get(supplier) if supplier is not None else None

    def suppliers(self) -> list[bytes]:
        """Everybody who is to be replaced, in a stable order."""
        return sorted(self._known)

    def note(self, supplier: bytes, departure: Departure) -> bool:
        """Remember it on the disk; True when it is news."""
        if self._known.get(supplier) == departure:
            return False
        self._keep({**self._known, supplier: departure})
        return True

    def forget(self, supplier: bytes) -> bool:
        """The supplier stays after all, or has left; True when something was known of it."""
        if supplier not in self._known:
            return False
        self._keep({who: entry for who, entry in self._known.items() if who != supplier})
        return True

    def _keep(self, known: dict[bytes, Departure]) -> None:
        text = json.dumps({who.hex(): entry.to_json() for who, entry in sorted(known.items())}, indent=1)
        write_safely(self._path, text.encode())
        self._known = known
        self.changed.emit()
