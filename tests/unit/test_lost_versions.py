"""Versions whose pieces never left a home that was lost: they are told, passed over, and nothing new builds on them."""

import shutil

from bitdust.checkup.risk import versions as words
from bitdust.storage.catalog import figures
from bitdust.storage.keeping.stuck import given_up_of
from bitdust.wire.errors import BitDustError
from tests.unit.storage_kit import Node, random_file
from tests.unit.test_storage_recovery import RecoveryCase


class LostCase(RecoveryCase):
    def recovered(self, name: str = "new-home") -> Node:
        """The home is lost, and another one has heard from all suppliers what they hold."""
        self.node.kill()
        shutil.rmtree(self.node.home)
        self.node = self.again(name)
        self.node.pass_time(30)
        return self.node

    def never_left(self, name: str, size: int = 300_000) -> bytes:
        """Something is uploaded, the log names it, and no supplier takes a piece of it."""
        self.set_modes(*["full"] * 4)
        data = random_file(self.base / name, size)
        self.node.begin_upload(self.base / name, name)
        self.node.pass_time(5)
        self.set_modes(*["fine"] * 4)
        return data

    def back(self, node: Node, name: str) -> bytes:
        node.download(name, self.base / "back")
        return (self.base / "back" / name).read_bytes()


class DownloadTests(LostCase):
    def setUp(self) -> None:
        super().setUp()
        self.first = self.stored("file")
        self.node.pass_time(5)

    def test_the_newest_that_can_be_had(self) -> None:
        """Without a version the newest one that can be had comes back, and both are named; a person is told."""
        self.never_left("file")
        node = self.recovered()
        node.me.replace_document(node.me.revise(devices=node.me.document.devices[1:]))
        row = node.download("file", self.base / "back")
        self.assertEqual((self.base / "back" / "file").read_bytes(), self.first)
        taken, newest = (one["version"] for one in node.info("file")["versions"])
        (problem,) = row["problems"]
        self.assertEqual((problem["code"], problem["version"], problem["newest"]), ("older-version", taken, newest))
        self.assertIn(newest, problem["reason"])
        self.assertTrue(row["backup_id"].endswith(taken))
        self.assertEqual(node.events_of("restore-done")[0]["problems"], row["problems"])

    def test_another_device_may_still_bring_it(self) -> None:
        """While another device may be uploading, and until suppliers were heard, a download fails and says what may."""
        self.never_left("file")
        node = self.recovered()
        error = self.assertRaises(BitDustError, node.download, "file", self.base / "back")
        earlier = node.info("file")["versions"][0]["version"]
        self.assertIn(f"an earlier version may: file/{earlier}", str(error))
        node.pass_time(3600, 60)
        self.assertEqual(self.back(node, "file"), self.first)

    def test_a_supplier_of_another_life_may_have_it(self) -> None:
        """Until suppliers of another life have listed their pieces, no version counts as lost, however old it is."""
        self.never_left("file")
        self.set_modes("fine", "fine", "fine", "away")
        node = self.recovered()
        node.reunited = [self.around.suppliers[3].fingerprint]
        node.pass_time(3600, 60)
        self.assertRaises(BitDustError, node.download, "file", self.base / "back")
        self.set_modes(*["fine"] * 4)
        node.storage.core.inventory.refresh()
        node.pass_time(30)
        self.assertEqual(self.back(node, "file"), self.first)

    def test_a_supplier_of_another_life_that_never_comes(self) -> None:
        """After a month of silence, also over a restart, nobody waits for it: what nobody else has counts as lost, and
        its place is free. Time in which this node reached nobody does not count."""
        self.never_left("file")
        node, first = self.recovered(), self.around.suppliers[0].fingerprint
        gone = [b"somebody who left his place".ljust(32)]
        node.reunited = gone
        node.pass_time(3600, 60)
        self.set_modes(*["away"] * 4)
        self.days_pass(node, 20)
        self.set_modes(*["fine"] * 4)
        self.days_pass(node, 28)
        self.assertRaises(BitDustError, node.download, "file", self.base / "back")
        self.assertFalse(node.storage.placement.has_all(0, first))
        node.stop()
        again = self.again("new-home", start=False)
        again.ahead, again.reunited = node.ahead + node.clock.seconds(), gone
        again.start().pass_time(60)
        self.assertRaises(BitDustError, again.download, "file", self.base / "back")
        self.days_pass(again, 4)
        self.assertEqual(self.back(again, "file"), self.first)
        self.assertTrue(again.storage.placement.has_all(0, first))
        self.patch(again, "mode_of", lambda who: "fine")
        self.assertFalse(again.storage.placement.has_all(0, first))

    def days_pass(self, node: Node, days: int) -> None:
        for _ in range(days):
            node.ahead += 86_400
            node.pass_time(120, 60)

    def test_a_version_that_was_named(self) -> None:
        """It is brought or refused, and the answer names it, and the one before it."""
        self.never_left("file")
        node = self.recovered()
        node.pass_time(3600, 60)
        taken, newest = (one["version"] for one in node.info("file")["versions"])
        error = self.assertRaises(BitDustError, node.download, f"file/{newest}", self.base / "back")
        self.assertEqual(error.code, "incomplete")
        self.assertIn(newest, str(error))
        self.assertIn(f"version {taken} can", str(error))
        node.download(f"file/{taken}", self.base / "back")

    def test_a_folder(self) -> None:
        """Of a folder all comes back that can; of the rest it is told what became of it."""
        folder = self.base / "folder"
        for name in ("both", "old"):
            random_file(folder / name, 200_000)
        self.node.upload(folder, "folder")
        old = {one.name: one.read_bytes() for one in folder.iterdir()}
        self.set_modes(*["full"] * 4)
        for name in ("both", "new-1", "new-2", "new-3", "new-4"):
            random_file(folder / name, 1_200_000)
        self.node.begin_upload(folder, "folder")
        self.node.pass_time(5)
        self.set_modes(*["fine"] * 4)
        node = self.recovered()
        node.pass_time(3600, 60)
        row = node.download("folder", self.base / "back")
        back = self.base / "back" / "folder"
        self.assertEqual({one.name: one.read_bytes() for one in back.iterdir()}, old)
        told = {problem["path"]: problem["code"] for problem in row["problems"]}
        lost = {f"folder/new-{number}": "left-out" for number in range(1, 5)}
        self.assertEqual(told, {"folder/both": "older-version", **lost})

    def test_nothing_before_it(self) -> None:
        """A file of which no version can be had is an error that says so."""
        self.never_left("other")
        node = self.recovered()
        node.pass_time(3600, 60)
        error = self.assertRaises(BitDustError, node.download, "other", self.base / "back")
        self.assertEqual(error.code, "incomplete")
        self.assertIn("there is no version before it", str(error))


