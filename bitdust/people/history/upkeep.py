"""What the history does beside storing: bring back what a damaged file still has, seal or open bodies as the home's
lock says, index words, and remove what the settings say is too old. All of it in small portions between messages.
"""

import sqlite3

from attrs import frozen

from bitdust.config.settings import Settings
from bitdust.people.history import damage, words
from bitdust.people.history.database import can_index, fact, note
from bitdust.people.history.file import CONVERTED, HistoryFile
from bitdust.people.history.writing import prune, seal_more

DAYS = "services/message-history/keep-days"
MESSAGES = "services/message-history/keep-messages"
DAY = 24 * 3600
HOUR = 3600.0
STEADY = 24
"""Hours in a row without a leap of the clock before messages count as old by it."""
LEAP = 7 * DAY


@frozen
class Rules:
    """Whether bodies are to be sealed; days and messages of a conversation that are kept, 0 for all; now (seconds)."""

    sealed: bool
    days: int
    messages: int
    now: int

    @classmethod
    def of(cls, settings: Settings, sealed: bool, now: float) -> "Rules":
        return cls(sealed, int(settings.get(DAYS)), int(settings.get(MESSAGES)), int(now))


@frozen
class Portion:
    """What was done in one transaction: whether there is more to do, how many messages came back, and whether all
    bodies are as the lock says now."""

    more: bool
    restored: int = 0
    is_converted: bool = False


def portion(database: sqlite3.Connection, file: HistoryFile, rules: Rules) -> Portion:
    """Inside a transaction: do some of what is due."""
    if file.want_sealed(database, rules.sealed) and rules.sealed:
        words.drop(database)
        file.has_words = False
    restored = damage.salvage(database, file.folder)
    if restored is not None:
        return Portion(True, restored)
    if not fact(database, CONVERTED, 1):
        return _convert(database, file, rules.sealed)
    if file.has_words and words.index_more(database, file.bodies):
        return Portion(True)
    return Portion(_prune(database, file, rules))


def _convert(database: sqlite3.Connection, file: HistoryFile, sealed: bool) -> Portion:
    if seal_more(database, file.bodies, sealed):
        return Portion(True)
    note(database, CONVERTED, 1)
    file.has_words = not sealed and can_index(database)
    return Portion(True, is_converted=True)


def _prune(database: sqlite3.Connection, file: HistoryFile, rules: Rules) -> bool:
    if not (rules.days or rules.messages):
        return False
    before = max(0, rules.now - rules.days * DAY) * 1000 if rules.days and _is_steady(database, rules.now) else 0
    return bool(prune(database, file.bodies, before, rules.messages))


def _is_steady(database: sqlite3.Connection, now: int) -> bool:
    return fact(database, "rounds") >= STEADY and 0 <= now - fact(database, "hour") <= LEAP


def note_hour(database: sqlite3.Connection, now: int) -> None:
    """Inside a transaction, once an hour: whether the clock has leapt since the last time."""
    passed = now - fact(database, "hour", now)
    note(database, "rounds", min(STEADY, fact(database, "rounds") + 1) if 0 <= passed <= LEAP else 0)
    note(database, "hour", now)
