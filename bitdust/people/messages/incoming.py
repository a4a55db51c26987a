"""What comes for this device: opened once, on the disk before it is acknowledged, delivered in order."""

import sqlite3
from collections.abc import Sequence

from attrs import define, frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.outcome import outcome
from bitdust.people.messages.letters import Notice, read
from bitdust.people.messages.ordering import Ordering
from bitdust.people.messages.ports import History, Listeners
from bitdust.people.messages.prekeys import MyPrekeys, drop_prekeys
from bitdust.people.messages.sessions import SessionBook
from bitdust.people.messages.store import Device, Store, put_sequence
from bitdust.signal import Signal
from bitdust.surroundings import Surroundings
from bitdust.wire.encoding import WireError
from bitdust.wire.envelopes import Envelope
from bitdust.wire.errors import BitDustError
from bitdust.wire.messages import Message
from bitdust.wiring import Wire

CONSUMED, STORED = "consumed", "stored"
"""How an envelope ended that is acknowledged: a program took its message, or nobody was listening."""
LATER = "later"
UNOPENED = ("bad-seal", "no-session", "too-far")
"""Codes of what its sender seals again."""
GAP = "private-message-gap"
"""The event that reports numbers which are missing in a conversation."""
AT_ONCE = 32
"""Envelopes that are opened in one turn of the reactor."""
RETRY = 30.0
"""Seconds until the history is asked again to take what it did not."""
SEEN_DAYS = 60
ROW_LIMIT = 200_000
MOST_SESSIONS = 10_000
"""Devices with which there are sessions; those that were used longest ago begin again."""
DAY = 86_400


@frozen
class Origin:
    """A device, and the key by which it is known."""

    person: bytes
    device: bytes
    key: bytes

    @property
    def name(self) -> Device:
        return (self.person, self.device)


@define
class _One:
    """One envelope that is worked on, and how it ended."""

    raw: bytes
    envelope: Envelope | None = None
    content: Message | Notice | None = None
    plain: bytes = b""
    row: int = 0
    is_kept: bool = False
    result: str = ""