class DoctorTests(LostCase):
    def given_up(self, node: Node) -> tuple[int, list[dict[str, str]]]:
        core = node.storage.core
        return given_up_of(core.catalog.read, core.given_up(), "alice@id.example")

    def test_they_are_named_until_they_are_deleted(self) -> None:
        """The doctor names them with what to do, rebuilding does not wait for them, and a deletion is the end of it."""
        self.stored("file")
        self.node.pass_time(5)
        self.never_left("file")
        node = self.recovered()
        self.assertEqual(self.given_up(node), (0, []))
        node.pass_time(3600, 60)
        node.is_aside = True  # whoever waits for room beside my suppliers may bring them
        self.assertEqual(self.given_up(node), (0, []))
        node.is_aside = False
        taken, newest = (one["version"] for one in node.info("file")["versions"])
        count, rows = self.given_up(node)
        named = {"remote_path": "master$alice@id.example:file", "version": newest, "earlier": taken}
        self.assertEqual((count, rows, node.storage.core.rebuilder.waits_for_suppliers), (1, [named], set()))
        (finding,) = words({"count": count, "named": rows})
        self.assertIn(f"file {newest} ({taken} before it can)", finding.found)
        self.assertIn("bitdust file delete PATH/VERSION", finding.hint)
        node.delete(f"file/{newest}")
        node.pass_time(60)
        self.assertEqual(self.given_up(node), (0, []))
        pieces = node.pieces()
        self.assertEqual((pieces["missing"], pieces["acknowledged"]), (0, pieces["due"]))

    def test_nothing_to_say(self) -> None:
        """Without such versions there is no finding."""
        self.assertEqual(words({"count": 0, "named": []}), [])


class AgainTests(LostCase):
    def test_uploaded_again(self) -> None:
        """The same bytes are stored again, and do not count on pieces that nobody has: not even at the next loss."""
        data = self.never_left("file")
        node = self.recovered()
        self.assertEqual(figures.pieces(node.storage.core.catalog.read)["missing"], 4)
        (self.base / "copy").write_bytes(data)
        node.upload(self.base / "copy", "copy")
        node.pass_time(5)
        self.assertEqual(self.back(self.recovered("third"), "copy"), data)
