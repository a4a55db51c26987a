"""Downloads: any version to any place, from suppliers that lie, stall or are gone, and never out of their folder."""

import os
import stat
from functools import partial
from pathlib import Path

from attrs import evolve
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from bitdust.storage.links import stays_inside
from bitdust.storage.restore.tree import PART_PREFIX
from bitdust.wire.errors import BitDustError
from bitdust.wire.packet import Command
from tests.unit.storage_kit import Supplier, network, random_file

MB = 1_000_000


class RestoreCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        self.target = self.base / "back"

    def fails(self, code: str, call, *arguments) -> BitDustError:
        error = self.assertRaises(BitDustError, call, *arguments)
        self.assertEqual(error.code, code, str(error))
        return error

    def stored(self, name: str = "file", size: int = 300_000) -> bytes:
        data = random_file(self.base / name, size)
        self.node.upload(self.base / name, name)
        self.node.pass_time(1)
        return data

    def set_modes(self, *modes: str) -> None:
        for supplier, mode in zip(self.around.suppliers, modes, strict=True):
            supplier.mode = mode
        self.node.storage.core.suppliers_changed()

    def parts(self) -> list[Path]:
        return [path for path in self.target.rglob("*") if os.fsencode(path.name).startswith(PART_PREFIX)]


class ComingTests(RestoreCase):
    def test_suppliers_that_are_being_dialled(self) -> None:
        """A download that is begun before they are there waits for them; where they do not come it says so."""
        data = self.stored()
        self.set_modes(*["coming"] * 4)
        job = self.node.begin_download("file", self.target)
        self.node.pass_time(25)
        self.assertFalse(job.completion.called)
        self.set_modes("coming", "fine", "away", "fine")
        self.node.wait(job.completion)
        self.assertEqual((self.target / "file").read_bytes(), data)
        self.set_modes("away", "fine", "away", "coming")
        self.fails("incomplete", self.node.download, "file", self.target)


class ContentTests(RestoreCase):
    def test_names_modes_times_and_links(self) -> None:
        """A folder comes back with raw names, modes, times to the nanosecond, links, empty files and folders."""
        folder = self.base / "folder"
        (folder / "empty-folder").mkdir(parents=True)
        (folder / "empty").write_bytes(b"")
        with open(os.path.join(os.fsencode(folder), b"caf\xe9 \n"), "wb") as stream:
            stream.write(b"a name that is no UTF-8")
        random_file(folder / "sub" / "data", 700_000)
        (folder / "sub" / "data").chmod(0o751)
        (folder / "sub" / "link").symlink_to("data")
        (folder / "dir-link").symlink_to("sub")
        os.utime(folder / "empty", ns=(1, 1_234_567_890_123_456_789))
        os.utime(folder / "sub", ns=(1, 987_654_321_987_654_321))
        (folder / "sub").chmod(0o500)
        self.addCleanup((folder / "sub").chmod, 0o700)
        self.node.upload(folder, "folder")
        result = self.node.download("folder", self.target)
        self.addCleanup((self.target / "folder" / "sub").chmod, 0o700)
        self.assertEqual(result["problems"], [])
        back = self.target / "folder"
        self.assertEqual(sorted(os.listdir(os.fsencode(back))), sorted(os.listdir(os.fsencode(folder))))
        for name in ("empty", "sub", "sub/data", "sub/link", "dir-link", "empty-folder"):
            one, two = os.lstat(folder / name), os.lstat(back / name)
            self.assertEqual((one.st_mode, one.st_mtime_ns), (two.st_mode, two.st_mtime_ns), name)
        self.assertEqual((back / "sub" / "data").read_bytes(), (folder / "sub" / "data").read_bytes())
        self.assertEqual(os.readlink(back / "dir-link"), "sub")

    def test_any_way_to_name_it(self) -> None:
        """Path, key id and path, path id, and each with a version name the same file."""
        data = self.stored()
        row = self.node.info("file")
        version = row["versions"][0]["backup_id"]
        for number, name in enumerate(("file", row["remote_path"], row["path_id"], version, f"file/{row['latest']}")):
            target = self.base / f"way-{number}"
            self.node.download(name, target)
            self.assertEqual((target / "file").read_bytes(), data)

    def test_only_k_pieces_move(self) -> None:
        """A restore fetches k pieces of each pack and no more."""
        self.stored(size=2 * MB)
        self.node.download("file", self.target)
        given = sum(supplier.given for supplier in self.around.suppliers)
        self.assertLess(given, 2 * MB * 1.02)

    def test_everything_of_a_key(self) -> None:
        """A path of nothing but the key id brings the whole catalog back."""
        self.stored("one")
        self.stored("two")
        self.node.download(f"{self.node.me.document.global_id}:", self.target)
        self.assertEqual(sorted(os.listdir(self.target)), ["one", "two"])

    def test_an_old_version(self) -> None:
        """A download of a version gives the bytes of that version, whatever came later."""
        old = self.stored()
        version = self.node.info("file")["versions"][0]["version"]
        self.stored()
        self.node.download(f"file/{version}", self.target)
        self.assertEqual((self.target / "file").read_bytes(), old)

    def test_what_is_not_there(self) -> None:
        """A path, version or key that nobody knows, and a place that nothing was uploaded to, are not found."""
        self.stored()
        self.node.create("empty-place")
        for name in ("nowhere", "file/F20200101000000000-0", "9/9", "mallory@id.example:file", "empty-place"):
            error = self.fails("not-found", self.node.download, name, self.target)
            self.assertIn("was not found in the catalog", str(error))


