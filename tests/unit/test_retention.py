"""Which versions stay: the policy alone, over any moments, and observed time against a clock that lies."""

import sqlite3
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bitdust.observed import BELIEVED, Reading
from bitdust.storage.catalog.calendar import Calendar
from bitdust.storage.keeping.retention import DAY, Moment, Rules, judge, may_be_forgotten
from bitdust.wire.names import new_version

NOW = 1_800_000_000.0
YEAR = 365 * DAY
MONTH_BACK = 30 * DAY
FEW = st.integers(0, 8)
RULES = st.builds(Rules, st.integers(1, 4), FEW, FEW, FEW, st.sampled_from([0.0, MONTH_BACK]))
AGES = st.lists(st.integers(0, 800 * 24), min_size=1, max_size=40, unique=True)


def moments(ages: list[int], gone: set[int] = frozenset()) -> list[Moment]:
    """Of ages in hours."""
    return [Moment(str(age), NOW - age * 3600, age in gone) for age in sorted(ages, reverse=True)]


def kept(found: list[Moment], rules: Rules, now: float = NOW) -> set[str]:
    return {one.name for one in judge(found, rules, now) if one.reasons}


def current_at(found: list[Moment], when: float) -> Moment | None:
    before = [one for one in found if one.time <= when]
    return before[-1] if before and not before[-1].is_gone else None


