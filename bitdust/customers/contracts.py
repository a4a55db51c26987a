"""Contracts over room: how they are made, renewed, resized and ended, and when pieces may be deleted.

A contract is ended by nothing but time and its customer's signed word: a refused resize leaves the old one, a cancelled
one keeps its pieces until its term and grace are over, and any contact of the customer renews the term. A supplier that
gives notice, to all or to one, takes no piece from then on; the grace of what it has begins when the customer has
acknowledged the notice. Room that is promised and room that is donated are compared inside the transaction that writes
the contract; how much that may be, `bitdust.customers.promises` says.
"""

import sqlite3
from collections.abc import Callable
from enum import StrEnum

from attrs import evolve, field, frozen

from bitdust.customers.database import HAS_FILE
from bitdust.customers.grants import REVOKED_BYTES
from bitdust.customers.promises import DAY, check_room, lapse
from bitdust.customers.quota import charged
from bitdust.surroundings import Surroundings
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import Contract

GRACE_DAYS = 90
MAX_TERM_DAYS = 365
SETTLED_AFTER = DAY
"""Seconds after which a customer of whom something is stored is no newcomer any more, and bytes for which it is none
before."""
SETTLED = 64 * 1024 * 1024
RENEW_AFTER = 3600
"""Seconds between two renewals of a contract whose customer is in touch."""


class ContractState(StrEnum):
    """Only an active contract takes new pieces; every one is honoured until its grace is over.

    RETIRING and REJECTED are when the supplier has given notice, to all or to this customer.
    """

    ACTIVE = "active"
    CANCELLED = "cancelled"
    IDLE = "idle"
    RETIRING = "retiring"
    REJECTED = "rejected"


RENEWED = frozenset((ContractState.ACTIVE, ContractState.IDLE))
"""Contact with the customer begins their term again."""
ENDING = frozenset((ContractState.RETIRING, ContractState.REJECTED))


@frozen
class Customer:
    """Who asks: proven by the session; the names are those of its identity document, kept with the contract."""

    fingerprint: bytes
    idurl: str
    global_id: str
    revision: int = 0
    document: bytes = b""


@frozen
class Wish:
    """What a customer asks for: ``room`` bytes for ``term`` days, as supplier number ``position`` of ``n``.

    It comes from a ``network`` of strangers, or from none. It ``is_vouched`` where a family has chosen this node by a
    certificate: then all that is free may be asked for.

    Without the name of its ``contract`` an old customer has lost its copy (it was recovered): when what it asks for
    does not fit, the old contract is renewed.
    """

    room: int
    n: int
    position: int
    term: int
    contract: bytes | None = None
    is_vouched: bool = False
    network: str = ""


@frozen
class Account:
    """A contract and what is known beside it. ``announced`` is when its grace was announced, 0 while it was not."""

    contract: Contract
    state: ContractState
    announced: int
    used: int
    log_bytes: int
    idurl: str
    global_id: str
    pieces: int = 0
    made: int = 0
    network: str = ""
    record_bytes: int = 0
    is_new: bool = field(default=False, kw_only=True)

    @property
    def charged(self) -> int:
        """Bytes that it takes: its pieces, what is beside each, its logs and records."""
        return charged(self.used, self.pieces, self.log_bytes + self.record_bytes)

    @property
    def customer(self) -> bytes:
        return self.contract.customer

    @property
    def room(self) -> int:
        return self.contract.room

    @property
    def allotted(self) -> int:
        """Bytes that are set aside for it."""
        return max(self.contract.room, self.charged) if self.state == ContractState.ACTIVE else self.charged

    def is_newcomer(self, now: float) -> bool:
        """Whether it has little to lose here yet: anybody can have come so far, under as many names as he likes."""
        return self.charged < SETTLED and not (self.used and now - self.made >= SETTLED_AFTER)

    @property
    def ecc_map(self) -> str:
        """``ecc/4x4`` as users see it."""
        return f"ecc/{self.contract.n}x{self.contract.n}"

    @property
    def term_ends(self) -> int:
        return self.contract.since + self.contract.term * DAY

    @property
    def until(self) -> int:
        """Nothing is deleted before, in seconds since the epoch."""
        return self.term_ends + self.contract.grace * DAY

    @property
    def is_ending(self) -> bool:
        """Whether the supplier has given notice."""
        return self.state in ENDING

    @property
    def is_here(self) -> bool:
        """Whether the customer has not moved away: it has pieces here, or has not ended its contract."""
        return bool(self.used) or self.state in (ContractState.ACTIVE, ContractState.IDLE, ContractState.RETIRING)

    @property
    def purge_at(self) -> int | None:
        """When the pieces may go: never without a grace that was announced and has passed in full."""
        if self.is_ending and self.announced:
            return self.announced + self.contract.grace * DAY
        return max(self.until, self.announced + self.contract.grace * DAY) if self.announced else None


