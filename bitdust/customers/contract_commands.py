"""Commands about the contract itself and what a supplier keeps of its customer: family, key ring, identity, word."""

from typing import Any

from bitdust.customers.access import Admission
from bitdust.customers.contracts import Account, Customer, Wish
from bitdust.customers.keepsakes import IDENTITY
from bitdust.customers.notices import Notices
from bitdust.customers.store import SupplierStore
from bitdust.formats.orders import DECISION_KIND, MAX_RING, Decision, ring_revision
from bitdust.signal import Signal
from bitdust.surroundings import Connected
from bitdust.wire.addresses import host_of
from bitdust.wire.capability import Revocation
from bitdust.wire.encoding import encode
from bitdust.wire.errors import BitDustError
from bitdust.wire.news import DELETIONS
from bitdust.wire.packet import Command
from bitdust.wire.records import ContractEnd, Family
from bitdust.wire.signed import Signed
from bitdust.wire.table import Answer, Peer, Request, ack

KEYRING = "keyring"
FAMILY = "family"


class ContractCommands:
    """I answer the owner alone; the peer of a request is the customer.

    ``family_stored`` is emitted when a customer brought its family record, ``customer_left`` when one has ended its
    contract and nothing of it is kept any more, ``brought`` when one of its devices brought a record of some kind,
    ``withdrawn`` when a customer lets somebody in no more.
    """

    def __init__(self, around: Connected, store: SupplierStore, notices: Notices, admission: Admission) -> None:
        self._me = around.me
        self._events = around.events
        self._sessions = around.sessions
        self._identities = around.identities
        self._store = store
        self._notices = notices
        self._admission = admission
        self.family_stored: Signal[[bytes]] = Signal()
        self.customer_left: Signal[[bytes]] = Signal()
        self.brought: Signal[[bytes, bytes, str]] = Signal()
        self.withdrawn: Signal[[bytes]] = Signal()

    # the contract

    async def request_service(self, request: Request) -> Answer:
        """Give, renew or resize a contract; a refusal leaves what was there."""
        customer, fields = _customer(request.peer), request.fields
        if customer.fingerprint == self._me.fingerprint:
            raise BitDustError("not-allowed", "a node does not supply itself")
        if fields["position"] >= fields["n"]:
            raise BitDustError("bad-field", "the position lies outside the family")
        known = self._store.contract_of(customer.fingerprint) is not None
        who = "existing" if known else "new"
        try:
            session = self._sessions.session_with(customer.fingerprint)
            network = self._store.scopes.network_name(host_of(session.address)) if session is not None else ""
            wish = Wish(
                fields["room"], fields["n"], fields["position"], fields["term"], fields.get("contract"), network=network
            )
            account = await self._store.request(customer, wish)
        except BitDustError as error:
            self._events.send(f"{who}-customer-denied", {"idurl": customer.idurl, "reason": str(error)})
            raise
        document = self._identities.get(customer.fingerprint)
        if document is not None:
            self._identities.hold(document)
        self._events.send(
            f"{who}-customer-accepted",
            accepted(account) | {"name_proven": self._identities.is_proven(customer.fingerprint)},
        )
        contract = self._me.sign(account.contract.KIND, account.contract.to_body())
        return ack(contract=contract.to_bytes(), leaves=self._notices.until(account))

    async def cancel_service(self, request: Request) -> Answer:
        """End a contract: its pieces stay until the moment that the answer names, or go on a signed word."""
        if request.fields.get("end") is not None:
            return await self._end(request)
        account = await self._store.cancel(request.peer.fingerprint, request.fields["contract"])
        self._events.send("customer-cancelled", {"idurl": account.idurl, "until": account.until})
        return ack(until=account.until)

    async def _end(self, request: Request) -> Answer:
        signed = Signed.from_bytes(request.fields["end"], ContractEnd.KIND)
        end, named = ContractEnd.from_body(signed.body), request.fields["contract"]
        _need_owner(request, end.customer)
        self._admission.signer(request.peer, signed)
        if (end.contract, end.supplier) != (named, self._me.fingerprint):
            raise BitDustError("not-allowed", "this word is about another contract")
        account = self._store.contract_of(end.customer)
        if not self._admission.is_owners_word(request, signed):
            until = await self._store.delays.end(end.customer, end.contract, signed.device)
            if until:
                self.brought.emit(end.customer, b"", DELETIONS)
                return ack(until=until, freed=0)
        freed = await self._store.end(end.customer, end.contract)
        if account is not None:
            data = {"idurl": account.idurl, "ecc_map": account.ecc_map, "freed": freed}
            self._events.send("existing-customer-terminated", data)
        self.customer_left.emit(end.customer)
        return ack(until=0, freed=freed)

    # what waits

    async def retrieve_deletions(self, request: Request) -> Answer:
        """What devices of the customer have ordered that is not done yet."""
        waiting = self._store.delays.of(request.peer.fingerprint)
        return Answer(Command.DATA, {"kind": DELETIONS}, encode([one.as_fields() for one in waiting]))

    async def decide(self, request: Request) -> Answer:
        """Another device of the customer undoes such an order, or confirms it; its RSA key does so by any device."""
        signed = Signed.from_bytes(await request.payload.read_all(1024), DECISION_KIND, 1024)
        decision, customer = Decision.parse(signed.body), request.peer.fingerprint
        _need_owner(request, decision.owner)
        self._admission.signer(request.peer, signed)
        if decision.supplier != self._me.fingerprint:
            raise BitDustError("not-allowed", "this decision is for another supplier")
        if decision.undo:
            undone = await self._store.delays.undo(customer, [decision.device])
            self.brought.emit(customer, b"", DELETIONS)
            return ack(orders=undone, freed=0)
        if decision.device == signed.device and not self._admission.is_owners_word(request, signed):
            raise BitDustError("not-allowed", "another device has to confirm this, or your private key")
        freed = await self._store.delays.confirm(customer, decision.device, decision.until)
        self.brought.emit(customer, b"", DELETIONS)
        if self._store.contract_of(customer) is None:
            self.customer_left.emit(customer)
        return ack(orders=0, freed=freed)

    async def contacts(self, request: Request) -> Answer:
        """Keep the customer's newest family record."""
        signed = await read_signed(request, Family.KIND)
        family = Family.from_body(signed.body)
        if family.customer != request.peer.fingerprint:
            raise BitDustError("not-allowed", "a family record is accepted only from its customer")
        revision = await self._store_record(request, FAMILY, family.revision, signed)
        self.family_stored.emit(family.customer)
        return ack(revision=revision)

    # records

    async def data_keyring(self, request: Request) -> Answer:
        """Keep the customer's newest sealed key ring."""
        signed = await read_signed(request, KEYRING)
        revision = ring_revision(signed.body, request.peer.fingerprint)
        return ack(revision=await self._store_record(request, KEYRING, revision, signed))

    async def _store_record(self, request: Request, kind: str, revision: int, signed: Signed) -> int:
        self._admission.signer(request.peer, signed)
        try:
            counts = self._admission.counting(request.peer)
            stored = await self._store.store_signed(request.peer.fingerprint, revision, signed, counts)
        except BitDustError as error:
            if error.code == "conflict":
                self._events.send("customer-record-conflict", {"idurl": str(request.peer.document.idurl), "kind": kind})
            raise
        self.brought.emit(request.peer.fingerprint, request.peer.device, kind)
        return stored

    async def retrieve_record(self, request: Request) -> Answer:
        """The newest key ring or family record, or one of those before it."""
        kind, back = request.fields["kind"], request.fields.get("back") or 0
        signed = self._store.record(request.peer.fingerprint, kind, back)
        if signed is None:
            older = f" but {back}" if back else ""
            raise BitDustError("not-found", f"no {kind} of yours is kept here{older}")
        return Answer(Command.DATA, {"kind": kind}, signed)

    async def retrieve_identity(self, request: Request) -> Answer:
        """The customer's own newest identity document, for its recovery."""
        customer = request.peer.fingerprint
        document, kept = self._identities.get(customer), self._store.keepsake(IDENTITY, customer)
        if kept is not None and (document is None or document.revision < kept.revision):
            return Answer(Command.DATA, {"kind": "identity"}, kept.data)
        if document is None or document.revision == 0:
            raise BitDustError("not-found", "no identity document of yours is kept here")
        return Answer(Command.DATA, {"kind": "identity"}, document.xml)

    # capabilities

    async def revoke(self, request: Request) -> Answer:
        """Keep the customer's signed word that a capability counts no more."""
        signed = Signed.from_bytes(await request.payload.read_all(1024), Revocation.KIND, 1024)
        revocation = Revocation.from_body(signed.body)
        _need_owner(request, revocation.owner)
        self._admission.signer(request.peer, signed)
        await self._store.revoke(revocation.owner, revocation.capability, signed.to_bytes())
        self.withdrawn.emit(revocation.owner)
        return ack()


async def read_signed(request: Request, kind: str) -> Signed:
    """The payload of a request as a signed record. Raises `WireError`."""
    return Signed.from_bytes(await request.payload.read_all(MAX_RING + 1024), kind, MAX_RING + 1024)


def _need_owner(request: Request, owner: bytes) -> None:
    if owner != request.peer.fingerprint:
        raise BitDustError("not-allowed", "this belongs to somebody else")


def accepted(account: Account) -> dict[str, Any]:
    """What the events report of an accepted customer."""
    return {
        "fingerprint": account.contract.customer.hex(),
        "idurl": account.idurl,
        "global_id": account.global_id,
        "allocated_bytes": account.contract.room,
        "ecc_map": account.ecc_map,
        "position": account.contract.position,
        "contract": account.contract.contract.hex(),
    }


def _customer(peer: Peer) -> Customer:
    document = peer.document
    return Customer(peer.fingerprint, str(document.idurl), document.global_id, document.revision, document.xml)
