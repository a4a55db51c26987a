"""Which entries of a supplier's answer are taken: those that are signed for, follow each other and can be applied."""

import sqlite3
from collections.abc import Sequence

from bitdust.crypt.writers import Marks
from bitdust.formats.log_entry import Content, Entry
from bitdust.storage.catalog.catalog import insert_entry
from bitdust.storage.log.access import LogAccess
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.names import BadName

MOST_AHEAD = 2**32
"""Places in the order of entries by which one may be ahead of all that are known."""


class Unusable(BitDustError):
    """An entry that was sealed by whoever knows its secret, and says what cannot be understood or may not count."""


def open_one(entry: Entry, secrets: Sequence[bytes], known: int) -> Content:
    """What an entry says whose log is in a key of which the place ``known`` was the last one.

    Raises `Unusable`, `WireError` ``bad-seal``.
    """
    try:
        content = entry.open(secrets)
        check_order([(entry, content)], known)
    except WireError as error:
        if error.code == "bad-seal":
            raise
        raise Unusable(error.code, str(error)) from error
    return content


def can_open(access: LogAccess, key: str, entry: Entry) -> bool:
    """Whether an entry of a key's log is sealed under a secret that is known here."""
    try:
        entry.open(access.secrets(key, entry.epoch))
    except BitDustError:
        return False
    return True


def is_poison(error: BaseException) -> bool:
    """Whether it is because of what stands in an entry, and not of the disk: nobody is to hide the logs of others."""
    if isinstance(error, sqlite3.Error):
        return isinstance(error, sqlite3.IntegrityError | sqlite3.DataError | sqlite3.InterfaceError)
    return isinstance(error, WireError | BadName) or not isinstance(error, BitDustError | OSError)


def check_start(first: tuple[Entry, Content]) -> None:
    """A log begins with entry 1, or with the snapshot that stands for all before it. Raises `WireError`."""
    entry, content = first
    if entry.sequence > 1 and not any(op["op"] == "snapshot" for op in content.ops):
        raise WireError("broken-chain", f"a log begins with entry {entry.sequence}, which is no snapshot")


def check_order(opened: Sequence[tuple[Entry, Content]], known: int) -> None:
    """Whoever stole a device could give its entries the last place there is in the order: nothing could follow them.

    Each entry has a place behind all that its device knew, and there are not so many. What it repeats was before it.
    """
    for entry, content in opened:
        repeated = [op["lamport"] for op in content.ops if op["op"] == "earlier"]
        if content.lamport > known + MOST_AHEAD or max(repeated, default=0) > content.lamport:
            raise WireError("bad-field", f"entry {entry.sequence} claims a place far ahead of all that is known")
        known = max(known, content.lamport)


def insert_entries(
    database: sqlite3.Connection, key: str, opened: list[tuple[Entry, Content]], learnt: int, guest: Marks | None
) -> None:
    """Inside a transaction: keep and apply entries in the order of their log."""
    for entry, content in opened:
        insert_entry(database, key, entry, content, learnt, guest)


def insert_what_applies(
    database: sqlite3.Connection, key: str, opened: list[tuple[Entry, Content]], learnt: int, guest: Marks | None
) -> tuple[int, BaseException | None]:
    """The same up to an entry that cannot be applied: how many were, and why that one is not. Raises disk errors."""
    for count, one in enumerate(opened):
        database.execute("SAVEPOINT entry")
        try:
            insert_entries(database, key, [one], learnt, guest)
        except Exception as error:
            if not is_poison(error):
                raise
            database.execute("ROLLBACK TO entry")
            database.execute("RELEASE entry")
            return count, error
        database.execute("RELEASE entry")
    return len(opened), None


def try_what_applies(
    database: sqlite3.Connection, key: str, opened: list[tuple[Entry, Content]]
) -> tuple[int, BaseException | None]:
    """As `insert_what_applies`, and nothing is changed."""
    database.execute("SAVEPOINT trial")
    found = insert_what_applies(database, key, opened, 0, None)
    database.execute("ROLLBACK TO trial")
    database.execute("RELEASE trial")
    return found
