"""What a supplier answers to its customers: one row of the packet table a command.

The peer of a request is proven by its session, so its fingerprint is the only customer whose things a request can
touch; no field of a packet ever names another one. Records that are kept must carry a signature of one of that
customer's devices besides. A stranger gets answers to `RequestService` alone.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.crypt.device import check_record
from bitdust.customers.contracts import Customer, Kept, Wish
from bitdust.customers.logs import Entry
from bitdust.customers.names import PieceName
from bitdust.customers.store import SupplierStore
from bitdust.disk.disk import disk_error
from bitdust.formats.log_entry import MAX_ENTRY
from bitdust.formats.orders import DELETE_KIND, MAX_RING, DeleteOrder, ring_revision
from bitdust.wire.encoding import WireError, encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import MAX_PAYLOAD, Command
from bitdust.wire.records import MAX_SUPPLIERS, MIN_SUPPLIERS, ContractEnd, Family, Head, PackRecord
from bitdust.wire.schema import Bytes, Choice, Int, Optional, Schema, Struct
from bitdust.wire.signed import Signed
from bitdust.wire.table import Answer, Device, Document, Peer, Request, Row, Who, ack

SERVICE = "service_supplier"
KEYRING = "keyring"
FAMILY = "family"
MOST_LISTED = 10_000
CODES = frozenset(
    ("not-allowed", "bad-field", "too-large", "no-service", "no-contract", "no-space", "not-found", "bad-piece")
    + ("bad-signature", "conflict", "stale", "busy", "internal")
)


class Ports(Protocol):
    """What the supplier's commands need of the node."""

    def my_fingerprint(self) -> bytes:
        """Mine: a node never serves itself."""

    def document_of(self, fingerprint: bytes) -> Document | None:
        """The newest identity document of a peer that is known."""

    def sign(self, kind: str, body: bytes) -> Signed:
        """A record signed by this node's device."""

    def report(self, event: str, data: dict[str, Any]) -> None:
        """Send a local event."""

    def family_kept(self, customer: bytes, family: Family, signed: bytes) -> None:
        """A customer brought its family record."""

    def leaves(self, kept: Kept) -> int:
        """Until when a customer that was given notice is answered; 0 for others."""

    def customer_left(self, customer: bytes) -> None:
        """A customer has ended its contract, and nothing of it is kept here any more."""


Handler = Callable[[Request], Awaitable[Answer]]
Fields = Mapping[str, Schema]
_PAGE: Fields = {"after": Bytes(0, 16), "most": Int(1, MOST_LISTED)}
_WISH: Fields = {
    "service": Choice((SERVICE,)),
    "room": Int(0, 2**60),
    "n": Int(MIN_SUPPLIERS, MAX_SUPPLIERS),
    "position": Int(0, MAX_SUPPLIERS - 1),
    "term": Int(1, 3660),
    "contract": Optional(Bytes(16)),
}


@frozen
class Spec:
    """One row: the command, its kind, fields and payload limit, whether a stranger may send it, and the handler."""

    command: Command
    kind: str | None
    fields: Mapping[str, Schema]
    max_payload: int
    stranger: bool
    handler: Handler


