"""Commands about the contract itself and what a supplier keeps of its customer: family, key ring, identity, word."""

from typing import Any, Protocol

from bitdust.customers.access import Admission, OwnerDocument
from bitdust.customers.contracts import Customer, Kept, Wish
from bitdust.customers.store import SupplierStore
from bitdust.formats.orders import MAX_RING, ring_revision
from bitdust.wire.capability import Revocation
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.records import ContractEnd, Family
from bitdust.wire.signed import Signed
from bitdust.wire.table import Answer, Peer, Request, ack

KEYRING = "keyring"
FAMILY = "family"


class Ports(Protocol):
    """What the supplier's commands need of the node."""

    def my_fingerprint(self) -> bytes:
        """Mine: a node never serves itself."""

    def document_of(self, fingerprint: bytes) -> OwnerDocument | None:
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


class ContractCommands:
    """I answer the owner alone; the peer of a request is the customer."""

    def __init__(self, store: SupplierStore, ports: Ports, admission: Admission) -> None:
        self._store = store
        self._ports = ports
        self._admission = admission

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
        _need_owner(request, end.customer)
        self._admission.signer(request.peer, signed)
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
        signed = await read_signed(request, Family.KIND)
        family = Family.from_body(signed.body)
        if family.customer != request.peer.fingerprint:
            raise BitDustError("not-allowed", "a family record is accepted only from its customer")
        revision = await self._keep(request, FAMILY, family.revision, signed)
        self._ports.family_kept(family.customer, family, signed.to_bytes())
        return ack(revision=revision)

    # records

    async def data_keyring(self, request: Request) -> Answer:
        """Keep the customer's newest sealed key ring."""
        signed = await read_signed(request, KEYRING)
        revision = ring_revision(signed.body, request.peer.fingerprint)
        return ack(revision=await self._keep(request, KEYRING, revision, signed))

    async def _keep(self, request: Request, kind: str, revision: int, signed: Signed) -> int:
        self._admission.signer(request.peer, signed)
        try:
            return await self._store.keep_record(request.peer.fingerprint, kind, revision, signed.to_bytes())
        except BitDustError as error:
            if error.code == "conflict":
                self._ports.report(
                    "customer-record-conflict", {"idurl": str(request.peer.document.idurl), "kind": kind}
                )
            raise

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

    # capabilities

    async def revoke(self, request: Request) -> Answer:
        """Keep the customer's signed word that a capability counts no more."""
        signed = Signed.from_bytes(await request.payload.read_all(1024), Revocation.KIND, 1024)
        revocation = Revocation.from_body(signed.body)
        _need_owner(request, revocation.owner)
        self._admission.signer(request.peer, signed)
        await self._store.revoke(revocation.owner, revocation.capability, signed.to_bytes())
        return ack()


async def read_signed(request: Request, kind: str) -> Signed:
    """The payload of a request as a signed record. Raises `WireError`."""
    return Signed.from_bytes(await request.payload.read_all(MAX_RING + 1024), kind, MAX_RING + 1024)


def _need_owner(request: Request, owner: bytes) -> None:
    if owner != request.peer.fingerprint:
        raise BitDustError("not-allowed", "this belongs to somebody else")


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
