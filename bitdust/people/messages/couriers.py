"""Who brings what waits for each device: the port of each `message_courier`."""

from contextlib import suppress
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.automats.message_courier import MessageCourier
from bitdust.crypt.device import check_record, verify
from bitdust.crypt.ratchet.agreement import Bundle, Party
from bitdust.outcome import outcome
from bitdust.people.messages.incoming import CONSUMED, LATER, STORED
from bitdust.people.messages.ports import Directory
from bitdust.people.messages.sessions import SessionBook
from bitdust.people.messages.store import Device, Store, put_envelope
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError
from bitdust.wire.envelopes import MAX_BATCH, MOST_IN_BATCH, pack
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.prekeys import DEPOSIT, ENVELOPES, ONCE, ONCE_ASKED, ONCE_KIND, PREKEYS, Prekeys, once_body
from bitdust.wire.signed import Signed, message

SECONDS = 20.0
RECORD_KEPT = 3600.0
"""Seconds for which the record of a device's prekeys is not asked for again."""
MAILBOXES = 2
SEAL_AGAIN = frozenset(("no-session", "bad-seal", "too-far", "bad-key"))
"""Answers of a device that has lost the session: what was sealed over it is sealed again, over another one."""
MOST_SEALINGS = 4
GIVEN_UP = frozenset(("refused", "malformed", "not-canonical", "too-large"))
"""Answers after which sending it again would not help."""
CACHED = 4 * 1024 * 1024
"""Bytes of sealed envelopes that are in memory for one device."""


class Desk(Protocol):
    """Where couriers report; `bitdust.people.messages.outgoing`."""

    def has_arrived(self, device: Device, number: int, consumed: bool, /) -> None:
        """The device has it."""

    def is_deposited(self, device: Device, numbers: list[int], /) -> "Deferred[Any]":
        """Mailboxes have these."""

    def gave_up(self, device: Device, number: int, code: str, /) -> None:
        """The device does not take it, and never will."""


@frozen
class Means:
    """What couriers work with."""

    around: Connected
    store: Store
    book: SessionBook
    directory: Directory
    desk: Desk


