"""What changes the history; every function runs inside a transaction, in the writer's thread."""

import sqlite3

from bitdust.people.history import words
from bitdust.people.history.bodies import Bodies
from bitdust.people.history.database import fact, note
from bitdust.people.history.values import Stored
from bitdust.wire.messages import INCOMING, Message, json_text

AT_ONCE = 500


def add(database: sqlite3.Connection, bodies: Bodies, message: Message, at: int) -> Stored | None:
    """Keep a message as the newest one; None when it is there already."""
    ident = bytes.fromhex(message.id)
    if _is_there(database, ident, message.sender):
        return None
    conversation, last = _conversation(database, message, at)
    text = json_text(message.data)
    number = _insert(database, bodies, conversation, (None, last + 1, at), message, text)
    incoming = int(message.direction == INCOMING)
    database.execute(
        "UPDATE conversations SET last=?, updated=?, unread=unread+? WHERE id=?",
        (last + 1, at, incoming, conversation),
    )
    return Stored(message, number, last + 1, at, len(text))


def add_before(database: sqlite3.Connection, bodies: Bodies, message: Message, at: int) -> bool:
    """Keep a message as the oldest one, and as one that was read; False when it is there already."""
    ident = bytes.fromhex(message.id)
    if _is_there(database, ident, message.sender):
        return False
    conversation, _ = _conversation(database, message, at)
    query = "SELECT first FROM conversations WHERE id=?"
    (first,) = database.execute(query, (conversation,)).fetchone()
    (oldest,) = database.execute("SELECT coalesce(min(number), 1) FROM messages").fetchone()
    number = min(oldest, fact(database, words.LOW, 1), 1) - 1
    _insert(database, bodies, conversation, (number, first - 1, at), message, json_text(message.data))
    query = "UPDATE conversations SET first=?, started=min(started, ?) WHERE id=?"
    database.execute(query, (first - 1, at, conversation))
    return True


def _is_there(database: sqlite3.Connection, ident: bytes, sender: bytes) -> bool:
    found = database.execute("SELECT 1 FROM messages WHERE id=? AND sender=?", (ident, sender))
    return found.fetchone() is not None


def _conversation(database: sqlite3.Connection, message: Message, at: int) -> tuple[int, int]:
    """The number of the message's conversation, which is made where there is none, and its last position."""
    query = "SELECT id, last FROM conversations WHERE name=?"
    row = database.execute(query, (message.conversation,)).fetchone()
    if row is not None:
        return row[0], row[1]
    made = database.execute(
        "INSERT INTO conversations(name, type, started, updated) VALUES(?, ?, ?, ?)",
        (message.conversation, message.kind, at, at),
    )
    return int(made.lastrowid or 0), 0


def _insert(
    database: sqlite3.Connection,
    bodies: Bodies,
    conversation: int,
    place: tuple[int | None, int, int],
    message: Message,
    text: bytes,
) -> int:
    """At a place (number, None for the next one; position; when it was stored); the number."""
    number, position, at = place
    ident = bytes.fromhex(message.id)
    sealed, body = bodies.kept(ident + message.sender, text)
    made = database.execute(
        "INSERT INTO messages VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            ident,
            conversation,
            position,
            message.sender,
            message.sender_device,
            message.recipient,
            message.recipient_key,
            message.time,
            message.sequence,
            int(message.direction == INCOMING),
            at,
            sealed,
            body,
        ),
    )
    database.execute(
        "INSERT INTO sequences VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET last=max(last, excluded.last)",
        (message.conversation, message.sender_device, message.sequence),
    )
    return int(made.lastrowid or 0)


def mark_read(database: sqlite3.Connection, name: str, position: int) -> bool:
    """Incoming messages of a conversation up to a position were seen; whether that is news."""
    query = "SELECT id, read, unread FROM conversations WHERE name=?"
    row = database.execute(query, (name,)).fetchone()
    if row is None or position <= row[1]:
        return False
    count = "SELECT count(*) FROM messages WHERE conversation=? AND position>? AND incoming=1"
    (unread,) = database.execute(count, (row[0], position)).fetchone()
    database.execute("UPDATE conversations SET read=?, unread=? WHERE id=?", (position, unread, row[0]))
    return bool(unread != row[2])


def prune(database: sqlite3.Connection, bodies: Bodies, before: int, keep: int, most: int = AT_ONCE) -> int:
    """Remove some of the oldest messages of conversations: those stored ``before`` that time (milliseconds; 0: none),
    and all but the last ``keep`` (0: all are kept). How many; 0 when none is left to go."""
    removed = 0
    rows = database.execute("SELECT id, first, last FROM conversations WHERE last >= first").fetchall()
    for conversation, first, last in rows:
        gone = _prune(database, bodies, (conversation, first, last), before, keep, most - removed)
        removed += gone
        if removed >= most:
            break
    return removed


def _prune(
    database: sqlite3.Connection, bodies: Bodies, place: tuple[int, int, int], before: int, keep: int, most: int
) -> int:
    conversation, first, last = place
    query = "SELECT number, position, stored FROM messages WHERE conversation=? ORDER BY position LIMIT ?"
    numbers = []
    for number, position, stored in database.execute(query, (conversation, most)).fetchall():
        if stored >= before and not (keep and position <= last - keep):
            break
        numbers.append(number)
    if not numbers:
        return 0
    words.forget(database, bodies, numbers)
    database.executemany("DELETE FROM messages WHERE number=?", [(number,) for number in numbers])
    unread = (
        "SELECT count(*) FROM messages m WHERE m.conversation=conversations.id AND m.position>conversations.read "
        "AND m.incoming=1"
    )
    query = f"UPDATE conversations SET first=?, unread=({unread}) WHERE id=?"
    database.execute(query, (first + len(numbers), conversation))
    return len(numbers)


def seal_more(database: sqlite3.Connection, bodies: Bodies, sealed: bool, most: int = AT_ONCE) -> int:
    """Seal some bodies that are plain, or open some that are sealed; how many, 0 when all are as they shall be."""
    query = "SELECT number, id, sender, sealed, body FROM messages WHERE number>? AND sealed<>? ORDER BY number LIMIT ?"
    passed = fact(database, "seals", -(2**62))
    rows = database.execute(query, (passed, int(sealed), most)).fetchall()
    for number, ident, sender, was, body in rows:
        text = bodies.text(ident + sender, was, body)
        kept = bodies.seal(ident + sender, text) if sealed else text
        database.execute("UPDATE messages SET sealed=?, body=? WHERE number=?", (int(sealed), kept, number))
    note(database, "seals", rows[-1][0] if rows else None)
    return len(rows)
