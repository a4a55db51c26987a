"""A history of messages on a clock, and people who write."""

import hashlib
import os
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.people.history.history import History
from bitdust.people.history.values import Filter, Page, Stored
from bitdust.signal import Signal
from bitdust.testing.clock import GridClock
from bitdust.wire.errors import BitDustError
from bitdust.wire.messages import GROUP, INCOMING, OUTGOING, PRIVATE, Message, conversation_of
from tests.unit.kit import Events, Settings
from tests.vectors.keys import device, master

ALL = Filter()
START = 1_700_000_000


def person(name: str) -> bytes:
    """A fingerprint."""
    return hashlib.sha256(name.encode()).digest()


ALICE, BOB, CAROL = person("alice"), person("bob"), person("carol")


def message(text: str, sender: bytes = BOB, to: bytes = ALICE, sequence: int = 1, **other: Any) -> Message:
    """Alice's node keeps it: what others send comes in."""
    direction = OUTGOING if sender == ALICE else INCOMING
    values = {
        "id": os.urandom(16).hex(),
        "kind": PRIVATE,
        "conversation": conversation_of(sender, to),
        "sender": sender,
        "sender_device": sender[:8],
        "recipient": to.hex(),
        "recipient_key": "master",
        "time": START * 1000,
        "sequence": sequence,
        "data": {"text": text},
        "direction": direction,
    }
    return Message(**values | other)


def to_group(text: str, sender: bytes = BOB, group: str = "group_abc", **other: Any) -> Message:
    return message(text, sender, kind=GROUP, conversation=group, recipient=group, **other)


def sqlite_trouble(code: int) -> sqlite3.DatabaseError:
    """What SQLite raises for one of its result codes."""
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = code
    return error


def texts(found: list[Stored]) -> list[str]:
    return [stored.message.data["text"] for stored in found]


class HistoryCase(SynchronousTestCase):
    """Alice's home; every read and write is done at once, and what is done beside when a second passes."""

    def setUp(self) -> None:
        self.clock = GridClock()
        self.home = Path(self.mktemp()).absolute()
        self.events = Events()
        self.settings = Settings({"services/message-history/keep-days": 0, "services/message-history/keep-messages": 0})
        world = SimpleNamespace(
            clock=self.clock, home=self.home, wall=lambda: START + self.clock.seconds(), run_in_thread=maybeDeferred
        )
        self.me = SimpleNamespace(
            fingerprint=ALICE,
            keeps_locked=False,
            present=True,
            changed=Signal(),
            device=device(),
            held_master=None,
            public=master().public,
        )
        self.around = SimpleNamespace(world=world, me=self.me, settings=self.settings, events=self.events)
        self.history = self.open()

    def open(self) -> History:
        history = History(self.around)  # type: ignore[arg-type]
        self.successResultOf(history.open())
        self.addCleanup(lambda: self.successResultOf(history.close()))
        return history

    def again(self) -> History:
        """The node starts once more."""
        self.successResultOf(self.history.close())
        self.history = self.open()
        return self.history

    @property
    def path(self) -> Path:
        return self.history.file.path

    def add(self, *messages: Message) -> list[bool]:
        return [self.successResultOf(self.history.add(one)) for one in messages]

    def fill(self, count: int, start: int = 1, padding: int = 0) -> None:
        """Bob writes ``word 1``, ``word 2`` and so on, ``padding`` more bytes in each."""
        for number in range(start, start + count):
            self.add(message("", sequence=number, data={"text": f"word {number}", "n": [0] * (padding // 2)}))

    def page(self, wanted: Filter = ALL, **part: Any) -> list[str]:
        return texts(self.successResultOf(self.history.page(wanted, Page(**part))))

    def search(self, query: str, wanted: Filter = ALL, **part: Any) -> list[str]:
        return texts(self.successResultOf(self.history.search(query, wanted, Page(**part))))

    def refused(self, deferred: Any) -> str:
        return str(self.failureResultOf(deferred, BitDustError).value.code)

    def work(self, seconds: float = 5.0) -> None:
        """Let everything be done that is done beside."""
        for _ in range(int(seconds)):
            self.clock.advance(1)