Row = tuple[bytes, bytes, int, int, int, int, int, int, str, int, int, int, str, str, int, int, str, int]
_COLUMNS = (
    "k.contract, k.customer, k.room, k.position, k.n, k.since, k.term, k.grace, k.state, k.announced,"
    " c.used, c.log_bytes, c.idurl, c.global_id, c.pieces, k.made, k.network, c.record_bytes"
)
_FROM = "FROM contracts k JOIN customers c ON c.fingerprint = k.customer"


class Contracts:
    """I decide over requests. My methods run inside a transaction of the caller's."""

    def __init__(self, around: Surroundings, donated: Callable[[], int], disk_free: Callable[[], int]) -> None:
        self._me = around.me
        self._entropy = around.world.entropy
        self._donated = donated
        self._disk_free = disk_free
        self.is_closed = False
        """Whether nobody new is taken, because this node gives up being a supplier."""

    def request(self, database: sqlite3.Connection, customer: Customer, wish: Wish, now: int) -> Account:
        """Give, renew or resize a promise. Raises `BitDustError` ``no-space`` and leaves what was there.

        After a notice an old contract is confirmed as it is, and a new one is refused with ``no-service``; a rejected
        customer of whom nothing is left is refused with ``not-allowed``.
        """
        old = self.of(database, customer.fingerprint)
        if self.is_closed or (old is not None and old.is_ending):
            return self._confirm(database, wish, old)
        room = self._room(database, wish, old)
        contract = Contract(
            contract=old.contract.contract if old is not None else self._entropy(16),
            customer=customer.fingerprint,
            supplier=self._me.fingerprint,
            room=room,
            position=wish.position,
            n=wish.n,
            since=now,
            term=min(wish.term, MAX_TERM_DAYS),
            grace=GRACE_DAYS,
        )
        database.execute(
            f"INSERT INTO customers(fingerprint, idurl, global_id, record_bytes) VALUES(?1, ?2, ?3, {REVOKED_BYTES})"
            " ON CONFLICT(fingerprint) DO UPDATE SET idurl=excluded.idurl, global_id=excluded.global_id",
            (customer.fingerprint, customer.idurl, customer.global_id),
        )
        is_larger = old is None or room > old.contract.room
        made, network = (old.made, old.network) if old is not None else (now, wish.network)
        self._write(database, contract, now if is_larger else None, made, wish.network if is_larger else network)
        account = self.of(database, customer.fingerprint)
        assert account is not None
        return evolve(account, is_new=old is None)

    def _confirm(self, database: sqlite3.Connection, wish: Wish, old: Account | None) -> Account:
        if old is None:
            raise BitDustError("no-service", "this node gives up being a supplier and takes no new customers")
        if old.state == ContractState.REJECTED and not old.used:
            raise BitDustError("not-allowed", "this supplier has rejected you, and keeps nothing of yours")
        if wish.room > old.contract.room and wish.contract is not None:
            raise BitDustError(
                "no-space", "this supplier has given notice; it keeps what it has and gives no more room"
            )
        state = old.state if old.is_ending else ContractState.RETIRING
        database.execute(
            "UPDATE contracts SET position=?, n=?, state=? WHERE customer=?",
            (wish.position, wish.n, state, old.contract.customer),
        )
        account = self.of(database, old.contract.customer)
        assert account is not None
        return account

    def _room(self, database: sqlite3.Connection, wish: Wish, old: Account | None) -> int:
        try:
            self._check_room(database, wish, old)
        except BitDustError:
            if old is None or wish.contract is not None:
                raise
            return old.allotted
        return wish.room

    def _check_room(self, database: sqlite3.Connection, wish: Wish, old: Account | None) -> None:
        used = old.used if old is not None else 0
        if wish.room < used:
            raise BitDustError("no-space", f"{used} bytes of yours are kept here; {wish.room} would not hold them")
        others = [one for one in self.all(database) if old is None or one.customer != old.customer]
        check_room(wish, old, others, self._donated(), self._disk_free())

    def _write(
        self, database: sqlite3.Connection, contract: Contract, promised: int | None, made: int, network: str
    ) -> None:
        """``promised`` is when its room was promised, None where that was before."""
        row = database.execute("SELECT promised FROM contracts WHERE customer=?", (contract.customer,)).fetchone()
        promised = promised if promised is not None or row is None else row[0]
        database.execute(
            "INSERT OR REPLACE INTO contracts VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)",
            (
                contract.customer,
                contract.contract,
                contract.room,
                contract.position,
                contract.n,
                contract.since,
                contract.term,
                contract.grace,
                ContractState.ACTIVE,
                promised or 0,
                made,
                network,
            ),
        )

    def lapse(self, database: sqlite3.Connection, since: int) -> int:
        """Promise no more what was promised before and is not filled; how many contracts became smaller."""
        active = [one for one in self.all(database) if one.state == ContractState.ACTIVE]
        return lapse(database, active, since)

    def cancel(self, database: sqlite3.Connection, customer: bytes, contract: bytes) -> Account:
        """The customer leaves: no new pieces, and the old ones stay until term and grace are over."""
        account = self.of(database, customer)
        if account is None or account.contract.contract != contract:
            raise BitDustError("no-contract", "there is no such contract with you")
        self.set_state(database, customer, ContractState.CANCELLED)
        return account

    def set_state(self, database: sqlite3.Connection, customer: bytes, state: ContractState) -> None:
        database.execute("UPDATE contracts SET state=? WHERE customer=?", (state, customer))

    def renew(self, database: sqlite3.Connection, customer: bytes, now: int) -> None:
        """The customer is in touch: its term begins again and an announced grace is off.

        A cancelled contract stays so, and so does the grace after a notice.
        """
        database.execute(
            "UPDATE contracts SET since=max(since, ?), announced=0 WHERE customer=? AND state IN (?, ?)",
            (now, customer, ContractState.ACTIVE, ContractState.IDLE),
        )

    def retire(self, database: sqlite3.Connection) -> None:
        """Give notice to everybody whose contract stands."""
        database.execute(
            "UPDATE contracts SET state=?, announced=0 WHERE state IN (?, ?)",
            (ContractState.RETIRING, ContractState.ACTIVE, ContractState.IDLE),
        )

    def stay(self, database: sqlite3.Connection) -> None:
        """Take that notice back; nobody is taken back who was rejected or has left."""
        database.execute(
            "UPDATE contracts SET state=?, announced=0 WHERE state=?", (ContractState.ACTIVE, ContractState.RETIRING)
        )

    def reject(self, database: sqlite3.Connection, customer: bytes) -> Account:
        """Give notice to one customer; one that was rejected already keeps its grace. Raises ``no-contract``."""
        database.execute(
            "UPDATE contracts SET state=?, announced=0 WHERE customer=? AND state<>?",
            (ContractState.REJECTED, customer, ContractState.REJECTED),
        )
        account = self.of(database, customer)
        if account is None:
            raise BitDustError("no-contract", "there is no such customer")
        return account

    def erase(self, database: sqlite3.Connection, customer: bytes) -> list[tuple[bytes, int, int]]:
        """Forget everything of a rejected customer but that it was rejected; the result is its pieces."""
        account = self.of(database, customer)
        if account is None or account.state != ContractState.REJECTED:
            return []
        pieces = self._remove_pieces(database, customer)
        nothing = f"used=0, pieces=0, log_bytes=0, record_bytes={REVOKED_BYTES}"
        database.execute(f"UPDATE customers SET {nothing} WHERE fingerprint=?1", (customer,))
        return pieces

    def announce(self, database: sqlite3.Connection, customer: bytes, now: int) -> None:
        """The term is over and the grace begins; not by a clock that is behind what this contract has seen already."""
        database.execute(
            "UPDATE contracts SET announced=? WHERE customer=? AND announced=0 AND since<=?", (now, customer, now)
        )

    def purge(self, database: sqlite3.Connection, customer: bytes, now: int) -> list[tuple[bytes, int, int]]:
        """Forget a customer whose grace is over, and nobody before; the result is its pieces: pack, number, bytes."""
        account = self.of(database, customer)
        if account is None or account.purge_at is None or now < account.purge_at:
            return []
        return self._forget(database, customer)

    def end(self, database: sqlite3.Connection, customer: bytes, contract: bytes) -> list[tuple[bytes, int, int]]:
        """The customer's signed word: forget it at once; the result is its pieces. Raises ``no-contract``.

        That a customer was rejected is remembered until its grace is over, so that it is not taken again meanwhile.
        """
        account = self.of(database, customer)
        if account is None or account.contract.contract != contract:
            raise BitDustError("no-contract", "there is no such contract with you")
        if account.state == ContractState.REJECTED:
            return self.erase(database, customer)
        return self._forget(database, customer)

    def _forget(self, database: sqlite3.Connection, customer: bytes) -> list[tuple[bytes, int, int]]:
        pieces = self._remove_pieces(database, customer)
        database.execute("DELETE FROM contracts WHERE customer=?", (customer,))
        database.execute("DELETE FROM customers WHERE fingerprint=?", (customer,))
        return pieces

    def _remove_pieces(self, database: sqlite3.Connection, customer: bytes) -> list[tuple[bytes, int, int]]:
        pieces = database.execute("SELECT pack, number, size FROM pieces WHERE customer=?", (customer,)).fetchall()
        database.execute(
            "INSERT OR IGNORE INTO garbage SELECT customer, pack, number FROM pieces p"
            f" WHERE customer=? AND {HAS_FILE}",
            (customer,),
        )
        for table in ("delayed", "pieces", "covered", "log", "heads", "records", "deletes", "grants", "keepsakes"):
            database.execute(f"DELETE FROM {table} WHERE customer=?", (customer,))
        return pieces

    def of(self, database: sqlite3.Connection, customer: bytes) -> Account | None:
        """The contract with a customer."""
        row = database.execute(f"SELECT {_COLUMNS} {_FROM} WHERE k.customer=?", (customer,)).fetchone()
        return self._account(row) if row is not None else None

    def has(self, database: sqlite3.Connection, customer: bytes) -> bool:
        """Whether there is a contract with a customer; asked with every packet."""
        return database.execute("SELECT 1 FROM contracts WHERE customer=?", (customer,)).fetchone() is not None

    def all(self, database: sqlite3.Connection) -> list[Account]:
        """All contracts, by the customers' names."""
        rows = database.execute(f"SELECT {_COLUMNS} {_FROM} ORDER BY c.global_id, k.customer")
        return [self._account(row) for row in rows]

    def _account(self, row: Row) -> Account:
        contract, customer, room, position, n, since, term, grace = row[:8]
        promise = Contract(contract, customer, self._me.fingerprint, room, position, n, since, term, grace)
        return Account(promise, ContractState(row[8]), *row[9:])