class Courier:
    """What waits for one device, by its number."""

    def __init__(self, means: Means, device: Device, key: bytes) -> None:
        self._means = means
        self._world = means.around.world
        self.device = device
        self._key = key
        self._unsealed: dict[int, bytes | None] = {}
        """The plain text, where it is in memory."""
        self._sealed: dict[int, bool] = {}
        """Whether mailboxes have it."""
        self._ready: dict[int, bytes] = {}
        self._ready_bytes = 0
        self._sent_up_to = 0
        self._session: Any = None
        self._record: tuple[Prekeys, float] | None = None
        self._begin_anew = False
        self._sealings: dict[int, int] = {}
        """How often something was sealed again in this life."""
        self.machine = MessageCourier(means.around.registry, f"{device[0].hex()[:8]}-{device[1].hex()[:4]}", self)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._unsealed) + len(self._sealed)

    def oldest(self, spared: int) -> list[int]:
        """What waits, without so many of the newest."""
        return sorted([*self._unsealed, *self._sealed])[: max(0, self.waiting - spared)]

    # what comes to be sent

    def add(self, number: int, plain: bytes | None = None) -> None:
        """Something is to be sealed and brought; call `wake` afterwards."""
        if plain is not None and self._ready_bytes + len(plain) > CACHED:
            plain = None
        self._unsealed[number] = plain
        self._ready_bytes += len(plain) if plain is not None else 0

    def add_sealed(self, number: int, deposited: bool, envelope: bytes | None = None) -> None:
        """Something that is sealed already."""
        self._sealed[number] = deposited
        if envelope is not None and self._ready_bytes + len(envelope) <= CACHED:
            self._ready[number] = envelope
            self._ready_bytes += len(envelope)

    def wake(self) -> None:
        """There is something to do."""
        self.machine.send("work")

    def online(self) -> None:
        """The device has a session with this node, or may be reached now."""
        if self.waiting:
            self.machine.send("online")

    def stop(self) -> None:
        """Bring nothing any more."""
        self.machine.send("stop")

    def drop(self, number: int) -> None:
        """It need not be brought any more."""
        self._sealed.pop(number, None)
        for kept in (self._unsealed.pop(number, None), self._ready.pop(number, None)):
            self._ready_bytes -= len(kept) if kept is not None else 0

    def begin_anew(self) -> None:
        """The device has lost the session: the next message begins another one."""
        self._begin_anew = True

    # what the machine asks

    def is_connected(self) -> bool:
        return self._living() is not None

    def has_unsealed(self) -> bool:
        return bool(self._unsealed)

    def has_unsent(self) -> bool:
        return any(number > self._sent_up_to for number in self._sealed)

    def has_undeposited(self) -> bool:
        return not all(self._sealed.values())

    def jitter(self) -> float:
        return int.from_bytes(self._world.entropy(2), "big") / 65536

    def call(self) -> "Deferred[None]":
        """A session with the device."""
        return Deferred.fromCoroutine(self._call())

    async def _call(self) -> None:
        self._sent_up_to = 0
        if self._living() is not None:
            return
        person, device = self.device
        sessions = self._means.around.sessions
        if person != self._means.around.me.fingerprint and not sessions.connected(person):
            await outcome(sessions.session_to(person))
        for address in await self._means.directory.resolve_device(person, device):
            if self._living() is not None:
                return
            await outcome(sessions.dial(address, person))
        if self._living() is None:
            raise BitDustError("no-answer", "the device does not answer")

    def _living(self) -> Any:
        for session in self._means.around.sessions.sessions():
            if (session.peer.fingerprint, session.peer.device) == self.device and session.ended is None:
                return session
        return None

    def prepare(self) -> "Deferred[None]":
        """Seal what is not sealed yet."""
        return Deferred.fromCoroutine(self._prepare())

    async def _prepare(self) -> None:
        book = self._means.book
        bundle: Bundle | None = None
        async with book.lock(self.device):
            has_session = (await book.load(self.device)).may_write and not self._begin_anew
        if not has_session:
            bundle = await self._bundle()
        async with book.lock(self.device):
            await book.load(self.device)
            if bundle is not None:
                book.begin(self.device, bundle)
                self._begin_anew = False
            while self._unsealed:
                await self._seal(await self._plain())

    async def _plain(self) -> dict[int, bytes]:
        """The texts of the next that are to be sealed, one at least; what is not there any more is forgotten."""
        found: dict[int, bytes] = {}
        for number in sorted(self._unsealed)[:MOST_IN_BATCH]:
            plain = self._unsealed[number] or await self._means.store.body(number)
            if plain is None:
                self.drop(number)
            else:
                found[number] = plain
        return found

    async def _seal(self, some: dict[int, bytes]) -> None:
        """The caller has the lock of the device's sessions."""
        if not some:
            return
        sealed = {number: self._means.book.seal(self.device, plain) for number, plain in some.items()}
        data = {number: envelope.to_bytes() for number, envelope in sealed.items()}
        keep = self._means.book.writer(self.device)

        def write(database: Any) -> None:
            keep(database)
            for number, envelope in sealed.items():
                put_envelope(database, self.device, number, envelope.id, data[number])

        written = await outcome(self._means.store.change(write))
        if written.error is not None:
            self._means.book.forget(self.device)
            raise written.error
        for number, raw in data.items():
            if number in self._unsealed:
                self.drop(number)
                self.add_sealed(number, False, raw)

    # prekeys

    async def _bundle(self) -> Bundle:
        """The device's prekeys, from itself or from the DHT and a mailbox. Raises `BitDustError`."""
        session = self._living()
        if session is not None:
            fields = {"kind": PREKEYS, "to": self.device[1]}
            answer = await self._ask(self.device[0], fields, session=session)
            record = self._checked(answer.fields.get("record"))
            return self._made(record, answer.fields.get("once"))
        record = await self._find_record()
        for mailbox in record.mailboxes:
            fields = {"kind": ONCE_ASKED, "recipient": self.device[0], "to": self.device[1]}
            asked = await outcome(self._ask(mailbox, fields))
            once = asked.value.fields.get("once") if asked.error is None else None
            if once is not None:
                with suppress(WireError):  # one that the device has not signed is none, and another mailbox has some
                    return self._made(record, once)
        return self._made(record, None)

    async def _find_record(self) -> Prekeys:
        """The record in the DHT."""
        now = self._world.clock.seconds()
        if self._record is not None and now - self._record[1] < RECORD_KEPT:
            return self._record[0]
        found = await self._means.directory.prekeys_of(*self.device)
        if found is None:
            raise BitDustError("not-found", "the device has left no prekeys")
        return self._checked(found)

    def _checked(self, data: Any) -> Prekeys:
        if not isinstance(data, bytes):
            raise WireError("bad-field", "no prekeys came")
        signed = Signed.from_bytes(data, Prekeys.KIND, 4096)
        check_record(signed, self._key)
        record = Prekeys.from_body(signed.body)
        if (record.owner, record.device) != self.device:
            raise WireError("not-allowed", "these are the prekeys of another device")
        self._record = (record, self._world.clock.seconds())
        return record

    def _made(self, record: Prekeys, once: Any) -> Bundle:
        owner = Party(self.device[0], self._key)
        if once is None:
            return Bundle(owner, record.id, record.key)
        ONCE.check(once, "once")
        body = once_body(self.device[0], once["id"], once["key"])
        if not verify(self._key, once["signature"], message(ONCE_KIND, body)):
            raise WireError("bad-signature", "a one-time prekey that the device has not signed")
        return Bundle(owner, record.id, record.key, once["id"], once["key"])

    # sending

    def send(self) -> "Deferred[None]":
        """The next batch, to the device itself."""
        return Deferred.fromCoroutine(self._send())

    async def _send(self) -> None:
        session = self._living()
        if session is None:
            raise BitDustError("no-answer", "the session has ended")
        batch = await self._next(self._sent_up_to, False)
        if not batch:
            self._sent_up_to = max(self._sealed, default=0)
            return
        fields = {"kind": ENVELOPES, "to": self.device[1]}
        answer = await self._ask(self.device[0], fields, pack(batch.values()), session=session)
        results = _results(answer, len(batch))
        self._sent_up_to = max(batch)
        is_busy = LATER in results and not SEAL_AGAIN.intersection(results)
        if LATER in results:
            self._sent_up_to = min(n for n, result in zip(batch, results, strict=True) if result == LATER) - 1
        for number, result in zip(batch, results, strict=True):
            is_busy = not self._note(number, result) or is_busy
        if is_busy:
            raise BitDustError("busy", "the device takes no more now")

    def _note(self, number: int, result: str) -> bool:
        """What a device has answered; False where it is to be sent again later."""
        desk = self._means.desk
        if result in (CONSUMED, STORED):
            self._end(number)
            desk.has_arrived(self.device, number, result == CONSUMED)
        elif result in GIVEN_UP or (result in SEAL_AGAIN and self._sealings.get(number, 0) >= MOST_SEALINGS):
            self._end(number)
            desk.gave_up(self.device, number, result)
        elif result in SEAL_AGAIN:
            self._sealings[number] = self._sealings.get(number, 0) + 1
            self.drop(number)
            self.add(number)
            self._begin_anew = True
            self._sent_up_to = min(self._sent_up_to, number - 1)
        else:
            return result == LATER
        return True

    def _end(self, number: int) -> None:
        self.drop(number)
        self._sealings.pop(number, None)

    async def _next(self, after: int, undeposited: bool) -> dict[int, bytes]:
        """As many of the next as fit into one packet."""
        wanted = sorted(n for n, is_kept in self._sealed.items() if n > after and not (undeposited and is_kept))
        found: dict[int, bytes] = {}
        size = 0
        for number in wanted[:MOST_IN_BATCH]:
            ready = self._ready.get(number)
            if ready is None or (found and size + len(ready) > MAX_BATCH):
                break
            found[number] = ready
            size += len(ready)
        if found or not wanted:
            return found
        for one in await self._means.store.waiting(self.device, wanted[0] - 1, undeposited):
            if one.data is None or one.number not in self._sealed:
                continue
            if found and size + len(one.data) > MAX_BATCH:
                break
            if one.sealings > MOST_SEALINGS:
                self.drop(one.number)
                self._means.desk.gave_up(self.device, one.number, "no-session")
                continue
            found[one.number] = one.data
            size += len(one.data)
        return found

    def deposit(self) -> "Deferred[None]":
        """The next batch, to the mailboxes of the device."""
        return Deferred.fromCoroutine(self._deposit())

    async def _deposit(self) -> None:
        record = await self._find_record()
        batch = await self._next(0, True)
        if not batch:
            raise BitDustError("not-found", "there is nothing to deposit")
        if not record.mailboxes:
            raise BitDustError("no-mailbox", "the device has named no mailbox")
        kept: dict[int, int] = dict.fromkeys(batch, 0)
        fields = {"kind": DEPOSIT, "recipient": self.device[0], "to": self.device[1]}
        for mailbox in record.mailboxes[:MAILBOXES]:
            asked = await outcome(self._ask(mailbox, fields, pack(batch.values())))
            if asked.error is not None:
                continue
            for number, result in zip(batch, _results(asked.value, len(batch)), strict=True):
                kept[number] += result == STORED
        done = [number for number, count in kept.items() if count >= min(MAILBOXES, len(record.mailboxes))]
        if len(done) < len(batch):
            self._record = None
        await self._means.desk.is_deposited(self.device, done)
        for number in done:
            if number in self._sealed:
                self._sealed[number] = True
        if len(done) < len(batch):
            raise BitDustError("no-mailbox", "not every mailbox of the device takes it")

    def _ask(self, peer: bytes, fields: dict[str, Any], payload: bytes | None = None, session: Any = None) -> Any:
        outbox = self._means.around.outbox
        return outbox.send(peer, Command.MESSAGE, fields, payload, deadline=SECONDS, session=session)


def _results(answer: Any, count: int) -> list[str]:
    """What came of each envelope; raises `WireError`."""
    results = answer.fields.get("results")
    if not isinstance(results, list) or len(results) != count or not all(isinstance(one, str) for one in results):
        raise WireError("bad-field", "not as many results as envelopes")
    return results
