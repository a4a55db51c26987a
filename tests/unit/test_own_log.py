"""A guest's own log while it is not known here: nothing is written, and nothing dropped, and that has an end."""

from typing import Any

from twisted.internet.task import Clock

from bitdust.storage.catalog.database import PieceState, meta, set_meta
from bitdust.storage.log.seen import Heard, SeenHead
from bitdust.storage.shared.own_log import UNREAD, OwnLog, is_unread
from bitdust.wire.records import Head
from tests.unit.test_catalogs import SHARE, CatalogsCase

MINE = b"mine" * 2
KEY = f"{SHARE}$alice@id.example"
DAY = 86_400


class OwnLogTests(CatalogsCase):
    """Two of four suppliers are enough to read; three hold what is safe."""

    def setUp(self) -> None:
        super().setUp()
        self.shared_catalog = self.open()
        self.catalog, self.may_write, self.clock = self.shared_catalog.catalog, True, Clock()
        self.family: Any = self.alice.family()
        self.begin()

    def begin(self) -> None:
        """The share is to be read anew; a piece waits for its supplier."""

        def note(database: Any) -> None:
            set_meta(database, "recovering", b"1")
            database.execute("INSERT INTO pieces VALUES(?, 0, 10, ?, NULL, NULL)", (b"p" * 16, PieceState.WAITING))

        self.bob.wait(self.catalog.change(note))
        self.own = OwnLog(self.clock, self.catalog, (SHARE, MINE), lambda: self.may_write)

    def compare(self, listing: int, silent: int = 0, is_proven: bool = True) -> tuple[bool, int, bool]:
        """Some suppliers list two entries and give none, some say nothing; whether it waits, what waits here, and
        whether that is said."""
        head = Head(bytes(32), MINE, 2, bytes(32), 0, None, None, None)
        heads = [SeenHead(head, who, is_proven, end=2 * is_proven) for who in self.suppliers[:listing]]
        heard = Heard(set(self.suppliers[silent:]), {SHARE: heads})
        self.now(self.own.compared(heard, self.family))
        (pieces,) = self.catalog.read.execute("SELECT count(*) FROM pieces WHERE pack=?", (b"p" * 16,)).fetchone()
        return is_unread(self.catalog.read), pieces, bool(self.own.why(KEY))

    def test_what_is_safe_perhaps(self) -> None:
        """What so few list that it was never safe is not waited for."""
        self.assertEqual(self.compare(3), (True, 1, True))
        self.assertTrue(self.shared_catalog.was_read)
        self.assertEqual(self.compare(2), (False, 0, False))

    def test_too_few_are_heard(self) -> None:
        """One supplier that lists nothing says nothing of what others hold."""
        self.assertEqual(self.compare(0, silent=3), (True, 1, True))
        self.assertEqual(self.compare(0, silent=2), (False, 0, False))

    def test_what_was_said_as_another_device(self) -> None:
        """Of what this home has said before as a former device pieces wait, until that is here or was never safe; it
        writes meanwhile."""
        former, place = MINE, (SHARE, b"newer" + b"me!")
        self.own = OwnLog(self.clock, self.catalog, place, lambda: True, lambda head: head.device == former)
        self.assertEqual(self.compare(3), (False, 1, False))
        self.assertEqual(self.compare(3), (False, 1, False))
        self.assertEqual(self.compare(0, silent=3), (False, 1, False))
        self.assertEqual(self.compare(2), (False, 0, False))

    def test_after_a_month(self) -> None:
        """Nobody waits for ever: thirty days in which it was asked for are enough, and a pause counts for an hour."""
        self.assertTrue(self.compare(4)[0])
        self.assertIn("30 days", self.own.why(KEY))
        self.clock.advance(365 * DAY)
        self.assertTrue(self.compare(4)[0])
        self.assertIn("30 days", self.own.why(KEY))
        for _ in range(30 * 24 - 2):
            self.clock.advance(3600)
            self.compare(4)
        self.assertIn("1 days", self.own.why(KEY))
        self.assertTrue(is_unread(self.catalog.read))
        self.clock.advance(3600)
        self.assertEqual(self.compare(4), (False, 0, False))

    def test_a_clock_that_is_set_back(self) -> None:
        """It takes nothing off the time that has passed."""
        self.clock.advance(365 * DAY)
        self.assertTrue(self.compare(4)[0])
        self.clock.rightNow -= 300 * DAY
        self.assertTrue(self.compare(4)[0])
        self.assertIn("for 30 days", self.own.why(KEY))

    def test_who_may_not_write(self) -> None:
        """Where the permission has ended heads are not proven: what is listed counts when it is renewed, and until then
        no time passes."""
        self.may_write = False
        self.assertEqual(self.compare(1, is_proven=False), (True, 1, False))
        self.clock.advance(3600)
        self.assertEqual(self.compare(1, is_proven=False), (True, 1, False))
        self.assertEqual(meta(self.catalog.read, UNREAD), b"0")
        self.may_write = True
        self.assertEqual(self.compare(3), (True, 1, True))
        self.assertEqual(self.compare(0), (False, 0, False))

    def test_who_never_wrote(self) -> None:
        """Who only reads waits for nothing."""
        self.may_write = False
        self.assertEqual(self.compare(0), (False, 0, False))