class PlaceTests(RestoreCase):
    def test_existing_files_are_replaced_when_the_new_one_is_whole(self) -> None:
        """A file in the way keeps its bytes until the restored one is complete, then it is replaced at once."""
        data = self.stored(size=9 * MB)
        self.target.mkdir()
        (self.target / "file").write_bytes(b"old")
        self.set_modes("fine", "frozen", "frozen", "frozen")
        task = self.node.begin_download("file", self.target)
        self.node.pass_time(3)
        self.assertEqual((self.target / "file").read_bytes(), b"old")
        self.set_modes("fine", "fine", "fine", "fine")
        self.node.wait(task.completion, 120)
        self.assertEqual((self.target / "file").read_bytes(), data)
        self.assertEqual(self.parts(), [])

    def test_keep_keeps(self) -> None:
        """With the policy keep what exists stays as it is, and is reported; the rest comes back."""
        folder = self.base / "folder"
        random_file(folder / "one", 1000)
        two = random_file(folder / "two", 1000)
        self.node.upload(folder, "folder")
        (self.target / "folder").mkdir(parents=True)
        (self.target / "folder" / "one").write_bytes(b"mine")
        result = self.node.download("folder", self.target, "keep")
        self.assertEqual((self.target / "folder" / "one").read_bytes(), b"mine")
        self.assertEqual((self.target / "folder" / "two").read_bytes(), two)
        self.assertEqual([one["path"] for one in result["problems"]], ["folder/one"])

    def test_links_in_the_way_are_not_followed(self) -> None:
        """A link where a folder of the restore belongs leads nowhere: what is behind it is not touched."""
        folder = self.base / "folder"
        random_file(folder / "sub" / "file", 1000)
        random_file(folder / "fine", 1000)
        self.node.upload(folder, "folder")
        outside = self.base / "outside"
        outside.mkdir()
        (self.target / "folder").mkdir(parents=True)
        (self.target / "folder" / "sub").symlink_to(outside.absolute())
        result = self.node.download("folder", self.target)
        self.assertEqual(os.listdir(outside), [])
        self.assertTrue((self.target / "folder" / "fine").exists())
        self.assertIn("folder/sub/file", [one["path"] for one in result["problems"]])

    def test_links_that_lead_out_are_reported(self) -> None:
        """Links to an absolute path or out of the restored tree are reported and not made."""
        folder = self.base / "folder"
        folder.mkdir()
        for name, to in (("absolute", "/etc/passwd"), ("out", "../../x"), ("trick", "inner/../../x"), ("inner", ".")):
            (folder / name).symlink_to(to)
        self.node.upload(folder, "folder")
        result = self.node.download("folder", self.target)
        self.assertEqual(os.listdir(self.target / "folder"), ["inner"])
        self.assertEqual(
            sorted(one["path"] for one in result["problems"]), ["folder/absolute", "folder/out", "folder/trick"]
        )

    def test_a_folder_where_a_file_belongs(self) -> None:
        """A folder in the place of a file is left alone; the download says so and fails."""
        self.stored()
        (self.target / "file").mkdir(parents=True)
        error = self.fails("incomplete", self.node.download, "file", self.target)
        self.assertIn("downloading", str(error))
        self.assertIn("failed", str(error))
        self.assertTrue((self.target / "file").is_dir())

    def test_a_file_as_destination(self) -> None:
        """A destination that is a file is refused with a clear word."""
        self.stored()
        self.fails("bad-path", self.node.download, "file", self.base / "file")

    def test_growing_files_are_private(self) -> None:
        """While a file grows nobody else may read it."""
        self.stored(size=9 * MB)
        self.set_modes("fine", "frozen", "fine", "frozen")
        task = self.node.begin_download("file", self.target)
        modes = {stat.S_IMODE(path.stat().st_mode) for path in self.parts()}
        self.assertLessEqual(modes, {0o600})
        self.node.wait(task.completion, 120)

    def test_where_links_lead(self) -> None:
        """Only leading dots count, as many as the tree is deep; everything else stays where it is."""
        inside = [(b"a", 0), (b"a/b", 0), (b"../a", 1), (b"../../a", 2), (b".", 0), (b"./a/./b", 0)]
        outside = [(b"/a", 3), (b"..", 0), (b"../a", 0), (b"../../a", 1), (b"a/..", 0), (b"a/../../b", 5)]
        self.assertTrue(all(stays_inside(target, depth) for target, depth in inside))
        self.assertFalse(any(stays_inside(target, depth) for target, depth in outside))


