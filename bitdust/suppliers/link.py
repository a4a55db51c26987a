"""Asking one supplier for its service, and keeping hold of it: the port of each `supplier_connector`."""

from typing import Any, Protocol

from attrs import evolve
from twisted.internet.defer import Deferred

from bitdust.automats.supplier_connector import Refused
from bitdust.identity.countersigning import countersignature
from bitdust.outcome import outcome
from bitdust.suppliers.contracts import ContractBook, SignedContract, Wish, verify_contract
from bitdust.suppliers.growth import LEAST
from bitdust.surroundings import Connected
from bitdust.wire.encoding import WireError
from bitdust.wire.packet import Command
from bitdust.wire.records import Contract, ContractEnd

SERVICE = "service_supplier"
REQUEST_SECONDS = 20.0
CANCEL_SECONDS = 8.0
REFUSALS = frozenset(("no-space", "no-service", "not-allowed", "bad-field", "bad-contract", "bad-signature"))
"""Codes after which asking again soon would not help. A node that does not know the command is starting, or gives no
service now: that may change within seconds."""

REJECTED = "not-allowed"
"""The code of a supplier that has rejected me and keeps nothing of mine."""
NOW = 1
"""A moment that is over: such a supplier has left already."""
ENDED = frozenset(("no-contract", "not-allowed"))
"""Codes of a supplier that knows nothing of me any more: it got my word, and its answer was lost."""


class Terms(Protocol):
    """What suppliers are asked for, and where their answers go; `bitdust.suppliers.connectors`."""

    def wish_for(self, supplier: bytes, /) -> Wish:
        """What this supplier is asked for now."""

    def report_leaving(self, supplier: bytes, leaves: object, /) -> None:
        """What the supplier said about leaving. Raises `Refused` where it leaves and holds nothing of mine."""

    def report_state(self, supplier: bytes, state: str, /) -> None:
        """Its connector came to CONNECTED, DISCONNECTED or NO_SERVICE."""

    def absent_for(self, supplier: bytes, /) -> float:
        """For how many seconds it has not been connected in this run."""

    def jitter(self) -> float:
        """A random number from 0 to 1."""

    def report_room(self, supplier: bytes, is_given: bool, /) -> None:
        """Whether the supplier gives the room that it was asked for, or more than it did."""

    def report_contract(self, before: Contract | None, now: Contract, /) -> None:
        """A supplier has promised something, in the place of what it had promised ``before``."""


class SupplierLink:
    """What one `supplier_connector` acts on."""

    def __init__(self, around: Connected, supplier: bytes, terms: Terms, book: ContractBook) -> None:
        self._me = around.me
        self._sessions = around.sessions
        self._outbox = around.outbox
        self._identities = around.identities
        self._supplier = supplier
        self._terms = terms
        self._book = book

    def request(self) -> "Deferred[SignedContract]":
        """Find and dial the supplier, then ask; where the room is refused, ask for less, or for what it promised."""
        return Deferred.fromCoroutine(self._request())

    async def _request(self) -> SignedContract:
        await self._sessions.session_to(self._supplier)
        wish = self._terms.wish_for(self._supplier)
        asked = await outcome(self._ask(wish))
        self._terms.report_room(self._supplier, asked.code != "no-space")
        if asked.code == "no-space" and self._book.of(self._supplier) is not None:
            wish = evolve(wish, least=0)
            asked = await outcome(self._ask(wish, named=False))
        floor = wish.least or LEAST
        while asked.code == "no-space" and wish.room > floor:
            wish = evolve(wish, room=max(floor, wish.room // 2))
            asked = await outcome(self._ask(wish))
        if asked.code == REJECTED:
            self._terms.report_leaving(self._supplier, NOW)
        if asked.code in REFUSALS:
            raise Refused(asked.code, str(asked.error)) from asked.error
        if asked.error is not None:
            raise asked.error
        contract = self._verified(asked.value.fields.get("contract"), wish)
        self._terms.report_leaving(self._supplier, asked.value.fields.get("leaves"))
        return contract

    def more(self) -> "Deferred[SignedContract]":
        """Ask for more room, besides the contract that stands; where that is refused, for a part of it.

        A supplier promises by what it counts, which may be a piece less than is taken to be full here.
        """
        return Deferred.fromCoroutine(self._more())

    async def _more(self) -> SignedContract:
        wish, contract = self._terms.wish_for(self._supplier), self._book.of(self._supplier)
        given = contract.room if contract is not None else 0
        asked = await outcome(self._ask(wish))
        while asked.code == "no-space" and wish.room - given >= 2 * LEAST:
            wish = evolve(wish, room=given + (wish.room - given) // 2)
            asked = await outcome(self._ask(wish))
        self._terms.report_room(self._supplier, asked.code != "no-space")
        if asked.error is not None:
            raise asked.error
        return self._verified(asked.value.fields.get("contract"), wish)

    def _ask(self, wish: Wish, named: bool = True) -> "Deferred[object]":
        """Without the name of the contract the supplier promises what it did before, where it cannot do more."""
        fields = {
            "service": SERVICE,
            "room": wish.room,
            "n": wish.n,
            "position": wish.position,
            "term": wish.term,
        }
        old = self._book.of(self._supplier)
        if old is not None and named:
            fields["contract"] = old.contract
        return self._outbox.send(self._supplier, Command.REQUEST_SERVICE, fields, deadline=REQUEST_SECONDS)

    def _verified(self, data: object, wish: Wish) -> SignedContract:
        document = self._identities.get(self._supplier)
        try:
            if not isinstance(data, bytes) or document is None:
                raise WireError("bad-contract", "the supplier sent no contract")
            contract = verify_contract(data, document, self._me.fingerprint, wish)
            self._identities.keep(document)
            return contract
        except WireError as error:
            raise Refused(error.code, str(error)) from error

    def has_session(self) -> bool:
        return self._sessions.connected(self._supplier)

    def cancel(self) -> "Deferred[None]":
        """End the contract; its own term ends it where the supplier cannot be reached.

        One that is released gets my signed word, on which it frees the space at once.
        """
        return Deferred.fromCoroutine(self._cancel())

    async def _cancel(self) -> None:
        contract = self._book.of(self._supplier)
        if contract is None:
            return
        fields: dict[str, Any] = {"service": SERVICE, "contract": contract.contract}
        if self._book.is_released(self._supplier):
            end = ContractEnd(contract.contract, self._me.fingerprint, self._supplier)
            signed = self._me.sign(ContractEnd.KIND, end.to_body())
            fields |= {"end": signed.to_bytes(), **countersignature(self._me.held_master, signed)}
        await self._sessions.session_to(self._supplier)
        sent = await outcome(self._outbox.send(self._supplier, Command.CANCEL_SERVICE, fields, deadline=CANCEL_SECONDS))
        if sent.error is not None and sent.code not in ENDED:
            raise sent.error
        self._book.remove(self._supplier)

    def save(self, contract: SignedContract) -> None:
        """Keep it on the disk."""
        before = self._book.of(self._supplier)
        self._book.save(contract)
        self._terms.report_contract(before, contract.contract)

    def changed(self, state: str) -> None:
        self._terms.report_state(self._supplier, state)

    def absence(self) -> float:
        return self._terms.absent_for(self._supplier)

    def jitter(self) -> float:
        return self._terms.jitter()
