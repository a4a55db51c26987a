"""What a supplier answers to its customers: one row of the packet table a command.

The peer of a request is proven by its session. It speaks for itself, and for another owner only where it shows a
capability that this owner gave (`bitdust.customers.access`) and the command takes one. Records that are kept must carry
a signature of a device besides. A stranger gets answers to `RequestService` alone.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping

from attrs import frozen
from twisted.internet.defer import Deferred

from bitdust.customers.access import Admission, Claims
from bitdust.customers.contract_commands import FAMILY, KEYRING, ContractCommands
from bitdust.customers.data_commands import DataCommands
from bitdust.customers.notices import Notices
from bitdust.customers.records import MOST_KEPT
from bitdust.customers.store import SupplierStore
from bitdust.disk.disk import disk_error
from bitdust.formats.log_packet import MAX_PACKET
from bitdust.formats.orders import MAX_RING
from bitdust.formats.proof import QUESTION
from bitdust.surroundings import Connected
from bitdust.wire.capability import Right
from bitdust.wire.encoding import WireError
from bitdust.wire.errors import BitDustError
from bitdust.wire.news import DELETIONS
from bitdust.wire.packet import MAX_PAYLOAD, Command
from bitdust.wire.records import MAX_SUPPLIERS, MIN_SUPPLIERS
from bitdust.wire.schema import Bytes, Choice, Int, Optional, Schema, Struct
from bitdust.wire.signed import COUNTERSIGNATURE
from bitdust.wire.table import Answer, Request, Row, Who

SERVICE = "service_supplier"
CAPABILITY = "capability"
MOST_LISTED = 10_000
COMMIT = 10.0
"""What a contract costs that is written and signed, beside a ping."""
CODES = frozenset(
    ("not-allowed", "bad-field", "too-large", "no-service", "no-contract", "no-space", "not-found", "bad-piece")
    + ("bad-signature", "conflict", "stale", "busy", "internal")
)
Handler = Callable[[Request], Awaitable[Answer]]
Fields = Mapping[str, Schema]
_INDEX = Int(0, MAX_SUPPLIERS - 1)
_PAGE: Fields = {"after": Bytes(0, 16), "most": Int(1, MOST_LISTED)}
_PIECE: Fields = {"index": _INDEX, "record": Bytes(1, 16 * 1024)}
_PART: Fields = {"pack": Bytes(16), "index": _INDEX, "offset": Int(), "length": Int()}
_LOG: Fields = {"device": Bytes(8), "first": Int(1), "most": Int(1), "scope": Optional(Bytes(16))}
_CONFIRMED: Fields = {COUNTERSIGNATURE: Optional(Bytes(256, 512))}
_CANCEL: Fields = {"service": Choice((SERVICE,)), "contract": Bytes(16), "end": Optional(Bytes(1, 4096)), **_CONFIRMED}
_FAMILY: Fields = {"space": Choice((FAMILY,))}
_BACK: Fields = {"back": Optional(Int(0, MOST_KEPT - 1))}
_WISH: Fields = {
    "service": Choice((SERVICE,)),
    "room": Int(0, 2**60),
    "n": Int(MIN_SUPPLIERS, MAX_SUPPLIERS),
    "position": _INDEX,
    "term": Int(1, 3660),
    "contract": Optional(Bytes(16)),
}


@frozen
class Spec:
    """One row: the command, its kind, fields, payload limit and handler.

    ``stranger`` may be anybody; ``right`` is what a capability must give for it, None where none is taken; ``becomes``
    names the machine and the event that the command becomes besides what it stores; ``cost`` is that of the row.
    """

    command: Command
    kind: str | None
    fields: Fields
    max_payload: int
    handler: Handler
    stranger: bool = False
    right: Right | None = None
    becomes: tuple[str, str] | None = None
    cost: float = 1.0


def _kind(kind: str, more: Fields | None = None) -> Fields:
    return {"kind": Choice((kind,)), **(more or {})}


class SupplierRows:
    """I answer the supplier's commands from the store. The signals are those of `ContractCommands`."""

    def __init__(self, around: Connected, store: SupplierStore, notices: Notices, claims: Claims | None = None) -> None:
        self._store = store
        self._admission = Admission(store, around.identities.get, claims)
        self._contract = ContractCommands(around, store, notices, self._admission)
        self._data = DataCommands(store, self._admission)
        self.family_stored = self._contract.family_stored
        self.customer_left = self._contract.customer_left
        self.withdrawn = self._contract.withdrawn
        self.brought = (self._contract.brought, self._data.brought)
        self.appended, self.read = self._data.appended, self._data.read

    def specs(self) -> list[Spec]:
        """Every command of the service."""
        mine, data, ring = self._contract, self._data, MAX_RING + 1024
        cancel, keep, give = Command.CANCEL_SERVICE, Command.DATA, Command.RETRIEVE
        read, write = Right.READ, Right.WRITE
        return [
            Spec(Command.REQUEST_SERVICE, SERVICE, _WISH, 0, mine.request_service, stranger=True, cost=COMMIT),
            Spec(cancel, SERVICE, _CANCEL, 0, mine.cancel_service, becomes=("supplier_retirement", "customer-left")),
            Spec(cancel, DELETIONS, _kind(DELETIONS, _CONFIRMED), 1024, mine.decide),
            Spec(give, DELETIONS, _kind(DELETIONS), 0, mine.retrieve_deletions),
            Spec(cancel, CAPABILITY, _kind(CAPABILITY), 1024, mine.revoke),
            Spec(Command.CONTACTS, FAMILY, _FAMILY, 32 * 1024, mine.contacts, becomes=("family_member", "refresh")),
            Spec(keep, "piece", _kind("piece", _PIECE), MAX_PAYLOAD, data.data_piece, right=write),
            Spec(keep, "log", _kind("log", {"head": Bytes(1, 4096)}), MAX_PACKET, data.data_log, right=Right.LOG),
            Spec(keep, KEYRING, _kind(KEYRING), ring, mine.data_keyring),
            Spec(give, "piece", _kind("piece", _PART), 0, data.retrieve_piece, right=read),
            Spec(give, "proof", _kind("proof", QUESTION), 0, data.retrieve_proof, right=read),
            Spec(give, "log", _kind("log", _LOG), 0, data.retrieve_log, right=read),
            Spec(give, "heads", _kind("heads"), 0, data.retrieve_heads, right=read),
            Spec(give, KEYRING, _kind(KEYRING, _BACK), 0, mine.retrieve_record),
            Spec(give, FAMILY, _kind(FAMILY, _BACK), 0, mine.retrieve_record),
            Spec(give, "identity", _kind("identity"), 0, mine.retrieve_identity),
            Spec(Command.LIST_FILES, None, _PAGE, 0, data.list_files, right=Right.LIST),
            Spec(Command.DELETE_FILE, None, _CONFIRMED, 64 * 1024, data.delete_file),
        ]

    def rows(self) -> list[Row]:
        """The same as rows of the packet table."""
        return [self._row(spec) for spec in self.specs()]

    def _row(self, spec: Spec) -> Row:
        who = Who.ANYONE if spec.stranger else Who.CUSTOMER
        return Row(
            spec.command,
            spec.kind,
            Struct(spec.fields),
            spec.max_payload,
            who if spec.right is None else who | Who.CAPABILITY,
            SERVICE,
            self.guarded(spec),
            authorise=self._authorise(spec.right) if spec.right is not None else None,
            becomes=spec.becomes,
            gathers=spec.handler != self._data.data_piece,
            cost=spec.cost,
        )

    def _authorise(self, right: Right) -> Callable[[Request], None]:
        def check(request: Request) -> None:
            try:
                self._admission.authorise(request, right)
            except WireError as error:
                raise refusal(error) from error
            except sqlite3.Error as error:
                raise disk_error(error) from error

        return check

    def guarded(self, spec: Spec) -> "Callable[[Request], Deferred[Answer]]":
        """A handler that refuses those without a contract; the inbox makes a Fail of the `BitDustError`."""

        async def handle(request: Request) -> Answer:
            try:
                if request.packet.capability is None:
                    self._need_customer(request, spec)
                elif spec.right is None:
                    raise BitDustError("not-allowed", "no capability gives the right to this")
                return await spec.handler(request)
            except WireError as error:
                raise refusal(error) from error
            except (OSError, sqlite3.Error) as error:
                raise disk_error(error) from error

        return lambda request: Deferred.fromCoroutine(handle(request))

    def _need_customer(self, request: Request, spec: Spec) -> None:
        if request.packet.owner != request.peer.fingerprint:
            raise BitDustError("not-allowed", "a customer speaks for itself alone")
        if not spec.stranger:
            self._store.usage(request.peer.fingerprint)


def refusal(error: WireError) -> BitDustError:
    """A record that is not what it should be, under one of the codes that a Fail may carry."""
    return BitDustError(error.code if error.code in CODES else "bad-field", str(error), **error.details)