class PolicyTests(SynchronousTestCase):
    def test_reasons(self) -> None:
        """Each version that stays says why, and when time alone lets it go."""
        rules = Rules(1, 2, 0, 3, MONTH_BACK)
        hours = [0, 10 * 24, 20 * 24, 45 * 24, 90 * 24, 95 * 24]
        judged = {int(one.name) // 24: one for one in judge(moments(hours), rules, NOW)}
        self.assertEqual(judged[0].reasons, ("current", "last", "daily", "monthly"))
        self.assertEqual(judged[10].reasons[:2], ("undo", "daily"))
        self.assertEqual(judged[45].reasons[0], "undo", "it was current until twenty days ago")
        self.assertEqual(judged[95].reasons, ())
        (only,) = [one for one in judged.values() if one.reasons == ("undo",)]
        self.assertGreater(only.until or 0, NOW)

    def test_zero_keeps_all(self) -> None:
        """With no number of last versions everything stays."""
        found = moments([1, 10_000, 15_000])
        self.assertEqual({one.reasons for one in judge(found, Rules(0, 0, 0, 0, 0.0), NOW)}, {("all",)})
        self.assertFalse(may_be_forgotten(found, [NOW], Rules(0, 0, 0, 0, 0.0), NOW))

    @settings(max_examples=150, deadline=None)
    @given(AGES, RULES, st.data())
    def test_nothing_that_can_be_undone_goes(self, ages: list[int], rules: Rules, data: st.DataObject) -> None:
        """What was current at any moment of the last days stays, the newest version always, and the last so many."""
        gone = data.draw(st.sets(st.sampled_from(ages)))
        found = moments(ages, gone)
        stays = kept(found, rules)
        for when in (NOW, *(NOW - rules.undo * part / 7 + 1 for part in range(8)), *(one.time for one in found)):
            shown = current_at(found, when)
            if shown is not None and when > NOW - rules.undo:
                self.assertIn(shown.name, stays)
        self.assertLessEqual({one.name for one in found[-rules.last :] if not one.is_gone}, stays)

    @settings(max_examples=150, deadline=None)
    @given(AGES, RULES, st.data())
    def test_what_a_folder_shows_stays(self, ages: list[int], rules: Rules, data: st.DataObject) -> None:
        """What was current in a folder at a version of it that stays, stays, thinned again and again as time passes."""
        folder = moments(ages)
        some = data.draw(st.sets(st.sampled_from(ages), min_size=1))
        file = moments(sorted(some), data.draw(st.sets(st.sampled_from(sorted(some)))))
        whole, now = list(file), NOW
        for _ in range(3):
            stays, inside = kept(folder, rules, now), kept(file, rules, now)
            roots = [one.time for one in folder if one.name in stays]
            forgotten = may_be_forgotten(file, roots, rules, now)
            folder = [one for one in folder if one.name in stays]
            for root in folder:
                shown = current_at(whole, root.time)
                if shown is not None:
                    self.assertIn(shown.name, inside)
                    self.assertFalse(forgotten)
            file = [one for one in file if one.is_gone or one.name in inside]
            now += data.draw(st.integers(0, 90)) * DAY

    @settings(max_examples=100, deadline=None)
    @given(AGES, RULES)
    def test_thinning_again_changes_nothing(self, ages: list[int], rules: Rules) -> None:
        """What stays, stays when nothing has happened since."""
        found = moments(ages)
        stays = kept(found, rules)
        self.assertEqual(kept([one for one in found if one.name in stays], rules), stays)

    def test_years_end_in_little(self) -> None:
        """Hourly versions of three years leave the last days, weeks and months and no more."""
        found = moments(list(range(0, 3 * 365 * 24, 6)))
        stays = kept(found, Rules(2, 7, 8, 12, MONTH_BACK))
        self.assertLess(len(stays), 30 * 4 + 1 + 7 + 8 + 12)
        self.assertGreater(max(map(int, stays)), 300 * 24)


class CalendarTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(self.database.close)
        self.database.execute("CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB)")
        self.database.execute("CREATE TABLE versions(version TEXT)")
        self.clock, self.wrong = Clock(), 0.0
        self.calendar = self.begin()

    def begin(self) -> Calendar:
        world = SimpleNamespace(clock=self.clock, wall=lambda: NOW + self.clock.seconds() + self.wrong)
        calendar = Calendar(world)  # type: ignore[arg-type]
        calendar.load(self.database)
        return calendar

    def store(self) -> None:
        self.database.execute("INSERT INTO versions VALUES(?)", (new_version(self.calendar.stamp(), 0),))
        self.calendar.note(self.database)

    def late(self) -> float:
        """In days since the beginning."""
        return round((self.calendar.now() - NOW) / DAY, 3)

    def test_nothing_is_old_before_anything_is_known(self) -> None:
        """Without a version no time has passed."""
        self.calendar.note(self.database)
        self.assertEqual(self.calendar.now(), 0.0)

    def test_time_that_passes_counts(self) -> None:
        """Running time counts, and a sleep or a restart of some days."""
        self.store()
        self.clock.advance(20 * DAY)
        self.assertEqual(self.late(), 20)
        self.calendar.note(self.database)
        self.wrong += 5 * DAY
        self.calendar = self.begin()
        self.assertEqual(self.late(), 25)

    def test_a_year_ahead_and_back(self) -> None:
        """A leap of the clock makes nothing old, over restarts too; what is noted meanwhile is noted late."""
        self.store()
        self.clock.advance(DAY)
        self.calendar.note(self.database)
        self.wrong = YEAR
        for _ in range(3):
            self.clock.advance(DAY)
            self.calendar.note(self.database)
            self.calendar = self.begin()
        self.assertEqual(self.late(), 4)
        self.assertGreater(self.calendar.stamp(), NOW + YEAR)
        self.wrong = -YEAR
        self.assertLess(self.late(), 0)
        self.assertEqual(round((self.calendar.stamp() - NOW) / DAY), 4)
        self.wrong = 0.0
        self.clock.advance(DAY)
        self.assertEqual(self.late(), 5)

    def test_a_recovered_node_whose_clock_is_ahead(self) -> None:
        """The first reading is not later than the newest version there is."""
        self.database.execute("INSERT INTO versions VALUES(?)", (new_version(NOW, 0),))
        self.wrong = YEAR
        self.calendar.note(self.database)
        self.assertEqual(self.late(), 0)

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.tuples(st.floats(0, 3 * DAY), st.floats(-2 * YEAR, 2 * YEAR)), max_size=30))
    def test_it_is_never_far_ahead(self, steps: list[tuple[float, float]]) -> None:
        """However the wall clock leaps, observed time never goes back and gains a week at most at each new height."""
        reading, passed, heights = Reading(NOW, NOW), 0.0, 0
        for running, wrong in steps:
            passed += running
            before, wall = reading, NOW + passed + wrong
            reading = reading.after(running, wall)
            heights += wall > before.wall
            self.assertGreaterEqual(reading.observed, before.observed)
            self.assertLessEqual(reading.observed, NOW + passed + heights * BELIEVED + 1)
