"""`file_verify`: what proves that a version can come back, and what it finds where that is not so."""

from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from bitdust.storage.verify import verifications
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from tests.unit.storage_kit import network, random_file
from tests.unit.test_audits import paths
from tests.unit.test_bad_pieces import rot

SIZE = 300_000


class VerifyCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.node.settings.set("services/backups/block-size", 64 * 1024)
        random_file(self.base / "folder" / "one", SIZE)
        random_file(self.base / "folder" / "two", SIZE)
        (self.base / "folder" / "empty").write_bytes(b"")
        self.node.upload(self.base / "folder", "folder")
        self.node.pass_time(1)

    def begin(self, path: str = "folder", full: bool = False):
        storage = self.node.storage
        return storage.core.verifications.start(storage.find(path), full)

    def verify(self, path: str = "folder", full: bool = False) -> dict:
        return self.node.wait(self.begin(path, full).completion, 200)

    def set_modes(self, *modes: str) -> None:
        for supplier, mode in zip(self.around.suppliers, modes, strict=True):
            supplier.mode = mode

    def tally(self, found: dict, name: str) -> list[int]:
        return [row[name] for row in found["suppliers"]]

    def downloads(self) -> int:
        return sum(one.asked.count((Command.RETRIEVE, "piece")) for one in self.around.suppliers)


class ProofTests(VerifyCase):
    def test_all_is_there(self) -> None:
        """Every supplier proves its piece of every pack; nothing is fetched, and an event says so."""
        found = self.verify()
        packs = found["packs"]
        self.assertEqual((found["verified"], found["files"], found["files_lost"], found["problems"]), (True, 3, 0, []))
        self.assertEqual((found["packs_lost"], found["pieces_missing"], found["spare_pieces"]), (0, 0, 2))
        self.assertEqual((self.tally(found, "asked"), self.tally(found, "proved")), ([packs] * 4, [packs] * 4))
        self.assertEqual(self.downloads(), 0)
        (event,) = self.node.events_of("file-verified")
        self.assertEqual((event["verified"], event["packs"], event["full"]), (True, packs, False))

    def test_one_file_of_it(self) -> None:
        """One file needs fewer packs than its folder; a version that is named is the one that is looked at."""
        found = self.verify("folder/one")
        self.assertEqual(found["files"], 1)
        self.assertLess(found["packs"], self.verify()["packs"])
        self.assertEqual(self.verify(f"folder/one/{found['version']}")["version"], found["version"])

    def test_suppliers_that_are_away_or_lie(self) -> None:
        """Any half is enough, and the tally says who did not answer and who did not prove; then nothing is spare."""
        for path in paths(self.around.suppliers[1]):
            path.unlink()
        self.set_modes("fine", "fine", "fine", "frozen")
        found = self.verify()
        self.assertEqual((found["verified"], found["spare_pieces"]), (True, 0))
        gone = len(paths(self.around.suppliers[0]))
        self.assertEqual((self.tally(found, "failed"), self.tally(found, "silent")),
                         ([0, gone, 0, 0], [0, 0, 0, found["packs"]]))  # fmt: skip
        self.set_modes("fine", "fine", "fine", "fine")
        self.node.pass_time(60, 1)
        self.assertEqual(len(paths(self.around.suppliers[1])), gone)

    def test_fewer_than_it_takes(self) -> None:
        """With one of four left nothing comes back: each file is named with the reason."""
        self.set_modes("away", "away", "fine", "away")
        found = self.verify()
        self.assertEqual((found["verified"], found["files_lost"], found["packs_lost"]), (False, 2, found["packs"]))
        self.assertEqual([problem["path"] for problem in found["problems"]], ["folder/one", "folder/two"])
        self.assertIn("1 of its 4 pieces were proved where 2 are needed", found["problems"][0]["reason"])

    def test_what_waits_here(self) -> None:
        """Pieces that wait on this disk for suppliers who are away give a file back as well."""
        self.set_modes("fine", "full", "full", "full")
        random_file(self.base / "new", SIZE)
        self.node.begin_upload(self.base / "new", "new")
        self.node.pass_time(5)
        self.assertTrue(self.verify("new")["verified"])


