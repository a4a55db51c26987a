"""What this node answers as a keeper of mailboxes, for people with whom it has dealings."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from bitdust.people.amounts import Amounts
from bitdust.people.mailboxes.store import Box, Letter, MailboxStore
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError, decode, encode
from bitdust.wire.envelopes import MAX_BATCH, MAX_ENVELOPE, MOST_IN_BATCH, Envelope, unpack
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.prekeys import DEPOSIT, FETCH, MOST_ONCE, ONCE, ONCE_ASKED, OPEN, TAKEN, WAITING, OncePrekey
from bitdust.wire.schema import Bytes, Choice, Int, ListOf, Schema, Struct
from bitdust.wire.table import Answer, Request, Row, Who, ack

FILE = "mailboxes.db"
SPACE = "services/private-messages/mailbox-space"
SERVICE = "service_private_messages"
MAX_PAYLOAD = max(MAX_BATCH, MAX_ENVELOPE) + 1024
MAX_KEYS = 16 * 1024
COMMIT = 10.0
"""What a commit costs, beside a ping."""
HOUR = 3600.0
TELL_SECONDS = 10.0
OWNERS = Who.CUSTOMER | Who.FRIEND
OTHERS = 0.5
"""Of the room for mailboxes those of customers fill no more: friends have the rest."""
_BOX: dict[str, Schema] = {"recipient": Bytes(32), "to": Bytes(8)}


class MailboxKeeper:
    """I keep envelopes for those whom my person or my disk has dealings with, from `start` to `stop`."""

    log = Logger()

    def __init__(self, around: Connected, amounts: Amounts) -> None:
        self._around = around
        self._clock = around.world.clock
        self._amounts = amounts
        settings = around.settings
        self.store = MailboxStore(around.world, around.world.home / FILE, lambda: int(settings.get(SPACE)))
        self._hourly: IDelayedCall | None = None

    def start(self) -> "Deferred[None]":
        """Fires when mailboxes can be used."""
        return self.store.open().addCallback(lambda _: self._tick())

    def stop(self) -> "Deferred[None]":
        """Fires when all is written."""
        if self._hourly is not None and self._hourly.active():
            self._hourly.cancel()
        self._hourly = None
        return Deferred.fromCoroutine(self.store.close())

    def _tick(self) -> None:
        self._hourly = self._clock.callLater(HOUR, self._tick)
        self.store.upkeep().addErrback(
            lambda failure: self.log.warn("mailboxes: {error}", error=failure.getErrorMessage())
        )

    def rows(self) -> list[Row]:
        """For the packet table."""
        return [
            self._row(OPEN, {}, MAX_KEYS, OWNERS, self._open),
            self._row(FETCH, {"after": Int()}, 0, Who.ANYONE, self._fetch),
            self._row(TAKEN, {"numbers": ListOf(Int(), MOST_IN_BATCH, 1)}, 0, Who.ANYONE, self._taken),
            self._row(DEPOSIT, _BOX, MAX_PAYLOAD, Who.ANYONE, self._deposit),
            self._row(ONCE_ASKED, _BOX, 0, Who.ANYONE, self._hand_out),
        ]

    def _row(self, kind: str, fields: dict[str, Schema], most: int, who: Who, handler: Callable[..., Any]) -> Row:
        schema = Struct({"kind": Choice((kind,)), **fields})
        return Row(Command.MESSAGE, kind, schema, most, who, SERVICE, handler, gathers=bool(most), cost=COMMIT)

    # owners

    async def _open(self, request: Request) -> Answer:
        payload = await request.payload.read_all(MAX_KEYS)
        once: list[OncePrekey] = []
        if payload:
            value = decode(payload, MAX_KEYS, max_items=MOST_ONCE * 8 + 8)
            ListOf(ONCE, MOST_ONCE).check(value, "once")
            once = [OncePrekey(one["id"], one["key"], one["signature"]) for one in value]
        if not int(self._around.settings.get(SPACE)):
            raise BitDustError("no-space", "this node keeps no mailboxes")
        return ack(left=await self.store.keep_open(_mine(request), once))

    async def _fetch(self, request: Request) -> Answer:
        found = await self.store.fetch(_mine(request), request.fields["after"], _living(request))
        fields = {
            "numbers": [letter.number for letter in found.letters],
            "more": found.more,
            "left": found.left,
            "lost": [list(row) for row in found.lost],
        }
        payload = encode([[letter.data for letter in found.letters], found.documents])
        return Answer(Command.DATA, fields, payload)

    async def _taken(self, request: Request) -> Answer:
        return ack(gone=await self.store.taken(_mine(request), request.fields["numbers"], _living(request)))

    # senders

    async def _deposit(self, request: Request) -> Answer:
        box: Box = (request.fields["recipient"], request.fields["to"])
        raw = unpack(await request.payload.read_all(MAX_PAYLOAD))
        letters = [self._letter(request, box, one) for one in raw]
        taken = self._within(request.peer.fingerprint, letters)
        share = 1.0 if self._amounts.is_known(box[0]) else OTHERS
        results = await self.store.deposit(box, taken, request.peer.document.xml, share) if taken else []
        if "stored" in results:
            self._tell(box)
        return ack(results=results + ["busy"] * (len(letters) - len(taken)))

    def _letter(self, request: Request, box: Box, raw: bytes) -> Letter:
        envelope, peer = Envelope.from_bytes(raw), request.peer
        if (envelope.sender, envelope.device) != (peer.fingerprint, peer.device):
            raise WireError("not-allowed", "an envelope of another device than the one that is proven")
        if (envelope.recipient, envelope.to) != box:
            raise WireError("not-allowed", "an envelope for another device than it is brought for")
        return Letter(envelope.sender, envelope.device, envelope.id, raw)

    def _within(self, peer: bytes, letters: list[Letter]) -> list[Letter]:
        taken: list[Letter] = []
        for letter in letters:
            try:
                self._amounts.spend(peer, len(letter.data))
            except BitDustError:
                break
            taken.append(letter)
        return taken

    async def _hand_out(self, request: Request) -> Answer:
        box: Box = (request.fields["recipient"], request.fields["to"])
        self._amounts.spend(request.peer.fingerprint, 0)
        once = await self.store.hand_out(box, request.peer.fingerprint)
        return ack(once=once.as_map()) if once is not None else ack()

    def _tell(self, box: Box) -> None:
        """Somebody who is connected need not wait for the next visit."""
        for session in self._around.sessions.sessions():
            if (session.peer.fingerprint, session.peer.device) == box:
                sending = self._around.outbox.send(
                    box[0], Command.MESSAGE, {"kind": WAITING}, deadline=TELL_SECONDS, session=session
                )
                sending.addErrback(lambda _: None)


def _mine(request: Request) -> Box:
    return (request.peer.fingerprint, request.peer.device)


def _living(request: Request) -> list[bytes]:
    """Devices of the peer that count."""
    return [device.id for device in request.peer.document.devices if device.revoked is None]
