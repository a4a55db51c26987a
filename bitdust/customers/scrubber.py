"""Scrubbing: every piece on the disk is read again now and then, so that damage is found while others have the rest."""

from twisted.internet.defer import Deferred, succeed

from bitdust.customers.names import PieceName
from bitdust.customers.pieces import TestedPiece
from bitdust.customers.store import SupplierStore
from bitdust.surroundings import Surroundings

OVERDUE = 6 * 3600.0
"""Seconds in which a piece is read again, where there is one and everything works."""


class Scrubber:
    """The port of `local_tester`: a slow walk over all pieces."""

    def __init__(self, around: Surroundings, store: SupplierStore) -> None:
        self._store = store
        self._events = around.events
        self._identities = around.identities
        self._uptime = around.world.clock.seconds
        self._last: PieceName | None = None
        self._worked = self._uptime()
        self.tested = 0
        self.damaged = 0

    def start(self) -> None:
        """Count what is overdue from now on."""
        self._worked = self._uptime()

    def is_overdue(self) -> bool:
        """Whether nothing could be read for hours although there are pieces."""
        return self._uptime() - self._worked > OVERDUE and self._store.piece_after(None) is not None

    # the machine's port

    def has_next(self) -> bool:
        return self._store.is_open and self._store.piece_after(self._last) is not None

    def test_next(self) -> "Deferred[TestedPiece | None]":
        """A piece whose test fails is left behind as well, so that it does not stop the walk."""
        name = self._last = self._store.piece_after(self._last)
        return succeed(None) if name is None else self._store.test(name).addCallback(self._count)

    def _count(self, tested: TestedPiece | None) -> TestedPiece | None:
        self._worked = self._uptime()
        self.tested += 1
        return tested

    def report(self, tested: TestedPiece) -> None:
        """For the owner of the disk; the customer finds out when it lists or reads."""
        self.damaged += 1
        name, document = tested.name, self._identities.get(tested.name.customer)
        idurl = str(document.idurl) if document is not None else ""
        piece, state = f"{name.pack.hex()}.{name.number}", tested.condition.name.lower()
        self._events.send("customer-piece-damaged", {"idurl": idurl, "piece": piece, "state": state})

    def rewind(self) -> None:
        self._last = None
        if self._store.is_open and self._store.piece_after(None) is None:
            self._worked = self._uptime()
