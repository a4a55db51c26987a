"""An upload for which too few suppliers are there: it says so, whoever waits is answered, and it ends by itself."""

from twisted.trial.unittest import SynchronousTestCase

from bitdust.checkup import uploads as words
from bitdust.storage.jobs import Row
from bitdust.storage.pieces import packs
from bitdust.storage.upload import reader
from bitdust.storage.upload.patience import SETTING
from bitdust.wire.errors import BitDustError
from tests.unit.storage_kit import Node, network, random_file


class PatienceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.names = [supplier.fingerprint.hex()[:16] for supplier in self.around.suppliers]

    def row(self) -> Row:
        (row,) = self.node.storage.uploads()["running"]
        return row

    def begin(self, *modes: str, size: int = 300_000):
        """An upload while the first suppliers are in these modes."""
        for supplier, mode in zip(self.around.suppliers, modes, strict=False):
            supplier.mode = mode
        random_file(self.base / "file", size)
        return self.node.begin_upload(self.base / "file", "file")

    def test_it_says_whom_it_waits_for(self) -> None:
        """While two of four take nothing, they are named with the reason; nobody is while it can go on."""
        self.begin("away", "full")
        began = self.node.world.wall()
        self.node.pass_time(10)
        row = self.row()
        self.assertEqual(row["state"], "SENDING")
        self.assertIn(f"{self.names[0]} (is away)", row["waits_for"])
        self.assertIn(f"{self.names[1]} (is full: the disk of the supplier is full)", row["waits_for"])
        self.assertLess(row["waits_since"] - began, 5)

    def test_who_waits_is_answered(self) -> None:
        """After a minute in which nobody took anything the answer comes, with a code; one event says so. The upload
        goes on, and ends by itself when a supplier is back."""
        task = self.begin("away", "full")
        end, answer = task.completion, task.answer
        self.node.pass_time(50)
        self.assertNoResult(answer)
        self.node.pass_time(30)
        error = self.failureResultOf(answer, BitDustError).value
        self.assertEqual((error.code, len(error.details["waits_for"])), ("waits-for-suppliers", 2))
        self.assertIn("goes on by itself", str(error))
        self.assertNoResult(end)
        self.node.pass_time(120)
        self.assertEqual(len(self.node.events_of("backup-waiting")), 1)
        self.around.suppliers[0].mode = "fine"
        self.node.pass_time(70)
        self.assertEqual(self.successResultOf(end)["problems"], [])
        self.assertEqual(self.node.storage.uploads()["running"], [])

    def test_what_an_earlier_upload_has_not_brought_yet(self) -> None:
        """An upload of a file that has not changed is done when what an earlier one has left is safe, not before; so
        is one that goes on after a restart."""
        self.begin("full", "full", "full")
        self.node.pass_time(2)
        self.node.storage.stop_upload("file")
        again = self.node.begin_upload(self.base / "file", "file")
        end = again.completion
        self.node.pass_time(5)
        self.assertNoResult(end)
        self.assertEqual(len(self.row()["waits_for"]), 3)
        end.addErrback(lambda failure: None)
        self.node.stop()
        self.node = Node(self.node.home, self.around, self.node.clock).start()
        self.addCleanup(lambda node=self.node: node.storage.is_open and node.stop())
        self.node.pass_time(5)
        self.assertEqual(self.row()["state"], "SENDING")
        self.assertNotIn("backup-done", self.node.event_names())
        for supplier in self.around.suppliers:
            supplier.mode = "fine"
        self.node.pass_time(70)
        self.assertIn("backup-done", self.node.event_names())

    def test_a_large_one_that_cannot_be_read_further(self) -> None:
        """With three of four away reading stops before this disk is full; that is said and answered as well."""
        self.node.settings.set("services/backups/block-size", 64 * 1024)
        self.patch(reader, "STEP_BYTES", 100_000)
        self.patch(packs, "MOST_FEW", 4)
        task = self.begin("full", "full", "full", size=4_000_000)
        answer = task.answer
        self.node.pass_time(20)
        self.assertEqual((self.row()["state"], len(self.row()["waits_for"])), ("READ", 3))
        self.node.pass_time(60)
        self.assertEqual(self.failureResultOf(answer, BitDustError).value.code, "waits-for-suppliers")
        for supplier in self.around.suppliers:
            supplier.mode = "fine"
        self.node.wait(task.completion, 200)

    def test_without_a_limit(self) -> None:
        """Whoever wishes to wait for ever does."""
        self.node.settings.set(SETTING, 0)
        answer = self.begin("away", "full").answer
        self.node.pass_time(600, 5)
        self.assertNoResult(answer)
        answer.addErrback(lambda failure: None)

    def test_words(self) -> None:
        """The doctor names uploads that wait, and those that failed, with what to do."""
        self.assertEqual(words.uploads({"running": [], "pending": []}, []), [])
        running = [{"remote_path": "photos", "waits_for": ["bob (is away)"]}, {"remote_path": "b", "waits_for": []}]
        failed = [{"remote_path": "docs", "code": "empty-source", "reason": "the source is empty"}]
        waits, lost = words.uploads({"running": running}, failed)
        self.assertIn("photos waits for bob (is away)", waits.found)
        self.assertIn("docs: the source is empty", lost.found)
        self.assertEqual([one.verdict for one in (waits, lost)], ["warn", "warn"])


class FailureTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)

    def failed(self) -> list[tuple[str, str]]:
        return [(row["path_id"], row["code"]) for row in self.node.storage.failed_uploads()]

    def test_a_refusal_that_nobody_waited_for(self) -> None:
        """It is found afterwards, by its code and in words, after a restart too, until an upload succeeds."""
        source = self.base / "file"
        random_file(source, 1000)
        self.node.upload(source, "file")
        source.write_bytes(b"")
        self.node.begin_upload(source, "file")
        self.node.pass_time(2)
        path = self.node.rows()[0]["path_id"]
        self.assertEqual(self.failed(), [(path, "empty-source")])
        (row,) = self.node.storage.failed_uploads()
        self.assertEqual((row["source_path"], row["time"] > 0), (str(source), True))
        self.assertIn("empty", row["reason"])
        self.node.stop()
        again = Node(self.node.home, self.around, self.node.clock).start()
        self.addCleanup(lambda: again.storage.is_open and again.stop())
        self.node = again
        self.assertEqual(self.failed(), [(path, "empty-source")])
        random_file(source, 2000)
        self.node.upload(source, "file")
        self.assertEqual(self.failed(), [])

    def test_what_is_no_failure(self) -> None:
        """An upload that somebody stopped, and one of an item that is gone, are not shown."""
        for supplier in self.around.suppliers[:3]:
            supplier.mode = "full"
        random_file(self.base / "file", 300_000)
        self.node.begin_upload(self.base / "file", "file")
        self.node.pass_time(1)
        self.node.storage.stop_upload("file")
        self.node.pass_time(1)
        self.assertEqual(self.failed(), [])
        random_file(self.base / "file", 300_000)
        task = self.node.begin_upload(self.base / "file", "file")
        task.abort(BitDustError("unreadable", "it cannot be read"))
        self.node.pass_time(1)
        self.assertEqual([code for _, code in self.failed()], ["unreadable"])
        self.node.delete("file")
        self.assertEqual(self.failed(), [])

    def test_a_damaged_note(self) -> None:
        """What cannot be read of former failures keeps no catalog from opening."""
        core = self.node.storage.core
        change = "INSERT OR REPLACE INTO meta VALUES('failed-uploads', x'7b')"
        self.node.wait(core.catalog.change(lambda database: database.execute(change)))
        core.uploads.failures.load()
        self.assertEqual(self.failed(), [])
