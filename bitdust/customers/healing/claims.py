"""Reading for a rebuild: what a spare may ask of members, and what members may ask of a spare to see whether it is one.

A certificate opens this door and nothing else does: a member that has lost its own pieces cannot fetch them through it
when it is audited. Each piece is given to one spare a few times a day at most, and to all spares together so many bytes
a second of whatever they read.
"""

import sqlite3
from collections import Counter

from bitdust.customers.healing.councils import SURE, Councils
from bitdust.customers.names import PieceName
from bitdust.customers.store import SupplierStore
from bitdust.surroundings import Connected
from bitdust.wire.capability import Right
from bitdust.wire.errors import BitDustError
from bitdust.wire.healing import SpareClaim
from bitdust.wire.table import Request

RATE = "services/customer-family/healing-rate"
READABLE = ("piece", "log", "heads")
MOST_READS = 4
"""Times that one spare may read one piece in a day: enough to try again, too few to answer audits with."""
MOST_PROOFS = 60
"""Pieces that a member may read of a spare in one day, to see that it has them."""
BURST_SECONDS = 10.0
LEAST_ANSWER = 1024
ROW = 32
"""Bytes of one piece in a listing."""
MOST_HEADS = 16 * 1024
"""Bytes of the heads of a customer's logs, of more than most have."""
DAY = 86_400.0


class SpareClaims:
    """I admit requests under a `SpareClaim`."""

    def __init__(self, around: Connected, store: SupplierStore, councils: Councils) -> None:
        self._me = around.me
        self._settings = around.settings
        self._clock = around.world.clock
        self._store = store
        self._councils = councils
        self._reads: dict[tuple[bytes, bytes], tuple[float, Counter[PieceName]]] = {}
        """By customer and spare, when the day ends in which these were read."""
        self._proofs: Counter[bytes] = Counter()
        self._proofs_since = 0.0
        self._allowed = 0.0
        self._allowed_at = self._clock.seconds()

    def forget(self, customer: bytes) -> None:
        """This customer is one no more."""
        self._reads = {key: read for key, read in self._reads.items() if key[0] != customer}

    def authorise(self, request: Request, claim: SpareClaim, right: Right) -> None:
        """Raises `BitDustError` ``not-allowed``, ``no-contract``, or ``busy`` for who should ask again later."""
        if claim.customer != request.packet.owner:
            raise BitDustError("not-allowed", "this claim is for another owner's pieces")
        if right not in (Right.READ, Right.LIST):
            raise BitDustError("not-allowed", "a spare reads and lists, and nothing else")
        if right is Right.READ and request.fields.get("kind") not in READABLE:
            raise BitDustError("not-allowed", "a spare reads pieces, logs and heads, and nothing else")
        bench, peer = self._councils.need_bench(claim.customer), request.peer.fingerprint
        if bench.spare_at(claim.place) == peer:
            if right is Right.READ and request.fields["kind"] == "piece":
                self._limit_reads(request, claim, bench.mandate.after / SURE)
            else:
                self._spend(self._weight(request, claim.customer))
        elif bench.spare_at(claim.place) == self._me.fingerprint and peer in bench.seats():
            self._limit_proofs(request, right)
        else:
            raise BitDustError("not-allowed", "no certificate makes you the spare of this place")

    def _piece(self, request: Request, customer: bytes) -> PieceName | None:
        fields = request.fields
        if fields.get("kind") != "piece" or not isinstance(fields.get("pack"), bytes):
            return None
        index = fields.get("index")
        return PieceName(customer, fields["pack"], index) if isinstance(index, int) else None

    def _limit_reads(self, request: Request, claim: SpareClaim, day: float) -> None:
        name = self._piece(request, claim.customer)
        size = self._size(name) if name is not None else 0
        if name is None or not size:  # what is not here costs nothing, and is not counted: there are many names
            return
        key, now = (claim.customer, request.peer.fingerprint), self._clock.seconds()
        if key not in self._reads or self._reads[key][0] <= now:
            self._reads = {one: read for one, read in self._reads.items() if read[0] > now}
            self._reads[key] = (now + day, Counter())
        reads = self._reads[key][1]
        if reads[name] >= MOST_READS:
            raise BitDustError("not-allowed", f"this piece was given to you {MOST_READS} times today")
        self._spend(size)
        reads[name] += 1

    def _weight(self, request: Request, customer: bytes) -> int:
        """About so many bytes are read for an answer that is no piece."""
        account, most = self._store.contract_of(customer), request.fields.get("most", MOST_HEADS)
        kind = request.fields.get("kind")
        if account is None or not isinstance(most, int) or kind == "heads":
            return MOST_HEADS
        return LEAST_ANSWER + (min(most, account.log_bytes) if kind == "log" else ROW * min(most, account.pieces))

    def _size(self, name: PieceName) -> int:
        try:
            return self._store.size(name)
        except sqlite3.Error as error:
            raise BitDustError("busy", "the supplier's database cannot be read now") from error

    def _spend(self, size: int) -> None:
        rate, now = int(self._settings.get(RATE)), self._clock.seconds()
        most = rate * BURST_SECONDS
        self._allowed = min(most, self._allowed + rate * (now - self._allowed_at))
        self._allowed_at = now
        if self._allowed < min(size, most):
            raise BitDustError("busy", "spares get so much and no more in a second; ask again in a moment")
        self._allowed -= size

    def _limit_proofs(self, request: Request, right: Right) -> None:
        now, peer = self._clock.seconds(), request.peer.fingerprint
        if now - self._proofs_since >= DAY:
            self._proofs, self._proofs_since = Counter(), now
        if right is not Right.READ or request.fields.get("kind") != "piece" or self._proofs[peer] >= MOST_PROOFS:
            raise BitDustError("not-allowed", "a member reads a few pieces of a spare to see that it has them")
        self._proofs[peer] += 1