class SupplierRows:
    """I answer the supplier's commands from the store."""

    def __init__(self, store: SupplierStore, ports: Ports) -> None:
        self._store = store
        self._ports = ports

    def specs(self) -> list[Spec]:
        """Every command of the service."""
        signed = MAX_RING + 1024
        data, retrieve = Command.DATA, Command.RETRIEVE
        piece: Fields = {"kind": Choice(("piece",)), "index": Int(0, MAX_SUPPLIERS - 1), "record": Bytes(1, 16 * 1024)}
        part: Fields = {"pack": Bytes(16), "index": Int(0, MAX_SUPPLIERS - 1), "offset": Int(), "length": Int()}
        log: Fields = {"device": Bytes(8), "first": Int(1), "most": Int(1)}
        cancel: Fields = {"service": Choice((SERVICE,)), "contract": Bytes(16), "end": Optional(Bytes(1, 4096))}
        entry: Fields = {"kind": Choice(("log",)), "head": Bytes(1, 4096)}
        return [
            Spec(Command.REQUEST_SERVICE, SERVICE, _WISH, 0, True, self.request_service),
            Spec(Command.CANCEL_SERVICE, SERVICE, cancel, 0, False, self.cancel_service),
            Spec(Command.CONTACTS, FAMILY, {"space": Choice((FAMILY,))}, 32 * 1024, False, self.contacts),
            Spec(data, "piece", piece, MAX_PAYLOAD, False, self.data_piece),
            Spec(data, "log", entry, MAX_ENTRY, False, self.data_log),
            Spec(data, KEYRING, {"kind": Choice((KEYRING,))}, signed, False, self.data_keyring),
            Spec(retrieve, "piece", {"kind": Choice(("piece",)), **part}, 0, False, self.retrieve_piece),
            Spec(retrieve, "log", {"kind": Choice(("log",)), **log}, 0, False, self.retrieve_log),
            Spec(retrieve, "heads", {"kind": Choice(("heads",))}, 0, False, self.retrieve_heads),
            Spec(retrieve, KEYRING, {"kind": Choice((KEYRING,))}, 0, False, self.retrieve_record),
            Spec(retrieve, FAMILY, {"kind": Choice((FAMILY,))}, 0, False, self.retrieve_record),
            Spec(retrieve, "identity", {"kind": Choice(("identity",))}, 0, False, self.retrieve_identity),
            Spec(Command.LIST_FILES, None, _PAGE, 0, False, self.list_files),
            Spec(Command.DELETE_FILE, None, {}, 64 * 1024, False, self.delete_file),
        ]

    def rows(self) -> list[Row]:
        """The same as rows of the packet table."""
        return [
            Row(
                spec.command,
                spec.kind,
                Struct(spec.fields),
                spec.max_payload,
                Who.ANYONE if spec.stranger else Who.CUSTOMER,
                SERVICE,
                self.guarded(spec),
            )
            for spec in self.specs()
        ]

    def guarded(self, spec: Spec) -> "Callable[[Request], Deferred[Answer]]":
        """A handler that refuses those without a contract; the inbox makes a Fail of the `BitDustError`."""

        async def handle(request: Request) -> Answer:
            try:
                if request.packet.owner != request.peer.fingerprint:
                    raise BitDustError("not-allowed", "a customer speaks for itself alone")
                if not spec.stranger:
                    self._store.usage(request.peer.fingerprint)
                return await spec.handler(request)
            except WireError as error:
                raise refusal(error) from error
            except (OSError, sqlite3.Error) as error:
                raise disk_error(error) from error

        return lambda request: Deferred.fromCoroutine(handle(request))

    # the contract

    async def request_service(self, request: Request) -> Answer:
        """Give, renew or resize a contract; a refusal leaves what was there."""
        customer, fields = _customer(request.peer), request.fields
        if customer.fingerprint == self._ports.my_fingerprint():
            raise BitDustError("not-allowed", "a node does not supply itself")
        if fields["position"] >= fields["n"]:
            raise BitDustError("bad-field", "the position lies outside the family")
        known = self._store.contract_of(customer.fingerprint) is not None
        who = "existing" if known else "new"
        try:
            wish = Wish(fields["room"], fields["n"], fields["position"], fields["term"], fields.get("contract"))
            kept = await self._store.request(customer, wish)
        except BitDustError as error:
            self._ports.report(f"{who}-customer-denied", {"idurl": customer.idurl, "reason": str(error)})
            raise
        self._ports.report(f"{who}-customer-accepted", accepted(kept))
        contract = self._ports.sign(kept.contract.KIND, kept.contract.to_body())
        return ack(contract=contract.to_bytes(), leaves=self._ports.leaves(kept))

    async def cancel_service(self, request: Request) -> Answer:
        """End a contract: its pieces stay until the moment that the answer names, or go on a signed word."""
        if "end" in request.fields:
            return await self._end(request)
        kept = await self._store.cancel(request.peer.fingerprint, request.fields["contract"])
        self._ports.report("customer-cancelled", {"idurl": kept.idurl, "until": kept.until})
        return ack(until=kept.until)

    async def _end(self, request: Request) -> Answer:
        signed = Signed.from_bytes(request.fields["end"], ContractEnd.KIND)
        end, named = ContractEnd.from_body(signed.body), request.fields["contract"]
        self._mine(request, end.customer)
        self._verify(request.peer, signed)
        if (end.contract, end.supplier) != (named, self._ports.my_fingerprint()):
            raise BitDustError("not-allowed", "this word is about another contract")
        kept = self._store.contract_of(end.customer)
        freed = await self._store.end(end.customer, end.contract)
        if kept is not None:
            told = {"idurl": kept.idurl, "ecc_map": f"ecc/{kept.contract.n}x{kept.contract.n}", "freed": freed}
            self._ports.report("existing-customer-terminated", told)
        self._ports.customer_left(end.customer)
        return ack(until=0, freed=freed)

    async def contacts(self, request: Request) -> Answer:
        """Keep the customer's newest family record."""
        signed = await self._signed(request, Family.KIND)
        family = Family.from_body(signed.body)
        if family.customer != request.peer.fingerprint:
            raise BitDustError("not-allowed", "a family record is accepted only from its customer")
        revision = await self._keep(request, FAMILY, family.revision, signed)
        self._ports.family_kept(family.customer, family, signed.to_bytes())
        return ack(revision=revision)

    # what comes to stay

    async def data_piece(self, request: Request) -> Answer:
        """Take one piece; the answer comes after it is on the disk."""
        signed = Signed.from_bytes(request.fields["record"], PackRecord.KIND)
        record = PackRecord.from_body(signed.body)
        customer = self._mine(request, record.owner)
        self._verify(request.peer, signed, revoked=True)
        if request.packet.size != record.piece_size:
            raise BitDustError("bad-piece", f"the piece must have {record.piece_size} bytes")
        name = PieceName(customer, record.pack, request.fields["index"])
        intake = self._store.receive(name, record, request.fields["record"])
        try:
            await request.payload.stream_to(intake.write)
        except BaseException:
            await intake.abort()
            raise
        now = await intake.store()
        return ack(used=now.used, room=now.room)

    async def data_log(self, request: Request) -> Answer:
        """Append one entry of a device's catalog log."""
        signed = Signed.from_bytes(request.fields["head"], Head.KIND)
        head = Head.from_body(signed.body)
        entry = Entry.parse(await request.payload.read_all(MAX_ENTRY))
        self._mine(request, entry.owner)
        if (head.owner, head.device, signed.device) != (entry.owner, entry.device, entry.device):
            raise BitDustError("bad-field", "head and entry are not of one device")
        if head.sequence < entry.sequence:
            raise BitDustError("stale", "the head is older than the entry")
        device = self._verify(request.peer, signed, revoked=True)
        if device.revoked is not None and head.sequence > (device.sequence or 0):
            raise BitDustError("bad-signature", "the device was revoked before it wrote this")
        return ack(sequence=await self._store.append(entry, head, request.fields["head"]))

    async def data_keyring(self, request: Request) -> Answer:
        """Keep the customer's newest sealed key ring."""
        signed = await self._signed(request, KEYRING)
        revision = ring_revision(signed.body, request.peer.fingerprint)
        return ack(revision=await self._keep(request, KEYRING, revision, signed))

    async def _keep(self, request: Request, kind: str, revision: int, signed: Signed) -> int:
        self._verify(request.peer, signed)
        try:
            return await self._store.keep_record(request.peer.fingerprint, kind, revision, signed.to_bytes())
        except BitDustError as error:
            if error.code == "conflict":
                self._ports.report(
                    "customer-record-conflict", {"idurl": str(request.peer.document.idurl), "kind": kind}
                )
            raise

    # what goes back

    async def retrieve_piece(self, request: Request) -> Answer:
        """Part of one piece, with its signed record."""
        fields = request.fields
        name = PieceName(request.peer.fingerprint, fields["pack"], fields["index"])
        found = await self._store.find(name, fields["offset"], fields["length"])
        answer = {"kind": "piece", "record": found.signed, "offset": fields["offset"]}
        return Answer(Command.DATA, answer, found.source)

    async def retrieve_log(self, request: Request) -> Answer:
        """Entries of one device's log, in order."""
        device, first = request.fields["device"], request.fields["first"]
        entries = self._store.entries(request.peer.fingerprint, device, first, request.fields["most"])
        answer = {"kind": "log", "device": device, "first": first, "count": len(entries)}
        return Answer(Command.DATA, answer, encode(entries))

    async def retrieve_heads(self, request: Request) -> Answer:
        """The newest signed head of each device."""
        return Answer(Command.DATA, {"kind": "heads"}, encode(self._store.heads(request.peer.fingerprint)))

    async def retrieve_record(self, request: Request) -> Answer:
        """The newest key ring or family record."""
        kind = request.fields["kind"]
        signed = self._store.record(request.peer.fingerprint, kind)
        if signed is None:
            raise BitDustError("not-found", f"no {kind} of yours is kept here")
        return Answer(Command.DATA, {"kind": kind}, signed)

    async def retrieve_identity(self, request: Request) -> Answer:
        """The customer's own newest identity document, for its recovery."""
        document = self._ports.document_of(request.peer.fingerprint)
        if document is None or document.revision == 0:
            raise BitDustError("not-found", "no identity document of yours is kept here")
        return Answer(Command.DATA, {"kind": "identity"}, document.xml)

    async def list_files(self, request: Request) -> Answer:
        """Which pieces are kept, page by page."""
        page = self._store.listing(request.peer.fingerprint, request.fields["after"], request.fields["most"])
        return Answer(Command.FILES, {"more": page.more}, encode([list(piece) for piece in page.pieces]))

    async def delete_file(self, request: Request) -> Answer:
        """Carry out the owner's signed order."""
        signed = await self._signed(request, DELETE_KIND)
        order = DeleteOrder.parse(signed.body, signed.device)
        self._mine(request, order.owner)
        self._verify(request.peer, signed)
        return ack(freed=await self._store.delete(order))

    # who says so

    async def _signed(self, request: Request, kind: str) -> Signed:
        return Signed.from_bytes(await request.payload.read_all(MAX_RING + 1024), kind, MAX_RING + 1024)

    def _mine(self, request: Request, owner: bytes) -> bytes:
        if owner != request.peer.fingerprint:
            raise BitDustError("not-allowed", "this belongs to somebody else")
        return owner

    def _verify(self, peer: Peer, signed: Signed, *, revoked: bool = False) -> Device:
        """The device of the peer that signed. Raises ``bad-signature``; a revoked device counts only where told."""
        known = self._ports.document_of(peer.fingerprint)
        newest = known if known is not None and known.revision > peer.document.revision else peer.document
        device = newest.device(signed.device)
        if device is None or (device.revoked is not None and not revoked):
            raise WireError("bad-signature", "the record is not signed by a device of yours that counts")
        check_record(signed, device.key)
        return device


def refusal(error: WireError) -> BitDustError:
    """A record that is not what it should be, under one of the codes that a Fail may carry."""
    return BitDustError(error.code if error.code in CODES else "bad-field", str(error), **error.details)


def accepted(kept: Kept) -> dict[str, Any]:
    """What the events tell of an accepted customer."""
    return {
        "idurl": kept.idurl,
        "global_id": kept.global_id,
        "allocated_bytes": kept.contract.room,
        "ecc_map": f"ecc/{kept.contract.n}x{kept.contract.n}",
        "position": kept.contract.position,
        "contract": kept.contract.contract.hex(),
    }


def _customer(peer: Peer) -> Customer:
    return Customer(peer.fingerprint, str(peer.document.idurl), peer.document.global_id)