class SuppliersTests(RestoreCase):
    def test_any_k_suppliers_are_enough(self) -> None:
        """With any two of four suppliers gone a file comes back."""
        data = self.stored()
        for number, gone in enumerate(((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))):
            self.set_modes(*("away" if index in gone else "fine" for index in range(4)))
            target = self.base / f"back-{number}"
            self.node.download("file", target)
            self.assertEqual((target / "file").read_bytes(), data)

    def test_liars_are_found_out(self) -> None:
        """Pieces of two suppliers that changed a byte are refused, noted, and fetched elsewhere."""
        data = self.stored()
        self.set_modes("lying", "lying", "fine", "fine")
        self.node.download("file", self.target)
        self.assertEqual((self.target / "file").read_bytes(), data)
        bad = [self.node.storage.core.bad_pieces.count(one.fingerprint) for one in self.around.suppliers]
        self.assertEqual(bad[2:], [0, 0])
        self.assertGreater(sum(bad[:2]), 0)

    def test_the_stalled_are_not_waited_for(self) -> None:
        """Two suppliers that take the question and say nothing cost a second or two, not their deadline."""
        data = self.stored(size=6 * MB)
        self.set_modes("frozen", "frozen", "fine", "fine")
        before = self.node.clock.seconds()
        self.node.download("file", self.target)
        self.assertLess(self.node.clock.seconds() - before, 3)
        self.assertEqual((self.target / "file").read_bytes(), data)

    def test_too_few_suppliers(self) -> None:
        """With three of four suppliers gone a download fails soon with the numbers, and works when one is back."""
        data = self.stored()
        self.set_modes("away", "away", "away", "fine")
        error = self.fails("not-enough-pieces", self._failing_download)
        self.assertIn("failed", str(error))
        self.assertIn("1 of 2 pieces", str(error))
        self.set_modes("away", "away", "fine", "fine")
        self.node.download("file", self.target)
        self.assertEqual((self.target / "file").read_bytes(), data)

    def _failing_download(self) -> None:
        try:
            self.node.download("file", self.target)
        except BitDustError as error:
            if error.code == "incomplete":
                raise BitDustError("not-enough-pieces", str(error)) from error
            raise

    def test_one_lost_pack_costs_its_files_only(self) -> None:
        """When one pack of many cannot be had, the other files come back and the download says what is missing."""
        self.node.settings.set("services/backups/block-size", 512 * 1024)
        folder = self.base / "folder"
        for name in "abcdef":
            random_file(folder / name, 400_000)
        self.node.upload(folder, "folder")
        self.node.pass_time(1)
        (pack,) = self.node.storage.core.catalog.read.execute("SELECT pack FROM packs LIMIT 1").fetchone()
        for supplier in self.around.suppliers[:3]:
            supplier.shop.store._commits.change(
                lambda database: database.execute("DELETE FROM pieces WHERE pack=?", (pack,))
            )
        error = self.fails("incomplete", self.node.download, "folder", self.target)
        self.assertIn("did not come back", str(error))
        back = [name for name in "abcdef" if (self.target / "folder" / name).exists()]
        self.assertGreaterEqual(len(back), 3)
        self.assertLess(len(back), 6)
        for name in back:
            self.assertEqual((self.target / "folder" / name).read_bytes(), (folder / name).read_bytes())

    def test_a_good_piece_beside_refusals(self) -> None:
        """When all but one are busy for a moment, they are asked again after the piece of that one has come."""
        data = self.stored()
        slow: list[Deferred] = []
        refusals = [0]

        def ask(supplier, original, me, command, fields, payload, deadline):
            if command is not Command.RETRIEVE or fields.get("kind") != "piece":
                return original(supplier, me, command, fields, payload, deadline)
            if supplier is self.around.suppliers[0] and not slow:
                slow.append(Deferred())
                return slow[0].addCallback(lambda _: original(supplier, me, command, fields, payload, deadline))
            if refusals[0] < 3:
                refusals[0] += 1
                return fail(BitDustError("busy", "pieces are on their way already; ask again in a moment"))
            return original(supplier, me, command, fields, payload, deadline)

        for supplier in self.around.suppliers:
            supplier.ask = partial(ask, supplier, type(supplier).ask)
        task = self.node.begin_download("file", self.target)
        self.assertEqual((len(slow), refusals), (1, [3]))
        slow[0].callback(None)
        self.node.wait(task.completion, 10)
        self.assertEqual((self.target / "file").read_bytes(), data)

    def test_right_after_two_lives_became_one(self) -> None:
        """Where nobody was heard yet to have a piece, and who has the place says that it has none, the supplier that
        leaves the place is asked, before the file is said to be gone."""
        data = self.stored()
        before, mine = self.around.suppliers[:], self.node.me.fingerprint
        places = self.base / "new"
        self.around.suppliers[:] = [Supplier(places / str(one) / "customers", 9 + one) for one in range(4)]
        self.node.hire()
        leaving = [one.fingerprint for one in before]
        family = evolve(self.around.family(mine), leaving=leaving)
        self.around.suppliers += before
        self.node.family = lambda: family
        self.node.storage.core.catalog._commits.change(lambda database: database.execute("DELETE FROM pieces"))
        self.node.download("file", self.target)
        self.assertEqual((self.target / "file").read_bytes(), data)

    def test_lists_are_not_empty_in_the_middle(self) -> None:
        """Downloads and transfers read in the middle of a restore show what is asked of whom."""
        self.stored()
        self.set_modes("frozen", "frozen", "frozen", "frozen")
        self.node.begin_download("file", self.target)
        (row,) = self.node.storage.downloads()
        self.assertEqual((row["total_size"], row["done"], row["aborted"]), (300_000, False, False))
        incoming = [one for row in self.node.storage.transfers() for one in row["incoming"]]
        self.assertGreaterEqual(len(incoming), 2)


