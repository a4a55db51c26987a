"""What is read out of the history; every function runs in a thread, over a connection of its own."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from bitdust.people.history import words
from bitdust.people.history.bodies import Bodies
from bitdust.people.history.values import Conversation, Filter, Page, Stored
from bitdust.wire.messages import INCOMING, OUTGOING, Message

_COLUMNS = (
    "m.number, m.id, c.type, c.name, m.position, m.sender, m.device, m.recipient, m.key, m.time, m.sequence, "
    "m.incoming, m.stored, m.sealed, m.body FROM messages m CROSS JOIN conversations c ON c.id = m.conversation"
)
SCANNED = 1_000
MOST_BYTES = 8 * 1024 * 1024
"""Bytes of data after which a page has no more messages, however many are wanted."""


def page(database: sqlite3.Connection, bodies: Bodies, wanted: Filter, part: Page) -> list[Stored]:
    """Messages from old to new: the newest ones behind an offset, or those next before or after a number."""
    conversation = _number_of(database, wanted.conversation)
    if wanted.conversation and conversation is None:
        return []
    if conversation is not None and not wanted.sender and not wanted.direction:
        query, values = _of_conversation(database, conversation, part)
    else:
        query, values = _of_all(wanted, conversation, part)
    rows = database.execute(f"SELECT {_COLUMNS} {query} LIMIT ?", (*values, part.limit))
    found = _bounded(_stored(bodies, row) for row in rows)
    return found if part.after is not None else found[::-1]


def _bounded(found: Iterable[Stored]) -> list[Stored]:
    page, size = [], 0
    for stored in found:
        page.append(stored)
        size += stored.size
        if size >= MOST_BYTES:
            break
    return page


def is_cut(found: Iterable[Stored]) -> bool:
    """Whether there may be more of a page than its bytes allow."""
    return sum(stored.size for stored in found) >= MOST_BYTES


def _number_of(database: sqlite3.Connection, name: str) -> int | None:
    row = database.execute("SELECT id FROM conversations WHERE name=?", (name,)).fetchone() if name else None
    return int(row[0]) if row is not None else None


def _of_conversation(database: sqlite3.Connection, conversation: int, part: Page) -> tuple[str, list[Any]]:
    """By positions, which have no gaps: a page far back costs no more than the newest one."""
    (last,) = database.execute("SELECT last FROM conversations WHERE id=?", (conversation,)).fetchone()
    if part.after is not None:
        first = _position(database, conversation, part.after)
        query, border = "m.position > ? ORDER BY m.position", first + part.offset
    elif part.before is not None:
        query, border = "m.position < ? ORDER BY m.position DESC", _behind(database, conversation, part) - part.offset
    else:
        query, border = "m.position <= ? ORDER BY m.position DESC", last - part.offset
    return f"WHERE m.conversation = ? AND {query}", [conversation, border]


def _position(database: sqlite3.Connection, conversation: int, number: int) -> int:
    """The position of the last message of a conversation up to a number."""
    return _near(database, conversation, number, "m.number <= ? ORDER BY m.position DESC", -(2**62))


def _behind(database: sqlite3.Connection, conversation: int, part: Page) -> int:
    """The position of its first message from a number on."""
    return _near(database, conversation, part.before or 0, "m.number >= ? ORDER BY m.position", 2**62)


def _near(database: sqlite3.Connection, conversation: int, number: int, where: str, none: int) -> int:
    row = database.execute("SELECT position, conversation FROM messages WHERE number=?", (number,)).fetchone()
    if row is not None and row[1] == conversation:
        return int(row[0])
    query = f"SELECT m.position FROM messages m WHERE m.conversation=? AND {where} LIMIT 1"
    row = database.execute(query, (conversation, number)).fetchone()
    return int(row[0]) if row is not None else none


def _of_all(wanted: Filter, conversation: int | None, part: Page) -> tuple[str, list[Any]]:
    where, values = _where(wanted, conversation)
    if part.after is not None:
        where.append("m.number > ?")
        values.append(part.after)
    elif part.before is not None:
        where.append("m.number < ?")
        values.append(part.before)
    order = "m.number" if part.after is not None else "m.number DESC"
    conditions = f"WHERE {' AND '.join(where)} " if where else ""
    numbers = f"SELECT m.number FROM messages m {conditions}ORDER BY {order} LIMIT ? OFFSET ?"
    return f"WHERE m.number IN ({numbers}) ORDER BY {order}", [*values, part.limit, part.offset]


def _where(wanted: Filter, conversation: int | None) -> tuple[list[str], list[Any]]:
    where: list[str] = []
    values: list[Any] = []
    if conversation is not None:
        where.append("m.conversation = ?")
        values.append(conversation)
    if wanted.sender:
        where.append("m.sender = ?" if conversation is None else "+m.sender = ?")
        values.append(wanted.sender)
    if wanted.kinds:
        marks = ", ".join("?" * len(wanted.kinds))
        where.append(f"m.conversation IN (SELECT id FROM conversations WHERE type IN ({marks}))")
        values += wanted.kinds
    if wanted.direction:
        where.append("m.incoming = ?")
        values.append(int(wanted.direction == INCOMING))
    return where, values


def named(database: sqlite3.Connection, bodies: Bodies, numbers: Sequence[int]) -> list[Stored]:
    """The messages that have these numbers, in their order."""
    rows = (database.execute(f"SELECT {_COLUMNS} WHERE m.number=?", (number,)).fetchone() for number in numbers)
    return _bounded(_stored(bodies, row) for row in rows if row is not None)


def number_of(database: sqlite3.Connection, ident: bytes, conversation: str) -> int | None:
    """The number of a message by its id, in one conversation or in any of them."""
    query = "SELECT m.number, c.name FROM messages m JOIN conversations c ON c.id = m.conversation WHERE m.id=?"
    for number, name in database.execute(query, (ident,)):
        if conversation in ("", name):
            return int(number)
    return None


def search(database: sqlite3.Connection, bodies: Bodies, query: str, wanted: Filter, part: Page) -> list[Stored]:
    """The newest messages with these words, newest first, by the index."""
    conversation = _number_of(database, wanted.conversation)
    if wanted.conversation and conversation is None:
        return []
    asked = words.expression(query, wanted, conversation)
    return named(database, bodies, words.search(database, asked, part.before, part.limit, part.offset))


def scan(
    database: sqlite3.Connection, bodies: Bodies, query: str, wanted: Filter, before: int | None
) -> tuple[list[Stored], int | None]:
    """The same for a thousand messages without an index, and the number where to go on; None at the end."""
    plain = words.Plainly(query)
    rows = page(database, bodies, wanted, Page(SCANNED, 0, before))
    found = [stored for stored in reversed(rows) if plain.matches(stored.message.data)]
    return found, rows[0].number if len(rows) == SCANNED or is_cut(rows) else None


def conversations(
    database: sqlite3.Connection, kinds: Sequence[str], names: Sequence[str], limit: int, offset: int
) -> list[Conversation]:
    """Conversations of these types, or with these names, or all of them; those with the newest messages first."""
    where, values = "", []
    if names:
        where, values = f"WHERE name IN ({', '.join('?' * len(names))})", list(names)
    elif kinds:
        where, values = f"WHERE type IN ({', '.join('?' * len(kinds))})", list(kinds)
    query = (
        "SELECT name, type, started, updated, last - first + 1, unread, "
        "(SELECT id FROM messages WHERE conversation=c.id AND position=c.last) "
        f"FROM conversations c {where} ORDER BY updated DESC, id DESC LIMIT ? OFFSET ?"
    )
    rows = database.execute(query, (*values, limit, offset))
    return [
        Conversation(name, kind, started, updated, total, unread, (last or b"").hex())
        for name, kind, started, updated, total, unread, last in rows
    ]


def groups_called(database: sqlite3.Connection, alias: str) -> list[str]:
    """Names of conversations of groups with an alias, whoever made them."""
    rows = database.execute("SELECT name FROM conversations WHERE name>? AND name<?", (f"{alias}$", f"{alias}%"))
    return [name for (name,) in rows]


def counts(database: sqlite3.Connection) -> dict[str, int]:
    """How many conversations and messages there are, and how many of those were not read."""
    query = "SELECT count(*), coalesce(sum(last - first + 1), 0), coalesce(sum(unread), 0) FROM conversations"
    row = database.execute(query).fetchone()
    return dict(zip(("conversations", "messages", "unread"), row, strict=True))


def sequences(database: sqlite3.Connection) -> dict[tuple[str, bytes], int]:
    """The highest sequence number of each device in each conversation."""
    return {(name, device): last for name, device, last in database.execute("SELECT * FROM sequences")}


def _stored(bodies: Bodies, row: Sequence[Any]) -> Stored:
    number, ident, kind, name, position, sender, device, recipient, key, time, sequence, incoming, at, *kept = row
    text = bodies.text(ident + sender, *kept)
    direction = INCOMING if incoming else OUTGOING
    names = (ident.hex(), kind, name, sender, device, recipient, key)
    return Stored(Message(*names, time, sequence, json.loads(text), direction), number, position, at, len(text))
