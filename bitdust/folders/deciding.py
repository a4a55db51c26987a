"""What becomes of versions of one path that know nothing of each other. Pure: all nodes come to the same by themselves.

The rules, in this order:

1. a version that has, or had, the content which another one knows as former is late, and counts no more;
2. what is there goes before what is deleted, a folder before a file or link;
3. the later time of change, then the greater writer, then the greater content.

What loses and is neither deleted, nor a folder, nor known to the winner, is kept beside it as a conflict copy.
"""

import re
import time
from collections.abc import Sequence

from attrs import evolve, frozen

from bitdust.folders.paths import LONGEST_NAME, LONGEST_PATH, name, split_suffix, to_bytes
from bitdust.folders.records import FOLDER, Entry, Record, remembered
from bitdust.folders.vectors import Order, Vector, compare, joined

_MARK = re.compile(r"\.Conflict-[0-9a-f]{8}-\d{8}-\d{6}(-[0-9a-f]{8})?(?=\.[^./]*$|$)")


@frozen
class Versioned:
    """A version and its vector."""

    entry: Entry
    vector: Vector


@frozen
class Decision:
    """``winner`` follows all that were looked at; ``copies`` are entries of paths of their own."""

    winner: Versioned
    copies: tuple[Versioned, ...] = ()


def heads_with(heads: Sequence[Record], new: Record) -> list[Record] | None:
    """The versions that count when another one is known; None where nothing changes."""
    kept: list[Record] = []
    for head in heads:
        order = compare(head.vector, new.vector)
        if order is Order.AFTER or head.raw == new.raw:
            return None
        if order is not Order.BEFORE:
            kept.append(head)
    return [*kept, new]


def decide(versions: Sequence[Versioned]) -> Decision:
    """One out of several that count side by side."""
    entries = [one.entry for one in versions]
    winner = max(_living(entries), key=_rank)
    former = remembered(tuple(content for one in entries for content in (*one.before, one.content)))
    known = {winner.content, *winner.before}
    losers = {one.content: one for one in sorted(entries, key=_rank)}
    copies = tuple(
        _copy(loser) for content, loser in losers.items() if content and content not in known and loser.kind != FOLDER
    )
    before = tuple(one for one in former if one != winner.content)
    return Decision(Versioned(evolve(winner, before=before), joined(one.vector for one in versions)), copies)


def _living(entries: Sequence[Entry]) -> list[Entry]:
    """Without those that are late."""
    found = [one for one in entries if not any(_is_late(one, other) for other in entries)]
    return found or list(entries)


def _is_late(one: Entry, other: Entry) -> bool:
    return one.content != other.content and one.content in other.before and other.content not in one.before


def _rank(entry: Entry) -> tuple[bool, bool, int, bytes, int, bytes, bool]:
    return (
        not entry.deleted, entry.kind == FOLDER, entry.mtime, entry.writer, entry.made, entry.content,
        entry.executable,
    )  # fmt: skip


def _copy(loser: Entry) -> Versioned:
    """The same content under a name that says whose it was and of when."""
    path = conflict_name(loser.path, loser)
    return Versioned(evolve(loser, path=path, before=()), {loser.writer: loser.made})


def is_conflict(path: str) -> bool:
    """Whether a path is that of a conflict copy."""
    return _MARK.search(path) is not None


def conflict_name(path: str, loser: Entry) -> str:
    """``name.Conflict-<writer>-<UTC>.ext``; the copy of a copy has one such mark, and a part of its content in it.

    Where the path would be too long it is in the folder's root.
    """
    moment = min(max(loser.mtime // 10**9, 0), 253_402_300_799)
    mark = f".Conflict-{loser.writer[:4].hex()}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(moment))}"
    plain = _MARK.sub("", path)
    stem, suffix = split_suffix(plain)
    if stem + mark + suffix == path:
        mark += f"-{loser.content[:4].hex()}"
    room = LONGEST_NAME - len(mark.encode()) - len(to_bytes(suffix))
    while len(to_bytes(name(stem))) > room and len(name(stem)) > 1:
        stem = stem[:-1]
    found = stem + mark + suffix
    return found if len(to_bytes(found)) <= LONGEST_PATH else name(found)