class ResumeTests(RestoreCase):
    def test_a_second_try_fetches_what_is_missing(self) -> None:
        """A download that failed in its middle goes on where it was: what had come is not fetched again."""
        data = self.stored(size=12 * MB)
        self.node.cut_after = None
        self._fail_after(4)
        self.assertRaises(BitDustError, self.node.download, "file", self.target)
        given = sum(supplier.given for supplier in self.around.suppliers)
        self.assertGreater(given, 3 * MB)
        self._fail_after(None)
        self.node.download("file", self.target)
        self.assertEqual((self.target / "file").read_bytes(), data)
        again = sum(supplier.given for supplier in self.around.suppliers) - given
        self.assertLess(again, 12 * MB - given / 2)

    def _fail_after(self, pieces: int | None) -> None:
        left = [pieces if pieces is not None else 10**9]
        for supplier in self.around.suppliers:
            original = type(supplier).ask

            def ask(me, command, fields, payload, deadline, supplier=supplier, original=original):
                if command is Command.RETRIEVE and fields.get("kind") == "piece":
                    left[0] -= 1
                    if left[0] < 0:
                        supplier.mode = "away"
                return original(supplier, me, command, fields, payload, deadline)

            supplier.mode = "fine"
            supplier.ask = ask

    def test_damaged_parts_are_fetched_again(self) -> None:
        """What lies in a growing file is checked, not believed: a changed block comes anew."""
        data = self.stored(size=9 * MB)
        self._fail_after(4)
        self.assertRaises(BitDustError, self.node.download, "file", self.target)
        (part,) = self.parts()
        with open(part, "r+b") as stream:
            stream.write(os.urandom(1000))
        self._fail_after(None)
        self.node.download("file", self.target)
        self.assertEqual((self.target / "file").read_bytes(), data)

    def test_stop_removes_what_has_grown(self) -> None:
        """A download that the user gave up leaves no growing file behind."""
        self.stored(size=9 * MB)
        self._fail_after(4)
        for supplier in self.around.suppliers[1:]:
            supplier.mode = "frozen"
        task = self.node.begin_download("file", self.target)
        self.node.pass_time(1)
        (stopped,) = self.node.storage.stop_download("file")
        self.assertTrue(stopped["aborted"])
        self.fails("stopped", self.node.wait, task.completion)
        self.assertEqual(self.parts(), [])
        self.assertEqual(self.node.storage.downloads(), [])

    def test_the_storage_closes(self) -> None:
        """A download that nobody has suspended ends with a word for it when the storage closes, not with an error."""
        self.stored()
        self.set_modes(*["frozen"] * 4)
        job = self.node.begin_download("file", self.target)
        self.node.pass_time(1)
        self.successResultOf(Deferred.fromCoroutine(self.node.storage.close()))
        self.assertEqual(self.failureResultOf(job.completion, BitDustError).value.code, "stopping")
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_the_same_download_twice_is_refused(self) -> None:
        """A second download to the same place while the first runs is refused with the words clients look for."""
        self.stored()
        self.set_modes("frozen", "frozen", "frozen", "frozen")
        self.node.begin_download("file", self.target)
        error = self.fails("already-scheduled", self.node.begin_download, "file", self.target)
        self.assertIn("downloading", str(error))
        self.assertIn("already scheduled", str(error))

    def begins(self) -> "Deferred":
        return Deferred.fromCoroutine(self.node.storage.download("file", str(self.target), "replace"))

    def test_twice_at_once(self) -> None:
        """A second one that comes before the first one's row is written is refused too."""
        data = self.stored()
        go_on = self.node.hold_next_change()
        first, second = self.begins(), self.begins()
        self.assertEqual(self.failureResultOf(second, BitDustError).value.code, "already-scheduled")
        go_on()
        self.node.wait(self.successResultOf(first).completion)
        self.assertEqual((self.target / "file").read_bytes(), data)
        self.node.wait(self.successResultOf(self.begins()).completion)

    def test_taken_up_while_it_begins(self) -> None:
        """A download that is taken up as one of before, the moment its row is written, is one job, and comes whole."""
        data = self.stored(size=9 * MB)
        self.set_modes(*["coming"] * 4)
        go_on = self.node.hold_next_change()
        job = self.begins()
        self.node.storage.core.downloads.resume()
        go_on()
        (running,) = self.node.storage.core.downloads.running
        self.assertIs(self.successResultOf(job), running)
        self.node.storage.core.downloads.resume()
        self.assertEqual(self.node.storage.core.downloads.running, [running])
        self.set_modes(*["fine"] * 4)
        self.node.wait(running.completion, 120)
        self.assertEqual((self.target / "file").read_bytes(), data)
