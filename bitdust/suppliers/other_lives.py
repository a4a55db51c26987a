"""Families of other lives that were joined with mine, as long as what they hold may not be known here.

Whoever started over made a family and a catalog that knew nothing of the former ones. When the former family turns up,
both records become one, and some suppliers of each family leave their places. What those of the other life hold stands
in their logs alone: until these are read, nobody is let go, and no size of a family is given up.
"""

import json
from collections.abc import Callable, Collection
from pathlib import Path

from twisted.logger import Logger

from bitdust.crypt.files import remove_safely, write_safely
from bitdust.suppliers.family_before import MAX_RECORD
from bitdust.wire.records import Family
from bitdust.wire.signed import Signed

MOST = 8
MAX_FILE = 2 * MOST * MAX_RECORD + 1024


class OtherLives:
    """I remember their records on the disk, until enough of their suppliers were read."""

    log = Logger()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: list[str] | None = None

    def note(self, signed: Signed) -> None:
        """A record is about to be joined with mine. Raises `OSError`."""
        record = signed.to_bytes().hex()
        self._write([record, *(known for known in self._records() if known != record)][:MOST])

    def are_unread(self, has_read: Callable[[bytes], bool], holders: Collection[bytes]) -> bool:
        """Whether something that was safe in another life may not be known here.

        ``has_read`` says whether a supplier has named the logs that it holds, and all of them are here; ``holders`` are
        those who can be asked. What is read is forgotten.
        """
        unread = [record for record in self._records() if not _is_read(record, has_read, holders)]
        if len(unread) < len(self._records()):
            try:
                self._write(unread)
            except OSError as error:
                self.log.warn("that another life is read will be noted later: {error}", error=error)
        return bool(unread)

    def _records(self) -> list[str]:
        """In hex, the newest first; a file that is no such list counts as one record that cannot be read."""
        if self._known is None:
            self._known = self._load()
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
        self._known = records


def _is_read(record: str, has_read: Callable[[bytes], bool], holders: Collection[bytes]) -> bool:
    """Any k places of a family include one that holds each log that was safe; nobody waits for who is no holder."""
    try:
        family = Family.from_body(Signed.from_bytes(bytes.fromhex(record), Family.KIND, MAX_RECORD).body)
    except ValueError:
        return all(map(has_read, holders))
    leaving = family.leaving or [None] * family.n
    places = [
        [who for who in place if who is not None and who in holders]
        for place in zip(family.suppliers, leaving, strict=True)
    ]
    read = [all(map(has_read, place)) for place in places if place]
    return sum(read) >= min(family.k, len(read))
