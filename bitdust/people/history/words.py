"""The index of words: what is searched for, and which messages have it.

It is made behind the messages, some at a time, and says which numbers it has: from ``words_low`` to ``words_high``.
Where bodies are sealed there is none: words would be readable in it.
"""

import json
import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from bitdust.people.history.bodies import Bodies
from bitdust.people.history.database import WORDS, fact, note
from bitdust.people.history.values import Filter
from bitdust.wire.errors import BitDustError

MOST_TEXT = 100_000
"""Characters of a message that can be found."""
MOST_WORDS = 32
MOST_QUERY = 1_000
AT_ONCE = 500
LOW, HIGH = "words_low", "words_high"
_PARTS = re.compile(r'"([^"]*)"|(\S+)')
_WORD = re.compile(r"\w+")


def text_of(data: Any) -> str:
    """Every text in a JSON value, one after the other."""
    return " ".join(_texts(data))[:MOST_TEXT]


def _texts(data: Any) -> Iterator[str]:
    """Without recursion: a message says how deep it is."""
    waiting = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting.extend(reversed(value.values()))
        elif isinstance(value, list):
            waiting.extend(reversed(value))


def phrases(query: str) -> list[tuple[str, bool]]:
    """What a query asks for: words and quoted phrases, each with whether it stands for all that begins so.

    Raises `BitDustError` ``bad-query``.
    """
    if len(query) > MOST_QUERY:
        raise BitDustError("bad-query", f"a query has at most {MOST_QUERY} characters")
    found = [(quoted or word.rstrip("*"), not quoted and word.endswith("*")) for quoted, word in _PARTS.findall(query)]
    found = [(text, begins) for text, begins in found if _WORD.search(text)]
    if not found:
        raise BitDustError("bad-query", "a query needs a word: letters or digits")
    if len(found) > MOST_WORDS:
        raise BitDustError("bad-query", f"a query has at most {MOST_WORDS} words")
    return found


def expression(query: str, wanted: Filter, conversation: int | None) -> str:
    """What FTS5 is asked."""
    words = " AND ".join(f"{_quoted(text)}{' *' if begins else ''}" for text, begins in phrases(query))
    places = [f"c{conversation}"] if conversation is not None else []
    places += [f"s{wanted.sender.hex()}"] if wanted.sender else []
    places += [f"d{wanted.direction}"] if wanted.direction else []
    asked = " AND ".join(_quoted(place) for place in places)
    if wanted.kinds:
        kinds = " OR ".join(_quoted(_kind(kind)) for kind in wanted.kinds)
        asked = f"{asked} AND ({kinds})" if asked else kinds
    return f"text : ({words})" + (f" AND place : ({asked})" if asked else "")


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def _kind(kind: str) -> str:
    return "k" + kind.replace("_", "")


def _place(conversation: int, kind: str, sender: bytes, incoming: int) -> str:
    return f"c{conversation} {_kind(kind)} s{sender.hex()} d{'incoming' if incoming else 'outgoing'}"


def search(database: sqlite3.Connection, asked: str, before: int | None, limit: int, offset: int) -> list[int]:
    """Numbers of the newest messages that match an `expression`, newest first."""
    if database.execute("SELECT 1 FROM sqlite_master WHERE name='words'").fetchone() is None:
        return []
    newest = "AND rowid < ?" if before is not None else ""
    query = f"SELECT rowid FROM words WHERE words MATCH ? {newest} ORDER BY rowid DESC LIMIT ? OFFSET ?"
    arguments = (asked, *([before] if before is not None else []), limit, offset)
    return [number for (number,) in database.execute(query, arguments)]


def index_more(database: sqlite3.Connection, bodies: Bodies, most: int = AT_ONCE) -> int:
    """Take up some messages that the index has not got; how many, 0 when it has all of them."""
    (newest,) = database.execute("SELECT coalesce(max(number), 0) FROM messages").fetchone()
    low, high = fact(database, LOW, newest + 1), fact(database, HIGH, newest)
    rows = _rows(database, "m.number > ? ORDER BY m.number", high, most)
    if not rows:
        rows = _rows(database, "m.number < ? ORDER BY m.number DESC", low, most)
    if not rows:
        return 0
    database.execute(WORDS)
    database.executemany("INSERT INTO words(rowid, place, text) VALUES(?, ?, ?)", _entries(rows, bodies))
    numbers = [row[0] for row in rows]
    note(database, LOW, min(low, *numbers))
    note(database, HIGH, max(high, *numbers))
    return len(rows)


def _rows(database: sqlite3.Connection, where: str, number: int, most: int) -> list[tuple[Any, ...]]:
    query = (
        "SELECT m.number, m.conversation, c.type, m.sender, m.incoming, m.id, m.sealed, m.body "
        f"FROM messages m JOIN conversations c ON c.id = m.conversation WHERE {where} LIMIT ?"
    )
    return database.execute(query, (number, most)).fetchall()


def _entries(rows: Iterable[tuple[Any, ...]], bodies: Bodies) -> Iterator[tuple[int, str, str]]:
    for number, conversation, kind, sender, incoming, ident, sealed, body in rows:
        text = text_of(json.loads(bodies.text(ident + sender, sealed, body)))
        yield number, _place(conversation, kind, sender, incoming), text


def forget(database: sqlite3.Connection, bodies: Bodies, numbers: Iterable[int]) -> None:
    """Take messages, which are still there, out of the index."""
    low, high = fact(database, LOW), fact(database, HIGH, -1)
    for number in numbers:
        if low <= number <= high:
            entries = _entries(_rows(database, "m.number = ?", number, 1), bodies)
            query = "INSERT INTO words(words, rowid, place, text) VALUES('delete', ?, ?, ?)"
            database.executemany(query, list(entries))


def drop(database: sqlite3.Connection) -> None:
    """Have no index."""
    database.execute("DROP TABLE IF EXISTS words")
    note(database, LOW, None)
    note(database, HIGH, None)


class Plainly:
    """A query for messages that have no index: their words are compared one after the other."""

    def __init__(self, query: str) -> None:
        self._phrases = [(self._words(text), begins) for text, begins in phrases(query)]

    @staticmethod
    def _words(text: str) -> list[str]:
        plain = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
        return _WORD.findall(plain.casefold().replace("_", " "))

    def matches(self, data: Any) -> bool:
        """Whether a message has every word and phrase."""
        words = self._words(text_of(data))
        return all(self._has(words, wanted, begins) for wanted, begins in self._phrases)

    @staticmethod
    def _has(words: list[str], wanted: list[str], begins: bool) -> bool:
        size = len(wanted)
        for start in range(len(words) - size + 1):
            found = words[start : start + size]
            if found == wanted or (begins and found[:-1] == wanted[:-1] and found[-1].startswith(wanted[-1])):
                return True
        return False
