"""A clock that was set wrong makes nothing old: observed time by itself, and in what waits for people."""

import sqlite3
from types import SimpleNamespace

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.observed import TABLE, ObservedTime
from bitdust.people.messages import desk
from tests.unit.test_messages import MailboxCase

NOW = 1_800_000_000
HOUR, DAY = 3600, 86_400
YEAR = 365 * DAY


class ObservedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(self.database.close)
        self.database.execute(TABLE)
        self.clock, self.wrong = Clock(), 0
        self.late = self.begin()

    def begin(self) -> ObservedTime:
        world = SimpleNamespace(clock=self.clock, wall=lambda: NOW + self.clock.seconds() + self.wrong)
        late = ObservedTime(world)  # type: ignore[arg-type]
        late.load(self.database)
        return late

    def test_time_that_passes(self) -> None:
        """Running time counts, and so does a sleep of a few days."""
        self.clock.advance(HOUR)
        self.assertEqual((self.late.now(), self.late.stamp()), (NOW + HOUR, NOW + HOUR))
        self.wrong = 3 * DAY
        self.assertEqual(self.late.now(), NOW + HOUR + 3 * DAY)

    def test_a_clock_that_is_ahead(self) -> None:
        """A year ahead makes nothing old; what begins then begins at the latest that it may be."""
        self.wrong = YEAR
        self.clock.advance(HOUR)
        self.assertEqual((self.late.now(), self.late.stamp()), (NOW + HOUR, NOW + HOUR + YEAR))
        self.wrong = 0
        self.assertEqual((self.late.now(), self.late.stamp()), (NOW + HOUR, NOW + HOUR))

    def test_a_clock_that_is_behind(self) -> None:
        """A year back makes nothing old, and what begins then is not a year old when the clock is right again."""
        self.clock.advance(HOUR)
        self.late.now()
        self.wrong = -YEAR
        self.assertEqual((self.late.now(), self.late.stamp()), (NOW + HOUR - YEAR, NOW + HOUR))

    def test_over_a_restart(self) -> None:
        """The store keeps it: a clock that is ahead at the next start, or before the first word, is not believed."""
        self.clock.advance(2 * HOUR)
        self.late.writer()(self.database)
        self.wrong = YEAR
        self.assertEqual(self.begin().now(), NOW + 2 * HOUR)
        self.assertEqual(self.database.execute("SELECT count(*) FROM observed").fetchone(), (1,))

    def test_it_is_seldom_written(self) -> None:
        """Within an hour nothing is written."""
        self.clock.advance(HOUR - 1)
        self.late.writer()(self.database)
        self.assertEqual(self.database.execute("SELECT observed FROM observed").fetchone(), (NOW,))


class LettersTests(MailboxCase):
    def test_a_keeper_whose_clock_is_ahead(self) -> None:
        """What waits in a mailbox, and the mailbox, outlast a clock of its keeper that is a year ahead for a day."""
        self.away(1, 2)
        self.alice.crash()
        for keeper in self.keepers:
            keeper.wrong = YEAR
        self.office.clock.advance(DAY)
        for keeper in self.keepers:
            keeper.crash()
            keeper.again()
        self.office.clock.advance(2 * HOUR)
        self.assertEqual(self.kept(), [2, 2])
        self.bob.again()
        self.assertEqual(self.bob.texts, [1, 2])

    def test_a_keeper_keeps_nothing_for_ever(self) -> None:
        """After thirty days of running nothing is kept any more."""
        self.away(1)
        self.alice.crash()
        self.office.clock.advance(29 * DAY)
        self.assertEqual(self.kept(), [1, 1])
        self.office.clock.advance(2 * DAY)
        self.assertEqual(self.kept(), [0, 0])

    def test_a_sender_whose_clock_is_ahead(self) -> None:
        """What was not delivered yet is not given up because the sender's clock is a year ahead."""
        self.bob.crash()
        for keeper in self.keepers:
            keeper.crash()
        self.send(self.alice, self.bob, "soon")
        self.alice.wrong = YEAR
        self.office.clock.advance(2 * HOUR)
        self.alice.messages.letters.desk.upkeep()
        self.alice.wrong = 0
        for node in (*self.keepers, self.bob):
            node.again()
        self.passes(60)
        self.assertEqual(self.bob.texts, ["soon"])
        self.assertGreater(desk.KEPT_DAYS, 30)

    def test_prekeys(self) -> None:
        """One that was made while the clock was ahead is renewed when it is right; one that was retired then stays."""
        prekeys = self.bob.messages.prekeys
        self.bob.wrong = YEAR
        self.assertTrue(prekeys.is_due)
        self.successResultOf(prekeys.renew())
        ahead = prekeys.current
        self.bob.wrong = 0
        self.assertTrue(prekeys.is_due)
        self.successResultOf(prekeys.renew())
        self.bob.wrong = -YEAR
        self.successResultOf(prekeys.renew())
        self.bob.wrong = 0
        self.successResultOf(prekeys.renew())
        self.assertIsNotNone(prekeys.signed(ahead.prekey.id))
        self.assertFalse(prekeys.is_due)
