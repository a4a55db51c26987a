"""A few customers ask for proofs without end; the others have to be audited all the same."""

import sqlite3
from types import SimpleNamespace

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.crypt.possession import LeafChain
from bitdust.customers.names import PieceName
from bitdust.customers.proofs import AT_ONCE, Proofs
from bitdust.formats.proof import MISSING, LeafProof

HOGS = [bytes([number]) * 32 for number in range(1, AT_ONCE + 4)]
HONEST = bytes([99]) * 32


class HogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.reading: list[Deferred] = []
        self.database = sqlite3.connect(":memory:")
        self.addCleanup(self.database.close)
        self.database.execute("CREATE TABLE pieces(size, state, record, scope, customer, pack, number)")
        shelf = SimpleNamespace(run_in_thread=lambda *job: self.read())
        self.proofs = Proofs(shelf, self.clock.seconds)  # type: ignore[arg-type]

    def read(self) -> Deferred:
        self.reading.append(Deferred())
        return self.reading[-1]

    def ask(self, customer: bytes) -> Deferred:
        chain = LeafChain(bytes(32), customer, bytes(32))
        asking = self.proofs.prove(self.database, [PieceName(customer, bytes(16), 0)], chain, None)
        return Deferred.fromCoroutine(asking)

    def answer(self) -> None:
        reading, self.reading = self.reading, []
        for one in reading:
            one.callback([LeafProof(code=MISSING)])

    def test_who_asks_all_the_time(self) -> None:
        """Customers that had an answer a moment ago leave one place to those that had none."""
        for number, hog in enumerate(HOGS):
            asking = self.ask(hog)
            self.answer()
            self.assertTrue(self.successResultOf(asking), number)
        again = [self.ask(hog) for hog in HOGS]
        codes = [self.failureResultOf(one).value.code for one in again if one.called]
        self.assertEqual(codes, ["busy"] * (len(HOGS) - AT_ONCE + 1))
        honest = self.ask(HONEST)
        self.answer()
        self.assertEqual(self.successResultOf(honest).proofs, [LeafProof(code=MISSING)])
        self.clock.advance(60)
        whole = [self.ask(hog) for hog in HOGS[:AT_ONCE]]
        self.answer()
        self.assertEqual([one.called for one in whole], [True] * AT_ONCE)
