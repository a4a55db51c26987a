"""The supplier's walk over its own disk: how fast, where it goes on, what it finds, and whom it tells."""

import sqlite3
from pathlib import Path
from types import SimpleNamespace

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import TestCase

from bitdust.automats.local_tester import LocalTester
from bitdust.config.schema import default_schema
from bitdust.customers.database import PieceCondition
from bitdust.customers.losses import FIELDS, MOST, Losses
from bitdust.customers.names import PieceName
from bitdust.customers.scrubber import RATE, STEP, Scrubber
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from bitdust.wire.schema import Struct
from tests.unit.supplier_kit import MIB, Pack, Person, Shop, now

ALICE, BOB = Person("alice"), Person("bob")


class ScrubCase(TestCase):
    small = 0

    def setUp(self) -> None:
        self.base = Path(self.mktemp()).resolve()
        self.shop = Shop(self.base / "customers", small=self.small)
        self.shop.open()
        self.addCleanup(self.shop.crash)
        self.addCleanup(self.shop.registry.shutdown)
        self.shop.hire(ALICE, 50 * MIB)
        self.lost: list[PieceName] = []
        self.scrubber = self.new()

    def new(self) -> Scrubber:
        scrubber = Scrubber(self.shop, self.shop.store, self.base / "scrubbed")
        scrubber.lost.connect(self.lost.extend)
        scrubber.start()
        return scrubber

    def put(self, count: int, size: int = 1000) -> list[Pack]:
        packs = sorted((Pack(ALICE, number, size) for number in range(count)), key=lambda pack: pack.id)
        for pack in packs:
            self.shop.put(ALICE, pack)
        return packs

    def path(self, pack: Pack) -> Path:
        return PieceName(ALICE.fingerprint, pack.id, 0).path(self.shop.folder)

    def portion(self):
        """One step of the walk, with what is to be reported."""
        found = now(self.scrubber.test_next())
        if not found.is_whole:
            self.scrubber.report(found)
        return found

    def condition(self, pack: Pack) -> PieceCondition:
        row = self.shop.store._read.execute("SELECT state FROM pieces WHERE pack=?", (pack.id,)).fetchone()
        return PieceCondition(row[0])


