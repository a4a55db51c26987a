"""Revocations: every supplier of mine learns which capabilities count no more, as soon as it can be reached."""

from collections.abc import Callable, Iterable, Iterator

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from bitdust.automats.kernel import doubled
from bitdust.outcome import outcome
from bitdust.ports import Session
from bitdust.shares.ports import MyFamily
from bitdust.signal import Signal
from bitdust.surroundings import Connected
from bitdust.wire.capability import Revocation
from bitdust.wire.packet import Command

KIND = "capability"
SECONDS = 15.0
SOON, LONGEST = 5.0, 3600.0
"""Seconds until suppliers that are there and did not take one are told again, first and in the end: who has just come
may be starting."""


class Withdrawals:
    """Grants that were taken back stand in the key ring until they end; a supplier is told once in a run of the node,
    when it is connected, and after a failure again in pauses that grow, and when it comes back."""

    log = Logger()

    def __init__(self, around: Connected, family: MyFamily) -> None:
        self._around = around
        self._me = around.me
        self._family = family
        self._told: set[tuple[bytes, bytes]] = set()
        self._on_the_way: set[tuple[bytes, bytes]] = set()
        self._removers: list[Callable[[], None]] = []
        self._call: IDelayedCall | None = None
        self._failures = 0
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
        self._cancel()

    def _session(self, session: Session, up: bool) -> None:
        """Somebody comes: pauses begin anew."""
        if up:
            self._failures = 0
            self._cancel()
            self.tell()

    def _cancel(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _tell_later(self) -> None:
        if self._removers and (self._call is None or not self._call.active()):
            pause = doubled(SOON, self._failures, LONGEST)
            self._call = self._around.world.clock.callLater(pause, self.tell)
            self._failures += 1

    def tell(self) -> None:
        """Tell all that are connected what they do not know yet."""
        family = self._family.current
        for supplier in family.holders if family is not None else ():
            self._tell(supplier)

    def known_to(self, ident: bytes, suppliers: Iterable[bytes]) -> int:
        """How many of these have learnt of one, since this node has started."""
        return sum((supplier, ident) in self._told for supplier in suppliers)

    def waiting(self) -> int:
        """How many are still to learn of something."""
        return sum(1 for _ in self._due())

    def _due(self) -> Iterator[tuple[bytes, bytes]]:
        family, now = self._family.current, self._around.world.wall()
        revoked = [
            grant.id
            for key in self._me.key_ring.keys.values()
            for grant in key.grants
            if grant.revoked and now < grant.ends
        ]
        for supplier in family.holders if family is not None else ():
            for ident in revoked:
                if (supplier, ident) not in self._told:
                    yield supplier, ident

    def _tell(self, supplier: bytes) -> None:
        if not self._removers or not self._around.sessions.connected(supplier):
            return
        for one in list(self._due()):
            if one[0] == supplier and one not in self._on_the_way:
                self._on_the_way.add(one)
                outcome(Deferred.fromCoroutine(self._send(*one)))

    async def _send(self, supplier: bytes, ident: bytes) -> None:
        revocation = Revocation(self._me.fingerprint, ident)
        signed = self._me.sign(Revocation.KIND, revocation.to_body()).to_bytes()
        fields = {"kind": KIND}
        sending = self._around.outbox.send(supplier, Command.CANCEL_SERVICE, fields, signed, deadline=SECONDS)
        answer = await outcome(sending)
        self._on_the_way.discard((supplier, ident))
        if answer.error is None:
            self._told.add((supplier, ident))
            self.told.emit()
        else:
            self.log.info("a supplier has not taken a revocation yet: {why}", why=answer.error)
            self._tell_later()