class Incoming:
    """``received`` reports each message that is news, once the history has it; ``noticed`` notices of other nodes."""

    log = Logger()
    history = Wire(History)
    listeners = Wire(Listeners)

    def __init__(self, around: Surroundings, store: Store, prekeys: MyPrekeys, book: SessionBook) -> None:
        self._around = around
        self._me = around.me
        self._store = store
        self._prekeys = prekeys
        self._book = book
        self.ordering = Ordering(around.world.clock, self._gap)
        self._left: list[_One] = []
        self._again: IDelayedCall | None = None
        self.received: Signal[[Message]] = Signal()
        self.noticed: Signal[[bytes, bytes, Notice]] = Signal()

    async def start(self) -> None:
        """Go on with what was opened in an earlier life."""
        self.ordering.load(await self._store.sequences())
        for number, plain in await self._store.incoming():
            message = Message.from_body(plain)
            if message.sender == self._me.fingerprint:
                message = message.outgoing()
            one = _One(b"", content=message, row=number)
            await self._keep(one)
            self._forget_kept([one])

    def stop(self) -> None:
        """Hold nothing back any more."""
        again, self._again, self._left = self._again, None, []
        if again is not None:
            again.cancel()
        self.ordering.stop()

    async def take(self, origin: Origin, raw: Sequence[bytes], stops: bool = True) -> list[str]:
        """Open envelopes of one device; how each ended: `CONSUMED`, `STORED`, or a code.

        What does not open is sealed again by its sender; where that is asked at once it ``stops`` there, and those
        behind it are sent `LATER`, after it.
        """
        ones = [_One(one) for one in raw]
        async with self._book.lock(origin.name):
            await self._open_all(origin, ones, stops)
        waiting = [self._keep(one) for one in ones if not one.result and isinstance(one.content, Message)]
        for one in ones:
            if isinstance(one.content, Notice) and not one.result:
                one.result = STORED
                self.noticed.emit(origin.person, origin.device, one.content)
        if waiting:
            await DeferredList(waiting)
            self._forget_kept(ones)
        return [one.result or "disk-error" for one in ones]

    async def _open_all(self, origin: Origin, ones: list[_One], stops: bool) -> None:
        await self._book.load(origin.name)
        used: list[int] = []
        for number, one in enumerate(ones):
            if number % AT_ONCE == AT_ONCE - 1:
                await self._let_others_work()
            try:
                used += self._open(origin, one)
            except BitDustError as error:
                one.result = await self._is_double(origin.name, one) or error.code
            if stops and one.result in UNOPENED:
                for later in ones[number + 1 :]:
                    later.result = LATER
                break
        opened = [one for one in ones if not one.result]
        if not opened:
            return
        keep = self._book.writer(origin.name)
        now, seal = self._store.late.stamp(), self._store.vault.seal

        def write(database: sqlite3.Connection) -> None:
            keep(database)
            drop_prekeys(database, used)
            for one in opened:
                assert one.envelope is not None
                database.execute("INSERT OR IGNORE INTO seen VALUES(?, ?, ?, ?)", (*origin.name, one.envelope.id, now))
                if isinstance(one.content, Message):
                    cursor = database.execute("INSERT INTO incoming(body) VALUES(?)", (seal(one.plain),))
                    one.row = cursor.lastrowid or 0

        written = await outcome(self._store.change(write))
        if written.error is not None:
            self._book.forget(origin.name)
            for one in opened:
                one.result = written.code or "internal"
        else:
            self._prekeys.forget(used)

    def _let_others_work(self) -> "Deferred[None]":
        """Fires in the next turn of the reactor."""
        done: Deferred[None] = Deferred()
        self._around.world.clock.callLater(0, done.callback, None)
        return done

    def _open(self, origin: Origin, one: _One) -> list[int]:
        envelope = one.envelope = Envelope.from_bytes(one.raw)
        if (envelope.sender, envelope.device) != origin.name:
            raise WireError("not-allowed", "an envelope of another device than the one that is proven")
        if (envelope.recipient, envelope.to) != (self._me.fingerprint, self._me.device.id):
            raise WireError("wrong-device", "an envelope for another device")
        opened = self._book.open(origin.name, origin.key, envelope)
        used = [opened.used] if opened.used is not None else []
        try:
            one.content, one.plain = read(opened.plain, origin.person, origin.key, self._me.fingerprint)
        except WireError as error:
            # Whoever has this session has sealed it: sealing it again would not help.
            self.log.warn("a message of {who} is refused: {error}", who=origin.person.hex()[:16], error=error)
            one.result = "refused"
        return used

    async def _is_double(self, device: Device, one: _One) -> str:
        """What does not open may have been opened before: then it is stored."""
        if one.envelope is None or (one.envelope.sender, one.envelope.device) != device:
            return ""
        if (one.envelope.recipient, one.envelope.to) != (self._me.fingerprint, self._me.device.id):
            return ""
        return STORED if await self._store.have_seen(device, [one.envelope.id]) else ""

    def _keep(self, one: _One) -> "Deferred[None]":
        """Bring an opened message to the history when it is its turn, then to whoever listens."""
        message = one.content
        assert isinstance(message, Message)
        added = self.ordering.turn(message).addCallback(lambda _: self.history.add(message))
        return added.addCallbacks(self._added, self._not_added, callbackArgs=(one, message), errbackArgs=(one,))

    def _added(self, is_news: bool, one: _One, message: Message) -> None:
        one.result = STORED
        if is_news:
            self.received.emit(message)
            one.result = CONSUMED if self.listeners.deliver(message) else STORED
        one.is_kept = True

    def _forget_kept(self, ones: Sequence[_One]) -> None:
        """What the history has; what is not deleted here is a double at the next start."""
        kept = [(one.row, one.content) for one in ones if one.is_kept and isinstance(one.content, Message)]
        keys = {(message.conversation, message.sender_device) for _, message in kept}
        lasts = [(*key, self.ordering.last(key)) for key in keys]

        def write(database: sqlite3.Connection) -> None:
            database.executemany("DELETE FROM incoming WHERE number=?", [(row,) for row, _ in kept])
            for last in lasts:
                put_sequence(database, *last)

        if kept:
            self._store.later(write)

    def _not_added(self, failure: Failure, one: _One) -> None:
        self.log.warn("a message could not be stored: {error}", error=failure.getErrorMessage())
        self._left.append(one)
        if self._again is None:
            self._again = self._around.world.clock.callLater(RETRY, self._try_again)
        one.result = str(getattr(failure.value, "code", "")) or "disk-error"

    def _try_again(self) -> None:
        """What the history did not take is on the disk here: its sender need not send it again."""
        self._again = None
        left, self._left = self._left, []
        for one in left:
            self._keep(one).addCallback(lambda _, one: self._forget_kept([one]), one)

    def _gap(self, conversation: str, device: bytes, first: int, last: int) -> None:
        self.log.warn("messages {first} to {last} of {talk} are missing", first=first, last=last, talk=conversation)
        details = {"conversation": conversation, "device": device.hex(), "first": first, "last": last}
        self._around.events.send(GAP, details)

    def upkeep(self) -> "Deferred[None]":
        """Forget which envelopes were seen long ago, and the oldest above a number; of sessions as well."""
        before, note = self._store.late.now() - SEEN_DAYS * DAY, self._store.late.writer()

        def write(database: sqlite3.Connection) -> None:
            note(database)
            database.execute("DELETE FROM seen WHERE time<?", (before,))
            (count,) = database.execute("SELECT count(*) FROM seen").fetchone()
            if count > ROW_LIMIT:
                database.execute(
                    "DELETE FROM seen WHERE (person, device, envelope) IN"
                    " (SELECT person, device, envelope FROM seen ORDER BY time LIMIT ?)",
                    (count - ROW_LIMIT,),
                )
            database.execute(
                "DELETE FROM sessions WHERE (person, device) IN"
                " (SELECT person, device FROM sessions ORDER BY used DESC LIMIT -1 OFFSET ?)",
                (MOST_SESSIONS,),
            )

        return self._store.change(write)
