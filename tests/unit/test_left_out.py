"""Packs that can be had from nowhere while the number of suppliers changes: the change goes on without them after a
month, and they move when a disk comes back."""

import sqlite3
from contextlib import closing

from twisted.trial.unittest import SynchronousTestCase

from bitdust.storage.catalog.database import PackState, PieceState
from bitdust.storage.keeping import left_out
from bitdust.storage.keeping.left_out import Asked
from bitdust.storage.keeping.reencode_rows import MONTH
from bitdust.wire.records import Family
from tests.unit.storage_kit import Node
from tests.unit.supplier_kit import START
from tests.unit.test_reencoding import ReencodingCase

DAY = 86_400
STEP = 12 * 3600.0


class LeftOutCase(ReencodingCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(left_out, "LONGEST_STEP", STEP)

    @property
    def core(self):
        return self.node.storage.core

    @property
    def placement(self):
        return self.node.storage.placement

    def pack_of(self, name: str) -> bytes:
        item = self.node.info(name)["path_id"]
        query = "SELECT v.pack FROM version_packs v JOIN packs p ON p.pack=v.pack WHERE v.path=? AND p.state=?"
        return bytes(self.core.catalog.read.execute(query, (item, PackState.HELD)).fetchone()[0])

    def lose(self, pack: bytes, *numbers: int) -> dict[int, list]:
        """The disks of these suppliers go with their pieces of a pack; what `bring_back` takes."""
        rows = {}
        for number in numbers:
            database = self.around.suppliers[number].shop.store._writer
            rows[number] = database.execute("SELECT * FROM pieces WHERE pack=?", (pack,)).fetchall()
            database.execute("DELETE FROM pieces WHERE pack=?", (pack,))
        return rows

    def bring_back(self, rows: dict[int, list]) -> None:
        for number, pieces in rows.items():
            database = self.around.suppliers[number].shop.store._writer
            for row in pieces:
                database.execute(f"INSERT INTO pieces VALUES({', '.join('?' * len(row))})", row)

    def days(self, days: float) -> None:
        self.node.pass_time(days * DAY, STEP)

    def nowhere(self) -> dict:
        return self.node.storage.reencoding()["nowhere"]

    def again(self) -> None:
        self.node.stop()
        self.node = Node(self.node.home, self.around, self.node.clock)
        self.node.start()
        self.node.pass_time(200)


class GrowingTests(LeftOutCase):
    def test_a_month(self) -> None:
        """It is named at once and waited for a month; then nothing is left to be moved, and the file is named still."""
        self.upload("a", "b")
        self.lose(self.pack_of("a"), 0, 1)
        self.resize(4)
        self.node.pass_time(300)
        named = [self.node.info("a")["remote_path"]]
        self.assertEqual(self.nowhere(), {"packs": 1, "left_out": 0, "remote_paths": named})
        self.assertEqual(self.moving(), [{"packs": 1, "pieces": 0, "nowhere": 1, "progress": "0%"}, None])
        self.days(29)
        self.assertEqual((self.nowhere()["left_out"], self.placement.left_out()), (0, 0))
        self.assertFalse(self.placement.is_resized(None))
        self.days(1.1)
        self.assertEqual(self.nowhere(), {"packs": 1, "left_out": 1, "remote_paths": named})
        self.assertEqual((self.node.storage.reencoding()["left"], self.placement.left_out()), (0, 2))
        self.assertTrue(self.placement.is_resized(None))
        self.restored("b")

    def test_the_month_is_over_between_two_questions(self) -> None:
        """Nobody hears that all has moved, and that nobody is kept, of two states of the catalog: a thread may write
        while it is asked."""
        self.upload("a", "b")
        self.lose(self.pack_of("a"), 0, 1)
        self.resize(4)
        self.days(29)
        self.assertEqual((self.placement.left_out(), self.placement.is_resized(None)), (0, False))
        with sqlite3.connect(self.node.home / "catalog.db") as database:
            database.execute("UPDATE nowhere SET seconds=?", (MONTH,))
        database.close()
        self.assertIn((self.placement.is_resized(None), self.placement.left_out()), ((True, 2), (False, 0)))
        self.node.wait(self.core.catalog.change(lambda database: None))
        self.assertEqual((self.placement.left_out(), self.placement.is_resized(None)), (2, True))

    def test_it_is_let_go_of_between_two_statements(self) -> None:
        """All is said of one state of the catalog, however many statements it takes, whatever is written meanwhile."""
        self.upload("a", "b")
        self.lose(self.pack_of("a"), 0, 1)
        self.resize(4)
        self.days(31)
        read, revision = self.core.catalog.read, self.core.catalog.revision

        def forget(statement: str) -> None:
            if "max(p.n)" in statement:
                read.set_trace_callback(None)
                with closing(sqlite3.connect(self.node.home / "catalog.db")) as database, database:
                    database.execute("DELETE FROM nowhere")

        self.core.catalog.revision += 1
        read.set_trace_callback(forget)
        self.assertEqual((self.placement.is_resized(None), self.placement.left_out()), (True, 2))
        self.core.catalog.revision += 1
        self.assertEqual((self.placement.is_resized(None), self.placement.left_out()), (False, 0))
        self.assertGreater(self.core.catalog.revision, revision)

    def test_a_disk_that_comes_back(self) -> None:
        """The change is over; whoever comes back after the month has its pieces asked for, and they move."""
        self.upload("a", "b")
        lost = self.lose(self.pack_of("a"), 0, 1)
        self.resize(4)
        self.days(31)
        self.around.former = None
        self.core.suppliers_changed()
        self.days(1)
        self.assertEqual(self.nowhere()["left_out"], 1)
        del lost[1]
        self.bring_back(lost)
        self.core.inventory.refresh()
        self.until_moved(4, 20)
        self.node.pass_time(70)
        self.assertEqual((self.nowhere()["packs"], self.placement.left_out()), (0, 0))
        self.with_only(2, 3)

    def test_a_disk_that_comes_back_while_others_are_waited_for(self) -> None:
        """Nothing is counted then, and what can be had moves all the same."""
        self.upload("a", "b")
        lost = self.lose(self.pack_of("a"), 0, 1)
        self.resize(4)
        self.days(31)
        self.assertEqual(self.placement.left_out(), 2)
        self.node.is_aside = True
        self.bring_back(lost)
        self.core.inventory.refresh()
        self.until_moved(4, 20)
        self.node.pass_time(70)
        self.assertEqual(self.nowhere()["packs"], 0)

    def test_one_that_comes_back_within_the_month(self) -> None:
        """It moves, and another loss begins a month of its own."""
        self.upload("a")
        pack = self.pack_of("a")
        lost = self.lose(pack, 0, 1)
        self.around.suppliers[3].mode = "full"
        self.resize(4)
        self.days(29)
        self.bring_back(lost)
        self.days(1)
        self.assertEqual(self.nowhere()["packs"], 0)
        self.around.suppliers[3].mode = "fine"
        self.until_moved(4, 4000)
        self.with_only(2, 3)

    def test_only_what_was_heard_counts(self) -> None:
        """Days on which its suppliers are away, the node is off, or other lives were not heard do not count."""
        self.upload("a", "b")
        self.lose(self.pack_of("a"), 0, 1)
        self.resize(4)
        self.days(10)
        first, second = self.around.suppliers[:2]
        first.mode = second.mode = "away"
        self.core.suppliers_changed()
        self.days(30)
        first.mode = second.mode = "fine"
        self.core.suppliers_changed()
        self.days(5)
        self.node.is_aside = True
        self.days(30)
        self.node.is_aside = False
        self.node.stop()
        self.node.clock.advance(30 * DAY)
        self.node = Node(self.node.home, self.around, self.node.clock)
        self.node.start()
        self.node.pass_time(200)
        self.days(13)
        self.assertEqual((self.nowhere()["packs"], self.placement.left_out()), (1, 0))
        self.days(4)
        self.assertEqual(self.placement.left_out(), 2)

    def test_a_clock_that_is_set_forward_during_a_look(self) -> None:
        """A look took no longer for that, and is not the last one for months."""
        self.upload("a", "b")
        self.lose(self.pack_of("a"), 0, 1)
        self.resize(4)
        self.node.pass_time(200)
        judged, jumps = left_out.judged_packs, [10 * DAY]

        def judging(*arguments):
            self.node.clock.rightNow += jumps.pop() if jumps else 0
            return judged(*arguments)

        self.patch(left_out, "judged_packs", judging)
        self.node.pass_time(200)
        self.assertEqual(jumps, [])
        self.days(31)
        self.assertEqual(self.nowhere()["left_out"], 1)

    def test_what_was_counted_is_kept(self) -> None:
        """A node that is stopped every day goes on counting, and knows after a restart what is left out."""
        self.upload("a", "b")
        self.lose(self.pack_of("a"), 0, 1)
        self.resize(4)
        for _ in range(8):
            self.days(4)
            self.again()
        self.assertEqual(self.placement.left_out(), 2)

    def test_a_catalog_of_before(self) -> None:
        """One without a table of what is nowhere is opened, and has it from then on."""
        self.upload("a")
        self.node.stop()
        with sqlite3.connect(self.node.home / "catalog.db") as database:
            database.execute("DROP TABLE nowhere")
        database.close()
        self.node = Node(self.node.home, self.around, self.node.clock)
        self.node.start()
        self.assertEqual(self.nowhere(), {"packs": 0, "left_out": 0, "remote_paths": []})
        self.resize(4)
        self.until_moved(4)

    def test_a_file_that_is_deleted(self) -> None:
        """Nothing is waited for or named any more."""
        self.upload("a", "b")
        self.lose(self.pack_of("a"), 0, 1)
        self.resize(4)
        self.node.pass_time(200)
        self.assertFalse(self.placement.is_resized(None))
        self.node.delete("a")
        self.node.pass_time(400, 5)
        self.assertEqual((self.nowhere()["packs"], self.placement.left_out()), (0, 0))
        self.assertTrue(self.placement.is_resized(None))


class ShrinkingTests(LeftOutCase):
    def setUp(self) -> None:
        super().setUp()
        self.upload("a", "b")
        self.resize(7)
        self.until_moved(7)
        self.node.pass_time(60)
        self.resize(4)

    def test_who_stays(self) -> None:
        """All places that may have a piece of it stay, also those that say that they have none: a disk may come back.
        With as many disks as are needed the file is there, wherever they are."""
        self.until_moved(4)
        self.node.pass_time(60)
        lost = self.lose(self.pack_of("a"), 0, 1, 2)
        self.resize(2)
        self.days(31)
        self.assertEqual((self.placement.left_out(), self.placement.is_resized(None)), (4, True))
        self.restored("b")
        guests = "INSERT INTO guest_packs SELECT pack FROM nowhere"
        self.node.wait(self.core.catalog.change(lambda database: database.execute(guests)))
        self.assertEqual(self.placement.left_out(), 4, "of what a guest has made, the last place has a piece")
        gone = "UPDATE pieces SET state=2, supplier=NULL WHERE number=3 AND pack IN (SELECT pack FROM nowhere)"
        back = "UPDATE pieces SET state=1, supplier=? WHERE number=3 AND pack IN (SELECT pack FROM nowhere)"
        self.node.wait(self.core.catalog.change(lambda database: database.execute(gone)))
        self.assertEqual(self.placement.left_out(), 2, "nobody else beyond the family is kept for it")
        unknown = "DELETE FROM pieces WHERE number=2 AND pack IN (SELECT pack FROM nowhere)"
        self.node.wait(self.core.catalog.change(lambda database: database.execute(unknown)))
        self.assertEqual(self.placement.left_out(), 3, "who has not said anything yet may have a piece")
        missing = "INSERT INTO pieces SELECT pack, 2, 0, 2, NULL, NULL FROM nowhere"
        self.node.wait(self.core.catalog.change(lambda database: database.execute(missing)))
        last = self.around.suppliers[3].fingerprint
        self.node.wait(self.core.catalog.change(lambda database: database.execute(back, (last,))))
        self.bring_back({2: lost[2]})
        self.core.inventory.refresh()
        self.until_moved(2, 20)
        self.node.pass_time(60)
        self.with_only(0)
        self.with_only(1)


class AwayTests(LeftOutCase):
    def test_suppliers_that_are_gone_for_good(self) -> None:
        """What those have alone who never come again is left out as well, and they stay: when they come after all, the
        file is there, and moves."""
        self.upload("a", "b")
        self.resize(4)
        self.until_moved(4)
        self.node.pass_time(60)
        self.lose(self.pack_of("a"), 0, 1)
        self.core.inventory.refresh()
        self.node.pass_time(10)
        self.away(2, 3)
        self.resize(2)
        self.node.pass_time(300)
        self.assertEqual(self.nowhere()["packs"], 0, "they may be back in a moment")
        self.node.pass_time(4000, 10)
        self.assertEqual(self.nowhere()["packs"], 1)
        self.days(31)
        self.assertEqual((self.placement.left_out(), self.placement.is_resized(None)), (4, True))
        self.restored("b")
        self.back(2, 3)
        self.until_moved(2, 20)
        self.node.pass_time(70)
        self.assertEqual(self.nowhere()["packs"], 0)
        self.with_only(0)
        self.with_only(1)

    def test_what_nobody_can_open(self) -> None:
        """A pack that is sealed under anything is left out as well; with its secret it moves after the next start."""
        self.upload("a", "b")
        pack = self.pack_of("a")
        epoch = "SELECT epoch FROM packs WHERE pack=?"
        wrong = f"UPDATE packs SET epoch=epoch+1000 WHERE pack=x'{pack.hex()}'"
        right = wrong.replace("+", "-")
        self.node.wait(self.core.catalog.change(lambda database: database.execute(wrong)))
        self.assertGreater(self.core.catalog.read.execute(epoch, (pack,)).fetchone()[0], 999)
        self.resize(4)
        self.node.pass_time(200)
        self.assertEqual((self.nowhere()["packs"], self.nowhere()["left_out"]), (1, 0))
        self.days(31)
        self.assertEqual((self.placement.left_out(), self.placement.is_resized(None)), (2, True))
        self.again()
        self.assertEqual((self.placement.left_out(), self.nowhere()["left_out"]), (2, 1))
        self.node.wait(self.core.catalog.change(lambda database: database.execute(right)))
        self.again()
        self.until_moved(4)
        self.with_only(2, 3)

    def away(self, *numbers: int) -> None:
        for number in numbers:
            self.around.suppliers[number].mode = "away"
        self.core.suppliers_changed()

    def back(self, *numbers: int) -> None:
        for number in numbers:
            self.around.suppliers[number].mode = "fine"
        self.core.suppliers_changed()


SEATS = [bytes([number]) * 32 for number in range(4)]
MISSING = [(number, PieceState.MISSING, None) for number in range(4)]


class JudgingTests(SynchronousTestCase):
    """Whether a pack can be had now, whether time counts in which it cannot, and whether the absent could give it."""

    def judge(self, size: int, *pieces, there: str = "0123", known: str = "0123", **more) -> tuple[bool, bool] | None:
        family = Family(b"c" * 32, 1, 2, 4, START, SEATS, **more)
        named = [frozenset(SEATS[int(one)] for one in some) for some in (there, known)]
        judged = Asked(family, *named).judge(size, pieces)
        return (judged.counts, judged.is_hopeless) if not judged.is_there else None

    def test_pieces(self) -> None:
        """What is acknowledged, waits here, or was not asked for may give it back."""
        self.assertEqual(self.judge(4, *MISSING), (True, True))
        self.assertEqual(self.judge(4, *MISSING[1:]), (True, True))
        self.assertIsNone(self.judge(4, *MISSING[2:]))
        kept, waiting = (1, PieceState.KEPT, SEATS[1]), (1, PieceState.WAITING, None)
        self.assertIsNone(self.judge(4, *MISSING[2:], kept))
        self.assertIsNone(self.judge(4, *MISSING[2:], waiting))
        former = (1, PieceState.KEPT, b"f" * 32)
        self.assertEqual(self.judge(4, *MISSING[2:], former), (True, True), "of a supplier that is none any more")

    def test_who_is_there(self) -> None:
        """Enough are there, and have listed what they have."""
        for there, counts in (("01", True), ("23", True), ("1", False), ("", False)):
            self.assertEqual(self.judge(4, *MISSING, there=there), (counts, True), there)
        self.assertEqual(self.judge(4, *MISSING, known="012"), (True, True))
        self.assertEqual(self.judge(4, *MISSING, known="0"), (False, True))

    def test_who_is_away(self) -> None:
        """Pieces of those who are away do not give it back now, and may later."""
        kept = [(number, PieceState.KEPT, SEATS[number]) for number in (2, 3)]
        self.assertIsNone(self.judge(4, *MISSING[:2], *kept))
        self.assertEqual(self.judge(4, *MISSING[:2], *kept, there="013"), (True, False))
        self.assertEqual(self.judge(4, *MISSING[:2], *kept, there="03", known="3"), (False, False))

    def test_places_that_nobody_has(self) -> None:
        """A pack that somebody has made up for more places than there are is judged by those who are there."""
        self.assertEqual(self.judge(64, *MISSING), (True, True))
        self.assertEqual(self.judge(64, *MISSING, there="0"), (False, True))
        self.assertEqual(self.judge(64), (True, True), "nobody was asked, and four pieces do not do")

    def test_who_leaves_a_place(self) -> None:
        """Who leaves a place and has not listed its pieces may have one."""
        leaving = [b"l" * 32, None, None, None]
        self.assertEqual(self.judge(4, *MISSING, leaving=leaving), (True, False))

    def test_a_month_is_a_month(self) -> None:
        """It is as long as whoever is silent for good is waited for."""
        self.assertEqual(MONTH, 30 * DAY)
