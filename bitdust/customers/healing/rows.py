"""What nodes of a family ask each other while its owner is away: rows of the packet table."""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.crypt.spare_votes import Bench
from bitdust.customers.contract_commands import KEYRING
from bitdust.customers.healing.councils import Councils
from bitdust.customers.healing.dossiers import Shown
from bitdust.customers.healing.election import Elections
from bitdust.customers.healing.standins import StandIns
from bitdust.customers.rows import refusal
from bitdust.customers.store import SupplierStore
from bitdust.disk.disk import disk_error
from bitdust.signal import Signal
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.healing import MAX_DOSSIER
from bitdust.wire.packet import Command
from bitdust.wire.records import MAX_SUPPLIERS
from bitdust.wire.schema import Bytes, Choice, Int, Schema, Struct
from bitdust.wire.table import Answer, Request, Row, Who, ack

SERVICE = "service_customer_family"
Handler = Callable[[Request], Awaitable[Answer]]
_CUSTOMER = Bytes(32)
MOST_RINGS = 3
OFFER = "spare-offer"
"""A question for room: to answer it this node looks at the families of all of its customers."""
DOSSIER, DOSSIER_KIB = 20.0, 0.5
"""What it costs to read the signatures of a dossier, beside a ping, and of each KiB of it."""


@frozen
class Spec:
    """One row; ``becomes`` names the machine and the event that it becomes besides."""

    command: Command
    kind: str
    fields: Mapping[str, Schema]
    max_payload: int
    handler: Handler
    becomes: tuple[str, str] | None = None


class HealingRows:
    """I answer members, spares and owners. ``changed`` names a customer of whose family more is known now."""

    def __init__(self, store: SupplierStore, councils: Councils, elections: Elections, stand_ins: StandIns) -> None:
        self._store = store
        self._councils = councils
        self._elections = elections
        self._stand_ins = stand_ins
        self.changed: Signal[[bytes]] = Signal()

    def specs(self) -> list[Spec]:
        """Every row."""
        place, who = Int(0, MAX_SUPPLIERS - 1), {"customer": _CUSTOMER}
        tell, give = Command.EVENT, Command.RETRIEVE
        rebuild = ("spare_rebuild", "check")
        return [
            Spec(tell, OFFER, who | {"room": Int(0, 2**60)}, 0, self._offer),
            Spec(tell, "spare-vote", who | {"place": place, "spare": Bytes(32)}, MAX_DOSSIER, self._vote),
            Spec(tell, "spare-certificate", who, MAX_DOSSIER, self._certificate, becomes=rebuild),
            Spec(give, "spares", who, 0, self._spares),
            Spec(give, "spare-records", who, 0, self._records),
            Spec(give, "spare-status", who, 0, self._status),
        ]

    def rows(self) -> list[Row]:
        """The same as rows of the packet table; each handler judges by certificates who may ask."""
        return [
            Row(
                spec.command, spec.kind, Struct({"kind": Choice((spec.kind,)), **spec.fields}), spec.max_payload,
                Who.ANYONE, SERVICE, self._guarded(spec.handler), becomes=spec.becomes,
                gathers=bool(spec.max_payload),
                cost=DOSSIER if spec.max_payload or spec.kind == OFFER else 1.0,
                cost_kib=DOSSIER_KIB if spec.max_payload else 0.0,
            )
            for spec in self.specs()
        ]  # fmt: skip

    def _guarded(self, handler: Handler) -> "Callable[[Request], Deferred[Answer]]":
        async def handle(request: Request) -> Answer:
            try:
                return await handler(request)
            except WireError as error:
                raise refusal(error) from error
            except (OSError, sqlite3.Error) as error:
                raise disk_error(error) from error

        return lambda request: Deferred.fromCoroutine(handle(request))

    # the handlers

    async def _offer(self, request: Request) -> Answer:
        """Whether this node would stand in for a place of so many bytes; nothing is set aside for it."""
        self._councils.dossiers.admit(request.peer.fingerprint)
        self._stand_ins.need_room(request.fields["customer"], request.fields["room"])
        return ack()

    def _need_seat(self, request: Request, customer: bytes) -> Bench:
        bench = self._councils.need_bench(customer)
        if request.peer.fingerprint not in bench.seats():
            raise BitDustError("not-allowed", "you have no place in this family")
        return bench

    async def _read(self, request: Request) -> Shown:
        self._councils.dossiers.admit(request.peer.fingerprint)
        shown = await self._councils.dossiers.read(await request.payload.read_all(MAX_DOSSIER))
        if shown.family.customer != request.fields["customer"]:
            raise BitDustError("bad-field", "the dossier is of another customer")
        return shown

    async def _vote(self, request: Request) -> Answer:
        """My vote for a spare, where I have seen that the member is gone."""
        fields, peer = request.fields, request.peer.fingerprint
        customer, place, spare = fields["customer"], fields["place"], fields["spare"]
        self._councils.need_bench(customer)
        bench = await self._councils.take(await self._read(request))
        self._need_seat(request, customer)
        self._councils.note_there(customer, peer)
        if place >= bench.family.n:
            raise BitDustError("bad-field", "the family has no such place")
        await self._elections.need_worthy(bench, place, spare)
        vote = await self._councils.vote(bench, self._elections.terms(bench, place, spare))
        return Answer(Command.DATA, {"kind": "spare-vote"}, vote)

    async def _certificate(self, request: Request) -> Answer:
        """Take certificates over; one that names this node makes it a supplier of the customer."""
        customer = request.fields["customer"]
        shown = await self._read(request)
        if self._stand_ins.is_to_begin(customer):
            bench = await self._stand_ins.begin(shown)
        else:
            bench = await self._councils.take(shown)
        self.changed.emit(customer)
        return ack(spares=len(bench.certificates))

    async def _spares(self, request: Request) -> Answer:
        """The family with its certificates, for its owner and whoever belongs to it."""
        customer, peer = request.fields["customer"], request.peer.fingerprint
        bench = self._councils.need_bench(customer)
        if peer not in (customer, *bench.family.holders, *bench.seats()):
            raise BitDustError("not-allowed", "you do not belong to this family")
        return Answer(Command.DATA, {"kind": "spares"}, self._councils.dossier(customer, peer == customer).to_bytes())

    async def _records(self, request: Request) -> Answer:
        """What the owner sealed and signed beside its pieces, for a spare that stands in."""
        customer, peer = request.fields["customer"], request.peer.fingerprint
        bench = self._councils.need_bench(customer)
        if peer not in [one.terms.spare for one in bench.certificates]:
            raise BitDustError("not-allowed", "no certificate makes you a spare of this family")
        rings = [self._store.record(customer, KEYRING, back) for back in range(MOST_RINGS)]
        return Answer(Command.DATA, {"kind": "spare-records"}, encode([ring for ring in rings if ring is not None]))

    async def _status(self, request: Request) -> Answer:
        """How far this node has come with standing in, for the owner and whoever belongs to the family."""
        customer, peer = request.fields["customer"], request.peer.fingerprint
        if peer != customer:
            self._need_seat(request, customer)
        return ack(**self._stand_ins.status(customer))
