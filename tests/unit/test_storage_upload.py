"""Uploads: what becomes of files, folders, changes, and of everything that gets in the way."""

import os
import shutil
import socket
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from bitdust.storage.upload import upload as upload_module
from bitdust.storage.upload.options import UploadOptions
from bitdust.wire.errors import BitDustError
from tests.unit.storage_kit import network, random_file

MB = 1_000_000


def after(first: Deferred, row):
    """A result that comes when something else is over."""
    return first.addCallback(lambda _: row)


class UploadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)

    def received(self) -> int:
        return sum(supplier.received for supplier in self.around.suppliers)

    def fails(self, code: str, call, *arguments) -> BitDustError:
        error = self.assertRaises(BitDustError, call, *arguments)
        self.assertEqual(error.code, code, str(error))
        return error

    def test_a_file_is_safe_when_the_upload_ends(self) -> None:
        """An upload ends when every supplier has its piece and enough of them the log entry; then it is reliable."""
        random_file(self.base / "file", 300_000)
        result = self.node.upload(self.base / "file", "file")
        self.assertEqual(result["problems"], [])
        self.assertEqual([supplier.pieces() for supplier in self.around.suppliers], [1, 1, 1, 1])
        self.node.pass_time(1)
        (version,) = self.node.info("file")["versions"]
        self.assertEqual((version["reliable"], version["delivered"]), ("100%", "100%"))
        self.assertEqual(self.node.storage.uploads(), {"running": [], "pending": []})
        self.assertIn("backup-done", self.node.event_names())
        self.assertIn("backup-task-finished", self.node.event_names())

    def test_suppliers_see_no_content_and_no_names(self) -> None:
        """Neither a file's words nor its name lie anywhere on a supplier's disk."""
        (self.base / "secret-name.txt").write_bytes(b"very secret words " * 1000)
        self.node.upload(self.base / "secret-name.txt", "secret-name.txt")
        for supplier in self.around.suppliers:
            for path in Path(supplier.shop.folder).rglob("*"):
                self.assertNotIn("secret", path.name)
                if path.is_file():
                    self.assertNotIn(b"secret", path.read_bytes())

    def test_a_small_file_is_one_packet_to_each_supplier(self) -> None:
        """The pieces of a small file go with the entry of the log that names it, and are as safe as others."""
        self.node.create("file")
        self.node.pass_time(1)
        before = [len(supplier.asked) for supplier in self.around.suppliers]
        data = random_file(self.base / "file", 1_000)
        self.node.upload(self.base / "file", "file")
        asked = [supplier.asked[start:] for supplier, start in zip(self.around.suppliers, before, strict=True)]
        self.assertEqual([kind for packets in asked for _, kind in packets if kind == "piece"], [])
        self.assertLessEqual(max(map(len, asked)), 2)
        self.node.pass_time(1)
        self.assertEqual(self.node.info("file")["versions"][0]["reliable"], "100%")
        self.node.download("file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), data)

    def test_equal_content_moves_once(self) -> None:
        """The same bytes under another name move no piece, and are stored once."""
        data = random_file(self.base / "one", 600_000)
        self.node.upload(self.base / "one", "one")
        before, used = self.received(), self.node.storage.used()
        (self.base / "two").write_bytes(data)
        self.node.upload(self.base / "two", "two")
        self.assertEqual((self.received(), self.node.storage.used()), (before, used))

    def test_apart(self) -> None:
        """What is to be stored apart shares nothing with what is stored already, and stays when that goes."""
        data = random_file(self.base / "one", 600_000)
        self.node.upload(self.base / "one", "one")
        used = self.node.storage.used()
        (self.base / "two").write_bytes(data)
        self.node.create("two")
        self.node.wait(self.node.begin_upload(self.base / "two", "two", UploadOptions(apart=True)).completion)
        self.assertGreater(self.node.storage.used(), 1.9 * used)
        self.node.run(self.node.storage.delete("one"))
        self.node.pass_time(60)
        self.assertEqual(self.node.storage.used(), used)
        self.node.download("two", self.base / "back")
        self.assertEqual((self.base / "back" / "two").read_bytes(), data)

    def test_a_change_moves_what_changed(self) -> None:
        """A second version of 6 MB with bytes inserted near its middle moves a small part of it."""
        data = random_file(self.base / "large", 6 * MB)
        self.node.upload(self.base / "large", "large")
        before = self.received()
        (self.base / "large").write_bytes(data[: 3 * MB] + os.urandom(50_000) + data[3 * MB :])
        self.node.upload(self.base / "large", "large")
        self.assertLess(self.received() - before, 2 * (50_000 + 3 * 256 * 1024))
        self.assertEqual(len(self.node.info("large")["versions"]), 2)
        self.node.download("large", self.base / "back")
        self.assertEqual((self.base / "back" / "large").read_bytes(), (self.base / "large").read_bytes())

    def test_the_catalog_moves_by_entries(self) -> None:
        """One changed file of three hundred moves a log entry of some kilobytes, not the catalog."""
        folder = self.base / "folder"
        for number in range(300):
            random_file(folder / f"a file with a long name {number}", 50)
        self.node.upload(folder, "folder")
        sent: list[int] = []
        original = self.node.send

        def send(*arguments, **options):
            if len(arguments) > 3 and arguments[2].get("kind") == "log":
                sent.append(len(arguments[3]))
            return original(*arguments, **options)

        self.node.send = send
        random_file(folder / "a file with a long name 7", 60)
        self.node.upload(folder, "folder")
        self.assertGreater(sum(sent), 0)
        self.assertLess(sum(sent), 4 * 8 * 1024)

    def test_an_unchanged_folder_is_not_read_again(self) -> None:
        """Files that look as they did are not opened: their bytes could be swapped behind the node's back."""
        folder = self.base / "folder"
        random_file(folder / "a", 1000)
        random_file(folder / "b", 1000)
        self.node.upload(folder, "folder")
        before = self.received()
        result = self.node.upload(folder, "folder")
        self.assertEqual((result["new_bytes"], self.received() - before), (0, 0))

    def test_what_cannot_be_stored_is_reported(self) -> None:
        """A socket and a pipe in a folder are reported; everything else goes on."""
        folder = self.base / "folder"
        random_file(folder / "fine", 1000)
        os.mkfifo(folder / "pipe")
        here = os.getcwd()
        os.chdir(folder)
        self.addCleanup(os.chdir, here)
        listening = socket.socket(socket.AF_UNIX)
        self.addCleanup(listening.close)
        listening.bind("socket")
        os.chdir(here)
        result = self.node.upload(folder, "folder")
        self.assertEqual({Path(one["path"]).name for one in result["problems"]}, {"pipe", "socket"})
        self.node.download("folder", self.base / "back")
        self.assertEqual(os.listdir(self.base / "back" / "folder"), ["fine"])

    def test_an_unreadable_file_is_reported(self) -> None:
        """A file that may not be read is reported; everything else goes on."""
        if os.geteuid() == 0:
            from unittest import SkipTest

            raise SkipTest("root may read everything")
        folder = self.base / "folder"
        random_file(folder / "fine", 1000)
        random_file(folder / "closed", 1000)
        (folder / "closed").chmod(0)
        result = self.node.upload(folder, "folder")
        self.assertEqual([Path(one["path"]).name for one in result["problems"]], ["closed"])

    def test_a_file_that_vanishes_is_reported(self) -> None:
        """A file that is gone between the look at its folder and its turn is reported; everything else goes on."""
        folder = self.base / "folder"
        random_file(folder / "fine", 1000)
        random_file(folder / "gone", 1000)
        packer = self.node.storage.core.packer
        place = packer.place

        def vanish(*arguments):
            (folder / "gone").unlink(missing_ok=True)
            return place(*arguments)

        packer.place = vanish
        result = self.node.upload(folder, "folder")
        self.assertEqual([Path(one["path"]).name for one in result["problems"]], ["gone"])

    def test_a_file_that_keeps_changing_is_reported(self) -> None:
        """A file that grows each time it is read is stored as it was read once, and said so."""
        path = self.base / "log"
        random_file(path, 1000)
        packer = self.node.storage.core.packer
        place = packer.place

        def grow(*arguments):
            with open(path, "ab") as stream:
                stream.write(b"one more line\n")
            return place(*arguments)

        packer.place = grow
        result = self.node.upload(path, "log")
        self.assertIn("changed while it was read", result["problems"][0]["reason"])
        packer.place = place
        self.node.download("log", self.base / "back")
        whole = path.read_bytes()
        self.assertTrue(whole.startswith((self.base / "back" / "log").read_bytes()))

    def test_what_is_not_there(self) -> None:
        """A local path that does not exist, a remote path that was not created, and a folder for a file are refused."""
        random_file(self.base / "file", 10)
        self.node.create("file")
        self.fails("no-such-file", self.node.begin_upload, self.base / "nowhere", "file")
        self.fails("not-found", self.node.wait, self._upload_to("elsewhere"))
        (self.base / "dir").mkdir()
        self.node.create("dir", folder=True)
        task = self.node.wait(self._upload_to("dir"))
        self.fails("wrong-type", self.node.wait, task.completion)

    def _upload_to(self, remote: str):
        from twisted.internet.defer import Deferred

        return Deferred.fromCoroutine(self.node.storage.upload(str(self.base / "file"), remote))

    def test_more_than_fits_is_refused_with_numbers(self) -> None:
        """What does not fit is refused before anything moves, by what is not stored yet, with both numbers."""
        random_file(self.base / "file", 2 * MB)
        self.node.upload(self.base / "file", "file")
        self.node.space = self.node.storage.used() + 500_000
        random_file(self.base / "more", MB)
        before = self.received()
        error = self.fails("no-space", self.node.upload, self.base / "more", "more")
        self.assertGreater(error.details["needed"], error.details["available"])
        self.assertEqual(self.received(), before)
        with open(self.base / "file", "ab") as stream:
            stream.write(os.urandom(100_000))
        self.node.upload(self.base / "file", "file")

    def test_too_few_suppliers(self) -> None:
        """With fewer than k suppliers in reach an upload is refused with the numbers."""
        random_file(self.base / "file", 10)
        for supplier in self.around.suppliers[:3]:
            supplier.mode = "away"
        self.fails("too-few-suppliers", self.node.upload, self.base / "file", "file")

    def test_one_away_supplier_delays_nothing(self) -> None:
        """With one of four suppliers away an upload ends, its piece waits, and comes when the supplier is back."""
        late = self.around.suppliers[1]
        late.mode = "away"
        self.node.storage.core.suppliers_changed()
        random_file(self.base / "file", 300_000)
        self.node.upload(self.base / "file", "file")
        self.assertEqual(late.pieces(), 0)
        late.mode = "fine"
        self.node.storage.core.suppliers_changed()
        self.node.pass_time(10)
        self.assertEqual(late.pieces(), 1)
        self.assertEqual(self.node.info("file")["versions"][0]["reliable"], "100%")

    def test_one_frozen_supplier_delays_nothing_for_long(self) -> None:
        """A supplier that takes packets and says nothing holds an upload up for a few seconds at most."""
        self.around.suppliers[2].mode = "frozen"
        random_file(self.base / "file", 300_000)
        before = self.node.clock.seconds()
        self.node.upload(self.base / "file", "file")
        self.assertLess(self.node.clock.seconds() - before, 2)

    def test_a_full_supplier_is_tried_again(self) -> None:
        """A supplier whose disk is full gets its pieces when there is room again; nothing is lost meanwhile."""
        full = self.around.suppliers[0]
        full.mode = "full"
        random_file(self.base / "file", 300_000)
        self.node.upload(self.base / "file", "file")
        self.assertEqual(full.pieces(), 0)
        full.mode = "fine"
        self.node.pass_time(130)
        self.assertEqual(full.pieces(), 1)

    def test_the_spool_is_empty_at_the_end(self) -> None:
        """After all pieces are acknowledged none of them lies on the customer's own disk."""
        random_file(self.base / "file", MB)
        self.node.upload(self.base / "file", "file")
        self.node.pass_time(1)
        self.assertEqual(list((self.node.home / "spool").iterdir()), [])
        left = self.node.storage.core.catalog.read.execute("SELECT count(*) FROM pieces WHERE data IS NOT NULL")
        self.assertEqual(left.fetchone()[0], 0)

    def test_stop_leaves_no_version(self) -> None:
        """An upload that was given up leaves no version and no items that it had made."""
        for supplier in self.around.suppliers[:3]:
            supplier.mode = "frozen"
        folder = self.base / "folder"
        random_file(folder / "a", 1000)
        task = self.node.begin_upload(folder, "folder")
        self.node.pass_time(1)
        self.assertEqual(len(self.node.storage.uploads()["running"]), 1)
        stopped = self.node.storage.stop_upload("folder")
        self.assertEqual(len(stopped), 1)
        self.fails("stopped", self.node.wait, task.completion)
        self.assertEqual(self.node.storage.uploads(), {"running": [], "pending": []})
        self.fails("not-found", self.node.storage.stop_upload, "folder")

    def test_the_same_upload_twice_is_refused(self) -> None:
        """A second upload to the same place while the first runs is refused."""
        for supplier in self.around.suppliers[:3]:
            supplier.mode = "frozen"
        random_file(self.base / "file", 1000)
        self.node.begin_upload(self.base / "file", "file")
        self.fails("already-scheduled", self.node.begin_upload, self.base / "file", "file")

    def test_asked_for_while_the_storage_closes(self) -> None:
        """An upload whose row is written while the storage closes is no job of it; the next opening goes on with it."""
        random_file(self.base / "file", 1000)
        node, core, writing = self.node, self.node.storage.core, Deferred()
        node.create("file", False)
        change = core.catalog.change
        self.patch(core.catalog, "change", lambda call: change(call).addCallback(lambda row: after(writing, row)))
        starting = Deferred.fromCoroutine(node.storage.upload(str(self.base / "file"), "file"))
        core.uploads.suspend()
        writing.callback(None)
        job = self.successResultOf(starting)
        self.assertEqual(self.failureResultOf(job.completion).value.code, "stopping")
        self.assertEqual(core.uploads.rows(), {"running": [], "pending": []})
        core.catalog.change = change
        core.uploads.resume()
        node.pass_time(5)
        self.assertEqual(node.info("file")["versions"][0]["reliable"], "100%")

    def test_lists_are_not_empty_in_the_middle(self) -> None:
        """Uploads and transfers read in the middle of an upload show its pieces on their way."""
        for supplier in self.around.suppliers:
            supplier.mode = "frozen"
        random_file(self.base / "file", 300_000)
        self.node.begin_upload(self.base / "file", "file")
        self.node.pass_time(1)
        (row,) = self.node.storage.uploads()["running"]
        self.assertEqual((row["bytes_processed"], row["total_size"]), (300_000, 300_000))
        transfers = self.node.storage.transfers()
        self.assertEqual([len(one["outgoing"]) for one in transfers], [1, 1, 1, 1])

    def test_sendings_at_once_have_a_bound(self) -> None:
        """No more pieces are on their way to one supplier than the setting allows."""
        self.node.settings.set("services/data-motion/supplier-sending-queue-size", 3)
        self.node.settings.set("services/backups/block-size", 64 * 1024)
        for supplier in self.around.suppliers:
            supplier.mode = "frozen"
        random_file(self.base / "file", 2 * MB)
        self.node.begin_upload(self.base / "file", "file")
        self.node.pass_time(1)
        self.assertEqual([len(row["outgoing"]) for row in self.node.storage.transfers()], [3, 3, 3, 3])

    def test_deleted_packs_leave_the_suppliers(self) -> None:
        """A deleted file is out of the catalog at once, and its pieces are off the suppliers soon after."""
        random_file(self.base / "file", 300_000)
        self.node.upload(self.base / "file", "file")
        random_file(self.base / "other", 300_000)
        self.node.upload(self.base / "other", "other")
        self.node.pass_time(1)
        self.node.delete("file")
        self.assertIsNone(self.node.storage.exists("file"))
        self.node.pass_time(10)
        self.assertEqual([supplier.pieces() for supplier in self.around.suppliers], [1, 1, 1, 1])
        self.node.download("other", self.base / "back")
        self.assertEqual((self.base / "back" / "other").read_bytes(), (self.base / "other").read_bytes())

    def test_what_another_file_needs_stays(self) -> None:
        """Deleting one of two files that share their bytes takes no piece away."""
        data = random_file(self.base / "one", 300_000)
        (self.base / "two").write_bytes(data)
        self.node.upload(self.base / "one", "one")
        self.node.upload(self.base / "two", "two")
        self.node.delete("one")
        self.node.pass_time(5)
        self.node.download("two", self.base / "back")
        self.assertEqual((self.base / "back" / "two").read_bytes(), data)

    def test_old_versions_go(self) -> None:
        """With max-copies 2 and nothing to undo, the third version of a file lets the first go, and its pieces."""
        for name in ("daily-copies", "weekly-copies", "monthly-copies", "undo-days"):
            self.node.settings.set(f"services/backups/{name}", 0)
        for _ in range(3):
            random_file(self.base / "file", 300_000)
            self.node.upload(self.base / "file", "file")
        self.node.pass_time(10)
        self.assertEqual(len(self.node.info("file")["versions"]), 2)
        self.assertEqual([supplier.pieces() for supplier in self.around.suppliers], [2, 2, 2, 2])

    def test_a_file_that_left_its_folder(self) -> None:
        """A file that is no longer in its folder is not in the list, and comes back with the version that had it."""
        folder = self.base / "folder"
        random_file(folder / "stays", 1000)
        data = random_file(folder / "goes", 1000)
        first = self.node.upload(folder, "folder")["version"]
        (folder / "goes").unlink()
        self.node.upload(folder, "folder")
        self.assertEqual([row["path"] for row in self.node.rows("folder")], ["folder/stays"])
        self.node.download("folder", self.base / "now")
        self.assertEqual(os.listdir(self.base / "now" / "folder"), ["stays"])
        self.node.download(f"folder/{first}", self.base / "then")
        self.assertEqual((self.base / "then" / "folder" / "goes").read_bytes(), data)

    def test_lost_pieces_are_made_anew(self) -> None:
        """A piece that a supplier has lost is noticed by the next round and rebuilt from the others."""
        random_file(self.base / "file", 300_000)
        self.node.upload(self.base / "file", "file")
        self.node.pass_time(1)
        poor = self.around.suppliers[3]
        order = self.around.suppliers[3].shop
        (pack,) = order.store._read.execute("SELECT pack FROM pieces").fetchone()
        order.store._commits.change(lambda database: database.execute("DELETE FROM pieces WHERE pack=?", (pack,)))
        self.node.storage.sync()
        self.node.pass_time(10)
        listed = poor.shop.store.listing(self.node.me.fingerprint, b"", 10).pieces
        self.assertEqual(len(listed), 1)
        self.assertEqual(self.node.info("file")["versions"][0]["delivered"], "100%")

    def test_a_folder_in_several_helpings(self) -> None:
        """A folder that is planned a few entries at a time is stored whole, and what is gone from it later is gone."""
        self.patch(upload_module, "HELPING", 2)
        source = self.base / "many"
        for name in ("a/1", "a/2", "b/c/3", "b/4", "5", "6"):
            random_file(source / name, 100)
        self.node.upload(source, "many")
        paths = sorted(row["remote_path"].partition(":")[2] for row in self.node.rows("many"))
        expected = ["a", "a/1", "a/2", "b", "b/c", "b/c/3", "b/4", "5", "6"]
        self.assertEqual([path for path in paths if path != "many"], sorted(f"many/{name}" for name in expected))
        (source / "b" / "c" / "3").unlink()
        random_file(source / "b" / "7", 100)
        self.node.upload(source, "many")
        self.node.download("many", self.base / "back")
        back = self.base / "back" / "many"
        found = sorted(str(path.relative_to(back)) for path in back.rglob("*"))
        self.assertEqual(found, sorted(["a", "a/1", "a/2", "b", "b/4", "b/7", "b/c", "5", "6"]))


class BeginningTests(SynchronousTestCase):
    """An upload begins when its row is written, and other things come in between."""

    def setUp(self) -> None:
        self.base, self.around, self.node = network(self)
        random_file(self.base / "file", 300_000)
        self.node.create("file", False)
        self.uploads = self.node.storage.core.uploads

    def begins(self) -> "Deferred":
        return Deferred.fromCoroutine(self.node.storage.upload(str(self.base / "file"), "file"))

    def test_twice_at_once(self) -> None:
        """A second one that comes before the first one's row is written is refused."""
        go_on = self.node.hold_next_change()
        first, second = self.begins(), self.begins()
        self.assertEqual(self.failureResultOf(second, BitDustError).value.code, "already-scheduled")
        go_on()
        self.node.wait(self.successResultOf(first).completion)

    def test_taken_up_while_it_begins(self) -> None:
        """An upload that is taken up as one of before, the moment its row is written, is one job."""
        for supplier in self.around.suppliers:
            supplier.mode = "frozen"
        go_on = self.node.hold_next_change()
        job = self.begins()
        self.uploads.resume()
        go_on()
        (running,) = self.uploads.running
        self.assertIs(self.successResultOf(job), running)
        self.uploads.resume()
        self.assertEqual(self.uploads.running, [running])


class ManySuppliersTests(SynchronousTestCase):
    def test_families_of_any_size(self) -> None:
        """Two, three, five and seven suppliers: any half of them, rounded up, gives a file back."""
        for n in (2, 3, 5, 7):
            base, around, node = network(self, n)
            data = random_file(base / "file", 300_000)
            node.upload(base / "file", "file")
            for supplier in around.suppliers[: n - around.k]:
                supplier.mode = "away"
            node.storage.core.suppliers_changed()
            node.download("file", base / "back")
            self.assertEqual((base / "back" / "file").read_bytes(), data)
            shutil.rmtree(base / "back")
