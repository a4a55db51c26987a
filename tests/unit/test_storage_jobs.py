"""Jobs: whoever waits for one may go, and its row stays exactly until it ends."""

import sqlite3

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.storage.jobs import Job, Jobs
from bitdust.wire.errors import BitDustError


class Errand(Job):
    what = "fetching"

    def __init__(self, jobs: "Errands", number: int) -> None:
        super().__init__(number, 1.0, {"remote_path": f"alice:{number}"})
        self._jobs = jobs
        self.reasons: list[BitDustError] = []

    def start(self) -> None:
        self._jobs._running[self.number] = self

    def abort(self, reason: BitDustError) -> None:
        self.reasons.append(reason)
        self._jobs.ended(self)
        self.end(reason)

    def describe(self) -> dict:
        return dict(self.names)


class Errands(Jobs[Errand]):
    tables = ("uploads",)


class Catalog:
    def __init__(self) -> None:
        self.database = sqlite3.connect(":memory:")
        self.database.execute("CREATE TABLE uploads(id INTEGER PRIMARY KEY)")
        self.database.executemany("INSERT INTO uploads VALUES(?)", [(1,), (2,)])

    def change(self, call) -> Deferred:
        return succeed(call(self.database))

    def rows(self) -> list[int]:
        return [number for (number,) in self.database.execute("SELECT id FROM uploads ORDER BY id")]


class JobTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.catalog = Catalog()
        self.jobs = Errands(self.catalog)
        self.one, self.two = Errand(self.jobs, 1), Errand(self.jobs, 2)
        self.one.start()
        self.two.start()

    def test_everybody_hears_of_the_end(self) -> None:
        """Several may wait for one job, before its end and after it; all get the same result."""
        first, second = self.one.completion, self.one.completion
        self.one.end({"downloaded": True})
        results = [self.successResultOf(done) for done in (first, second, self.one.completion)]
        self.assertEqual(results, [{"downloaded": True}] * 3)

    def test_who_gives_up_disturbs_nobody(self) -> None:
        """Whoever stops waiting stops neither the job nor the others who wait."""
        first, second = self.one.completion, self.one.completion
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual(self.one.reasons, [])
        self.one.end("result")
        self.assertEqual(self.successResultOf(second), "result")

    def test_a_failure_that_nobody_waits_for(self) -> None:
        """A job that fails while nobody waits leaves no error behind; who asks later gets its reason."""
        self.one.end(BitDustError("incomplete", "a piece is missing"))
        self.assertEqual(self.failureResultOf(self.one.completion, BitDustError).value.code, "incomplete")

    def test_stopped(self) -> None:
        """A job that is stopped says so in the words that clients know, and its row goes."""
        self.one.stop()
        (reason,) = self.one.reasons
        self.assertEqual((reason.code, str(reason)), ("stopped", "fetching alice:1 was stopped"))
        self.assertEqual((self.jobs.running, self.catalog.rows()), ([self.two], [2]))

    def test_suspended(self) -> None:
        """Jobs that are suspended keep their rows: the next start takes them up."""
        self.jobs.suspend()
        self.assertEqual((self.jobs.running, self.catalog.rows()), ([], [1, 2]))
        self.assertEqual([one.reasons[0].code for one in (self.one, self.two)], ["stopping", "stopping"])
