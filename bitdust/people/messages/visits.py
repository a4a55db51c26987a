"""Visits to the nodes that keep mailboxes for this device: the port of each `mailbox_visit`."""

from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from bitdust.automats.mailbox_visit import MailboxVisit
from bitdust.identity.document import MAX_SIZE, IdentityDocument
from bitdust.outcome import outcome
from bitdust.peers.waking import Waking
from bitdust.people.amounts import Amounts
from bitdust.people.messages.couriers import SEAL_AGAIN
from bitdust.people.messages.incoming import CONSUMED, STORED, Incoming, Origin
from bitdust.people.messages.letters import LOST, RECEIVED, Notice
from bitdust.people.messages.ports import Directory
from bitdust.people.messages.store import Device
from bitdust.scopes.reservations import Allowance
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError, decode
from bitdust.wire.envelopes import MAX_BATCH, MAX_ENVELOPE, Envelope
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.prekeys import FETCH, TAKEN
from bitdust.wire.schema import Bytes, Int, ListOf, Schema

SECONDS = 30.0
MOST, MOST_SENDERS = 256, 16
PACE = (0.5, 700.0)
"""Answers a second of one keeper, and at once: a full mailbox in which every envelope is of somebody else has so
many."""
MAX_ANSWER = MAX_BATCH + MAX_ENVELOPE + MOST_SENDERS * MAX_SIZE + 4096
_NUMBERS = ListOf(Int(), MOST)
_ENVELOPES = ListOf(Bytes(1, MAX_ENVELOPE), MOST)
_DOCUMENTS = ListOf(Bytes(1, MAX_SIZE), MOST_SENDERS)
Notify = Callable[[Device, Notice], None]


@frozen
class Fetched:
    """One envelope of a mailbox, and its number there."""

    number: int
    raw: bytes
    envelope: Envelope | None


@frozen
class Means:
    """What visits work with. ``low`` is told when a mailbox has few one-time prekeys left."""

    around: Connected
    incoming: Incoming
    directory: Directory
    notify: Notify
    low: Callable[[int], None]
    amounts: Amounts


class Visit:
    """The mailbox of this device at one node."""

    log = Logger()

    def __init__(self, means: Means, keeper: bytes) -> None:
        self._means = means
        self._around = means.around
        self._keeper = keeper
        self._after = 0
        self._more = False
        self._found: list[Fetched] = []
        self._lost: list[tuple[int, Device, bytes]] = []
        self._done: list[int] = []
        self._pace = Allowance(means.around.world.clock, *PACE)
        self._late: set[bytes] = set()
        """Senders of whom more came than is taken now: the rest is fetched by a later visit."""
        self.machine = MailboxVisit(means.around.registry, keeper.hex()[:8], self)

    def jitter(self) -> float:
        return int.from_bytes(self._around.world.entropy(2), "big") / 65536

    def found_nothing(self) -> bool:
        return not self._found and not self._lost

    def has_more(self) -> bool:
        return self._more and self.may_go()

    def may_go(self) -> bool:
        """Whether it is asked now: a keeper that always says that there is more is not listened to for ever."""
        return self._pace.left() >= 1.0

    # fetching

    def fetch(self) -> "Deferred[None]":
        self._pace.spend()
        if not self._more:
            self._after = 0
            self._late.clear()
        fields = {"kind": FETCH, "after": self._after}
        asked = self._around.outbox.send(self._keeper, Command.MESSAGE, fields, deadline=SECONDS, max_answer=MAX_ANSWER)
        return asked.addCallback(self._fetched)

    def _fetched(self, answer: Any) -> None:
        numbers = answer.fields.get("numbers")
        raw, documents = _unpacked(answer.payload)
        _NUMBERS.check(numbers, "numbers")
        if len(numbers) != len(raw):
            raise WireError("bad-field", "not as many numbers as envelopes")
        for document in documents:
            self._meet(document)
        self._found = [Fetched(number, one, _read(one)) for number, one in zip(numbers, raw, strict=True)]
        self._more = answer.fields.get("more") is True and bool(numbers)
        self._after = max(numbers, default=0)
        self._lost = _lost(answer.fields.get("lost"))
        left = answer.fields.get("left")
        if isinstance(left, int):
            self._means.low(left)

    def _meet(self, raw: bytes) -> None:
        """A sender's document proves itself; an old one changes nothing."""
        try:
            document = IdentityDocument.parse(raw)
        except WireError:
            return
        if not document.is_claim and document.fingerprint != self._around.me.fingerprint:
            self._around.identities.accept(document)

    # taking

    def take(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._take())

    async def _take(self) -> None:
        self._done = [one.number for one in self._found if one.envelope is None]
        by_device: dict[Device, list[Fetched]] = {}
        for one in self._found:
            if one.envelope is not None:
                by_device.setdefault((one.envelope.sender, one.envelope.device), []).append(one)
        for device, some in by_device.items():
            await self._take_from(device, some)
        lost: dict[Device, list[bytes]] = {}
        for number, device, envelope in self._lost:
            self._done.append(number)
            lost.setdefault(device, []).append(envelope)
        for device, names in lost.items():
            self._means.notify(device, Notice(LOST, tuple(names[:MOST])))

    async def _take_from(self, device: Device, some: list[Fetched]) -> None:
        """What one device sent; it stays there while nobody knows whose it is."""
        some = self._within(device[0], some)
        key = await self._key(device) if some else None
        if key is None:
            return
        results = await self._means.incoming.take(Origin(*device, key), [one.raw for one in some], stops=False)
        received: list[bytes] = []
        lost: list[bytes] = []
        for one, result in zip(some, results, strict=True):
            assert one.envelope is not None
            if result in (CONSUMED, STORED):
                received.append(one.envelope.id)
            elif result in SEAL_AGAIN:
                lost.append(one.envelope.id)
            elif result not in ("refused", "malformed", "not-canonical", "wrong-device"):
                continue
            self._done.append(one.number)
        for about, names in ((RECEIVED, received), (LOST, lost)):
            if names:
                self._means.notify(device, Notice(about, tuple(names)))

    def _within(self, sender: bytes, some: list[Fetched]) -> list[Fetched]:
        """As many as are taken of one sender, whoever brings them. The rest stays there, for another visit."""
        taken: list[Fetched] = []
        for one in some:
            try:
                if sender in self._late:
                    break
                self._means.amounts.spend(sender, len(one.raw))
            except BitDustError:
                self._late.add(sender)
                break
            taken.append(one)
        return taken

    async def _key(self, device: Device) -> bytes | None:
        """The key of a device that counts, of which the newest document is looked for where it is not known."""
        found = self._known(device)
        if found is None:
            await outcome(self._means.directory.look_up(device[0]))
            found = self._known(device)
        return found

    def _known(self, device: Device) -> bytes | None:
        me = self._around.me
        document = me.document if device[0] == me.fingerprint else self._around.identities.get(device[0])
        known = document.device(device[1]) if document is not None else None
        return known.key if known is not None and known.revoked is None else None

    # confirming

    def confirm(self) -> "Deferred[Any]":
        done, self._done, self._found, self._lost = self._done, [], [], []
        if not done:
            return succeed(None)
        fields = {"kind": TAKEN, "numbers": done[:MOST]}
        return self._around.outbox.send(self._keeper, Command.MESSAGE, fields, deadline=SECONDS)