class FullTests(VerifyCase):
    def test_everything_is_opened(self) -> None:
        """Every pack is fetched, opened and compared; nothing is written anywhere."""
        before = sorted(self.base.rglob("*"))
        found = self.verify(full=True)
        self.assertEqual((found["verified"], found["full"], found["packs_lost"]), (True, True, 0))
        self.assertGreaterEqual(self.downloads(), 2 * found["packs"])
        new = [path for path in set(self.base.rglob("*")) - set(before) if "home" not in path.parts]
        self.assertEqual(new, [])

    def test_rot_is_found(self) -> None:
        """Three rotten of four: proofs and downloads agree that nothing comes back."""
        for supplier in self.around.suppliers[:3]:
            rot(supplier)
        found = self.verify(full=True)
        self.assertEqual((found["verified"], found["files_lost"]), (False, 2))

    def test_another_content_under_the_right_roots(self) -> None:
        """A pack whose chunks are not those that the catalog names is lost, though all of its pieces are proved."""
        core = self.node.storage.core
        query = "UPDATE packs SET names=zeroblob(length(names))"
        self.node.wait(core.catalog.change(lambda database: database.execute(query)))
        self.assertTrue(self.verify()["verified"])
        found = self.verify(full=True)
        self.assertEqual((found["verified"], found["packs_lost"]), (False, found["packs"]))
        self.assertIn("not what was stored", found["problems"][0]["reason"])


class JobTests(VerifyCase):
    def test_several_at_once(self) -> None:
        """Of different things, and of one thing in part and in full; the same once more is refused."""
        self.set_modes("frozen", "fine", "fine", "fine")
        jobs = [self.begin(), self.begin(full=True), self.begin("folder/one")]
        error = self.assertRaises(BitDustError, self.begin)
        self.assertEqual(error.code, "already-scheduled")
        rows = self.node.storage.core.verifications.rows()
        found = [(row["state"], row["packs_done"], row["progress"]) for row in rows]
        self.assertEqual(found, [("CHECKING", 0, "0%")] * 3)
        for job in jobs:
            self.assertTrue(self.node.wait(job.completion, 300)["verified"])
        self.assertEqual(self.node.storage.core.verifications.rows(), [])

    def test_too_many(self) -> None:
        """There is a limit to how many run beside each other."""
        self.set_modes(*["frozen"] * 4)
        with mock.patch.object(verifications, "MOST_AT_ONCE", 2):
            self.begin()
            self.begin(full=True)
            self.assertEqual(self.assertRaises(BitDustError, self.begin, "folder/one").code, "busy")

    def test_stopped(self) -> None:
        """It can be given up; whoever waits hears that, and who gives up what does not run is refused."""
        self.set_modes(*["frozen"] * 4)
        job = self.begin()
        completion = job.completion
        self.node.pass_time(1)
        (row,) = self.node.storage.core.verifications.stop_some(self.node.storage.find("folder"))
        self.assertTrue(row["aborted"])
        self.assertEqual(self.failureResultOf(completion).value.code, "stopped")
        stop = self.node.storage.core.verifications.stop_some
        self.assertEqual(self.assertRaises(BitDustError, stop, self.node.storage.find("folder")).code, "not-found")

    def test_the_storage_stops(self) -> None:
        """A node that stops ends it, and leaves nothing behind."""
        self.set_modes(*["frozen"] * 4)
        completion = self.begin().completion
        self.node.pass_time(1)
        self.node.stop()
        self.assertEqual(self.failureResultOf(completion).value.code, "stopping")

    def test_nothing_of_that_name(self) -> None:
        """What is not in the catalog, or has no version yet, is refused."""
        self.assertEqual(self.assertRaises(BitDustError, self.begin, "nowhere").code, "not-found")
        self.node.create("place")
        self.assertEqual(self.assertRaises(BitDustError, self.verify, "place").code, "not-found")
