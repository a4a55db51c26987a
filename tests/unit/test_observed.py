"""A clock that was set wrong makes nothing old: observed time by itself, and in what waits for people."""

import sqlite3
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.observed import BELIEVED, TABLE, ObservedTime
from bitdust.people.messages import desk
from bitdust.people.messages.letters import LOST, Notice
from tests.unit.test_messages import MailboxCase

NOW = 1_800_000_000
HOUR, DAY = 3600, 86_400
YEAR = 365 * DAY
LEAPS = (0, 0, 0, 0, 0, 30, -90, HOUR, 3 * DAY, -DAY, 30 * DAY, -30 * DAY, YEAR, -YEAR)


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

    def test_a_lag_is_made_good(self) -> None:
        """Where the wall clock runs evenly, observed time runs twice as fast until it is as late."""
        self.wrong = 20 * DAY
        for _ in range(24):
            self.clock.advance(HOUR)
            self.late.now()
        self.assertEqual(self.late.now(), NOW + 2 * DAY - 2 * HOUR)
        for _ in range(24 * 24):
            self.clock.advance(HOUR)
            self.late.writer()(self.database)
        self.assertEqual(self.late.now(), NOW + 45 * DAY)
        self.assertEqual(self.begin().now(), NOW + 45 * DAY)

    def test_one_day_in_a_fortnight(self) -> None:
        """A machine that is on so seldom makes things nearly two days older each time."""
        for _ in range(10):
            self.late = self.begin()
            for _ in range(25):
                self.late.writer()(self.database)
                self.clock.advance(HOUR)
            self.wrong += 13 * DAY
        self.assertGreater(self.late.now(), NOW + 17 * DAY)

    def test_a_clock_that_is_not_even(self) -> None:
        """A wall clock that leaps within each hour, or drifts from the machine's, makes no lag good."""
        self.wrong = YEAR
        for _ in range(100):
            self.clock.advance(HOUR / 2)
            self.late.now()
            self.wrong -= 61
        self.assertEqual(self.late.now(), NOW + 50 * HOUR)
        for _ in range(3000):
            self.clock.advance(60)
            self.wrong -= 2
            self.late.now()
        self.assertEqual(self.late.now(), NOW + 100 * HOUR)

    @given(st.lists(st.tuples(st.integers(0, 3 * DAY), st.sampled_from(LEAPS), st.integers(0, 4)), max_size=30))
    def test_how_fast_it_goes(self, steps: list[tuple[int, int, int]]) -> None:
        """It is never above the wall clock, nor above twice the running time and the leaps that were believed; it goes
        back only with the wall clock, and nothing is noted later than that ever was."""
        self.database.execute("DELETE FROM observed")
        self.clock, self.wrong = Clock(), 0
        self.late, most, latest, ever, ran = self.begin(), NOW, NOW, NOW, 0
        for passed, leap, lives in steps:
            before, ran = self.late.now(), ran + passed
            self.late.writer()(self.database)
            self.clock.advance(passed)
            self.wrong += leap
            if lives == 0:
                self.late = self.begin()
                (latest,) = self.database.execute("SELECT wall FROM observed").fetchone()
            wall, now = int(NOW + self.clock.seconds() + self.wrong), self.late.now()
            if 0 < wall - latest <= BELIEVED:
                most += max(0, wall - latest - passed)
            latest, ever = max(latest, wall), max(ever, wall)
            self.assertLessEqual(now, min(wall, most + 2 * ran))
            self.assertLessEqual(self.late.stamp(), ever)
            if lives > 0:
                self.assertGreaterEqual(now, min(wall, before))


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

    def test_a_sender_whose_clock_is_behind(self) -> None:
        """What was written while the clock was a year back is not given up when it is right; nor is a receipt."""
        self.bob.crash()
        for keeper in self.keepers:
            keeper.crash()
        letters = self.alice.messages.letters
        self.alice.wrong = -YEAR
        sent = self.send(self.alice, self.bob, "soon")
        letters.notify((self.bob.me.fingerprint, self.bob.me.device.id), Notice(LOST, (b"e" * 16,)), 10)
        self.assertEqual(len(letters.desk.rows), 2)
        self.alice.wrong = 0
        letters.desk.upkeep()
        self.assertEqual(len(letters.desk.rows), 2)
        for node in (*self.keepers, self.bob):
            node.again()
        self.passes(60)
        self.assertEqual(self.bob.texts, ["soon"])
        self.assertLess(sent.message.time, (letters._store.late.now() - YEAR + DAY) * 1000)

    def test_keys_of_messages_that_are_missing(self) -> None:
        """They are noted at the latest that it may be: what was behind a clock a year back opens when it is right."""
        self.send(self.alice, self.bob)
        hers, his = self.alice.messages.book, self.bob.messages.book
        alice, bob = [(node.me.fingerprint, node.me.device.id) for node in (self.alice, self.bob)]
        lost, second, _, fourth = [hers.seal(bob, b"%d" % number) for number in range(4)]
        self.bob.wrong = -YEAR
        his.open(alice, self.alice.me.device.public, second)
        self.bob.wrong = 0
        his.open(alice, self.alice.me.device.public, fourth)
        self.assertEqual(his.open(alice, self.alice.me.device.public, lost).plain, b"0")

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
