"""What is shown of a folder, read from its journal in the folder's thread."""

from attrs import evolve, frozen

from bitdust.folders.deciding import is_conflict
from bitdust.folders.items import Item
from bitdust.folders.journal import Journal
from bitdust.folders.paths import name, to_bytes
from bitdust.folders.port import ChangeRow, ConflictRow, EntryRow
from bitdust.folders.records import FOLDER

MOST = 10_000
"""Rows of one answer."""


@frozen
class Totals:
    """Living files of a folder that are here, and their bytes; bytes that are still to come; deletions that wait."""

    files: int = 0
    size: int = 0
    due: int = 0
    held: int = 0


def totals(journal: Journal) -> Totals:
    """Of the whole folder."""
    database = journal.database
    if not journal.keys.secret.may_read:
        files, size = database.execute("SELECT count(*), coalesce(sum(size), 0) FROM kept").fetchone()
        return Totals(files, size)
    files, size = database.execute("SELECT count(*), coalesce(sum(size), 0) FROM local WHERE kind<>'folder'").fetchone()
    (due,) = database.execute(
        "SELECT coalesce(sum(size), 0) FROM items WHERE todo AND NOT deleted AND wanted AND kind='file'"
    ).fetchone()
    (held,) = database.execute("SELECT count(*) FROM items WHERE held").fetchone()
    return Totals(files, size, due, held)


def entries(journal: Journal, path: str, selective: bool) -> list[EntryRow]:
    """The names in a folder; one that is no folder is itself; nothing for what is not known."""
    path = path.strip("/")
    item = journal.items.at(path) if path else None
    if path and (item is None or item.deleted):
        return []
    if item is not None and item.kind != FOLDER:
        return [_row(journal, item, selective)]
    return [_row(journal, one, selective) for one in journal.items.below(path)]


def _row(journal: Journal, item: Item, selective: bool) -> EntryRow:
    if item.kind == FOLDER:
        return EntryRow(name(item.path), "folder")
    local = journal.items.local(item.path)
    whole = local is not None and local.content == item.content
    pieces = max(1, item.pieces)
    download = item.wanted if selective else None
    return EntryRow(name(item.path), "file", "created", item.size, pieces if whole else 0, pieces, download)


def conflicts(journal: Journal) -> list[ConflictRow]:
    """Conflict copies that lie in the folder."""
    rows = journal.database.execute(
        "SELECT path FROM items WHERE NOT deleted AND CAST(path AS TEXT) LIKE '%.Conflict-%' LIMIT ?", (MOST,)
    )
    found = []
    for (path,) in rows.fetchall():
        item = journal.items.at(path.decode("utf-8", "surrogateescape"))
        if item is not None and is_conflict(item.path):
            of = item.path.partition(".Conflict-")[0] + _suffix(item.path)
            found.append(ConflictRow(item.path, of, item.size, item.mtime // 10**9))
    return found


def _suffix(path: str) -> str:
    last = name(path).partition(".Conflict-")[2]
    return last[last.index(".") :] if "." in last else ""


def changes(journal: Journal, path: str, limit: int) -> list[ChangeRow]:
    """What has happened to a path and to all below it, the newest first."""
    raw = to_bytes(path.strip("/"))
    where, arguments = ("WHERE path=? OR (path>? AND path<?)", [raw, raw + b"/", raw + b"0"]) if raw else ("", [])
    rows = journal.database.execute(
        f"SELECT path, what, writer, time, size FROM changes {where} ORDER BY number DESC LIMIT ?",
        [*arguments, min(limit, MOST)],
    )
    return [
        ChangeRow(path.decode("utf-8", "surrogateescape"), what, time, writer.hex(), size)
        for path, what, writer, time, size in rows
    ]


def choose(journal: Journal, path: str, download: bool) -> EntryRow | None:
    """Whether a file, or a folder with all in it, shall be on this disk; None for what is not in the folder."""
    path = path.strip("/")
    item = journal.items.at(path)
    if item is None or item.deleted:
        return None
    with journal.change() as database:
        raw, below = to_bytes(path), to_bytes(path) + b"/"
        after = below[:-1] + b"0"
        database.execute(
            "UPDATE items SET wanted=?, todo=CASE WHEN deleted THEN todo ELSE 1 END"
            " WHERE path=? OR (path>=? AND path<?)",
            (download, raw, below, after),
        )
    return _row(journal, evolve(item, wanted=download), True)


def confirm(journal: Journal) -> int:
    """Deletions that waited for a person's word are done; how many."""
    with journal.change() as database:
        journal.note("confirmed", b"\1")
        return database.execute("UPDATE items SET held=0 WHERE held").rowcount