class Visits:
    """One visit for each node that keeps a mailbox of mine, or has kept one not long ago."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._visits: dict[bytes, Visit] = {}
        self._waking = Waking(means.around.world)

    def follow(self, keepers: list[bytes]) -> None:
        """These keep mailboxes of mine; those that are new are visited at once."""
        for keeper in keepers:
            if keeper not in self._visits:
                self._visits[keeper] = Visit(self._means, keeper)
                self.go(keeper)
        for keeper in [one for one in self._visits if one not in keepers]:
            self._visits.pop(keeper).machine.send("stop")

    def go(self, keeper: bytes) -> None:
        """This node is there, or has said that there is something."""
        visit = self._visits.get(keeper)
        if visit is not None and visit.may_go():
            visit.machine.send("go")

    def go_to_all(self) -> None:
        """All of them may be reached now."""
        self._waking.wake(self._visits, self.go)

    def stop(self) -> None:
        """Visit nobody any more."""
        self._waking.stop()
        visits, self._visits = self._visits, {}
        for visit in visits.values():
            visit.machine.send("stop")


def _unpacked(payload: bytes) -> tuple[list[bytes], list[bytes]]:
    """Envelopes, and documents of their senders; raises `WireError`."""
    value = decode(payload, MAX_ANSWER, max_items=2 * MOST + 8)
    if not isinstance(value, list) or len(value) != 2:
        raise WireError("malformed", "a mailbox gives envelopes, and documents of their senders")
    _ENVELOPES.check(value[0], "envelopes")
    _DOCUMENTS.check(value[1], "documents")
    return value[0], value[1]


def _read(raw: bytes) -> Envelope | None:
    try:
        return Envelope.from_bytes(raw)
    except WireError:
        return None


def _lost(value: Any) -> list[tuple[int, Device, bytes]]:
    """What a mailbox says about devices that are gone: number, sender, and envelope; raises `WireError`."""
    if value is None:
        return []
    schemas: tuple[Schema, ...] = (Int(), Bytes(32), Bytes(8), Bytes(16))
    if not isinstance(value, list) or len(value) > MOST or not all(isinstance(row, list) for row in value):
        raise WireError("bad-field", "lost: a short list is expected")
    for row in value:
        if len(row) != len(schemas):
            raise WireError("bad-field", "lost: four items are expected")
        for item, schema in zip(row, schemas, strict=True):
            schema.check(item, "lost")
    return [(row[0], (row[1], row[2]), row[3]) for row in value]
