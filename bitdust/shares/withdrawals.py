"""Revocations: every supplier of mine learns which capabilities count no more, as soon as it can be reached."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from bitdust.outcome import outcomes
from bitdust.peers.again import NOT_YET, AskAgain
from bitdust.ports import Session
from bitdust.shares.ports import MyFamily
from bitdust.signal import Signal
from bitdust.surroundings import Connected
from bitdust.wire.capability import Revocation
from bitdust.wire.packet import Command

KIND = "capability"
SECONDS = 15.0
LONGEST = 3600.0
"""Seconds after which a supplier that is there and does not take one is told again in the end."""


class Withdrawals:
    """Grants that were taken back stand in the key ring until they end; a supplier is told once in a run of the node,
    when it is connected, and after a failure again in pauses of its own that grow, and when it comes back."""

    log = Logger()

    def __init__(self, around: Connected, family: MyFamily) -> None:
        self._around = around
        self._me = around.me
        self._family = family
        self._told: set[tuple[bytes, bytes]] = set()
        self._busy: set[bytes] = set()
        """Suppliers that are told just now: the next time they hear all that came meanwhile."""
        self._removers: list[Callable[[], None]] = []
        self._again = AskAgain(around.world.clock, around.sessions.connected, self._tell, LONGEST)
        self.told: Signal[[]] = Signal()
        """A supplier has learnt of one more."""

    def start(self) -> None:
        """Tell them from now on."""
        self._removers = [
            self._family.changed.connect(self.tell),
            self._around.sessions.on_session(self._session),
        ]
        self.tell()

    def stop(self) -> None:
        """Tell nobody any more."""
        removers, self._removers = self._removers, []
        for remove in removers:
            remove()
        self._again.stop()

    def _session(self, session: Session, up: bool) -> None:
        """A supplier that comes may be starting: its pauses begin anew."""
        supplier = session.peer.fingerprint
        if up and supplier in self._holders():
            self._again.forget(supplier)
            self._tell(supplier)

    def _holders(self) -> Iterable[bytes]:
        family = self._family.current
        return family.holders if family is not None else ()

    def tell(self) -> None:
        """Tell all that are connected what they do not know yet."""
        for supplier in self._holders():
            self._tell(supplier)

    def known_to(self, ident: bytes, suppliers: Iterable[bytes]) -> int:
        """How many of these have learnt of one, since this node has started."""
        return sum((supplier, ident) in self._told for supplier in suppliers)

    def waiting(self) -> int:
        """How many are still to learn of something."""
        return sum(1 for _ in self._due())

    def _due(self) -> Iterator[tuple[bytes, bytes]]:
        now = self._around.world.wall()
        revoked = [
            grant.id
            for key in self._me.key_ring.keys.values()
            for grant in key.grants
            if grant.revoked and now < grant.ends
        ]
        for supplier in self._holders():
            for ident in revoked:
                if (supplier, ident) not in self._told:
                    yield supplier, ident

    def _tell(self, supplier: bytes) -> None:
        if not self._removers or not self._around.sessions.connected(supplier):
            return
        due = [one for one in self._due() if one[0] == supplier]
        if due and supplier not in self._busy:
            self._busy.add(supplier)
            bringing = Deferred.fromCoroutine(self._bring(supplier, [ident for _, ident in due]))
            bringing.addBoth(self._brought, supplier)

    async def _bring(self, supplier: bytes, idents: list[bytes]) -> None:
        """The first one alone: who is starting is not asked to take all the others. Fails where one was not taken."""
        failed = None
        for some in (idents[:1], idents[1:]):
            ends = await outcomes(self._send(supplier, ident) for ident in some)
            for ident, end in zip(some, ends, strict=True):
                if end.error is None:
                    self._told.add((supplier, ident))
                    self.told.emit()
            failed = next((end for end in ends if end.error is not None), failed)
            if failed is not None and failed.code in NOT_YET:
                break
        if failed is not None and failed.error is not None:
            raise failed.error

    def _brought(self, result: Failure | None, supplier: bytes) -> None:
        self._busy.remove(supplier)
        if result is None:
            self._again.forget(supplier)
            self._tell(supplier)
            return
        self.log.info("a supplier has not taken a revocation yet: {why}", why=result.value)
        if self._removers:
            self._again.later(supplier)

    def _send(self, supplier: bytes, ident: bytes) -> "Deferred[Any]":
        revocation = Revocation(self._me.fingerprint, ident)
        signed = self._me.sign(Revocation.KIND, revocation.to_body()).to_bytes()
        fields = {"kind": KIND}
        return self._around.outbox.send(supplier, Command.CANCEL_SERVICE, fields, signed, deadline=SECONDS)
