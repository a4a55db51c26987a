"""A version that counts, and that nobody has: its writer takes it back.

A writer replaces or deletes a file at once; others may have heard of the version before, and decide for it as long as
they do not know what came after it.
"""

from collections.abc import Collection

from bitdust.folders.deciding import is_conflict
from bitdust.folders.journal import Journal
from bitdust.folders.records import Entry, read


def retract(journal: Journal, ident: bytes, without: Collection[bytes]) -> bool:
    """What this node wrote, and deleted or replaced again, and nobody has any more, though others have decided for it:
    there is none, or what this disk shows takes its place. Conflict copies of what it wrote and replaced are the same.
    Whether it is so.

    ``without`` are the devices that have just said that they do not have it: a device that is away may have it.
    """
    with journal.change() as database:
        known = {bytes(device) for (device,) in database.execute("SELECT device FROM peers")}
        if not without or not known.issubset(without):
            return False
        entry = journal.entry(journal.heads(ident))
        if entry.writer != journal.node or entry.deleted or not journal.keys.secret.may_write:
            return False
        shown = _instead(journal, ident, entry)
        if shown is None or shown.content == entry.content:
            return False
        journal.say(ident, shown)
    return True


def _instead(journal: Journal, ident: bytes, entry: Entry) -> Entry | None:
    """What takes its place; None where this node has not given it up."""
    raw = journal.items.base(ident)
    base = read(raw) if raw is not None else None
    if journal.items.local(entry.path) is None:
        was_deleted = is_conflict(entry.path) or (base is not None and base.deleted)
        return Entry(entry.path, entry.kind, deleted=True) if was_deleted else None
    return base.opened(journal.keys) if base is not None else None
