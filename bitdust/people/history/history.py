"""The history of messages: each is stored once, found again by conversation and by words, and outlives the node."""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from bitdust.batching import Soon, ThreadQueue
from bitdust.disk.commit import GroupCommit
from bitdust.disk.disk import Disk
from bitdust.people.history import reading, words, writing
from bitdust.people.history.database import DAMAGED, fact, note, problem_of, trouble
from bitdust.people.history.file import HistoryFile
from bitdust.people.history.upkeep import DAYS, HOUR, Portion, Rules, note_hour, portion
from bitdust.people.history.values import Conversation, Filter, Page, Stored
from bitdust.signal import Signal
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError
from bitdust.wire.messages import Message

T = TypeVar("T")
FOLDER = "messages"
AGAIN = 60.0
"""Seconds until a file is opened again that could not be."""
CATCHING_UP = 20
"""Portions of messages that a search has indexed before it looks."""


class History:
    """`open` first, `close` last. ``stored`` reports each new message, in the order of numbers, once it is on the disk;
    ``changed`` the names of conversations of which something else is new."""

    log = Logger()

    def __init__(self, around: Surroundings, folder: Path | None = None, disk: Disk | None = None) -> None:
        self._around = around
        self._world = around.world
        self.file = HistoryFile(self._world, around.me, folder or self._world.home / FOLDER, disk or Disk())
        self._commits = GroupCommit(self._world.run_in_thread, self.file.disk, self.file.writer, self._trouble)
        self._reads = ThreadQueue(self._world.run_in_thread)
        self._sequences: dict[tuple[str, bytes], int] = {}
        self._pending: dict[tuple[str, bytes], list[int]] = {}
        self._repairs = DeferredLock()
        self._upkeep = Soon(self._world.clock, self._look_after)
        self._is_busy = False
        self._is_wanted = False
        self._hourly: IDelayedCall | None = None
        self._again: IDelayedCall | None = None
        self._forget: Callable[[], None] = lambda: None
        self.problem = ""
        """Why the last message could not be stored, or read."""
        self.is_indexed = True
        """Whether all messages can be found by their words; not while an index is being made."""
        self.stored: Signal[[Stored]] = Signal()
        self.changed: Signal[[str]] = Signal()

    def _trouble(self, error: OSError | sqlite3.Error) -> BitDustError:
        return trouble(error, self.file.path)

    # its life

    def open(self) -> "Deferred[None]":
        """Fires when messages can be stored; fails as `HistoryFile.open` says."""
        return Deferred.fromCoroutine(self._open())

    async def _open(self) -> None:
        self._sequences = await self._world.run_in_thread(self.file.open)
        self.problem, self._is_wanted = "", True
        self._forget = self._around.me.changed.connect(self._look_at_key)
        if self.file.damage:
            self._tell_damage()
        self._upkeep.want()
        self._tick()
        Deferred.fromCoroutine(self._check()).addErrback(self._note)

    def close(self) -> "Deferred[None]":
        """Fires when all that was begun is written and the file is closed."""
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        self._is_wanted = False
        self._forget()
        self._upkeep.stop()
        for call in (self._hourly, self._again):
            if call is not None and call.active():
                call.cancel()
        self._hourly = self._again = None
        await self._commits.when_idle()
        await self._reads.when_idle()
        self.file.close()

    @property
    def is_open(self) -> bool:
        return self.file.is_open

    def look_after(self) -> None:
        """Something has changed on which it depends how messages are kept."""
        if self.is_open:
            self._upkeep.want()

    def _tick(self) -> None:
        self._hourly = self._world.clock.callLater(HOUR, self._tick)
        now = int(self._world.wall())
        if self._around.settings.get(DAYS):
            self._change(lambda database: note_hour(database, now)).addErrback(self._note)
        self._upkeep.want()

    def _look_at_key(self) -> None:
        if self.is_open and self._around.me.present:
            self._world.run_in_thread(self.file.keep_key).addErrback(self._note)

    def _note(self, failure: Any) -> None:
        if self.is_open:
            self.problem = failure.getErrorMessage()
            self.log.warn("the history of messages: {problem}", problem=self.problem)

    # storing

    def add(self, message: Message) -> "Deferred[bool]":
        """Fires when it is on the disk: True for news, False when this sender's message of this id is there already."""
        return Deferred.fromCoroutine(self._add(message))

    async def _add(self, message: Message) -> bool:
        key, at = (message.conversation, message.sender_device), int(self._world.wall() * 1000)
        pending = self._pending.setdefault(key, [])
        pending.append(message.sequence)
        try:
            change = partial(
                self._commits.change, lambda database: writing.add(database, self.file.bodies, message, at)
            )
            stored: Stored | None = await self._try(change)
        finally:
            pending.remove(message.sequence)
            if not pending:
                self._pending.pop(key, None)
        self._sequences[key] = max(self._sequences.get(key, 0), message.sequence)
        if stored is None:
            return False
        self.stored.emit(stored)
        self._upkeep.want()
        return True

    def last_sequence(self, conversation: str, device: bytes) -> int:
        """The highest sequence number of a device in a conversation, what is being stored included; 0 before one."""
        key = (conversation, device)
        return max(self._sequences.get(key, 0), max(self._pending.get(key, ()), default=0))

    def mark_read(self, conversation: str, position: int) -> "Deferred[bool]":
        """Incoming messages up to a position were seen; fires with whether that is news."""
        return Deferred.fromCoroutine(self._mark_read(conversation, position))

    async def _mark_read(self, conversation: str, position: int) -> bool:
        news: bool = await self._change(lambda database: writing.mark_read(database, conversation, position))
        if news:
            self.changed.emit(conversation)
        return news

    def add_before(self, messages: "Sequence[tuple[Message, int]]") -> "Deferred[int]":
        """Older messages than all that are here, the newest of them first, each with when it was stored; fires with
        how many are news."""
        return Deferred.fromCoroutine(self._add_before(messages))

    async def _add_before(self, messages: "Sequence[tuple[Message, int]]") -> int:
        def write(database: sqlite3.Connection) -> int:
            return sum(writing.add_before(database, self.file.bodies, message, at) for message, at in messages)

        count: int = await self._change(write)
        for message, _ in messages:
            key = (message.conversation, message.sender_device)
            self._sequences[key] = max(self._sequences.get(key, 0), message.sequence)
        for name in {message.conversation for message, _ in messages} if count else ():
            self.changed.emit(name)
        self._upkeep.want()
        return count

    def note(self, facts: dict[str, int]) -> "Deferred[None]":
        """Write facts about the file down."""

        def write(database: sqlite3.Connection) -> None:
            for name, value in facts.items():
                note(database, name, value)

        return self._change(write)

    def fact(self, name: str) -> "Deferred[int]":
        """What was written down under a name; 0 for nothing."""
        return self._read(fact, name)

    def _change(self, call: Callable[[sqlite3.Connection], T]) -> "Deferred[T]":
        return Deferred.fromCoroutine(self._try(partial(self._commits.change, call)))

    async def _try(self, attempt: "Callable[[], Deferred[T]]") -> T:
        """What was damaged is repaired, and the attempt made once more."""
        generation = self.file.generation
        try:
            result = await attempt()
        except BitDustError as error:
            if error.code != DAMAGED:
                if error.code in ("disk-full", "disk-error", "too-few-files"):
                    self.problem = str(error)
                raise
            await self._repair(generation, str(error))
            result = await attempt()
        self.problem = ""
        return result

    # reading

    def _read(self, call: Callable[..., T], *arguments: Any) -> "Deferred[T]":
        return Deferred.fromCoroutine(self._try(partial(self._reads.submit, self._reading, call, arguments)))

    def _reading(self, call: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        try:
            return call(self.file.reader(), *arguments)
        except sqlite3.Error as error:
            raise self._trouble(error) from error

    def page(self, wanted: Filter, part: Page) -> "Deferred[list[Stored]]":
        """Some messages, from old to new."""
        return self._read(reading.page, self.file.bodies, wanted, part)

    def named(self, numbers: Sequence[int]) -> "Deferred[list[Stored]]":
        """Messages by their numbers."""
        return self._read(reading.named, self.file.bodies, numbers)

    def number_of(self, ident: bytes, conversation: str = "") -> "Deferred[int | None]":
        """The number of a message by its id."""
        return self._read(reading.number_of, ident, conversation)

    def conversations(
        self, kinds: Sequence[str] = (), names: Sequence[str] = (), limit: int = 100, offset: int = 0
    ) -> "Deferred[list[Conversation]]":
        """Conversations, those with the newest messages first."""
        return self._read(reading.conversations, kinds, names, limit, offset)

    def groups_called(self, alias: str) -> "Deferred[list[str]]":
        """Names of conversations of groups with an alias."""
        return self._read(reading.groups_called, alias)

    def counts(self) -> "Deferred[dict[str, int]]":
        """How many ``conversations``, ``messages`` and ``unread`` ones there are."""
        return self._read(reading.counts)

    def search(self, query: str, wanted: Filter, part: Page) -> "Deferred[list[Stored]]":
        """The newest messages with these words, newest first. Fails with ``bad-query``."""
        return Deferred.fromCoroutine(self._search(query, wanted, part))

    async def _search(self, query: str, wanted: Filter, part: Page) -> list[Stored]:
        for _ in range(CATCHING_UP):
            if not self.file.has_words or not await self._change(self._index):
                break
        if self.file.has_words:
            return await self._read(reading.search, self.file.bodies, query, wanted, part)
        found: list[Stored] = []
        before: int | None = part.before
        while len(found) < part.offset + part.limit:
            more, before = await self._read(reading.scan, self.file.bodies, query, wanted, before)
            found += more
            if before is None:
                break
        return found[part.offset : part.offset + part.limit]

    def _index(self, database: sqlite3.Connection) -> bool:
        done = words.index_more(database, self.file.bodies)
        self.is_indexed = not done
        return bool(done)

    @property
    def searched_plainly(self) -> str:
        """Why messages are searched one after the other; empty where there is an index of words."""
        if self.file.has_words or not self.is_open:
            return ""
        if self.file.bodies.sealing:
            return (
                "the home has a passphrase, so that there is no index of words: messages were read one after the other"
            )
        return "this SQLite has no full-text search (FTS5): messages were read one after the other"

    # what is done beside

    def _look_after(self) -> bool:
        if not self._is_busy and self.is_open:
            self._is_busy = True
            Deferred.fromCoroutine(self._work()).addErrback(self._note)
        return True

    async def _work(self) -> None:
        try:
            restored = 0
            while self.is_open:
                done = await self._portion()
                restored += done.restored
                if done.is_converted:
                    await self._world.run_in_thread(self.file.forget_pages)
                if not done.more:
                    break
            if restored:
                self._around.events.send("message-history-restored", {"messages": restored})
        finally:
            self._is_busy = False

    def _portion(self) -> "Deferred[Portion]":
        rules = Rules.of(self._around.settings, self._around.me.keeps_locked, self._world.wall())
        return self._change(lambda database: portion(database, self.file, rules))

    # damage

    async def _check(self) -> None:
        now, generation = int(self._world.wall()), self.file.generation
        wrong, is_noted = await self._read(problem_of, self.file.path, now)
        if wrong:
            await self._repair(generation, f"{self.file.path} is damaged: {wrong}")
        elif is_noted:
            await self._change(lambda database: note(database, "checked", now))

    async def _repair(self, generation: int, why: str) -> None:
        """Go on with a new file, once for all who found the damage."""
        await self._repairs.acquire()
        try:
            if self.file.generation == generation and self.is_open:
                await self._commits.when_idle()
                await self._reads.when_idle()
                await self._replace(why)
        finally:
            self._repairs.release()

    async def _replace(self, why: str) -> None:
        try:
            await self._world.run_in_thread(self.file.replace, why, dict(self._sequences))
        except (BitDustError, OSError) as error:
            self._try_later(error)
            raise
        self._tell_damage()
        self._upkeep.want()

    def _try_later(self, error: Exception) -> None:
        """The disk does not take a new file now: it is opened again in a while, and what was damaged comes back."""
        self.problem = str(error)
        if self._again is None and self._is_wanted:
            self._again = self._world.clock.callLater(AGAIN, self._open_again)

    def _open_again(self) -> None:
        self._again = None
        if self._is_wanted and not self.is_open:
            Deferred.fromCoroutine(self._reopen()).addErrback(self._not_opened)

    def _not_opened(self, failure: Any) -> None:
        self._try_later(failure.value)

    async def _reopen(self) -> None:
        known = await self._world.run_in_thread(self.file.open)
        for key, last in known.items():
            self._sequences[key] = max(last, self._sequences.get(key, 0))
        self.problem = ""
        self._tell_damage()
        self._upkeep.want()

    def _tell_damage(self) -> None:
        self.log.error("the history of messages was damaged: {why}", why=self.file.damage)
        self._around.events.send("message-history-damaged", {"reason": self.file.damage})
