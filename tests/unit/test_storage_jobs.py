"""Jobs: whoever waits for one may go, and its row stays exactly until it ends."""

import sqlite3

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from bitdust.signal import Signal
from bitdust.storage.catalog.database import CatalogError
from bitdust.storage.jobs import Job, Jobs
from bitdust.storage.upload.jobs import Uploads
from bitdust.wire.errors import BitDustError
from tests.unit.storage_kit import Node, network, random_file, stop_quietly


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
        self.changed: Signal[[]] = Signal()
        self.is_full = False

    def change(self, call) -> Deferred:
        if self.is_full:
            return fail(CatalogError("disk-full", "no room"))
        return succeed(call(self.database)).addCallback(lambda _: self.changed.emit())

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

    def test_a_full_disk(self) -> None:
        """A row that a full disk did not let go goes as soon as the disk takes anything."""
        self.catalog.is_full = True
        self.one.stop()
        self.assertEqual(self.catalog.rows(), [1, 2])
        self.catalog.is_full = False
        self.catalog.change(lambda database: None)
        self.assertEqual(self.catalog.rows(), [2])

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


class RepeatTests(SynchronousTestCase):
    """An upload has ended, and its row stays: the disk was full, or the node was killed before it was gone."""

    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.patch(Uploads, "_forget", lambda uploads, number: None)

    def again(self) -> list[str]:
        """Start once more; what versions are there."""
        self.node.kill()
        self.node = Node(self.node.home, self.around, self.node.clock)
        self.addCleanup(stop_quietly, self.node)
        self.node.start()
        self.node.pass_time(20)
        self.assertEqual(self.node.storage.core.uploads.rows(), {"running": [], "pending": []})
        return [version["version"] for version in self.node.info("it")["versions"]]

    def test_a_file(self) -> None:
        """What was stored stays as it was, and what the file is now is for the next upload."""
        stored = random_file(self.base / "it", 100_000)
        self.node.upload(self.base / "it", "it")
        random_file(self.base / "it", 90_000)
        self.assertEqual(len(self.again()), 1)
        self.node.download("it", self.base / "back")
        self.assertEqual((self.base / "back" / "it").read_bytes(), stored)

    def test_a_folder(self) -> None:
        """The same of what is in a folder: nothing of it is read again."""
        (self.base / "it").mkdir()
        stored = random_file(self.base / "it" / "inside", 100_000)
        self.node.create("it", folder=True)
        self.node.wait(self.node.begin_upload(self.base / "it", "it").completion)
        random_file(self.base / "it" / "inside", 90_000)
        random_file(self.base / "it" / "more", 10)
        self.assertEqual(len(self.again()), 1)
        self.node.download("it", self.base / "back")
        self.assertEqual((self.base / "back" / "it" / "inside").read_bytes(), stored)
        self.assertFalse((self.base / "back" / "it" / "more").exists())