class WalkTests(ScrubCase):
    def test_so_many_bytes_a_second(self) -> None:
        """However large pieces are, the setting holds on average: a large one is paid for by the next portions."""
        self.put(8, 2 * MIB)
        self.shop.settings.values[RATE] = MIB // 20
        sizes = [self.portion().size for _ in range(8)]
        self.assertEqual(sizes, [MIB] * 8)
        self.scrubber.rewind()
        self.shop.settings.values[RATE] = MIB // 40
        sizes = [self.portion().size for _ in range(8)]
        self.assertLessEqual(abs(sum(sizes) - 8 * STEP * MIB // 40), MIB)
        self.assertIn(0, sizes)

    def test_a_terabyte_in_a_month(self) -> None:
        """At the rate that is set unless somebody changes it, each byte of a terabyte is read within 30 days."""
        self.assertLess(2**40 / default_schema()[RATE].default / 86400, 30)

    def test_the_next_start_goes_on(self) -> None:
        """Nothing is read twice because the node was restarted, or killed more than ten minutes later."""
        packs = self.put(6, 2 * MIB)
        self.shop.settings.values[RATE] = MIB // 20
        self.portion()
        self.portion()
        self.scrubber.stop()
        self.scrubber = self.new()
        self.path(packs[1]).unlink()
        self.path(packs[2]).unlink()
        self.portion()
        self.assertEqual([name.pack for name in self.lost], [packs[2].id])
        self.shop.clock.advance(601)
        self.portion()
        self.scrubber = self.new()
        self.assertEqual([self.portion().size, self.portion().size, self.scrubber.has_next()], [MIB, MIB, False])

    def test_a_note_that_is_damaged(self) -> None:
        """Where the walk was is not worth a failure: it begins with the first piece."""
        self.put(1)
        for text in ("", "xyz", "00 00", "\x00\xff"):
            (self.base / "scrubbed").write_text(text)
            self.scrubber = self.new()
            self.assertEqual(self.portion().pieces, 1)

    def test_a_home_that_cannot_be_written(self) -> None:
        """Costs a line in the log."""
        self.scrubber = Scrubber(self.shop, self.shop.store, self.base / "nowhere" / "scrubbed")
        self.scrubber.start()
        self.put(2)
        self.shop.clock.advance(700)
        self.assertEqual(self.portion().pieces, 2)
        self.scrubber.stop()

    def test_by_itself(self) -> None:
        """The machine reads portion after portion, and reports through the signal."""
        packs = self.put(3)
        self.path(packs[1]).write_bytes(b"?" * 500)
        LocalTester(self.shop.registry, self.scrubber)
        self.shop.clock.pump([60, 20, 20])
        self.assertEqual([name.pack for name in self.lost], [packs[1].id])
        self.assertEqual(self.shop.events.names()[1:], ["customer-piece-damaged"])


class FoundTests(ScrubCase):
    def test_every_kind_of_loss_once(self) -> None:
        """Another content, a byte too few, one too many and no file are found, reported once, and heard of no more."""
        packs = self.put(6)
        paths = [self.path(pack) for pack in packs]
        paths[0].write_bytes(b"?" + paths[0].read_bytes()[1:])
        paths[1].write_bytes(paths[1].read_bytes()[:-1])
        paths[2].write_bytes(paths[2].read_bytes() + b"?")
        paths[3].unlink()
        self.portion()
        self.assertEqual([name.pack for name in self.lost], [pack.id for pack in packs[:4]])
        self.assertEqual(self.scrubber.damaged, 4)
        self.scrubber.rewind()
        self.portion()
        self.assertEqual(len(self.lost), 4)
        self.shop.put(ALICE, packs[3])
        self.assertEqual(self.condition(packs[3]), PieceCondition.KEPT)

    def test_a_portion_that_takes_too_long(self) -> None:
        """What was found before it is given up, since the disk does not answer, is reported with the next one: no other
        walk hears of it."""
        packs = self.put(3)
        self.path(packs[0]).unlink()
        test = self.shop.store.test
        self.shop.store.test = lambda name: test(name) if name.pack == packs[0].id else Deferred()
        testing = self.scrubber.test_next()
        testing.addErrback(lambda failure: failure.trap(CancelledError)).cancel()
        self.shop.store.test = test
        self.portion()
        self.portion()
        self.assertEqual([name.pack for name in self.lost], [packs[0].id])

    def test_a_piece_that_cannot_be_tested(self) -> None:
        """Is left behind; the others of the portion are read, and the service is not well when none can be."""
        self.put(3)
        first, test = self.shop.store.piece_after(None), self.shop.store.test
        self.shop.store.test = lambda name: fail(BitDustError("busy", "no")) if name == first else test(name)
        self.assertEqual((self.portion().pieces, self.scrubber.tested), (3, 2))


class SmallTests(ScrubCase):
    small = 16 * 1024

    def test_small_pieces(self) -> None:
        """What is stored beside its row is compared with its root as well."""
        packs = self.put(3)
        with sqlite3.connect(self.base / "customers.db") as database:
            database.execute("UPDATE small SET data=? WHERE pack=?", (b"?" * 500, packs[2].id))
        database.close()
        self.portion()
        self.assertEqual([name.pack for name in self.lost], [packs[2].id])
        self.assertEqual(self.condition(packs[2]), PieceCondition.DAMAGED)


class LossesTests(TestCase):
    def setUp(self) -> None:
        self.sent: list[tuple] = []
        self.there = {ALICE.fingerprint}
        sessions = SimpleNamespace(connected=lambda who: who in self.there)
        self.losses = Losses(SimpleNamespace(sessions=sessions, outbox=self))
        self.answer = lambda: succeed(None)

    def send(self, to, command, fields, deadline):
        Struct(FIELDS).check(fields, "fields")
        self.sent.append((to, command, [(one["pack"], one["index"]) for one in fields["pieces"]]))
        return self.answer()

    def test_each_customer_hears_of_its_own(self) -> None:
        """Those who are connected, as many pieces in a packet as it takes; a packet that fails costs a line."""
        self.answer = lambda: fail(BitDustError("no-answer", "gone"))
        names = [PieceName(person.fingerprint, bytes([n]) * 16, 1) for n in range(MOST + 2) for person in (ALICE, BOB)]
        self.losses.report(names)
        self.assertEqual([(to, command, len(found)) for to, command, found in self.sent],
                         [(ALICE.fingerprint, Command.DATA, MOST), (ALICE.fingerprint, Command.DATA, 2)])  # fmt: skip
        self.losses.report([])
        self.assertEqual(len(self.sent), 2)
