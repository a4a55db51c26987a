"""Acknowledgements of pieces: none is forgotten while the disk does not take them."""

import sqlite3
from types import SimpleNamespace

from twisted.internet.defer import fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.storage.catalog.database import PieceState
from bitdust.storage.pieces.waiting import WRITE_AFTER, WRITE_AGAIN, Acknowledgements
from bitdust.wire.errors import BitDustError
from bitdust.wire.records import PieceRef


class Catalog:
    def __init__(self) -> None:
        self.database = sqlite3.connect(":memory:")
        self.database.execute("CREATE TABLE pieces(pack, number, state, supplier, data)")
        self.database.execute("CREATE TABLE packs(pack, acked)")
        self.database.execute("CREATE TABLE bad_pieces(pack, number, supplier)")
        self.database.execute("INSERT INTO packs VALUES(?, 0)", (b"p",))
        rows = [(b"p", number, PieceState.WAITING) for number in range(2)]
        self.database.executemany("INSERT INTO pieces VALUES(?, ?, ?, NULL, x'01')", rows)
        self.is_full = False

    def change(self, call):
        return fail(BitDustError("no-space", "full")) if self.is_full else succeed(call(self.database))

    def acknowledged(self) -> int:
        return self.database.execute("SELECT acked FROM packs").fetchone()[0]


class AcknowledgementTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.catalog = Clock(), Catalog()
        self.addCleanup(self.catalog.database.close)
        world = SimpleNamespace(clock=self.clock, run_in_thread=lambda call, *args: succeed(call(*args)))
        spool = SimpleNamespace(remove=lambda pack, index: None)
        self.acknowledgements = Acknowledgements(world, self.catalog, spool, lambda: False)
        self.written: list = []
        self.acknowledgements.written.connect(self.written.extend)

    def test_a_full_disk_takes_them_later(self) -> None:
        """What could not be written is written with what came since, once; until then it counts as unwritten."""
        self.catalog.is_full = True
        self.acknowledgements.add(PieceRef(b"p", 0), b"alice")
        self.clock.advance(WRITE_AFTER)
        self.acknowledgements.add(PieceRef(b"p", 1), b"bob")
        unwritten = self.acknowledgements.unwritten(b"p")
        self.assertEqual((self.catalog.acknowledged(), unwritten), (0, {0: b"alice", 1: b"bob"}))
        self.clock.advance(WRITE_AFTER)
        self.catalog.is_full = False
        self.clock.advance(WRITE_AGAIN)
        self.assertEqual((self.catalog.acknowledged(), self.acknowledgements.unwritten(b"p")), (2, {}))
        self.assertEqual([supplier for _, supplier in self.written], [b"alice", b"bob"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_is_tried_after_the_end(self) -> None:
        """The storage closes on a full disk: no call is left, and the pieces wait for the next start."""
        self.catalog.is_full = True
        self.acknowledgements.add(PieceRef(b"p", 0), b"alice")
        self.successResultOf(self.acknowledgements.write())
        self.acknowledgements.stop()
        self.assertEqual((self.clock.getDelayedCalls(), self.catalog.acknowledged()), ([], 0))
