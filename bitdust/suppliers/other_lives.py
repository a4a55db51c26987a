"""Families of other lives that were joined with mine, as long as what they hold may not be known here.

Whoever started over made a family and a catalog that knew nothing of the former ones. When the former family turns up,
both records become one, and some suppliers of each family leave their places. What those of the other life hold stands
in their logs alone: until these are read, nobody is let go, and no size of a family is given up; and after that each of
them stays until it has listed its pieces.
"""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from twisted.logger import Logger

from bitdust.crypt.files import remove_safely, write_safely
from bitdust.suppliers.family_before import MAX_RECORD, family_of
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed

MOST = 32
MAX_FILE = 2 * MOST * MAX_RECORD + 1024


class Reading(Protocol):
    """What is known of what suppliers hold; all of it is False where nothing can be said now."""

    def has_read(self, supplier: bytes, /) -> bool:
        """Whether a supplier has said what logs of mine it holds, and all of them are known here."""

    def names_others(self, supplier: bytes, /) -> bool:
        """Whether a supplier lists the log of another device than this one: one without its disk lists none."""

    def has_listed(self, supplier: bytes, /) -> bool:
        """Whether a supplier has listed its pieces since the last entries of others came."""


class OtherLives:
    """I remember their records on the disk, until all that they hold is known."""

    log = Logger()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: list[tuple[str, Family | None]] | None = None

    def note(self, signed: Signed) -> None:
        """A record is about to be joined with mine. Raises `OSError`."""
        record = signed.to_bytes().hex()
        self._write([record, *(known for known, _ in self._records() if known != record)][:MOST])

    def are_unread(self, reading: Reading, holders: Collection[bytes]) -> bool:
        """Whether something that was safe in another life may not be known here; ``holders`` can be asked.

        A life of which all is known, and whose suppliers have all listed their pieces, is forgotten.
        """
        records = self._records()
        unread = [record for record, family in records if not _is_read(family, reading, holders)]
        kept = [
            record
            for record, family in records
            if record in unread or not all(map(reading.has_listed, _those_of(family, holders)))
        ]
        if len(kept) < len(records):
            try:
                self._write(kept)
            except OSError as error:
                self.log.warn("that another life is read will be noted later: {error}", error=error)
        return bool(unread)

    def is_unlisted(self, supplier: bytes, reading: Reading) -> bool:
        """Whether a supplier of another life may have pieces that it has not listed yet."""
        is_theirs = any(family is None or supplier in family.holders for _, family in self._records())
        return is_theirs and not reading.has_listed(supplier)

    def _records(self) -> list[tuple[str, Family | None]]:
        """In hex, the newest first, and what they say; a file that is no such list counts as one that says nothing."""
        if self._known is None:
            self._known = [(record, family_of(record)) for record in self._load()]
        return self._known

    def _load(self) -> list[str]:
        try:
            with self._path.open("rb") as stream:
                return [str(record) for record in json.loads(stream.read(MAX_FILE))]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:
            self.log.warn("{path} cannot be read: {error}", path=self._path, error=error)
            return [""]

    def _write(self, records: list[str]) -> None:
        if records:
            write_safely(self._path, json.dumps(records).encode())
        else:
            remove_safely(self._path)
        self._known = [(record, family_of(record)) for record in records]


def _those_of(family: Family | None, holders: Collection[bytes]) -> list[bytes]:
    return [who for who in holders if family is None or who in family.holders]


def _is_read(family: Family | None, reading: Reading, holders: Collection[bytes]) -> bool:
    """Any k places of a family include one that holds each log that was safe; nobody waits for who is no holder.

    Who names no log but mine may have lost its disk: it counts where all have answered alike.
    """
    if family is None:
        return all(map(reading.has_read, holders))
    leaving = family.leaving or [None] * family.n
    pairs = zip(family.suppliers, leaving, strict=True)
    places = [there for pair in pairs if (there := [who for who in pair if who is not None and who in holders])]
    read = [place for place in places if all(map(reading.has_read, place))]
    telling = [place for place in read if any(map(reading.names_others, place))]
    return len(read) == len(places) or len(telling) >= family.k
